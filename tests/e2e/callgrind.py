"""What valgrind's callgrind counts in a run of the operator: instructions and calls, which do not depend on the machine's load."""

import collections
import pathlib
import re
import typing

# For the environment of what is counted: valgrind counts memory that is filled by "rep stosb" byte by byte, which would
# make the cleansing of freed memory look dear, so libc is told not to use it.
WITHOUT_STOSB = {"GLIBC_TUNABLES": f"glibc.cpu.x86_rep_stosb_threshold={1 << 30}"}  # bytes; no fill is that large

PLACE = re.compile(r"(c?)(ob|fl|fi|fe|fn)=\((\d+)\)(?: (.*))?")
COST = re.compile(r"[+*\-\d]\S* (\d+)")


class Function(typing.NamedTuple):
    library: str  # the file's name without its folder: libc.so.6, qubesec
    source: str  # as the compiler was told it, ??? where that is not known
    name: str


class Counts:
    """Read from its file (format: "Callgrind Format Specification" of valgrind's manual), all threads together."""

    def __init__(self, file):
        self.total = 0
        self.own = collections.Counter()  # by function: instructions in it alone
        self.times = collections.Counter()  # by (caller, called): how often
        self.costs = collections.Counter()  # by (caller, called): instructions in the called one and all that it calls
        with open(file, encoding="utf-8") as lines:
            self.read(line.rstrip("\n") for line in lines)

    def read(self, lines):
        known = {}  # names are written once, and are numbers from then on
        here, there, called = {}, {}, None
        for line in lines:
            if match := PLACE.fullmatch(line):
                of_called, what, number, name = match.groups()
                what = "file" if what in ("fl", "fi", "fe") else what
                name = known.setdefault((what, number), name)
                (there if of_called else here)[what] = name
                if what == "fn" and not of_called:
                    caller = function_of(here)
            elif line.startswith("calls="):
                called, there = function_of({**here, **there}), {}
                self.times[caller, called] += int(line[6:].split()[0])
            elif match := COST.fullmatch(line):
                if called is None:
                    self.own[caller] += int(match[1])
                else:
                    self.costs[caller, called] += int(match[1])
                    called = None
            elif line.startswith("totals:"):
                self.total = int(line.split()[1])

    def calls(self, name):
        """How often functions of that name were called."""
        return sum(times for (_, called), times in self.times.items() if called.name == name)

    def inclusive(self, name):
        """Instructions in functions of that name and in what they call."""
        return sum(cost for (_, called), cost in self.costs.items() if called.name == name)


def function_of(place):
    """A recursion is no function of its own: callgrind writes its depth behind the name."""
    return Function(pathlib.PurePath(place["ob"]).name, place["file"], place["fn"].partition("'")[0])
