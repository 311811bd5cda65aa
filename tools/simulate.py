#!/usr/bin/env python3
"""Runs seeds of the simulation on all cores, and closes with how many showed a fault.

  tools/simulate.py [--program FILE] [--stop] [--first SEED] COUNT
  tools/simulate.py [--program FILE] --seconds N      as many as fit

--stop ends with the first fault. All seeds together are one test, of which --junitxml FILE reports. Run it through
tools/toolbox.sh.

The exit status is 0 when no seed shows a fault, 1 when one does, 3 when the simulation itself crashed or did not end, and 2 when
it could not be run, or no seed was.
"""

import argparse
import itertools
import os
import pathlib
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / ".local" / "build" / "release" / "simulate"
BATCH = 10  # seeds that one process runs
BATCH_SECONDS = 600  # a last resort: they take a few
GOOD, FOUND, UNUSABLE, BROKEN = range(4)  # the exit statuses


def positive(kind):
    """Reads an argument that is a number above zero."""

    def read(text):
        if not (number := kind(text)) > 0:
            raise ValueError
        return number

    read.__name__ = f"positive {kind.__name__}"  # which argparse names in its message
    return read


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", nargs="?", type=positive(int), help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seconds", type=positive(float), help="begin no more seeds after so long")
    parser.add_argument("--stop", action="store_true", help="begin no more seeds after a fault")
    parser.add_argument("--junitxml", type=pathlib.Path, help="where to report the one test that this is")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    options = parser.parse_args()
    if options.count is None and options.seconds is None:
        parser.error("how many seeds, or --seconds?")
    return options


class Run:
    def __init__(self, options):
        self.options = options
        self.starts = itertools.count(options.first, BATCH)
        self.end = options.first + options.count if options.count else None
        self.deadline = time.monotonic() + options.seconds if options.seconds else None
        self.lock = threading.Lock()
        self.begun = False
        self.seeds = 0
        self.faults = []  # that seeds have shown: the simulation's own lines
        self.broken = []  # runs that came to no verdict, and why
        self.status = GOOD

    def take(self):
        """The next seeds to run: first and count. None: there are no more."""
        with self.lock:
            late = self.begun and self.deadline is not None and time.monotonic() > self.deadline
            if self.broken or (self.options.stop and self.faults) or late:
                return None
            self.begun = True
            first = next(self.starts)
            count = BATCH if self.end is None else min(BATCH, self.end - first)
            return (first, count) if count > 0 else None

    def work(self):
        try:
            while (batch := self.take()) is not None:
                self.run_batch(*batch)
        except Exception as error:  # whatever it is: nobody sees how a thread ends
            self.break_off(UNUSABLE, f"a batch could not be run: {error}")

    def run_batch(self, first, count):
        try:
            done = subprocess.run(
                [self.options.program, str(first), str(count)],
                capture_output=True, text=True, errors="replace", check=False, timeout=BATCH_SECONDS,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            self.break_off(BROKEN, f"one of the seeds {first} to {first + count - 1} did not end within {BATCH_SECONDS} s")
            return
        found = [line for line in done.stdout.splitlines() if re.match(r"seed \d+: ", line)]
        with self.lock:
            self.faults += found
        if done.returncode == (FOUND if found else GOOD):
            with self.lock:
                self.seeds += count
        else:
            how = f"ended with {done.returncode}: {done.stderr[-2000:]}"
            self.break_off(BROKEN, f"one of the seeds {first} to {first + count - 1}: the simulation {how}")

    def break_off(self, status, why):
        with self.lock:
            self.broken.append(why)
            self.status = max(self.status, status)

    def judge(self):
        """The exit status, once all is over, and what is to be told: what seeds show, and what broke off."""
        if self.seeds == 0 and not self.faults and not self.broken:
            self.break_off(UNUSABLE, "no seed was run")
        told = sorted(self.faults, key=lambda line: int(line.split()[1].rstrip(":"))) + self.broken
        return self.status or (FOUND if self.faults else GOOD), told


def write_report(path, faults):
    suite = xml.Element("testsuite", name="simulation", tests="1", failures=str(int(bool(faults))), errors="0", skipped="0")
    case = xml.SubElement(suite, "testcase", classname="simulation", name="seeds")
    if faults:
        xml.SubElement(case, "failure", message=faults[0])
    xml.ElementTree(suite).write(path)


def main():
    options = parse()
    run = Run(options)
    started = time.monotonic()
    threads = [threading.Thread(target=run.work) for _ in range(os.cpu_count())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    status, told = run.judge()
    for fault in told:
        print(fault)
    if run.faults:
        print(f"see it again: {options.program} --verbose SEED")
    if options.junitxml:
        write_report(options.junitxml, told)
    broken = f", broken off: {len(run.broken)}" if run.broken else ""
    print(f"{run.seeds} seeds in {time.monotonic() - started:.0f} s, {len(run.faults)} with a fault{broken}")
    sys.exit(status)


if __name__ == "__main__":
    main()
