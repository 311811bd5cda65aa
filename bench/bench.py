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
import throughput  # noqa: E402
from report import Report  # noqa: E402

SECTIONS = ("kem-key-pairs:1000", "kem-key-pairs:5000", "exchanges:1000", "signatures:1000", "certificates:1000")


def run_section(report, options, section):
    name, _, count = section.partition(":")
    throughput.measure(report, options.folder, name, int(count or 1000), options.runs, options.peers)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, default=CHECKOUT / ".local" / "bench")
    parser.add_argument("--no-peers", dest="peers", action="store_false", help="leave the Go operator out")
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
