"""One control plane for the run, in a folder of its own, and one process of the operator at a time."""

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import subprocess
import sys

import pytest
from api import QC, Api
from audit import Audit
from clock import Clock
from process import Operators

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("QUBESEC_BINARY", CHECKOUT / ".local/build/release/qubesec")).absolute()


@dataclasses.dataclass
class Cluster:
    folder: pathlib.Path
    facts: dict
    api: Api
    audit: Audit

    @property
    def url(self):
        return self.facts["url"]

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


def run_tool(folder, *words):
    """tools/cluster.py for the cluster in that folder."""
    subprocess.run([sys.executable, CHECKOUT / "tools" / "cluster.py", "--dir", folder, *words], check=True)


@contextlib.contextmanager
def control_plane(name):
    """A new one in a folder of that name, and of the build, which is stopped in the end."""
    folder = CHECKOUT / ".local" / f"{name}-{BINARY.parent.name}"
    folder.parent.mkdir(exist_ok=True)
    with open(folder.with_name(f"{folder.name}.session.lock"), "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of this suite with the same build waits
        run_tool(folder, "stop")  # what a run that was cut off has left
        run_tool(folder, "start")
        facts = json.loads((folder / "cluster.json").read_text())
        try:
            yield Cluster(folder, facts, Api(folder / "admin.kubeconfig"), Audit(folder / "audit.log"))
        finally:
            run_tool(folder, "stop")


@pytest.fixture(scope="session", autouse=True)
def cluster(request):
    """Of the suite that tools/test.py runs, else of the tests' folder."""
    with control_plane(os.environ.get("QUBESEC_SUITE") or request.session.items[0].path.parent.name) as one:
        before = dict(os.environ)
        os.environ["KUBECONFIG"] = str(one.folder / "admin.kubeconfig")
        os.environ["KUBECACHEDIR"] = str(one.folder / "cache")
        os.environ["PATH"] = f"{one.facts['bin']}:{os.environ['PATH']}"
        yield one
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def api(cluster):
    return cluster.api


@pytest.fixture(scope="session")
def operators(cluster):
    all_of_them = Operators(BINARY, cluster.operator_config, cluster.folder)
    yield all_of_them
    all_of_them.close()


@pytest.fixture
def clock(operators, tmp_path):
    return Clock(operators, tmp_path)


@pytest.fixture
def operator(operators):
    """The operator with the usual flags, running and ready."""
    return operators.default()


@pytest.fixture
def namespace(api):
    """A new one; it goes with the cluster, but for certificates: later tests are not to see them renewed."""
    name = api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]
    yield name
    api.call("DELETE", api.path(QC, name))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the operator said last."""
    report = yield
    operators = item.funcargs.get("operators")
    if report.failed and operators and operators.current:
        report.sections.append(("the operator's log, its end", operators.current.tail()))
    return report
