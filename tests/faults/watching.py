"""What the tests of lists and watches under faults share."""

import re
import urllib.parse

from api import QRN, thing, wait_until

PLURAL = "quantumrandomnumbers"
ANOTHER_QUESTION = "fieldSelector|limit=1&"  # after a single object, or after nothing but the newest version
OURS = rf"/{PLURAL}\?(?!{ANOTHER_QUESTION})"
LONGEST_BACK_OFF = 31  # seconds; of lists and watches it is 30
FAILED, RECOVERED = "list or watch failed, trying again", "list or watch works again"


class Changes:
    """Objects that are made, changed and deleted around a fault, and what must have come of it in the end."""

    def __init__(self, api, operator, namespace):
        self.api, self.operator, self.namespace = api, operator, namespace
        self.made = []  # the names of Secrets, each time that one is made
        self.end = api.watch("Secret", namespace, self.note)
        api.make(*(thing(QRN, namespace, name) for name in ("stays", "goes", "anew")))
        operator.settle()
        self.before = api.get("Secret", namespace, "stays")
        self.known = self.count()

    def note(self, event, secret):
        if event == "ADDED":
            self.made.append(secret["metadata"]["name"])

    def count(self):
        return self.operator.total("qubesec_objects", f'kind="{QRN}"')

    def happen(self):
        self.api.patch(QRN, self.namespace, "stays", {"spec": {"secretTemplate": {"labels": {"changed": "yes"}}}})
        self.api.delete(QRN, self.namespace, "goes")
        self.api.delete(QRN, self.namespace, "anew")
        self.anew = self.api.create(thing(QRN, self.namespace, "anew"))["metadata"]["uid"]
        self.api.create(thing(QRN, self.namespace, "comes"))

    def arrive(self):
        """Waits until all of it is served, and nothing besides."""
        self.api.wait_success(QRN, self.namespace, "comes")
        wait_until("the Secret of the object made anew is its own", lambda: self.owner("anew") == self.anew)
        wait_until("the label is there", lambda: "changed" in self.secret("stays")["metadata"].get("labels", {}))
        wait_until(lambda: f"{self.count()} objects are known, not {self.known}", lambda: self.count() == self.known)
        self.api.wait_gone("Secret", self.namespace, "goes")
        self.operator.settle()
        after = self.secret("stays")
        assert (after["metadata"]["uid"], after["data"]) == (self.before["metadata"]["uid"], self.before["data"])
        self.end()
        once = [self.made.count(name) for name in ("stays", "goes", "comes")]
        assert once == [1, 1, 1] and self.made.count("anew") <= 2, f"a key was made twice: {self.made}"
        wait_until(lambda: self.operator.answer("/readyz/watches"), lambda: self.operator.answer("/readyz/watches") == (200, "ok\n"))

    def secret(self, name):
        return self.api.get("Secret", self.namespace, name)

    def owner(self, name):
        found = self.api.find("Secret", self.namespace, name) or {"metadata": {}}
        return next((one["uid"] for one in found["metadata"].get("ownerReferences", [])), None)


def status(code, reason, message, **more):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message, **more}


def error_event(code, reason, message):
    return {"type": "ERROR", "object": status(code, reason, message)}


def bookmark(version):
    metadata = {"resourceVersion": str(version), "creationTimestamp": None}
    return {"type": "BOOKMARK", "object": {"apiVersion": "qubesec.io/v1", "kind": QRN, "metadata": metadata, "spec": {}}}


def parameters(request):
    query = urllib.parse.urlsplit(request.path).query
    return dict(urllib.parse.parse_qsl(query, keep_blank_values=True))


def asked(proxy, since=0, plural=PLURAL):
    """The lists and watches of a resource from that request on, each with its parameters."""
    path = rf"/{plural}\?(?!{ANOTHER_QUESTION})"
    found = [one for one in list(proxy.requests)[since:] if re.search(path, one.path) and one.method == "GET"]
    return [("watch" if one.is_watch else "list", parameters(one)) for one in found]


def watches(proxy):
    """The watches so far. Workers start when the lists have come: a watch may be asked for a moment later."""

    def without():
        watched = {one.path.partition("?")[0] for one in proxy.of(watch=True)}
        return {one.path.partition("?")[0] for one in proxy.of("limit=500", watch=False)} - watched

    wait_until(lambda: f"{without()} were listed, and are not watched", lambda: not without())
    return proxy.of(watch=True)


def watched(proxy):
    """The resources that are watched."""
    return {one.path.partition("?")[0].rpartition("/")[2] for one in watches(proxy)}


def verbs(requests):
    return [verb for verb, _ in requests]


def warnings(operator, since=0, plural=PLURAL):
    """What was told of a resource that failed."""
    found = [one for one in operator.said(FAILED, since) if one["resource"] == plural]
    return [one["detail"] for one in found if one["level"] == "warning"]


def failures(operator, labels, plural=PLURAL):
    return operator.total("qubesec_watch_failures_total", f'resource="{plural}",class="{labels}"')


def current_version(api, namespace):
    """The version of something written just now."""
    metadata = {"namespace": namespace, "generateName": "now-"}
    return int(api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})["metadata"]["resourceVersion"])
