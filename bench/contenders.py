"""Who does the work in a run."""

import os
import pathlib
import subprocess

from api import wait_until
from plane import CHECKOUT
from process import Operator

OPERATOR = CHECKOUT / ".local/build/release/qubesec"
WORKERS = min(64, max(8, 4 * len(os.sched_getaffinity(0))))  # what the operator has by default (src/operator/settings.h)


class Program(Operator):
    """One that reconciles by itself, from when it is started on, and must end well when it is told to."""

    def __init__(self, plane, name, command, environment=None):
        super().__init__(command, plane.folder / f"{name}.log", environment)

    def wait_said(self, word):
        wait_until(lambda: f"{word}: {self.tail()}", lambda: word in self.log.read_text(errors="replace") or self.ended(), pause=0.005)
        self.check()

    def check(self):
        if self.ended() and (found := list(self.faults())):
            raise RuntimeError("\n".join(found))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self.ended():
            self.stop()
        self.check()


def ours(plane, *flags, tool=(), environment=None):
    """The operator; tool: a program with its options under which it runs."""
    return Program(plane, "operator", [
        *tool, OPERATOR, "operator", "--kubeconfig", plane.cluster.operator_config, "--bind-address", "127.0.0.1:0",
        "--namespace", "qubesec-system", "--leader-elect=false", *flags,
    ], environment)  # fmt: skip


def go(plane, *flags):
    """bench/peer-go; ready-made, by make peer-go."""
    where = subprocess.run([CHECKOUT / "tools/peer-go.sh", "where"], capture_output=True, text=True, check=True)
    program = pathlib.Path(where.stdout.strip()) / "peer-go"
    return Program(plane, "peer-go", [program, "-kubeconfig", plane.cluster.operator_config, *flags])
