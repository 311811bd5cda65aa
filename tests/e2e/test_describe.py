"""kubectl describe of an object that fails tells a stranger what is wrong, of which object and field, and what to do."""

import re
import subprocess

import pytest
from api import QC, QDK, QES, QKKP, QRN, QSKP, QSM, QVS, reason_of, secret_thing, thing, wait_until
from policies import refusing_secrets


def describe(cluster, api, kind, namespace, name, reason):
    """What kubectl describe shows once the Ready condition has the reason, and its Event is there: as one line."""
    message = wait_until(
        f"{kind} {name} says {reason}", lambda: (found := api.find(kind, namespace, name)) and reason_of(found) == reason
    ) and api.get(kind, namespace, name)["status"]["conditions"][0]["message"]  # fmt: skip
    wait_until("its Event is there", lambda: api.events(namespace, name, reason))
    text = cluster.kubectl("describe", kind, name, "--namespace", namespace)
    status, _, events = text.partition("\nEvents:\n")
    line = re.sub(r"\s+", " ", status)
    assert f"Reason: {reason}" in line and "Reconcile ID:" in line
    assert re.sub(r"\s+", " ", message) in line
    assert len([one for one in events.splitlines() if f" {reason} " in one and message in one]) == 1, events
    return message


def public_pem(tmp_path, *algorithm):
    private = tmp_path / "private.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", *algorithm, "-out", private], check=True, capture_output=True)
    done = subprocess.run(["openssl", "pkey", "-in", private, "-pubout"], check=True, capture_output=True)
    return done.stdout


def peer(name, key="key"):
    return {"name": name, "kind": "Secret", "key": key}


# The object; its reason; what its message has to say: the object or field at fault, and what to do.
FAILURES = {
    "two faults of a spec": (
        (QC, {"certType": "self-signed", "commonName": "web", "subjectAltNames": ["a..b", "*.*.test"]}), "InvalidSpec",
        ["spec.subjectAltNames[0]", "a..b", "spec.subjectAltNames[1]", "*.*.test"],
    ),
    "a URL that is not allowed": (
        (QRN, {"seedURI": "https://127.0.0.1/seed"}), "InvalidSpec",
        ["spec.seedURI", "https://127.0.0.1/seed", "--seed-url-prefix"],
    ),
    "an algorithm that is not there": (
        (QSKP, {"algorithm": "Falcon512"}), "InvalidSpec", ["spec.algorithm", "Falcon512", "use ML-DSA-65"],
    ),
    "no such resource": (
        (QES, {"publicKeyRef": {"name": "absent"}}), "WaitingForQuantumKEMKeyPair",
        ["spec.publicKeyRef", "QuantumKEMKeyPair absent", "does not exist; create it, or correct the reference"],
    ),
    "a resource that has failed": (
        (QES, {"publicKeyRef": {"name": "foreign"}}), "WaitingForQuantumKEMKeyPair",
        ["spec.publicKeyRef", "QuantumKEMKeyPair foreign", "has failed (SecretConflict)", "its own status says why"],
    ),
    "no such Secret": (
        (QES, {"publicKeyRef": peer("absent")}), "WaitingForSecret",
        ["spec.publicKeyRef", "Secret absent", "does not exist; create it, or correct the reference"],
    ),
    "no such entry": (
        (QES, {"publicKeyRef": peer("foreign", "key")}), "WaitingForSecret",
        ["spec.publicKeyRef", "Secret foreign", "has no entry key; add it, or correct the reference's key"],
    ),
    "an unclear entry": (
        (QSM, {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "two"}}), "WaitingForSecret",
        ["spec.messageRef", "Secret two", "name the entry in the reference's key"],
    ),
    "another's Secret": (
        (QKKP, None, "foreign"), "SecretConflict",
        ["Secret foreign is not QubeSec's. Nothing was touched", "again with another spec.outputSecretName",
         "delete the Secret only if nobody needs it"],
    ),
    "an older object's Secret": (
        (QRN, {"outputSecretName": "pair"}), "SecretConflict",
        ["Secret pair belongs to QuantumKEMKeyPair pair. Nothing was touched", "another spec.outputSecretName",
         "delete the Secret only if nobody needs it"],
    ),
    "another namespace": (
        (QES, {"publicKeyRef": {"name": "pair", "namespace": "default"}}), "AccessDenied", ["spec.publicKeyRef", "default"],
    ),
    "a PEM of another algorithm": (
        (QES, {"algorithm": "ML-KEM-768", "publicKeyRef": peer("kem512")}), "InvalidSpec",
        ["spec.publicKeyRef", "Secret kem512, entry key", "of ML-KEM-512, ML-KEM-768 is wanted",
         "put it right there, or refer to another object"],
    ),
    "a PEM of no KEM": (
        (QES, {"publicKeyRef": peer("curve")}), "InvalidSpec",
        ["spec.publicKeyRef", "Secret curve, entry key", "not a public key of any KEM", "refer to another object"],
    ),
    "a public key to verify with that is none": (
        (QVS, {"publicKeyRef": peer("two", "a"), "messageRef": {"name": "foreign"}, "signatureRef": {"name": "two", "key": "a"}}),
        "InvalidSpec", ["spec.publicKeyRef", "Secret two, entry a", "not a public key", "refer to another object"],
    ),
    "a secret that is too short": (
        (QDK, {"sharedSecretRef": peer("two", "a")}), "InvalidSpec",
        ["spec.sharedSecretRef", "Secret two, entry a", "has 1 bytes; at least 16", "refer to another object"],
    ),
    "a key pair of another algorithm": (
        (QES, {"algorithm": "ML-KEM-1024", "publicKeyRef": {"name": "pair"}}), "InvalidSpec",
        ["spec.algorithm", "ML-KEM-1024", "spec.publicKeyRef", "ML-KEM-768", "leave spec.algorithm out"],
    ),
    "an issuer that may not": (
        (QC, {"certType": "ca", "commonName": "below", "parentCARef": {"name": "ca"}}), "InvalidSpec",
        ["spec.parentCARef", "QuantumCertificate ca", "pathLen 0", "refer to another object"],
    ),
    "a certificate of itself": (
        (QC, {"certType": "ca", "commonName": "it", "parentCARef": {"name": "it"}}), "InvalidSpec",
        ["spec.parentCARef", "QuantumCertificate it", "back to itself; refer to another one"],
    ),
    "an output that is its own input": (
        (QES, {"publicKeyRef": peer("it")}), "InvalidSpec",
        ["spec.publicKeyRef", "Secret it", "own output; refer to another one, or choose another spec.outputSecretName"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def crowd(api, operators, tmp_path_factory):
    """A namespace with what the failures refer to."""
    operators.default()
    space = api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]
    folder = tmp_path_factory.mktemp("keys")
    secrets = {
        "foreign": {"message": b"somebody's"},
        "two": {"a": b"1", "b": b"2"},
        "kem512": {"key": public_pem(folder, "ML-KEM-512")},
        "curve": {"key": public_pem(folder, "EC", "-pkeyopt", "ec_paramgen_curve:P-256")},
    }
    for name, data in secrets.items():
        api.create(secret_thing(space, name, data))
    api.make(
        thing(QKKP, space, "pair"), thing(QSKP, space, "signer"),
        thing(QC, space, "ca", {"certType": "ca", "commonName": "ca", "pathLen": 0}),
    )  # fmt: skip
    api.create(thing(QKKP, space, "foreign"))
    api.wait_status(QKKP, space, "foreign", "Failed", "SecretConflict")
    return space


@pytest.mark.parametrize("what, reason, said", FAILURES.values(), ids=FAILURES)
def test_a_failure_is_explained(cluster, api, operators, crowd, what, reason, said):
    operators.default()
    kind, spec, name = (*what, "it")[:3]
    if api.find(kind, crowd, name) is None:
        api.create(thing(kind, crowd, name, spec))
    try:
        message = describe(cluster, api, kind, crowd, name, reason)
        assert [part for part in said if part not in message] == [], message
    finally:
        if name == "it":
            api.delete(kind, crowd, name)
            api.wait_gone(kind, crowd, name)


def quota(api, namespace):
    """No further Secret; what the quota controller, which does not run here, would have counted is said."""
    path, hard = f"/api/v1/namespaces/{namespace}/resourcequotas", {"count/secrets": "0"}
    api.call("POST", path, {"metadata": {"name": "few"}, "spec": {"hard": hard}})
    api.call("PATCH", f"{path}/few/status", {"status": {"hard": hard, "used": hard}}, "application/merge-patch+json")


def test_a_quota_is_explained(cluster, api, operator, namespace):
    quota(api, namespace)
    api.create(thing(QRN, namespace, "numbers"))
    message = describe(cluster, api, QRN, namespace, "numbers", "RequestRefused")
    assert "writing Secret numbers" in message and "exceeded quota: few" in message


def test_a_policy_is_explained(cluster, api, operator, namespace):
    with refusing_secrets(api, namespace):
        api.create(thing(QRN, namespace, "numbers"))
        message = describe(cluster, api, QRN, namespace, "numbers", "RequestRefused")
        assert "writing Secret numbers" in message and "no Secrets today" in message


def test_a_fight_over_a_secret_is_explained(cluster, api, operator, namespace):
    api.make(thing(QKKP, namespace, "pair"))

    def spoil():
        api.patch("Secret", namespace, "pair", {"data": {"private_key": "AAAA"}})
        return reason_of(api.get(QKKP, namespace, "pair")) == "SecretDamaged"

    wait_until("repairs slow down", spoil, pause=0.3)
    message = describe(cluster, api, QKKP, namespace, "pair", "SecretDamaged")
    for part in ("Secret pair", "damaged again", "put right later", "metadata.managedFields", "private_key"):
        assert part in message, message
