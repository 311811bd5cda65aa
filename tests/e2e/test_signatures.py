"""Signature key pairs, signatures and their verification, judged by the openssl command as well."""

import base64
import json

import pytest
from api import (
    QC,
    QSKP,
    QSM,
    QVS,
    ApiError,
    config_map_thing,
    data_of,
    ready_of,
    secret_thing,
    thing,
    version_of,
    wait_until,
)
from crypto import digest, fingerprint, generate, openssl, pem_body

SIZES = {"ML-DSA-44": (1312, 2560, 2420), "ML-DSA-65": (1952, 4032, 3309), "ML-DSA-87": (2592, 4896, 4627)}
SIZES |= {
    f"SLH-DSA-{name}-{8 * n}{form}": (2 * n, 4 * n, size)
    for name in ("SHA2", "SHAKE")
    for n, form, size in (
        (16, "s", 7856), (16, "f", 17088), (24, "s", 16224), (24, "f", 35664), (32, "s", 29792), (32, "f", 49856),
    )
}  # fmt: skip
ALIASES = {
    "Dilithium2": "ML-DSA-44",
    "Dilithium3": "ML-DSA-65",
    "Dilithium5": "ML-DSA-87",
    "CRYSTALS-Dilithium2": "ML-DSA-44",
    "CRYSTALS-Dilithium3": "ML-DSA-65",
    "CRYSTALS-Dilithium5": "ML-DSA-87",
} | {
    f"SPHINCS+-{name}-{size}{form}-simple": f"SLH-DSA-{name}-{size}{form}"
    for name in ("SHA2", "SHAKE")
    for size in (128, 192, 256)
    for form in "sf"
}
MESSAGE = b"a message that is long enough to be named"
SHORT, LONG = b"31 bytes in all, not one more.\n", b"32 bytes in all, and no more..\n\n"  # of a Secret only the long one is named


def verify(folder, public_pem, message, signature, context=b""):
    """Raises AssertionError unless the openssl command accepts the signature."""
    more = ("-pkeyopt", f"hexcontext-string:{context.hex()}") if context else ()
    arguments = ("-verify", "-rawin", "-pubin", "-inkey", "public.pem", "-in", "message", "-sigfile", "signature", *more)
    openssl(folder, "pkeyutl", *arguments, public_pem=public_pem, message=message, signature=signature)


def sign(folder, private_pem, message):
    arguments = ("-sign", "-rawin", "-inkey", "key.pem", "-in", "message")
    return openssl(folder, "pkeyutl", *arguments, key_pem=private_pem, message=message)


def signing(namespace, name="signed", **spec):
    return thing(QSM, namespace, name, {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "message"}, **spec})


def verifying(namespace, name="verified", **spec):
    refs = {"publicKeyRef": {"name": "signer"}, "messageRef": {"name": "message"}, "signatureRef": {"name": "signed"}}
    return thing(QVS, namespace, name, {**refs, **spec})


@pytest.fixture
def signed(api, operator, namespace):
    """A message, its signature, and the judgement that it is valid."""
    api.create(secret_thing(namespace, "message", {"message": MESSAGE}))
    api.make(thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}), signing(namespace))
    api.create(verifying(namespace))
    api.wait_status(QVS, namespace, "verified", "Valid", "SignatureValid")
    return namespace


@pytest.mark.parametrize("algorithm", SIZES)
def test_key_pairs_and_signatures(api, operator, namespace, algorithm, tmp_path):
    public_size, private_size, signature_size = SIZES[algorithm]
    api.create(secret_thing(namespace, "message", {"message": MESSAGE}))
    pair, signature = api.make(
        thing(QSKP, namespace, "signer", {"algorithm": algorithm}), signing(namespace, context="a context")
    )
    made = api.secret(namespace, "signer")
    assert made.keys() == {"public_key", "private_key", "public_key.pem", "private_key.pem", "metadata"}
    assert (len(made["public_key"]), len(made["private_key"])) == (public_size, private_size)
    assert pem_body(made["public_key.pem"]).endswith(made["public_key"])
    assert openssl(tmp_path, "pkey", "-in", "key.pem", "-pubout", key_pem=made["private_key.pem"]) == made["public_key.pem"]
    if algorithm.startswith("ML-DSA"):
        assert len(made["private_key.pem"]) == 128 and len(pem_body(made["private_key.pem"])) == 54  # the seed alone
    assert pair["status"]["fingerprint"] == fingerprint(made["public_key"])
    assert pair["status"]["digest"] == digest(made["public_key"])
    assert pair["status"]["publicKeyPEM"].encode() == made["public_key.pem"]
    assert pair["status"]["algorithm"] == signature["status"]["algorithm"] == algorithm
    content = api.secret(namespace, "signed-signature")["signature"]
    assert len(content) == signature_size
    verify(tmp_path, made["public_key.pem"], MESSAGE, content, b"a context")
    status = signature["status"]
    assert base64.b64decode(status["signature"]) == content
    assert status["fingerprint"] == fingerprint(content) and status["messageFingerprint"] == fingerprint(MESSAGE)
    assert status["digest"] == digest(content)
    assert status["signatureReference"] == {"name": "signed-signature", "key": "signature"}


@pytest.mark.parametrize("alias", ALIASES)
def test_aliases(api, operator, namespace, alias):
    [pair] = api.make(thing(QSKP, namespace, "pair", {"algorithm": alias}))
    assert pair["status"]["algorithm"] == ALIASES[alias]
    before = version_of(api.output(pair))
    api.patch(QSKP, namespace, "pair", {"spec": {"algorithm": ALIASES[alias]}})
    assert version_of(api.output(api.wait_success(QSKP, namespace, "pair"))) == before
    with pytest.raises(ApiError, match="immutable"):
        api.patch(QSKP, namespace, "pair", {"spec": {"algorithm": "SLH-DSA-SHA2-128f" if "Dilithium" in alias else "ML-DSA-44"}})


@pytest.mark.parametrize("algorithm, instead", [("Falcon512", "ML-DSA-65"), ("Falcon-1024", "ML-DSA-87")])
def test_falcon_is_refused_with_a_hint(api, operator, namespace, algorithm, instead):
    api.create(thing(QSKP, namespace, "pair", {"algorithm": algorithm}))
    failed = api.wait_status(QSKP, namespace, "pair", "Failed", "InvalidSpec")
    assert "provider" in failed["status"]["error"] and instead in failed["status"]["error"]


def test_signing_again_is_another_signature(api, signed):
    """Hedged; and a Secret that is damaged is told of."""
    before = api.secret(signed, "signed-signature")["signature"]
    api.delete("Secret", signed, "signed-signature")
    wait_until("it is signed again", lambda: api.find("Secret", signed, "signed-signature"))
    assert api.secret(signed, "signed-signature")["signature"] != before
    wait_until("the new one is judged", lambda: judged(api, signed)["signatureFingerprint"] != fingerprint(before))
    assert judged(api, signed)["verified"] is True


def judged(api, namespace, name="verified"):
    return api.get(QVS, namespace, name).get("status", {})


MESSAGES = {
    "Secret, message": (secret_thing, {"message": b"one", "content": b"two"}, {}, b"one"),
    "Secret, content": (secret_thing, {"other": b"one", "content": b"two"}, {}, b"two"),
    "Secret, the only one": (secret_thing, {"what": b"three"}, {}, b"three"),
    "Secret, chosen": (secret_thing, {"message": b"one", "other": b"four"}, {"messageKey": "other"}, b"four"),
    "Secret, empty": (secret_thing, {"message": b""}, {}, b""),
    "Secret, 1 MiB": (secret_thing, {"m": bytes(range(256)) * 4096}, {}, bytes(range(256)) * 4096),
    "ConfigMap, text": (config_map_thing, {"message": "täxt"}, {}, "täxt".encode()),
    "ConfigMap, chosen": (config_map_thing, {"a": "1", "b": "2"}, {"messageRef": {"name": "message", "kind": "ConfigMap", "key": "b"}}, b"2"),
}  # fmt: skip


@pytest.mark.parametrize("make, data, spec, message", MESSAGES.values(), ids=MESSAGES)
def test_messages(api, operator, namespace, make, data, spec, message, tmp_path):
    api.create(make(namespace, "message", data))
    kind = "ConfigMap" if make is config_map_thing else "Secret"
    spec = {"messageRef": {"name": "message", "kind": kind}, **spec}
    api.make(thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}), signing(namespace, **spec))
    public = api.secret(namespace, "signer")["public_key.pem"]
    if message:  # of which openssl's command cannot be asked
        verify(tmp_path, public, message, api.secret(namespace, "signed-signature")["signature"])
    api.create(verifying(namespace, **spec))
    found = api.wait_status(QVS, namespace, "verified", "Valid")
    is_named = kind == "ConfigMap" or len(message) >= 32
    for status in (found["status"], api.get(QSM, namespace, "signed")["status"]):
        assert status.get("messageFingerprint") == (fingerprint(message) if is_named else None)


@pytest.mark.parametrize(
    "make, message, is_named",
    [(secret_thing, SHORT, False), (secret_thing, LONG, True), (config_map_thing, SHORT, True), (config_map_thing, LONG, True)],
    ids=["Secret-31", "Secret-32", "ConfigMap-31", "ConfigMap-32"],
)
def test_a_message_that_could_be_searched_for_is_not_named(api, operator, namespace, make, message, is_named):
    """Whoever may read a status could try passwords against the fingerprint of one."""
    assert (len(SHORT), len(LONG)) == (31, 32)
    api.create(make(namespace, "message", {"message": message.decode() if make is config_map_thing else message}))
    spec = {"messageRef": {"name": "message", "kind": "ConfigMap" if make is config_map_thing else "Secret"}}
    api.make(thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}), signing(namespace, **spec))
    api.create(verifying(namespace, **spec))
    api.wait_status(QVS, namespace, "verified", "Valid")
    for kind, name in ((QSM, "signed"), (QVS, "verified")):
        status = api.get(kind, namespace, name)["status"]
        assert status.get("messageFingerprint") == (fingerprint(message) if is_named else None)
        assert (fingerprint(message) in json.dumps(status)) == is_named


def test_binary_data_of_a_config_map(api, operator, namespace, tmp_path):
    api.create(config_map_thing(namespace, "message", binary={"message": b"\xff\x00"}))
    spec = {"messageRef": {"name": "message", "kind": "ConfigMap"}}
    api.make(thing(QSKP, namespace, "signer"), signing(namespace, **spec))
    public = api.secret(namespace, "signer")["public_key.pem"]
    verify(tmp_path, public, b"\xff\x00", api.secret(namespace, "signed-signature")["signature"])


def test_a_message_that_is_not_clear_is_waited_for(api, operator, namespace, tmp_path):
    api.create(secret_thing(namespace, "message", {"a": b"1", "b": b"2"}))
    api.create(thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}))
    api.create(signing(namespace))
    api.wait_status(QSM, namespace, "signed", "Pending", "WaitingForSecret")
    api.patch("Secret", namespace, "message", {"data": {"message": base64.b64encode(MESSAGE).decode()}})
    api.wait_success(QSM, namespace, "signed")
    public = api.secret(namespace, "signer")["public_key.pem"]
    verify(tmp_path, public, MESSAGE, api.secret(namespace, "signed-signature")["signature"])


def test_a_changed_message_is_signed_and_judged_again(api, signed):
    for text in (MESSAGE + b", another", MESSAGE + b", and another"):
        api.patch("Secret", signed, "message", {"data": {"message": base64.b64encode(text).decode()}})
        wait_until(
            "both say so",
            lambda text=text: judged(api, signed).get("messageFingerprint")
            == api.get(QSM, signed, "signed")["status"]["messageFingerprint"]
            == fingerprint(text)
            and judged(api, signed)["status"] == "Valid",
        )


def test_a_changed_key_is_taken_up(api, signed):
    before = judged(api, signed)
    api.delete("Secret", signed, "signer")
    wait_until(
        "all is made with the new key",
        lambda: judged(api, signed).get("publicKeyFingerprint") not in (None, before["publicKeyFingerprint"])
        and judged(api, signed)["status"] == "Valid",
    )


def test_the_key_of_the_signature_entry(api, signed):
    api.patch(QSM, signed, "signed", {"spec": {"signatureKey": "sig"}})
    found = api.wait_success(QSM, signed, "signed")
    assert found["status"]["signatureReference"]["key"] == found["status"]["secretRef"]["key"] == "sig"
    assert api.secret(signed, "signed-signature").keys() == {"sig", "metadata"}
    assert api.events(signed, "signed", "SecretDamaged") == []
    content = api.secret(signed, "signed-signature")["sig"]
    wait_until("it is judged", lambda: judged(api, signed)["signatureFingerprint"] == fingerprint(content))
    assert judged(api, signed)["status"] == "Valid"


# ---- verification of what others made, and what is wrong in different ways


def in_config_map(api, namespace, name, key, content):
    api.create(config_map_thing(namespace, name, binary={key: content}))
    return {"kind": "ConfigMap", "name": name, "key": key}


def in_secret(api, namespace, name, key, content):
    api.create(secret_thing(namespace, name, {key: content}))
    return {"kind": "Secret", "name": name, "key": key}


def certificate_of(folder, private_pem):
    return openssl(folder, "req", "-x509", "-key", "key.pem", "-subj", "/CN=peer", key_pem=private_pem)


FORMS = {
    "PEM": lambda folder, private, public: public,
    "DER": lambda folder, private, public: pem_body(public),
    "raw": lambda folder, private, public: pem_body(public)[-1952:],
    "base64": lambda folder, private, public: base64.encodebytes(pem_body(public)[-1952:]),
    "certificate": lambda folder, private, public: certificate_of(folder, private),
}


@pytest.mark.parametrize("source", [in_config_map, in_secret])
@pytest.mark.parametrize("form", FORMS)
def test_a_peers_signature(api, operator, namespace, source, form, tmp_path):
    private, public = generate(tmp_path, "ML-DSA-65")
    signature = sign(tmp_path, private, MESSAGE)
    api.create(secret_thing(namespace, "message", {"message": MESSAGE}))
    key = source(api, namespace, "key", "public", FORMS[form](tmp_path, private, public))
    given = source(api, namespace, "signature", "signature", signature)
    del given["key"]  # which is the usual one
    api.create(verifying(namespace, publicKeyRef=key, signatureRef=given))
    found = api.wait_status(QVS, namespace, "verified", "Valid")
    assert found["status"]["algorithm"] == "ML-DSA-65"
    assert found["status"]["publicKeyFingerprint"] == fingerprint(pem_body(public)[-1952:])
    assert found["status"]["digest"] == digest(pem_body(public)[-1952:])


def test_a_signature_reference_without_a_kind(api, operator, namespace, tmp_path):
    """It may be a Secret, where there is no QuantumSignMessage of the name; signatureKey names its entry."""
    private, public = generate(tmp_path, "ML-DSA-44")
    api.create(secret_thing(namespace, "message", {"message": MESSAGE}))
    api.create(secret_thing(namespace, "given", {"a": b"", "b": sign(tmp_path, private, MESSAGE).hex().encode()}))
    key = in_config_map(api, namespace, "key", "public", public)
    api.create(verifying(namespace, publicKeyRef=key, signatureRef={"name": "given"}, signatureKey="b"))
    api.wait_status(QVS, namespace, "verified", "Valid")


def test_a_key_of_a_certificate(api, operator, namespace, tmp_path):
    api.make(thing(QC, namespace, "cert", {"commonName": "signer", "algorithm": "ML-DSA-87"}))
    api.create(secret_thing(namespace, "message", {"message": MESSAGE}))
    signature = sign(tmp_path, api.secret(namespace, "cert-secret")["tls.key"], MESSAGE)
    given = in_secret(api, namespace, "signature", "signature", signature)
    api.create(verifying(namespace, publicKeyRef={"kind": QC, "name": "cert"}, signatureRef=given))
    api.wait_status(QVS, namespace, "verified", "Valid")


def test_a_raw_slh_dsa_key_needs_the_algorithm(api, operator, namespace, tmp_path):
    private, public = generate(tmp_path, "SLH-DSA-SHA2-128f")
    api.create(secret_thing(namespace, "message", {"message": MESSAGE}))
    key = in_secret(api, namespace, "key", "public", pem_body(public)[-32:])
    given = in_secret(api, namespace, "signature", "signature", sign(tmp_path, private, MESSAGE))
    api.create(verifying(namespace, publicKeyRef=key, signatureRef=given))
    failed = api.wait_status(QVS, namespace, "verified", "Failed", "InvalidSpec")
    assert "name the algorithm" in failed["status"]["error"]
    api.patch(QVS, namespace, "verified", {"spec": {"algorithm": "SPHINCS+-SHA2-128f-simple"}})
    api.wait_status(QVS, namespace, "verified", "Valid")


def test_a_wrong_signature_is_invalid_and_ready(api, signed):
    right = api.secret(signed, "signed-signature")["signature"]
    wrong = right[:100] + bytes([right[100] ^ 1]) + right[101:]
    given = in_secret(api, signed, "given", "signature", wrong)
    api.patch(QVS, signed, "verified", {"spec": {"signatureRef": given}})
    found = api.wait_status(QVS, signed, "verified", "Invalid", "SignatureInvalid")
    assert found["status"]["verified"] is False and ready_of(found)["status"] == "True"
    assert found["status"]["signatureFingerprint"] == fingerprint(wrong)
    wait_until("an Event warns", lambda: api.events(signed, "verified", "SignatureInvalid"))
    assert api.wait_event(signed, "verified", "SignatureInvalid")["type"] == "Warning"
    api.patch("Secret", signed, "given", {"data": {"signature": base64.b64encode(right).decode()}})
    assert api.wait_status(QVS, signed, "verified", "Valid")["status"]["verified"] is True
    api.patch(QVS, signed, "verified", {"spec": {"context": "another"}})
    api.wait_status(QVS, signed, "verified", "Invalid")


def test_faults_are_told_apart(api, signed):
    api.make(thing(QSKP, signed, "other", {"algorithm": "ML-DSA-65"}))
    short = in_secret(api, signed, "short", "signature", b"too short")
    cases = {
        "short": ({"signatureRef": short}, "a signature of ML-DSA-44 has 2420 bytes"),
        "algorithm": ({"publicKeyRef": {"name": "other"}}, "spec.signatureRef is of ML-DSA-44, and spec.publicKeyRef of ML-DSA-65"),
        "wanted": ({"algorithm": "ML-DSA-87"}, "spec.algorithm: ML-DSA-87 does not match spec.publicKeyRef"),
        "nokey": ({"publicKeyRef": short}, "not a public key"),
    }  # fmt: skip
    for name, (spec, message) in cases.items():
        api.create(verifying(signed, name, **spec))
        failed = api.wait_status(QVS, signed, name, "Failed", "InvalidSpec")
        assert message in failed["status"]["error"] and "verified" not in failed["status"]
    api.create(verifying(signed, "missing", publicKeyRef={"name": "nobody"}))
    api.wait_status(QVS, signed, "missing", "Pending", "WaitingForQuantumSignatureKeyPair")
    api.create(signing(signed, "mismatch", algorithm="ML-DSA-87"))
    api.wait_status(QSM, signed, "mismatch", "Failed", "InvalidSpec")


def test_nothing_more_happens(api, operators, signed):
    """A judgement that stands is not written again, nor after a restart."""
    before = [api.get(kind, signed, name) for kind, name in ((QSKP, "signer"), (QSM, "signed"), (QVS, "verified"))]
    operators.stop()
    operators.default().settle()
    assert [api.get(one["kind"], signed, one["metadata"]["name"]) for one in before] == before
    assert data_of(api.get("Secret", signed, "signed-signature")).keys() == {"signature", "metadata"}


def test_a_verification_makes_no_secret(api, signed):
    names = {one["metadata"]["name"] for one in api.list("Secret", signed)}
    assert names == {"message", "signer", "signed-signature"}
    assert "secretRef" not in judged(api, signed)


def test_slow_work_holds_up_nothing_else(api, operators, namespace):
    """Of two workers one makes the slow signatures of a tenant; the other one has made another tenant's long before.

    Namespaces take turns: if both workers made slow ones, these would all have been begun before the last quick one.
    """
    slow, number, quick = "SLH-DSA-SHAKE-192s", 8, 10
    there = api.create({"kind": "Namespace", "metadata": {"generateName": "there-"}})["metadata"]["name"]
    operators.start("--workers", "2").wait_ready()
    for place, algorithm in ((namespace, slow), (there, "ML-DSA-44")):
        api.create(secret_thing(place, "message", {"message": MESSAGE}))
        api.make(thing(QSKP, place, "signer", {"algorithm": algorithm}))
    for index in range(number):
        api.create(signing(namespace, f"slow-{index}"))
    wait_until("slow work has begun", lambda: api.find("Secret", namespace, "slow-0-signature"))
    for index in range(quick):
        api.create(signing(there, f"quick-{index}"))
    for index in range(quick):
        api.wait_success(QSM, there, f"quick-{index}")
    pending = [index for index in range(number) if not api.get(QSM, namespace, f"slow-{index}").get("status", {}).get("signature")]
    assert len(pending) > 1, "the slow ones did not wait for each other"
    for index in range(number):
        api.delete(QSM, namespace, f"slow-{index}")


def test_bad_specs(api, operator, namespace):
    refused = {
        "context": (signing(namespace, context="ü" * 128), "255 bytes"),
        "keys": (signing(namespace, messageRef={"name": "m", "key": "a"}, messageKey="b"), "two names of one field"),
        "metadata": (signing(namespace, signatureKey="metadata"), "must not be metadata"),
        "kind": (signing(namespace, messageRef={"name": "m", "kind": "Pod"}), "Unsupported value"),
        "algorithm": (thing(QSKP, namespace, "x", {"algorithm": "RSA"}), "spec.algorithm must be ML-DSA-44, ML-DSA-65, ML-DSA-87, SLH-DSA-SHA2-128s"),
        "name": (signing(namespace, "n" * 244), "metadata.name has more than 243"),
        "qvs": (verifying(namespace, publicKeyRef={"kind": "Secret", "name": "x"}), "key is required"),
    }
    for one, message in refused.values():
        with pytest.raises(ApiError, match=message):
            api.create(one)
