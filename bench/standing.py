"""What the operator needs while all is done: memory, by finished objects and by other people's Secrets, and time to start.

Memory is measured after a start with a fifth of the objects, and again with all of them: what is between the two is the
objects' own, whatever the program needs by itself."""

import base64
import dataclasses
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


@dataclasses.dataclass
class State:
    """An operator that has nothing to do any more."""

    memory: int  # KiB
    usage: machine.Usage  # since its start, or since all was there that it had to make
    seconds: float = 0  # to ready
    writes: int = 0


def settled(plane):
    """Of one that finds nothing to do."""
    progress = plane.progress()
    then = time.monotonic()
    with contenders.ours(plane) as program:
        meter = machine.Meter({**plane.pids(), "client": program.pid})
        program.wait_said("starting workers")
        seconds = time.monotonic() - then
        program.settle()
        usage = meter.read()
        progress.look()
        writes = sum(count for what, count in progress.requests.items() if not what.startswith(("list", "watch", "get")))
        return State(machine.memory_of(program.pid), usage, seconds, writes)


def make(plane, things):
    """Of one that has made them."""
    with contenders.ours(plane) as program:
        progress = plane.progress()
        plane.create(things)  # by a program of its own, which would count as somebody else's
        meter = machine.Meter({**plane.pids(), "client": program.pid})
        progress.wait(len(things))
        return State(machine.memory_of(program.pid), meter.read())


def foreign(number):
    return secret_thing(NAMESPACE, f"foreign-{number}", {"data": base64.b64encode(os.urandom(FOREIGN_SIZE * 3 // 4))})


def standing(report, folder, count, runs):
    things = workload.WORKLOADS["kem-key-pairs"].things(count)
    few, strangers = count // FEWER, min(FOREIGN_MAX, count // 2)
    for _ in range(runs):
        with Plane(folder) as plane:
            idle = settled(plane)
            made_few = make(plane, things[:few])
            with_few = settled(plane)
            made = make(plane, things[few:])
            with_all = settled(plane)
            plane.create(foreign(number) for number in range(strangers))
            beside = settled(plane)
            most_disturbed = max((idle, made_few, with_few, made, with_all, beside), key=lambda state: state.usage.strange)
            report.add(f"standing, {count} key pairs", "operator", {
                "RSS idle, MiB": idle.memory / 1024,
                f"RSS with {few}, MiB": with_few.memory / 1024,
                f"RSS with {count}, MiB": with_all.memory / 1024,
                "bytes for each, between the two": (with_all.memory - with_few.memory) * 1024 / (count - few),
                f"RSS after making {count - few} besides, MiB": made.memory / 1024,
                f"growth by {strangers} foreign Secrets, MiB": (beside.memory - with_all.memory) / 1024,
                f"start to ready with {few}, s": with_few.seconds,
                f"start to ready with {count}, s": with_all.seconds,
                "writes after the start": with_all.writes,
            }, most_disturbed.usage)  # fmt: skip
