"""What those who apply objects for people make of ours: kstatus, which Flux and many others ask, and helm install --wait."""

import json
import subprocess

import pytest
import yaml
from api import KINDS, QES, QKKP, QRN, QVS, SIGNATURE_KINDS, all_kinds, is_told, ready_of, secret_thing, thing, version_of
from install import Helm, run


@pytest.fixture(scope="module")
def helm(cluster):
    return Helm()


@pytest.fixture(scope="module")
def judge(helm):
    """What kstatus says of objects, by their names."""

    def ask(*objects):
        said = json.loads(run(helm.program.with_name("health"), given=json.dumps(objects)))
        return {one["name"]: one["status"] for one in said}

    return ask


@pytest.fixture
def chart(tmp_path):
    """A chart with one key pair."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text(yaml.safe_dump({"apiVersion": "v2", "name": "app", "version": "1.0.0"}))
    pair = thing(QKKP, "{{ .Release.Namespace }}", "pair")
    (tmp_path / "templates" / "pair.yaml").write_text(yaml.safe_dump(pair))
    return tmp_path


def test_a_new_object_is_ready_for_nobody(api, operators, namespace, judge):
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


def test_objects_in_every_state(api, operators, namespace, judge):
    operators.default()
    api.create(secret_thing(namespace, "taken", {"a": b"somebody's"}))
    for one in all_kinds(namespace):
        api.create(one)
    api.create(thing(QES, namespace, "waits", {"publicKeyRef": {"name": "absent"}}))
    api.create(thing(QKKP, namespace, "taken"))
    api.create(thing(QRN, namespace, "edited"))
    api.create(thing(QRN, namespace, "goes", finalizers=["tests.qubesec.io/hold"]))
    good = [
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Valid" if one["kind"] == QVS else "Success")
        for one in all_kinds(namespace)
        if one["kind"] != "ConfigMap"
    ]
    waits = api.wait_status(QES, namespace, "waits", "Pending")
    taken = api.wait_status(QKKP, namespace, "taken", "Failed")
    api.wait_success(QRN, namespace, "edited")
    api.wait_success(QRN, namespace, "goes")
    operators.stop()
    api.patch(QRN, namespace, "edited", {"spec": {"secretTemplate": {"labels": {"tier": "gold"}}}})
    api.delete(QRN, namespace, "goes")
    edited, goes = (api.get(QRN, namespace, name) for name in ("edited", "goes"))
    api.patch(QRN, namespace, "goes", {"metadata": {"finalizers": None}})
    assert set(judge(*good).values()) == {"Current"}
    assert judge(waits, taken, edited, goes) == {
        "waits": "InProgress", "taken": "InProgress", "edited": "InProgress", "goes": "Terminating",
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
