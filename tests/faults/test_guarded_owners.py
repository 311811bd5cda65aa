"""An API server that lets only those change an object's owner who may delete it: OwnerReferencesPermissionEnforcement.

It is on in every OpenShift. What it refuses is told and left as it is; with the role that allows it, all goes.
"""

import json
import subprocess

import pytest
import yaml
from api import QKKP, data_of, definition, ready_of, secret_thing, thing, wait_until
from audit import OPERATOR
from breakable import api, cluster, halt, operators, resume, the_proxy
from fixtures import CHECKOUT
from work import all_kinds, secrets, wait_finished

__all__ = ["api", "cluster", "operators", "the_proxy"]
COMPONENT = CHECKOUT / "config/components/owner-references"
OPENSHIFT = definition("security.openshift.io", "SecurityContextConstraints", "securitycontextconstraints")


@pytest.fixture(scope="module", autouse=True)
def guarded(cluster):
    halt(cluster, "kube-apiserver")
    resume(cluster, "kube-apiserver", flags=["--enable-admission-plugins=OwnerReferencesPermissionEnforcement"])


@pytest.fixture
def role(api):
    """Gives the operator the role, from when it is called."""
    given = []

    def give():
        for resource in ("role", "role_binding"):
            [one] = yaml.safe_load_all((COMPONENT / f"{resource}.yaml").read_text())
            path = f"/apis/rbac.authorization.k8s.io/v1/cluster{resource.replace('_', '')}s"
            given.append(f"{path}/{one['metadata']['name']}")
            api.call("POST", path, one)
        wait_until("it may", lambda: api.allows(OPERATOR, "delete", "secrets", "", "default"))

    yield give
    for path in given:
        api.call("DELETE", path)
    wait_until("it may no longer", lambda: not api.allows(OPERATOR, "delete", "secrets", "", "default"))


def guarded_says(api, namespace, name):
    """What is told of it, once its owner could not be changed."""
    return ready_of(api.wait_status(QKKP, namespace, name, "Success", "OwnerGuarded"))["message"]


def owner_of(api, namespace, name):
    return [one["name"] for one in api.get("Secret", namespace, name)["metadata"].get("ownerReferences", [])]


def test_everything_is_made_without_the_role(api, operators, namespace):
    operators.default()
    for one in all_kinds(namespace, "new-"):
        api.create(one)
    wait_finished(api, namespace)
    assert owner_of(api, namespace, "new-numbers") == ["new-numbers"]


def test_a_restored_secret_is_taken_over_and_owned_with_the_role(api, operators, role, namespace):
    operators.default()
    api.make(thing(QKKP, namespace, "pair"))
    before = api.get("Secret", namespace, "pair")
    api.delete(QKKP, namespace, "pair")
    api.wait_gone("Secret", namespace, "pair")
    kept = {key: before["metadata"][key] for key in ("labels", "annotations")}
    api.create(secret_thing(namespace, "pair", data_of(before), **kept))
    api.create(thing(QKKP, namespace, "pair"))
    told = guarded_says(api, namespace, "pair")
    assert "qubesec-owner-references" in told and "config/components/owner-references" in told
    assert owner_of(api, namespace, "pair") == []
    assert data_of(api.get("Secret", namespace, "pair")) == data_of(before)
    role()
    api.patch(QKKP, namespace, "pair", {"metadata": {"labels": {"look": "again"}}})
    api.wait_status(QKKP, namespace, "pair", "Success", "Succeeded")
    assert data_of(api.get("Secret", namespace, "pair")) == data_of(before)
    assert owner_of(api, namespace, "pair") == ["pair"]


def test_the_deletion_policy_is_followed_with_the_role_alone(api, operators, role, namespace):
    operators.default()
    api.make(thing(QKKP, namespace, "pair"))
    before = secrets(api, namespace)
    labels = {"secretTemplate": {"labels": {"team": "ours"}}}
    api.patch(QKKP, namespace, "pair", {"spec": {"deletionPolicy": "Retain", **labels}})
    assert "may delete it" in guarded_says(api, namespace, "pair")
    assert api.get("Secret", namespace, "pair")["metadata"]["labels"]["team"] == "ours", "all but the owner is done"
    assert owner_of(api, namespace, "pair") == ["pair"] and secrets(api, namespace) == before
    role()
    api.patch(QKKP, namespace, "pair", {"metadata": {"labels": {"look": "again"}}})
    api.wait_status(QKKP, namespace, "pair", "Success", "Succeeded")
    assert owner_of(api, namespace, "pair") == [] and secrets(api, namespace) == before


@pytest.fixture
def openshift(api):
    """Makes the cluster look like one, from when it is called."""
    yield lambda: api.create(OPENSHIFT)
    if api.find(OPENSHIFT["kind"], None, OPENSHIFT["metadata"]["name"]):
        api.delete(OPENSHIFT["kind"], None, OPENSHIFT["metadata"]["name"])


def test_check_tells_of_it(api, cluster, operators, role, openshift):
    def findings():
        done = subprocess.run(
            [operators.binary, "check", "--kubeconfig", cluster.folder / "admin.kubeconfig", "--output", "json",
             "--skip-algorithms"],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return [one for one in json.loads(done.stdout)["findings"] if one["check"] == "rights" and one["subject"] == "secrets"]

    def the_level(words):
        [found] = [one for one in findings() if words in one["message"]]
        return found["level"], found.get("remedy", "")

    assert the_level("the operator deletes no Secret, and may not")[0] == "ok"
    openshift()
    wait_until("it looks like an OpenShift", lambda: any("OpenShift guards owners" in one["message"] for one in findings()))
    level, remedy = the_level("OpenShift guards owners")
    assert level == "warn" and "config/components/owner-references" in remedy
    role()
    assert the_level("may be given owners")[0] == "ok"
    api.delete(OPENSHIFT["kind"], None, OPENSHIFT["metadata"]["name"])
    wait_until("it is none", lambda: not any("may be given owners" in one["message"] for one in findings()))
    level, remedy = the_level("but may delete secrets")
    assert level == "warn" and "qubesec-owner-references" in remedy
