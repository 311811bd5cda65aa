"""What is promised of keys: what cannot be made again stays, what is replaced is told, and nothing passes for the same that is not."""

import base64
import hashlib
import json
import subprocess

import pytest
from api import (
    QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, config_map_thing, data_of, exchange, reason_of, secret_thing, thing, wait_until,
)  # fmt: skip
from crypto import encapsulate, fingerprint, pem_body
from test_secrets import flip, put

CA = {"certType": "ca", "commonName": "Root", "algorithm": "ML-DSA-44"}
LEAF = {"certType": "server", "subjectAltNames": ["a.example.com"], "parentCARef": {"name": "ca"}, "algorithm": "ML-DSA-44"}


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def told(api, namespace, name, reason, kind="Warning"):
    """The note of the one Event of that reason."""
    [event] = wait_until(f"{name}: there is an Event {reason}", lambda: api.events(namespace, name, reason))
    assert event["type"] == kind
    return event["note"]


def backup(secret):
    """As docs/operations.md has it: without what the API server sets, and without owners."""
    kept = {key: secret["metadata"][key] for key in ("name", "namespace", "labels", "annotations")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": kept, "type": secret["type"], "data": secret["data"]}


# What cannot be made again


PRECIOUS = {
    QRN: ({"numBytes": 48}, {"random"}, "metadata"),
    QES: ({"publicKeyRef": {"name": "pair"}}, {"shared_secret", "ciphertext"}, "metadata"),
    QSKP: ({"algorithm": "ML-DSA-44"}, {"private_key", "private_key.pem", "public_key", "public_key.pem"}, "metadata"),
    QC: (CA, {"tls.key", "key.pem", "pub.pem", "tls.crt", "cert.pem", "ca.crt"}, "metadata.json"),
}


def wrong_metadata(said):
    """What may become of a metadata entry; said: what is in it."""

    def with_digests(**changed):
        return json.dumps({**said, "digests": {**said["digests"], **changed}}).encode()

    yield from (None, b"", b"{}", json.dumps(said).encode()[:-3])
    yield json.dumps({**said, "algorithm": "other"}).encode()
    yield json.dumps({**said, "fingerprint": "0" * 10}).encode()
    if "recipe" in said:
        yield with_digests(recipe="sha256:" + "0" * 64)
    if said["digests"]["inputs"]:
        yield with_digests(inputs=dict.fromkeys(said["digests"]["inputs"], "sha256:" + "0" * 64))
    yield with_digests(entries={})


@pytest.mark.parametrize("kind", PRECIOUS)
def test_trap_51_metadata_that_is_lost_or_wrong_costs_nothing(api, operator, namespace, kind):
    spec, entries, metadata = PRECIOUS[kind]
    api.make(thing(QKKP, namespace, "pair"))
    things = [thing(kind, namespace, f"it-{number}", spec) for number in range(9)]
    for made in api.make(*things):
        name, secret = made["metadata"]["name"], made["status"]["secretRef"]["name"]
        before = api.secret(namespace, secret)
        assert before.keys() == {*entries, metadata}
        changes = dict(enumerate(wrong_metadata(json.loads(before[metadata]))))
        change = changes.get(int(name.removeprefix("it-")), b"more")
        put(api, namespace, secret, {metadata: change})
        if change and b'"entries": {}' in change:
            continue  # it says less, and nothing wrong
        told(api, namespace, name, "SecretRepaired")
        found = api.wait_success(kind, namespace, name)
        after = data_of(api.output(found))
        assert {entry: after[entry] for entry in entries} == {entry: before[entry] for entry in entries}
        assert found["status"]["fingerprint"] == made["status"]["fingerprint"]
        for reason in ("SecretDamaged", "KeyReplaced", "Replaced", "SecretLost"):
            assert api.events(namespace, name, reason) == []


def test_trap_51_no_shared_secret_goes_because_of_its_metadata_while_it_has_failed(api, operator, namespace):
    """A status that says Failed, with its inputs written to meanwhile, still tells which key it was made for."""
    api.make(thing(QKKP, namespace, "pair"), thing(QES, namespace, "it", {"publicKeyRef": {"name": "pair"}}))
    before = api.secret(namespace, "it")
    put(api, namespace, "it", {"metadata": b"x"})
    told(api, namespace, "it", "SecretRepaired")
    api.wait_success(QES, namespace, "it")
    said = json.loads(api.secret(namespace, "it")["metadata"])
    said["digests"]["inputs"] = {"publicKeyRef": "sha256:" + "0" * 64}

    def spoil():
        put(api, namespace, "it", {"metadata": json.dumps(said).encode()})
        return reason_of(api.get(QES, namespace, "it")) == "SecretDamaged"

    wait_until("it comes too soon after the time before", spoil, pause=0.3)
    api.patch("Secret", namespace, "pair", {"metadata": {"labels": {"written": "to"}}})
    api.wait_success(QES, namespace, "it")
    after = api.secret(namespace, "it")
    assert {key: after[key] for key in ("shared_secret", "ciphertext")} == {
        key: before[key] for key in ("shared_secret", "ciphertext")
    }


@pytest.mark.parametrize("kind", ["ca", "leaf"])
def test_trap_51_a_certificates_key_outlives_each_other_entry(api, operator, namespace, kind):
    entries = sorted(PRECIOUS[QC][1])
    changes = [(entry, cut) for entry in entries for cut in (False, True)]
    spec = CA if kind == "ca" else LEAF
    api.make(thing(QC, namespace, "ca", CA))
    for (entry, cut), made in zip(
        changes, api.make(*(thing(QC, namespace, f"it-{number}", spec) for number in range(len(changes)))), strict=True
    ):
        name, secret = made["metadata"]["name"], made["status"]["secretRef"]["name"]
        before = api.secret(namespace, secret)
        removed = b"" if entry in ("tls.crt", "tls.key") else None  # these a Secret of this type must have
        put(api, namespace, secret, {entry: before[entry][:-40] if cut else removed})
        told(api, namespace, name, "SecretRepaired")
        found = api.wait_success(QC, namespace, name)
        after = data_of(api.output(found))
        assert {one: after[one] for one in entries} == {one: before[one] for one in entries}
        assert found["status"]["digest"] == digest(pem_body(before["cert.pem"])), "it is the same certificate"
        for reason in ("SecretDamaged", "KeyReplaced", "Replaced"):
            assert api.events(namespace, name, reason) == []


@pytest.mark.parametrize("change", [lambda content: None, flip, lambda content: b"x"], ids=["removed", "changed", "cut"])
def test_trap_51_a_ciphertext_comes_back_from_the_status(api, operator, namespace, change):
    api.make(*exchange(namespace))
    before = api.secret(namespace, "sealed")
    put(api, namespace, "sealed", {"ciphertext": change(before["ciphertext"])})
    wait_until("it is there again", lambda: api.secret(namespace, "sealed").get("ciphertext") == before["ciphertext"])
    assert api.secret(namespace, "sealed")["shared_secret"] == before["shared_secret"]
    assert api.events(namespace, "sealed", "SecretDamaged") == []


# A lost key


FAILS = {
    QRN: {"numBytes": 48},
    QKKP: {},
    QSKP: {"algorithm": "ML-DSA-44"},
    QES: {"publicKeyRef": {"name": "pair"}},
    QC: CA,
}


@pytest.mark.parametrize("kind", FAILS)
def test_a_lost_key_is_waited_for_where_the_spec_says_so(api, operator, namespace, kind):
    _, made = api.make(thing(QKKP, namespace, "pair"), thing(kind, namespace, "it", {**FAILS[kind], "onKeyLoss": "Fail"}))
    before = api.output(made)
    name = before["metadata"]["name"]
    api.delete("Secret", namespace, name)
    found = api.wait_status(kind, namespace, "it", "Failed", "KeyLost")
    assert "onKeyLoss" in found["status"]["error"] and name in found["status"]["error"]
    assert found["status"]["secretRef"] == made["status"]["secretRef"], "what is lost stays recorded"
    operator.settle()
    assert api.find("Secret", namespace, name) is None

    api.create(backup(before))
    again = api.wait_success(kind, namespace, "it")
    assert data_of(api.output(again)) == data_of(before)
    assert again["status"]["fingerprint"] == made["status"]["fingerprint"]

    key = next(iter(sorted(PRECIOUS.get(kind, PRECIOUS[QSKP])[1] & {"random", "shared_secret", "private_key", "tls.key"})))
    lost = {one: b"x" for one in data_of(before) if "priv" in one or one in ("random", "shared_secret", "tls.key", "key.pem")}
    assert key in lost
    put(api, namespace, name, lost)
    api.wait_status(kind, namespace, "it", "Failed", "KeyLost")
    operator.settle()
    assert {one: api.secret(namespace, name)[one] for one in lost} == lost, "nothing was written"

    api.patch(kind, namespace, "it", {"spec": {"onKeyLoss": "Recreate"}})
    new = api.wait_success(kind, namespace, "it")
    note = told(api, namespace, "it", "SecretDamaged")
    assert f"{made['status']['fingerprint']} was replaced by {new['status']['fingerprint']}" in note


def test_a_lost_secret_is_told_with_both_fingerprints(api, operator, namespace):
    [made] = api.make(thing(QKKP, namespace, "pair"))
    api.delete("Secret", namespace, "pair")
    wait_until("there is another key", lambda: api.get(QKKP, namespace, "pair")["status"]["digest"] != made["status"]["digest"])
    new = api.get(QKKP, namespace, "pair")
    note = told(api, namespace, "pair", "SecretLost")
    assert f"{made['status']['fingerprint']} was replaced by {new['status']['fingerprint']} (private key)" in note


def test_lost_bytes_from_a_seed_are_made_again(api, operator, namespace):
    [made] = api.make(thing(QRN, namespace, "numbers", {"seed": "00" * 48, "onKeyLoss": "Fail"}))
    before = api.secret(namespace, "numbers")
    api.delete("Secret", namespace, "numbers")
    wait_until("they are there again", lambda: api.find("Secret", namespace, "numbers"))
    api.wait_success(QRN, namespace, "numbers")
    assert api.secret(namespace, "numbers")["random"] == before["random"]
    assert made["status"]["fingerprint"] in told(api, namespace, "numbers", "SecretLost")


def test_a_cas_secret_outlives_it(api, operator, namespace):
    ca, leaf = thing(QC, namespace, "ca", CA), thing(QC, namespace, "leaf", LEAF)
    made, _ = api.make(ca, leaf)
    before = api.output(made)
    assert "ownerReferences" not in before["metadata"]
    api.delete(QC, namespace, "leaf")
    api.wait_gone("Secret", namespace, "leaf-secret")
    api.delete(QC, namespace, "ca")
    api.wait_gone(QC, namespace, "ca")
    operator.settle()
    assert api.get("Secret", namespace, "ca-secret") == before
    [again] = api.make(ca)
    assert data_of(api.output(again)) == data_of(before)
    assert again["status"]["fingerprint"] in told(api, namespace, "ca", "Adopted", "Normal")

    api.make(thing(QC, namespace, "other", {**CA, "deletionPolicy": "Delete"}))
    api.delete(QC, namespace, "other")
    api.wait_gone("Secret", namespace, "other-secret")


# Ciphertexts and keys that do not belong together


@pytest.mark.parametrize("inline", [False, True], ids=["config-map", "inline"])
def test_trap_47_a_changed_key_replaces_no_shared_secret(api, operator, namespace, tmp_path, inline):
    """A ciphertext of others says nothing of its key, and any key opens it: with the wrong one it is another secret."""
    [pair] = api.make(thing(QKKP, namespace, "pair"))
    _, ciphertext = encapsulate(tmp_path, pair["status"]["publicKeyPEM"].encode())
    api.create(config_map_thing(namespace, "theirs", binary={"c": ciphertext}))
    by_reference = {"ciphertextRef": {"name": "theirs", "kind": "ConfigMap", "key": "c"}}
    spec = {"privateKeyRef": {"name": "pair"}, **({"ciphertext": ciphertext.hex()} if inline else by_reference)}
    opened, _ = api.make(
        thing(QDS, namespace, "opened", spec), thing(QDK, namespace, "key", {"sharedSecretRef": {"name": "opened"}})
    )
    assert opened["status"]["publicKeyDigest"] == pair["status"]["digest"]
    before, key = api.get("Secret", namespace, "opened"), api.get("Secret", namespace, "key")
    api.delete("Secret", namespace, "pair")
    found = api.wait_status(QDS, namespace, "opened", "Failed", "KeyMismatch")
    now = api.wait_success(QKKP, namespace, "pair")
    assert now["status"]["digest"] in found["status"]["error"]
    api.patch(QDS, namespace, "opened", {"spec": {"secretTemplate": {"labels": {"edit": "of-something-else"}}}})
    api.wait_status(QDS, namespace, "opened", "Failed", "KeyMismatch")
    operator.settle()
    assert api.get("Secret", namespace, "opened") == before and api.get("Secret", namespace, "key") == key

    api.make(thing(QKKP, namespace, "another"))
    api.patch(QDS, namespace, "opened", {"spec": {"privateKeyRef": {"name": "another"}}})
    api.wait_success(QDS, namespace, "opened")
    assert "what spec.privateKeyRef refers to has changed" in told(api, namespace, "opened", "KeyReplaced")


def test_trap_47_a_ciphertext_for_another_key_is_refused(api, operator, namespace):
    api.make(*exchange(namespace), thing(QKKP, namespace, "another"))
    spec = {"privateKeyRef": {"name": "another"}, "ciphertextRef": {"name": "sealed"}}
    api.create(thing(QDS, namespace, "wrong", spec))
    found = api.wait_status(QDS, namespace, "wrong", "Failed", "KeyMismatch")
    for name in ("pair", "another"):
        assert api.get(QKKP, namespace, name)["status"]["digest"] in found["status"]["error"]
    assert api.find("Secret", namespace, "wrong") is None


def test_a_key_that_is_lost_takes_the_whole_exchange_along(api, operator, namespace):
    """All of it is ours, so that both sides have the same secret again, and each says what it had before."""
    things = exchange(namespace)
    made = {one["metadata"]["name"]: one for one in api.make(*things)}
    api.delete("Secret", namespace, "pair")

    def agreed():
        found = {name: api.get(one["kind"], namespace, name) for name, one in made.items()}
        fresh = all(found[name]["status"].get("fingerprint") != one["status"]["fingerprint"] for name, one in made.items())
        return fresh and all(one["status"]["status"] == "Success" for one in found.values()) and found

    found = wait_until("all are new", agreed)
    assert found["alice"]["status"]["fingerprint"] == found["bob"]["status"]["fingerprint"]
    for name in ("sealed", "opened", "alice", "bob"):
        old, new = (one[name]["status"]["fingerprint"] for one in (made, found))
        assert f"{old} was replaced by {new}" in told(api, namespace, name, "KeyReplaced")


# Whose it is


def test_trap_59_a_copied_secret_is_adopted_in_no_other_namespace(api, operator, namespace):
    [made] = api.make(thing(QKKP, namespace, "it", {"deletionPolicy": "Retain"}))
    original = api.output(made)
    other = api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]
    copy = backup(original)
    copy["metadata"]["namespace"] = other
    before = api.create(copy)
    api.create(thing(QKKP, other, "it"))
    api.wait_status(QKKP, other, "it", "Failed", "SecretConflict")
    operator.settle()
    assert api.get("Secret", other, "it") == before

    for wrong in (namespace, "true"):
        api.patch("Secret", other, "it", {"metadata": {"annotations": {"qubesec.io/restore-to": wrong}}})
        operator.settle()
        assert reason_of(api.get(QKKP, other, "it")) == "SecretConflict"
    api.patch("Secret", other, "it", {"metadata": {"annotations": {"qubesec.io/restore-to": other}}})
    restored = api.wait_success(QKKP, other, "it")
    assert restored["status"]["digest"] == made["status"]["digest"]
    assert api.output(restored)["metadata"]["annotations"]["qubesec.io/owner-namespace"] == other
    api.delete("Namespace", None, other)


# Enough bits

# Two messages whose SHA-256 begin with the same ten digits.
RELEASE, FORGED = "release 1.0 approved, build 675582", "release 6.6 by mallory, build 1732000"


def test_trap_54_a_collision_of_ten_digits_is_a_change(api, operator, namespace):
    assert fingerprint(RELEASE.encode()) == fingerprint(FORGED.encode())
    api.create(config_map_thing(namespace, "message", {"message": RELEASE}))
    reference = {"messageRef": {"name": "message", "kind": "ConfigMap"}}
    _, signed = api.make(
        thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}),
        thing(QSM, namespace, "signed", {"privateKeyRef": {"name": "signer"}, **reference}),
    )
    api.create(thing(QVS, namespace, "verified", {"publicKeyRef": {"name": "signer"}, "signatureRef": {"name": "signed"}, **reference}))
    api.wait_status(QVS, namespace, "verified", "Valid")
    api.patch("ConfigMap", namespace, "message", {"data": {"message": FORGED}})
    wait_until("it is signed anew", lambda: api.get(QSM, namespace, "signed")["status"]["digest"] != signed["status"]["digest"])
    note = told(api, namespace, "signed", "Replaced", "Normal")
    assert "what spec.messageRef refers to has changed" in note and signed["status"]["fingerprint"] in note
    signature = api.secret(namespace, "signed-signature")["signature"]
    wait_until(
        "the new signature is the one that is judged",
        lambda: api.get(QVS, namespace, "verified")["status"].get("signatureFingerprint") == fingerprint(signature),
    )
    assert api.wait_status(QVS, namespace, "verified", "Valid")["status"]["verified"] is True


def test_the_status_has_the_whole_digest_of_what_is_public(api, operator, namespace):
    api.create(config_map_thing(namespace, "message", {"message": RELEASE}))
    message = {"messageRef": {"name": "message", "kind": "ConfigMap"}}
    signing = {"privateKeyRef": {"name": "signer"}, **message}
    pair, signer, sealed, signed, certificate, opened, key, numbers = api.make(
        thing(QKKP, namespace, "pair"),
        thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}),
        thing(QES, namespace, "sealed", {"publicKeyRef": {"name": "pair"}}),
        thing(QSM, namespace, "signed", signing),
        thing(QC, namespace, "ca", CA),
        thing(QDS, namespace, "opened", {"privateKeyRef": {"name": "pair"}, "ciphertextRef": {"name": "sealed"}}),
        thing(QDK, namespace, "key", {"sharedSecretRef": {"name": "sealed"}}),
        thing(QRN, namespace, "numbers"),
    )
    api.create(thing(QVS, namespace, "verified", {"publicKeyRef": {"name": "signer"}, "signatureRef": {"name": "signed"}, **message}))
    verified = api.wait_status(QVS, namespace, "verified", "Valid")
    for one, entry in ((pair, "public_key"), (signer, "public_key"), (sealed, "ciphertext"), (signed, "signature")):
        assert one["status"]["digest"] == digest(data_of(api.output(one))[entry])
    assert certificate["status"]["digest"] == digest(pem_body(data_of(api.output(certificate))["cert.pem"]))
    assert verified["status"]["digest"] == signer["status"]["digest"]
    assert sealed["status"]["publicKeyDigest"] == opened["status"]["publicKeyDigest"] == pair["status"]["digest"]
    secret = [*data_of(api.output(numbers)).values(), data_of(api.output(key))["key"], data_of(api.output(opened))["shared_secret"]]
    secret += [data_of(api.output(signer))["private_key"], data_of(api.output(pair))["private_key"]]
    shown = json.dumps([one["status"] for one in (pair, signer, sealed, signed, certificate, opened, key, numbers, verified)])
    for content in secret:
        assert hashlib.sha256(content).hexdigest() not in shown, "of what is secret there is no whole digest"


# A verdict


def test_no_verdict_outlives_its_inputs(api, operator, namespace):
    api.create(config_map_thing(namespace, "message", {"message": RELEASE}))
    message = {"messageRef": {"name": "message", "kind": "ConfigMap"}}
    api.make(
        thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}),
        thing(QSM, namespace, "signed", {"privateKeyRef": {"name": "signer"}, **message}),
    )
    refs = {"publicKeyRef": {"name": "signer"}, "signatureRef": {"name": "signed"}, **message}
    api.create(thing(QVS, namespace, "verified", refs))
    verdict = api.wait_status(QVS, namespace, "verified", "Valid")["status"]
    common = {"status", "conditions", "observedGeneration", "lastUpdateTime", "reconcileID", "error"}
    assert verdict["verified"] is True and verdict.keys() - common

    def has_nothing(found):
        assert found["status"].keys() <= common, found["status"].keys()

    api.patch(QVS, namespace, "verified", {"spec": {"signatureRef": {"name": "absent"}}})
    has_nothing(api.wait_status(QVS, namespace, "verified", "Pending"))
    api.patch(QVS, namespace, "verified", {"spec": {"signatureRef": {"name": "signed"}}})
    assert api.wait_status(QVS, namespace, "verified", "Valid")["status"]["verified"] is True
    api.patch(QVS, namespace, "verified", {"spec": {"signatureRef": {"name": "signed", "namespace": "kube-system"}}})
    has_nothing(api.wait_status(QVS, namespace, "verified", "Failed", "AccessDenied"))
    api.patch(QVS, namespace, "verified", {"spec": {"signatureRef": {"name": "signed", "namespace": None}, "algorithm": "ML-DSA-87"}})
    has_nothing(api.wait_status(QVS, namespace, "verified", "Failed", "InvalidSpec"))


# What people add


@pytest.mark.parametrize("kind", [QKKP, QDK, QSM, QC])
def test_what_people_add_survives_every_remake(api, operator, namespace, kind):
    api.create(config_map_thing(namespace, "message", {"message": RELEASE}))
    api.create(secret_thing(namespace, "shared", {"k": bytes(32)}))
    specs = {
        QKKP: {},
        QDK: {"sharedSecretRef": {"name": "shared", "kind": "Secret", "key": "k"}},
        QSM: {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "message", "kind": "ConfigMap"}},
        QC: CA,
    }
    _, made = api.make(thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}), thing(kind, namespace, "it", specs[kind]))
    name = made["status"]["secretRef"]["name"]
    put(api, namespace, name, {"theirs": b"stays"})
    before = api.secret(namespace, name)
    if kind == QKKP:
        put(api, namespace, name, {"private_key": b"x", "private_key.pem": b"x"})
    elif kind == QDK:
        put(api, namespace, "shared", {"k": bytes(31) + b"1"})
    elif kind == QSM:
        api.patch(kind, namespace, "it", {"spec": {"signatureKey": "elsewhere"}})
    else:
        api.patch(kind, namespace, "it", {"spec": {"durationDays": 100}})

    def remade():
        found = api.get(kind, namespace, "it")
        return found["status"]["status"] == "Success" and found["status"]["fingerprint"] != made["status"]["fingerprint"]

    wait_until("it is another one", remade)
    after = api.secret(namespace, name)
    assert after["theirs"] == b"stays"
    if kind == QSM:  # our own entry of before is gone
        assert after.keys() == {"theirs", "elsewhere", "metadata"}
    else:
        assert after.keys() == before.keys()


# Roots


def test_a_root_that_is_made_anew_is_told_below_it(api, operator, namespace):
    """As a GitOps tool does it that applies the root before its Secret is there."""
    root = thing(QC, namespace, "ca", {**CA, "deletionPolicy": "Delete"})
    _, leaf = api.make(root, thing(QC, namespace, "leaf", LEAF))
    key = api.secret(namespace, "leaf-secret")["tls.key"]
    api.delete(QC, namespace, "ca")
    api.wait_gone("Secret", namespace, "ca-secret")
    api.make(root)
    note = told(api, namespace, "leaf", "KeyReplaced")
    assert "root certificate" in note and leaf["status"]["fingerprint"] in note
    assert api.secret(namespace, "leaf-secret")["tls.key"] == key


def test_an_edited_certificate_says_what_it_was(api, operator, namespace):
    [made] = api.make(thing(QC, namespace, "ca", CA))
    key = api.secret(namespace, "ca-secret")["tls.key"]
    api.patch(QC, namespace, "ca", {"spec": {"durationDays": 100}})
    note = told(api, namespace, "ca", "Replaced", "Normal")
    new = api.wait_success(QC, namespace, "ca")
    assert f"spec has changed; {made['status']['fingerprint']} was replaced by {new['status']['fingerprint']}" in note
    assert api.secret(namespace, "ca-secret")["tls.key"] == key


def test_metadata_names_full_digests_and_what_earlier_versions_read(api, operator, namespace):
    api.make(*exchange(namespace))
    secret = api.secret(namespace, "opened")
    said = json.loads(secret["metadata"])
    inputs = {"privateKeyRef": api.secret(namespace, "pair")["private_key"], "ciphertextRef": api.secret(namespace, "sealed")["ciphertext"]}
    assert said["digests"]["inputs"] == {field: digest(content) for field, content in inputs.items()}
    assert said["digests"]["entries"] == {"shared_secret": digest(secret["shared_secret"])}
    assert said["digests"]["recipe"] == digest(b"ciphertext=")
    assert said["inputs"] == {field: fingerprint(content) for field, content in inputs.items()}
    assert said["recipe"] == fingerprint(b"ciphertext=")
    assert base64.b64encode(secret["shared_secret"]).decode() not in json.dumps(said)


# What was so once


def test_an_older_certificate_that_is_restored_is_not_said_to_be_of_the_present_spec(api, operator, namespace):
    spec = {"certType": "self-signed", "algorithm": "ML-DSA-44", "subjectAltNames": ["a.example"]}
    [made] = api.make(thing(QC, namespace, "it", spec))
    older, key = backup(api.output(made)), api.secret(namespace, "it-secret")["tls.key"]
    api.patch(QC, namespace, "it", {"spec": {"subjectAltNames": ["b.example"]}})
    wait_until("it is issued anew", lambda: api.get(QC, namespace, "it")["status"]["digest"] != made["status"]["digest"])
    edited = api.wait_success(QC, namespace, "it")
    api.patch("Secret", namespace, "it-secret", {"data": older["data"]})
    fresh = wait_until(
        "it is issued anew again",
        lambda: (
            (now := api.get(QC, namespace, "it"))["status"]["digest"] not in (made["status"]["digest"], edited["status"]["digest"])
            and now["status"]["status"] == "Success"
            and now
        ),
    )
    names = openssl_text(api.secret(namespace, "it-secret")["cert.pem"])
    assert "b.example" in names and "a.example" not in names
    assert api.secret(namespace, "it-secret")["tls.key"] == key
    assert fresh["status"]["digest"] == digest(pem_body(api.secret(namespace, "it-secret")["cert.pem"]))


def openssl_text(pem):
    return subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True, check=True, timeout=60
    ).stdout.decode()


def test_trap_47_a_restored_ciphertext_is_not_said_to_be_for_the_present_key(api, operator, namespace):
    """The key pair was lost and made anew; of the exchange an older Secret is put back, which is of the old one."""
    api.make(*exchange(namespace))
    older = api.get("Secret", namespace, "sealed")
    before = api.get(QES, namespace, "sealed")["status"]
    api.delete("Secret", namespace, "pair")
    wait_until("the shared secret is another one", lambda: api.get(QES, namespace, "sealed")["status"]["fingerprint"] != before["fingerprint"])
    for name, kind in (("sealed", QES), ("opened", QDS), ("alice", QDK), ("bob", QDK)):
        api.wait_success(kind, namespace, name)
    api.patch("Secret", namespace, "sealed", {"data": older["data"]})
    operator.settle()

    def agreed():
        sealed, opened = (api.get(kind, namespace, name)["status"] for kind, name in ((QES, "sealed"), (QDS, "opened")))
        secrets = {api.secret(namespace, name)["shared_secret"] for name in ("sealed", "opened")}
        same = sealed["fingerprint"] == opened["fingerprint"] and len(secrets) == 1
        return sealed["status"] == opened["status"] == "Success" and same and sealed

    sealed = wait_until("both sides have one secret", agreed)
    assert sealed["publicKeyDigest"] == api.get(QKKP, namespace, "pair")["status"]["digest"]
    assert api.secret(namespace, "sealed")["shared_secret"] == api.secret(namespace, "opened")["shared_secret"]


# Foreign keys


@pytest.mark.parametrize("kind", ["leaf", "ca"])
def test_no_certificate_is_issued_for_a_planted_key(api, operator, namespace, kind):
    """In one form, in both; also not for a CA, whose key would be one that serves TLS."""
    spec = {"onKeyLoss": "Fail", **(CA if kind == "ca" else LEAF)}
    theirs = {"certType": "self-signed", "algorithm": "ML-DSA-44", "subjectAltNames": ["x.example"]}
    api.make(thing(QC, namespace, "ca", CA), thing(QC, namespace, "theirs", theirs))
    planted = api.secret(namespace, "theirs-secret")["tls.key"]
    for number, entries in enumerate(({"tls.key": planted, "key.pem": None}, {"tls.key": planted, "key.pem": planted})):
        name = f"it-{number}"
        [made] = api.make(thing(QC, namespace, name, spec))
        before = api.secret(namespace, f"{name}-secret")
        damaged = put(api, namespace, f"{name}-secret", entries)
        found = api.wait_status(QC, namespace, name, "Failed", "KeyMismatch")
        assert "nothing was written" in found["status"]["error"]
        operator.settle()
        assert api.get("Secret", namespace, f"{name}-secret") == damaged
        put(api, namespace, f"{name}-secret", before)
        assert api.wait_success(QC, namespace, name)["status"]["digest"] == made["status"]["digest"]


# Marks


def test_a_retained_ca_is_taken_over_although_its_issuer_was_issued_anew(api, operator, namespace):
    middle = thing(QC, namespace, "middle", {**CA, "commonName": "Middle", "parentCARef": {"name": "ca"}})
    api.make(thing(QC, namespace, "ca", CA), middle)
    key = api.secret(namespace, "middle-secret")["tls.key"]
    api.delete(QC, namespace, "middle")
    api.wait_gone(QC, namespace, "middle")
    api.patch(QC, namespace, "ca", {"spec": {"durationDays": 100}})
    told(api, namespace, "ca", "Replaced", "Normal")
    api.wait_success(QC, namespace, "ca")
    api.make(middle)
    after = api.secret(namespace, "middle-secret")
    assert after["tls.key"] == key
    assert after["ca.crt"] == api.secret(namespace, "ca-secret")["tls.crt"]


# What can be searched for, and what people have put there


@pytest.mark.parametrize("state", ["waiting", "mismatch", "denied", "invalid"])
def test_retain_holds_whatever_state_its_object_is_in(api, operator, namespace, state):
    api.make(thing(QC, namespace, "ca", CA))
    spec = {**CA, "commonName": "Middle", "deletionPolicy": "Delete", "parentCARef": {"name": "ca"}}
    api.make(thing(QC, namespace, "it", spec))
    if state == "waiting":
        api.delete("Secret", namespace, "ca-secret")
        api.patch(QC, namespace, "ca", {"spec": {"onKeyLoss": "Fail"}})
        api.patch(QC, namespace, "it", {"spec": {"parentCARef": {"name": "absent"}}})
        api.wait_status(QC, namespace, "it", "Pending")
    elif state == "mismatch":
        api.make(thing(QC, namespace, "other", CA))
        put(api, namespace, "it-secret", {"key.pem": api.secret(namespace, "other-secret")["tls.key"]})
        api.wait_status(QC, namespace, "it", "Failed", "KeyMismatch")
    elif state == "denied":
        api.patch(QC, namespace, "it", {"spec": {"parentCARef": {"name": "ca", "namespace": "kube-system"}}})
        api.wait_status(QC, namespace, "it", "Failed", "AccessDenied")
    else:
        api.patch(QC, namespace, "it", {"spec": {"subjectAltNames": ["a_b.example"]}})
        api.wait_status(QC, namespace, "it", "Failed", "InvalidSpec")
    assert api.get("Secret", namespace, "it-secret")["metadata"]["ownerReferences"]
    api.patch(QC, namespace, "it", {"spec": {"deletionPolicy": "Retain"}})
    wait_until("it has no owner", lambda: not api.get("Secret", namespace, "it-secret")["metadata"].get("ownerReferences"))
    before = api.secret(namespace, "it-secret")
    api.delete(QC, namespace, "it")
    api.wait_gone(QC, namespace, "it")
    operator.settle()
    assert api.secret(namespace, "it-secret") == before


def test_a_key_from_what_may_be_a_password_has_no_name(api, operator, namespace):
    api.create(secret_thing(namespace, "short", {"k": b"correcthorse2026"}))
    api.create(secret_thing(namespace, "long", {"k": bytes(32)}))
    short, long = api.make(
        *(thing(QDK, namespace, f"from-{name}", {"sharedSecretRef": {"name": name, "kind": "Secret", "key": "k"}}) for name in ("short", "long"))
    )
    assert "fingerprint" not in short["status"] and long["status"]["fingerprint"]
    assert fingerprint(api.secret(namespace, "from-short")["key"]) not in json.dumps(short)


def test_a_ciphertext_outlives_the_loss_of_its_secret(api, operator, namespace):
    """Whoever has the private key can have the shared secret from it."""
    spec = {"publicKeyRef": {"name": "pair"}, "onKeyLoss": "Fail"}
    _, made = api.make(thing(QKKP, namespace, "pair"), thing(QES, namespace, "it", spec))
    before = api.secret(namespace, "it")
    put(api, namespace, "it", {"shared_secret": None, "ciphertext": None})
    found = api.wait_status(QES, namespace, "it", "Failed", "KeyLost")
    assert found["status"]["ciphertext"] == made["status"]["ciphertext"]
    put(api, namespace, "it", {"shared_secret": before["shared_secret"]})
    api.wait_success(QES, namespace, "it")
    assert api.secret(namespace, "it")["ciphertext"] == before["ciphertext"]
