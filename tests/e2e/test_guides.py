"""The guides, README's first steps, and installing and operating: each followed as it is written."""

import base64
import contextlib
import functools
import os
import shutil

import pytest
from api import KINDS, QC, QES, QVS, RESOURCES, SIGNATURE_KINDS, ApiError, all_kinds, data_of, ready_of, thing, wait_until
from credentials import token, with_token
from fixtures import BINARY, control_plane, run_tool
from guides import GuideError, Reader, examples, in_namespace, lay_checkout
from install import CHECKOUT, NAMESPACE, Helm, run
from process import Operators
from sites import free_port, secret_by_kubectl, served
from webhook import CONFIGURATIONS, port_of

DOCS = CHECKOUT / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
RESOURCE_PAGES = sorted((DOCS / "resources").glob("*.md"))

CONFIGURATION = f"{CONFIGURATIONS}/qubesec"


@pytest.fixture
def stack():
    """What is to be undone when the test has ended."""
    with contextlib.ExitStack() as one:
        yield one


@pytest.fixture
def reader(cluster, operator, namespace, tmp_path):
    """Who follows a guide in a namespace of his own."""
    config = in_namespace(cluster.folder / "admin.kubeconfig", namespace, tmp_path / "kubeconfig")
    folder = tmp_path / "folder"
    folder.mkdir()
    path = f"{BINARY.parent}:{os.environ['PATH']}"
    return Reader(folder, {**os.environ, "KUBECONFIG": str(config), "NO_PROXY": "*", "no_proxy": "*", "PATH": path})


# Guides


def with_files(reader, *names):
    for name in names:
        (reader.folder / name).write_text(f"what {name} holds\n")


def remove_namespaces(api, operator, *names):
    """The objects in them first: what the operator made of one just then would come to lie in a namespace made anew."""
    there = [name for name in names if api.find("Namespace", None, name) is not None]
    for name in there:
        for kind in (*KINDS, *SIGNATURE_KINDS):
            api.call("DELETE", api.path(kind, name))
    if there and not operator.ended():
        operator.wait_forgotten(api)
    for name in there:
        api.delete("Namespace", None, name)


def without_namespaces(api, operator, stack, *names):
    """They are not there, whoever had them before, and go with what is followed."""
    remove_namespaces(api, operator, *names)
    for name in names:
        api.wait_gone("Namespace", None, name)
    stack.callback(remove_namespaces, api, operator, *names)


def behind_an_address(reader, stack, every=None):
    """An nginx that says what the guide does, and has the Secret mounted; every: seconds after which it is looked for changes."""
    port = free_port()
    reader.replace["ADDRESS"] = f"127.0.0.1:{port}"
    read = secret_by_kubectl("web-tls", reader.environment)
    reader.handlers["nginx"] = lambda text: stack.enter_context(served(reader.folder / "tls", read, text, port, every))


# By guide: what its reader has.
SCENES = {
    "gitops": lambda api, operator, reader, stack: shutil.copy(CHECKOUT / "config/gitops/name_references.yaml", reader.folder),
    "private-pki": lambda api, operator, reader, stack: without_namespaces(api, operator, stack, "pki", "shop"),
    "rotation": lambda api, operator, reader, stack: behind_an_address(reader, stack, 1.0),
    "sign-a-release": lambda api, operator, reader, stack: with_files(reader, "app-1.0.tar.gz", "app-1.0.img"),
    "tls-for-an-ingress": lambda api, operator, reader, stack: behind_an_address(reader, stack),
}


@pytest.mark.parametrize("guide", GUIDES, ids=[one.stem for one in GUIDES])
def test_a_guide(api, operator, reader, stack, guide):
    SCENES.get(guide.stem, lambda *_: None)(api, operator, reader, stack)
    reader.follow(guide)


# The pages of the resources


@pytest.fixture
def among_examples(api, reader, namespace):
    """Who reads in a namespace with the objects of all pages, which refer to each other, and has what they take for granted."""
    (reader.folder / "checksums").write_text("the checksums of a release\n")
    reader.run("kubectl create configmap release --from-file=checksums")
    for _, text in examples():
        reader.apply(text)
    reader.run("kubectl wait --for=condition=Ready --timeout=120s qubesec --all")
    for file in ("release.pem", "public_key.pem"):
        reader.run("kubectl get qskp release-signer --output 'jsonpath={.status.publicKeyPEM}' > " + file)
    reader.environment["CIPHERTEXT_IN_HEX"] = api.get(QES, namespace, "bob-encapsulate")["status"]["ciphertext"]
    return reader


@pytest.mark.parametrize("page", RESOURCE_PAGES, ids=[one.stem for one in RESOURCE_PAGES])
def test_a_page_of_a_resource(api, operator, among_examples, stack, page):
    if page.stem == "README":
        without_namespaces(api, operator, stack, "keys", "app")
        for name in ("keys", "app"):
            api.create({"kind": "Namespace", "metadata": {"name": name}})
    kind = next((one for one in RESOURCES if one.lower() == page.stem), None)

    def apply(text):
        if text.startswith("spec:"):  # another way to write the page's resource
            text = f"apiVersion: qubesec.io/v1\nkind: {kind}\nmetadata: {{name: another}}\n{text}"
        among_examples.apply(text)

    among_examples.handlers["yaml"] = apply
    among_examples.follow(page)


# README's first steps


def test_the_first_steps(reader, stack):
    """In the checkout itself, where make is; but what make up starts is not what a developer may have up."""
    reader.folder = CHECKOUT
    up = ".local/guides-up"
    reader.environment["MAKEFLAGS"] = f" -- CLUSTER={up}"
    stack.callback(run_tool, CHECKOUT / up, "stop")  # what make down has not
    reader.follow(CHECKOUT / "README.md")


# Operating


def wait_ready(api, things):
    def is_ready(one):
        found = api.get(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"])
        return ready_of(found).get("status") == "True"

    wait_until("all are Ready", lambda: all(map(is_ready, things)))


def remove_resources(api, namespace):
    """With their Secrets, those that outlive them too."""
    kinds = (*KINDS, *SIGNATURE_KINDS)
    for kind in (*kinds, "Secret"):
        api.call("DELETE", api.path(kind, namespace))
    wait_until("all is gone", lambda: not [kind for kind in (*kinds, "Secret") if api.list(kind, namespace)])


def keys_of(api, namespace):
    """The output Secrets' contents, by name."""
    return {one["metadata"]["name"]: data_of(one) for one in api.list("Secret", namespace)}


def test_operating(cluster, api, operators, operator, reader, stack):
    stack.callback(operators.stop)  # its settings have been changed
    lay_checkout(reader.folder)
    without_namespaces(api, operator, stack, "shop", "staging")
    settings = ("--filename", CHECKOUT / "config/manager/settings.yaml")
    policy = ("--kustomize", CHECKOUT / "config/policies/secrets")
    for manifest in (settings, policy):
        stack.callback(cluster.kubectl, "delete", "--ignore-not-found", *manifest)
    cluster.kubectl("apply", *settings)

    own, *made = all_kinds("shop")

    def begin():
        api.create({"kind": "Namespace", "metadata": {"name": "shop"}})
        api.create(own)

    begin()
    for one in made:
        api.create(one)
    wait_ready(api, made)
    keys = keys_of(api, "shop")
    assert len(keys) == len(made) - 1, "all but the verification have a Secret"

    def lose_all():
        remove_namespaces(api, operator, "shop")
        api.wait_gone("Namespace", None, "shop")
        begin()

    def same_again():
        return operators.current.settle() or keys_of(api, "shop") == keys

    def came_first():
        assert same_again()
        for one in made:
            assert one["kind"] == QVS or api.wait_event("shop", one["metadata"]["name"], "Adopted"), one
        remove_resources(api, "shop")
        reader.run("kubectl apply --filename resources.json")
        wait_ready(api, made)
        new = keys_of(api, "shop")
        assert new.keys() == keys.keys() and not [name for name in keys if new[name] == keys[name]]

    def compare():
        """What was made once more meanwhile is replaced once more, as the page says."""
        wait_until("all is as it was", lambda: same_again() or reader.run("kubectl replace --filename secrets.json"))

    reader.replace = {"NAMESPACE": "shop", "NAME": "pair", "MONITORING": "shop"}
    reader.world = {
        "The order": lose_all,
        "If the resources came first": came_first,
        "Into another namespace": compare,
        "With the policy secrets": lambda: cluster.kubectl("apply", *policy),
    }
    reader.follow(DOCS / "operations.md")
    assert keys_of(api, "staging") == keys


# Without a cluster


def test_rendering(tmp_path):
    lay_checkout(tmp_path)
    Reader(tmp_path, {**os.environ, "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}).follow(DOCS / "render.md")


# Installing, and uninstalling


class Installation:
    """A cluster in which something is installed, and what its nodes and Services would do."""

    def __init__(self, cluster, folder):
        self.cluster, self.api = cluster, cluster.api
        self.operators = Operators(BINARY, folder / "kubeconfig", folder)
        self.folder = folder

    def remove(self):
        """The reader tries one way to install after the other."""
        self.kubectl("delete", "--kustomize", CHECKOUT / "config" / "default")

    def kubectl(self, *arguments):
        run("kubectl", "--kubeconfig", self.cluster.folder / "admin.kubeconfig", *arguments)

    def start(self):
        """The Deployment's Pods: one process, and the word that it is there."""
        with_token(self.cluster, self.folder, token(self.api, NAMESPACE, "qubesec-operator"))
        self.operators.start("--webhook-bind-address", "127.0.0.1:0", "--webhook-host", "127.0.0.1").wait_ready()
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/qubesec-operator"
        generation = self.api.call("GET", path)["metadata"]["generation"]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 2)
        status = {"status": {"observedGeneration": generation, **counts}}
        self.api.call("PATCH", f"{path}/status", status, "application/merge-patch+json")
        self.connect()

    def connect(self):
        """The webhook's Service: a URL that leads to the operator."""
        find = functools.partial(self.api.find, "Secret", NAMESPACE, "qubesec-webhook-certificate")
        authority = data_of(wait_until("the operator has a certificate", find))["ca.crt"]
        installed = self.api.call("GET", CONFIGURATION)
        installed["webhooks"][0]["clientConfig"] = {
            "url": f"https://127.0.0.1:{port_of(self.operators.current)}/validate",
            "caBundle": base64.b64encode(authority).decode(),
        }
        self.api.call("PUT", CONFIGURATION, installed)
        wait_until("the API server asks the webhook", lambda: "spec.subjectAltNames" in self.refusal())

    def refusal(self):
        """What is said of a spec that the API server by itself would let pass."""
        wrong = thing(QC, "default", "probe", {"subjectAltNames": ["*.*.example.com"]})
        try:
            self.api.call("POST", f"{self.api.path(QC, 'default')}?dryRun=All", wrong)
        except ApiError as error:
            return str(error)
        return ""

    def disconnect(self):
        """What is applied again names the Service, which the URL would contradict."""
        self.api.call("DELETE", CONFIGURATION)


def test_installing(stack, tmp_path):
    cluster = stack.enter_context(control_plane("guides"))
    installation = Installation(cluster, tmp_path)
    stack.callback(installation.operators.close)
    config = in_namespace(cluster.folder / "admin.kubeconfig", "default", tmp_path / "admin.kubeconfig")
    folder = tmp_path / "folder"
    lay_checkout(folder)
    path = f"{Helm().program.parent}:{os.environ['PATH']}"
    reader = Reader(folder, {**os.environ, "KUBECONFIG": str(config), "PATH": path})
    reader.replace = {
        "REGISTRY": "registry.example.com", "VERSION": "0.2.0", "MONITORING": "default", "NAME": "algorithms",
    }  # fmt: skip
    keys = {}

    def before_uninstalling():
        installation.connect()
        keys.update(keys_of(cluster.api, "default"))

    reader.world = {
        "With helm": installation.remove,
        "Verify the installation": installation.start,
        "Upgrading": installation.disconnect,
        "Uninstalling, and the keys": before_uninstalling,
    }
    reader.follow(DOCS / "install.md")
    wait_until("the definitions are gone", lambda: not cluster.api.list("CustomResourceDefinition"))
    assert keys and keys_of(cluster.api, "default") == keys, "the keys are gone with the definitions"


# The reader himself


@pytest.fixture
def alone(tmp_path):
    """A reader without a cluster."""
    return Reader(tmp_path, dict(os.environ))


def block(text, language="sh", above=""):
    return f"{above}\n```{language}\n{text}\n```\n"


def test_a_reader_does_what_is_written(alone):
    alone.replace, alone.world = {"NAME": "a", "NAMESPACE": "b"}, {"One": lambda: with_files(alone, "here")}
    alone.follow_text(
        "# One\n" + block("# in/a.yaml\nx: NAME NAMESPACE", "yaml")
        + block("cat here in/a.yaml")
        + block("what here holds\nx: a b", "text")
    )  # fmt: skip
    assert (alone.folder / "in" / "a.yaml").read_text() == "# in/a.yaml\nx: a b\n"


WRONG = {
    "a command fails": (block("true") + block("true\nfalse\ntrue"), r"guide:6 .*failed: false"),
    "a command of a pipeline fails": (block("false | cat"), "status 1"),
    "nobody runs it": (block("a 1;", "nginx"), "guide:2: this block of nginx is neither run nor excused"),
    "the excuse is elsewhere": (block("a 1;", "nginx", "<!-- not run: why -->\nText."), "excuse above is not one of a block"),
    "no language": ("```\ntrue\n```\n", "```LANGUAGE"),
    "in a list": ("- so\n  ```sh\n  true\n  ```\n", "```LANGUAGE"),
    "indented": ("So:\n\n    false\n", "put it into a fenced block"),
    "no end": ("```sh\ntrue\n", "no end"),
    "not printed": (block("echo one; echo two") + block("two\none", "text"), "not printed.*'one'"),
    "other digits": (
        block("echo 0123456789; echo 0123456780") + block("aaaaaaaaaa\naaaaaaaaaa", "text"), "not printed.*'aaaaaaaaaa'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("text, said", WRONG.values(), ids=WRONG)
def test_a_reader_tells_what_is_wrong(alone, text, said):
    with pytest.raises(GuideError, match=f"(?s){said}"):
        alone.follow_text(text)


def test_a_reader_does_not_wait_for_ever(alone, monkeypatch):
    monkeypatch.setattr("guides.PATIENCE", 0.5)
    with pytest.raises(GuideError, match="not within"):
        alone.follow_text(block("echo here; sleep 600"))


def test_a_reader_leaves_out_what_is_excused(alone):
    alone.follow_text(block("false", above="<!-- not run: why -->") + block("what it would print", "text"))


def test_a_reader_knows_what_varies(alone):
    shown = "a 0123456789   1s 2026-01-01T00:00:00Z\nsha256:0123456789"
    printed = "a fedcba9876 2m11s 2027-12-31T23:59:59Z\nmore\nsha256:fedcba9876"
    alone.follow_text(block(f"echo '{printed}'") + block(shown, "text"))


@pytest.mark.parametrize("prepared", ["replace", "world"])
def test_a_reader_is_prepared_for_nothing_else(alone, prepared):
    setattr(alone, prepared, {"NAME": "a"})
    with pytest.raises(GuideError, match="prepared for what no block has: NAME"):
        alone.follow_text(block("true"))
