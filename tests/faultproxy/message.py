"""HTTP/1.1 messages as they go through: the head as it is, the body in pieces without its transfer coding."""

import asyncio
import dataclasses

PIECE = 64 * 1024


class Ended(Exception):
    """The other side has closed, or what it sent is no HTTP."""


@dataclasses.dataclass
class Head:
    first: str  # the request line or status line
    fields: list  # (name, value), as they came

    def value(self, name):
        found = [value for key, value in self.fields if key.lower() == name]
        return found[-1] if found else None

    @property
    def is_chunked(self):
        return (self.value("transfer-encoding") or "").lower() == "chunked"

    def as_chunked(self):
        """The same for a body of unknown length."""
        kept = [(key, value) for key, value in self.fields if key.lower() not in ("content-length", "transfer-encoding")]
        return Head(self.first, [*kept, ("Transfer-Encoding", "chunked")])

    def encoded(self):
        lines = [self.first, *(f"{key}: {value}" for key, value in self.fields)]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


async def read_head(reader):
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError) as error:
        raise Ended from error
    first, *lines = text[:-4].split("\r\n")
    return Head(first, [tuple(part.strip() for part in line.split(":", 1)) for line in lines])


async def read_body(reader, head, until_close=False):
    """The body in pieces; a chunk is a piece. until_close: what has no length ends with the connection."""
    try:
        if head.is_chunked:
            while size := int(await reader.readline(), 16):
                yield await reader.readexactly(size)
                await reader.readexactly(2)
            await reader.readuntil(b"\r\n")
        elif head.value("content-length") is not None:
            left = int(head.value("content-length"))
            while left > 0:
                piece = await reader.readexactly(min(left, PIECE))
                left -= len(piece)
                yield piece
        elif until_close:
            while piece := await reader.read(PIECE):
                yield piece
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, ValueError) as error:
        raise Ended from error


def chunk(piece):
    return b"%x\r\n%s\r\n" % (len(piece), piece)
