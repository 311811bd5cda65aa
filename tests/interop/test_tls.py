"""nginx serves with our Secrets exactly as they are mounted; curl and openssl s_client verify it, with client certificates too."""

import socket
import subprocess

import pytest
from api import QC, thing, wait_until
from openssl import Failed, run

CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    ssl_certificate {folder}/server/tls.crt;
    ssl_certificate_key {folder}/server/tls.key;
    ssl_protocols TLSv1.3;
    ssl_ecdh_curve X25519MLKEM768;
    server {{
        listen 127.0.0.1:{open} ssl;
        location / {{ return 200 "open\\n"; }}
    }}
    server {{
        listen 127.0.0.1:{closed} ssl;
        ssl_client_certificate {folder}/server/ca.crt;
        ssl_verify_client on;
        ssl_verify_depth 3;
        location / {{ return 200 "hello $ssl_client_s_dn\\n"; }}
    }}
}}
"""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def answers(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def mount(api, namespace, name, folder):
    """The Secret's entries as files, as a volume has them."""
    folder.mkdir()
    for key, content in api.secret(namespace, f"{name}-secret").items():
        (folder / key).write_bytes(content)


@pytest.fixture
def site(api, operator, namespace, tmp_path):
    """nginx with a server's certificate of a chain of three; yields the folder and its two ports."""
    leaf = {"parentCARef": {"name": "middle"}}
    api.make(
        thing(QC, namespace, "root", {"certType": "ca", "commonName": "Root", "algorithm": "ML-DSA-87"}),
        thing(QC, namespace, "middle", {"certType": "ca", "commonName": "Middle", "parentCARef": {"name": "root"}}),
        thing(QC, namespace, "server", {"certType": "server", "subjectAltNames": ["localhost", "127.0.0.1"], **leaf}),
        thing(QC, namespace, "client", {"certType": "client", "commonName": "a client", **leaf}),
    )
    for name in ("server", "client"):
        mount(api, namespace, name, tmp_path / name)
    ports = {"open": free_port(), "closed": free_port()}
    (tmp_path / "nginx.conf").write_text(CONFIGURATION.format(folder=tmp_path, **ports))
    with open(tmp_path / "nginx.log", "wb") as log:
        process = subprocess.Popen(["nginx", "-p", tmp_path, "-c", tmp_path / "nginx.conf"], stdout=log, stderr=log)
    try:
        wait_until(
            lambda: f"nginx: {(tmp_path / 'nginx.log').read_text()}",
            lambda: process.poll() is not None or all(map(answers, ports.values())),
        )
        assert process.poll() is None, (tmp_path / "nginx.log").read_text()
        yield tmp_path, ports
    finally:
        process.terminate()
        process.wait(30)


def curl(folder, port, *more, host="localhost"):
    command = ["curl", "--silent", "--show-error", "--noproxy", "*", "--max-time", "20", "--cacert", "server/ca.crt", *more]
    return subprocess.run(
        [*command, f"https://{host}:{port}/"], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def test_curl(site):
    folder, ports = site
    for host in ("localhost", "127.0.0.1"):
        done = curl(folder, ports["open"], host=host)
        assert done.stdout == "open\n", done.stderr
    stranger = curl(folder, ports["open"], "--resolve", f"example.com:{ports['open']}:127.0.0.1", host="example.com")
    assert stranger.returncode == 60 and "example.com" in stranger.stderr


def test_s_client(site):
    folder, ports = site
    arguments = ("-connect", f"127.0.0.1:{ports['open']}", "-CAfile", "server/ca.crt", "-verify_hostname", "localhost")
    text = run(folder, "s_client", *arguments, "-verify_return_error", "-x509_strict", "-tls1_3").decode()
    assert "Verify return code: 0 (ok)" in text
    assert "Negotiated TLS1.3 group: X25519MLKEM768" in text
    assert "Peer signature type: mldsa65" in text


def test_client_certificates(site):
    folder, ports = site
    own = ("--cert", "client/tls.crt", "--key", "client/tls.key")
    done = curl(folder, ports["closed"], *own)
    assert done.stdout == "hello CN=a client\n", done.stderr
    assert "400" in curl(folder, ports["closed"], "--write-out", "%{http_code}").stdout
    wrong = curl(folder, ports["closed"], "--cert", "server/tls.crt", "--key", "server/tls.key", "--write-out", "%{http_code}")
    assert "400" in wrong.stdout, "a server's certificate was taken for a client's"


def test_x509_and_cms(site):
    folder, _ = site
    text = run(folder, "x509", "-in", "server/tls.crt", "-noout", "-text").decode()
    assert "Signature Algorithm: ML-DSA-65" in text
    message = b"signed mail"
    arguments = ("-signer", "client/cert.pem", "-inkey", "client/tls.key", "-certfile", "client/tls.crt", "-outform", "PEM", "-md", "sha512", "-nodetach")
    signed = run(folder, "cms", "-sign", "-in", "message", *arguments, "-out", "signed.pem", message=message)
    assert signed == b""
    verify = ("-verify", "-in", "signed.pem", "-inform", "PEM", "-CAfile", "client/ca.crt", "-purpose", "any")
    assert message in run(folder, "cms", *verify)
    with pytest.raises(Failed):
        run(folder, "cms", "-verify", "-in", "signed.pem", "-inform", "PEM", "-CAfile", "server/cert.pem", "-purpose", "any")
