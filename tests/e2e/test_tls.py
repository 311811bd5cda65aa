"""Every connection of the operator to the API server is post-quantum, as seen on the wire; whom it trusts."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import urllib.parse

import pytest
import webhook
from api import PATIENCE, QES, exchange, thing

X25519MLKEM768 = 0x11EC
RETRY = hashlib.sha256(
    b"HelloRetryRequest"
).digest()  # the random of a ServerHello that asks for another one (RFC 8446)
HANDSHAKE, SERVER_HELLO, KEY_SHARE = 22, 2, 51


class Relay:
    """A TCP server in front of another; keeps the beginning of what the other sends on each connection."""

    def __init__(self, host, port, address="127.0.0.1"):
        self.target = (host, port)
        self.beginnings = []
        self.sockets = []
        self.threads = []
        self.listener = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)
        self.port = self.listener.getsockname()[1]
        self.start(self.accept)

    def start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments)
        thread.start()
        self.threads.append(thread)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                server = socket.create_connection(self.target)
                beginning = bytearray()
                self.sockets += [client, server]
                self.beginnings.append(beginning)
                self.start(self.copy, client, server, None)
                self.start(self.copy, server, client, beginning)

    @staticmethod
    def copy(source, sink, beginning):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if beginning is not None and len(beginning) < 65536:
                    beginning += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def cut(self):
        """Cuts all connections."""
        for one in self.sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self.threads:
            thread.join()
        for one in (self.listener, *self.sockets):
            one.close()


def groups(beginning):
    """The groups of a connection's ServerHellos: one, or two if the first asked for another key share."""
    data = bytes(beginning)
    while len(data) >= 5 and data[0] in (HANDSHAKE, 20):  # 20: change_cipher_spec, between two hellos
        length = int.from_bytes(data[3:5])
        record, data = data[5 : 5 + length], data[5 + length :]
        if record[0] == SERVER_HELLO:
            yield group_of_hello(record)


def group_of_hello(record):
    assert record[6:38] != RETRY, "the server had to ask for another key share"
    at = 38 + 1 + record[38] + 2 + 1  # random, session id, cipher suite, compression
    end = at + 2 + int.from_bytes(record[at : at + 2])
    at += 2
    while at < end:
        kind, length = int.from_bytes(record[at : at + 2]), int.from_bytes(record[at + 2 : at + 4])
        if kind == KEY_SHARE:
            return int.from_bytes(record[at + 4 : at + 6])
        at += 4 + length
    return None  # TLS 1.2, or a resumption without a key exchange


@pytest.fixture
def relays(cluster):
    with contextlib.ExitStack() as open_ones:

        def start(address):
            one = Relay(cluster.api.server.hostname, cluster.api.server.port, address)
            open_ones.callback(one.close)
            return one

        yield start


@pytest.fixture
def relay(relays):
    return relays("127.0.0.1")


def kubeconfig_by(cluster, address, file):
    """The operator's kubeconfig, with another way to the API server."""
    config = json.loads(cluster.operator_config.read_text())
    target = config["clusters"][0]["cluster"]
    target["server"] = urllib.parse.urlsplit(target["server"])._replace(netloc=address).geturl()
    file.write_text(json.dumps(config))
    return file


@pytest.fixture
def relayed(cluster, relay, tmp_path):
    return kubeconfig_by(cluster, f"127.0.0.1:{relay.port}", tmp_path / "kubeconfig")


def test_every_connection_is_post_quantum(api, operators, relay, relayed, namespace):
    operator = operators.start(kubeconfig=relayed).wait_ready()
    api.make(*exchange(namespace))
    relay.cut()
    api.make(thing(QES, namespace, "after", {"publicKeyRef": {"name": "pair"}}))
    operator.settle()
    negotiated = [list(groups(beginning)) for beginning in relay.beginnings if beginning]
    assert negotiated == [[X25519MLKEM768]] * len(negotiated)
    assert len(negotiated) >= 14, "seven watches, and again after the cut"
    counted = {
        name: value for name, value in operator.metrics().items() if name.startswith("qubesec_tls_connections_total")
    }
    assert counted.keys() == {'qubesec_tls_connections_total{group="X25519MLKEM768"}'}
    assert sum(counted.values()) == len(negotiated)
    operators.stop()


def test_over_ipv6(cluster, api, operators, relays, namespace, tmp_path):
    """The API server is at ::1, both servers are at ::, and each is asked at ::1 and at 127.0.0.1."""
    by = kubeconfig_by(cluster, f"[::1]:{relays('::1').port}", tmp_path / "kubeconfig")
    folder = webhook.make_certificates(tmp_path / "certificates")
    command = ["[::]:0" if word == "127.0.0.1:0" else word for word in operators.command(*webhook.flags(folder), kubeconfig=by)]
    operator = operators.spawn(command).wait_ready()
    api.make(*exchange(namespace))
    [started] = operator.said("started")
    trusted = ssl.create_default_context(cafile=folder / "ca.crt")
    trusted.check_hostname = False  # the certificate is of 127.0.0.1
    for host in ("::1", "127.0.0.1"):
        page = http.client.HTTPConnection(host, started["port"], timeout=PATIENCE)
        page.request("GET", "/readyz")
        assert page.getresponse().status == 200
        page.close()
        review = http.client.HTTPSConnection(host, started["webhookPort"], timeout=PATIENCE, context=trusted)
        review.request("GET", "/validate")
        assert review.getresponse().status == 405, "it is asked by POST"
        review.close()
    operators.stop()


def test_the_relay_sees_other_groups(cluster, relay):
    """The test above can fail: a client that offers only X25519 is told apart."""
    context = ssl.create_default_context(cafile=cluster.folder / "pki" / "ca.crt")
    context.set_ecdh_curve("X25519")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", relay.port)), server_hostname="127.0.0.1"):
        pass
    assert [list(groups(beginning)) for beginning in relay.beginnings] == [[0x001D]]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a trust store of its own")
@pytest.mark.parametrize("configured", ["the-servers-ca", "another-ca", "no-ca"])
def test_trap_57_only_the_configured_ca_is_trusted(operators, cluster, tmp_path, configured):
    """The machine's trust store has the API server's CA, as if that were a public one: it is trusted where none is given."""
    config = json.loads(cluster.operator_config.read_text())
    target = config["clusters"][0]["cluster"]
    store = tmp_path / "store"
    store.mkdir()
    shutil.copy(target["certificate-authority"], store / "ca.pem")
    subprocess.run(["openssl", "rehash", store], check=True)
    if configured == "no-ca":
        del target["certificate-authority"]
    if configured == "another-ca":
        target["certificate-authority"] = str(tmp_path / "other.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=other",
             "-keyout", tmp_path / "other.key", "-out", tmp_path / "other.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/ssl/certs && shift && exec "$@"', "sh",
         store, operators.binary, "check", "--kubeconfig", tmp_path / "kubeconfig", "--skip-algorithms"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "API server\n" in done.stdout, done.stderr
    assert ("SSL certificate problem" in done.stdout) == (configured == "another-ca"), done.stdout
