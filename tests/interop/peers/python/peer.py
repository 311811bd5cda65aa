"""Python's cryptography as a peer; tests/interop/peers.py says what it is asked."""

import base64
import hashlib
import sys

from cryptography import exceptions, x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import verification


class Lacks(Exception):
    pass


def call(function, *arguments):
    try:
        return function(*arguments)
    except exceptions.UnsupportedAlgorithm as error:
        raise Lacks(str(error)) from error


def load_private(pem):
    return call(serialization.load_pem_private_key, pem, None)


def load_public(pem):
    return call(serialization.load_pem_public_key, pem)


def name(public):
    """The SHA-256 of a SubjectPublicKeyInfo, by which public keys are compared."""
    form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(public.public_bytes(*form)).hexdigest().encode()


def sign(private, message, context):
    return load_private(private).sign(message, context)


def verify(public, message, context, signature):
    load_public(public).verify(signature, message, context)
    return b""


def chain(certificates, root, host):
    leaf, *intermediates = x509.load_pem_x509_certificates(certificates)
    store = verification.Store([x509.load_pem_x509_certificate(root)])
    verifier = verification.PolicyBuilder().store(store).build_server_verifier(x509.DNSName(host.decode()))
    verifier.verify(leaf, intermediates)
    return b""


REQUESTS = {
    "private": lambda pem: name(load_private(pem).public_key()),
    "public": lambda pem: name(load_public(pem)),
    "sign": sign,
    "verify": verify,
    "chain": chain,
}


def answer(line):
    request, *words = line.split(" ")
    try:
        return "yes", REQUESTS[request](*(base64.b64decode(word[1:]) for word in words))
    except Lacks as error:
        return "lacks", str(error).encode()
    except Exception as error:  # whatever a peer says is its answer
        return "no", f"{type(error).__name__}: {error}".encode()


for text in sys.stdin:
    verdict, value = answer(text.rstrip("\n"))
    print(f"{verdict} ={base64.b64encode(value).decode()}", flush=True)
