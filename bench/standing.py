"""What the operator needs while all is done: memory, by finished objects and by other people's Secrets, and time to start."""

import base64
import os
import time

import contenders
import machine
import workload
from api import secret_thing
from plane import Plane
from workload import NAMESPACE

FOREIGN_SIZE = 32 * 1024  # bytes of data in each
QUIET_S = 3.0  # after this long a write that was to come has come


def started(plane):
    """A program that is ready, and the seconds that took."""
    then = time.monotonic()
    program = contenders.ours(plane)
    program.wait_said("starting workers")
    return program, time.monotonic() - then


def settled(plane):
    """Seconds to ready, MiB of memory and the writes of an operator that finds nothing to do."""
    progress = plane.progress()
    program, seconds = started(plane)
    with program:
        time.sleep(QUIET_S)
        progress.look()
        writes = sum(count for what, count in progress.requests.items() if not what.startswith(("list", "watch", "get")))
        return seconds, machine.memory_of(program.pid) / 1024, writes


def foreign(number):
    return secret_thing(NAMESPACE, f"foreign-{number}", {"data": base64.b64encode(os.urandom(FOREIGN_SIZE * 3 // 4))})


def standing(report, folder, count, runs):
    load = workload.WORKLOADS["kem-key-pairs"]
    for _ in range(runs):
        with Plane(folder) as plane:
            _, idle, _ = settled(plane)
            with contenders.ours(plane, "--log-level", "warning") as program:
                progress = plane.progress()
                plane.create(load.things(count))
                progress.wait(count)
                busy = machine.memory_of(program.pid) / 1024
            seconds, finished, writes = settled(plane)
            plane.create(foreign(number) for number in range(count // 2))
            _, beside, _ = settled(plane)
            report.add(f"standing, {count} key pairs", "operator", {
                "RSS idle MiB": idle,
                "RSS after making them MiB": busy,
                "RSS after a start with them MiB": finished,
                "KiB for each": (finished - idle) * 1024 / count,
                f"RSS with {count // 2} foreign Secrets of 32 KiB too, MiB": beside,
                "start to ready s": seconds,
                "writes after the start": writes,
            }, None)  # fmt: skip
