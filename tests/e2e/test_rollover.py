"""A root CA changes its name or its key, and nobody is cut off: at every moment each certificate verifies, by openssl, with the
roots that each other one has, and with those of the trust bundle."""

import time

import pytest
from api import QC, thing, version_of, wait_until
from clock import shifted
from crypto import digest
from replicas import HOLDING
from test_certificates import blocks, certificate, seconds, serial
from test_tenants import account, binding, reference, role, wait_allowed
from trust import Judge, Moments, find_gaps

RENEW = "qubesec.io/renew"
AHEAD = 2  # seconds from the publication of a root to its use, and from there until the one before may go
ROTATION = {"publishAhead": f"{AHEAD}s", "keepFor": f"{AHEAD}s"}
PATIENCE = 180  # seconds: rotations wait for each other, and for those that have to hear of them
ROOTS = "roots"


class Tree:
    """A root with two leaves, an intermediate with one, and a leaf in another namespace; and all that becomes of them."""

    def __init__(self, api, here, there, folder):
        self.api, self.here, self.there = api, here, there
        self.leaves = [(here, "one"), (here, "two"), (here, "three"), (there, "far")]
        self.certificates = [(here, "root"), (here, "middle"), *self.leaves]
        secrets = [("Secret", namespace, f"{name}-secret") for namespace, name in self.certificates]
        self.moments = Moments(api, *secrets, ("ConfigMap", here, ROOTS))
        self.judge = Judge(folder)

    def make(self, **spec):
        api, here, there = self.api, self.here, self.there
        api.create(role(here, "issue", [(QC, "root", "use")]))
        api.create(binding(here, "issue", account(there)))
        wait_allowed(api, there, "use", QC, here, "root")
        bundle = {"configMapName": ROOTS}
        api.make(
            certificate(here, "root", "ca", commonName="Root 1", trustBundle=bundle, **{"rotation": ROTATION, **spec}),
            certificate(here, "one", "server", "root", domain="one.example", durationDays=90),
            certificate(here, "two", "client", "root", commonName="two", durationDays=90),
            certificate(here, "middle", "ca", "root", commonName="Middle", durationDays=200),
            certificate(here, "three", "server", "middle", domain="three.example", durationDays=90),
            thing(QC, there, "far", {
                "algorithm": "ML-DSA-44", "certType": "server", "domain": "far.example", "durationDays": 90,
                "parentCARef": reference(here, "root"),
            }),
        )  # fmt: skip
        wait_until("there is a bundle", lambda: api.find("ConfigMap", here, ROOTS))
        self.before = self.now()
        return self

    def secret(self, name, namespace=None):
        return self.api.secret(namespace or self.here, f"{name}-secret")

    def now(self):
        return {name: self.secret(name, namespace) for namespace, name in self.certificates}

    def root(self):
        return self.api.get(QC, self.here, "root")

    def versions(self):
        return {version_of(self.api.get(QC, namespace, name)) for namespace, name in self.certificates}

    def edit(self, **spec):
        self.api.patch(QC, self.here, "root", {"spec": spec})

    def renew(self, text):
        self.api.patch(QC, self.here, "root", {"metadata": {"annotations": {RENEW: text}}})

    # The steps, in their order

    def is_published(self):
        return "cert.pem.next" in self.secret("root")

    def is_told(self):
        return blocks(self.secret("three")["ca.crt"]) == 2

    def is_used(self):
        return "cert.pem.1" in self.secret("root")

    def is_issued(self):
        return self.secret("one")["cert.pem"] != self.before["one"]["cert.pem"]

    def is_gone(self):
        return self.root()["status"]["version"] == 2 and "cert.pem.1" not in self.secret("root")

    def steps(self):
        return self.is_published, self.is_told, self.is_used, self.is_issued, self.is_gone

    def wait_step(self, step):
        wait_until(lambda: f"{step.__name__}: {self.root()['status']}", step, PATIENCE, pause=0.005)

    def wait_rolled(self, version):
        """Until only that root is left, everywhere, and all is issued by it."""
        last = {}

        def probe():
            status = self.root()["status"]
            last.update({name: blocks(data["ca.crt"]) for name, data in self.now().items()})
            states = [one["state"] for one in status.get("versions", [])]
            own = self.secret("root")["cert.pem"]
            trusted = [*(data["ca.crt"] for data in self.now().values()), self.api.get("ConfigMap", self.here, ROOTS)["data"]["ca.crt"].encode()]
            return status.get("version") == version and states == ["Active"] and all(one == own for one in trusted)

        wait_until(lambda: f"version {version} is alone: {last} {self.root()['status']}", probe, PATIENCE)

    def check(self, version=2):
        """Nothing was ever cut off; and it was really to be watched."""
        self.moments.end()
        moments = list(self.moments.all())
        gaps = find_gaps(moments, self.judge)
        assert not gaps, f"of {len(moments)} moments: {list(gaps)}"
        for namespace, name in self.certificates:
            states = [now["Secret", namespace, f"{name}-secret"] for now in moments]
            assert len({one["cert.pem"] for one in states}) == version, f"{name} was issued once for each root"
            assert max(blocks(one["ca.crt"]) for one in states) == 2
            assert name == "root" or len({one["tls.key"] for one in states}) == 1
        return moments


@pytest.fixture
def there(api):
    name = api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]
    yield name
    api.call("DELETE", api.path(QC, name))


@pytest.fixture
def tree(api, namespace, there, tmp_path):
    one = Tree(api, namespace, there, tmp_path)
    yield one
    one.moments.end()


def give_another_name(tree):
    tree.edit(commonName="Root 2")


def give_another_key(tree):
    tree.renew("another key")


CHANGES = {
    "name": ({}, give_another_name),
    "key": ({"privateKey": {"rotationPolicy": "Always"}}, give_another_key),
}  # fmt: skip


@pytest.mark.parametrize("is_killed", [False, True], ids=["undisturbed", "killed-at-each-step"])
@pytest.mark.parametrize("spec, change", CHANGES.values(), ids=CHANGES)
def test_nobody_is_cut_off(operators, tree, spec, change, is_killed):
    operators.default()
    tree.make(**spec)
    change(tree)
    for step in tree.steps() if is_killed else ():
        tree.wait_step(step)
        operators.current.kill()
        operators.default()
    tree.wait_rolled(2)
    moments = tree.check()
    after = tree.now()
    assert (after["root"]["tls.key"] == tree.before["root"]["tls.key"]) == (change is give_another_name)
    if change is give_another_key:
        check_crosses(tree, moments, after)


def check_crosses(tree, moments, after):
    """Whoever trusts one of the two roots only comes to what the other one has issued by cross.crt, and not without it."""
    old, new = tree.before["root"]["cert.pem"], after["root"]["cert.pem"]
    [crosses] = {now["Secret", tree.here, "root-secret"]["cross.crt"] for now in moments if "cert.pem.1" in now["Secret", tree.here, "root-secret"]}
    for name in ("one", "two", "three", "far"):
        for chain, root in ((tree.before[name]["tls.crt"], new), (after[name]["tls.crt"], old)):
            assert tree.judge.verifies(chain, root, crosses), name
            assert not tree.judge.verifies(chain, root), name
    assert "cross.crt" not in after["root"]


def test_by_a_schedule(operators, tree):
    """Twice, by operators whose clock is shortly before the time."""
    operators.default()
    tree.make(rotation={**ROTATION, "every": "10m"}, privateKey={"rotationPolicy": "Always"})
    try:
        for version in (2, 3):
            at = seconds(tree.root()["status"]["nextRotationTime"])
            tree.judge.ahead = int(at - time.time()) - AHEAD - 2
            operators.stop()
            operators.start(environment=shifted(operators, SHIFTED_CLOCK_SECONDS=str(tree.judge.ahead))).wait_ready()
            tree.wait_rolled(version)
        tree.check(3)
    finally:
        operators.stop()


def test_by_two_replicas(replicas, clock, tree):
    """The leader is killed when the next root is published, and the one after it when that is used."""
    settings = {"environment": clock.environment}
    leader, standby = replicas.pair(*HOLDING, **settings)
    tree.make(privateKey={"rotationPolicy": "Always"})
    give_another_key(tree)
    for step in (tree.is_published, tree.is_used):
        tree.wait_step(step)
        leader.kill()
        replicas.take_over(clock, standby)
        leader, standby = standby, replicas.start(*HOLDING, **settings)
    tree.wait_rolled(2)
    check_crosses(tree, tree.check(), tree.now())


def test_trap_30_what_is_said_of_roots_is_kept(api, operator, tree):
    """The CA waits until all below say it, so it must be in the definition."""
    tree.make(rotation={})
    for namespace, name in tree.certificates[1:]:
        found = api.get(QC, namespace, name)["status"]
        assert found["rootDigest"] == tree.root()["status"]["digest"], name
        assert found["caBundleDigest"] == digest(tree.secret(name, namespace)["ca.crt"]), name
    assert tree.root()["status"]["caBundleDigest"] == digest(tree.secret("root")["ca.crt"])
    before = tree.versions()
    for namespace, name in tree.certificates:
        api.patch(QC, namespace, name, {"metadata": {"labels": {"touched": "yes"}}})
    touched = tree.versions()
    operator.settle()
    assert tree.versions() == touched and not before & touched, "something is written again"


ENTRIES = ("cert.pem", "tls.crt", "pub.pem", "tls.key", "key.pem")
USUAL = {*ENTRIES, "ca.crt", "metadata.json"}


def test_what_the_secret_holds_meanwhile(operator, tree):
    """With another key."""
    tree.make(privateKey={"rotationPolicy": "Always"})
    give_another_key(tree)
    tree.wait_rolled(2)
    tree.moments.end()
    states = {frozenset(now["Secret", tree.here, "root-secret"]) for now in tree.moments.all()}
    coming = {"cert.pem.next", "tls.crt.next", "pub.pem.next", ".tls.key.next", ".key.pem.next"}
    assert states == {frozenset(USUAL), frozenset({*USUAL, *coming, "cross.crt"}), frozenset({*USUAL, *(f"{one}.1" for one in ENTRIES), "cross.crt"})}


COUNT = 40


def test_leaves_that_end_with_their_ca_take_turns(api, operator, namespace):
    """When it is issued anew, they are too, one a second on average; never before the time that their status names."""
    leaves = [certificate(namespace, f"leaf-{number}", "client", "root", commonName=f"leaf {number}") for number in range(COUNT)]
    api.make(certificate(namespace, "root", "ca", commonName="Root", duration="240h"), *leaves)
    names = [one["metadata"]["name"] for one in leaves]
    before = {name: api.get(QC, namespace, name) for name in names}
    end = {api.get(QC, namespace, name)["status"]["notAfter"] for name in ("root", *names)}
    assert len(end) == 1 and not [name for name in names if "renewalTime" in before[name]["status"]]
    turns = {}

    def see(_, found):
        name, status = found["metadata"]["name"], found["status"]
        if name in before and "renewalTime" in status:
            turns.setdefault(name, seconds(status["renewalTime"]))

    finish = api.watch(QC, namespace, see)
    api.patch(QC, namespace, "root", {"metadata": {"annotations": {RENEW: "now"}}})

    def waiting():
        return [name for name in names if serial(api.get(QC, namespace, name)) == serial(before[name])]

    wait_until(lambda: f"all are issued anew, but for {waiting()}", lambda: not waiting(), PATIENCE, pause=1)
    finish()
    assert len(turns) > COUNT / 2, "most of them wait"
    taken = list(turns.values())
    assert max(taken.count(one) for one in taken) <= COUNT / 4 and max(taken) - min(taken) <= COUNT
    for name, turn in turns.items():
        assert seconds(api.get(QC, namespace, name)["status"]["notBefore"]) + 60 >= turn, name
