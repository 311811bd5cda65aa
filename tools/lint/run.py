#!/usr/bin/env python3
"""make lint: runs every check, shows what each found, and closes with N passed, N failed.

  tools/lint/run.py            all checks
  tools/lint/run.py CHECK...   some of them, by the names that it prints

The release build is there already, for its compile_commands.json. Run it through tools/toolbox.sh.
"""

import concurrent.futures
import hashlib
import os
import pathlib
import subprocess
import sys
import time

import banned
import circles
import layers
import portable
import reasons
import selftest
import sizes
import source
import traps

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATABASE = ROOT / ".local" / "build" / "release"
PASSED = ROOT / ".local" / "lint"
REPORTS = ROOT / ".local" / "reports"


def tool(*command):
    """A check that is a program: what it prints when it fails is its one fault."""
    done = subprocess.run(
        [str(word) for word in command], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return [] if done.returncode == 0 else [done.stdout.strip() or f"{command[0]} ended with {done.returncode}"]


def clang_format(root):
    told = tool("clang-format", "--dry-run", "-Werror", *source.c_files(root))
    files = sorted({line.split(":")[0] for line in "".join(told).splitlines() if "[-Wclang-format-violations]" in line})
    return [f"{name.removeprefix(f'{root}/')}: not as .clang-format says: make format" for name in files] or told


def clang_tidy(root):
    """The program only: in tests the analyser does not know that cmocka's asserts end the test."""
    if not (DATABASE / "compile_commands.json").exists():
        return [f"{DATABASE} has no compile_commands.json: make build"]
    files = source.c_files(root, "src")
    shared = hash_of([root / ".clang-tidy", root / "CMakeLists.txt", *(path for path in files if path.suffix == ".h")])
    PASSED.mkdir(parents=True, exist_ok=True)

    def check(path):
        """A file that passed is not looked at again until it, a header or the settings change."""
        mark = PASSED / f"{hash_of([path])}-{shared}"
        found = [] if mark.exists() else tool("clang-tidy", "--quiet", "-p", DATABASE, path)
        if not found:
            mark.touch()
        return found

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [fault for faults in pool.map(check, (path for path in files if path.suffix == ".c")) for fault in faults]


def hash_of(paths):
    return hashlib.sha256(b"".join(b"%s\0%s\0" % (bytes(path), path.read_bytes()) for path in paths)).hexdigest()[:20]


def shell_scripts(root):
    scripts = [path for path in source.repository_files(root) if is_shell(path)]
    return tool("shellcheck", "--external-sources", *scripts)


def is_shell(path):
    with open(path, "rb") as file:
        first = file.readline(100)
    return path.suffix == ".sh" or (first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"bash")))


CHECKS = {
    "selftest": lambda root: selftest.faults(),
    "clang-format": clang_format,
    "layers": layers.faults,
    "circles": circles.faults,
    "banned": banned.faults,
    "sizes": sizes.faults,
    "portable": portable.faults,
    "reasons": reasons.faults,
    "traps": traps.faults,
    "shellcheck": shell_scripts,
    "clang-tidy": clang_tidy,
}


def main():
    names = sys.argv[1:] or list(CHECKS)
    if not set(names) <= set(CHECKS):
        sys.exit(f"there are these checks: {', '.join(CHECKS)}")
    failed = []
    for name in names:
        started = time.monotonic()
        found = list(CHECKS[name](ROOT))
        for fault in found:
            print(fault)
        print(f"{name}: {f'{len(found)} found' if found else 'good'} ({time.monotonic() - started:.1f} s)", flush=True)
        failed += [name] if found else []
    REPORTS.mkdir(parents=True, exist_ok=True)
    (REPORTS / "lint.counts").write_text(f"{len(names) - len(failed)} {len(failed)} 0\n")
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
