"""The proxy itself: a thread with an event loop; each connection of a client has one of its own to the server."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import urllib.parse

from .message import Ended, chunk, read_body, read_head
from .rules import Blackhole, Cut, Delay, Hold, Inject, Prefix, Rechunk, Request, Reset

RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing resets


class FaultProxy:
    """Serves on a free port of loopback with that certificate, and passes on to the server at upstream, an https URL.

    Clients must use a token: a client certificate ends here."""

    def __init__(self, upstream, ca, certificate, key):
        self.upstream = urllib.parse.urlsplit(upstream)
        self.use_certificate(certificate, key)
        self.server_side = ssl.create_default_context(cafile=ca)
        self.rules = []
        self.requests = []
        self.accepted = 0
        self.writers = set()
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="fault proxy")
        self.thread.start()
        self.server = self.run(asyncio.start_server(self.serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"

    @classmethod
    def before(cls, cluster):
        """In front of a local cluster's API server, with that one's certificate."""
        pki = cluster.folder / "pki"
        return cls(cluster.url, pki / "ca.crt", pki / "apiserver.crt", pki / "apiserver.key")

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    # What tests do with it

    def add(self, rule):
        """From now on; of two rules that take a request the older one is applied."""
        self.rules.append(rule)
        return rule

    def remove(self, rule):
        self.rules.remove(rule)

    def clear(self):
        """No faults any more, and nothing noted."""
        self.rules.clear()
        self.requests.clear()
        self.thaw()

    def freeze(self):
        """No byte passes any more, in no direction, on no connection, and nothing is closed: a dead network."""
        self.loop.call_soon_threadsafe(self.flowing.clear)

    def thaw(self):
        self.loop.call_soon_threadsafe(self.flowing.set)

    def cut_all(self):
        """Resets every connection of now."""

        async def cut():
            for writer in list(self.writers):
                reset(writer)

        self.run(cut())

    def use_certificate(self, certificate, key):
        """For connections from now on."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self.client_side = context

    def of(self, path=None, watch=None, method=None):
        """The requests so far that are such."""
        return [
            one
            for one in list(self.requests)
            if (path is None or path in one.path) and watch in (None, one.is_watch) and method in (None, one.method)
        ]

    def close(self):
        async def end():
            self.server.close()
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    # One connection

    async def serve(self, reader, writer):
        self.accepted += 1
        number = self.accepted
        self.writers.add(writer)
        try:
            writer.transport.pause_reading()  # what comes is for TLS, which is not there yet
            await self.flowing.wait()
            await writer.start_tls(self.client_side)
            async with self.connected() as server:
                while await self.exchange(reader, writer, server, number):
                    pass
        except (Ended, OSError):
            pass
        finally:
            self.writers.discard(writer)
            writer.close()

    @contextlib.asynccontextmanager
    async def connected(self):
        name = self.upstream.hostname
        reader, writer = await asyncio.open_connection(name, self.upstream.port, ssl=self.server_side)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    async def exchange(self, reader, writer, server, number):
        """One request and its answer; returns whether the connection can go on."""
        head = await read_head(reader)
        body = b"".join([piece async for piece in read_body(reader, head)])
        method, path, _ = head.first.split(" ", 2)
        request = Request(method, path, number)
        request.rule = next((rule for rule in list(self.rules) if rule.takes(request)), None)
        self.requests.append(request)
        try:
            return await while_open(reader, self.answer(request, head, body, writer, server))
        finally:
            request.ended = True

    async def answer(self, request, head, body, writer, server):
        fault = request.rule.fault if request.rule else None
        await self.flowing.wait()
        if isinstance(fault, Blackhole):
            await asyncio.Event().wait()
        if isinstance(fault, Delay) and not fault.answer:
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Hold) and not fault.answer:
            await let_go(fault)
        if isinstance(fault, Inject) and not fault.forward:
            return await self.inject(request, fault, writer)
        server[1].write(head.encoded() + body)
        await server[1].drain()
        answer = await read_head(server[0])
        if isinstance(fault, Delay) and fault.answer:
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Hold) and fault.answer:
            await let_go(fault)
        status = int(answer.first.split(" ", 2)[1])
        until_close = request.method != "HEAD" and status not in (204, 304)
        pieces = read_body(server[0], answer, until_close)
        if isinstance(fault, Inject):
            async for _ in pieces:
                pass
            return await self.inject(request, fault, writer)
        request.status = status
        await self.relay(answer, pieces, fault, writer)
        closes = "close" in ((answer.value("connection") or "") + (head.value("connection") or "")).lower()
        has_end = answer.is_chunked or answer.value("content-length") is not None or not until_close
        return has_end and not closes

    async def inject(self, request, fault, writer):
        request.status = fault.status
        writer.write(fault.encoded())
        await writer.drain()
        return True

    async def relay(self, answer, pieces, fault, writer):
        """Passes the answer on, with the faults that concern it."""
        end = fault.after if isinstance(fault, (Reset, Cut)) else None
        if end == 0:
            hang_up(fault, writer)
        size = fault.size if isinstance(fault, Rechunk) else None
        if size is not None or isinstance(fault, Prefix):
            answer = answer.as_chunked()
        encode = chunk if answer.is_chunked else bytes
        writer.write(answer.encoded())
        if isinstance(fault, Prefix):
            writer.write(chunk(fault.encoded()))
        sent = 0
        async for piece in pieces:
            if end is not None:
                piece = piece[: end - sent]
            for start in range(0, len(piece), size or len(piece)):
                await self.flowing.wait()
                writer.write(encode(piece[start : start + (size or len(piece))]))
                await writer.drain()
            sent += len(piece)
            if sent == end:
                hang_up(fault, writer)
        await self.flowing.wait()
        if answer.is_chunked:
            writer.write(chunk(b""))
        await writer.drain()


async def let_go(hold):
    """Waits for what a test sets, from its own thread."""
    while not hold.go.is_set():
        await asyncio.sleep(0.01)


async def while_open(reader, work):
    """What work returns; given up when the client hangs up meanwhile, as it may in the middle of a watch."""
    task = asyncio.ensure_future(work)
    try:
        while not task.done():
            if reader.at_eof() or reader.exception() is not None:
                raise Ended
            await asyncio.wait([task], timeout=0.1)
        return task.result()
    finally:
        task.cancel()


def hang_up(fault, writer):
    if isinstance(fault, Reset):
        reset(writer)
    raise Ended


def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
