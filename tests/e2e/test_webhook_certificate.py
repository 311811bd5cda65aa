"""The webhook's certificate: made, shared by replicas, published, rotated under load, or mounted by somebody else."""

import base64
import contextlib
import itertools
import os
import socket
import ssl
import threading
import time

import pytest
import yaml
from api import QRN, ApiError, data_of, thing, version_of, wait_until
from process import Operator
from webhook import CHECKOUT, CONFIGURATIONS, make_certificates, port_of

NAMESPACE, SECRET, CONFIGURATION = "qubesec-system", "qubesec-webhook-certificate", "qubesec"
ROTATE, SINCE = "qubesec.io/rotate", "qubesec.io/ca-overlap-since"
LOOPBACK = ("--webhook-bind-address", "127.0.0.1:0", "--webhook-host", "127.0.0.1")
OWN = (*LOOPBACK, "--webhook-rotation-overlap", "6s")
QUICK = (*LOOPBACK, "--webhook-rotation-overlap", "1s")  # it looks four times within that; too short for rotations under load
RATE = 20  # admissions a second


class Service:
    """What a Service is to the API server: one address, behind which connections go to the replicas in turn."""

    def __init__(self, ports):
        self.ports = list(ports)
        self.turn = itertools.count()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.accept)
        self.thread.start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self.listener.accept()
                ports = self.ports
                try:
                    replica = socket.create_connection(("127.0.0.1", ports[next(self.turn) % len(ports)]))
                except (OSError, ZeroDivisionError):  # nobody is there
                    caller.close()
                    continue
                for source, target in ((caller, replica), (replica, caller)):
                    threading.Thread(target=self.forward, args=(source, target), daemon=True).start()

    @staticmethod
    def forward(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def forget(self, port):
        """From now on no connection goes there."""
        self.ports = [one for one in self.ports if one != port]

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()


class Webhooks:
    """Replicas with a webhook, and the configuration by which the API server calls them."""

    def __init__(self, api, cluster, operators, folder):
        self.api, self.cluster, self.operators, self.folder = api, cluster, operators, folder
        self.all = []
        self.service = None

    def launch(self, *flags, environment=None):
        log = self.folder / f"replica-{len(self.all)}.log"
        self.all.append(Operator(self.operators.command(*flags), log, environment))
        return self.all[-1]

    def start(self, *flags):
        return self.launch(*flags).wait_ready()

    def configure(self, *replicas, bundle=None):
        """The configuration, with a URL in place of its Service, and without a caBundle if none is given."""
        (wanted,) = yaml.safe_load_all((CHECKOUT / "config/webhook/validating_webhook.yaml").read_text())
        self.service = Service([port_of(one) for one in replicas])
        wanted["webhooks"][0]["clientConfig"] = {"url": f"https://127.0.0.1:{self.service.port}/validate"}
        if bundle is not None:
            wanted["webhooks"][0]["clientConfig"]["caBundle"] = base64.b64encode(bundle).decode()
        return self.api.call("POST", CONFIGURATIONS, wanted)

    def configuration(self):
        return self.api.call("GET", f"{CONFIGURATIONS}/{CONFIGURATION}")

    def bundle(self):
        (webhook,) = self.configuration()["webhooks"]
        return base64.b64decode(webhook["clientConfig"].get("caBundle", ""))

    def secret(self):
        return self.api.find("Secret", NAMESPACE, SECRET)

    def trusted(self):
        """ca.crt of the Secret, empty where there is none."""
        return data_of(self.secret() or {}).get("ca.crt", b"")

    def wait_published(self):
        wait_until("the caBundle is that of the Secret", lambda: self.bundle() == self.trusted() != b"")
        return self.trusted()

    def rotate(self, what):
        self.api.patch("Secret", NAMESPACE, SECRET, {"metadata": {"annotations": {ROTATE: what}}})

    def is_settled(self):
        """No rotation is asked for or under way."""
        found = self.secret()
        annotations = found["metadata"].get("annotations", {})
        return ROTATE not in annotations and SINCE not in annotations and "ca-next.key" not in found["data"]

    def close(self):
        running = [one for one in self.all if not one.ended()]
        for one in running:
            one.process.terminate()
        for one in running:
            one.stop()
        if self.service is not None:
            self.service.close()
        for one in self.api.call("GET", CONFIGURATIONS)["items"]:
            self.api.call("DELETE", f"{CONFIGURATIONS}/{one['metadata']['name']}")
        if self.secret() is not None:
            self.api.delete("Secret", NAMESPACE, SECRET)
        found = [fault for one in self.all for fault in one.faults()]
        assert not found, "\n\n".join(found)


@pytest.fixture
def webhooks(api, cluster, operators, tmp_path):
    operators.stop()
    cluster.kubectl("apply", "--filename", CHECKOUT / "config/webhook/role.yaml")
    made = Webhooks(api, cluster, operators, tmp_path)
    yield made
    made.close()


def shown_by(replica, bundle):
    """The certificate (DER) that the replica shows to a client that trusts bundle; raises if it is not trusted."""
    return shown_at(port_of(replica), bundle)


def shown_at(port, bundle):
    context = ssl.create_default_context(cadata=bundle.decode())
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        return secured.getpeercert(binary_form=True)


def shows(replica, bundle, leaf):
    """Whether the replica shows that leaf; a bundle that is published before its leaf is served does not trust the old one."""
    try:
        return shown_by(replica, bundle) == leaf
    except ssl.SSLCertVerificationError:
        return False


def leaf_of(chain):
    first = chain.decode().partition("-----END CERTIFICATE-----\n")
    return ssl.PEM_cert_to_DER_cert(first[0] + first[1])


def admit(api, namespace):
    path = f"{api.path(QRN, namespace)}?dryRun=All"
    api.call("POST", path, thing(QRN, namespace, "probe", {"numBytes": 16}))


def wait_admitted(api, namespace):
    def admitted():
        try:
            admit(api, namespace)
        except ApiError:
            return False
        return True

    wait_until("the API server's calls succeed", admitted)




# Our own


def test_trap_24_certificate_is_made_and_published(api, webhooks, namespace):
    one = webhooks.start(*QUICK)
    before = webhooks.configure(one)
    trusted = webhooks.wait_published()
    wait_admitted(api, namespace)
    assert one.total("controller_runtime_webhook_requests_total") >= 1

    secret = webhooks.secret()
    assert secret["type"] == "kubernetes.io/tls"
    assert secret["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "qubesec"
    assert shown_by(one, trusted) == leaf_of(data_of(secret)["tls.crt"])

    after = webhooks.configuration()
    (owned,) = [entry for entry in after["metadata"]["managedFields"] if entry["manager"] == "qubesec-webhook"]
    assert owned["operation"] == "Apply"
    assert owned["fieldsV1"] == {
        "f:webhooks": {'k:{"name":"validate.qubesec.io"}': {".": {}, "f:clientConfig": {"f:caBundle": {}}, "f:name": {}}}
    }
    after["webhooks"][0]["clientConfig"].pop("caBundle")
    assert after["webhooks"] == before["webhooks"]
    assert one.total("certwatcher_read_certificate_total") >= 1
    assert one.total("certwatcher_read_certificate_errors_total") == 0
    assert one.total("qubesec_webhook_certificate_expiration_timestamp_seconds") > time.time() + 80 * 24 * 3600


def test_nothing_is_written_when_nothing_changes(webhooks):
    one = webhooks.start(*QUICK)
    webhooks.configure(one)
    webhooks.wait_published()
    versions = version_of(webhooks.secret()), version_of(webhooks.configuration())
    looks = one.total("certwatcher_read_certificate_total")
    wait_until("it looked again", lambda: one.total("certwatcher_read_certificate_total") >= looks + 3)
    assert (version_of(webhooks.secret()), version_of(webhooks.configuration())) == versions


def test_replicas_that_start_together_make_one_certificate(webhooks):
    replicas = [webhooks.launch(*OWN) for _ in range(4)]
    for one in replicas:
        one.wait_ready()
    webhooks.configure(*replicas)
    trusted = webhooks.wait_published()
    leaf = leaf_of(data_of(webhooks.secret())["tls.crt"])
    for one in replicas:
        wait_until("it serves that leaf", lambda one=one: shows(one, trusted, leaf))
    assert sum(len(one.said("webhook CA and certificate made")) for one in replicas) == 1
    assert sum(len(one.said("caBundle written")) for one in replicas) == 1


class Load:
    """Admissions at a steady rate through the API server, each with a new connection to each of the ports as well."""

    def __init__(self, api, webhooks, namespace, ports, rate=RATE):
        self.api, self.webhooks, self.namespace = api, webhooks, namespace
        self.ports, self.rate = ports, rate
        self.failures = []
        self.leaves = set()
        self.count = 0
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(4)]

    def once(self):
        admit(self.api, self.namespace)
        bundle = self.webhooks.bundle()
        shown = {shown_at(port, bundle) for port in self.ports}
        with self.lock:
            self.leaves |= shown
            self.count += 1

    def run(self, number):
        pause = len(self.threads) / self.rate
        due = time.monotonic() + number * pause / len(self.threads)
        while not self.ended.wait(max(0.0, due - time.monotonic())):
            due += pause
            try:
                self.once()
            except Exception as error:  # whatever it is, the caller of an admission would have seen it
                self.failures.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for thread in self.threads:
            thread.join()


def test_trap_24_no_call_fails_while_all_is_rotated(api, webhooks, namespace):
    replicas = [webhooks.start(*OWN), webhooks.start(*OWN)]
    webhooks.configure(*replicas)
    first = webhooks.wait_published()
    wait_admitted(api, namespace)

    def both_serve(leaf):
        return all(shows(one, webhooks.bundle(), leaf) for one in replicas)

    def leaf_now():
        return leaf_of(data_of(webhooks.secret())["tls.crt"])

    with Load(api, webhooks, namespace, [port_of(one) for one in replicas]) as load:
        wait_until("there is load", lambda: load.count > 20)
        webhooks.rotate("leaf")
        wait_until("the leaf is another", lambda: webhooks.is_settled() and both_serve(leaf_now()) and len(load.leaves) > 1)
        assert webhooks.trusted() == first
        webhooks.rotate("ca")
        wait_until("the CA is another", lambda: webhooks.is_settled() and webhooks.trusted() != first)
        wait_until("both serve the last leaf", lambda: both_serve(leaf_now()))
        before = load.count
        wait_until("there is load after it", lambda: load.count > before + 20)
    assert not load.failures, load.failures[:3]
    assert len(load.leaves) == 3
    assert webhooks.wait_published() not in (b"", first)
    assert first not in webhooks.bundle()

    steps = ["next CA introduced", "both CAs published", "certificate of the next CA made", "former CA dropped"]
    for step in steps:
        said = [line for one in replicas for line in one.said(f"webhook CA rotation: {step}")]
        assert len(said) == 1, (step, said)


def test_trap_42_a_rolling_update_refuses_nothing(api, webhooks, namespace):
    """For seconds after its SIGTERM a replica is still called, on new connections, and answers."""
    old = webhooks.start(*OWN, "--termination-grace-period", "1h")
    webhooks.configure(old, webhooks.start(*OWN))
    webhooks.wait_published()
    wait_admitted(api, namespace)
    with Load(api, webhooks, namespace, [webhooks.service.port], rate=50) as load:
        wait_until("there is load", lambda: load.count > 50)
        old.process.terminate()
        wait_until("it says that it stops", lambda: old.answer("/readyz") == (503, "stopping\n"))
        before, until = load.count, time.monotonic() + 5
        wait_until("its endpoint is gone at last", lambda: time.monotonic() > until and load.count > before + 100)
        webhooks.service.forget(port_of(old))
        after = load.count
        wait_until("the other one has all", lambda: load.count > after + 50)
    assert not load.failures, load.failures[:3]
    assert not old.ended()
    old.kill()


def test_lost_secret_is_made_anew(api, webhooks, namespace):
    one = webhooks.start(*QUICK)
    webhooks.configure(one)
    first = webhooks.wait_published()
    wait_admitted(api, namespace)
    uid = webhooks.secret()["metadata"]["uid"]
    api.delete("Secret", NAMESPACE, SECRET)
    wait_until("there is another", lambda: (webhooks.secret() or {"metadata": {"uid": uid}})["metadata"]["uid"] != uid)
    wait_until("its leaf is served", lambda: shows(one, webhooks.bundle(), leaf_of(data_of(webhooks.secret())["tls.crt"])))
    wait_admitted(api, namespace)
    wait_until("the former CA is gone", lambda: webhooks.is_settled() and first not in webhooks.trusted())
    webhooks.wait_published()


def test_damaged_secret_is_made_anew(api, webhooks, namespace):
    one = webhooks.start(*QUICK)
    webhooks.configure(one)
    first = webhooks.wait_published()
    api.patch("Secret", NAMESPACE, SECRET, {"data": {"ca.key": base64.b64encode(b"rubbish").decode()}})
    wait_until("the CA is another", lambda: first not in webhooks.wait_published() and webhooks.is_settled())
    wait_admitted(api, namespace)


def test_overwritten_bundle_is_restored(api, webhooks, namespace):
    one = webhooks.start(*QUICK)
    webhooks.configure(one)
    trusted = webhooks.wait_published()
    other = make_certificates(webhooks.folder / "other")
    change = [{"op": "replace", "path": "/webhooks/0/clientConfig/caBundle",
               "value": base64.b64encode((other / "ca.crt").read_bytes()).decode()}]  # fmt: skip
    api.call("PATCH", f"{CONFIGURATIONS}/{CONFIGURATION}", change, "application/json-patch+json")
    wait_until("it is as before", lambda: webhooks.bundle() == trusted)
    wait_admitted(api, namespace)


def test_trap_38_no_configuration_is_made(api, webhooks, namespace):
    one = webhooks.start(*QUICK)
    assert len(wait_until("it says so", lambda: one.said("nothing calls the webhook"))) == 1
    webhooks.configure(one)
    webhooks.wait_published()
    api.call("DELETE", f"{CONFIGURATIONS}/{CONFIGURATION}")
    wait_until("it says so again", lambda: len(one.said("nothing calls the webhook")) == 2)
    looks = one.total("certwatcher_read_certificate_total")
    wait_until("it looked again", lambda: one.total("certwatcher_read_certificate_total") >= looks + 3)
    assert not api.call("GET", CONFIGURATIONS)["items"]
    assert len(one.said("nothing calls the webhook")) == 2
    admit(api, namespace)


def test_secret_of_somebody_else_is_not_touched(api, webhooks):
    other = make_certificates(webhooks.folder / "other")
    data = {name: base64.b64encode((other / name).read_bytes()).decode() for name in ("tls.crt", "tls.key")}
    made = api.create(
        {"kind": "Secret", "metadata": {"namespace": NAMESPACE, "name": SECRET}, "type": "kubernetes.io/tls", "data": data}
    )
    one = webhooks.launch(*QUICK).wait_started()
    wait_until("it says so", lambda: any("is not the operator's" in line["detail"] for line in one.said("a task failed")))
    assert one.answer("/readyz")[0] == 503
    assert version_of(webhooks.secret()) == version_of(made)
    assert one.total("certwatcher_read_certificate_errors_total") >= 1


# Somebody else's


class Mount:
    """A Secret's volume, as the kubelet keeps it: names that point into ..data, which points at a folder."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        for name in ("tls.crt", "tls.key"):
            (folder / name).symlink_to(f"..data/{name}")

    def show(self, version):
        made = make_certificates(self.folder / version)
        (self.folder / "..data_tmp").symlink_to(version)
        os.replace(self.folder / "..data_tmp", self.folder / "..data")
        return (made / "ca.crt").read_bytes(), leaf_of((made / "tls.crt").read_bytes())


def test_trap_23_mounted_certificate_is_followed(api, webhooks, namespace):
    mount = Mount(webhooks.folder / "mount")
    first_ca, first = mount.show("..1")
    one = webhooks.start("--webhook-bind-address", "127.0.0.1:0", "--webhook-certificate-directory", mount.folder)
    assert shown_by(one, first_ca) == first
    webhooks.configure(one, bundle=first_ca)
    wait_admitted(api, namespace)

    second_ca, second = mount.show("..2")

    def second_is_shown():
        with contextlib.suppress(ssl.SSLError):
            return shown_by(one, second_ca) == second

    wait_until("the other one is served", second_is_shown)
    (mount.folder / "..2" / "tls.crt").write_bytes((mount.folder / "..1" / "tls.crt").read_bytes())
    wait_until("it says so", lambda: one.said("the mounted webhook certificate cannot be used"))
    assert shown_by(one, second_ca) == second
    assert webhooks.secret() is None
    assert webhooks.bundle() == first_ca  # whoever mounts a certificate keeps the caBundle
