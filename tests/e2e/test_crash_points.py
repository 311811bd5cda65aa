"""The operator ends, as by a power cut, at each point at which that could matter, for each kind; the next one carries on,
and nothing that was to be seen is lost or made twice. What a crash point is: docs/develop.md."""

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
from api import (
    KINDS, QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, RESOURCES, SIGNATURE_KINDS, data_of, secret_thing, thing, version_of,
    wait_until,
)  # fmt: skip
from fixtures import BINARY, CHECKOUT
from test_certificates import certificate
from test_consistency import refusing_secrets
from test_leader import NAME as LEASE
from test_leader import NAMESPACE as OWN_NAMESPACE
from test_webhook_certificate import OWN, SECRET, wait_admitted, webhooks
from webhook import CONFIGURATIONS, port_of

VARIABLE = "QUBESEC_CRASH_POINT"
NAMES = set(re.findall(r'^ +POINT\(\w+, "([a-z-]+)"\)', (CHECKOUT / "src/base/crash_point.h").read_text(), re.MULTILINE))
HAS_POINTS = VARIABLE.encode() in BINARY.read_bytes()
needs_points = pytest.mark.skipif(not HAS_POINTS, reason="this build has no crash points (QUBESEC_CRASH_POINTS is off)")

# Each write of the operator, as its roles name it, and the request that makes it.
WRITES = {
    "create secrets": "POST /api/v1/namespaces/{namespace}/secrets",
    "patch secrets": "PATCH /api/v1/namespaces/{namespace}/secrets/",
    "patch status": "PATCH /apis/qubesec.io/v1/namespaces/{namespace}/{plural}/{name}/status",
    "create events": "POST /apis/events.k8s.io/v1/namespaces/{namespace}/events",
    "patch events": "PATCH /apis/events.k8s.io/v1/namespaces/{namespace}/events/{name}.",
    "create leases": "POST /apis/coordination.k8s.io/v1/namespaces/qubesec-system/leases",
    "patch leases": "PATCH /apis/coordination.k8s.io/v1/namespaces/qubesec-system/leases/qubesec-operator",
    "patch validatingwebhookconfigurations": f"PATCH {CONFIGURATIONS}/qubesec",
}


def around(write):
    return [("before-request", write), ("after-request", write)]


# What is done for one object, in the order in which it is done; a point that is no write's says for which object.
OBJECT = "{kind} {namespace}/{name}"
BETWEEN = ("between-secret-and-status", OBJECT)
TELLING = [*around("patch status"), *around("create events")]
CREATION = [*around("create secrets"), BETWEEN, *TELLING]
CHANGE = [*around("patch secrets"), BETWEEN]
RENEWAL = [("before-renewal", OBJECT), *around("patch secrets"), ("after-renewal", OBJECT), BETWEEN, *TELLING]
SERIES = around("patch events")

# What is done for the webhook: what is asked for by its Secret's annotation, and the points on the way there. Once its
# Secret is written the step is over, so that one way leads by one of the points after it.
MADE, RENEWED = "webhook CA and certificate made", "webhook certificate renewed"
INTRODUCED, OVERLAPPING = "next CA introduced", "both CAs published"
SWITCHED, DROPPED = "certificate of the next CA made", "former CA dropped"
REFUSED = "webhook rotation request refused"
BEFORE, AFTER = "before-webhook-step", "after-webhook-step"
PUBLISHING = around("patch validatingwebhookconfigurations")
ROTATIONS = [
    (None, [(BEFORE, MADE), *around("create secrets")]),
    (None, [(AFTER, MADE), *PUBLISHING]),
    ("leaf", [(BEFORE, RENEWED), *around("patch secrets")]),
    ("leaf", [(AFTER, RENEWED)]),
    (
        "ca",
        [
            (BEFORE, INTRODUCED), (AFTER, INTRODUCED), *PUBLISHING, (BEFORE, OVERLAPPING), (AFTER, OVERLAPPING),
            (BEFORE, SWITCHED), (AFTER, SWITCHED), (BEFORE, DROPPED), (AFTER, DROPPED), *PUBLISHING,
        ],
    ),
    ("rubbish", [(BEFORE, REFUSED), (AFTER, REFUSED)]),
]  # fmt: skip

# What is done about the Lease, by which write.
LEASE_WRITES = {"make": "create leases", "take": "patch leases", "renew": "patch leases", "give-back": "patch leases"}


def all_points():
    webhook = (points for _, points in ROTATIONS)
    return itertools.chain(CREATION, CHANGE, RENEWAL, SERIES, *webhook, *map(around, LEASE_WRITES.values()))


def id_of(point):
    where, what = point
    return f"{where.removesuffix('-request')}-{what.replace(' ', '-')}" if what in WRITES else where


def text_of(what, **names):
    return WRITES.get(what, what).format(**names)


# ---- what there is


def test_a_build_for_use_has_no_points():
    assert len(NAMES) >= 7
    content = BINARY.read_bytes()
    found = {name for name in (VARIABLE, *NAMES) if name.encode() in content}
    assert found == ({VARIABLE, *NAMES} if HAS_POINTS else set())


@needs_points
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

    def carry_on(self, namespace=None):
        """Another one, without a point."""
        self.kill()
        return self.operators.start("--namespaces", namespace or self.namespace)

    def begin_renewals(self):
        """A certificate for each point of a renewal, each in a namespace of its own, where nobody works before it has ended.
        Then it is due at once, and the next one is not for a minute."""
        self.ending = [self.object(QC, self.new_namespace()) for _ in RENEWAL]
        self.carry_on(",".join(it.namespace for it in self.ending))
        for it in self.ending:
            it.create({"algorithm": "ML-DSA-44", "domain": "a.example", "duration": "1m", "renewBefore": "1s"})
        for it in self.ending:
            it.wait_done()
        self.kill()

    def made(self, kind, spec):
        """An object that is done, and no operator runs any more."""
        it = self.object(kind)
        it.create(spec)
        self.carry_on()
        it.wait_done()
        self.kill()
        return it


def wait_crashed(operator, where, text):
    operator.expected = -signal.SIGKILL
    wait_until(lambda: f"it ends {where} {text}:\n{operator.tail()}", operator.ended)
    assert operator.process.returncode == -signal.SIGKILL, operator.tail()
    last = operator.lines()[-1]
    assert (last["message"], last["point"]) == ("crash point", where) and text in last["detail"], last


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


@needs_points
@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("point", CREATION, ids=id_of)
def test_creation(crashes, kind, point):
    if kind == QVS and point not in TELLING:
        pytest.skip("it has no Secret")
    crashes.kill()
    it = crashes.object(kind)
    it.create(SPECS[kind])
    crashes.crash(point, it)
    reached = CREATION.index(point)
    left = it.secret()
    assert (left is not None) == (kind != QVS and reached >= 1)
    assert ("status" in it.get()) == (reached >= 4)
    assert len(it.events("Succeeded")) + len(it.events("SignatureValid")) == (reached >= 6)
    crashes.carry_on()
    secret = it.wait_done()
    assert left in (None, secret), "what was there is kept"
    if kind != QVS:
        crashes.seen.check(secret)


@needs_points
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


@needs_points
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
    assert len(it.events("SecretDamaged")) <= 2, "told by each that found it, if at all"
    crashes.seen.check(good, damaged, after)


@needs_points
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
    crashes.seen.check(before, after)


@needs_points
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


@needs_points
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
        assert len(it.events("Renewed")) <= 1


def has_ended(found):
    return datetime.datetime.fromisoformat(found["status"]["notAfter"]) < datetime.datetime.now(datetime.UTC)


@needs_points
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


@needs_points
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


@needs_points
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
        webhooks.service.ports = itertools.repeat(port_of(replica))
        assert webhooks.is_settled()
        assert blocks(webhooks.wait_published()) == [issuer]
        wait_admitted(api, namespace)
    finally:
        end()
    assert len(leaves) == 5, "two with a CA, two that were asked for, one of the next CA"
    assert len(authorities) == 3
