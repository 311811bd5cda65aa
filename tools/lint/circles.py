"""No files of src/ need each other in a circle: such files can only be read, tested and changed together.

A header needs the headers that it includes. A .c file needs the .c files whose global functions and variables it names,
whichever header declares them. Both are read from the sources, as .clang-format lays them out.
"""

import re

import source

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"', re.MULTILINE)
# From the start of a line: what it is, its name, and its parameters or its value.
DEFINED = re.compile(r"^(static )?\w[\w *]*[ *](\w+)(?:\([^;{]*\) \{$|(?:\[\w*\])? = )", re.MULTILINE)
NAMED = re.compile(r"(?<![\w.>])([a-z]\w*)")  # not a member


def faults(root):
    texts = {str(path.relative_to(root)): path.read_text(encoding="utf-8") for path in source.c_files(root, "src")}
    headers = {name: text for name, text in texts.items() if name.endswith(".h")}
    units = {name: source.code_of(text) for name, text in texts.items() if name.endswith(".c")}
    for circle in circles(includes(headers)):
        yield f"{', '.join(circle)}: include each other"
    for circle in circles(uses(units)):
        yield f"{', '.join(circle)}: use each other's functions"


def includes(headers):
    return {name: {f"src/{other}" for other in INCLUDE.findall(text)} & set(headers) for name, text in headers.items()}


def uses(units):
    """What a file defines itself is its own, even if another file has a global of that name."""
    defined = {name: DEFINED.findall(text) for name, text in units.items()}
    home = {word: name for name, words in defined.items() for static, word in words if not static}
    named = {name: set(NAMED.findall(text)) - {word for _, word in defined[name]} for name, text in units.items()}
    return {name: {home[word] for word in words if word in home} for name, words in named.items()}


def circles(needs):
    """The sets of files that reach each other, each sorted."""
    reached = {name: reach(name, needs) for name in needs}
    return sorted({tuple(sorted(other for other in reached[name] if name in reached[other])) for name in needs} - {()})


def reach(start, needs):
    seen, left = set(), [start]
    while left:
        new = needs[left.pop()] - seen
        seen |= new
        left += new
    return seen
