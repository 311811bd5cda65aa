"""What is in the Secrets, checked by other means than our own: the openssl command and Python."""

import hashlib
import math

import pytest
from api import QDK, QDS, QKKP, QRN, exchange, thing
from crypto import SIZES, decapsulate, encapsulate, fingerprint, hkdf, openssl, raw_public, seed_of

NIST_SEED = bytes(range(48)).hex()
NIST_BYTES = "061550234D158C5EC95595FE04EF7A25767F2E24CC2BC479D09D86DC9ABCFDE7056A8C266F9EF97ED08541DBD2E1FFA1"


@pytest.mark.parametrize("algorithm", SIZES)
def test_exchange(api, operator, namespace, tmp_path, algorithm):
    pair, sealed, opened, alice, bob = api.make(*exchange(namespace, algorithm=algorithm))
    key = api.secret(namespace, "pair")
    shared = api.secret(namespace, "sealed")
    public_size, private_size, ciphertext_size, copy_at = SIZES[algorithm]

    # The key pair, in all its forms: one seed, one private key (FIPS 203, 7.1), one public key.
    seed, raw, public = seed_of(key["private_key.pem"]), key["private_key"], key["public_key"]
    assert (len(public), len(raw)) == (public_size, private_size)
    assert raw[copy_at : copy_at + public_size] == public == raw_public(algorithm, key["public_key.pem"])
    assert raw[-64:] == hashlib.sha3_256(public).digest() + seed[32:]
    assert (
        openssl(tmp_path, "pkey", "-in", "key.pem", "-pubout", key_pem=key["private_key.pem"]) == key["public_key.pem"]
    )
    assert pair["status"]["publicKeyPEM"].encode() == key["public_key.pem"]
    assert pair["status"]["fingerprint"] == fingerprint(public)

    # What we encapsulated, openssl decapsulates.
    assert len(shared["ciphertext"]) == ciphertext_size
    assert decapsulate(tmp_path, key["private_key.pem"], shared["ciphertext"]) == shared["shared_secret"]
    assert sealed["status"]["ciphertext"] == shared["ciphertext"].hex()
    assert sealed["status"]["ciphertextFingerprint"] == fingerprint(shared["ciphertext"])
    assert api.secret(namespace, "opened")["shared_secret"] == shared["shared_secret"]
    assert opened["status"]["fingerprint"] == sealed["status"]["fingerprint"]

    # Both derive the same key, and the one that RFC 5869 says.
    keys = {api.secret(namespace, name)["key"] for name in ("alice", "bob")}
    assert keys == {hkdf(shared["shared_secret"], bytes(16), b"e2e", 32)}
    assert alice["status"]["fingerprint"] == bob["status"]["fingerprint"] == fingerprint(*keys)


@pytest.mark.parametrize("algorithm", SIZES)
def test_peer_with_openssl_encapsulates_for_us(api, operator, namespace, tmp_path, algorithm):
    [pair] = api.make(thing(QKKP, namespace, "pair", {"algorithm": algorithm}))
    secret, ciphertext = encapsulate(tmp_path, pair["status"]["publicKeyPEM"].encode())
    spec = {"privateKeyRef": {"name": "pair"}, "ciphertext": ciphertext.hex()}
    api.make(thing(QDS, namespace, "opened", spec))
    assert api.secret(namespace, "opened")["shared_secret"] == secret


def test_trap_47_changed_ciphertext_is_rejected_implicitly(api, operator, namespace, tmp_path):
    """FIPS 203, 6.3: another secret, no error; which one, only the key's holder can tell."""
    [pair] = api.make(thing(QKKP, namespace, "pair"))
    secret, ciphertext = encapsulate(tmp_path, pair["status"]["publicKeyPEM"].encode())
    changed = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    api.make(thing(QDS, namespace, "opened", {"privateKeyRef": {"name": "pair"}, "ciphertext": changed.hex()}))
    opened = api.secret(namespace, "opened")["shared_secret"]
    assert opened != secret
    assert opened == decapsulate(tmp_path, api.secret(namespace, "pair")["private_key.pem"], changed)


DERIVATIONS = {
    "no-salt-no-info": ({}, b"", b""),
    "empty-salt-and-info": ({"salt": "", "info": ""}, b"", b""),
    "salt": ({"salt": "00fF"}, b"\x00\xff", b""),
    "info-text": ({"info": "für Elise"}, b"", "für Elise".encode()),
    "info-hex": ({"infoHex": "f0F1"}, b"", b"\xf0\xf1"),
    "shortest": ({"keyLength": 1}, b"", b""),
    "short": ({"keyLength": 16, "keyType": "HMAC-SHA256"}, b"", b""),
    "long-salt": ({"salt": "ab" * 1024, "info": "i" * 1024, "keyType": "ChaCha20"}, b"\xab" * 1024, b"i" * 1024),
}


@pytest.mark.parametrize("spec, salt, info", DERIVATIONS.values(), ids=DERIVATIONS)
def test_derived_key(api, operator, namespace, spec, salt, info):
    [_, derived] = api.make(
        thing(QRN, namespace, "numbers"),
        thing(QDK, namespace, "derived", {"sharedSecretRef": {"name": "numbers"}, **spec}),
    )
    length = spec.get("keyLength", 32)
    key = api.secret(namespace, "derived")["key"]
    assert key == hkdf(api.secret(namespace, "numbers")["random"], salt, info, length)
    assert derived["status"]["keyLength"] == length
    assert derived["status"].get("usedSalt") == spec.get("salt")
    assert derived["status"].get("usedInfo") == spec.get("info", spec.get("infoHex"))
    assert ("fingerprint" in derived["status"]) == (length >= 16)


def test_nist_seed(api, operator, namespace):
    """The first answer of the generator that NIST's known-answer files come from."""
    [made] = api.make(thing(QRN, namespace, "vector", {"numBytes": 48, "seed": NIST_SEED}))
    assert api.secret(namespace, "vector")["random"].hex().upper() == NIST_BYTES
    assert made["status"]["algorithm"] == "AES-256-CTR-DRBG"
    assert "test vectors only" in made["status"]["warning"]


@pytest.mark.parametrize("size", [1, 15, 16, 65536])
@pytest.mark.parametrize("provider", ["system", "OpenSSL"])
def test_random_numbers(api, operator, namespace, provider, size):
    made = api.make(*(thing(QRN, namespace, name, {"numBytes": size, "provider": provider}) for name in ("a", "b")))
    a, b = (api.secret(namespace, name)["random"] for name in ("a", "b"))
    assert len(a) == len(b) == size
    assert size < 15 or a != b
    shares = [a.count(value) / size for value in set(a)]
    status = made[0]["status"]
    assert (status["size"], status["algorithm"]) == (size, provider)
    assert math.isclose(status["entropy"], -sum(share * math.log2(share) for share in shares), abs_tol=1e-6)
    assert size < 65536 or status["entropy"] > 7.99
    assert status.get("fingerprint") == (fingerprint(a) if size >= 16 else None)
