"""The samples as they are handed out."""

import pathlib

import yaml
from api import KINDS, reason_of, wait_until
from crypto import hkdf

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "config" / "samples"


def test_key_exchange_in_reverse_order(cluster, api, operator, namespace):
    """What is needed comes last. Nobody polls: the number of the operator's requests does not grow with the waiting."""
    things = [*yaml.safe_load_all((SAMPLES / "key-exchange.yaml").read_text())]
    for one in things:
        one["metadata"]["namespace"] = namespace
    late = things.pop(0)
    for one in reversed(things):
        api.create(one)
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Pending")
    operator.settle()
    mark = cluster.audit.mark()
    operator.settle()
    assert cluster.audit.requests(mark, namespace) == []
    api.create(late)
    for one in things:
        api.wait_success(one["kind"], namespace, one["metadata"]["name"])
    shared, *others = (api.secret(namespace, name) for name in ("bob-encapsulate", "alice-aes-key", "bob-aes-key"))
    wanted = hkdf(shared["shared_secret"], b"QubeSec alice bob", b"alice and bob, file encryption", 32)
    assert [other["key"] for other in others] == [wanted, wanted]


def test_all_samples(cluster, api, operator, namespace):
    cluster.kubectl("apply", "--kustomize", str(SAMPLES), "--namespace", namespace)

    def unfinished():
        found = [one for kind in KINDS for one in api.list(kind, namespace)]
        assert len(found) >= 15
        return {
            one["metadata"]["name"]: reason_of(one) for one in found if one.get("status", {}).get("status") != "Success"
        }

    wait_until(lambda: f"all samples succeed: {unfinished()}", lambda: not unfinished(), pause=0.3)
