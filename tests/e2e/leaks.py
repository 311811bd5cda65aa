"""Looks for pieces of secrets in anything: a log, a status, an image of a process's memory."""

import base64
import hmac
import struct

from api import data_of
from crypto import SEED_SIZE, secret_part, seed_of

WORD = 8  # bytes: what is looked up first
BLOCK, AROUND = 65536, 64
# How much of a form must be there to count as found, in its own characters: 16, 18 and 16 bytes of the secret.
NEEDED = {"raw": 16, "base64": 24, "hex": 32, "HEX": 32}


def forms(secret):
    """(name, text) of the ways to write a secret; base64 as it looks when 0, 1 or 2 bytes come before."""
    yield "raw", secret
    yield "hex", secret.hex().encode()
    yield "HEX", secret.hex().upper().encode()
    for before in range(3):
        text = base64.b64encode(bytes(before) + secret)
        first = (before * 8 + 5) // 6  # characters that the bytes before have a share in
        last = (before + len(secret)) * 8 // 6
        yield "base64", text[first:last]


class Search:
    """All secrets at once: their 8-byte windows against the 8-byte words of what is looked through. A piece of 15 bytes
    or more has a whole word in it, wherever it lies, so any piece as long as NEEDED is found for sure."""

    def __init__(self, secrets):
        """secrets: bytes by name."""
        self.windows = {}
        for name, secret in secrets.items():
            for form, text in forms(secret):
                for at in range(len(text) - WORD + 1):
                    self.windows[int.from_bytes(text[at : at + WORD], "little")] = (name, form, text, at)

    def find(self, content):
        """The names and forms of the secrets of which there is a piece in content (bytes, or an open mmap)."""
        wanted, found, zeros = set(self.windows), set(), bytes(BLOCK)
        for first in range(0, len(content), BLOCK):
            block = content[first : first + BLOCK]
            if block != zeros:  # most of a process's memory is
                for word in wanted.intersection(memoryview(block)[: len(block) // WORD * WORD].cast("Q")):
                    name, form, text, at = self.windows[word]
                    around = content[max(0, first - AROUND) : first + BLOCK + AROUND]
                    if any(piece in around for piece in pieces(text, at, NEEDED[form])):
                        found.add((name, form))
        return sorted(found)


def find_whole(wanted, content):
    """The names of those bytes, at most AROUND * 4 each, that are in content as they are."""
    found, zeros = set(), bytes(BLOCK + AROUND * 4)
    for first in range(0, len(content), BLOCK):
        block = content[first : first + BLOCK + AROUND * 4]
        if block != zeros:
            found.update(name for name, one in wanted.items() if one in block)
    return sorted(found)


def pieces(text, at, length):
    """The pieces of text of that length that hold the word at at."""
    length = min(length, len(text))
    for first in range(max(0, at + WORD - length), min(at, len(text) - length) + 1):
        yield text[first : first + length]


def secrets_in(api, namespace):
    """All that is secret in our Secrets of a namespace, by name; for keys of ML-KEM-768 and ML-DSA-44."""
    found = {}
    for secret in api.list("Secret", namespace):
        data, name = data_of(secret), secret["metadata"]["name"]
        for entry in data.keys() & {"random", "shared_secret", "key"}:
            found[f"{name} {entry}"] = data[entry]
            found[f"{name} {entry}'s PRK"] = pseudorandom_key(data[entry])
        if len(data.get("private_key", b"")) == ML_DSA_44_PRIVATE:
            found |= {f"{name} {part}": value for part, value in ml_dsa_parts(data["private_key"]).items()}
            found |= {f"{name} {part}": value for part, value in pem_parts(data["private_key.pem"]).items()}
        elif "private_key" in data:
            found |= {f"{name} {part}": value for part, value in ml_kem_parts(data).items()}
        if "tls.key" in data:
            found |= {f"{name} {part}": value for part, value in pem_parts(data["tls.key"]).items()}
    return found


def pseudorandom_key(secret):
    """What HKDF-SHA256 extracts from it where the salt is none, or zeros, as in the tests (RFC 5869)."""
    return hmac.digest(bytes(32), secret, "sha256")


def expanded_in(api, namespace, names):
    """A piece of the secret polynomials of these key pairs, by name, as OpenSSL computes with them: in whole numbers."""
    found = {}
    for name in names:
        private = data_of(api.get("Secret", namespace, name))["private_key"]
        if len(private) == ML_DSA_44_PRIVATE:
            numbers = [(2 - number) % 8380417 for number in unpacked(private[128 + 96 : 128 + 2 * 96], 3)]
            found[name] = struct.pack("=64I", *numbers[64:128])
        else:
            found[name] = struct.pack("=64H", *unpacked(private[:384], 12)[64:128])
    return found


def unpacked(content, bits):
    """FIPS 203 algorithm 6, FIPS 204 algorithm 18: numbers of so many bits, the lowest first."""
    whole = int.from_bytes(content, "little")
    return [whole >> at & (1 << bits) - 1 for at in range(0, len(content) * 8, bits)]


ML_DSA_44_PRIVATE = 2560


def ml_dsa_parts(private):
    """FIPS 204 algorithm 24: rho, K, tr, s1 and s2, t0; rho and tr are no secrets."""
    return {"K": private[32:64], "vectors": private[128:512]}


def pem_parts(pem):
    """Of a PKCS#8 of just a seed of 32 bytes: the seed, and its base64, which is also found in the Secret's base64 of it."""
    lines = pem.strip().splitlines()[1:-1]
    return {"seed": base64.b64decode(b"".join(lines))[-32:], "PEM": b"\n".join(lines)[32:]}


def ml_kem_parts(data):
    """The secret vector, the secret for implicit rejection, the seed, and its PEM, the same way."""
    vector, rejection = secret_part("ML-KEM-768", data["private_key"])
    seed = seed_of(data["private_key.pem"])[: SEED_SIZE // 2]
    pem = data["private_key.pem"].partition(b"\n")[2][30:116]  # after what is the same in all
    return {"vector": vector, "rejection": rejection, "seed": seed, "pem": pem}


def ec_parts(pem):
    """Of a PKCS#8 of a P-256 key: the private number, as it is written and as OpenSSL computes with it (the lowest byte
    first), and the PEM text of it."""
    lines = pem.strip().splitlines()[1:-1]
    first, length = 36, 32  # where the number is in the DER
    number = base64.b64decode(b"".join(lines))[first : first + length]
    text = b"\n".join(lines)[first * 4 // 3 : (first + length) * 4 // 3]
    return {"number": number, "reversed": number[::-1], "PEM": text}
