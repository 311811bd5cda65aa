"""What the proxy can do to a request, and to which requests it does so."""

import dataclasses
import json
import re
import threading
import time

# The faults. Sizes are in bytes of the answer's body, as it is before any transfer coding.


@dataclasses.dataclass(frozen=True)
class Blackhole:
    """The request is swallowed. The connection stays open, so only the client's own deadline ends the waiting."""


@dataclasses.dataclass(frozen=True)
class Reset:
    """The connection is reset after so much of the answer; 0: before its head, so that the whole answer is lost."""

    after: int = 0


@dataclasses.dataclass(frozen=True)
class Cut:
    """As Reset, but closed in order, in the middle of the answer."""

    after: int = 0


@dataclasses.dataclass(frozen=True)
class Delay:
    """The request reaches the server so many seconds late; answer: it is the answer that is so late."""

    seconds: float
    answer: bool = False


@dataclasses.dataclass(frozen=True)
class Hold:
    """The request reaches the server once go is set, and not before; answer: it is the answer that waits."""

    go: threading.Event = dataclasses.field(default_factory=threading.Event)
    answer: bool = False


@dataclasses.dataclass(frozen=True)
class Rechunk:
    """The answer comes in chunks, and TLS records, of that size."""

    size: int


@dataclasses.dataclass(frozen=True)
class Inject:
    """This answer in place of the server's. forward: the server does what was asked, and its own answer is lost."""

    status: int
    body: object = ""  # a text, or what is written as JSON
    headers: dict = dataclasses.field(default_factory=dict)
    forward: bool = False

    def encoded(self):
        """The whole answer, head and body."""
        text = self.body if isinstance(self.body, str) else json.dumps(self.body)
        body = text.encode()
        fields = {"Content-Type": "application/json", **self.headers, "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        return f"HTTP/1.1 {self.status} Injected\r\n{head}\r\n".encode() + body


@dataclasses.dataclass(frozen=True)
class Prefix:
    """For a watch: these lines (texts, or what is written as JSON) come before what the server sends."""

    lines: tuple

    def encoded(self):
        texts = (line if isinstance(line, str) else json.dumps(line) for line in self.lines)
        return "".join(f"{text}\n" for text in texts).encode()


# Which requests


@dataclasses.dataclass
class Request:
    """One that reached the proxy."""

    method: str
    path: str  # with its query
    connection: int  # which one of the client's connections, from 1 on
    when: float = dataclasses.field(default_factory=time.monotonic)
    status: int | None = None  # None: not answered (yet)
    rule: "Rule | None" = None
    ended: bool = False  # the answer is through, or its connection is gone

    @property
    def is_watch(self):
        return re.search(r"[?&]watch=(1|true)(&|$)", self.path) is not None


@dataclasses.dataclass
class Rule:
    """A fault for those requests that have this method, whose path and query the expression is found in, and that are
    a watch or not; None: all. skip: so many of them pass first; times: the rule is used up after so many."""

    fault: object
    method: str | None = None
    path: str | None = None
    watch: bool | None = None
    times: int | None = None
    skip: int = 0
    seen: int = 0  # requests that it is meant for
    hits: int = 0  # those that it was applied to

    def takes(self, request):
        """Whether it applies to this request, which it counts."""
        meant = (
            self.method in (None, request.method)
            and (self.path is None or re.search(self.path, request.path) is not None)
            and self.watch in (None, request.is_watch)
        )
        if not meant:
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True
