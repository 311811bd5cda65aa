#!/usr/bin/env python3
"""Measures the operator on a control plane of its own, beside what the API server can do at most, and prints one table.

  bench/bench.py [--runs 5] [--folder .local/bench] [SECTION...]

A section is NAME or NAME:COUNT, such as kem-key-pairs:5000; without any, all that docs/performance.md shows are run.
The machine should have nothing else to do. Run it by make bench.
"""

import argparse
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(CHECKOUT / "tests" / "e2e"), str(CHECKOUT / "tools")]

import machine  # noqa: E402
import primitives  # noqa: E402
import protocols  # noqa: E402
import single  # noqa: E402
import split  # noqa: E402
import standing  # noqa: E402
import throughput  # noqa: E402
from report import Report  # noqa: E402

LOADS = ("kem-key-pairs", "exchanges", "signatures", "certificates")
OTHERS = {  # and the count of each, unless one is asked for
    "latency": (single.latency, 500),
    "fairness": (single.fairness, 10000),
    "standing": (standing.standing, 50000),
    "split": (split.measure, 200),
    "http": (protocols.http, 1000),
    "primitives": (primitives.primitives, 1),
    "client-go-limit": (throughput.limited, 100),
}
SECTIONS = (*(f"{load}:{count}" for load in LOADS for count in (1000, 5000, 20000)), *OTHERS)


def run_section(report, options, section):
    name, _, count = section.partition(":")
    if name in OTHERS:
        measure, usual = OTHERS[name]
        measure(report, options.folder, int(count or usual), options.runs)
    else:
        throughput.measure(report, options.folder, name, int(count or 1000), options.runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, default=CHECKOUT / ".local" / "bench")
    parser.add_argument("section", nargs="*", default=SECTIONS)
    options = parser.parse_args()
    options.folder = options.folder.absolute()
    report = Report(machine.describe())
    try:
        for section in options.section:
            run_section(report, options, section)
    finally:
        options.folder.mkdir(parents=True, exist_ok=True)
        report.write(options.folder.with_suffix(".json"))
        print(report.table())


if __name__ == "__main__":
    main()
