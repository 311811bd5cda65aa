"""A day's work in minutes: memory and file descriptors stay where they are.

SOAK_RECONCILES (5000) reconciles: make soak does 200,000. Most are what most are in a cluster, a look at an object that
turns out to be as it must be; they come from a key pair that is touched, which wakes all that depend on it. In between
objects are made, edited and deleted, Secrets damaged, certificates issued anew, watches cut and lists begun again.
"""

import os
import statistics

import pytest
from api import QC, QDK, QES, QKKP, QRN, QSKP, QSM, QVS, exchange, thing, wait_until
from faultproxy import Inject, Rule

RECONCILES = int(os.environ.get("SOAK_RECONCILES", "5000"))
DEPENDENTS = 60  # of the key pair that is touched
TOUCHES = 8 if RECONCILES < 50000 else 24  # of it, in one round
PAIRS = 3  # rounds whose objects are there at the same time

# How much the median of the last quarter may lie above that of the second one: the first is for warming up. A heap
# breathes by less than this. Over 200,000 reconciles it is half of them that lie in between, so 42 bytes lost in each
# would show, or one file descriptor in 12,500.
RSS_ALLOWANCE_KB = 4096
FD_ALLOWANCE = 8  # connections come and go: one for each that asks at the same time


def measure(operator):
    """Resident memory in KB, file descriptors."""
    return operator.memory("VmRSS"), len(os.listdir(f"/proc/{operator.pid}/fd"))


def medians(samples):
    """Of the second and of the last quarter of the reconciles."""
    last = samples[-1][0]
    second = [one[1:] for one in samples if last / 4 < one[0] <= last / 2]
    fourth = [one[1:] for one in samples if last * 3 / 4 < one[0]]
    return [tuple(map(statistics.median, zip(*part, strict=True))) for part in (second, fourth)]


class Load:
    def __init__(self, api, proxy, namespace, operator):
        self.api, self.proxy, self.namespace, self.operator = api, proxy, namespace, operator
        self.made = []  # the objects of each of the last rounds
        self.counts = dict.fromkeys(("created", "edited", "deleted", "damaged", "issued", "cut", "relisted"), 0)

    def start(self):
        hub = {"publicKeyRef": {"name": "hub"}}
        ca = {"algorithm": "ML-DSA-44", "certType": "ca", "commonName": "CA"}
        things = [thing(QKKP, self.namespace, "hub", {"algorithm": "ML-KEM-512"}), thing(QC, self.namespace, "ca", ca)]
        things += [thing(QES, self.namespace, f"hub-{number}", hub) for number in range(DEPENDENTS)]
        self.api.make(*things)
        self.operator.settle()
        self.before = self.counted()  # what there was already has been looked at

    def touch(self, number):
        """Wakes the key pair and all that depend on it; waits until they were looked at."""
        before = self.total()
        change = {"metadata": {"annotations": {"touched": str(number)}}}
        self.api.patch(QKKP, self.namespace, "hub", change)
        wait_until(f"{DEPENDENTS + 1} reconciles", lambda: self.total() > before + DEPENDENTS, pause=0.02)

    def work(self, number):
        """What changes something."""
        prefix = f"r{number}-"
        made = exchange(self.namespace, prefix, "ML-KEM-512")
        sign = {"privateKeyRef": {"name": f"{prefix}key"}, "messageRef": {"name": f"{prefix}bytes", "key": "random"}}
        verify = {"publicKeyRef": {"name": f"{prefix}key"}, "signatureRef": {"name": f"{prefix}signed"}}
        leaf = {"algorithm": "ML-DSA-44", "certType": "server", "subjectAltNames": ["a.example"]}
        made += [
            thing(QRN, self.namespace, f"{prefix}bytes", {"numBytes": 512}),
            thing(QSKP, self.namespace, f"{prefix}key", {"algorithm": "ML-DSA-44"}),
            thing(QSM, self.namespace, f"{prefix}signed", sign),
            thing(QC, self.namespace, f"{prefix}leaf", {**leaf, "parentCARef": {"name": "ca"}}),
        ]
        self.api.make(*made)
        made.append(thing(QVS, self.namespace, f"{prefix}verified", {**verify, "messageRef": sign["messageRef"]}))
        self.api.create(made[-1])
        self.api.wait_status(QVS, self.namespace, f"{prefix}verified", "Valid")
        self.count("created", len(made))
        self.damage(f"{prefix}bytes", "random")
        self.damage(f"{prefix}sealed", "shared_secret")
        self.edit(QDK, f"{prefix}alice", {"secretTemplate": {"labels": {"round": str(number)}}})
        self.edit(QC, f"{prefix}leaf", {"durationDays": 30})
        self.count("issued")
        self.made.append(made)
        for one in self.made.pop(0) if len(self.made) > PAIRS else []:
            self.api.delete(one["kind"], self.namespace, one["metadata"]["name"])
            self.count("deleted")

    def damage(self, name, entry):
        self.api.patch("Secret", self.namespace, name, {"data": {entry: "AAAA"}})
        wait_until(f"{name} is mended", lambda: len(self.api.secret(self.namespace, name)[entry]) > 3)
        self.count("damaged")

    def edit(self, kind, name, spec):
        self.api.patch(kind, self.namespace, name, {"spec": spec})
        self.api.wait_success(kind, self.namespace, name)
        self.count("edited")

    def disturb(self, number):
        """Cuts every connection; every other time the API server has forgotten where the watches were."""
        if number % 2 == 1:
            self.proxy.add(Rule(Inject(410, {"kind": "Status", "code": 410}), watch=True, times=4))
            self.count("relisted")
        self.proxy.cut_all()
        self.count("cut")
        self.proxy.requests.clear()

    def count(self, what, number=1):
        self.counts[what] += number

    def counted(self):
        return int(self.operator.total("controller_runtime_reconcile_total"))

    def total(self):
        """Reconciles since the start of this."""
        return self.counted() - self.before


@pytest.mark.timeout(600 + RECONCILES // 20)
def test_memory_and_descriptors_stay_flat(api, operators, namespace, proxy, through):
    operator = operators.start("--log-level", "info", kubeconfig=through).wait_ready()
    load = Load(api, proxy, namespace, operator)
    load.start()
    samples, number = [], 0
    while load.total() < RECONCILES:
        load.work(number)
        for turn in range(TOUCHES):
            load.touch(number * TOUCHES + turn)
        if number % 3 == 2:
            load.disturb(number)
        samples.append((load.total(), *measure(operator)))
        number += 1
        if number % 20 == 0:
            print(f"{samples[-1][0]} reconciles: {samples[-1][1]} KB, {samples[-1][2]} descriptors", flush=True)
    (rss, files), (last_rss, last_files) = medians(samples)
    print(f"{load.total()} reconciles in {number} rounds: {load.counts}")
    print(f"resident memory: {rss:.0f} KB, then {last_rss:.0f} KB; file descriptors: {files:.0f}, then {last_files:.0f}")
    assert last_rss <= rss + RSS_ALLOWANCE_KB, samples
    assert last_files <= files + FD_ALLOWANCE, samples
