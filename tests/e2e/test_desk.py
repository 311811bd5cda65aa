"""qubesec check and renew from an administrator's desk: credential plug-ins, several kubeconfigs, other names, and proxies."""

import json
import os
import ssl
import subprocess
import urllib.parse

import pytest
import tunnels
from api import wait_until

VERSION = "client.authentication.k8s.io/v1"


class Desk:
    """A folder with a kubeconfig of the cluster, and what is put beside it."""

    def __init__(self, cluster, operators, folder):
        self.cluster, self.binary, self.folder = cluster, operators.binary, folder
        self.path = folder / "kubeconfig"
        self.config = json.loads((cluster.folder / "admin.kubeconfig").read_text())

    @property
    def server(self):
        return self.config["clusters"][0]["cluster"]

    def use_plugin(self, script, **fields):
        """Credentials come of a script, which says in the file runs when it is run."""
        plugin = self.folder / "plugin"
        plugin.write_text(f'#!/bin/sh\ncd "$(dirname "$0")"\necho run >> runs\n{script}\n')
        plugin.chmod(0o755)
        exec_ = {"apiVersion": VERSION, "command": "./plugin", "interactiveMode": "Never", **fields}
        self.config["users"][0]["user"] = {"exec": exec_}

    def answer(self, **status):
        document = {"apiVersion": VERSION, "kind": "ExecCredential", "status": status}
        (self.folder / "answer").write_text(json.dumps(document))

    def runs(self):
        return len((self.folder / "runs").read_text().splitlines())

    def check(self, *flags, kubeconfig=True, **environment):
        self.path.write_text(json.dumps(self.config))
        named = ("--kubeconfig", self.path) if kubeconfig else ()
        command = [self.binary, "check", "--skip-algorithms", "--output=json", *named, *flags]
        variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300, env=variables
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return [one for one in json.loads(done.stdout)["findings"] if one["check"] == "api-server"]

    def expect_reached(self, *flags, **options):
        findings = {one["subject"]: one for one in self.check(*flags, **options)}
        assert findings.get("reachable", {}).get("level") == "ok", findings

    def expect_failure(self, *parts, flags=(), **options):
        findings = self.check(*flags, **options)
        assert [one["level"] for one in findings] == ["fail"], findings
        for part in parts:
            assert part in findings[0]["message"], findings


@pytest.fixture
def desk(cluster, operators, tmp_path):
    return Desk(cluster, operators, tmp_path)


def certificate_of(cluster):
    return {
        "clientCertificateData": (cluster.folder / "pki/admin.crt").read_text(),
        "clientKeyData": (cluster.folder / "pki/admin.key").read_text(),
    }


# Credential plug-ins


def test_a_plugin_that_gives_a_certificate(desk, cluster):
    env = [{"name": "GREETING", "value": "hello"}]
    desk.use_plugin(
        'echo "$GREETING $1" > said; echo "$KUBERNETES_EXEC_INFO" > asked; cat answer; exit 0',
        args=["get-token"], env=env, provideClusterInfo=True,
    )  # fmt: skip
    desk.answer(expirationTimestamp="2999-01-01T00:00:00Z", **certificate_of(cluster))
    desk.expect_reached(GREETING="of our environment")
    assert desk.runs() == 1
    assert (desk.folder / "said").read_text() == "hello get-token\n"
    asked = json.loads((desk.folder / "asked").read_text())
    assert (asked["kind"], asked["apiVersion"]) == ("ExecCredential", VERSION)
    assert asked["spec"]["interactive"] is False
    assert asked["spec"]["cluster"]["server"] == desk.server["server"]


def test_a_plugin_that_gives_a_token(desk, cluster):
    operator = json.loads(cluster.operator_config.read_text())["users"][0]["user"]
    token = operator["token"] if "token" in operator else open(operator["tokenFile"]).read()
    desk.use_plugin("cat answer")
    desk.answer(token=token)
    desk.expect_reached()
    assert desk.runs() == 1


def test_a_token_that_has_expired(desk):
    desk.use_plugin("cat answer")
    desk.answer(token="nonsense", expirationTimestamp="2001-01-01T00:00:00Z")
    desk.expect_failure("Unauthorized")
    assert desk.runs() > 1


def test_a_plugin_that_hangs_is_ended_with_what_it_has_started(desk):
    desk.use_plugin("sleep 1000 & echo $! > pid; wait")
    desk.expect_failure("exec: ", "does not end", flags=("--plugin-timeout=1s",))
    started = (desk.folder / "pid").read_text().strip()
    wait_until("the plug-in's own child has gone", lambda: not os.path.exists(f"/proc/{started}") or is_dead(started))


def is_dead(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_what_a_plugin_leaves_behind_is_not_waited_for(desk, cluster):
    desk.use_plugin("sleep 1000 2>/dev/null & echo $! > pid; cat answer")  # it keeps standard output open
    desk.answer(**certificate_of(cluster))
    desk.expect_reached()
    os.kill(int((desk.folder / "pid").read_text()), 9)


FAILURES = {
    "rubbish": ("echo please log in", {}, ["its answer is no JSON"]),
    "status": ("exit 3", {}, ["ended with exit status 3"]),
    "signal": ("kill -TERM $$", {}, ["was ended by signal 15"]),
    "too-much": ("head -c 2000000 /dev/zero", {}, ["prints more than 1048576 bytes"]),
    "absent": ("", {"command": "no-such-plugin", "installHint": "get it"}, ["no-such-plugin cannot be run: No such file", "get it"]),
    "terminal": ("", {"interactiveMode": "Always"}, ["standard input is no terminal"]),
}  # fmt: skip


@pytest.mark.parametrize("script, fields, parts", FAILURES.values(), ids=FAILURES)
def test_a_plugin_that_fails(desk, script, fields, parts):
    desk.use_plugin(script, **fields)
    desk.expect_failure('user "', "exec", *parts)


@pytest.mark.parametrize("words", [("renew", "qc/there-is-none"), ("rotate", "qkkp/there-is-none")], ids=["renew", "rotate"])
def test_renew_and_rotate_run_a_plugin_too(desk, cluster, words):
    desk.use_plugin("cat answer")
    desk.answer(**certificate_of(cluster))
    desk.path.write_text(json.dumps(desk.config))
    command = [desk.binary, *words, "-n", "default", "--kubeconfig", desk.path]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1 and "not found" in done.stderr, done.stderr  # so the API server was asked
    assert desk.runs() == 1


def test_the_operator_starts_no_plugin(desk):
    desk.use_plugin("cat answer")
    desk.path.write_text(json.dumps(desk.config))
    command = [desk.binary, "operator", "--kubeconfig", desk.path]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert "credential plug-ins are not run here" in done.stdout + done.stderr
    assert not (desk.folder / "runs").exists()


# Several kubeconfigs


def test_kubeconfigs_of_the_environment_are_merged(desk, cluster):
    (desk.folder / "other").mkdir()
    other = desk.folder / "other/kubeconfig"
    ca = desk.server.pop("certificate-authority-data", None) or desk.server.pop("certificate-authority")
    (desk.folder / "ca.crt").write_bytes((cluster.folder / "pki/ca.crt").read_bytes())
    assert ca
    desk.server["certificate-authority"] = "ca.crt"  # beside the first file
    other.write_text(json.dumps({key: desk.config.pop(key) for key in ("users", "contexts", "current-context")}))
    desk.expect_reached(kubeconfig=False, KUBECONFIG=f"/nonexistent/config:{desk.path}:{other}")
    desk.expect_failure("current-context", kubeconfig=False, KUBECONFIG=f"{desk.path}:/nonexistent/config")


# Names and proxies


def test_a_server_that_goes_by_another_name(desk):
    desk.server["tls-server-name"] = "kubernetes.default.svc"
    desk.expect_reached()
    desk.server["tls-server-name"] = "other.example"
    desk.expect_failure("certificate")


def tls_of(cluster):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.folder / "pki/apiserver.crt", cluster.folder / "pki/apiserver.key")
    return context


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_a_proxy_of_the_kubeconfig(desk, cluster, scheme):
    hear = tunnels.hear_socks if scheme == "socks5" else tunnels.hear_connect
    port = urllib.parse.urlsplit(desk.server["server"]).port
    with tunnels.Proxy(hear, tls_of(cluster) if scheme == "https" else None) as proxy:
        desk.server["proxy-url"] = f"{scheme}://127.0.0.1:{proxy.port}"
        host = "cluster.example"  # which only the proxy knows
        if scheme == "https":  # the proxy has the API server's certificate, and is told no other name
            host = "kubernetes.default.svc"
        else:
            desk.server["tls-server-name"] = "localhost"
        desk.server["server"] = f"https://{host}:{port}"
        desk.expect_reached(NO_PROXY="*")  # it is not asked where the kubeconfig says
        assert set(proxy.asked) == {(host, port)}


def test_a_proxy_of_the_environment_but_for_some_networks(desk):
    port = urllib.parse.urlsplit(desk.server["server"]).port
    desk.server["server"] = f"https://192.0.2.7:{port}"
    desk.server["tls-server-name"] = "localhost"
    with tunnels.Proxy(tunnels.hear_connect) as proxy:
        through = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        desk.expect_reached(NO_PROXY="198.51.100.0/24,192.0.2.64/26", **through)
        asked = len(proxy.asked)
        assert asked > 0
        desk.expect_failure("192.0.2.7", flags=("--timeout=1s",), NO_PROXY="198.51.100.0/24,192.0.2.0/26", **through)
        assert len(proxy.asked) == asked
