#!/usr/bin/env python3
"""A local Kubernetes control plane in one folder: etcd, kube-apiserver, kube-controller-manager, on loopback only.

Several can run at once, each in its own folder. Every start is a fresh cluster, so nothing of an earlier one is kept.
Run it through tools/toolbox.sh. In the folder, for people and tests:

  admin.kubeconfig      may do everything           operator.kubeconfig  the operator's ServiceAccount, nothing more
  audit.log             every request (metadata)    operator.token       its bound token, referred to by the above
  logs/NAME.log         each process's output       cluster.json         url, folder of kubectl, operator's address
"""

import argparse
import contextlib
import fcntl
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
NAMESPACE, SERVICE_ACCOUNT = "qubesec-system", "qubesec-operator"
READY_TIMEOUT = 60.0
TERM_GRACE = 1.0  # seconds between SIGTERM and SIGKILL for the control plane, which holds nothing worth saving
OPERATOR_GRACE = 10.0

OPENSSL_CONFIG = """\
[req]
distinguished_name = dn
[dn]
"""

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
"""

# config/webhook for an operator that runs beside the cluster: what the API server calls is a port of this machine.
WEBHOOK_OVERLAY = """\
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [{base}]
patches:
  - patch: |-
      apiVersion: v1
      kind: Service
      metadata: {{name: qubesec-webhook, namespace: {namespace}}}
      spec: {{type: ExternalName, externalName: localhost, selector: null}}
  - target: {{kind: ValidatingWebhookConfiguration}}
    patch: |-
      - {{op: replace, path: /webhooks/0/clientConfig/service/port, value: {port}}}
"""

PROBE = """\
apiVersion: qubesec.io/v1
kind: QuantumRandomNumber
metadata: {generateName: probe-, namespace: default}
"""

CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "resourcequota-controller",
)


class ClusterError(Exception):
    """Something a person has to see; the message says what to do."""


def say(text):
    print(f"qubesec: {text}", file=sys.stderr, flush=True)


def free_ports(count):
    """Free loopback ports below the range that the kernel hands out by itself, so that none is taken meanwhile."""
    with contextlib.ExitStack() as held:
        ports = []
        while len(ports) < count:
            port = random.randrange(20000, 32000)
            sock = held.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", port))
                ports.append(port)
        return ports


class Process:
    """A server of ours that outlives this program, recorded in a file that is good only for that very process."""

    def __init__(self, name, folder):
        self.name = name
        self.record = folder / "pids" / name
        self.words = folder / "pids" / f"{name}.command"
        self.log = folder / "logs" / f"{name}.log"

    @staticmethod
    def identity(pid):
        """What tells a process from a later one of the same number: boot, start time; None when it is gone."""
        try:
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot} {fields[19]}"

    def start(self, *command):
        """Starts it; start_again needs no more to be said."""
        self.record.parent.mkdir(exist_ok=True)
        self.words.write_text(json.dumps([str(word) for word in command]))
        self.run(command)

    def start_again(self, *more):
        self.run([*json.loads(self.words.read_text()), *more])

    def run(self, command):
        self.log.parent.mkdir(exist_ok=True)
        with open(self.log, "ab") as log:
            child = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.record.write_text(f"{child.pid} {self.identity(child.pid)}\n")

    def pid(self):
        """The number of the running process, or None."""
        try:
            pid, _, identity = self.record.read_text().strip().partition(" ")
        except FileNotFoundError:
            return None
        return int(pid) if self.identity(int(pid)) == identity else None

    def signal(self, number):
        pid = self.pid()
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self, grace):
        self.signal(signal.SIGTERM)
        deadline = time.monotonic() + grace
        while self.pid() is not None:
            reap()
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
            time.sleep(0.02)
        self.record.unlink(missing_ok=True)

    def wait_for(self, what, condition, timeout=READY_TIMEOUT):
        deadline = time.monotonic() + timeout
        while not condition():
            reap()
            if self.pid() is None:
                raise ClusterError(f"{self.name} ended before {what}; the end of {self.log}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{what}: not within {timeout:.0f} s; the end of {self.log}:\n{self.log_tail()}")
            time.sleep(0.05)

    def log_tail(self, lines=15):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def reap():
    """Collects children that ended, so that they do not look alive."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass


class Pki:
    """The cluster's own certificate authority, in a folder that only its owner may enter."""

    def __init__(self, folder):
        self.folder = folder

    def __getattr__(self, name):
        """pki.admin_crt is the path of admin.crt."""
        stem, _, extension = name.rpartition("_")
        return self.folder / f"{stem.replace('_', '-')}.{extension}"

    def openssl(self, *arguments):
        done = subprocess.run(
            ["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ClusterError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")

    def certificate(self, stem, subject, *extensions, issuer="ca"):
        signed_by = [] if stem == issuer else ["-CA", self.folder / f"{issuer}.crt", "-CAkey", self.folder / f"{issuer}.key"]
        added = [word for extension in extensions for word in ("-addext", extension)]
        self.openssl(
            "req", "-x509", "-config", self.folder / "openssl.cnf", "-days", "30", "-subj", subject,
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", *signed_by, *added,
            "-keyout", self.folder / f"{stem}.key", "-out", self.folder / f"{stem}.crt",
        )  # fmt: skip

    def make(self):
        self.folder.mkdir(mode=0o700)
        (self.folder / "openssl.cnf").write_text(OPENSSL_CONFIG)
        leaf = ("basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature")
        loopback = "subjectAltName=IP:127.0.0.1,IP:::1,DNS:localhost,DNS:kubernetes.default.svc"
        self.certificate(
            "ca", "/CN=qubesec-local-ca", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"
        )
        both = "extendedKeyUsage=serverAuth,clientAuth"
        self.certificate("etcd", "/CN=etcd", *leaf, loopback, both)
        self.certificate("apiserver", "/CN=kube-apiserver", *leaf, loopback, "extendedKeyUsage=serverAuth")
        client = (*leaf, "extendedKeyUsage=clientAuth")
        self.certificate("etcd-client", "/CN=etcd-client", *client)
        self.certificate("admin", "/O=system:masters/CN=qubesec-admin", *client)
        self.certificate("controller-manager", "/CN=system:kube-controller-manager", *client)
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", self.service_account_key)


class Cluster:
    def __init__(self, folder):
        self.folder = folder
        self.facts_file = folder / "cluster.json"
        self.pki = Pki(folder / "pki")
        self.admin = folder / "admin.kubeconfig"
        self.operator_config = folder / "operator.kubeconfig"
        self.etcd = Process("etcd", folder)
        self.apiserver = Process("kube-apiserver", folder)
        self.controllers = Process("kube-controller-manager", folder)
        self.operator = Process("operator", folder)

    # What is known of it

    def facts(self):
        try:
            return json.loads(self.facts_file.read_text())
        except FileNotFoundError:
            return {}

    def add_facts(self, **facts):
        text = json.dumps({**self.facts(), **facts}, indent=2)
        self.facts_file.write_text(text + "\n")

    def running(self):
        return self.apiserver.pid() is not None and self.etcd.pid() is not None and self.is_ready()

    def is_ready(self, page="/readyz"):
        context = ssl.create_default_context(cafile=self.pki.ca_crt)
        context.load_cert_chain(self.pki.admin_crt, self.pki.admin_key)
        return answers_ok(self.facts()["url"] + page, context)

    def kubectl(self, *arguments, given=""):
        """Runs kubectl as the admin and returns what it printed; raises ClusterError with its message. given: its input."""
        done = subprocess.run(
            [f"{self.facts()['bin']}/kubectl", *map(str, arguments)],
            env={**os.environ, "KUBECONFIG": str(self.admin), "KUBECACHEDIR": str(self.folder / "cache")},
            input=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(map(str, arguments))} failed: {done.stderr.strip()}")
        return done.stdout

    # Start and stop

    def start(self, extra, with_controllers):
        if self.running():
            say(f"the control plane of {self.folder} is up already")
            self.apply(extra)
            return
        self.stop()
        self.wipe()
        tool = CHECKOUT / "tools" / "controlplane.sh"
        subprocess.run([tool, "build"], check=True, stdout=sys.stderr)
        binaries = subprocess.run([tool, "bin"], check=True, capture_output=True, text=True).stdout.strip()
        self.pki.make()
        etcd_port, peer_port, api_port = free_ports(3)
        self.add_facts(url=f"https://127.0.0.1:{api_port}", etcd=f"https://127.0.0.1:{etcd_port}", bin=binaries)
        self.start_etcd(binaries, etcd_port, peer_port)
        self.start_apiserver(binaries, etcd_port, api_port)
        self.write_kubeconfig(self.admin, self.client_certificate("admin"))
        self.apiserver.wait_for("kube-apiserver was ready", self.is_ready)
        # The garbage collector learns what kinds there are when it starts, so the CRDs come before it.
        self.apply(extra)
        if with_controllers:
            self.start_controllers(binaries)
        self.write_operator_kubeconfig()

    def wipe(self):
        """Empties the folder, but only one that was made here."""
        if self.folder.is_dir() and any(self.folder.iterdir()) and not self.facts_file.exists():
            raise ClusterError(f"{self.folder} holds something else; name a new or empty folder")
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        self.add_facts()

    def start_etcd(self, binaries, port, peer_port):
        pki = self.pki
        self.etcd.start(
            f"{binaries}/etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls=https://127.0.0.1:{port}",
            f"--advertise-client-urls=https://127.0.0.1:{port}",
            f"--listen-peer-urls=https://127.0.0.1:{peer_port}",
            f"--initial-advertise-peer-urls=https://127.0.0.1:{peer_port}",
            f"--initial-cluster=default=https://127.0.0.1:{peer_port}",
            f"--cert-file={pki.etcd_crt}",
            f"--key-file={pki.etcd_key}",
            f"--trusted-ca-file={pki.ca_crt}",
            "--client-cert-auth",
            f"--peer-cert-file={pki.etcd_crt}",
            f"--peer-key-file={pki.etcd_key}",
            f"--peer-trusted-ca-file={pki.ca_crt}",
            "--peer-client-cert-auth",
            "--unsafe-no-fsync",
            "--log-level=warn",
        )

    def start_apiserver(self, binaries, etcd_port, port):
        pki = self.pki
        policy = self.folder / "audit-policy.yaml"
        policy.write_text(AUDIT_POLICY)
        self.apiserver.start(
            f"{binaries}/kube-apiserver",
            f"--etcd-servers=https://127.0.0.1:{etcd_port}",
            f"--etcd-cafile={pki.ca_crt}",
            f"--etcd-certfile={pki.etcd_client_crt}",
            f"--etcd-keyfile={pki.etcd_client_key}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={port}",
            f"--tls-cert-file={pki.apiserver_crt}",
            f"--tls-private-key-file={pki.apiserver_key}",
            f"--client-ca-file={pki.ca_crt}",
            "--authorization-mode=RBAC",
            "--enable-admission-plugins=ServiceAccount",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={pki.service_account_key}",
            f"--service-account-signing-key-file={pki.service_account_key}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.folder / 'audit.log'}",
        )

    def start_controllers(self, binaries):
        config = self.folder / "controller-manager.kubeconfig"
        self.write_kubeconfig(config, self.client_certificate("controller-manager"))
        self.controllers.start(
            f"{binaries}/kube-controller-manager",
            f"--kubeconfig={config}",
            f"--controllers={','.join(CONTROLLERS)}",
            "--use-service-account-credentials",
            f"--service-account-private-key-file={self.pki.service_account_key}",
            f"--root-ca-file={self.pki.ca_crt}",
            "--leader-elect=false",
            "--secure-port=0",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        )
        self.controllers.wait_for("the controllers had set up the default namespace", self.default_namespace_is_set_up)

    def default_namespace_is_set_up(self):
        try:
            self.kubectl("get", "serviceaccount/default", "configmap/kube-root-ca.crt", "--namespace=default")
        except ClusterError:
            return False
        return True

    def apply(self, extra):
        """Our CRDs and roles, and what the caller wants besides; all that is there may be used at once."""
        for folder in (CHECKOUT / "config" / "crd", CHECKOUT / "config" / "rbac", *extra):
            if (folder / "kustomization.yaml").exists():
                self.kubectl("apply", "--kustomize", folder)
            elif folder in extra:
                self.kubectl("apply", "--filename", folder)
            else:
                say(f"{folder} is not there, going on without it")
        if self.kubectl("get", "crd", "--output=name"):
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")

    def start_operator(self, binary):
        """Starts the operator in place of one that runs, as config/default does: as its own ServiceAccount, with leader
        election, its settings and its webhook. Waits until it is ready and objects are admitted."""
        if not self.running():
            raise ClusterError(f"no control plane runs in {self.folder}: start it first")
        if not self.operator_config.exists():
            raise ClusterError(f"config/rbac makes no ServiceAccount {SERVICE_ACCOUNT} in namespace {NAMESPACE}")
        if not os.access(binary, os.X_OK):
            raise ClusterError(f"{binary} is not there: run make build first")
        self.operator.stop(OPERATOR_GRACE)
        port, webhook_port = free_ports(2)
        address = f"127.0.0.1:{port}"
        self.add_facts(operator=f"http://{address}")
        self.kubectl("apply", "--filename", CHECKOUT / "config" / "manager" / "settings.yaml")
        self.install_webhook(webhook_port)
        self.operator.start(
            binary, "operator", "--kubeconfig", self.operator_config, "--bind-address", address,
            "--namespace", NAMESPACE, "--leader-elect", f"--webhook-bind-address=127.0.0.1:{webhook_port}",
        )  # fmt: skip
        self.operator.wait_for("the operator was ready", lambda: answers_ok(f"http://{address}/readyz"), 30.0)
        self.operator.wait_for("objects were admitted", self.admits, 30.0)

    def install_webhook(self, port):
        overlay = self.folder / "webhook"
        overlay.mkdir(exist_ok=True)
        base = os.path.relpath(CHECKOUT / "config" / "webhook", overlay.resolve())
        (overlay / "kustomization.yaml").write_text(WEBHOOK_OVERLAY.format(base=base, namespace=NAMESPACE, port=port))
        self.kubectl("apply", "--kustomize", overlay)

    def admits(self):
        """Whether the API server trusts the webhook already: whatever else it says is an answer."""
        try:
            self.kubectl("create", "--dry-run=server", "--filename", "-", given=PROBE)
        except ClusterError as error:
            return "failed calling webhook" not in str(error)
        return True

    def halt(self, names):
        """Stops some of the control plane's processes, in that order."""
        for name in names:
            self.processes()[name].stop(TERM_GRACE)

    def resume(self, names, flags, page):
        """Starts them again with the same data and ports, each with these flags too; returns when the API server's page says ok."""
        for name in names:
            self.processes()[name].start_again(*flags)
        self.apiserver.wait_for("kube-apiserver was ready again", lambda: self.is_ready(page))

    def processes(self):
        return {one.name: one for one in (self.etcd, self.apiserver, self.controllers)}

    def stop(self):
        self.operator.stop(OPERATOR_GRACE)
        for process in (self.controllers, self.apiserver):  # together, so that they take their grace together
            process.signal(signal.SIGTERM)
        for process in (self.controllers, self.apiserver, self.etcd):
            process.stop(TERM_GRACE)

    # Ways in

    def client_certificate(self, stem):
        return {
            "client-certificate": str(self.pki.folder / f"{stem}.crt"),
            "client-key": str(self.pki.folder / f"{stem}.key"),
        }

    def write_kubeconfig(self, path, user):
        """A kubeconfig; JSON is YAML."""
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": "local",
                    "cluster": {"server": self.facts()["url"], "certificate-authority": str(self.pki.ca_crt)},
                }
            ],
            "users": [{"name": path.stem, "user": user}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": path.stem}}],
            "current-context": "local",
        }
        write_private(path, json.dumps(config, indent=2))

    def write_operator_kubeconfig(self):
        try:
            token = self.kubectl("create", "token", SERVICE_ACCOUNT, f"--namespace={NAMESPACE}", "--duration=24h")
        except ClusterError as error:
            say(f"no kubeconfig for the operator: {error}")
            return
        file = self.folder / "operator.token"
        write_private(file, token.strip())
        self.write_kubeconfig(self.operator_config, {"tokenFile": str(file)})

    def print_env(self):
        if not self.running():
            raise ClusterError("nothing is up: run make up first")
        print(f"export KUBECONFIG={shlex.quote(str(self.admin))}")
        print(f'export PATH={shlex.quote(self.facts()["bin"])}:"$PATH"')


def answers_ok(url, context=None):
    try:
        with urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        ).open(url, timeout=2) as answer:
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


def write_private(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=pathlib.Path, default=CHECKOUT / ".local" / "cluster", help="the cluster's folder")
    verbs = parser.add_subparsers(dest="verb", required=True)
    start = verbs.add_parser("start", help="start the control plane, apply config/crd and config/rbac, return when ready")
    start.add_argument("--apply", type=pathlib.Path, action="append", default=[], metavar="PATH",
                       help="apply this file or folder too, before the controllers start (may be repeated)")  # fmt: skip
    start.add_argument("--no-controller-manager", action="store_true", help="do without kube-controller-manager")
    operator = verbs.add_parser("operator", help="start the operator on it, or restart it, and return when it is ready")
    operator.add_argument("binary", type=pathlib.Path)
    halt = verbs.add_parser("halt", help="stop processes of the control plane (etcd, kube-apiserver, ...), in that order")
    halt.add_argument("name", nargs="+")
    resume = verbs.add_parser("resume", help="start such processes again, with the same data, and return when all is ready")
    resume.add_argument("name", nargs="+")
    resume.add_argument("--flag", action="append", default=[], help="one more flag for them (may be repeated)")
    resume.add_argument("--page", default="/readyz", help="the page of the API server that is waited for")
    verbs.add_parser("stop", help="stop all that start and operator started")
    verbs.add_parser("env", help="print shell assignments that make kubectl talk to it")
    return parser.parse_args()


@contextlib.contextmanager
def locked(folder):
    """One command at a time for one folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_name(folder.name + ".lock"), "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main():
    arguments = parse_arguments()
    folder = arguments.dir.absolute()
    cluster = Cluster(folder)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with locked(folder):
            match arguments.verb:
                case "start":
                    try:
                        cluster.start([path.absolute() for path in arguments.apply], not arguments.no_controller_manager)
                    except BaseException:
                        cluster.stop()
                        raise
                case "operator":
                    try:
                        cluster.start_operator(arguments.binary.absolute())
                    except BaseException:
                        cluster.operator.stop(OPERATOR_GRACE)
                        raise
                case "halt":
                    cluster.halt(arguments.name)
                case "resume":
                    cluster.resume(arguments.name, arguments.flag, arguments.page)
                case "stop":
                    cluster.stop()
                case "env":
                    cluster.print_env()
    except (ClusterError, subprocess.CalledProcessError) as error:
        say(error)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
