#!/usr/bin/env python3
"""make lint: runs every check, shows what each found, and closes with N passed, N failed.

  tools/lint/run.py            all checks
  tools/lint/run.py CHECK...   some of them, by the names that it prints

The release build is there already, for its compile_commands.json. Run it through tools/toolbox.sh.
"""

import pathlib
import subprocess
import sys
import time

import banned
import circles
import layers
import links
import portable
import reasons
import selftest
import sizes
import source
import tidy
import traps

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
DATABASE = ROOT / ".local" / "build" / "release"
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
    version = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
    return tidy.faults(root, tool, version, DATABASE)


def shell_scripts(root):
    scripts = [path for path in source.repository_files(root) if is_shell(path)]
    return tool("shellcheck", "--external-sources", *scripts)


def is_shell(path):
    with open(path, "rb") as file:
        first = file.readline(100)
    return path.suffix == ".sh" or (first.startswith(b"#!") and first.rstrip().endswith((b"/sh", b"bash")))


def mutants(root):
    return tool(root / "tools" / "mutants.py", "--check")


CHECKS = {
    "selftest": lambda root: selftest.faults(),
    "clang-format": clang_format,
    "layers": layers.faults,
    "circles": circles.faults,
    "banned": banned.faults,
    "sizes": sizes.faults,
    "portable": portable.faults,
    "links": links.faults,
    "reasons": reasons.faults,
    "traps": traps.faults,
    "mutants": mutants,
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
