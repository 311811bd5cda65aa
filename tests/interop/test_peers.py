"""Keys, signatures and chains that the operator made, given to other people's software, and theirs to the operator."""

import base64
import hashlib

import pytest
from api import QC, QKKP, QSKP, QSM, QVS, secret_thing, thing
from openssl import OpenSSL, run
from peers import GO, JAVA, PYTHON
from table import Table

ML_DSA = [f"ML-DSA-{size}" for size in (44, 65, 87)]
SLH_DSA = [f"SLH-DSA-{name}-{size}{form}" for name in ("SHA2", "SHAKE") for size in (128, 192, 256) for form in "sf"]
ML_KEM = [f"ML-KEM-{size}" for size in (512, 768, 1024)]
SIGNATURES = ML_DSA + SLH_DSA
PEERS = [OpenSSL(), GO, JAVA, PYTHON]
MESSAGE, CONTEXT, HOST = b"what is signed\x00\xff", b"qubesec", b"localhost"
# Names of every form that is accepted, and what a client reads.
NAMES = {
    "a.example": "DNS:a.example",
    "A.B-C.Example": "DNS:a.b-c.example",
    "localhost": "DNS:localhost",
    "*.b.example": "DNS:*.b.example",
    "3com.example": "DNS:3com.example",
    "bücher.example": "DNS:xn--bcher-kva.example",
    "*.bücher.example": "DNS:*.xn--bcher-kva.example",
    "a" * 63 + "." + "b" * 63 + "." + "c" * 63 + "." + "d" * 61: None,
    "DNS:0x1.example": "DNS:0x1.example",
    "192.0.2.1": "IP:192.0.2.1",
    "255.255.255.255": "IP:255.255.255.255",
    "2001:DB8:0:0::1": "IP:2001:db8::1",
    "::": "IP:::",
    "::1": "IP:::1",
    "fe80::1": "IP:fe80::1",
    "::192.0.2.1": "IP:::c000:201",
    "me@example.com": "email:me@example.com",
    "First.Last+tag!#$%&'*/=?^_`{|}~-@EXAMPLE.com": "email:First.Last+tag!#$%&'*/=?^_`{|}~-@example.com",
    "me@bücher.example": "email:me@xn--bcher-kva.example",
    "spiffe://example.com/workload": "URI:spiffe://example.com/workload",
    "HTTPS://EXAMPLE.com/": "URI:https://example.com/",
    "https://example.com:8443/Path?q=1#f": "URI:https://example.com:8443/Path?q=1#f",
    "https://example.com:": "URI:https://example.com:",
    "https://user:p%20w@bücher.example/a%2Fb": "URI:https://user:p%20w@xn--bcher-kva.example/a%2Fb",
    "https://a.b.c.example?q": "URI:https://a.b.c.example?q",
    "https://192.0.2.1/": "URI:https://192.0.2.1/",
    "https://[2001:db8::1]:8443/": "URI:https://[2001:db8::1]:8443/",
    "https://[::ffff:192.0.2.1]/": "URI:https://[::ffff:192.0.2.1]/",
    "feed://face.example": "URI:feed://face.example",
    "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6": "URI:urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
    "urn:8443:a": "URI:urn:8443:a",
    "tag:example.com,2026:a": "URI:tag:example.com,2026:a",
    "mailto:me@example.com": "URI:mailto:me@example.com",
    "tel:+49-30-1": "URI:tel:+49-30-1",
    "a:/b//c;d=e,f?g/?#h/?": "URI:a:/b//c;d=e,f?g/?#h/?",
    "a:%41%ff": "URI:a:%41%ff",
    "URI:tel:112": "URI:tel:112",
    "URI:web:8443": "URI:web:8443",
    "dead:beef": "URI:dead:beef",
    "URI:dead:beef:1": "URI:dead:beef:1",
}
# What a peer is known not to have; a test says so when it has learnt it.
LACKS = {"Go": {*SLH_DSA, *ML_KEM}, "cryptography": {*SLH_DSA, "ML-KEM-512"}}

table = Table([peer.name for peer in PEERS])
each_peer = pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name.replace(" ", "-"))


def key_name(algorithm):
    return algorithm.lower()


def certificate(namespace, name, kind, **spec):
    return thing(QC, namespace, name, {"certType": kind, **spec})


def things(namespace):
    yield secret_thing(namespace, "message", {"message": MESSAGE})
    yield from (thing(QKKP, namespace, key_name(one), {"algorithm": one}) for one in ML_KEM)
    for one in SIGNATURES:
        name = key_name(one)
        yield thing(QSKP, namespace, name, {"algorithm": one})
        spec = {"privateKeyRef": {"name": name}, "messageRef": {"name": "message"}}
        yield thing(QSM, namespace, name, {**spec, "context": CONTEXT.decode()})
        yield thing(QSM, namespace, f"{name}-plain", spec)
    leaf = {"subjectAltNames": [HOST.decode()], "organization": "Bücher & Söhne"}
    yield certificate(namespace, "root", "ca", commonName="Root", algorithm="ML-DSA-87")
    yield certificate(namespace, "middle", "ca", commonName="Middle", pathLen=0, parentCARef={"name": "root"})
    yield certificate(namespace, "leaf", "server", algorithm="ML-DSA-44", parentCARef={"name": "middle"}, **leaf)
    yield certificate(namespace, "hash-root", "ca", commonName="Hash root", algorithm="SLH-DSA-SHA2-128f")
    yield certificate(namespace, "hash-leaf", "server", parentCARef={"name": "hash-root"}, **leaf)
    yield certificate(namespace, "alone", "self-signed", domain=HOST.decode())
    yield certificate(namespace, "names", "self-signed", subjectAltNames=list(NAMES), commonName="all names")
    for number, name in enumerate(NAMES):  # each of them may be all that a certificate has
        yield certificate(namespace, f"name-{number}", "self-signed", algorithm="ML-DSA-44", subjectAltNames=[name])


@pytest.fixture(scope="module")
def made(api, operators):
    """A namespace in which all is made."""
    operators.default()
    namespace = api.create({"kind": "Namespace", "metadata": {"generateName": "peers-"}})["metadata"]["name"]
    objects = list(things(namespace))
    for one in objects:
        api.create(one)
    for one in objects:
        if one["kind"].startswith("Quantum"):
            api.wait_success(one["kind"], namespace, one["metadata"]["name"])
    return namespace


def ask(peer, *requests):
    if reason := peer.missing():
        pytest.skip(f"{peer.name}: {reason}")
    return peer.ask(*requests)


def spki_name(pem):
    der = base64.b64decode(b"".join(pem.strip().splitlines()[1:-1]))
    return hashlib.sha256(der).hexdigest()


def judge(peer, algorithm, artefact, answer):
    """Notes the answer, and checks that it is the expected one: yes, unless the peer is known to lack the algorithm."""
    lacks = algorithm in LACKS.get(peer.name, ())
    table.note(artefact, peer.name, "yes" if answer else "lacks it" if lacks else "no")
    assert bool(answer) != lacks, f"{artefact}: {answer.verdict}: {answer.text}"


@each_peer
def test_keys(api, made, peer):
    algorithms = ML_KEM + SIGNATURES
    secrets = [api.secret(made, key_name(one)) for one in algorithms]
    private = ask(peer, *(("private", one["private_key.pem"]) for one in secrets))
    public = ask(peer, *(("public", one["public_key.pem"]) for one in secrets))
    for algorithm, secret, own, other in zip(algorithms, secrets, private, public, strict=True):
        judge(peer, algorithm, f"{algorithm}: private key (PKCS#8)", own)
        judge(peer, algorithm, f"{algorithm}: public key", other)
        for answer in (own, other):
            assert not answer or answer.text == spki_name(secret["public_key.pem"])


@each_peer
def test_our_signatures(api, made, peer):
    for algorithm in SIGNATURES:
        name = key_name(algorithm)
        key = api.secret(made, name)["public_key.pem"]
        signature = api.secret(made, f"{name}-signature")["signature"]
        plain = api.secret(made, f"{name}-plain-signature")["signature"]
        right, bare, swapped, changed = ask(
            peer,
            ("verify", key, MESSAGE, CONTEXT, signature),
            ("verify", key, MESSAGE, b"", plain),
            ("verify", key, MESSAGE, b"", signature),
            ("verify", key, MESSAGE + b".", CONTEXT, signature),
        )
        judge(peer, algorithm, f"{algorithm}: verifies our signature, with a context", right)
        judge(peer, algorithm, f"{algorithm}: verifies our signature, without", bare)
        assert not swapped and not changed


@each_peer
def test_their_signatures(api, made, peer):
    """Signed by the peer with our key, judged by a QuantumVerifySignature."""
    label = peer.name.lower().replace(" ", "-")
    for algorithm in SIGNATURES:
        name = key_name(algorithm)
        [answer] = ask(peer, ("sign", api.secret(made, name)["private_key.pem"], MESSAGE, CONTEXT))
        judge(peer, algorithm, f"{algorithm}: signs what we verify", answer)
        if not answer:
            continue
        signature = answer.value
        wrong = signature[:9] + bytes([signature[9] ^ 1]) + signature[10:]
        api.create(secret_thing(made, f"{label}-{name}", {"right": signature, "wrong": wrong}))
        for key, outcome in (("right", "Valid"), ("wrong", "Invalid")):
            spec = {
                "publicKeyRef": {"name": name},
                "messageRef": {"name": "message"},
                "signatureRef": {"kind": "Secret", "name": f"{label}-{name}", "key": key},
                "context": CONTEXT.decode(),
            }
            api.create(thing(QVS, made, f"{label}-{name}-{key}", spec))
            found = api.wait_status(QVS, made, f"{label}-{name}-{key}", outcome)
            assert found["status"]["verified"] == (outcome == "Valid")


@each_peer
def test_trap_43_forms_of_private_keys(api, made, peer, tmp_path):
    """What each makes of the three forms of RFC 9881 and RFC 9935: why ours is the one with the seed alone."""
    for algorithm in (*ML_DSA, *ML_KEM):
        family = algorithm.rpartition("-")[0].lower()
        for form in ("seed-only", "priv-only", "seed-priv"):
            option = ("-provparam", f"{family}.output_formats={form}")
            pem = run(tmp_path, "genpkey", "-algorithm", algorithm, *option)
            [answer] = ask(peer, ("private", pem))
            lacks = algorithm in LACKS.get(peer.name, ())
            cell = "yes" if answer else "lacks it" if lacks else "no"
            table.note(f"{algorithm}: PKCS#8 of OpenSSL's form {form}", peer.name, cell)
            assert form != "seed-only" or answer or lacks, answer.text


@each_peer
def test_chains(api, made, peer):
    for name, algorithm, artefact in (
        ("leaf", "ML-DSA-87", "chain: ML-DSA-87 root, ML-DSA-65 intermediate, ML-DSA-44 leaf"),
        ("hash-leaf", "SLH-DSA-SHA2-128f", "chain: SLH-DSA-SHA2-128f root, ML-DSA-65 leaf"),
    ):
        secret = api.secret(made, f"{name}-secret")
        other = api.secret(made, "alone-secret")["ca.crt"]
        right, stranger = ask(
            peer,
            ("chain", secret["tls.crt"], secret["ca.crt"], HOST),
            ("chain", secret["tls.crt"], other, HOST),
        )
        judge(peer, algorithm, artefact, right)
        assert not stranger


def test_names(api, made):
    """Go reads each name that is accepted, as it is meant, and a client finds each host."""
    wanted = [name if read is None else read for name, read in NAMES.items()]
    wanted = [name if ":" in name else f"DNS:{name}" for name in wanted]
    secrets = [api.secret(made, f"name-{number}-secret") for number in range(len(NAMES))]
    together, *each = ask(GO, *(("names", one["cert.pem"]) for one in (api.secret(made, "names-secret"), *secrets)))
    assert together, together.text
    assert sorted(together.text.splitlines()) == sorted(wanted)
    assert [answer.text for answer in each] == wanted
    roots = ask(GO, *(("chain", one["tls.crt"], one["ca.crt"], name[4:].replace("*", "any").encode()) for one, name in zip(secrets, wanted, strict=True) if name.startswith("DNS:")))
    assert [answer.text for answer in roots if not answer] == []


@pytest.mark.parametrize("name", ["root", "middle", "leaf", "hash-root", "hash-leaf", "alone"])
def test_linter(api, made, name):
    """zlint's rules of RFC 5280; it knows no rule of RFC 9881, which test_rules.py has."""
    [answer] = ask(GO, ("lint", api.secret(made, f"{name}-secret")["cert.pem"]))
    assert answer, answer.text


def test_the_table_is_the_documented_one():
    missing = [peer.name for peer in PEERS if peer.missing()]
    if missing:
        pytest.skip(f"not set up: {', '.join(missing)}")
    table.check()
