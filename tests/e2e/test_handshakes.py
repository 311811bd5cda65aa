"""An nginx and its clients, both sides with certificates under one root CA, which is given another key five times: no handshake
ever fails, and no root stays longer than asked for."""

import contextlib
import random
import socket
import ssl
import threading
import time

import pytest
from api import QC, wait_until
from programs import PAUSED, History
from sites import Volume, free_port, served
from test_certificates import blocks, certificate
from test_rollover import PATIENCE
from test_rotation import ROTATE

AHEAD = 6  # seconds from the publication of a root to its use, and from there until the one before may go
LOOK = 1.0  # seconds after which a program looks whether its files have changed, at most
ROTATIONS = 5
DIRECTIVES = """
ssl_certificate        /etc/tls/tls.crt;
ssl_certificate_key    /etc/tls/tls.key;
ssl_client_certificate /etc/tls/ca.crt;
ssl_verify_client      on;
ssl_verify_depth       5;
ssl_protocols          TLSv1.3;
ssl_session_tickets    off;
"""


class Client:
    """It connects again and again, and looks at its files now and then."""

    def __init__(self, folder, read, port):
        self.volume, self.port = Volume(folder, read), port
        self.chance = random.Random(folder.name)
        self.count, self.failures, self.pauses, self.certificates = 0, [], [], set()
        self.context = None

    def look(self):
        if self.volume.look():
            self.context = ssl.create_default_context(cafile=self.volume.data / "ca.crt")
            self.context.load_cert_chain(self.volume.data / "tls.crt", self.volume.data / "tls.key")

    def shake_hands(self):
        """nginx refuses a client's certificate by its answer, after the handshake of TLS 1.3."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as plain:
                with self.context.wrap_socket(plain, server_hostname="web.example.com") as one:
                    one.sendall(b"GET / HTTP/1.0\r\nHost: web.example.com\r\n\r\n")
                    answer = b"".join(iter(lambda: one.recv(4096), b""))
                    self.certificates.add(one.getpeercert(binary_form=True))
            assert answer.endswith(b"here\n"), answer[:300].decode(errors="replace")
        except (OSError, AssertionError) as error:
            self.failures.append(str(error))
        self.count += 1

    def run(self, stopped):
        next_look = 0.0
        while not stopped.is_set():
            if time.monotonic() >= next_look:
                self.look()
                next_look = time.monotonic() + self.chance.uniform(0, LOOK)
            self.shake_hands()
            began = time.monotonic()
            stopped.wait(0.02)
            if time.monotonic() - began > PAUSED:
                self.pauses.append(time.monotonic() - began)


@contextlib.contextmanager
def connecting(clients):
    stopped = threading.Event()
    threads = [threading.Thread(target=one.run, args=(stopped,), daemon=True) for one in clients]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


@pytest.fixture
def made(api, operator, namespace):
    rotation = {"publishAhead": f"{AHEAD}s", "keepFor": f"{AHEAD}s"}
    api.make(
        certificate(namespace, "root", "ca", commonName="Root", rotation=rotation),
        certificate(namespace, "web", "server", "root", subjectAltNames=["web.example.com"], durationDays=90),
        certificate(namespace, "below", "ca", "root", commonName="Below", durationDays=200),
        certificate(namespace, "one", "client", "root", commonName="one", durationDays=90),
        certificate(namespace, "two", "client", "below", commonName="two", durationDays=90),
    )
    return namespace


def test_no_handshake_fails(api, made, tmp_path):
    def reading(name):
        return lambda: api.secret(made, f"{name}-secret")

    port, history = free_port(), History(api, made, "root-secret")
    clients = [Client(tmp_path / name, reading(name), port) for name in ("one", "two")]
    with served(tmp_path / "nginx", reading("web"), DIRECTIVES, port, every=LOOK), connecting(clients):
        for number in range(2, ROTATIONS + 2):
            api.patch(QC, made, "root", {"metadata": {"annotations": {ROTATE: f"request {number}"}}})
            wait_until(lambda number=number: f"only version {number} is left: {status(api, made)}", lambda number=number: is_alone(api, made, number), PATIENCE)
        wait_until("both go on", lambda counts=[one.count for one in clients]: all(one.count > count + 20 for one, count in zip(clients, counts, strict=True)))
    history.end()
    pauses = [pause for one in clients for pause in one.pauses]  # of the machine; then the programs say nothing
    for one in clients:
        assert not one.failures or pauses, f"{len(one.failures)} of {one.count} have failed: {one.failures[:5]}"
        assert one.count > 100 and len(one.certificates) == ROTATIONS + 1
    kept = [{name for name in data if name.startswith("cert.pem.")} for _, data in history.states]
    assert max(map(len, kept)) == 1, "neither two earlier roots, nor one beside the next"
    assert {name for names in kept for name in names} == {"cert.pem.next", *(f"cert.pem.{number}" for number in range(1, ROTATIONS + 1))}


def status(api, namespace):
    return api.get(QC, namespace, "root")["status"]


def is_alone(api, namespace, version):
    states = [(one["version"], one["state"]) for one in status(api, namespace)["versions"]]
    return states == [(version, "Active")] and all(blocks(api.secret(namespace, f"{name}-secret")["ca.crt"]) == 1 for name in ("root", "web", "one", "two"))
