"""What an object costs the operator, in instructions, and what for: counted by valgrind's callgrind on a real control plane.

Two runs, of N and of 2N objects that wait for the operator: what is done once is in both, and goes with the difference.

Each function of the operator, libcurl, libevent, libssl and yyjson has a purpose. The other libraries (libcrypto, libc) and
src/base serve whoever calls them: what a call from a function with a purpose into such a one costs counts for that purpose,
less what comes back from there into functions with a purpose, which count by themselves. So no instruction counts twice,
and what has none of these purposes is the rest. Three cases need a rule of their own:

- libcrypto, called for HTTP, is TLS; and what it calls back is libcurl, which reads and writes the socket for it.
- src/crypto/openssl.c gives OpenSSL its memory, for TLS as well as for keys: it serves.
- src/crypto/encoding.c is base64 and hex, constant in time for keys' sake, but no cryptography: it has a line of its own.

Instructions are not time."""

import collections
import re

import contenders
import workload
from callgrind import WITHOUT_STOSB, Counts
from plane import Plane

LOADS = ("kem-key-pairs", "signature-key-pairs", "signatures")
LIBRARIES = {"libcurl": "HTTP", "libevent": "HTTP", "libnghttp2": "HTTP", "libssl": "TLS", "libyyjson": "JSON"}
SOURCES = {"crypto/openssl.c": None, "crypto/encoding.c": "encoding"}  # of src/
FOLDERS = {"crypto": "crypto", "json": "JSON", "net": "HTTP", "base": None}  # of src/; others: the rest
PURPOSES = ("crypto", "encoding", "TLS", "JSON", "HTTP")


def purpose_of(function):
    """None: it serves whoever calls it."""
    for library, purpose in LIBRARIES.items():
        if function.library.startswith(library):
            return purpose
    if function.library != contenders.OPERATOR.name:
        return None
    if function.source.endswith("/yyjson.h"):
        return "JSON"
    source = function.source.rpartition("/src/")[2]
    return SOURCES[source] if source in SOURCES else FOLDERS.get(source.partition("/")[0], "rest")


def split(counts):
    """Instructions by purpose; they add up to the total."""
    found = collections.Counter()
    for function, cost in counts.own.items():
        found[purpose_of(function)] += cost
    for (caller, called), cost in counts.costs.items():
        above, below = purpose_of(caller), purpose_of(called)
        if above is not None and below is None:
            found["TLS" if above == "HTTP" and is_libcrypto(called) else above] += cost
        if above is None and below is not None:
            found["TLS" if is_libcrypto(caller) else "rest"] -= cost
    return {**{purpose: found[purpose] for purpose in PURPOSES}, "rest": counts.total - sum(found[one] for one in PURPOSES)}


def is_libcrypto(function):
    return function.library.startswith("libcrypto")


def own_by_library(counts):
    found = collections.Counter()
    for function, cost in counts.own.items():
        found[re.sub(r"[-.].*", "", function.library)] += cost
    return found


def counted(folder, load, count):
    """The counts of a run, and how many Events it has sent besides."""
    with Plane(folder) as plane:
        workload.prepare(plane, load)
        plane.create(load.things(count))
        progress = plane.progress()
        file = plane.folder / "callgrind.out"
        tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={file}"]
        with contenders.ours(plane, tool=tool, environment=WITHOUT_STOSB):
            progress.wait(count)
        progress.look()
        return Counts(file), progress.requests.get("create events", 0)


def figures(few, many, count):
    """Of one object, in thousands of instructions."""
    (few, few_events), (many, many_events) = few, many

    def each(what):
        first, second = what(few), what(many)
        return {key: (second[key] - first.get(key, 0)) / count / 1000 for key in second}

    purposes, libraries = each(split), each(own_by_library)
    total = sum(purposes.values())
    found = {"kinstructions/object": total}
    found |= {f"for {purpose}": cost for purpose, cost in purposes.items()}
    found["all but crypto / crypto"] = (total - purposes["crypto"]) / purposes["crypto"]
    found |= {f"in {library}": cost for library, cost in sorted(libraries.items()) if cost > total / 100}
    found["Events/object"] = (many_events - few_events) / count
    return found


def measure(report, folder, count, runs):
    for _ in range(runs):
        for name in LOADS:
            load = workload.WORKLOADS[name]
            few, many = (counted(folder, load, times * count) for times in (1, 2))
            report.add(f"split, {name}, {count}", "operator under callgrind", figures(few, many, count), None)
