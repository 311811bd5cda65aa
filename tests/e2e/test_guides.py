"""The guides, README's first steps, and installing and operating: each followed as it is written."""

import contextlib
import json
import os
import socket
import subprocess

import pytest
from api import data_of, wait_until
from guides import CHECKOUT, Reader, in_namespace
from process import STOP_PATIENCE

DOCS = CHECKOUT / "docs"
GUIDES = sorted((DOCS / "guides").glob("*.md"))
NAMESPACES = ("pki", "shop", "staging")  # that documents call by name


def listens(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def reader(cluster, operator, namespace, tmp_path):
    """Who follows a guide in a namespace of his own."""
    config = in_namespace(cluster.folder / "admin.kubeconfig", namespace, tmp_path / "kubeconfig")
    folder = tmp_path / "folder"
    folder.mkdir()
    return Reader(folder, {**os.environ, "KUBECONFIG": str(config), "NO_PROXY": "*", "no_proxy": "*"})


def with_files(reader, *names):
    for name in names:
        (reader.folder / name).write_text(f"what {name} holds\n")


@contextlib.contextmanager
def served(reader, directives, port):
    """An nginx that says what the guide does, and has the Secret mounted."""
    site = reader.folder / "tls"
    site.mkdir()
    secret = subprocess.run(
        ["kubectl", "get", "secret", "web-tls", "--output", "json"],
        env=reader.environment, capture_output=True, check=True,
    ).stdout  # fmt: skip
    for name, content in data_of(json.loads(secret)).items():
        (site / name).write_bytes(content)
    places = " ".join(f"{kind}_temp_path {site};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    server = f'listen 127.0.0.1:{port} ssl;\n{directives.replace("/etc/tls", str(site))}\nlocation / {{ return 200 "here\\n"; }}'
    (site / "nginx.conf").write_text(
        f"daemon off;\npid {site}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{ access_log off; {places}\nserver {{ {server} }} }}\n"
    )
    with open(site / "log", "wb") as log:
        process = subprocess.Popen(["nginx", "-p", site, "-c", site / "nginx.conf"], stdout=log, stderr=log)
    try:
        wait_until(lambda: f"nginx serves: {(site / 'log').read_text()}", lambda: process.poll() or listens(port))
        assert process.poll() is None, (site / "log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(STOP_PATIENCE)


def behind_an_address(reader, stack):
    port = free_port()
    reader.replace["ADDRESS"] = f"127.0.0.1:{port}"
    reader.handlers["nginx"] = lambda text: stack.enter_context(served(reader, text, port))


# By guide: what the reader has, and what goes with the guide.
SCENES = {
    "sign-a-release": lambda reader, stack: with_files(reader, "app-1.0.tar.gz", "app-1.0.img"),
    "tls-for-an-ingress": behind_an_address,
}


def remove_namespaces(api, *names):
    for name in names:
        if api.find("Namespace", None, name) is not None:
            api.delete("Namespace", None, name)
    for name in names:
        api.wait_gone("Namespace", None, name)


@pytest.fixture
def stack():
    """What is to be undone when the test has ended."""
    with contextlib.ExitStack() as one:
        yield one


@pytest.mark.parametrize("guide", GUIDES, ids=[one.stem for one in GUIDES])
def test_a_guide(api, reader, stack, guide):
    stack.callback(remove_namespaces, api, *NAMESPACES)
    SCENES.get(guide.stem, lambda *_: None)(reader, stack)
    reader.follow(guide.read_text(encoding="utf-8"), guide.name)
