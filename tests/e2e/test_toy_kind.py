"""A kind is a value: toy_kind.c defines one of its own, and the generic controller serves it as it serves ours."""

import pytest
from api import data_of, definition, secret_thing, thing, wait_until
from crypto import fingerprint
from process import Operator
from test_secrets import check_damage_is_told, put, wait_remade

TOY = "QuantumToy"
LEAKED = 1  # the exit status that AddressSanitizer gives a process with a leak
SOURCE = b"sixteen bytes of it"
DEFINITION = definition("qubesec.io", TOY, "quantumtoys")


@pytest.fixture
def command(cluster, api, operators):
    """What starts the toy's operator; as the admin, for our own role knows nothing of toys."""
    program = operators.binary.with_name("toy_kind")
    assert program.exists(), "toy_kind is not built: make build"
    api.create(DEFINITION)
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/quantumtoys.qubesec.io")
    yield operators.command(kubeconfig=cluster.folder / "admin.kubeconfig", program=[program])
    operators.stop()
    api.delete("CustomResourceDefinition", None, DEFINITION["metadata"]["name"])
    api.wait_gone("CustomResourceDefinition", None, DEFINITION["metadata"]["name"])


@pytest.fixture
def toys(command, operators):
    return operators.spawn(command).wait_ready()


def test_toy_kind(api, toys, namespace):
    spec = {"sourceRef": {"name": "source", "key": "text"}, "note": "a toy"}
    api.create(thing(TOY, namespace, "it", spec))
    api.wait_status(TOY, namespace, "it", "Pending", "WaitingForSecret")

    api.create(secret_thing(namespace, "source", {"text": SOURCE}))
    made = api.wait_success(TOY, namespace, "it")
    secret = api.output(made)
    assert secret["metadata"]["name"] == "it-toy"
    assert secret["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert data_of(secret)["reversed"] == SOURCE[::-1]
    assert made["status"]["usedNote"] == "a toy"
    assert made["status"]["algorithm"] == "reversal"
    assert made["status"]["fingerprint"] == fingerprint(SOURCE[::-1])

    damaged = data_of(put(api, namespace, "it-toy", {"reversed": b"something else now"}))
    assert wait_remade(api, TOY, namespace, "it", damaged)["reversed"] == SOURCE[::-1]
    check_damage_is_told(api, namespace, "it")

    put(api, namespace, "source", {"text": SOURCE * 2})
    wait_until("the toy follows its source", lambda: api.secret(namespace, "it-toy")["reversed"] == (SOURCE * 2)[::-1])

    api.create(thing(TOY, namespace, "faulty", {"note": 1}))
    error = api.wait_status(TOY, namespace, "faulty", "Failed", "InvalidSpec")["status"]["error"]
    assert "spec.sourceRef: is required" in error and "spec.note: must be a text" in error


def test_trap_33_what_fails_its_own_check_is_not_stored(api, cluster, toys, namespace):
    """Nor made again without a pause: there is nothing that could have changed."""
    api.create(secret_thing(namespace, "source", {"text": SOURCE}))
    mark = cluster.audit.mark()
    api.create(thing(TOY, namespace, "it", {"sourceRef": {"name": "source", "key": "text"}, "note": "unsound"}))
    found = api.wait_status(TOY, namespace, "it", "Failed")
    assert "checking what was made: it is unsound" in found["status"]["error"]
    toys.settle()
    assert toys.total("controller_runtime_reconcile_total", "quantumtoy") < 10, "each try waits twice as long"
    assert api.find("Secret", namespace, "it-toy") is None
    sent = cluster.audit.requests(mark, namespace, user="qubesec-admin")
    assert [one for one in sent if one.resource == "secrets" and one.verb != "get"] == []


def test_a_leak_would_be_found(api, operators, command, namespace, tmp_path):
    """What the end-to-end tests under AddressSanitizer say of leaks: this one is on purpose."""
    operators.stop()
    leaky = Operator(command, tmp_path / "log", {"ASAN_OPTIONS": ""}).wait_ready()
    try:
        api.create(secret_thing(namespace, "source", {"text": SOURCE}))
        api.make(thing(TOY, namespace, "it", {"sourceRef": {"name": "source", "key": "text"}, "note": "leaks"}))
    finally:
        leaky.stop()
    leaky.expected = LEAKED
    [fault] = leaky.faults()
    assert "LeakSanitizer: detected memory leaks" in fault and "in produce" in fault
