#!/usr/bin/env python3
"""Breaks the code on purpose, one row of tests/mutants.toml after the other, and sees that a test notices.

  tools/mutants.py             all rows: minutes for each
  tools/mutants.py NAME...     some of them
  tools/mutants.py --check     only that each row still finds its text in the source
  MUTANT_SEEDS=400             how many seeds of the simulation a row gets that names it as its test

A row that no test notices is a failure: the claim that it breaks has no test. A simulation that crashes has noticed; a test
that cannot be run, or that fails before anything is broken, ends the run. The copy of the sources that is broken, and its
build, are in .local/mutants. Tests end to end need the control plane (make controlplane). Run it through tools/toolbox.sh.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

import skips

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / ".local" / "mutants" / "checkout"
BUILD = ROOT / ".local" / "mutants" / "build"
SEEDS = int(os.environ.get("MUTANT_SEEDS", "400"))
SIMULATION_BROKEN = 3  # tools/simulate.py: it crashed, or did not end
NOT_COPIED = (".git", ".local", "__pycache__")


def read_rows():
    with open(ROOT / "tests" / "mutants.toml", "rb") as file:
        return tomllib.load(file)["mutant"]


def find_faults(rows):
    """Texts that are not in the source, or more than once."""
    for row in rows:
        count = (ROOT / row["file"]).read_text(encoding="utf-8").count(row["old"])
        if count != 1:
            yield f"tests/mutants.toml: {row['name']}: its text is {count} times in {row['file']}, and not once"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)


def files_of(top):
    """The paths of all sources in the folder, from there on."""
    for folder, folders, names in os.walk(top):
        folders[:] = [name for name in folders if name not in NOT_COPIED]
        yield from ((pathlib.Path(folder) / name).relative_to(top) for name in names)


def lay_copy():
    """The sources as they are now; what has not changed keeps its time, so that little is built."""
    COPY.mkdir(parents=True, exist_ok=True)
    sources = set(files_of(ROOT))
    for gone in set(files_of(COPY)) - sources:
        (COPY / gone).unlink()
    for path in sources:
        source, copy = ROOT / path, COPY / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        if not copy.is_file() or copy.read_bytes() != source.read_bytes():
            shutil.copy(source, copy)
    configured = run("cmake", "-G", "Ninja", "-S", COPY, "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    if configured.returncode != 0:
        sys.exit(configured.stderr)


def build(target):
    built = run("cmake", "--build", BUILD, "--target", target)
    if built.returncode != 0:
        sys.exit(f"{target} does not compile:\n{built.stdout[-3000:]}")


def verdict(done, failed):
    """None: the test passed. failed: the status with which its runner says that it did not; any other is no verdict."""
    if done.returncode == 0:
        return None
    if done.returncode == failed:
        return "fails"
    sys.exit(f"{' '.join(done.args)}\nended with {done.returncode}, which is no verdict:\n{(done.stdout + done.stderr)[-3000:]}")


def simulate(_):
    """The seed that shows a fault, or how the simulation broke off; None: no seed shows one."""
    build("simulate")
    done = run(ROOT / "tools" / "simulate.py", "--program", BUILD / "simulate", "--stop", SEEDS)
    if done.returncode == SIMULATION_BROKEN:
        return f"the simulation broke off: {done.stdout.strip()[-1000:]}"
    found = verdict(done, 1)
    seed = re.search(r"^seed \d+: .*$", done.stdout, re.MULTILINE)
    if found and not seed:
        sys.exit(f"tools/simulate.py failed without a seed:\n{(done.stdout + done.stderr)[-3000:]}")
    return found and seed[0]


def unit(name):
    build(name.replace("/", "_"))
    return verdict(run("ctest", "--test-dir", BUILD, "-R", f"^{name}$", "--no-tests=error", "--timeout", 600), 8)


def end_to_end(name):
    build("all")
    done = run(sys.executable, "-m", "pytest", name, "-p", "no:cacheprovider", "-q", "-x", cwd=COPY,
               env={**os.environ, "QUBESEC_BINARY": str(BUILD / "qubesec"), "PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip
    return verdict(done, 1)


TESTS = {"simulation": simulate, "unit": unit, "e2e": end_to_end}


def notice(test):
    kind, _, name = test.partition(" ")
    return TESTS[kind](name)


def try_row(row):
    path = COPY / row["file"]
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace(row["old"], row["new"]), encoding="utf-8")
    try:
        return notice(row["test"])
    finally:
        path.write_text(source, encoding="utf-8")


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a row's name")
    parser.add_argument("--check", action="store_true", help="only that each row still finds its text")
    return parser.parse_args()


def choose(rows, names):
    unknown = set(names) - {row["name"] for row in rows}
    if unknown:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}")
    return [row for row in rows if row["name"] in names or not names]


def main():
    options = parse()
    rows = read_rows()
    faults = list(find_faults(rows))
    if faults:
        sys.exit("\n".join(faults))
    if options.check:
        print(f"{len(rows)} rows are good")
        return
    rows = choose(rows, options.names)
    skips.name_vectors()
    lay_copy()
    survivors = 0
    for test in sorted({row["test"] for row in rows}):
        if (found := notice(test)) is not None:
            sys.exit(f"{test}: fails without any mutant: {found}")
    for row in rows:
        started = time.monotonic()
        found = try_row(row)
        survivors += found is None
        print(f"{'SURVIVES' if found is None else 'found   '} {row['name']} ({row['test']}, {time.monotonic() - started:.0f} s): {found}", flush=True)
    print(f"{len(rows) - survivors} found, {survivors} survive")
    sys.exit(1 if survivors else 0)


if __name__ == "__main__":
    main()
