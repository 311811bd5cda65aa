#!/usr/bin/env python3
"""Runs the test suites and closes with the sum of what they ran: N passed, N failed, N skipped. A test that may not be skipped
(tools/skips.py), and is, has failed.

  tools/test.py [--all]            all suites
  tools/test.py [--all] SUITE...   some: unit, unit-asan, unit-tsan, simulation, e2e, e2e-files, e2e-asan,
                                   e2e-tsan, interop, faults, faults-wire

Unit tests and simulation keep all cores busy and run one suite after the other. The other suites mostly wait, and run side by side.
A test that would only do again under a sanitizer what another one does there is left out (tests/e2e/builds.py), and some do
less of the same; --all leaves out nothing.

The builds and peers that a suite needs are there already (make test). Run it through tools/toolbox.sh.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as xml

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "tools"))
import skips  # noqa: E402

BUILD = CHECKOUT / ".local" / "build"
REPORTS = CHECKOUT / ".local" / "reports"
# Lanes run side by side, the suites of a lane one after the other. The unit tests come before them, and after them, with
# nothing else beside, the faults, which are to be what goes wrong: those on the wire to the API server, and all others.
FIRST = ("unit", "unit-asan", "unit-tsan", "simulation")
LANES = (("e2e",), ("e2e-asan", "interop"), ("e2e-tsan", "e2e-files"))
LAST = (("faults",), ("faults-wire",))
SUITES = (*FIRST, *(suite for lane in (*LANES, *LAST) for suite in lane))
SANITIZERS = ("asan", "tsan")
# Files of a suite that are one of their own, so that lanes are about as long: what others make of our files; and what is done to
# the operator's requests. All others of the folder, new ones too, are the suite itself. With a sanitizer nothing is divided.
PARTS = {
    "e2e-files": ("admission_schema", "gitops", "guides", "image", "install", "monitoring", "policies"),
    "faults-wire": ("list_faults", "proxy", "telling_faults", "watch_faults", "write_faults"),
}
CMOCKA_START, CMOCKA_GROUP = "[ RUN      ]", "[==========]"


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other):
        return Counts(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"

    @property
    def good(self):
        """Nothing failed, and something ran: a suite that finds no test is a fault of its own."""
        return self.failed == 0 and self.passed > 0


def read_ctest(report):
    """Counts cmocka's tests inside each program that ctest ran; any other program, or one that broke off, is one test."""
    counts = Counts()
    for case in xml.parse(report).getroot().iter("testcase"):
        program = cmocka_counts(case.findtext("system-out") or "")
        good = case.get("status") == "run"  # else it failed, or could not even be started
        if not good and program.failed == 0:
            program += Counts(failed=1)
        elif program == Counts():
            program = Counts(passed=1)
        counts += program
    return counts


def cmocka_counts(output):
    """A test that started and has no verdict before the next one or the end of its group has failed, or crashed."""
    counts = Counts()
    for test in output.split(CMOCKA_START)[1:]:
        result = test.partition(CMOCKA_GROUP)[0]
        passed, skipped = "[       OK ]" in result, "[  SKIPPED ]" in result
        counts += Counts(passed, not passed and not skipped, skipped)
    return counts


def read_pytest(report):
    counts = Counts()
    for suite in xml.parse(report).getroot().iter("testsuite"):
        failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts += Counts(int(suite.get("tests", 0)) - failed - skipped, failed, skipped)
    return counts


def skipped_tests(report):
    """The names of tests that were skipped, as tools/skips.py writes them."""
    for case in xml.parse(report).getroot().iter("testcase"):
        if case.get("status") is not None:  # ctest's
            names = re.findall(r"^\[  SKIPPED \] (\w+)$", case.findtext("system-out") or "", re.MULTILINE)
            yield from (f"{case.get('name')}: {name}" for name in dict.fromkeys(names))
        elif case.find("skipped") is not None:
            file = case.get("classname").rpartition(".")[2]
            yield f"{file}.py::{case.get('name').partition('[')[0]}"


def judge_skips(suite, report, output):
    """Says why tests were skipped; how many were that no row of tools/skips.py allows to be."""
    allowed, unexpected = skips.sort(skipped_tests(report), suite)
    for why, count in allowed.items():
        print(f"{suite}: {count} skipped: {why}", file=output)
    for test in unexpected:
        print(f"{suite}: {test} was skipped, which tools/skips.py does not allow here", file=output)
    return len(unexpected)


def unit(suite, build, report):
    # CMake's default cuts what passed programs printed, and the counts with it.
    command = [
        "ctest", "--test-dir", build, "--output-on-failure", "--output-junit", report, "--parallel", os.cpu_count(),
        "--test-output-size-passed", 10**8, "--test-output-size-failed", 10**8, "--no-tests=error", "--timeout", 600,
    ]  # fmt: skip
    if suite == "unit-tsan" and os.environ.get("QUBESEC_TESTS") == "short":
        command += ["--label-exclude", "one-thread"]
    return command, {}, read_ctest


def files_of(suite, folder):
    """What of the folder is the suite's, as pytest's arguments."""
    for part, names in PARTS.items():
        paths = [f"{folder}/test_{name}.py" for name in names]
        if part == suite:
            return paths
        if part.partition("-")[0] == suite:
            return [folder, *(f"--ignore={path}" for path in paths)]
    return [folder]


def end_to_end(suite, build, report):
    """The suite's cluster is named after it, so that two suites of one folder can run side by side."""
    folder = FOLDERS[suite.partition("-")[0]]
    command = [sys.executable, "-m", "pytest", *files_of(suite, folder), "-p", "no:cacheprovider", "-ra", f"--junitxml={report}"]
    environment = {"QUBESEC_BINARY": str(build / "qubesec"), "QUBESEC_SUITE": suite.removesuffix(f"-{build.name}"), "PYTHONDONTWRITEBYTECODE": "1"}
    return command, environment, read_pytest


def interop(suite, build, report):
    command, environment, read = end_to_end(suite, build, report)
    where = [CHECKOUT / "tools" / "interop.sh", "where"]
    peers = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    return command, {**environment, "QUBESEC_PEERS": peers}, read


def simulation(_, build, report):
    much = ["--seconds", 100] if os.environ.get("QUBESEC_TESTS") == "short" else [10000]
    program = CHECKOUT / "tools" / "simulate.py"
    return [program, "--program", build / "simulate", f"--junitxml={report}", *much], {}, read_pytest


KINDS = {"unit": unit, "simulation": simulation, "e2e": end_to_end, "faults": end_to_end, "interop": interop}
FOLDERS = {"e2e": "tests/e2e", "faults": "tests/faults", "interop": "tests/interop"}


def sanitizer_reports(suite):
    """What sanitizers found in any process of the suite, also in one that a test killed or restarted."""
    return sorted(REPORTS.glob(f"{suite}.sanitizer.*"))


def sanitizer_options(suite):
    common = f"log_path={REPORTS / suite}.sanitizer:log_exe_name=1:halt_on_error=1"
    return {
        "ASAN_OPTIONS": f"{common}:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": f"{common}:print_stacktrace=1",
        "TSAN_OPTIONS": f"{common}:second_deadlock_stack=1",
    }


def run(suite, output=None):
    """Runs a suite and returns its counts; all it prints goes to the file output, if there is one."""
    kind, _, part = suite.partition("-")
    build = BUILD / (part if part in SANITIZERS else "release")
    report = REPORTS / f"{suite}.xml"
    command, environment, read = KINDS[kind](suite, build, report)
    started = time.monotonic()
    print(f"== {suite}", file=output, flush=True)
    done = subprocess.run(
        [str(word) for word in command], cwd=CHECKOUT, check=False, stdout=output, stderr=output and subprocess.STDOUT,
        env={**os.environ, **sanitizer_options(suite), **environment},
    )  # fmt: skip
    try:
        counts = read(report)
        unexpected = judge_skips(suite, report, output)
        counts += Counts(failed=unexpected, skipped=-unexpected)
    except (OSError, xml.ParseError) as error:
        print(f"{suite}: no report from its runner: {error}", file=output)
        counts = Counts(failed=1)
    found = sanitizer_reports(suite)
    for file in found:
        print(f"{suite}: a sanitizer found a fault ({file.name}):\n{file.read_text(errors='replace')}", file=output)
    if done.returncode != 0:
        print(f"{suite}: its runner ended with status {done.returncode}", file=output)
    if counts.failed == 0 and (found or done.returncode != 0):
        counts += Counts(failed=1)
    print(f"== {suite}: {counts} in {time.monotonic() - started:.0f} s\n", file=output, flush=True)
    return counts


def run_lane(suites):
    """Runs suites one after the other; what each printed is shown whole, at its end."""
    results = {}
    for suite in suites:
        print(f"== {suite} has started", flush=True)
        with open(REPORTS / f"{suite}.log", "w+", encoding="utf-8", errors="replace") as log:
            results[suite] = run(suite, log)
            log.seek(0)
            print(log.read(), end="", flush=True)
    return results


def run_lanes(lanes, suites):
    lanes = [wanted for lane in lanes if (wanted := [suite for suite in lane if suite in suites])]
    if len(lanes) == 1 and len(lanes[0]) == 1:  # nothing else prints
        return {lanes[0][0]: run(lanes[0][0])}
    results = {}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for result in pool.map(run_lane, lanes):
            results |= result
    return results


def run_all(suites):
    results = {suite: run(suite) for suite in suites if suite in FIRST}
    return results | run_lanes(LANES, suites) | run_lanes(LAST, suites)


def main():
    skips.name_vectors()
    suites = [argument for argument in sys.argv[1:] if argument != "--all"] or SUITES
    unknown = set(suites) - set(SUITES)
    if unknown:
        sys.exit(f"no such suite: {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    os.environ["QUBESEC_TESTS"] = "all" if "--all" in sys.argv else "short"
    shutil.rmtree(REPORTS, ignore_errors=True)
    REPORTS.mkdir(parents=True)
    results = run_all(suites)
    for suite, counts in results.items():
        print(f"{suite:<11} {counts}{'' if counts.good else '   <-- here'}")
    total = sum(results.values(), Counts())
    (REPORTS / "test.counts").write_text(f"{total.passed} {total.failed} {total.skipped}\n")
    print(total)
    sys.exit(0 if all(counts.good for counts in results.values()) else 1)


if __name__ == "__main__":
    main()
