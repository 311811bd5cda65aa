"""What the operator costs the API server, and what it tells: by the audit log, and by all that it writes."""

import json

from api import KINDS, QDK, QES, QKKP, QRN, exchange, thing
from audit import READS, WRITES
from leaks import Search, secrets_in

PLURAL = {kind: f"{kind.lower()}s" for kind in KINDS}


def test_trap_30_an_independent_object_costs_two_writes_and_no_read(cluster, api, operator, namespace):
    mark = cluster.audit.mark()
    count = 20
    for number in range(count):
        api.create(thing(QRN, namespace, f"numbers-{number}"))
        api.create(thing(QKKP, namespace, f"pair-{number}"))
    for number in range(count):
        api.wait_success(QRN, namespace, f"numbers-{number}")
        api.wait_success(QKKP, namespace, f"pair-{number}")
    operator.settle()
    made = cluster.audit.requests(mark, namespace)
    for kind, name in ((QRN, "numbers"), (QKKP, "pair")):
        for number in range(count):
            own = [str(one) for one in made if one.name == f"{name}-{number}"]
            assert own == ["create secrets", f"patch {PLURAL[kind]}/status"]
    assert len(made) == 4 * count


def test_a_dependent_object_costs_one_read_for_each_input(cluster, api, operator, namespace):
    reads = []
    for one in exchange(namespace):
        mark = cluster.audit.mark()
        api.make(one)
        operator.settle()
        *read, create, patch = (str(request) for request in cluster.audit.requests(mark, namespace))
        assert (create, patch) == ("create secrets", f"patch {PLURAL[one['kind']]}/status")
        assert set(read) <= {"get secrets"}
        reads.append(len(read))
    assert reads == [0, 1, 2, 1, 1]


def test_restart_writes_and_reads_nothing(cluster, api, operators, operator, namespace):
    api.make(*exchange(namespace), *(thing(QRN, namespace, f"numbers-{number}") for number in range(20)))
    before = [api.list(kind, namespace) for kind in (*KINDS, "Secret")]
    operator.settle()
    operators.stop()
    mark = cluster.audit.mark()
    operator = operators.default()
    operator.settle()
    operators.stop()
    made = cluster.audit.requests(mark)
    assert [str(one) for one in made if one.verb in WRITES] == []
    assert [str(one) for one in made if one.verb in READS and one.namespace == namespace] == []
    assert {one.resource for one in made} >= {*PLURAL.values(), "secrets", "configmaps"}, "it has listed all"
    assert [api.list(kind, namespace) for kind in (*KINDS, "Secret")] == before


def test_trap_30_edited_metadata_costs_nothing(cluster, api, operator, namespace):
    api.make(thing(QKKP, namespace, "pair"))
    operator.settle()
    mark = cluster.audit.mark()
    api.patch(QKKP, namespace, "pair", {"metadata": {"labels": {"a": "b"}}})
    operator.settle()
    assert cluster.audit.requests(mark, namespace) == []


def test_nothing_secret_is_told(cluster, api, operators, namespace):
    """Log (at its most talkative), Events, metrics, resources and the audit log have no piece of any key."""
    operator = operators.start().wait_ready()
    api.make(*exchange(namespace), thing(QRN, namespace, "numbers"), thing(QRN, namespace, "long", {"numBytes": 4096}))
    broken = thing(
        QDK, namespace, "broken", {"sharedSecretRef": {"name": "numbers", "kind": "Secret", "key": "absent"}}
    )
    api.create(broken)
    api.wait_status(QDK, namespace, "broken", "Pending")
    api.patch("Secret", namespace, "numbers", {"data": {"random": "AAAA"}})
    operator.settle()
    search = Search(secrets_in(api, namespace))
    assert len(search.windows) > 10000
    sealed = api.get(QES, namespace, "sealed")
    told = {
        "log": operator.log.read_bytes(),
        "events": json.dumps(api.list("Event", namespace)).encode(),
        "metrics": operator.answer("/metrics")[1].encode(),
        "audit": b"".join(cluster.audit.parts(*cluster.audit.mark()[:1], 0)),
        **{kind: json.dumps(api.list(kind, namespace)).encode() for kind in KINDS},
    }
    for name, content in told.items():
        assert search.find(content) == [], name
    # The same search finds what is in there.
    public = {
        "ciphertext": bytes.fromhex(sealed["status"]["ciphertext"]),
        "message": b"all resources listed, starting workers",
    }
    assert Search(public).find(told[QES]) == [("ciphertext", "hex")]
    assert Search(public).find(told["log"]) == [("message", "raw")]
