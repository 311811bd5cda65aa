"""The traps of controllers, by number: docs/internals/traps.md has a row for each, and its tests are those that there are.

A test says in its name which traps it is of: test_trap_07_words, or test_trap_13_14_words. It is named in the row of each.
A row without a test says why the trap does not apply.
"""

import re

DOCUMENT = "docs/internals/traps.md"
NUMBERS = range(1, 51)  # all of them have a row; of those that were found later some have
ROW = re.compile(r"^\| (\d+) \|(.*)\|([^|]*)\|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)`")
DEFINED = re.compile(r"^(?:def|static void) (test_trap_((?:\d\d_)+)\w+)\(", re.MULTILINE)
DOES_NOT_APPLY = "does not apply"


def faults(root):
    tests = {name: numbers for path in sources(root) for name, numbers in defined(path.read_text(encoding="utf-8"))}
    rows = {int(number): (text, set(NAMED.findall(named))) for number, text, named in rows_of(root)}
    for number in sorted(set(NUMBERS) - rows.keys()):
        yield f"{DOCUMENT}: trap {number} has no row"
    for number, (text, named) in sorted(rows.items()):
        if not named and DOES_NOT_APPLY not in text.lower():
            yield f"{DOCUMENT}: trap {number} has no test, and does not say why it {DOES_NOT_APPLY}"
        for name in sorted(name for name in named if number not in tests.get(name, ())):
            yield f"{DOCUMENT}: trap {number}: there is no {name} of its number"
        for name in sorted(name for name, numbers in tests.items() if number in numbers and name not in named):
            yield f"{DOCUMENT}: trap {number}: {name} is missing"
    for name in sorted(name for name, numbers in tests.items() if not numbers <= rows.keys()):
        yield f"{name}: there is no such trap"


def rows_of(root):
    document = root / DOCUMENT
    return ROW.findall(document.read_text(encoding="utf-8")) if document.exists() else []


def sources(root):
    folder = root / "tests"
    return [path for suffix in ("c", "h", "py") for path in folder.rglob(f"*.{suffix}")]


def defined(text):
    return [(name, {int(number) for number in numbers.split("_") if number}) for name, numbers in DEFINED.findall(text)]
