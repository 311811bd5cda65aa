"""What an operator of a cluster applies: config/default, dist/install.yaml, the chart and the components.

No operator takes part: what is asked is whether a real API server accepts it all, whether the ways to install agree, and
what rights they give. Whatever would get in the way of other tests is applied as a dry run.
"""

import copy
import json
import re
import shutil
import subprocess

import pytest
import yaml
from api import KINDS, SIGNATURE_KINDS, ApiError, wait_until
from install import (
    CHART, CHECKOUT, CONFIG, KEEP, NAMESPACE, Helm, by_identity, find, identity, kustomize, read_objects, run,
    with_components, without_helm,
)  # fmt: skip

GROUP = "qubesec.io"
PLURALS = [f"{kind.lower()}s" for kind in (*KINDS, *SIGNATURE_KINDS)]


@pytest.fixture(scope="module")
def helm():
    return Helm()


@pytest.fixture(scope="module")
def default(cluster):
    return kustomize(CONFIG / "default")


@pytest.fixture
def scratch():
    """An empty folder inside of the checkout, since kustomize follows only relative paths."""
    folder = CHECKOUT / ".local" / "kustomize"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    (folder / "kustomization.yaml").unlink(missing_ok=True)
    folder.rmdir()


@pytest.fixture(scope="module")
def install_yaml(cluster, tmp_path_factory):
    """What make dist writes as dist/install.yaml."""
    path = tmp_path_factory.mktemp("dist") / "install.yaml"
    run(CHECKOUT / "tools" / "dist.py", "--install", path)
    return path


# What is generated


def test_what_is_generated_is_up_to_date(cluster):
    run(CHECKOUT / "tools" / "dist.py", "--check")


def test_install_yaml_has_the_version_of_the_program(install_yaml):
    version = re.search(r"project\(qubesec VERSION (\S+)", (CHECKOUT / "CMakeLists.txt").read_text())[1]
    (container,) = find(read_objects(install_yaml.read_text()), "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"qubesec:{version}"


# What the API server says


def test_the_api_server_accepts_install_yaml(default, install_yaml):
    """By server-side apply; test_admission_schema.py applies config/default, which is the same, the other way."""
    how = ("--server-side", "--force-conflicts", "--dry-run=server", "--validate=strict")
    assert len(run("kubectl", "apply", *how, "--filename", install_yaml).splitlines()) == len(default)


def pod_of(objects):
    template = copy.deepcopy(find(objects, "Deployment")["spec"]["template"])
    metadata = {**template["metadata"], "namespace": NAMESPACE, "generateName": "tried-"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


def try_pod(api, pod):
    return api.call("POST", f"/api/v1/namespaces/{NAMESPACE}/pods?dryRun=All&fieldValidation=Strict", pod)


def test_the_pod_is_let_in_where_pod_security_is_restricted(api, default):
    space = api.get("Namespace", None, NAMESPACE)
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert try_pod(api, pod_of(default))
    loose = pod_of(default)
    del loose["spec"]["securityContext"]["runAsNonRoot"]
    with pytest.raises(ApiError, match="violates PodSecurity") as caught:
        try_pod(api, loose)
    assert caught.value.status == 403


def test_the_pod_gets_one_token_of_an_hour(api, default):
    spec = try_pod(api, pod_of(default))["spec"]
    (volume,) = spec["volumes"]
    tokens = [one["serviceAccountToken"] for one in volume["projected"]["sources"] if "serviceAccountToken" in one]
    assert [(one["expirationSeconds"], one["path"]) for one in tokens] == [(3600, "token")]
    (container,) = spec["containers"]
    assert [one["mountPath"] for one in container["volumeMounts"]] == ["/var/run/secrets/kubernetes.io/serviceaccount"]


# What belongs together


def test_whatever_selects_pods_selects_the_operators(default):
    labels = find(default, "Deployment")["spec"]["template"]["metadata"]["labels"]
    budget = find(default, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"]
    policy = find(default, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"]
    services = [one["spec"]["selector"] for one in default if one["kind"] == "Service"]
    assert len(services) == 2
    for selector in (budget, policy, *services):
        assert selector and selector.items() <= labels.items()


def test_services_policies_and_webhook_meet_the_ports_of_the_pod(default):
    (container,) = find(default, "Deployment")["spec"]["template"]["spec"]["containers"]
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    services = {one["metadata"]["name"]: one["spec"]["ports"] for one in default if one["kind"] == "Service"}
    assert {name: [port["targetPort"] for port in found] for name, found in services.items()} == {
        "qubesec-metrics": ["http"],
        "qubesec-webhook": ["webhook"],
    }
    let_in = {port["port"] for rule in find(default, "NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]}
    assert let_in == set(ports.values())
    assert f"--webhook-bind-address=:{ports['webhook']}" in container["args"]
    grace = find(default, "Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert f"--termination-grace-period={grace}s" in container["args"]
    (webhook,) = find(default, "ValidatingWebhookConfiguration", "qubesec")["webhooks"]
    target = webhook["clientConfig"]["service"]
    assert (target["name"], target["namespace"], target["path"]) == ("qubesec-webhook", NAMESPACE, "/validate")
    assert target.get("port", 443) in [port["port"] for port in services["qubesec-webhook"]]


def test_trap_42_admission_concerns_only_our_own_group(default):
    (webhook,) = find(default, "ValidatingWebhookConfiguration", "qubesec")["webhooks"]
    for rule in webhook["rules"]:
        assert rule["apiGroups"] == ["qubesec.io"]
        assert set(rule["operations"]) <= {"CREATE", "UPDATE"}
    assert (webhook["failurePolicy"], webhook["sideEffects"], webhook["timeoutSeconds"]) == ("Fail", "None", 5)


# The chart


def assert_same(rendered, wanted):
    ours, theirs = (by_identity([without_helm(one) for one in objects]) for objects in (rendered, wanted))
    theirs = {key: one for key, one in theirs.items() if one["kind"] != "Namespace"}
    assert ours.keys() == theirs.keys()
    for key, one in ours.items():
        assert one == theirs[key], key


def test_the_chart_is_clean(helm):
    helm("lint", "--strict", CHART)


def test_a_chart_without_its_files_is_refused(helm, tmp_path):
    """They are links, which a checkout may lose: most of what is installed would be missing, and nobody told."""
    folder = shutil.copytree(CHART, tmp_path / "chart", symlinks=True)
    for link in [one for one in folder.rglob("*") if one.is_symlink()]:
        link.unlink()
    done = subprocess.run([helm.program, "template", "q", folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0 and "its files are links into config, which this copy has lost" in done.stderr


def test_the_chart_installs_what_kustomize_does(helm, default):
    assert_same(helm.render(), default)


def test_the_chart_serves_namespaces_as_the_component_does(helm, scratch):
    assert_same(helm.render(namespaces=["team-a", "team-b"]), with_components(scratch, "namespaces"))


def test_the_chart_monitors_as_the_component_does(helm, scratch):
    monitored = helm.render(**{"monitoring.enabled": True})
    assert_same(monitored, with_components(scratch, "monitoring"))
    labelled = helm.render(**{"monitoring.enabled": True, "monitoring.labels": {"release": "prometheus"}})
    assert find(labelled, "ServiceMonitor", "qubesec")["metadata"]["labels"]["release"] == "prometheus"


def test_the_chart_lets_owners_be_changed_as_the_component_does(helm, scratch):
    allowing = {"rbac.ownerReferences": True}
    assert_same(helm.render(**allowing), with_components(scratch, "owner-references"))
    listed = [identity(one) for one in helm.render(namespaces=["team-a", "team-b"], **allowing)]
    name = "qubesec-owner-references"
    assert [one for one in listed if one[2] == name] == [
        ("ClusterRole", None, name), ("RoleBinding", "team-a", name), ("RoleBinding", "team-b", name)
    ]  # fmt: skip


def test_the_chart_has_the_policies(helm, default):
    assert_same(helm.render(policies={"algorithms": True, "secrets": True, "seeds": True}), default + kustomize(CONFIG / "policies"))


def test_another_namespace_reaches_every_object(helm):
    text = json.dumps(helm.render(namespace="elsewhere", **{"policies.secrets": True}))
    assert NAMESPACE not in text
    assert '"namespace": "elsewhere"' in text


def test_uninstalling_keeps_the_definitions_unless_asked(helm):
    def kept(objects):
        return [KEEP in one["metadata"].get("annotations", {}) for one in objects if one["kind"].endswith("Definition")]

    assert kept(helm.render()) == [True] * len(PLURALS)
    assert kept(helm.render(**{"crds.keep": False})) == [False] * len(PLURALS)
    assert kept(helm.render(**{"crds.install": False})) == []


def test_the_chart_without_admission(helm, default):
    lacking = helm.render(**{"webhook.enabled": False})
    gone = {identity(one) for one in default} - {identity(one) for one in lacking} - {("Namespace", None, NAMESPACE)}
    assert gone == {
        ("Service", NAMESPACE, "qubesec-webhook"),
        ("ValidatingWebhookConfiguration", None, "qubesec"),
        ("ClusterRole", None, "qubesec-webhook"),
        ("ClusterRoleBinding", None, "qubesec-webhook"),
    }
    (container,) = find(lacking, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["operator", "--termination-grace-period=30s"]
    assert [port["name"] for port in container["ports"]] == ["http"]
    assert "9443" not in json.dumps(lacking)


def test_the_chart_with_somebody_elses_certificate(helm, api, scratch):
    rendered = helm.render(**{"webhook.certificateSecret": "qubesec-webhook-tls"})
    assert_same(rendered, with_components(scratch, "webhook-certificate"))
    assert try_pod(api, pod_of(rendered))


def test_the_charts_webhook_configuration_follows_its_values(helm):
    annotations = {"cert-manager.io/inject-ca-from": "qubesec-system/qubesec-webhook"}
    values = {"caBundle": "Q0E=", "failurePolicy": "Ignore", "timeoutSeconds": 9, "annotations": annotations}
    configuration = find(helm.render(webhook=values), "ValidatingWebhookConfiguration", "qubesec")
    (webhook,) = configuration["webhooks"]
    assert configuration["metadata"]["annotations"] == annotations
    assert webhook["clientConfig"]["caBundle"] == "Q0E="
    assert (webhook["failurePolicy"], webhook["timeoutSeconds"]) == ("Ignore", 9)


def test_the_pod_of_every_other_value_is_let_in(helm, api):
    rendered = helm.render(
        image={"repository": "registry.example/qubesec", "digest": f"sha256:{'0' * 64}", "pullPolicy": "Always"},
        imagePullSecrets=[{"name": "registry"}], replicaCount=1, terminationGracePeriodSeconds=120, settings={"logLevel": "debug", "workers": 8},
        excludeNamespaces=["kube-system", "kube-public"], extraArgs=["--debug-endpoints=true"],
        podAnnotations={"a": "b"}, podLabels={"c": "d"}, nodeSelector={"kubernetes.io/os": "linux"},
        tolerations=[{"key": "k", "operator": "Exists"}], spreadOver=[],
        affinity={"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    )  # fmt: skip
    pod = try_pod(api, pod_of(rendered))
    (container,) = pod["spec"]["containers"]
    assert container["image"] == f"registry.example/qubesec@sha256:{'0' * 64}"
    assert container["args"][3:] == ["--exclude-namespaces=kube-system,kube-public", "--debug-endpoints=true"]
    assert pod["spec"]["terminationGracePeriodSeconds"] == 120 and "--termination-grace-period=120s" in container["args"]
    assert pod["metadata"]["annotations"]["a"] == "b" and pod["metadata"]["labels"]["c"] == "d"
    assert find(rendered, "ConfigMap")["data"] == {"log-level": "debug", "workers": "8"}
    assert "PodDisruptionBudget" not in {one["kind"] for one in rendered}  # which would keep the node from being drained


@pytest.mark.parametrize(
    "values",
    [
        {"replicas": 2},
        {"replicaCount": "two"},
        {"settings.workers": 65},
        {"settings.logLevel": "verbose"},
        {"image.digest": "latest"},
        {"namespaces": "team-a"},
        {"namespaces": ["Team A"]},
        {"webhook.failurePolicy": "fail"},
        {"extraArgs": ["operator"]},
    ],
)
def test_the_chart_refuses_wrong_values(helm, values):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        helm.render(**values)
    assert "specifications of the schema" in caught.value.stderr, caught.value.stderr


def leaves(values, path=""):
    """Every value that a person may set, by its path."""
    for key, value in values.items():
        whole = f"{path}.{key}".lstrip(".")
        if whole in SECTIONS:
            yield from leaves(value, whole)
        else:
            yield whole, value


# Objects of values.yaml that are sections, and no values.
SECTIONS = {"image", "settings", "crds", "rbac", "webhook", "monitoring", "networkPolicy", "podDisruptionBudget", "policies"}


def test_the_charts_readme_names_every_value_with_its_default():
    values = dict(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    rows = re.findall(r"^\| `([^`]+)` \| (.*?) \|", (CHART / "README.md").read_text(), re.MULTILINE)
    told = {name: re.fullmatch(r"`(.+)`|(see values\.yaml)", default) for name, default in rows}
    assert told.keys() == values.keys()
    for name, match in told.items():
        assert match, f"{name}: its default is neither a value nor a pointer to values.yaml"
        assert match[2] or yaml.safe_load(match[1]) == values[name], name


# Who may do what


def new_namespace(api):
    return api.create({"kind": "Namespace", "metadata": {"generateName": "install-"}})["metadata"]["name"]


def test_an_operator_of_listed_namespaces_has_no_rights_in_others(api, cluster, helm):
    own, served, other = (new_namespace(api) for _ in range(3))
    rendered = helm.render(namespace=own, namespaces=[served])
    wanted = [one for one in rendered if one["kind"] in ("ServiceAccount", "Role", "RoleBinding")]
    cluster.kubectl("apply", "--filename", "-", given=wanted)
    user = f"system:serviceaccount:{own}:qubesec-operator"
    wait_until("the binding is in force", lambda: api.allows(user, "get", "secrets", "", served))

    for group, resource, verb in (
        *((GROUP, plural, "watch") for plural in PLURALS),
        *((GROUP, f"{plural}/status", verb) for plural in PLURALS for verb in ("update", "patch")),
        *(("", "secrets", verb) for verb in ("get", "list", "watch", "create", "patch")),
        *(("", "configmaps", verb) for verb in ("get", "list", "watch", "create", "patch", "delete")),
        *(("events.k8s.io", "events", verb) for verb in ("create", "patch")),
        ("authorization.k8s.io", "localsubjectaccessreviews", "create"),
    ):
        assert api.allows(user, verb, resource, group, served), (verb, resource)
        assert not api.allows(user, verb, resource, group, other), (verb, resource)

    assert api.allows(user, "watch", "configmaps", "", own)
    assert api.allows(user, "create", "secrets", "", own)
    assert api.allows(user, "create", "events", "events.k8s.io", own)
    assert api.allows(user, "get", "secrets", "", own, "qubesec-webhook-certificate")
    assert not api.allows(user, "get", "secrets", "", own, "another")
    assert not api.allows(user, "list", "secrets", "", own)
