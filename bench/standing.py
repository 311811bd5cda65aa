"""What the operator needs while all is done: memory, by finished objects and by other people's Secrets, and time to start.

Memory is measured after a start with a fifth of the objects, and again with all of them: what is between the two is the
objects' own, whatever the program needs by itself."""

import base64
import os
import time

import contenders
import machine
import workload
from api import secret_thing
from plane import Plane
from workload import NAMESPACE

FEWER = 5  # the first of the two counts is this part of the second one
FOREIGN_MAX = 5000
FOREIGN_SIZE = 32 * 1024  # bytes of data in each


def settled(plane):
    """Seconds to ready, KiB of memory and the writes of an operator that finds nothing to do."""
    progress = plane.progress()
    then = time.monotonic()
    with contenders.ours(plane) as program:
        program.wait_said("starting workers")
        seconds = time.monotonic() - then
        program.settle()
        progress.look()
        writes = sum(count for what, count in progress.requests.items() if not what.startswith(("list", "watch", "get")))
        return seconds, machine.memory_of(program.pid), writes


def make(plane, things):
    """Lets an operator make them; returns KiB of its memory after that."""
    with contenders.ours(plane, "--log-level", "warning") as program:
        progress = plane.progress()
        plane.create(things)
        progress.wait(len(things))
        return machine.memory_of(program.pid)


def foreign(number):
    return secret_thing(NAMESPACE, f"foreign-{number}", {"data": base64.b64encode(os.urandom(FOREIGN_SIZE * 3 // 4))})


def standing(report, folder, count, runs):
    things = workload.WORKLOADS["kem-key-pairs"].things(count)
    few, strangers = count // FEWER, min(FOREIGN_MAX, count // 2)
    for _ in range(runs):
        with Plane(folder) as plane:
            _, idle, _ = settled(plane)
            make(plane, things[:few])
            seconds_few, with_few, _ = settled(plane)
            made = make(plane, things[few:])
            seconds, with_all, writes = settled(plane)
            plane.create(foreign(number) for number in range(strangers))
            _, beside, _ = settled(plane)
            report.add(f"standing, {count} key pairs", "operator", {
                "RSS idle, MiB": idle / 1024,
                f"RSS with {few}, MiB": with_few / 1024,
                f"RSS with {count}, MiB": with_all / 1024,
                "bytes for each, between the two": (with_all - with_few) * 1024 / (count - few),
                f"RSS after making {count - few} besides, MiB": made / 1024,
                f"growth by {strangers} foreign Secrets, MiB": (beside - with_all) / 1024,
                f"start to ready with {few}, s": seconds_few,
                f"start to ready with {count}, s": seconds,
                "writes after the start": writes,
            }, None)  # fmt: skip
