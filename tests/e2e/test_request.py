"""What people ask for at a desk: qubesec renew and qubesec rotate."""

import subprocess

import pytest
from api import QC, QKKP, QRN, thing, wait_until
from fixtures import BINARY
from test_certificates import certificate


def ask(cluster, *words):
    command = [BINARY, *words, "--kubeconfig", cluster.folder / "admin.kubeconfig"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def wait_answered(api, kind, namespace, name, annotation, field):
    def answered():
        found = api.get(kind, namespace, name)
        text = found["metadata"]["annotations"][annotation]
        return found if found["status"].get(field) == text else None

    return wait_until("the request is answered", answered)


def test_renewal_on_request(api, cluster, operator, namespace):
    """By each name that kubectl has for it; the guide for those who come from cert-manager renews one more."""
    [first] = api.make(certificate(namespace, "asked", domain="a.example"))
    done = ask(cluster, "renew", "quantumcertificate.qubesec.io/asked", "-n", namespace)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"QuantumCertificate {namespace}/asked: asked to be renewed; it is when status.lastRenewRequest is 20")
    after = wait_answered(api, QC, namespace, "asked", "qubesec.io/renew", "lastRenewRequest")
    assert after["status"]["serialNumber"] != first["status"]["serialNumber"]
    assert after["status"]["publicKeyPEM"] == first["status"]["publicKeyPEM"]
    api.wait_event(namespace, "asked", "Renewed")


@pytest.mark.parametrize("kind, word", [(QKKP, "qkkp"), (QRN, "QuantumRandomNumbers.qubesec.io")], ids=["key", "number"])
def test_rotation_on_request(api, cluster, operator, namespace, kind, word):
    """Without a schedule: it is made once more, and what there was stays beside it."""
    [first] = api.make(thing(kind, namespace, "asked"))
    before = api.secret(namespace, first["status"]["secretRef"]["name"])
    done = ask(cluster, "rotate", f"{word}/asked", "-n", namespace)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{kind} {namespace}/asked: asked to be rotated; it is when status.lastRotateRequest is 20")
    after = wait_answered(api, kind, namespace, "asked", "qubesec.io/rotate", "lastRotateRequest")
    assert (first["status"]["version"], after["status"]["version"]) == (1, 2)
    now = api.secret(namespace, first["status"]["secretRef"]["name"])
    secret = "private_key" if kind == QKKP else "random"
    assert now[secret] != before[secret] and now[f"{secret}.1"] == before[secret]
    api.wait_event(namespace, "asked", "Rotated")


@pytest.mark.parametrize(
    "words, status, said",
    [
        (("renew",), 2, "what to renew is missing; name it first: qubesec renew qc/web"),
        (("rotate",), 2, "what to rotate is missing; name it first: qubesec rotate qkkp/web"),
        (("renew", "qc"), 2, "qc is not KIND/NAME, such as qc/web"),
        (("rotate", "qkkp/"), 2, "qkkp/ is not KIND/NAME, such as qkkp/web"),
        (("renew", "pod/a"), 2, "pod is no kind of qubesec.io"),
        (("rotate", "pod/a"), 2, "pod is no kind of qubesec.io"),
        (("renew", "QuantumKEMKeyPair/a"), 2, "a QuantumKEMKeyPair is not renewed but rotated: qubesec rotate qkkp/a"),
        (("rotate", "quantumcertificates/absent"), 1, "not found"),  # which may be a root CA
        (("renew", "qds/a"), 2, "a QuantumDecapsulateSecret is made anew with what it is made from, and not by itself: rotate that"),
        (("rotate", "qdk/a"), 2, "a QuantumDerivedKey is made anew with what it is made from, and not by itself: rotate that"),
        (("renew", "qsm/a"), 2, "a QuantumSignMessage is never made anew on request; for another one create a resource of another name"),
        (("rotate", "qvs/a"), 2, "a QuantumVerifySignature is never made anew on request; for another one create a resource of another name"),
        (("renew", "QC/absent"), 1, "not found"),
        (("rotate", "QSKP/absent"), 1, "not found"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_for(cluster, words, status, said):
    done = ask(cluster, *words)
    assert (done.returncode, done.stdout) == (status, "") and said in done.stderr, done.stderr
