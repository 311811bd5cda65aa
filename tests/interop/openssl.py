"""The openssl command as a peer (peers.py says what it is asked)."""

import hashlib
import pathlib
import subprocess
import tempfile

from peers import PATIENCE, Answer


class Failed(Exception):
    pass


def run(folder, *arguments, **files):
    """What openssl prints, run in folder, where files (name with "_" for ".": content) are written before."""
    for name, content in files.items():
        (pathlib.Path(folder) / name.replace("_", ".")).write_bytes(content)
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=False, timeout=PATIENCE)
    if done.returncode != 0:
        raise Failed((done.stderr or done.stdout).decode(errors="replace"))
    return done.stdout


def with_context(context):
    return ("-pkeyopt", f"hexcontext-string:{context.hex()}") if context else ()


def private(folder, pem):
    spki = run(folder, "pkey", "-in", "key.pem", "-pubout", "-outform", "DER", key_pem=pem)
    return hashlib.sha256(spki).hexdigest().encode()


def public(folder, pem):
    spki = run(folder, "pkey", "-pubin", "-in", "key.pem", "-pubout", "-outform", "DER", key_pem=pem)
    return hashlib.sha256(spki).hexdigest().encode()


def sign(folder, key, message, context):
    arguments = ("-sign", "-rawin", "-inkey", "key.pem", "-in", "message", *with_context(context))
    return run(folder, "pkeyutl", *arguments, key_pem=key, message=message)


def verify(folder, key, message, context, signature):
    arguments = ("-verify", "-rawin", "-pubin", "-inkey", "key.pem", "-in", "message", "-sigfile", "signature")
    run(folder, "pkeyutl", *arguments, *with_context(context), key_pem=key, message=message, signature=signature)
    return b""


def chain(folder, certificates, root, host):
    arguments = ("-x509_strict", "-purpose", "sslserver", "-verify_hostname", host.decode(), "-CAfile", "root.pem")
    run(folder, "verify", *arguments, "-untrusted", "chain.pem", "chain.pem", chain_pem=certificates, root_pem=root)
    return b""


class OpenSSL:
    name = "OpenSSL"
    requests = {function.__name__: function for function in (private, public, sign, verify, chain)}

    def missing(self):
        return None

    def ask(self, *requests):
        return [self.answer(*request) for request in requests]

    def answer(self, word, *parts):
        with tempfile.TemporaryDirectory() as folder:
            try:
                return Answer("yes", self.requests[word](folder, *parts))
            except Failed as error:
                return Answer("no", str(error).encode())
