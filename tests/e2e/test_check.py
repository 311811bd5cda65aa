"""qubesec check: what it finds in a control plane, and how it is called."""

import base64
import contextlib
import functools
import http.server
import json
import re
import ssl
import subprocess
import threading

import pytest
from api import QC, QES, QRN, ApiError, secret_thing, thing, wait_until
from audit import OPERATOR
from webhook import CHECKOUT, CONFIGURATIONS, Configuration, flags, make_certificates, port_of, request_certificate

KINDS_COUNT = 9
WEBHOOK = "e2e.qubesec.io"
BINDINGS = "/apis/rbac.authorization.k8s.io/v1"


def run(operators, *arguments, **environment):
    done = subprocess.run(
        [operators.binary, "check", *map(str, arguments)],
        capture_output=True, text=True, check=False, timeout=120, env=environment,
    )  # fmt: skip
    return done


class Report:
    """What one run found, as JSON tells it. The algorithms are tried only where the test is about them."""

    def __init__(self, operators, kubeconfig, *arguments, algorithms=False):
        flags = () if algorithms else ("--skip-algorithms",)
        done = run(operators, "--kubeconfig", kubeconfig, "--output", "json", *flags, *arguments)
        assert done.stderr == "", done.stderr
        self.document = json.loads(done.stdout)
        self.findings = self.document["findings"]
        levels = [one["level"] for one in self.findings]
        assert self.document["summary"] == {level: levels.count(level) for level in ("ok", "warn", "fail")}
        assert done.returncode == (1 if "fail" in levels else 0), self.findings
        for one in self.findings:  # whoever is told of a fault is told what to do
            assert one["message"] and ("remedy" in one) == (one["level"] != "ok"), one

    def of(self, check):
        return [one for one in self.findings if one["check"] == check]

    def the(self, check, subject):
        found = [one for one in self.of(check) if one["subject"] == subject]
        assert len(found) == 1, self.of(check)
        return found[0]

    def expect(self, check, subject, level, part):
        one = self.the(check, subject)
        assert one["level"] == level and part in one["message"], one

    def failed(self):
        return [one for one in self.findings if one["level"] == "fail"]


@pytest.fixture
def admin(cluster, operators):
    """Runs the check as somebody who may do everything."""
    return functools.partial(Report, operators, cluster.folder / "admin.kubeconfig")


# A whole installation


def expect_made_now(report, subject, days):
    """Of what was made for so many days: in its first second all of them are left."""
    message = report.the("webhook", subject)["message"]
    report.expect("webhook", subject, "ok", "days more")
    assert f" {days - 1} days more" in message or f" {days} days more" in message, message


def expect_sound(report):
    """All of it, but for what other tests have to do with: a webhook, a Lease, and what is left of their objects."""
    assert [one for one in report.failed() if one["check"] not in ("webhook", "leader")] == []
    assert {one["level"] for one in report.of("openssl")} == {"ok"}
    report.expect("api-server", "version", "ok", "v1.")
    report.expect("api-server", "TLS", "ok", "X25519MLKEM768")
    assert [one["level"] for one in report.of("definitions")] == ["ok"] * KINDS_COUNT
    unneeded = [one["subject"] for one in report.of("rights") if one["level"] != "ok"]
    assert unneeded in ([], ["validatingwebhookconfigurations"])  # whether config/webhook is applied


def test_as_an_administrator(admin, operator):
    report = admin(algorithms=True)
    expect_sound(report)
    assert len(report.the("openssl", "key encapsulation")["details"]) == 3
    assert len(report.the("openssl", "signatures")["details"]) >= 15
    report.expect("rights", "asked", "ok", f"about {OPERATOR}")
    report.expect("deployment", "Deployment", "warn", "there is no qubesec-system/qubesec-operator")
    report.expect("encryption", "Secrets", "warn", "metrics tell of no Secret that was encrypted")


def test_as_the_operator_itself(cluster, operator, operators):
    report = Report(operators, cluster.operator_config)
    expect_sound(report)
    assert [one["subject"] for one in report.of("openssl")] == ["version"]
    report.expect("rights", "asked", "ok", f"{OPERATOR} about itself")
    report.expect("deployment", "Deployment", "warn", "could not be seen")
    report.expect("encryption", "Secrets", "warn", "could not be seen")


def test_text_and_json_tell_the_same(admin, cluster, operator, operators, namespace):
    arguments = ("--namespaces", namespace)  # where nobody else makes objects meanwhile
    report = admin(*arguments, algorithms=True)
    done = run(operators, "--kubeconfig", cluster.folder / "admin.kubeconfig", *arguments)
    assert (done.returncode, done.stderr) == (1 if report.failed() else 0, "")
    rows = re.findall(r"^  (OK|WARN|FAIL) +(\S.*?)  +(\S.*)$", done.stdout, re.MULTILINE)
    assert [(level.lower(), subject) for level, subject, _ in rows] == [
        (one["level"], one["subject"]) for one in report.findings
    ]
    groups = list(dict.fromkeys(one["group"] for one in report.findings))
    assert re.findall(r"^([A-Z].*)$", done.stdout, re.MULTILINE) == groups
    assert done.stdout.count("\n" + " " * 8) == len([one for one in report.findings if one["level"] != "ok"])
    numbers = report.document["summary"]
    assert done.stdout.endswith(f"\n{numbers['ok']} OK, {numbers['warn']} warnings, {numbers['fail']} failed\n")
    assert "\x1b" not in done.stdout


# Rights


def rights_of_roles(cluster):
    """Each verb and resource of config/rbac and config/webhook that the operator is bound to."""
    items = []
    for base in ("rbac", "webhook"):
        text = cluster.kubectl("apply", "--dry-run=client", "--output=json", "--kustomize", CHECKOUT / "config" / base)
        items += json.loads(text)["items"]
    bound = {
        (one["roleRef"]["kind"], one["roleRef"]["name"])
        for one in items
        if one["kind"].endswith("Binding") and any(who["name"] == "qubesec-operator" for who in one["subjects"])
    }
    for role in items:
        if (role["kind"], role["metadata"]["name"]) in bound:
            for rule in role["rules"]:
                for group in rule["apiGroups"]:
                    for resource in rule["resources"]:
                        name, _, subresource = resource.partition("/")
                        full = ".".join(filter(None, (name, group))) + (f"/{subresource}" if subresource else "")
                        yield from ((verb, full, *rule.get("resourceNames", ())) for verb in rule["verbs"])


def test_the_rights_that_are_checked_are_those_of_the_roles(admin, cluster):
    report = admin()
    needed = [one for one in report.of("rights") if "cannot" in one["message"] or one["message"].startswith("may ")]
    checked = {tuple(re.sub(r" in \S+$", "", line).split()) for one in needed for line in one["details"]}
    assert checked == set(rights_of_roles(cluster))


def bind(api, namespace, role, subject_namespace):
    """Gives a role to what is called as the operator in another namespace."""
    where = BINDINGS if namespace is None else f"{BINDINGS}/namespaces/{namespace}"
    kind = "ClusterRoleBinding" if namespace is None else "RoleBinding"
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"generateName": "e2e-check-"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "qubesec-operator", "namespace": subject_namespace}],
    }
    path = f"{where}/{kind.lower()}s"
    return f"{path}/{api.call('POST', path, binding)['metadata']['name']}"


def test_rights_that_are_missing(admin, namespace):
    report = admin("--namespace", namespace)
    report.expect("rights", "asked", "ok", f"about system:serviceaccount:{namespace}:qubesec-operator")
    needed = [one for one in report.failed() if one["check"] == "rights"]
    assert len(needed) == 13
    said = [one["message"] for one in needed]
    assert "cannot read inputs and keep outputs: may not get secrets, list secrets, watch secrets, create secrets and 1 more" in said
    assert f"patch leases.coordination.k8s.io qubesec-operator in {namespace}" in said[-1]
    webhook = report.the("rights", "validatingwebhookconfigurations")
    assert webhook["level"] == "warn" and "config/webhook" in webhook["remedy"]  # not everybody has one


def test_rights_in_excess(admin, api, namespace):
    binding = bind(api, None, "cluster-admin", namespace)

    def probe():
        report = admin("--namespace", namespace)
        return report if not [one for one in report.failed() if one["check"] == "rights"] else None

    report = wait_until("the rights are known", probe)
    api.call("DELETE", binding)
    too_many = {one["subject"]: one["message"] for one in report.of("rights") if one["level"] == "warn"}
    assert "may delete secrets" in too_many["secrets"]
    assert "may update quantumrandomnumbers.qubesec.io" in too_many["our resources"]


def test_rights_to_borrow_that_everybody_has(admin, api, cluster, operator, operators):
    report = admin()
    report.expect("rights", "ServiceAccounts", "ok", "not all of them may have every namespace's keys used")
    assert "use quantumcertificates.qubesec.io in qubesec-system" in report.the("rights", "ServiceAccounts")["details"]
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "e2e-check-borrowers"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "qubesec-use"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:serviceaccounts"}],
    }
    api.create(binding)
    try:
        found = wait_until("the binding is known", lambda: warned_about_borrowers(admin()))
        assert "all of them may have every namespace's keys used: use quantum" in found["message"]
        assert "system:serviceaccounts" in found["remedy"]
        assert warned_about_borrowers(Report(operators, cluster.operator_config)) == found  # the operator sees it too
    finally:
        api.delete("ClusterRoleBinding", None, "e2e-check-borrowers")
    wait_until("the binding is gone", lambda: not warned_about_borrowers(admin()))


def warned_about_borrowers(report):
    found = report.the("rights", "ServiceAccounts")
    return found if found["level"] == "warn" else None


def test_only_the_namespaces_that_are_served(admin, api, namespace):
    other = api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]
    bind(api, namespace, "qubesec-operator", namespace)

    def secrets_of(report):
        return next(one for one in report.of("rights") if one["subject"] == "secrets")

    wait_until(
        "the rights are known",
        lambda: secrets_of(admin("--namespace", namespace, "--namespaces", namespace))["level"] == "ok",
    )
    secrets = secrets_of(admin("--namespace", namespace, "--namespaces", f"{namespace},{other}"))
    assert secrets["level"] == "fail" and f"get secrets in {other}" in secrets["message"]
    assert namespace not in secrets["message"]
    assert f"get secrets in {namespace}" in secrets["details"]


def with_user(cluster, folder, user):
    config = json.loads(cluster.operator_config.read_text())
    config["users"][0]["user"] = user
    (folder / "kubeconfig").write_text(json.dumps(config))
    return folder / "kubeconfig"


def test_as_somebody_without_rights(api, cluster, operators, namespace, tmp_path):
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": "nobody"}})
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
    token = api.call("POST", api.path("ServiceAccount", namespace, "nobody", "token"), request)["status"]["token"]
    report = Report(operators, with_user(cluster, tmp_path, {"token": token}))
    assert report.failed() == []  # what could not be seen is no fault
    assert [one["level"] for one in report.of("definitions")] == ["ok"] * KINDS_COUNT  # by discovery
    report.expect("rights", "operator", "warn", 'cannot create resource "subjectaccessreviews"')
    report.expect("webhook", "configuration", "warn", "could not be seen")
    report.expect("deployment", "Deployment", "warn", "could not be seen")
    report.expect("leader", "leader", "warn", "could not be seen")
    report.expect("encryption", "Secrets", "warn", "could not be seen")
    assert [one["level"] for one in report.of("objects")] == ["warn"] * KINDS_COUNT


# The webhook: a server of the test's own takes the operator's part


class Hook(http.server.BaseHTTPRequestHandler):
    """Refuses what its server's rule refuses."""

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        refused = self.server.refuses(json.dumps(review["request"]["object"]["spec"]))
        response = {"uid": review["request"]["uid"], "allowed": not refused}
        if refused:
            response["status"] = {"message": "spec.subjectAltNames[0] is no name", "code": 422, "reason": "Invalid"}
        body = json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(folder, refuses):
    """A webhook on a port of its own with the certificate leaf of folder; gives the port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.refuses = refuses
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "leaf.crt", folder / "leaf.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


CA = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
LEAF = (
    "-days", "300",
    "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1",
    "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=serverAuth",
)  # fmt: skip
EXPIRED = ("-not_before", "20200101000000Z", "-not_after", "20210101000000Z")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    folder = tmp_path_factory.mktemp("webhook")
    request_certificate(folder, "ca", *CA, "-days", "3000")
    request_certificate(folder, "other", *CA, "-days", "3000")
    request_certificate(folder, "old", *CA, *EXPIRED)
    request_certificate(folder, "leaf", "-CA", folder / "ca.crt", "-CAkey", folder / "ca.key", *LEAF)
    return folder


@pytest.fixture
def configure(api, namespace):
    """Configures a webhook for the test's namespace only, and waits until the API server calls it, or not."""
    made = []

    def make(port, bundle, is_called=True, **change):
        hook = {
            "name": WEBHOOK,
            "clientConfig": {
                "url": f"https://127.0.0.1:{port}/validate",
                "caBundle": base64.b64encode(bundle).decode(),
            },
            "rules": [{"apiGroups": ["qubesec.io"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["*"]}],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 5,
            **change,
        }
        configuration = {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": {"generateName": "e2e-check-"},
            "webhooks": [hook],
        }
        name = api.call("POST", CONFIGURATIONS, configuration)["metadata"]["name"]
        made.append(name)

        def calls():
            probe = thing(QC, namespace, "probe", {"subjectAltNames": ["not a name"]})
            try:
                api.call("POST", f"{api.path(QC, namespace)}?dryRun=All", probe)
            except ApiError as error:
                return WEBHOOK in str(error)
            return False

        if is_called:
            wait_until("the API server calls the webhook", calls)
        return ("--webhook-configuration", name, "--probe-namespace", namespace)

    yield make
    for name in made:
        api.call("DELETE", f"{CONFIGURATIONS}/{name}")


def refuses_faults(spec):
    return "not a name" in spec


def store_leaf(api, namespace, folder):
    data = {"tls.crt": (folder / "leaf.crt").read_bytes(), "tls.key": (folder / "leaf.key").read_bytes()}
    api.create(secret_thing(namespace, "leaf", data))
    return ("--namespace", namespace, "--webhook-certificate-secret", "leaf")


def test_a_webhook_that_works(admin, api, certificates, configure, namespace):
    bundle = (certificates / "old.crt").read_bytes() + (certificates / "ca.crt").read_bytes()
    where = store_leaf(api, namespace, certificates)
    with serve(certificates, refuses_faults) as port:
        report = admin(*configure(port, bundle), *where)
    assert {one["level"] for one in report.of("webhook")} == {"ok"}, report.of("webhook")
    report.expect("webhook", "configuration", "ok", WEBHOOK)
    expect_made_now(report, "caBundle", 3000)
    expect_made_now(report, "certificate", 300)
    report.expect("webhook", "refuses", "ok", "an object with a fault")
    report.expect("webhook", "accepts", "ok", "an object without one")
    assert api.list(QC, namespace) == []  # dry runs


def test_the_webhook_of_the_operator(admin, api, operators, namespace, tmp_path):
    folder = make_certificates(tmp_path / "certificates")
    running = operators.start(*flags(folder)).wait_ready()
    configuration = Configuration(api, folder)
    configuration.enforce(port_of(running), namespace)
    try:
        report = admin("--probe-namespace", namespace)
    finally:
        configuration.remove()
    report.expect("webhook", "configuration", "ok", "validate.qubesec.io")
    expect_made_now(report, "caBundle", 2)
    report.expect("webhook", "refuses", "ok", "an object with a fault")
    report.expect("webhook", "accepts", "ok", "an object without one")


def test_a_webhook_that_refuses_everything(admin, certificates, configure):
    with serve(certificates, lambda _: True) as port:
        report = admin(*configure(port, (certificates / "ca.crt").read_bytes()))
    report.expect("webhook", "refuses", "ok", "an object with a fault")
    report.expect("webhook", "accepts", "fail", "spec.subjectAltNames[0] is no name")


def test_a_webhook_that_is_not_called(admin, certificates, configure):
    nowhere = {"namespaceSelector": {"matchLabels": {"e2e": "nowhere"}}, "failurePolicy": "Ignore"}
    report = admin(*configure(1, (certificates / "ca.crt").read_bytes(), is_called=False, **nowhere))
    report.expect("webhook", "refuses", "fail", "the webhook is not called for namespace")
    report.expect("webhook", "failurePolicy", "warn", "Ignore")


def test_a_webhook_behind_a_closed_port(admin, certificates, configure):
    report = admin(*configure(1, (certificates / "ca.crt").read_bytes()))
    report.expect("webhook", "refuses", "fail", "connection refused")
    report.expect("webhook", "certificate", "warn", "there is no Secret qubesec-system/qubesec-webhook-certificate")
    assert not [one for one in report.of("webhook") if one["subject"] == "accepts"]


def test_certificates_that_do_not_fit(admin, api, certificates, configure, namespace):
    where = store_leaf(api, namespace, certificates)
    with serve(certificates, refuses_faults) as port:
        report = admin(*configure(port, (certificates / "other.crt").read_bytes()), *where)
    expect_made_now(report, "caBundle", 3000)
    report.expect("webhook", "certificate", "fail", "is none that caBundle vouches for")
    report.expect("webhook", "refuses", "fail", "certificate signed by unknown authority")


def test_a_certificate_that_has_expired(admin, api, certificates, configure, namespace):
    bundle = (certificates / "ca.crt").read_bytes()
    api.create(secret_thing(namespace, "leaf", {"tls.crt": (certificates / "old.crt").read_bytes()}))
    report = admin(*configure(1, bundle), "--namespace", namespace, "--webhook-certificate-secret", "leaf")
    report.expect("webhook", "certificate", "fail", "has expired at 2021-01-01T00:00:00Z")


@pytest.mark.parametrize("data, said", [({}, "is not there"), ({"tls.crt": b"nonsense"}, "no PEM block")])
def test_a_secret_without_a_certificate(admin, api, certificates, configure, namespace, data, said):
    api.create(secret_thing(namespace, "leaf", data))
    where = ("--namespace", namespace, "--webhook-certificate-secret", "leaf")
    report = admin(*configure(1, (certificates / "ca.crt").read_bytes()), *where)
    report.expect("webhook", "certificate", "fail", said)


def test_a_bundle_that_has_expired(admin, certificates, configure):
    report = admin(*configure(1, (certificates / "old.crt").read_bytes()))
    report.expect("webhook", "caBundle", "fail", "has expired at 2021-01-01T00:00:00Z")


def test_a_bundle_that_is_empty(admin, configure):
    report = admin(*configure(1, b""))
    report.expect("webhook", "caBundle", "fail", "is empty")


def test_no_webhook(admin):
    report = admin("--webhook-configuration", "e2e-absent")
    report.expect("webhook", "configuration", "warn", "there is no ValidatingWebhookConfiguration e2e-absent")
    assert len(report.of("webhook")) == 1


# Deployment and leader


def lease_path(namespace, name=""):
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases{name}"


def make_lease(api, namespace, holder):
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "qubesec-operator"},
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": 2,
            "leaseTransitions": 3,
            "acquireTime": "2026-01-02T03:04:05.000000Z",
            "renewTime": "2026-01-02T03:04:05.000000Z",  # whatever its holder's clock says
        },
    }
    api.call("POST", lease_path(namespace), lease)


@contextlib.contextmanager
def renewing(api, namespace):
    ended = threading.Event()

    def renew():
        second = 0
        while not ended.wait(0.3):
            second = (second + 1) % 60
            change = {"spec": {"renewTime": f"2026-01-02T03:05:{second:02}.000000Z"}}
            path = lease_path(namespace, "/qubesec-operator")
            api.call("PATCH", path, change, "application/merge-patch+json")

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_a_leader_that_renews_its_lease(admin, api, namespace):
    make_lease(api, namespace, "pod-1")
    with renewing(api, namespace):
        report = admin("--namespace", namespace)
    report.expect("leader", "leader", "ok", "pod-1 renews its Lease; leaders have changed 3 times")


def test_an_operator_that_leads(admin, operators):
    running = operators.start("--leader-elect=true").wait_ready()
    report = admin()
    running.stop()
    report.expect("leader", "leader", "ok", "renews its Lease")


def test_a_lease_of_another_name(admin, api, namespace):
    make_lease(api, namespace, "pod-1")
    report = admin("--namespace", namespace, "--leader-election-lease", "other")
    report.expect("leader", "leader", "warn", f"there is no Lease {namespace}/other")
    assert f"get leases.coordination.k8s.io other in {namespace}" in json.dumps(report.of("rights"))


@pytest.mark.parametrize("holder, said", [("pod-1", "pod-1 does not renew"), ("", "nobody holds")])
def test_a_lease_that_nobody_renews(admin, api, namespace, holder, said):
    make_lease(api, namespace, holder)
    report = admin("--namespace", namespace)
    report.expect("leader", "leader", "fail", said)


def deploy(api, namespace, status, **spec):
    """No controller of Deployments runs here: the status is the test's."""
    labels = {"app.kubernetes.io/name": "qubesec", "component": "operator"}
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    pod = {"containers": [{"name": "operator", "image": "example.com/qubesec:1.2.3"}]}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "qubesec-operator"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **spec,
        },
    }
    api.call("POST", path, deployment)
    change = {"status": {"observedGeneration": 1, **status}}
    api.call("PATCH", f"{path}/qubesec-operator/status", change, "application/merge-patch+json")
    return labels, pod


DEPLOYMENTS = {
    "all": ({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2}, "ok", "2 of 2 replicas ready, image example.com/qubesec:1.2.3"),
    "one": ({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 1}, "warn", "1 of 2 replicas ready"),
    "none": ({"replicas": 2, "updatedReplicas": 2}, "fail", "0 of 2 replicas ready"),
    "old": ({"replicas": 3, "updatedReplicas": 1, "readyReplicas": 2}, "warn", "a change is not rolled out yet"),
    "unseen": ({"replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "observedGeneration": 0}, "warn", "not rolled out yet"),
}  # fmt: skip


@pytest.mark.parametrize("status, level, said", DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def test_replicas(admin, api, namespace, status, level, said):
    deploy(api, namespace, status)
    report = admin("--namespace", namespace)
    report.expect("deployment", "Deployment", level, said)
    report.expect("deployment", "Pods", "ok", "0, restarted 0 times")


def test_a_deployment_that_is_scaled_to_nothing(admin, api, namespace):
    deploy(api, namespace, {}, replicas=0)
    report = admin("--namespace", namespace)
    report.expect("deployment", "Deployment", "fail", "0 of 0 replicas ready")
    assert "--replicas 2" in report.the("deployment", "Deployment")["remedy"]


def test_pods_that_restart(admin, api, namespace):
    labels, spec = deploy(api, namespace, {"replicas": 2, "updatedReplicas": 2, "readyReplicas": 1})
    wait_until("the ServiceAccount is there", lambda: api.find("ServiceAccount", namespace, "default"))
    path = f"/api/v1/namespaces/{namespace}/pods"
    for name, its_labels in (("one", labels), ("two", labels), ("foreign", {"component": "operator"})):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": its_labels}, "spec": spec}
        api.call("POST", path, pod)
        container = {"name": "operator", "image": "i", "imageID": "", "ready": False, "restartCount": 4}
        waiting = {"waiting": {"reason": "CrashLoopBackOff"}}
        change = {"status": {"containerStatuses": [{**container, "state": waiting}]}}
        api.call("PATCH", f"{path}/{name}/status", change, "application/merge-patch+json")
    report = admin("--namespace", namespace)
    report.expect("deployment", "Pods", "warn", "2, restarted 8 times, one waits: CrashLoopBackOff")


# Encryption at rest, as far as a Pod's flags tell


def test_flags_of_an_api_server_in_a_pod(admin, api):
    path = "/api/v1/namespaces/kube-system/pods"
    wait_until("the ServiceAccount is there", lambda: api.find("ServiceAccount", "kube-system", "default"))
    for name, flags in (("plain", []), ("sealed", ["--encryption-provider-config=/etc/kubernetes/enc.yaml"])):
        container = {"name": "kube-apiserver", "image": "i", "command": ["kube-apiserver", *flags]}
        metadata = {"name": f"e2e-{name}", "labels": {"component": "kube-apiserver"}}
        api.call("POST", path, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"containers": [container]}})
    both = admin().the("encryption", "Secrets")
    api.call("DELETE", f"{path}/e2e-plain", {"gracePeriodSeconds": 0})
    sealed = admin().the("encryption", "Secrets")
    api.call("DELETE", f"{path}/e2e-sealed", {"gracePeriodSeconds": 0})
    assert (both["level"], sealed["level"]) == ("warn", "warn")
    assert both["message"] == "1 of 2 kube-apiserver Pods have no --encryption-provider-config"
    assert sealed["message"].endswith("whether it encrypts secrets could not be seen")


# Objects


def test_objects_that_are_not_ready(admin, api, operator, namespace):
    for number in range(5):
        api.create(thing(QES, namespace, f"waits-{number}", {"publicKeyRef": {"name": "absent"}}))
    api.create(thing(QC, namespace, "bad", {"subjectAltNames": ["not a name"]}))
    api.make(thing(QRN, namespace, "fine"))
    for number in range(5):
        api.wait_status(QES, namespace, f"waits-{number}", "Pending")
    api.wait_status(QC, namespace, "bad", "Failed")
    report = admin("--namespaces", namespace)
    first = ", ".join(f"{namespace}/waits-{number}" for number in range(3))
    report.expect("objects", QES, "warn", f"5 Pending: {first}, ...")
    report.expect("objects", QC, "warn", f"1 Failed: {namespace}/bad")
    report.expect("objects", "kinds", "ok", f"{KINDS_COUNT - 2} have no object")


def test_objects_that_no_operator_looks_at(admin, api, operators, namespace):
    operators.stop()
    api.create(thing(QRN, namespace, "ignored"))
    report = admin("--namespaces", namespace)
    report.expect("objects", QRN, "warn", f"1 not looked at by an operator: {namespace}/ignored")


def test_objects_that_are_overdue_for_rotation(admin, api, operators, operator, namespace):
    for name in ("late", "in-time"):
        api.make(thing(QRN, namespace, name, {"rotation": {"every": "24h"}}))
    operators.stop()
    api.patch(QRN, namespace, "late", {"status": {"nextRotationTime": "2026-01-01T00:00:00Z"}}, "status")
    report = admin("--namespaces", namespace)
    report.expect("objects", QRN, "warn", f"1 overdue for rotation: {namespace}/late")


# No cluster, and wrong calls


def test_an_api_server_that_is_not_there(cluster, operators, tmp_path):
    config = json.loads(cluster.operator_config.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    report = Report(operators, tmp_path / "kubeconfig")
    report.expect("api-server", "reachable", "fail", "https://127.0.0.1:1 cannot be used: ")
    assert {one["check"] for one in report.findings} == {"openssl", "api-server"}
    assert report.failed() == report.of("api-server")


def test_credentials_that_are_not_good(cluster, operators, tmp_path):
    report = Report(operators, with_user(cluster, tmp_path, {"token": "nonsense"}))
    report.expect("api-server", "reachable", "fail", "Unauthorized")
    assert report.failed() == report.of("api-server")


def test_a_kubeconfig_that_is_not_there(operators, tmp_path):
    report = Report(operators, tmp_path / "absent")
    report.expect("api-server", "kubeconfig", "fail", str(tmp_path / "absent"))
    assert report.failed() == report.of("api-server")


BAD_FLAGS = {
    "unknown": (["--nonsense"], "--nonsense: no such flag"),
    "no-flag": (["nonsense"], "nonsense: no such flag"),
    "no-value": (["--kubeconfig"], "--kubeconfig: needs a value"),
    "value": (["--help=yes"], "--help: takes no value"),
    "output": (["--output", "yaml"], "--output: yaml is neither text nor json"),
    "timeout-0": (["--timeout", "0"], "--timeout: 0 is not from 1s to 600s"),
    "timeout-601": (["--timeout=601s"], "--timeout: 601s is not from 1s to 600s"),
    "timeout-unit": (["--timeout", "5m"], "--timeout: 5m is not"),
    "namespaces": (["--namespaces", " , "], "--namespaces:  ,  is not a list"),
    "namespaces-many": (["--namespaces", ",".join("x" * 65)], "is not a list of 1 to 64 names"),
}


@pytest.mark.parametrize("arguments, message", BAD_FLAGS.values(), ids=BAD_FLAGS)
def test_bad_flag(operators, arguments, message):
    done = run(operators, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_variables_of_the_operator_and_flags_that_win_over_them(cluster, operators, tmp_path):
    environment = {
        "QUBESEC_KUBECONFIG": str(cluster.operator_config),
        "QUBESEC_WEBHOOK_CONFIGURATION": "of-a-variable",
        "QUBESEC_NAMESPACES": "default,kube-system",
        "POD_NAMESPACE": "of-the-pod",
    }
    done = run(operators, "--skip-algorithms", "--output=json", "--webhook-configuration=of-a-flag", **environment)
    assert done.stderr == ""
    text = json.dumps([one for one in json.loads(done.stdout)["findings"] if one["check"] in ("rights", "webhook")])
    assert "of-a-flag" in text and "of-a-variable" not in text
    assert "system:serviceaccount:of-the-pod:qubesec-operator" in text
    refused = run(operators, QUBESEC_NAMESPACES=",")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "QUBESEC_NAMESPACES: , is not a list" in refused.stderr


def test_help_explains_every_flag(operators):
    done = run(operators, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    flags = re.findall(r"^  (--[a-z-]+).*\n      .+\n", done.stdout, re.MULTILINE)
    assert flags == [
        "--kubeconfig", "--context", "--namespace", "--namespaces", "--probe-namespace",
        "--webhook-configuration", "--webhook-certificate-secret", "--leader-election-lease", "--timeout",
        "--plugin-timeout", "--skip-algorithms", "--output", "--help",
    ]  # fmt: skip


def test_the_program_tells_of_the_verb(operators):
    done = subprocess.run([operators.binary, "--help"], capture_output=True, text=True, check=True, timeout=60)
    assert re.search(r"^  check +\S", done.stdout, re.MULTILINE)
