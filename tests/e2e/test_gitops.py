"""What those who apply objects for people make of ours: kstatus, which Flux and many others ask, helm install --wait, Argo CD with
the health check of config/gitops, and kustomize with its name references."""

import json
import shutil
import subprocess

import pytest
import yaml
from api import (
    KINDS, QES, QKKP, QRN, QVS, SIGNATURE_KINDS, all_kinds, config_map_thing, is_told, ready_of, secret_thing, thing, version_of,
)  # fmt: skip
from install import CHECKOUT, CONFIG, Helm, run


@pytest.fixture(scope="module")
def helm(cluster):
    return Helm()


@pytest.fixture(scope="module")
def judge(helm):
    """What kstatus says of objects, or Argo CD with a script, by their names."""

    def ask(*objects, script=()):
        said = json.loads(run(helm.program.with_name("health"), *script, given=json.dumps(objects)))
        return {one["name"]: one["status"] for one in said}

    return ask


@pytest.fixture(scope="module")
def argo_cd(judge, tmp_path_factory):
    """What Argo CD says of objects with the shipped check, by their names."""
    settings = yaml.safe_load((CONFIG / "gitops" / "argocd-cm.yaml").read_text())
    checks = yaml.safe_load(settings["data"]["resource.customizations"])
    path = tmp_path_factory.mktemp("argo-cd") / "health.lua"
    path.write_text(checks["qubesec.io/*"]["health.lua"])
    return lambda *objects: judge(*objects, script=[path])


@pytest.fixture
def chart(tmp_path):
    """A chart with one key pair."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "app", "version": "1.0.0"}))
    pair = thing(QKKP, "{{ .Release.Namespace }}", "pair")
    (tmp_path / "templates" / "pair.yaml").write_text(yaml.safe_dump(pair))
    return tmp_path


def test_a_new_object_is_ready_for_nobody(api, operators, namespace, judge, argo_cd):
    operators.stop()
    made = [api.create(one) for one in all_kinds(namespace) if "spec" in one or one["kind"] == QRN]
    assert {one["kind"] for one in made} == {*KINDS, *SIGNATURE_KINDS}
    found = [api.get(one["kind"], namespace, one["metadata"]["name"]) for one in made]
    for one in (*made, *found):
        ready = ready_of(one)
        assert (ready["status"], ready["reason"], ready["lastTransitionTime"]) == ("Unknown", "WaitingForOperator", "1970-01-01T00:00:00Z")
        assert not is_told(one)
    assert [version_of(one) for one in found] == [version_of(one) for one in made]
    assert set(judge(*made, *found).values()) == {"InProgress"}
    assert set(argo_cd(*made, *found).values()) == {"Progressing"}


def test_objects_in_every_state(api, operators, namespace, judge, argo_cd):
    operators.default()
    api.create(secret_thing(namespace, "taken", {"a": b"somebody's"}))
    for one in all_kinds(namespace):
        api.create(one)
    api.create(thing(QES, namespace, "waits", {"publicKeyRef": {"name": "absent"}}))
    api.create(thing(QKKP, namespace, "taken"))
    api.create(config_map_thing(namespace, "other", {"message": "another message"}))
    judging = {"publicKeyRef": {"name": "signer"}, "signatureRef": {"name": "signed"}}
    api.create(thing(QVS, namespace, "wrong", {**judging, "messageRef": {"kind": "ConfigMap", "name": "other"}}))
    api.create(thing(QRN, namespace, "edited"))
    api.create(thing(QRN, namespace, "goes", finalizers=["tests.qubesec.io/hold"]))
    good = [
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Valid" if one["kind"] == QVS else "Success")
        for one in all_kinds(namespace)
        if one["kind"] != "ConfigMap"
    ]
    waits = api.wait_status(QES, namespace, "waits", "Pending")
    taken = api.wait_status(QKKP, namespace, "taken", "Failed")
    wrong = api.wait_status(QVS, namespace, "wrong", "Invalid")
    api.wait_success(QRN, namespace, "edited")
    api.wait_success(QRN, namespace, "goes")
    operators.stop()
    api.patch(QRN, namespace, "edited", {"spec": {"secretTemplate": {"labels": {"tier": "gold"}}}})
    api.delete(QRN, namespace, "goes")
    edited, goes = (api.get(QRN, namespace, name) for name in ("edited", "goes"))
    api.patch(QRN, namespace, "goes", {"metadata": {"finalizers": None}})
    assert set(judge(*good).values()) == {"Current"}
    assert judge(waits, taken, wrong, edited, goes) == {
        "waits": "InProgress", "taken": "InProgress", "wrong": "Current", "edited": "InProgress", "goes": "Terminating",
    }  # fmt: skip
    assert set(argo_cd(*good).values()) == {"Healthy"}
    assert argo_cd(waits, taken, wrong, edited, goes) == {
        "waits": "Progressing", "taken": "Degraded", "wrong": "Degraded", "edited": "Progressing", "goes": "Progressing",
    }  # fmt: skip


def test_helm_waits_for_an_object(api, operators, namespace, helm, chart):
    operators.stop()
    with pytest.raises(subprocess.CalledProcessError) as caught:
        helm("install", "app", chart, "--namespace", namespace, "--wait", "--timeout", "2s")
    assert "pair" in caught.value.stderr and "InProgress" in caught.value.stderr
    api.delete(QKKP, namespace, "pair")
    operators.default()
    helm("install", "again", chart, "--namespace", namespace, "--wait", "--timeout", "100s")
    assert ready_of(api.get(QKKP, namespace, "pair"))["status"] == "True"


@pytest.fixture
def overlay():
    """A kustomization of the samples under other names, inside of the checkout, since kustomize follows only relative paths."""
    folder = CHECKOUT / ".local" / "gitops"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(CONFIG / "gitops" / "name_references.yaml", folder)
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump({
            "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "namePrefix": "blue-", "nameSuffix": "-2",
            "resources": ["../../config/samples"], "configurations": ["name_references.yaml"],
        })
    )  # fmt: skip
    yield folder
    shutil.rmtree(folder)


def references(value, path=""):
    """All names in a spec that refer to other objects, with where they are."""
    for name, one in value.items() if isinstance(value, dict) else ():
        if name.endswith("Ref"):
            yield f"{path}{name}", one["name"]
        yield from references(one, f"{path}{name}.")


def test_samples_work_under_other_names(cluster, api, operators, namespace, overlay):
    operators.default()
    renamed = [one for one in yaml.safe_load_all(cluster.kubectl("kustomize", str(overlay))) if one]
    fixed = {one["spec"]["outputSecretName"] for one in renamed if "outputSecretName" in one.get("spec", {})}
    named = [(one["metadata"]["name"], *pair) for one in renamed for pair in references(one.get("spec", {}))]
    assert len(named) > 10
    assert [one for one in named if not (one[2].startswith("blue-") and one[2].endswith("-2")) and one[2] not in fixed] == []
    cluster.kubectl("apply", "--kustomize", str(overlay), "--namespace", namespace)
    cluster.kubectl("wait", "--for=condition=Ready", "--timeout=100s", "--namespace", namespace, "qubesec", "--all")
    assert {one["metadata"]["name"] for kind in (*KINDS, *SIGNATURE_KINDS) for one in api.list(kind, namespace)} == {
        one["metadata"]["name"] for one in renamed if one["apiVersion"] == "qubesec.io/v1"
    }
