"""What the API server's audit log says of the operator's requests."""

import dataclasses
import datetime
import json
import pathlib

OPERATOR = "system:serviceaccount:qubesec-system:qubesec-operator"
READS, WRITES = {"get"}, {"create", "update", "patch", "delete", "deletecollection"}


@dataclasses.dataclass(frozen=True)
class Request:
    verb: str
    resource: str  # "secrets", "quantumkemkeypairs/status"
    namespace: str
    name: str
    query: str  # of its URL
    code: int
    credential: str  # which of the user's tokens it came with
    received: datetime.datetime  # by the server's clock
    answered: datetime.datetime

    def __str__(self):
        return f"{self.verb} {self.resource}"


class Audit:
    """The log is written before the client has the answer's end, so what a client has seen is in it."""

    def __init__(self, file):
        self.file = pathlib.Path(file)

    def mark(self):
        """Here and now, for requests(since=...)."""
        stat = self.file.stat()
        return stat.st_ino, stat.st_size

    def requests(self, since, namespace=None, user=OPERATOR):
        """The finished requests of user since a mark, all but those about Events, in the order of their ends."""
        lines = b"".join(self.parts(*since)).splitlines()
        wanted = f'"{user}"'.encode()
        entries = (json.loads(line) for line in lines if wanted in line)
        finished = (
            read_entry(entry) for entry in entries if entry["user"]["username"] == user and entry["stage"] == "ResponseComplete"
        )
        return [one for one in finished if one.resource != "events" and namespace in (None, one.namespace)]

    def parts(self, inode, offset):
        """What was written since; the server starts a new file when one has become large."""
        files = sorted(self.file.parent.glob("audit*.log"), key=lambda path: path.stat().st_mtime)
        first = next(i for i, path in enumerate(files) if path.stat().st_ino == inode)
        for path in files[first:]:
            content = path.read_bytes()
            yield content[offset:] if path == files[first] else content


def read_entry(entry):
    """The Request that an entry of the log is about."""
    target = entry.get("objectRef", {})
    parts = filter(None, (target.get("resource"), target.get("subresource")))
    extra = entry["user"].get("extra", {})
    return Request(
        entry["verb"],
        "/".join(parts),
        target.get("namespace", ""),
        target.get("name", ""),
        entry["requestURI"].partition("?")[2],
        entry["responseStatus"]["code"],
        "".join(extra.get("authentication.kubernetes.io/credential-id", [])),
        datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"]),
        datetime.datetime.fromisoformat(entry["stageTimestamp"]),
    )
