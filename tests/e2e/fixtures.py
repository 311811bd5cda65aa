"""One control plane for the run, in a folder of its own, and one process of the operator at a time."""

import dataclasses
import fcntl
import json
import os
import pathlib
import subprocess
import sys

import pytest
from api import Api
from audit import Audit
from process import Operators

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("QUBESEC_BINARY", CHECKOUT / ".local/build/release/qubesec")).absolute()


@dataclasses.dataclass
class Cluster:
    folder: pathlib.Path
    url: str
    api: Api
    audit: Audit

    @property
    def operator_config(self):
        return self.folder / "operator.kubeconfig"

    def kubectl(self, *arguments, given=None):
        """What kubectl prints; raises CalledProcessError, whose stderr says why."""
        text = (
            given
            if given is None or isinstance(given, str)
            else json.dumps({"apiVersion": "v1", "kind": "List", "items": given})
        )
        done = subprocess.run(
            ["kubectl", *arguments], input=text, capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout


@pytest.fixture(scope="session", autouse=True)
def cluster(request):
    suite = request.session.items[0].path.parent.name
    folder = CHECKOUT / ".local" / f"{suite}-{BINARY.parent.name}"
    tool = [sys.executable, CHECKOUT / "tools" / "cluster.py", "--dir", folder]
    folder.parent.mkdir(exist_ok=True)
    with open(folder.with_name(f"{folder.name}.session.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of this suite with the same build waits
        subprocess.run([*tool, "stop"], check=True)  # what a run that was cut off has left
        subprocess.run([*tool, "start"], check=True)
        facts = json.loads((folder / "cluster.json").read_text())
        before = dict(os.environ)
        os.environ["KUBECONFIG"] = str(folder / "admin.kubeconfig")
        os.environ["KUBECACHEDIR"] = str(folder / "cache")
        os.environ["PATH"] = f"{facts['bin']}:{os.environ['PATH']}"
        try:
            yield Cluster(folder, facts["url"], Api(folder / "admin.kubeconfig"), Audit(folder / "audit.log"))
        finally:
            os.environ.clear()
            os.environ.update(before)
            subprocess.run([*tool, "stop"], check=True)


@pytest.fixture(scope="session")
def api(cluster):
    return cluster.api


@pytest.fixture(scope="session")
def operators(cluster):
    all_of_them = Operators(BINARY, cluster.operator_config, cluster.folder)
    yield all_of_them
    all_of_them.close()


@pytest.fixture
def operator(operators):
    """The operator with the usual flags, running and ready."""
    return operators.default()


@pytest.fixture
def namespace(api):
    """A new one; it goes with the cluster."""
    return api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the operator said last."""
    report = yield
    operators = item.funcargs.get("operators")
    if report.failed and operators and operators.current:
        report.sections.append(("the operator's log, its end", operators.current.tail()))
    return report
