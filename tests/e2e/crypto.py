"""The standards, by other means than the operator's: the openssl command and a few lines of Python."""

import base64
import hashlib
import hmac
import subprocess

SEED_SIZE = 64
# Sizes in bytes, from FIPS 203: public key, private key, ciphertext; and the part of the private key before the copy of
# the public key in it.
SIZES = {
    "ML-KEM-512": (800, 1632, 768, 768),
    "ML-KEM-768": (1184, 2400, 1088, 1152),
    "ML-KEM-1024": (1568, 3168, 1568, 1536),
}


def openssl(folder, *arguments, **files):
    """Runs openssl in folder, where files (name with "_" for ".": content) are written before."""
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def generate(folder, algorithm):
    """A peer's key pair: private and public key as PEM."""
    private = openssl(folder, "genpkey", "-algorithm", algorithm)
    return private, openssl(folder, "pkey", "-in", "key.pem", "-pubout", key_pem=private)


def encapsulate(folder, public_pem):
    """Shared secret and ciphertext."""
    arguments = ("-encap", "-inkey", "public.pem", "-pubin", "-secret", "secret", "-out", "ciphertext")
    openssl(folder, "pkeyutl", *arguments, public_pem=public_pem)
    return (folder / "secret").read_bytes(), (folder / "ciphertext").read_bytes()


def decapsulate(folder, private_pem, ciphertext):
    arguments = ("-decap", "-inkey", "key.pem", "-in", "ciphertext", "-secret", "secret")
    openssl(folder, "pkeyutl", *arguments, key_pem=private_pem, ciphertext=ciphertext)
    return (folder / "secret").read_bytes()


def pem_body(pem):
    """The DER in a PEM block."""
    return base64.b64decode(b"".join(pem.strip().splitlines()[1:-1]))


def raw_public(algorithm, pem):
    """The key at the end of a SubjectPublicKeyInfo."""
    return pem_body(pem)[-SIZES[algorithm][0] :]


def seed_of(private_pem):
    """The seed of a PKCS#8 that holds nothing else (RFC 9935: [0] IMPLICIT, 64 bytes)."""
    der = pem_body(private_pem)
    assert len(der) == 86 and der[-SEED_SIZE - 2 : -SEED_SIZE] == b"\x80\x40", "not a PKCS#8 of just a seed"
    return der[-SEED_SIZE:]


def secret_part(algorithm, private):
    """What of a raw private key is secret: it holds the public key and its hash, too."""
    return private[: SIZES[algorithm][3]], private[-32:]


def hkdf(secret, salt, info, length):
    """RFC 5869 with SHA-256."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    output = block = b""
    while len(output) < length:
        block = hmac.digest(key, block + info + bytes([len(output) // 32 + 1]), "sha256")
        output += block
    return output[:length]


def digest(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def fingerprint(content):
    return hashlib.sha256(content).hexdigest()[:10]
