"""What the bare primitives cost on this machine: `openssl speed` of the very OpenSSL that the operator uses.

In milliseconds of processor time, to be held against an object's "client CPU ms/object": whatever is above the primitive is
inspecting, encoding and wrapping the key, and talking to the API server."""

import subprocess

ALGORITHMS = {  # and what openssl speed times of each, in the order in which it tells it
    "ML-KEM-768": ("key pair", "encapsulation", "decapsulation"),
    "ML-DSA-65": ("key pair", "signature", "verification"),
    "SLH-DSA-SHA2-128f": ("key pair", "signature", "verification"),
    "SLH-DSA-SHAKE-256s": ("key pair", "signature", "verification"),
}


def rates(algorithm, seconds):
    """How many of each a core makes in a second of processor time."""
    command = ["openssl", "speed", "-mr", "-seconds", str(seconds), algorithm]
    said = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout
    last = said.splitlines()[-1]  # +F9:13:21161.728395:29716.216216:20451.764706
    return [float(field) for field in last.split(":")[2:]]


def primitives(report, _, seconds, runs):
    for _ in range(runs):
        for algorithm, operations in ALGORITHMS.items():
            figures = {}
            for operation, rate in zip(operations, rates(algorithm, seconds), strict=True):
                figures[f"{operation}, ms"] = 1000 / rate
                figures[f"{operation}, a second of one core"] = rate
            report.add(f"primitives, {seconds} s each", algorithm, figures, None)
