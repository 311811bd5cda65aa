"""Work of all kinds, to be done while something goes wrong."""

import base64
import http.client
import threading
import time

from api import (
    KINDS,
    QVS,
    SIGNATURE_KINDS,
    ApiError,
    all_kinds,
    wait_until,
)

PATIENCE = 120.0  # seconds for what was held up by a fault, with waits that have become long meanwhile
WATCHES = len(KINDS) + len(SIGNATURE_KINDS) + 2  # Secrets, ConfigMaps
GOOD = ("Success", "Valid")


def unfinished(api, namespace):
    """Kind, name and status of what is not as it should be."""
    return [
        (kind, one["metadata"]["name"], one.get("status", {}).get("status"))
        for kind in (*KINDS, *SIGNATURE_KINDS)
        for one in api.list(kind, namespace)
        if one.get("status", {}).get("status") not in GOOD
    ]


def wait_finished(api, namespace, patience=PATIENCE):
    def probe():
        try:
            return not unfinished(api, namespace)
        except ApiError as error:
            assert error.status == 429 or error.status >= 500, error  # the server is not quite itself yet
            return False

    wait_until(lambda: f"not finished: {unfinished(api, namespace)}", probe, patience, 0.5)


def secrets(api, namespace):
    """The uid and content of each Secret, by name."""
    return {
        one["metadata"]["name"]: (one["metadata"]["uid"], *sorted(one.get("data", {}).items()))
        for one in api.list("Secret", namespace)
    }


def check_agreement(api, namespace, prefix=""):
    """What the kinds made of each other belongs together, and each status names the Secret that is there."""
    for kind in (*KINDS, *SIGNATURE_KINDS):
        for one in api.list(kind, namespace):
            if kind != QVS:
                metadata, named = api.output(one)["metadata"], one["status"]["secretRef"]
                assert (named["uid"], named["resourceVersion"]) == (metadata["uid"], metadata["resourceVersion"])
    data = {name: dict(content[1:]) for name, content in secrets(api, namespace).items()}
    assert data[f"{prefix}sealed"]["shared_secret"] == data[f"{prefix}opened"]["shared_secret"]
    assert data[f"{prefix}alice"]["key"] == data[f"{prefix}bob"]["key"]
    authority = data[f"{prefix}ca-secret"]["cert.pem"]
    assert base64.b64decode(authority) == base64.b64decode(data[f"{prefix}server-secret"]["ca.crt"])


class Load:
    """Creates objects of all kinds, set by set, on a thread, until it is left; whatever becomes of the API server."""

    def __init__(self, api, namespace):
        self.api, self.namespace = api, namespace
        self.prefixes = []  # of the names of the sets
        self.left = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.left.set()
        self.thread.join()

    def run(self):
        while not self.left.is_set():
            self.prefixes.append(f"x{len(self.prefixes)}-")
            for one in all_kinds(self.namespace, self.prefixes[-1]):
                wait_until(f"{one['metadata']['name']} is there", lambda one=one: self.create(one), PATIENCE)

    def create(self, one):
        time.sleep(0.1)
        try:
            self.api.create(one)
        except ApiError as error:
            return error.status == 409  # although the answer that said so was lost
        except (OSError, http.client.HTTPException, ValueError):
            return False
        return True


def finish(api, namespace, seen, *prefixes):
    """Waits until all is done, and looks at what came of it."""
    try:
        wait_finished(api, namespace)
        wait_until(lambda: f"all keys are seen: {sorted(seen.keys)}", lambda: len(seen.keys) >= 4 * len(prefixes))
    finally:
        seen.end()
    assert seen.changed() == [], "something that was to be seen was made twice"
    assert len(seen.keys) == 4 * len(prefixes)
    for prefix in prefixes:
        check_agreement(api, namespace, prefix)
