"""What the operator costs the API server, and what it tells: by the audit log, and by all that it writes."""

import base64
import json
import os

import pytest
from api import (
    KINDS, QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, SIGNATURE_KINDS, data_of, exchange, secret_thing, thing, wait_until,
)  # fmt: skip
from audit import READS, WRITES
from leaks import Search, ec_parts, secrets_in
from specs import MINIMAL
from test_secrets import flip, put
from test_webhook_certificate import NAMESPACE, OWN, SECRET
from webhook import CHECKOUT

PLURAL = {kind: f"{kind.lower()}s" for kind in (*KINDS, *SIGNATURE_KINDS)}
INDEPENDENT = (QRN, QKKP, QSKP, QC)  # with the spec of MINIMAL, which has no references
COUNT = 20


def dependent(namespace):
    """Every other kind, each after what it needs, and how many Secrets are read for it: one for each input."""
    pair, sealed, opened, key, other_key = exchange(namespace)
    yield pair, 0
    yield sealed, 1
    yield opened, 2
    yield key, 1
    yield other_key, 1
    message = {"name": "message", "kind": "Secret", "key": "text"}
    yield thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}), 0
    yield thing(QSM, namespace, "signed", {"privateKeyRef": {"name": "signer"}, "messageRef": message}), 2
    references = {"publicKeyRef": {"name": "signer"}, "messageRef": message, "signatureRef": {"name": "signed"}}
    yield thing(QVS, namespace, "verified", references), 3
    yield thing(QC, namespace, "ca", {"certType": "ca", "commonName": "ca"}), 0
    yield thing(QC, namespace, "leaf", {"certType": "client", "commonName": "leaf", "parentCARef": {"name": "ca"}}), 1


def wanted(one, reads):
    """The requests for one of them, in their order. A CA's Secret is retained: the CA is asked for at the last moment."""
    plural = PLURAL[one["kind"]]
    create = [] if one["kind"] == QVS else ["create secrets"]  # which has no Secret
    look = [f"list {plural}"] if one.get("spec", {}).get("certType") == "ca" else []
    return ["get secrets"] * reads + look + create + [f"update {plural}/status"]


def test_trap_30_an_independent_object_costs_two_writes_and_no_read(cluster, api, operator, namespace):
    mark = cluster.audit.mark()
    names = {kind: [f"{kind.lower()}-{number}" for number in range(COUNT)] for kind in INDEPENDENT}
    for kind in INDEPENDENT:
        for name in names[kind]:
            api.create(thing(kind, namespace, name, MINIMAL[kind]))
    for kind in INDEPENDENT:
        for name in names[kind]:
            api.wait_success(kind, namespace, name)
    operator.settle()
    made = cluster.audit.requests(mark, namespace)
    for kind in INDEPENDENT:
        for name in names[kind]:
            own = [str(one) for one in made if one.name.removesuffix("-secret") == name]
            assert own == ["create secrets", f"update {PLURAL[kind]}/status"]
    assert len(made) == 2 * COUNT * len(INDEPENDENT)


def test_a_dependent_object_costs_one_read_for_each_input(cluster, api, operator, namespace):
    api.create(secret_thing(namespace, "message", {"text": b"a message"}))
    seen = set()
    for one, reads in dependent(namespace):
        mark = cluster.audit.mark()
        api.create(one)
        done = "Valid" if one["kind"] == QVS else "Success"
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], done)
        operator.settle()
        made = [str(request) for request in cluster.audit.requests(mark, namespace)]
        assert made == wanted(one, reads), one["metadata"]["name"]
        seen.add(one["kind"])
    assert seen | set(INDEPENDENT) == set(PLURAL), "a kind is counted nowhere"


def test_own_outputs_are_read_at_the_version_that_was_verified(cluster, api, operator, namespace):
    """Which the API server has in memory. A Secret of others may be newer than what is known of it."""
    api.create(secret_thing(namespace, "message", {"text": b"a message"}))
    api.make(thing(QSKP, namespace, "signer"))
    mark = cluster.audit.mark()
    references = {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "message", "kind": "Secret", "key": "text"}}
    api.make(thing(QSM, namespace, "signed", references))
    read = {one.name: one.query for one in cluster.audit.requests(mark, namespace) if one.verb == "get"}
    version = api.get("Secret", namespace, "signer")["metadata"]["resourceVersion"]
    assert read == {"signer": f"resourceVersion={version}", "message": ""}


def test_what_is_made_at_once_costs_no_more(cluster, api, operators, operator, namespace):
    """Nothing is told of a wait for what is about to be looked at, in whatever order the objects are taken up."""
    operators.stop()
    api.create(secret_thing(namespace, "message", {"text": b"a message"}))
    things = list(dependent(namespace))
    for one, _ in reversed(things):
        api.create(one)
    mark = cluster.audit.mark()
    operator = operators.default()
    for one, _ in things:
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Valid" if one["kind"] == QVS else "Success")
    operator.settle()
    made = [str(request) for request in cluster.audit.requests(mark, namespace)]
    assert sorted(made) == sorted(request for one, reads in things for request in wanted(one, reads))


def test_what_is_slow_waits_before_it_is_read_for(cluster, api, operator, namespace):
    api.create(secret_thing(namespace, "message", {"text": b"a message"}))
    signer = thing(QSKP, namespace, "signer", {"algorithm": "SLH-DSA-SHA2-128s"})
    message = {"name": "message", "kind": "Secret", "key": "text"}
    signed = thing(QSM, namespace, "signed", {"privateKeyRef": {"name": "signer"}, "messageRef": message})
    for one, reads in ((signer, 0), (signed, 2)):
        mark = cluster.audit.mark()
        api.create(one)
        api.wait_success(one["kind"], namespace, one["metadata"]["name"])
        operator.settle()
        made = [str(request) for request in cluster.audit.requests(mark, namespace)]
        assert made == ["get secrets"] * reads + ["create secrets", f"update {PLURAL[one['kind']]}/status"]


def test_nothing_is_replaced_before_object_and_inputs_were_asked_for(cluster, api, operator, namespace):
    """By the API server itself, as they are now: a list by name of each resource of ours, and what is in its Secret."""
    api.create(secret_thing(namespace, "message", {"text": b"a message"}))
    references = {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "message", "kind": "Secret", "key": "text"}}
    api.make(thing(QSKP, namespace, "signer"), thing(QSM, namespace, "signed", references))
    operator.settle()
    mark = cluster.audit.mark()
    version = api.patch("Secret", namespace, "message", {"data": {"text": "Y2hhbmdlZA=="}})["metadata"]["resourceVersion"]
    wait_until(
        "it is signed again",
        lambda: version in [one["resourceVersion"] for one in api.get(QSM, namespace, "signed")["status"]["inputs"]],
    )
    operator.settle()
    made = cluster.audit.requests(mark, namespace)
    assert [(str(one), one.name) for one in made] == [
        ("get secrets", "signer"),
        ("get secrets", "message"),
        ("get secrets", "signed-signature"),
        (f"list {PLURAL[QSM]}", "signed"),
        (f"list {PLURAL[QSKP]}", "signer"),
        ("get secrets", "signer"),
        ("patch secrets", "signed-signature"),
        (f"update {PLURAL[QSM]}/status", "signed"),
    ]
    assert "resourceVersion" in made[0].query, "it may come from the API server's memory"
    assert not [one for one in made[1:] if "resourceVersion" in one.query], "these must not"


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


@pytest.fixture
def with_webhook(api, cluster, operators):
    """The operator at its most talkative, with all its pages and a CA of its own."""
    cluster.kubectl("apply", "--filename", CHECKOUT / "config/webhook/role.yaml")
    yield operators.start(*OWN, "--debug-endpoints").wait_ready()
    operators.stop()
    api.delete("Secret", NAMESPACE, SECRET)


def not_public_keys(namespace):
    """Objects that fail since what is named as public is secret: what is said of it must not quote it."""
    key, message = {"kind": "Secret", "name": "signer", "key": "private_key.pem"}, {"kind": "Secret", "name": "message", "key": "text"}
    verify = {"publicKeyRef": key, "messageRef": message, "signatureRef": message}
    yield thing(QVS, namespace, "not-verified", verify)
    yield thing(QES, namespace, "not-sealed", {"publicKeyRef": {"kind": "Secret", "name": "pair", "key": "private_key"}})
    opened = {"privateKeyRef": {"name": "pair"}, "ciphertextRef": {"kind": "Secret", "name": "numbers", "key": "random"}}
    yield thing(QDS, namespace, "not-opened", opened)


def damage(api, namespace):
    """Spoils what is secret in each Secret, of a key that is there twice one of the two; returns once all is told of and mended."""
    damaged = set()
    for secret in api.list("Secret", namespace):
        data, name = data_of(secret), secret["metadata"]["name"]
        for entry in [one for one in ("private_key", "shared_secret", "key", "random", "tls.key") if one in data][:1]:
            put(api, namespace, name, {entry: data[entry][:-40] if entry == "tls.key" else flip(data[entry])})
            damaged.add(name.removesuffix("-secret"))
    reasons = {"SecretRepaired", "SecretDamaged", "KeyReplaced"}

    def told():
        return {one["regarding"]["name"] for one in api.list("Event", namespace) if one["reason"] in reasons}

    wait_until(lambda: f"told of {damaged - told()}", lambda: damaged <= told())


def test_nothing_secret_is_told(cluster, api, with_webhook, namespace):
    """Log, Events, pages, resources and the audit log have no piece of any key, whatever was done with it."""
    operator, message = with_webhook, os.urandom(64)
    api.create(secret_thing(namespace, "message", {"text": message}))
    things = [one for one, _ in dependent(namespace)]
    things += [thing(QRN, namespace, "numbers"), thing(QRN, namespace, "long", {"numBytes": 4096})]
    for one in things:
        api.create(one)
    for one in things:
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Valid" if one["kind"] == QVS else "Success")
    for one in not_public_keys(namespace):
        api.create(one)
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Failed", "InvalidSpec")
    absent = {"sharedSecretRef": {"name": "numbers", "kind": "Secret", "key": "absent"}}
    api.create(thing(QDK, namespace, "broken", absent))
    api.wait_status(QDK, namespace, "broken", "Pending")
    secrets = {f"{name} (before)": value for name, value in secrets_in(api, namespace).items()}
    operator.settle()
    damage(api, namespace)
    operator.settle()
    authority = data_of(api.get("Secret", NAMESPACE, SECRET))
    for entry in ("ca.key", "tls.key"):
        secrets |= {f"webhook's {entry} {part}": value for part, value in ec_parts(authority[entry]).items()}
    secrets |= secrets_in(api, namespace) | {"message": message}
    for name in ("pair vector", "signer K", "leaf-secret seed", "alice key", "long random", "webhook's ca.key number"):
        assert name in secrets
    search = Search(secrets)
    told = {
        "log": operator.log.read_bytes(),
        "events": json.dumps(api.list("Event", namespace)).encode(),
        "audit": b"".join(cluster.audit.parts(*cluster.audit.mark()[:1], 0)),
        **{page: operator.answer(page)[1].encode() for page in ("/metrics", "/debug/state", "/debug/queue")},
        **{kind: json.dumps(api.list(kind, namespace)).encode() for kind in (*KINDS, *SIGNATURE_KINDS)},
    }
    for name, content in told.items():
        assert content and search.find(content) == [], name
    # The same search finds what is in there.
    public = {
        "ciphertext": bytes.fromhex(api.get(QES, namespace, "sealed")["status"]["ciphertext"]),
        "signature": base64.b64decode(api.get(QSM, namespace, "signed")["status"]["signature"]),
        "words": b"starting workers",
    }
    assert Search(public).find(told[QES]) == [("ciphertext", "hex")]
    assert Search(public).find(told[QSM]) == [("signature", "base64")]
    assert Search(public).find(told["log"]) == [("words", "raw")]
