"""Who does the work in a run."""

import pathlib
import subprocess
import time

from plane import CHECKOUT

OPERATOR = CHECKOUT / ".local/build/release/qubesec"


class Program:
    """One that reconciles by itself, from when it is started on."""

    def __init__(self, plane, name, command):
        self.log = plane.folder / f"{name}.log"
        with open(self.log, "wb") as stream:
            self.process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=stream, stderr=stream
            )
        self.pid = self.process.pid

    def wait_said(self, word, patience=60):
        deadline = time.monotonic() + patience
        while word not in self.log.read_text(errors="replace"):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.log}: {self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.005)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def ours(plane, *flags, program=(OPERATOR,)):
    return Program(plane, "operator", [
        *program, "operator", "--kubeconfig", plane.cluster.operator_config, "--bind-address", "127.0.0.1:0",
        "--namespace", "qubesec-system", "--leader-elect=false", *flags,
    ])  # fmt: skip


def go(plane, *flags):
    """bench/peer-go; ready-made, by make peer-go."""
    where = subprocess.run([CHECKOUT / "tools/peer-go.sh", "where"], capture_output=True, text=True, check=True)
    program = pathlib.Path(where.stdout.strip()) / "peer-go"
    return Program(plane, "peer-go", [program, "-kubeconfig", plane.cluster.operator_config, *flags])
