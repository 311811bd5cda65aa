"""What valgrind's callgrind counts in a run of the operator: instructions and calls, which do not depend on the machine's load."""

import collections
import re

LINE = re.compile(r"(fn|cfn|calls)=(?:\((\d+)\)(?: (.*))?|(\d+) .*)")
COST = re.compile(r"^[+*\-\d]\S* (\d+)$")


class Counts:
    """Read from its file (format: "Callgrind Format Specification" of valgrind's manual), summed over all callers."""

    def __init__(self, file):
        self.calls = collections.Counter()  # by the name of the called function
        self.inclusive = collections.Counter()  # instructions in it and in what it calls, by the same
        self.total = 0
        self.names = {}
        called, calls = None, 0
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("totals:"):
                    self.total = int(line.split()[1])
                elif match := LINE.match(line):
                    what, number, name, count = match.groups()
                    if what == "calls":
                        calls = int(count)
                        self.calls[called] += calls
                    else:
                        called = self.name(number, name)
                elif calls and (cost := COST.match(line.strip())):
                    self.inclusive[called] += int(cost.group(1))
                    calls = 0

    def name(self, number, name):
        if name is not None:
            self.names[number] = name.partition("'")[0]
        return self.names[number]
