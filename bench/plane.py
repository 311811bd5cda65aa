"""A control plane of its own for each run, so that no run finds what an earlier one has left."""

import json
import os
import pathlib
import re
import subprocess
import time

import cluster as local
import machine
from api import Api
from audit import OPERATOR, Audit, read_entry

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
LIST_PAGE = 500
SECRET_MADE = re.compile(rb'/secrets[?"][^{]*"verb":"create"')  # in an entry of the audit log
OUTPUT_SUFFIXES = ("", "-secret", "-signature")  # what an output Secret has after its object's name
QUIET = 0.1  # of one core: less than this, and the control plane rests


class Plane:
    """Without kube-controller-manager, which would be at work beside what is measured."""

    def __init__(self, folder):
        self.folder = folder
        self.cluster = local.Cluster(folder)

    def __enter__(self):
        try:
            self.cluster.start([], with_controllers=False)
        except BaseException:
            self.cluster.stop()
            raise
        self.api = Api(self.cluster.admin)
        self.audit = Audit(self.folder / "audit.log")
        return self

    def __exit__(self, *_):
        self.cluster.stop()

    @property
    def url(self):
        return self.cluster.facts()["url"]

    def pids(self):
        return {"apiserver": self.cluster.apiserver.pid(), "etcd": self.cluster.etcd.pid()}

    def rest(self, patience=60):
        """Until the control plane has done with what came before, such as collecting its garbage."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            meter = machine.Meter(self.pids())
            time.sleep(1)
            usage = meter.read()
            if usage.of["apiserver"] + usage.of["etcd"] < QUIET * usage.seconds:
                return
        raise TimeoutError(f"the control plane does not rest within {patience} s")

    def send(self, jobs, in_flight, as_operator=False, http2=0):
        """Sends ready-made requests (raw_writer.c) and returns what it says; jobs: lists of (method, path, type, body)."""
        file = self.folder / "jobs"
        file.write_text("".join("".join("\t".join(one) + "\n" for one in job) + "\n" for job in jobs))
        pki = self.cluster.pki
        who = ["--token", self.folder / "operator.token"] if as_operator else ["--cert", pki.admin_crt, "--key", pki.admin_key]
        command = [
            CHECKOUT / ".local/build/release/raw_writer", *who, "--http2", str(http2), "--ca", pki.ca_crt,
            self.url, file, str(in_flight),
        ]  # fmt: skip
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout)

    def create(self, things, in_flight=16):
        """Creates all; they need not be there before the next one is sent."""
        jobs = [[create_request(self.api, one)] for one in things]
        return self.send(jobs, in_flight)

    def list(self, kind, namespace):
        """All of a kind, page by page."""
        found, more = [], ""
        while more is not None:
            page = self.api.call("GET", f"{self.api.path(kind, namespace)}?limit={LIST_PAGE}&continue={more}")
            found += page["items"]
            more = page["metadata"].get("continue") or None
        return found

    def progress(self, user=OPERATOR):
        return Progress(self.audit, user)


def create_request(api, one):
    path = api.path(one["kind"], one["metadata"].get("namespace"))
    return "POST", path, "application/json", json.dumps(one)


class Progress:
    """What the audit log says of one user's requests, followed as it grows. Asking it costs the API server nothing."""

    def __init__(self, audit, user):
        self.user = f'"{user}"'.encode()
        self.path = audit.file
        self.file = open(self.path, "rb")  # closed with this object
        self.file.seek(0, os.SEEK_END)
        self.unread = []  # what was added to the log and not looked at
        self.begun = 0  # Secrets made, as a search for their path counts them
        self.made = set()  # their names
        self.finished = set()  # objects with a status that was written after their Secret
        self.rest = b""
        self.requests = {}  # "verb resource": how many were answered with success
        self.refused = {}
        self.first = None  # when the first write was received, as the server has it
        self.last = None  # when the last one was answered

    def peek(self):
        """Takes note of what was added, at next to no cost: whoever is measured shares the cores with this."""
        self.unread.append(self.read())
        self.begun += len(SECRET_MADE.findall(self.unread[-1]))

    def look(self):
        """Reads on; returns how many objects have been finished so far."""
        self.peek()
        whole, _, self.rest = (self.rest + b"".join(self.unread)).rpartition(b"\n")
        self.unread = []
        for line in whole.splitlines():
            if self.user in line and b'"stage":"ResponseComplete"' in line:
                self.take(read_entry(json.loads(line)))
        return len(self.finished)

    def read(self):
        """What has been added; the server starts a new file when one has become large."""
        content = self.file.read()
        if self.path.stat().st_ino != os.fstat(self.file.fileno()).st_ino:
            content += self.file.read()
            self.file = open(self.path, "rb")
            content += self.file.read()
        return content

    def take(self, request):
        good = request.code < 400
        counts = self.requests if good else self.refused
        counts[str(request)] = counts.get(str(request), 0) + 1
        if good and str(request) == "create secrets":
            self.made.add(request.name)
        elif good and request.resource.endswith("/status") and not self.made.isdisjoint(request.name + end for end in OUTPUT_SUFFIXES):
            self.finished.add(request.name)
        if good and request.verb in ("create", "update", "patch") and request.resource not in ("events", "localsubjectaccessreviews"):
            self.first = self.first or request.received
            self.last = request.answered

    def wait(self, objects, patience=1800, pause=0.05, seen=lambda: None):
        """Until so many objects have been finished; seen is called while they are not."""
        deadline = time.monotonic() + patience
        self.peek()
        while self.begun < objects or self.look() < objects:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.look()} of {objects} objects after {patience} s: {self.requests} {self.refused}")
            seen()
            time.sleep(pause)
            self.peek()
