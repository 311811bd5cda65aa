"""Several processes of the operator at once, one of which leads."""

import base64
import json
import signal

import pytest
from api import wait_until
from audit import WRITES
from credentials import token, with_token
from process import Operator

NAMESPACE, NAME = "qubesec-system", "qubesec-operator"
UNWRITTEN = ("leases", "localsubjectaccessreviews")  # the Lease is for all, and to ask for a review is to write nothing
# Nobody takes such a Lease before it is given back, or its time is made to pass (clock.py).
HOLDING = (
    "--leader-election-lease-duration=1h",
    "--leader-election-renew-deadline=30m",
    "--leader-election-retry-period=500ms",
)
DURATION, DEADLINE = 3600, 1800  # of HOLDING, in seconds
LOST = "leadership is lost, ending at once"


class Replica(Operator):
    """One with a token of its own, so that the audit log tells its requests from those of the others."""

    def __init__(self, command, log, credential, environment=None):
        super().__init__(command, log, environment)
        self.credential = credential

    def identity(self):
        return self.said("waiting to lead")[0]["identity"]

    def leads(self):
        return not self.ended() and self.total("leader_election_master_status") == 1


class Replicas:
    def __init__(self, api, cluster, operators, folder):
        self.api, self.cluster, self.operators, self.folder = api, cluster, operators, folder
        self.all = []

    def start(self, *flags, server=None, environment=None):
        """server: the URL of the API server, if it is another one than usual."""
        number = len(self.all)
        text = token(self.api, NAMESPACE, NAME)
        folder = self.folder / f"replica-{number}"
        folder.mkdir()
        claims = text.split(".")[1]
        identity = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["jti"]
        kubeconfig = with_token(self.cluster, folder, text)
        if server is not None:
            config = json.loads(kubeconfig.read_text())
            config["clusters"][0]["cluster"]["server"] = server
            kubeconfig.write_text(json.dumps(config))
        command = self.operators.command("--leader-elect", *flags, kubeconfig=kubeconfig)
        self.all.append(Replica(command, folder / "log", f"JTI={identity}", environment))
        return self.all[-1].wait_ready()

    def pair(self, *flags, environment=None):
        """Two, and the leader first."""
        first = self.start(*flags, environment=environment)
        wait_leads(first)
        return first, self.start(*flags, environment=environment)

    def writes(self, replica, since, namespace=None):
        """What it wrote, its Lease and Events excepted."""
        return [
            request
            for request in self.cluster.audit.requests(since, namespace)
            if request.credential == replica.credential and request.verb in WRITES and request.resource not in UNWRITTEN
        ]

    def wait_looked(self, replica):
        """Waits until it knows the Lease as it is now: has asked about it after this, and was answered."""
        mark = self.cluster.audit.mark()

        def looks():
            asked = [one for one in self.cluster.audit.requests(mark) if one.resource == "leases"]
            return sum(one.credential == replica.credential for one in asked)

        wait_until(lambda: f"it looks at the Lease:\n{replica.tail()}", lambda: looks() >= 2)

    def take_over(self, clock, standby):
        """Lets the time pass of a Lease of HOLDING that is not renewed any more; clock: that of all of them."""
        self.wait_looked(standby)
        clock.sleep(DURATION)
        wait_leads(standby)

    def close(self):
        for replica in self.all:
            if not replica.ended():
                replica.process.send_signal(signal.SIGCONT)
                replica.stop()
        found = [fault for one in self.all for fault in one.faults()]
        assert not found, "\n\n".join(found)


@pytest.fixture
def replicas(api, cluster, operators, tmp_path):
    operators.stop()
    if api.find("Lease", NAMESPACE, NAME) is not None:
        api.delete("Lease", NAMESPACE, NAME)
    started = Replicas(api, cluster, operators, tmp_path)
    yield started
    started.close()


def lease_of(api):
    return api.get("Lease", NAMESPACE, NAME)


def wait_leads(replica):
    wait_until(lambda: f"it leads:\n{replica.tail()}", replica.leads)
