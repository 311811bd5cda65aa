"""A namespace with all nine kinds, made from each other, is lost and comes back from a backup: nothing is made anew."""

import pytest
from api import KINDS, QVS, SIGNATURE_KINDS, all_kinds, data_of, ready_of, wait_until

MINUTE = 60  # seconds
# What Velero takes off an object when it restores it, besides the status (resetMetadataAndStatus of its pkg/restore/restore.go).
VELERO_TAKES = (
    "generateName", "selfLink", "uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp",
    "deletionGracePeriodSeconds", "ownerReferences",
)  # fmt: skip
VELERO_ADDS = {"velero.io/backup-name": "nightly", "velero.io/restore-name": "nightly-20261130"}


def without(one, taken):
    """An object without its status, and without these members of its metadata."""
    metadata = {key: value for key, value in one["metadata"].items() if key not in taken}
    return {**{key: value for key, value in one.items() if key != "status"}, "metadata": metadata}


def as_by_kubectl(one):
    """docs/operations.md: get, jq, create."""
    return without(one, ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "ownerReferences"))


def as_by_velero(one):
    restored = without(one, (*VELERO_TAKES, "managedFields"))
    restored["metadata"]["labels"] = {**restored["metadata"].get("labels", {}), **VELERO_ADDS}
    return restored


def is_finished(one):
    return ready_of(one).get("status") == "True"


@pytest.mark.parametrize("restored", [as_by_kubectl, as_by_velero])
def test_a_namespace_that_comes_back_is_as_it_was(api, operators, namespace, clock, restored):
    operator = operators.start(environment=clock.environment).wait_ready()
    own, *made = all_kinds(namespace)
    api.create(own)
    for one in made:
        api.create(one)
    kinds = (*KINDS, *SIGNATURE_KINDS)

    def objects():
        return [one for kind in kinds for one in api.list(kind, namespace)]

    def all_finished():
        return len(objects()) == len(made) and all(map(is_finished, objects()))

    wait_until("all are Ready", all_finished)
    operator.settle()
    before = objects()
    secrets = [api.get("Secret", namespace, one["metadata"]["name"]) for one in api.list("Secret", namespace)]
    keys = {one["metadata"]["name"]: data_of(one) for one in secrets}
    digests = {one["metadata"]["name"]: one["status"].get("digest") for one in before}
    assert len(keys) == len(made) - 1, "all but the verification have a Secret"

    api.delete("Namespace", None, namespace)
    api.wait_gone("Namespace", None, namespace)
    operator.settle()
    api.create({"kind": "Namespace", "metadata": {"name": namespace}})
    api.create(own)
    for one in secrets:
        api.create(restored(one))
    operator.settle()
    clock.advance(operator, MINUTE)
    for one in before:
        api.create(restored(one))
    wait_until("all are Ready", all_finished)
    operator.settle()

    assert {one["metadata"]["name"]: data_of(one) for one in api.list("Secret", namespace)} == keys
    assert {one["metadata"]["name"]: one["status"].get("digest") for one in objects()} == digests
    for one in made:
        assert one["kind"] == QVS or api.wait_event(namespace, one["metadata"]["name"], "Adopted"), one
