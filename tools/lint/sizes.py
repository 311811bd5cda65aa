"""Files and functions stay small enough to read in one go."""

import subprocess

import source

FILE_LINES = 600
FUNCTION_LINES = 60
COMPLEXITY = 15  # McCabe's, a switch counted once


def faults(root):
    paths = source.c_files(root, "src")
    for path in paths:
        lines = path.read_text(encoding="utf-8").count("\n")
        if lines > FILE_LINES:
            yield f"{path.relative_to(root)}: {lines} lines, more than {FILE_LINES}"
    yield from function_faults(root, [path for path in paths if path.suffix == ".c"])


def function_faults(root, paths):
    if not paths:
        return
    measured = subprocess.run(["pmccabe", *paths], capture_output=True, text=True, check=True)
    if measured.stderr:
        yield f"pmccabe could not read all of it: {measured.stderr.strip()}"
    for row in measured.stdout.splitlines():
        complexity, _, _, _, lines, where = row.split("\t", 5)
        where = where.replace(f"{root}/", "")
        if int(complexity) > COMPLEXITY:
            yield f"{where}: complexity {complexity}, more than {COMPLEXITY}"
        if int(lines) > FUNCTION_LINES:
            yield f"{where}: {lines} lines, more than {FUNCTION_LINES}"
