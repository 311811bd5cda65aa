"""The clocks of an operator, which a test moves (shifted_clock.c)."""

import os
import struct

from api import wait_until


def shifted(operators, **settings):
    """The environment of an operator that has the clocks of shifted_clock.c, with these settings of theirs."""
    return {
        "LD_PRELOAD": str(operators.binary.with_name("libshifted_clock.so")),
        # ASan wants to be the first library; here the clock is, which takes nothing that ASan watches.
        "ASAN_OPTIONS": f"{os.environ.get('ASAN_OPTIONS', '')}:verify_asan_link_order=0",
        **settings,
    }


class Clock:
    """What an operator with this environment waits for on its monotonic clock comes at once; several may share it."""

    def __init__(self, operators, folder):
        self.file = folder / "clock"
        self.ahead = self.asleep = 0
        self.write("wb")
        self.environment = shifted(operators, SHIFTED_CLOCK_FILE=str(self.file))

    def write(self, mode):
        with open(self.file, mode, buffering=0) as file:
            file.write(struct.pack("=qq", self.ahead, self.asleep))

    def advance(self, operator, seconds):
        self.ahead += seconds
        self.write("r+b")
        operator.answer("/healthz")  # its loop looks at the clock when it has something to do

    def pass_refusals(self, operator):
        """Until work begins although some lists are refused, which is seen when they were so a few times."""
        wait_until("work begins", lambda: operator.said("starting workers") or self.advance(operator, 7), pause=0.2)

    def sleep(self, seconds):
        """As if the machine had been asleep: only the clock that goes on meanwhile, by which a Lease is, is ahead."""
        self.asleep += seconds
        self.write("r+b")
