"""clang-tidy, on the program only: in tests the analyser does not know that cmocka's asserts end the test.

A file that passed is not looked at again, in this checkout or another one, until something changes that its verdict follows from:
it, a header of ours that it includes, the settings, the compiler's flags, or the tool. What passed is kept in the cache folder.
"""

import concurrent.futures
import contextlib
import hashlib
import os
import pathlib
import re
import time

import source

KEPT_SECONDS = 7 * 24 * 3600  # unless it is used again
SETTINGS = (".clang-tidy", "CMakeLists.txt", "tools/packages.txt")
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)


def cache():
    """As tools/common.sh has it."""
    folder = os.environ.get("QUBESEC_CACHE") or f"{os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'}/qubesec"
    return pathlib.Path(folder) / "clang-tidy"


def with_headers(root, path):
    """A file and all that it includes of ours, by each other too."""
    found, waiting = set(), [path]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for name in INCLUDE.findall(one.read_text(encoding="utf-8")):
            waiting += [other for other in (root / "src" / name, one.parent / name) if other.is_file()]
    return sorted(found)


def key_of(root, path, version):
    """What the verdict on a file follows from, as a name that is the same in each checkout."""
    parts = [version.encode()]
    for one in (*with_headers(root, path), *(root / name for name in SETTINGS)):
        parts += [str(one.relative_to(root)).encode(), one.read_bytes()]
    return hashlib.sha256(b"".join(b"%d\0%s" % (len(part), part) for part in parts)).hexdigest()[:40]


def drop_unused(folder):
    for mark in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):  # another checkout's lint may do the same
            if time.time() - mark.stat().st_mtime > KEPT_SECONDS:
                mark.unlink()


def faults(root, run, version, database):
    """run: of a command, what it found; version: of the tool; database: the folder of compile_commands.json."""
    if not (database / "compile_commands.json").exists():
        return [f"{database} has no compile_commands.json: make build"]
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)

    def check(path):
        mark = folder / key_of(root, path, version)
        found = [] if mark.exists() else run("clang-tidy", "--quiet", "-p", database, path)
        if not found:
            mark.touch()
        return found

    files = [path for path in source.c_files(root, "src") if path.suffix == ".c"]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [fault for faults in pool.map(check, files) for fault in faults]
    drop_unused(folder)
    return found
