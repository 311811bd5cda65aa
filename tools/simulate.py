#!/usr/bin/env python3
"""Runs seeds of the simulation on all cores, and closes with how many showed a fault.

  tools/simulate.py [--program FILE] [--stop] [--first SEED] COUNT
  tools/simulate.py [--program FILE] --seconds N      as many as fit

--stop ends with the first fault. All seeds together are one test, of which --junitxml FILE reports. Run it through
tools/toolbox.sh.
"""

import argparse
import itertools
import os
import pathlib
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = ROOT / ".local" / "build" / "release" / "simulate"
BATCH = 10  # seeds that one process runs


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", nargs="?", type=int, help="how many seeds")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--seconds", type=float, help="begin no more seeds after so long")
    parser.add_argument("--stop", action="store_true", help="begin no more seeds after a fault")
    parser.add_argument("--junitxml", type=pathlib.Path, help="where to report the one test that this is")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    return parser.parse_args()


class Run:
    def __init__(self, options):
        self.options = options
        self.starts = itertools.count(options.first, BATCH)
        self.end = options.first + options.count if options.count else None
        self.deadline = time.monotonic() + options.seconds if options.seconds else None
        self.lock = threading.Lock()
        self.seeds = 0
        self.faults = []
        self.broken = False

    def take(self):
        """The next seeds to run: first and count. None: there are no more."""
        with self.lock:
            if self.broken or (self.options.stop and self.faults) or (self.deadline and time.monotonic() > self.deadline):
                return None
            first = next(self.starts)
            count = BATCH if self.end is None else min(BATCH, self.end - first)
            return (first, count) if count > 0 else None

    def work(self):
        while (batch := self.take()) is not None:
            first, count = batch
            done = subprocess.run([self.options.program, str(first), str(count)], capture_output=True, text=True, check=False)
            with self.lock:
                self.seeds += count
                self.faults += [line for line in done.stdout.splitlines() if line.startswith("seed ")]
                if done.returncode not in (0, 1):
                    self.broken = True
                    self.faults.append(f"seed {first} or one of the {count - 1} after it: the simulation ended with {done.returncode}: {done.stderr[-2000:]}")


def write_report(path, faults):
    suite = xml.Element("testsuite", name="simulation", tests="1", failures=str(int(bool(faults))), errors="0", skipped="0")
    case = xml.SubElement(suite, "testcase", classname="simulation", name="seeds")
    if faults:
        xml.SubElement(case, "failure", message=faults[0])
    xml.ElementTree(suite).write(path)


def main():
    options = parse()
    if not options.count and not options.seconds:
        sys.exit("how many seeds, or --seconds?")
    run = Run(options)
    started = time.monotonic()
    threads = [threading.Thread(target=run.work) for _ in range(os.cpu_count())]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for fault in sorted(run.faults, key=lambda line: int(line.split()[1].rstrip(":"))):
        print(fault)
    if run.faults:
        print(f"see it again: {options.program} --verbose SEED")
    if options.junitxml:
        write_report(options.junitxml, run.faults)
    print(f"{run.seeds} seeds in {time.monotonic() - started:.0f} s, {len(run.faults)} with a fault")
    sys.exit(1 if run.faults else 0)


if __name__ == "__main__":
    main()
