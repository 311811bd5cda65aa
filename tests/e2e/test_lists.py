"""What others keep in a cluster is not paid for: lists of it are gone through as they arrive."""

import base64
import json
import uuid

import pytest
from api import wait_until
from etcd import Gateway

MIB = 1024  # KiB
PEAK_MAX = 16 * MIB
REQUEST_MAX = 1000 * 1000  # bytes: etcd takes a request of up to 1.5 MiB
OPERATIONS_MAX = 100  # etcd takes up to 128 in a transaction


def foreign(kind, namespace, name, size=0):
    """As it lies in etcd; size: bytes of an annotation."""
    metadata = {"name": name, "namespace": namespace, "uid": str(uuid.uuid4()), "creationTimestamp": "2026-01-01T00:00:00Z"}
    return {"apiVersion": "v1", "kind": kind, "metadata": {**metadata, "annotations": {"example.com/state": "s" * size}}}


def in_transactions(things):
    """Lists of things that are written at once."""
    batch, size = [], 0
    for one in things:
        text = json.dumps(one)
        if batch and (size + len(text) > REQUEST_MAX or len(batch) == OPERATIONS_MAX):
            yield batch
            batch, size = [], 0
        batch.append((one, text))
        size += len(text)
    yield batch


def shown(api, kind, namespace):
    """How many the API server has in that namespace."""
    found = api.call("GET", f"{api.path(kind, namespace)}?limit=1")
    return len(found["items"]) + found["metadata"].get("remainingItemCount", 0)


@pytest.fixture
def lay(cluster, api, namespace):
    """Puts things of one kind into the namespace, straight into etcd, and waits until the API server shows all; they go in
    the end."""
    etcd = Gateway(cluster)
    written = {}

    def encode(text):
        return base64.b64encode(text.encode()).decode()

    def write(kind, things):
        prefix = f"/registry/{api.path(kind).rpartition('/')[2]}/{namespace}/"
        written[kind] = prefix
        for batch in in_transactions(things):
            puts = [{"requestPut": {"key": encode(prefix + one["metadata"]["name"]), "value": encode(text)}} for one, text in batch]
            etcd.call("kv/txn", {"success": puts})

    yield write
    for kind, prefix in written.items():
        etcd.call("kv/deleterange", {"key": encode(prefix), "range_end": encode(prefix[:-1] + "0")})
        wait_until("the API server shows none any more", lambda kind=kind: shown(api, kind, namespace) < 10, patience=600)


def peak_at_start(operators):
    """KiB that a new operator has used at most until it has listed everything."""
    operator = operators.start().wait_ready()
    operator.settle()
    return operator.memory("VmHWM")


def check_peak(api, operators, namespace, lay, foreign_things):
    """What others keep costs next to nothing, while they make it and when an operator starts and all is there."""
    before = peak_at_start(operators)
    running = operators.current
    for kind, things in foreign_things.items():
        things = list(things)
        lay(kind, things)
        wait_until("the API server shows them all", lambda: shown(api, kind, namespace) >= len(things), patience=600)
    running.settle()
    peaks = {"as they come": running.memory("VmHWM"), "with them there": peak_at_start(operators)}
    print(f"peak in KiB: {before} before, {peaks}")
    assert all(peak < before + PEAK_MAX for peak in peaks.values()), (before, peaks)


def test_trap_20_what_others_keep_does_not_raise_the_peak(api, operators, namespace, lay):
    large = (foreign("ConfigMap", namespace, f"foreign-{number}", 250 * 1000) for number in range(400))
    many = (foreign("Secret", namespace, f"foreign-{number}") for number in range(5000))
    check_peak(api, operators, namespace, lay, {"ConfigMap": large, "Secret": many})


def test_trap_20_two_hundred_thousand_of_others_do_not_raise_the_peak(api, operators, namespace, lay):
    small = (foreign("ConfigMap", namespace, f"foreign-{number}") for number in range(200000))
    check_peak(api, operators, namespace, lay, {"ConfigMap": small})
