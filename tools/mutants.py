#!/usr/bin/env python3
"""Breaks the code on purpose, one row of tests/mutants.toml after the other, and sees that a test notices.

  tools/mutants.py             all rows
  tools/mutants.py NAME...     some of them
  tools/mutants.py --check     only that each row still finds its text in the source

A row that no test notices is a failure: the claim that it breaks has no test. The copy of the sources that is broken, and
its build, are in .local/mutants. Run it through tools/toolbox.sh.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
COPY = ROOT / ".local" / "mutants" / "checkout"
BUILD = ROOT / ".local" / "mutants" / "build"
SEEDS = int(os.environ.get("SEEDS", "400"))


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


def lay_copy():
    """The sources as they are now; what has not changed keeps its time, so that little is built."""
    COPY.mkdir(parents=True, exist_ok=True)
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in (".git", ".local", "__pycache__")]
        for source in (pathlib.Path(folder) / name for name in names):
            copy = COPY / source.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if not copy.is_file() or copy.read_bytes() != source.read_bytes():
                shutil.copy(source, copy)
    configured = run("cmake", "-G", "Ninja", "-S", COPY, "-B", BUILD, "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    if configured.returncode != 0:
        sys.exit(configured.stderr)


def build(target):
    built = run("cmake", "--build", BUILD, "--target", target)
    if built.returncode != 0:
        sys.exit(f"a mutant does not compile:\n{built.stdout[-3000:]}")


def simulate(_):
    """How many seeds it took; None: no seed shows a fault."""
    build("simulate")
    done = run(ROOT / "tools" / "simulate.py", "--program", BUILD / "simulate", "--stop", SEEDS)
    found = re.search(r"^seed (\d+): (.*)$", done.stdout, re.MULTILINE)
    return f"seed {found[1]}: {found[2]}" if found else None


def unit(name):
    build(name.replace("/", "_"))
    done = run("ctest", "--test-dir", BUILD, "-R", f"^{name}$", "--no-tests=error")
    return None if done.returncode == 0 else "fails"


def end_to_end(name):
    build("all")
    done = run(sys.executable, "-m", "pytest", name, "-p", "no:cacheprovider", "-q", "-x", cwd=COPY,
               env={**os.environ, "QUBESEC_BINARY": str(BUILD / "qubesec"), "PYTHONDONTWRITEBYTECODE": "1"})  # fmt: skip
    return None if done.returncode == 0 else "fails"


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


def main():
    rows = read_rows()
    faults = list(find_faults(rows))
    if faults:
        sys.exit("\n".join(faults))
    if sys.argv[1:] == ["--check"]:
        return
    unknown = set(sys.argv[1:]) - {row["name"] for row in rows}
    if unknown:
        sys.exit(f"no such mutant: {', '.join(sorted(unknown))}")
    rows = [row for row in rows if row["name"] in sys.argv[1:] or not sys.argv[1:]]
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
