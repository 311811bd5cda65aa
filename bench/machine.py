"""The machine that a figure is from, and whether something else was at work on it meanwhile."""

import dataclasses
import os
import pathlib
import platform
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")
BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal: fields of /proc/stat (proc_stat(5))
STRANGE_MAX = 0.1  # of one core: more than this by processes that are not ours, and the run is disturbed


def describe():
    """What a reader has to know of it."""
    model = next(
        (line.partition(":")[2].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    openssl = subprocess.run(["openssl", "version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memoryGiB": memory,
        "kernel": platform.release(),
        "openssl": openssl,
    }


def cpu_of(pid):
    """Seconds of processor time that the process has used so far, with all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_of(pid, what="VmRSS"):
    """KiB; VmHWM is the most that it ever was."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no {what}")


def cpu_of_all():
    """Seconds that all cores together were busy so far, or were taken away."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    return sum(fields[i] for i in BUSY) / TICK


@dataclasses.dataclass
class Usage:
    """Processor time by name of process, between two looks."""

    seconds: float
    of: dict
    strange: float  # of whoever else was at work, in cores

    @property
    def disturbed(self):
        return self.strange > STRANGE_MAX


class Meter:
    """Counts from its creation on; pids by name. This very process counts as ours."""

    def __init__(self, pids):
        self.pids = {**pids, "bench": os.getpid()}
        self.started = time.monotonic()
        self.all = cpu_of_all()
        self.first = {name: cpu_of(pid) for name, pid in self.pids.items()}

    def read(self):
        seconds = time.monotonic() - self.started
        of = {name: cpu_of(pid) - self.first[name] for name, pid in self.pids.items()}
        strange = (cpu_of_all() - self.all - sum(of.values())) / seconds
        return Usage(seconds, of, strange)
