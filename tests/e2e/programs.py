"""Programs in Pods: each reads a Secret as it was a little while ago, as a volume shows it, and works with the keys in it."""

import contextlib
import hmac
import os
import queue
import random
import re
import threading
import time
from http.client import HTTPException

from api import ApiError, data_of

DELAY = 2.0  # seconds: nobody goes on with what he read longer ago
PAUSED = 1.0  # seconds: a thread that wakes up so much too late was not let run


def numbers_of(data, entry="key"):
    """Of the versions that are kept of that entry, the newest first."""
    return sorted((int(name[len(entry) + 1 :]) for name in data if re.fullmatch(rf"{entry}\.\d+", name)), reverse=True)


def keys_of(data):
    """What a reader tries, in this order: the present key, those before it, and the one that is to come."""
    names = ["key", *(f"key.{number}" for number in numbers_of(data)), ".key.next"]
    return {name: data[name] for name in names if name in data}


def place_of(tag, message, data):
    """The entry whose key has made that tag of the message; None: there is none."""
    return next((name for name, key in keys_of(data).items() if hmac.digest(key, message, "sha256") == tag), None)


class History:
    """A Secret at all times, from the first look on."""

    def __init__(self, api, namespace, name):
        self.name, self.states = name, []
        self.end = api.watch("Secret", namespace, self.see)

    def see(self, _, secret):
        if secret["metadata"]["name"] == self.name:
            self.states.append((time.monotonic(), data_of(secret)))

    def views(self):
        """(from, until, content): when a program may work with that content."""
        ends = [began for began, _ in self.states[1:]] + [time.monotonic()]
        return [(began, end + DELAY, data) for (began, data), end in zip(self.states, ends, strict=True)]


def misunderstood(writer, reader):
    """The (writer's, reader's) contents that two programs may have at one time, of which the reader cannot read what the other
    one writes; and the entries with which it can otherwise."""
    failures, places = [], set()
    for began, end, written in writer.views():
        for since, until, read in reader.views():
            if began <= until and since <= end and "key" in written:
                place = next((name for name, key in keys_of(read).items() if key == written["key"]), None)
                places.add(place)
                if place is None:
                    failures.append((sorted(written), sorted(read)))
    return failures, places


class Program:
    """One side of an exchange: it looks at its Secret now and then, writes, and reads what the other one has written."""

    def __init__(self, api, namespace, name):
        self.api, self.namespace, self.name = api, namespace, name
        self.inbox, self.other = queue.SimpleQueue(), None
        self.chance = random.Random(name)
        self.seen = None  # when it looked, and what it saw
        self.places, self.failures, self.pauses = [], [], []

    def look(self):
        began = time.monotonic()
        with contextlib.suppress(OSError, HTTPException, ApiError):
            self.seen = began, self.api.secret(self.namespace, self.name)

    def view(self):
        """Nothing, if it is too old."""
        return self.seen[1] if self.seen and time.monotonic() - self.seen[0] <= DELAY else None

    def write(self):
        if data := self.view():
            message = os.urandom(16)
            self.other.inbox.put((time.monotonic(), message, hmac.digest(data["key"], message, "sha256")))

    def read(self):
        with contextlib.suppress(queue.Empty):
            while True:
                sent, message, tag = self.inbox.get_nowait()
                data = self.view()
                if data and time.monotonic() - sent <= DELAY:
                    place = place_of(tag, message, data)
                    self.places.append(place)
                    if place is None:
                        self.failures.append(sorted(data))

    def run(self, stopped):
        next_look = 0.0
        while not stopped.is_set():
            if time.monotonic() >= next_look:
                self.look()
                next_look = time.monotonic() + self.chance.uniform(0, DELAY * 0.8)
            self.write()
            self.read()
            began = time.monotonic()
            stopped.wait(0.02)
            if time.monotonic() - began > PAUSED:
                self.pauses.append(time.monotonic() - began)


@contextlib.contextmanager
def talking(api, namespace, one, other):
    """Two programs that write to each other, by the names of their Secrets."""
    programs = [Program(api, namespace, name) for name in (one, other)]
    stopped = threading.Event()
    programs[0].other, programs[1].other = programs[1], programs[0]
    threads = [threading.Thread(target=program.run, args=(stopped,), daemon=True) for program in programs]
    for thread in threads:
        thread.start()
    try:
        yield programs
    finally:
        stopped.set()
        for thread in threads:
            thread.join()
