"""What `make up` leaves running is the product as config/default installs it, but for the Pods."""

import json
import subprocess

import pytest
import yaml
from api import QKKP, Api, thing, wait_until
from fixtures import BINARY, control_plane, run_tool

FAULTY = """\
apiVersion: qubesec.io/v1
kind: QuantumCertificate
metadata: {name: faulty, namespace: default}
spec: {domain: "a..b,*.*.example.com", usages: [server auth]}
"""


@pytest.fixture(scope="module")
def playground():
    """The folder of a cluster of its own, as make up starts it."""
    with control_plane("playground") as one:
        run_tool(one.folder, "operator", str(BINARY))
        yield one.folder


@pytest.fixture
def kubectl(playground, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(playground / "admin.kubeconfig"))

    def run(*words, given=""):
        return subprocess.run(["kubectl", *words], input=given, capture_output=True, text=True, check=False, timeout=120)

    return run


def test_every_fault_and_warning_is_shown(kubectl):
    said = kubectl("apply", "--filename", "-", given=FAULTY)
    assert said.returncode != 0
    for words in ("Warning: spec.domain: ", '"a..b"', '"*.*.example.com"', "spec.commonName: is required"):
        assert words in said.stderr


def test_what_is_made_has_its_event(playground):
    api = Api(playground / "admin.kubeconfig")
    api.make(thing(QKKP, "default", "pair"))
    wait_until("there is an Event", lambda: api.events("default", "pair", "Succeeded"))


def test_a_leader_is_elected(kubectl):
    lease = yaml.safe_load(kubectl("get", "lease", "qubesec-operator", "--namespace=qubesec-system", "--output=yaml").stdout)
    assert lease["spec"]["holderIdentity"]


def test_the_webhook_is_called_by_its_service(kubectl):
    said = json.loads(kubectl("get", "validatingwebhookconfiguration", "qubesec", "--output=json").stdout)
    [webhook] = said["webhooks"]
    assert webhook["clientConfig"]["service"]["name"] == "qubesec-webhook" and webhook["failurePolicy"] == "Fail"


def test_check_finds_nothing_wrong(playground):
    """But for what only Pods have, and a control plane that stores Secrets as they are."""
    done = subprocess.run(
        [BINARY, "check", "--kubeconfig", playground / "admin.kubeconfig", "--output", "json"],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    report = json.loads(done.stdout)
    odd = [(one["group"], one["subject"]) for one in report["findings"] if one["level"] != "ok"]
    assert done.returncode == 0 and odd == [("Operator", "Deployment"), ("Encryption of Secrets in etcd", "Secrets")]
