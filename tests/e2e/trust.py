"""Who has which certificate and trusts which roots, at every moment; and what openssl says of each pair of them."""

import subprocess
import threading
import time

from api import data_of


class Judge:
    """openssl as one who verifies. What it has said of a certificate and roots it is not asked again."""

    def __init__(self, folder):
        self.folder, self.said = folder, {}
        self.ahead = 0  # seconds: of its clock

    def verifies(self, chain, roots, more=b""):
        """Whether the first certificate of chain does with one of the roots; more: certificates that are not trusted."""
        key = chain, roots, more
        if key not in self.said:
            self.said[key] = self.ask(*key)
        return self.said[key]

    def ask(self, chain, roots, more):
        for name, content in (("chain.pem", chain), ("roots.pem", roots), ("more.pem", chain + more)):
            (self.folder / name).write_bytes(content)
        now = str(int(time.time()) + self.ahead)
        words = ("-x509_strict", "-attime", now, "-CAfile", "roots.pem", "-untrusted", "more.pem", "chain.pem")
        done = subprocess.run(
            ["openssl", "verify", "-no-CAfile", "-no-CApath", "-no-CAstore", *words],
            cwd=self.folder, capture_output=True, check=False, timeout=60,
        )  # fmt: skip
        return done.returncode == 0


class Moments:
    """All that was written to Secrets and ConfigMaps of some names. The server numbers the writes of all of them, so what was
    there after each is known, however late it was told."""

    def __init__(self, api, *places):
        """places: (kind, namespace, name) of each, which may come later."""
        self.places, self.writes, self.lock = set(places), {}, threading.Lock()
        self.ends = [api.watch(kind, namespace, self.see) for kind, namespace in sorted({place[:2] for place in places})]

    def see(self, event, found):
        metadata = found["metadata"]
        kind = found.get("kind") or ("Secret" if "type" in found else "ConfigMap")
        place = kind, metadata["namespace"], metadata["name"]
        if place in self.places:
            content = {key: text.encode() for key, text in found.get("data", {}).items()} if kind == "ConfigMap" else data_of(found)
            with self.lock:
                self.writes[int(metadata["resourceVersion"])] = place, content if event != "DELETED" else None

    def end(self):
        for end in self.ends:
            end()

    def all(self):
        """What was there, by place, after each write since all are there."""
        now = {}
        with self.lock:
            writes = sorted(self.writes.items())
        for _, (place, content) in writes:
            now = {**now, place: content}
            if now.keys() == self.places:
                yield now


def find_gaps(moments, judge):
    """The pairs, each once, of which one did not verify with the roots of the other at some moment."""
    gaps = {}
    for now in moments:
        chains = {place: content["tls.crt"] for place, content in now.items() if content and "tls.crt" in content}
        for (place, chain), (trusting, content) in ((one, other) for one in chains.items() for other in now.items()):
            if content is None or not judge.verifies(chain, content["ca.crt"]):
                gaps[place, trusting] = chain, content and content["ca.crt"]
    return gaps
