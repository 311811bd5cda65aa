"""The operator ends, as by a power cut, at each point at which that could matter, for each kind; the next one carries on,
and nothing that was to be seen is lost or made twice."""

import collections
import dataclasses
import datetime
import itertools
import json
import os
import re
import signal
import subprocess

import pytest
import yaml
from api import QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, RESOURCES, data_of, is_told, secret_thing, thing, version_of, wait_until
from failpoints import (
    BUNDLE, BUNDLE_CHANGE, BUNDLE_DELETION, CHANGE, CREATION, FAILURE, LEASE_WRITES, LOSS, NAMES, RENEWAL, ROTATION, ROTATIONS, SERIES, TELLING, VARIABLE, WRITES, all_points,
    id_of, text_of,
)  # fmt: skip
from fixtures import BINARY, CHECKOUT
from policies import refusing_secrets
from test_certificates import certificate
from test_leader import NAME as LEASE
from test_leader import NAMESPACE as OWN_NAMESPACE
from test_webhook_certificate import OWN, SECRET, wait_admitted, webhooks
from webhook import port_of

# ---- what there is


def test_an_unknown_point_is_refused_and_all_are_named():
    environment = {**os.environ, VARIABLE: "nowhere@x"}
    done = subprocess.run([BINARY, "operator"], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert f"{VARIABLE}=nowhere@x: there is no such point" in done.stderr
    assert set(done.stderr.split("there are: ")[1].split()) == NAMES


def test_each_point_is_reached_by_some_test():
    assert {point for point, _ in all_points()} == NAMES


def test_each_write_that_the_roles_allow_is_in_the_table():
    allowed = set()
    for path in [*(CHECKOUT / "config/rbac").glob("*.yaml"), CHECKOUT / "config/webhook/role.yaml"]:
        for role in yaml.safe_load_all(path.read_text()):
            # What people may be given is not the operator's.
            if role["kind"] in ("Role", "ClusterRole") and path.name != "user_roles.yaml":
                allowed |= {
                    f"{verb} {resource.rpartition('/')[2]}"
                    for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]
                }  # fmt: skip
    writes = {one for one in allowed if one.partition(" ")[0] not in ("get", "list", "watch")}
    assert writes - {"create localsubjectaccessreviews"} == set(WRITES)  # a review writes nothing
    assert {what for _, what in all_points()} >= set(WRITES)


def test_each_kind_is_in_the_table():
    resources = [yaml.safe_load(path.read_text()) for path in (CHECKOUT / "config/crd").glob("quantum*.yaml")]
    assert {one["spec"]["names"]["kind"] for one in resources} == set(SPECS)


# ---- each kind


SPECS = {
    QRN: {"numBytes": 16},
    QKKP: {"algorithm": "ML-KEM-512"},
    QES: {"publicKeyRef": {"name": "pair"}},
    QDS: {"privateKeyRef": {"name": "pair"}, "ciphertextRef": {"name": "sealed"}},
    QDK: {"sharedSecretRef": {"name": "sealed"}},
    QSKP: {"algorithm": "ML-DSA-44"},
    QSM: {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "message"}},
    QVS: {"publicKeyRef": {"name": "signer"}, "messageRef": {"name": "message"}, "signatureRef": {"name": "signed"}},
    QC: {
        "algorithm": "ML-DSA-44", "certType": "server", "parentCARef": {"name": "root"}, "domain": "a.example", "durationDays": 30,
    },
}  # fmt: skip
WITH_SECRET = [kind for kind in SPECS if kind != QVS]
TEMPLATE = {"secretTemplate": {"labels": {"app": "it"}}}
DONE = {QVS: "Valid"}
# What is done about rubbish in the first entry: the rest is rebuilt around what cannot be made again, or all is made again,
# with the same outcome or with another one.
REPAIRED, SAME, ANOTHER = (QKKP, QES, QSKP, QC), (QDS, QDK), (QRN, QSM)


def inputs(namespace):
    return [
        thing(QKKP, namespace, "pair", SPECS[QKKP]),
        thing(QES, namespace, "sealed", SPECS[QES]),
        thing(QSKP, namespace, "signer", SPECS[QSKP]),
        thing(QSM, namespace, "signed", SPECS[QSM]),
        certificate(namespace, "root", "ca", commonName="Root"),
    ]


def content_of(secret):
    return tuple(sorted(data_of(secret).items()))


def fingerprint_in(secret):
    """That of what the Secret holds, by the operator's own note in it."""
    data = data_of(secret)
    return json.loads(data.get("metadata") or data.get("metadata.json") or b"{}").get("fingerprint")


class Seen:
    """Everything that ever was to be seen in a namespace, by name."""

    def __init__(self, api, namespace):
        self.secrets = collections.defaultdict(set)
        self.identities = collections.defaultdict(set)
        self.fingerprints = collections.defaultdict(set)  # as statuses said them
        self.ends = [api.watch("Secret", namespace, self.see_secret)]
        self.ends += [api.watch(kind, namespace, self.see_object) for kind in WITH_SECRET]

    def see_secret(self, _, secret):
        name = secret["metadata"]["name"]
        self.identities[name].add(secret["metadata"]["uid"])
        self.secrets[name].add(content_of(secret))

    def see_object(self, _, found):
        if fingerprint := found.get("status", {}).get("fingerprint"):
            self.fingerprints[found["status"]["secretRef"]["name"]].add(fingerprint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for end in self.ends:
            end()

    def check(self, *secrets):
        """These, which are one Secret, are all that it ever held; and each was told, so that none was replaced behind a
        reader's back."""
        (name,) = {one["metadata"]["name"] for one in secrets}
        contents = {content_of(one): fingerprint_in(one) for one in secrets}
        told = set(contents.values())
        wait_until("all is seen", lambda: contents.keys() <= self.secrets[name])
        wait_until(lambda: f"{told} are told: {self.fingerprints[name]}", lambda: told <= self.fingerprints[name])
        assert self.secrets[name] == set(contents)
        assert self.fingerprints[name] == told
        assert self.identities[name] == {one["metadata"]["uid"] for one in secrets}


@dataclasses.dataclass
class Object:
    """One of ours under test, and what is to be seen of it."""

    api: object
    kind: str
    namespace: str
    name: str

    def __str__(self):
        return f"{self.kind} {self.name}"

    def create(self, spec):
        names = {} if self.kind == QVS else {"outputSecretName": self.name}
        self.api.create(thing(self.kind, self.namespace, self.name, {**spec, **names}))

    def get(self):
        return self.api.get(self.kind, self.namespace, self.name)

    def secret(self):
        return None if self.kind == QVS else self.api.find("Secret", self.namespace, self.name)

    def events(self, reason):
        return self.api.events(self.namespace, self.name, reason)

    def is_done(self):
        """Whether the status says so, and of the Secret as it is."""
        found, secret = self.get(), self.secret()
        status = found.get("status", {})
        said = status.get("secretRef", {}).get("resourceVersion")
        return (
            status.get("status") == DONE.get(self.kind, "Success")
            and status["observedGeneration"] == found["metadata"]["generation"]
            and said == (secret and version_of(secret))
        )

    def wait_done(self):
        wait_until(lambda: f"{self} is done: {self.get().get('status')}", self.is_done)
        return self.secret()


class Crashes:
    """Operators that end at a point, and those that carry on."""

    def __init__(self, api, operators):
        self.api, self.operators = api, operators
        self.namespace = self.new_namespace()
        self.serving = None  # the one without a point that was last started here
        self.count = itertools.count()
        self.seen = Seen(api, self.namespace)

    def new_namespace(self):
        return self.api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]

    def object(self, kind, namespace=None):
        return Object(self.api, kind, namespace or self.namespace, f"{kind.lower()}-{next(self.count)}")

    def kill(self):
        if self.operators.current is not None and not self.operators.current.ended():
            self.operators.current.kill()

    def crash(self, point, it, *flags):
        """Starts an operator, which ends at that point of what it does for the object."""
        where, what = point
        text = text_of(what, kind=it.kind, namespace=it.namespace, plural=RESOURCES[it.kind][1], name=it.name)
        self.kill()
        operator = self.operators.start("--namespaces", it.namespace, *flags, environment={VARIABLE: f"{where}@{text}"})
        wait_crashed(operator, where, text)
        return operator

    def carry_on(self, *namespaces):
        """Another one, without a point."""
        self.kill()
        operator = self.operators.start("--namespaces", ",".join(namespaces or [self.namespace]))
        self.serving = None if namespaces else operator

    def begin_renewals(self):
        """A certificate for each point of a renewal, each in a namespace of its own, where nobody works before it has ended.
        Then it is due at once, and the next one is not for a minute."""
        self.ending = [self.object(QC, self.new_namespace()) for _ in RENEWAL]
        self.carry_on(*(it.namespace for it in self.ending))
        for it in self.ending:
            it.create({"algorithm": "ML-DSA-44", "domain": "a.example", "duration": "1m", "renewBefore": "1s"})
        for it in self.ending:
            it.wait_done()
        self.kill()

    def made(self, kind, spec):
        """An object that is done, and no operator runs any more."""
        it = self.object(kind)
        it.create(spec)
        if self.operators.current is not self.serving or self.serving.ended():
            self.carry_on()
        it.wait_done()
        self.kill()
        return it


def wait_crashed(operator, where, text):
    operator.expected = -signal.SIGKILL
    wait_until(lambda: f"it ends {where} {text}:\n{operator.tail()}", operator.ended)
    assert operator.process.returncode == -signal.SIGKILL, operator.tail()
    said = operator.said("failpoint")[-1]  # other threads may have said more
    assert said["point"] == where and text in said["detail"]


@pytest.fixture(scope="module")
def crashes(api, operators):
    made = Crashes(api, operators)
    api.create(secret_thing(made.namespace, "message", {"message": b"a message"}))
    for one in inputs(made.namespace):
        api.create(one)
    made.carry_on()
    for one in inputs(made.namespace):
        api.wait_success(one["kind"], made.namespace, one["metadata"]["name"])
    made.begin_renewals()
    with made.seen:
        yield made
    made.kill()


@pytest.mark.parametrize(
    ("point", "kind"),
    [(point, kind) for point in CREATION for kind in SPECS if kind != QVS or point in TELLING],  # it has no Secret
    ids=lambda value: value if isinstance(value, str) else id_of(value),
)
def test_creation(crashes, point, kind):
    crashes.kill()
    it = crashes.object(kind)
    it.create(SPECS[kind])
    crashes.crash(point, it)
    reached = CREATION.index(point)
    left = it.secret()
    assert (left is not None) == (kind != QVS and reached >= 1)
    assert is_told(it.get()) == (reached >= 4)
    assert len(it.events("Succeeded")) + len(it.events("SignatureValid")) == (reached >= 6)
    crashes.carry_on()
    secret = it.wait_done()
    assert left in (None, secret), "what was there is kept"
    if kind != QVS:
        crashes.seen.check(secret)


@pytest.mark.parametrize("kind", WITH_SECRET)
@pytest.mark.parametrize("point", CHANGE, ids=id_of)
def test_repaired_labels(api, crashes, kind, point):
    it = crashes.made(kind, {**SPECS[kind], **TEMPLATE})
    before = api.patch("Secret", it.namespace, it.name, {"metadata": {"labels": {"app": "theirs"}}})
    crashes.crash(point, it)
    left = it.secret()
    assert left["metadata"]["labels"]["app"] == ("theirs" if point == CHANGE[0] else "it")
    crashes.carry_on()
    after = it.wait_done()
    assert after["metadata"]["labels"]["app"] == "it" and after["data"] == before["data"]
    assert point == CHANGE[0] or after == left, "it is written once"
    crashes.seen.check(after)


@pytest.mark.parametrize("kind", WITH_SECRET)
@pytest.mark.parametrize("point", CHANGE, ids=id_of)
def test_a_damaged_secret(api, crashes, kind, point):
    it = crashes.made(kind, SPECS[kind])
    good = it.secret()
    entry = min(key for key in good["data"] if not key.startswith("metadata"))
    damaged = api.patch("Secret", it.namespace, it.name, {"data": {entry: "cnViYmlzaA=="}})
    crashes.crash(point, it)
    left = it.secret()
    assert (left == damaged) == (point == CHANGE[0])
    crashes.carry_on()
    after = it.wait_done()
    assert after["data"].keys() == good["data"].keys() and after["data"] != damaged["data"]
    assert point == CHANGE[0] or after == left, "it is made anew once"
    assert (kind in REPAIRED) + (kind in SAME) + (kind in ANOTHER) == 1
    assert (entries_of(after) == entries_of(good)) == (kind not in ANOTHER)
    if kind in ANOTHER:
        check_told(it, *told_as(kind, "SecretDamaged", point), good, after)
    else:
        reason = "SecretRepaired" if kind in REPAIRED else "SecretDamaged"
        assert len(it.events(reason)) <= 2, "told by each that found it, if at all"
        assert it.events("SecretDamaged" if kind in REPAIRED else "SecretRepaired") == []
        assert it.events("KeyReplaced") == []
    crashes.seen.check(good, damaged, after)


@pytest.mark.parametrize("kind", [QRN, QKKP, QES, QSM, QC])  # of which something else is made
@pytest.mark.parametrize("point", LOSS, ids=id_of)
def test_a_lost_secret(api, crashes, kind, point):
    it = crashes.made(kind, SPECS[kind])
    before = it.secret()
    api.delete("Secret", it.namespace, it.name)
    crashes.crash(point, it)
    left = it.secret()
    assert (left is None) == (point == LOSS[0])
    crashes.carry_on()
    after = it.wait_done()
    assert left in (None, after), "it is made anew once"
    check_told(it, *told_as(kind, "SecretLost", point), before, after)
    crashes.seen.check(before, after)


def entries_of(secret):
    return {key: value for key, value in secret["data"].items() if not key.startswith("metadata")}


def told_as(kind, reason, point):
    """Reason and type of the Event. After a crash behind the write, nobody knows any more who has written, but for a
    signature, which nobody would miss."""
    if point in (CHANGE[0], LOSS[0]):
        return reason, "Warning"
    return ("Replaced", "Normal") if kind == QSM else ("KeyReplaced", "Warning")


def check_told(it, reason, severity, before, after):
    """One Event says what was replaced by what, whichever operator did it."""
    [event] = wait_until(f"there is an Event {reason}", lambda: it.events(reason))
    assert event["type"] == severity
    was, now = fingerprint_in(before), fingerprint_in(after)
    assert was != now and f"{was} was replaced by {now}" in event["note"]


@pytest.mark.parametrize("point", CHANGE, ids=id_of)
def test_a_certificate_issued_anew(api, crashes, point):
    it = crashes.made(QC, SPECS[QC])
    before = it.secret()
    api.patch(QC, it.namespace, it.name, {"spec": {"subjectAltNames": ["b.example"]}})
    crashes.crash(point, it)
    left = it.secret()
    assert (left == before) == (point == CHANGE[0])
    crashes.carry_on()
    after = it.wait_done()
    assert after["data"]["tls.key"] == before["data"]["tls.key"] and after["data"]["tls.crt"] != before["data"]["tls.crt"]
    assert point == CHANGE[0] or after == left, "it is issued once"
    check_told(it, "Replaced", "Normal", before, after)
    crashes.seen.check(before, after)


# ---- a trust bundle: its Secret comes first, and its status last


def spec_of_ca(name):
    return {"algorithm": "ML-DSA-44", "certType": "ca", "commonName": "it", "trustBundle": {"configMapName": name}}


def wait_bundle(api, it, name):
    """The ConfigMap has what the Secret has, and the status names it."""

    def probe():
        found = api.find("ConfigMap", it.namespace, name)
        status = it.get()["status"].get("trustBundle", {})
        is_same = found and found["data"]["ca.crt"].encode() == data_of(it.secret())["ca.crt"]
        return found if is_same and status.get("resourceVersion") == version_of(found) else None

    return wait_until("it is as it should be", probe)


@pytest.mark.parametrize("point", BUNDLE, ids=id_of)
def test_a_trust_bundle_is_made(api, crashes, point):
    crashes.kill()
    it = crashes.object(QC)
    it.create(spec_of_ca(it.name))
    crashes.crash(point, it)
    left = api.find("ConfigMap", it.namespace, it.name)
    assert (left is not None) == (BUNDLE.index(point) >= BUNDLE.index(("after-request", "create configmaps")))
    crashes.carry_on()
    it.wait_done()
    after = wait_bundle(api, it, it.name)
    assert left in (None, after), "it is made once"
    if point not in TELLING[1:]:  # the status told of it, and the Event was lost
        wait_until("it is told of", lambda: len(it.events("TrustBundleWritten")) == 1)


@pytest.mark.parametrize("point", BUNDLE_CHANGE, ids=id_of)
def test_a_trust_bundle_is_put_right(api, crashes, point):
    name = f"changed-{next(crashes.count)}"
    it = crashes.made(QC, spec_of_ca(name))
    api.patch("ConfigMap", it.namespace, name, {"data": {"ca.crt": "theirs"}})
    crashes.crash(point, it)
    left = api.get("ConfigMap", it.namespace, name)
    assert (left["data"]["ca.crt"] == "theirs") == (point == BUNDLE_CHANGE[0])
    crashes.carry_on()
    after = wait_bundle(api, it, name)
    assert point == BUNDLE_CHANGE[0] or after == left, "it is written once"


@pytest.mark.parametrize("point", BUNDLE_DELETION, ids=id_of)
def test_a_trust_bundle_gets_another_name(api, crashes, point):
    name = f"former-{next(crashes.count)}"
    it = crashes.made(QC, spec_of_ca(name))
    api.patch(QC, it.namespace, it.name, {"spec": {"trustBundle": {"configMapName": f"{name}-new"}}})
    crashes.crash(point, it)
    assert (api.find("ConfigMap", it.namespace, name) is not None) == (point == BUNDLE_DELETION[0])
    assert api.find("ConfigMap", it.namespace, f"{name}-new") is not None, "there is always one"
    crashes.carry_on()
    wait_bundle(api, it, f"{name}-new")
    api.wait_gone("ConfigMap", it.namespace, name)


@pytest.mark.parametrize("point", FAILURE, ids=id_of)
def test_a_failure_that_is_shown(api, crashes, point):
    """The status of an object that has failed leaves some of the former one alone: it is a patch."""
    crashes.kill()
    it = crashes.object(QKKP)
    with refusing_secrets(api, crashes.namespace):
        it.create(SPECS[it.kind])
        crashes.crash(point, it)
        crashes.carry_on()
        wait_until("it is shown", lambda: it.get()["status"].get("status") == "Failed")
        assert it.secret() is None
    crashes.seen.check(it.wait_done())


@pytest.mark.parametrize("point", SERIES, ids=id_of)
def test_a_failure_that_is_told_again(api, crashes, point):
    """All kinds in one go: each is tried again and again, and at the first count in its Event the operator ends."""
    crashes.kill()
    things = [crashes.object(kind) for kind in WITH_SECRET]
    with refusing_secrets(api, crashes.namespace):
        for it in things:
            it.create(SPECS[it.kind])
        for number, it in enumerate(things):
            crashes.crash(point, it)
            counts = sorted(one.get("series", {}).get("count", 1) for one in it.events("RequestRefused"))
            assert len(counts) <= number + 1, "one series for each operator that met it"
            assert (counts[-1] > 1) or point == SERIES[0]
            assert it.secret() is None
        crashes.carry_on()
    for it in things:
        crashes.seen.check(it.wait_done())


@pytest.mark.parametrize("number", range(len(RENEWAL)), ids=map(id_of, RENEWAL))
def test_renewal(api, crashes, number):
    it = crashes.ending[number]
    crashes.kill()
    before, serial = it.secret(), it.get()["status"]["serialNumber"]
    wait_until("it has ended", lambda: has_ended(it.get()), patience=90)
    with Seen(api, it.namespace) as seen:
        crashes.crash(RENEWAL[number], it)
        left = it.secret()
        assert (left != before) == (number >= RENEWAL.index(("after-request", "patch secrets")))
        crashes.carry_on(it.namespace)
        wait_until("another is issued", lambda: it.get()["status"]["serialNumber"] != serial)
        after = it.wait_done()
        assert after["metadata"]["uid"] == before["metadata"]["uid"] and not it.events("SecretDamaged")
        assert left in (before, after), "it is renewed once"
        seen.check(before, after)
        if number < RENEWAL.index(TELLING[0]):
            check_told(it, "Renewed", "Normal", before, after)
        else:  # the status and the Event are sent at the same time
            assert len(it.events("Renewed")) <= 2


@pytest.mark.parametrize("kind", [QRN, QKKP, QES, QSKP])
@pytest.mark.parametrize("point", ROTATION, ids=id_of)
def test_rotation_on_request(api, crashes, kind, point):
    """Each request rotates exactly once, and what was there before is the version before, byte for byte."""
    it = crashes.made(kind, SPECS[kind])
    before = it.secret()
    api.patch(kind, it.namespace, it.name, {"metadata": {"annotations": {"qubesec.io/rotate": "once"}}})
    crashes.crash(point, it)
    reached = ROTATION.index(point)
    left = it.secret()
    assert (left != before) == (reached >= ROTATION.index(("after-request", "patch secrets")))
    crashes.carry_on()
    wait_until("the request is answered", lambda: it.get()["status"].get("lastRotateRequest") == "once")
    after = it.wait_done()
    assert left in (before, after), "it is rotated once"
    assert it.get()["status"]["version"] == 2
    former = {f"{entry}.1": value for entry, value in entries_of(before).items()}
    assert {entry: value for entry, value in after["data"].items() if entry.endswith(".1")} == former
    assert not {*entries_of(before).values()} & {after["data"][entry] for entry in entries_of(before)}
    crashes.seen.check(before, after)
    assert it.events("KeyReplaced") == [] and len(it.events("Rotated")) <= 2
    if reached < ROTATION.index(TELLING[0]):  # the status and the Event are sent at the same time
        check_told(it, "Rotated", "Normal", before, after)


@pytest.mark.parametrize("kind", [QDS, QDK])
@pytest.mark.parametrize("point", ROTATION, ids=id_of)
def test_what_follows_a_rotation(api, crashes, kind, point):
    """It has a version for each of what it follows, whenever the operator ended."""
    pair, sealed = crashes.made(QKKP, SPECS[QKKP]), crashes.object(QES)
    sealed.create({"publicKeyRef": {"name": pair.name}})
    it = crashes.object(kind)
    of_pair = {"privateKeyRef": {"name": pair.name}, "ciphertextRef": {"name": sealed.name}}
    it.create(of_pair if kind == QDS else {"sharedSecretRef": {"name": sealed.name}})
    crashes.carry_on()
    before = it.wait_done()
    crashes.kill()
    api.patch(QES, it.namespace, sealed.name, {"metadata": {"annotations": {"qubesec.io/rotate": "once"}}})
    crashes.crash(point, it)
    crashes.carry_on()
    wait_until("it has followed", lambda: it.get()["status"].get("version") == 2)
    after = it.wait_done()
    [entry] = entries_of(before)
    assert entries_of(after).keys() == {entry, f"{entry}.1"}
    assert after["data"][f"{entry}.1"] == before["data"][entry] != after["data"][entry]
    crashes.seen.check(before, after)


def has_ended(found):
    return datetime.datetime.fromisoformat(found["status"]["notAfter"]) < datetime.datetime.now(datetime.UTC)


def test_no_transition_was_told_twice(api, crashes):
    """Of all that the tests above have made in one namespace."""
    told = collections.Counter(
        (one["regarding"]["name"], one["reason"])
        for one in api.list("Event", crashes.namespace) if one["reason"] in ("Succeeded", "SignatureValid")
    )  # fmt: skip
    assert told and set(told.values()) == {1}


# ---- the Lease


# What renews is given time for nothing else; what does not holds the Lease for good.
RENEWING = ("--leader-elect", "--leader-election-lease-duration=1h", "--leader-election-retry-period=500ms")
HOLDING = (*RENEWING[:2], "--leader-election-renew-deadline=50m", "--leader-election-retry-period=30m")


@pytest.fixture
def lease(api, crashes):
    crashes.kill()

    def remove():
        if api.find("Lease", OWN_NAMESPACE, LEASE) is not None:
            api.delete("Lease", OWN_NAMESPACE, LEASE)

    remove()
    yield lambda: api.find("Lease", OWN_NAMESPACE, LEASE)
    crashes.kill()
    remove()


@pytest.mark.parametrize("where", ["before-request", "after-request"])
@pytest.mark.parametrize("life", LEASE_WRITES)
def test_lease(api, crashes, lease, life, where):
    if life == "take":
        free = {"leaseDurationSeconds": 1, "holderIdentity": "", "leaseTransitions": 0}
        api.create({"kind": "Lease", "metadata": {"namespace": OWN_NAMESPACE, "name": LEASE}, "spec": free})
    text = text_of(LEASE_WRITES[life])
    flags = RENEWING if life == "renew" else HOLDING
    operator = crashes.operators.start(*flags, environment={VARIABLE: f"{where}@{text}"})
    if life == "give-back":
        wait_until(lambda: f"it leads:\n{operator.tail()}", lambda: operator.said("became leader"))
        operator.process.terminate()
    wait_crashed(operator, where, text)

    own = operator.said("waiting to lead")[0]["identity"]
    before = {"make": None, "take": "", "renew": own, "give-back": own}[life]
    after = "" if life == "give-back" else own
    left = lease()
    assert (left and left["spec"].get("holderIdentity", "")) == (before if where == "before-request" else after)
    if left is not None:
        api.patch("Lease", OWN_NAMESPACE, LEASE, {"spec": {"leaseDurationSeconds": 1}})  # or it would be an hour
    it = crashes.object(QKKP)
    it.create(SPECS[QKKP])
    successor = crashes.operators.start("--namespaces", crashes.namespace, *RENEWING)
    crashes.seen.check(it.wait_done())
    assert lease()["spec"]["holderIdentity"] == successor.said("waiting to lead")[0]["identity"]


# ---- the webhook


def blocks(pem):
    return re.findall(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", pem, re.DOTALL)


def test_webhook_certificate(api, webhooks, namespace):
    """One replica after the other makes and replaces all that there is, and each ends in the midst of it."""
    leaves, authorities = set(), set()

    def see(_, secret):
        data = data_of(secret)
        if secret["metadata"]["name"] == SECRET and "ca.key" in data:
            leaves.add(blocks(data["tls.crt"])[0])
            authorities.update(blocks(data["ca.crt"]))

    end = api.watch("Secret", OWN_NAMESPACE, see)
    try:
        webhooks.configure()
        for wanted, points in ROTATIONS:
            if wanted is not None:
                webhooks.rotate(wanted)
            elif webhooks.secret() is not None:
                api.delete("Secret", OWN_NAMESPACE, SECRET)
            for where, what in points:
                text = text_of(what, namespace=OWN_NAMESPACE)
                replica = webhooks.launch(*OWN, environment={VARIABLE: f"{where}@{text}"})
                wait_crashed(replica, where, text)
                if wanted is not None:
                    _, issuer = blocks(data_of(webhooks.secret())["tls.crt"])
                    assert issuer in blocks(webhooks.bundle()), "what is served is trusted at any time"
        replica = webhooks.start(*OWN)
        webhooks.service.ports = [port_of(replica)]
        assert webhooks.is_settled()
        assert blocks(webhooks.wait_published()) == [issuer]
        wait_admitted(api, namespace)
    finally:
        end()
    assert len(leaves) == 5, "two with a CA, two that were asked for, one of the next CA"
    assert len(authorities) == 3
