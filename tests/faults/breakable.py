"""A control plane of a test module's own, which may be broken: import the fixtures to have it in place of the suite's."""

import contextlib
import json
import shutil

import pytest
from etcd import Gateway
from faultproxy import FaultProxy
from fixtures import BINARY, control_plane, run_tool
from process import Operators

__all__ = ["api", "cluster", "etcd", "operators", "the_proxy"]
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager")  # in the order of their start


@pytest.fixture(scope="module", autouse=True)
def cluster(request):
    with control_plane(f"faults-{request.path.stem.removeprefix('test_')}") as one:
        yield one


@pytest.fixture(scope="module")
def api(cluster):
    return cluster.api


@pytest.fixture(scope="module")
def operators(cluster):
    all_of_them = Operators(BINARY, cluster.operator_config, cluster.folder)
    yield all_of_them
    all_of_them.close()


@pytest.fixture(scope="module")
def the_proxy(cluster):
    with contextlib.closing(FaultProxy.before(cluster)) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def etcd(cluster):
    return Etcd(cluster)


def halt(cluster, *names):
    run_tool(cluster.folder, "halt", *names)


def resume(cluster, *names, flags=(), page="/readyz"):
    """Returns when that page of the API server says ok."""
    run_tool(cluster.folder, "resume", *names, *(f"--flag={flag}" for flag in flags), f"--page={page}")
    cluster.api.forget_connection()


class Etcd(Gateway):
    """And its data as a folder."""

    def __init__(self, cluster):
        super().__init__(cluster)
        self.cluster = cluster
        self.data = cluster.folder / "etcd"

    def revision(self):
        return int(self.call("maintenance/status")["header"]["revision"])

    def size_on_disk(self):
        """Bytes of its database, also while it does not run."""
        return (self.data / "member" / "snap" / "db").stat().st_size

    def alarms(self):
        return self.call("maintenance/alarm", {"action": "GET"}).get("alarms", [])

    def compact(self):
        """Forgets all revisions but the newest one."""
        self.call("kv/compaction", {"revision": str(self.revision()), "physical": True})

    def make_room(self):
        """What its manual has one do when it is full."""
        self.compact()
        self.call("maintenance/defragment")
        for alarm in self.alarms():
            self.call("maintenance/alarm", {"action": "DEACTIVATE", **alarm})

    def take_snapshot(self):
        """A copy of its data, as of a moment when it does not run."""
        copy = self.cluster.folder / "snapshot"
        halt(self.cluster, "etcd")
        shutil.copytree(self.data, copy)
        resume(self.cluster, "etcd")
        return copy

    def restore(self, copy):
        """Its data is what it was then. All of the control plane starts anew, as Kubernetes' manual demands."""
        halt(self.cluster, *reversed(CONTROL_PLANE))
        shutil.rmtree(self.data)
        copy.rename(self.data)
        resume(self.cluster, *CONTROL_PLANE)
