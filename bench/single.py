"""How long one object takes that nothing else waits beside: from the create to the Success that its user sees."""

import math
import queue
import statistics
import time

import contenders
import machine
import workload
from api import QKKP, QSM, thing
from plane import Plane
from workload import NAMESPACE

SLOW_ALGORITHM = "SLH-DSA-SHAKE-256s"
ALONGSIDE = 500  # key pairs that are asked for beside them: enough that five lie beyond the p99


class Watch:
    """Tells when an object was first seen to have succeeded."""

    def __init__(self, api, kind, namespace):
        self.seen = queue.SimpleQueue()
        self.end = api.watch(kind, namespace, self.take)

    def take(self, _, found):
        if found.get("status", {}).get("status") == "Success":
            self.seen.put((found["metadata"]["name"], time.monotonic()))

    def wait(self, name):
        while True:
            found, then = self.seen.get(timeout=60)
            if found == name:
                return then


def one_by_one(plane, namespace, count, prefix):
    """Seconds of each create's own round trip, and until its Success was seen."""
    watch = Watch(plane.api, QKKP, namespace)
    trips, latencies = [], []
    try:
        for number in range(count):
            one = thing(QKKP, namespace, f"{prefix}{number}", {"algorithm": "ML-KEM-768"})
            started = time.monotonic()
            plane.api.create(one)
            trips.append(time.monotonic() - started)
            latencies.append(watch.wait(one["metadata"]["name"]) - started)
            time.sleep(0.01)
    finally:
        watch.end()
    return trips, latencies


def percentile(values, percent):
    """The nearest rank: the least value that so many of a hundred do not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]


def figures_of(trips, latencies):
    return {
        "create to Success ms p50": statistics.median(latencies) * 1000,
        "create to Success ms p99": percentile(latencies, 99) * 1000,
        "round trip of a create ms p50": statistics.median(trips) * 1000,
        "p50 in round trips": statistics.median(latencies) / statistics.median(trips),
    }


def latency(report, folder, count, runs):
    for _ in range(runs):
        with Plane(folder) as plane, contenders.ours(plane) as program:
            program.wait_said("starting workers")
            meter = machine.Meter({**plane.pids(), "client": program.pid})
            trips, latencies = one_by_one(plane, NAMESPACE, count, "one")
            report.add(f"latency, {count}", "operator", figures_of(trips, latencies), meter.read())


def fairness(report, folder, count, runs):
    """One tenant has so many slow signatures to be made; another one asks for key pairs, one by one."""
    for _ in range(runs):
        with Plane(folder) as plane, contenders.ours(plane) as program:
            plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
            signer = thing("QuantumSignatureKeyPair", NAMESPACE, "signer", {"algorithm": SLOW_ALGORITHM})
            plane.api.create(workload.MESSAGE)
            plane.api.create(signer)
            plane.api.wait_success(signer["kind"], NAMESPACE, "signer")
            _, alone = one_by_one(plane, "other", ALONGSIDE, "alone")
            plane.create(thing(QSM, NAMESPACE, f"x{number}", {
                "privateKeyRef": {"name": "signer"}, "messageRef": {"kind": "Secret", "name": "message", "key": "text"},
            }) for number in range(count))  # fmt: skip
            time.sleep(2)
            meter = machine.Meter({**plane.pids(), "client": program.pid})
            _, beside = one_by_one(plane, "other", ALONGSIDE, "beside")
            report.add(f"fairness, {count} signatures waiting", "operator", {
                "alone ms p50": statistics.median(alone) * 1000,
                "alone ms p99": percentile(alone, 99) * 1000,
                "beside ms p50": statistics.median(beside) * 1000,
                "beside ms p99": percentile(beside, 99) * 1000,
                "delay at p99 ms": (percentile(beside, 99) - percentile(alone, 99)) * 1000,
            }, meter.read())  # fmt: skip
