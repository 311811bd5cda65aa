"""What an earlier version left is taken over as it is: no key is remade, and nothing is written that need not be.

tests/fixtures has what each version made, as it lay in the API server. It is put straight into etcd, so that uids, owners
and marks are those of then; a resourceVersion is etcd's to give, so those in a status are put right.
"""

import collections
import json
import pathlib

import pytest
from api import KINDS, QC, QES, QKKP, QRN, QSKP, RESOURCES, SIGNATURE_KINDS, data_of, ready_of, wait_until
from audit import WRITES
from etcd import Gateway
from trust import Judge, Moments, find_gaps

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures"
VERSIONS = sorted(path.name for path in FIXTURES.glob("v*"))
OUR_KINDS = (*KINDS, *SIGNATURE_KINDS)
SECRET_WRITES = 1  # of one Secret in an upgrade, at most
METADATA = ("metadata", "metadata.json")  # the entries that an upgrade may rewrite
# What a status says of the output, which is as it was.
FACTS = (
    "status", "algorithm", "fingerprint", "publicKeyPEM", "certPEM", "serialNumber", "subject", "issuer", "notBefore", "notAfter",
    "ciphertext", "signature", "keyLength", "usedSalt", "usedInfo", "verified", "signatureReference",
)  # fmt: skip


class Fixture:
    def __init__(self, version):
        self.things = {
            file.stem: json.loads(file.read_text(encoding="utf-8")) for file in (FIXTURES / version).glob("*.json")
        }

    def all(self, *kinds):
        return [one for kind in kinds for one in self.things[kind]]

    @property
    def objects(self):
        return self.all(*OUR_KINDS)

    @property
    def others(self):
        return self.all(*(kind for kind in self.things if kind not in OUR_KINDS))

    @property
    def namespaces(self):
        return sorted({one["metadata"]["namespace"] for one in self.objects})

    @property
    def seed_url(self):
        return next(url for one in self.all("QuantumRandomNumber") if (url := one["spec"].get("seedURI")))


@pytest.fixture(scope="module", params=VERSIONS)
def fixture(request):
    return Fixture(request.param)


@pytest.fixture(scope="module")
def etcd(cluster):
    return Gateway(cluster)


def key_of(thing):
    """Where the API server keeps it in etcd."""
    prefix, plural = RESOURCES[thing["kind"]]
    group = ["qubesec.io"] if thing["kind"] in OUR_KINDS else []
    return "/".join(["/registry", *group, plural, thing["metadata"]["namespace"], thing["metadata"]["name"]])


def without(thing, *fields):
    return {name: value for name, value in thing.items() if name not in fields}


def put(etcd, thing):
    """Returns its resourceVersion, which etcd does not keep in it."""
    return etcd.put(key_of(thing), json.dumps({**thing, "metadata": without(thing["metadata"], "resourceVersion")}))


def with_versions(status, versions):
    """A status whose references name the resourceVersions that there are now; versions: (uid, then) to now."""

    def renew(reference):
        if "uid" not in reference:  # a URL
            return reference
        return {**reference, "resourceVersion": versions[reference["uid"], reference["resourceVersion"]]}

    renewed = {"secretRef": renew(status["secretRef"])} if "secretRef" in status else {}
    if "inputs" in status:
        renewed["inputs"] = [renew(one) for one in status["inputs"]]
    return {**status, **renewed}


def lay(api, etcd, fixture, with_status):
    """Everything, each object before its Secret, so that the garbage collector finds its owner."""
    for namespace in fixture.namespaces:
        if api.find("Namespace", None, namespace) is None:
            api.create({"kind": "Namespace", "metadata": {"name": namespace}})
        api.call("DELETE", api.path("Event", namespace))
    for one in fixture.objects:
        put(etcd, without(one, "status"))
    versions = {}
    for one in fixture.others:
        versions[one["metadata"]["uid"], one["metadata"]["resourceVersion"]] = put(etcd, one)
    if with_status:
        for one in fixture.objects:
            put(etcd, {**one, "status": with_versions(one["status"], versions)})


def find(api, thing):
    return api.get(thing["kind"], thing["metadata"]["namespace"], thing["metadata"]["name"])


def name_of(thing):
    return "/".join((thing["kind"], thing["metadata"]["namespace"], thing["metadata"]["name"]))


def facts_of(found, with_status):
    """with_status: it had one before, and its conditions have not changed since."""
    status, ready = found.get("status", {}), ready_of(found)
    facts = {name: status.get(name) for name in FACTS} | {"ready": ready.get("status")}
    return {**facts, "since": ready.get("lastTransitionTime")} if with_status else facts


def content_of(secret):
    """What no upgrade may change."""
    kept = {key: value for key, value in data_of(secret).items() if key not in METADATA}
    return secret["metadata"]["uid"], secret["type"], sorted(secret["data"]), kept


def writes(cluster, mark, fixture):
    """What the operator wrote since, each as verb, resource, namespace and name; a question about rights is no write."""
    return [
        (str(one), one.namespace, one.name)
        for namespace in fixture.namespaces
        for one in cluster.audit.requests(mark, namespace)
        if one.verb in WRITES and one.resource != "localsubjectaccessreviews"
    ]


def start(operators, fixture):
    operator = operators.start("--seed-url-prefix", fixture.seed_url).wait_ready()
    operator.settle()
    return operator


@pytest.mark.parametrize("with_status", [True, False], ids=["as-it-lay", "restored-without-status"])
def test_what_an_earlier_version_made_stays(cluster, api, etcd, operators, fixture, with_status):
    operators.stop()
    lay(api, etcd, fixture, with_status)
    mark = cluster.audit.mark()
    start(operators, fixture)

    def changed():
        return [
            name_of(one) for one in fixture.objects if facts_of(find(api, one), with_status) != facts_of(one, with_status)
        ]

    wait_until(lambda: f"all is as it was, but for {changed()}", lambda: not changed())
    for one in fixture.all("Secret"):
        assert content_of(find(api, one)) == content_of(one), name_of(one)
    made = writes(cluster, mark, fixture)
    of_secrets = collections.Counter(one for one in made if one[0].endswith(" secrets"))
    assert {one: count for one, count in of_secrets.items() if count > SECRET_WRITES} == {}
    events = [one for namespace in fixture.namespaces for one in api.list("Event", namespace)]
    assert {one["reason"] for one in events if one["type"] == "Warning"} <= {"SignatureInvalid"}, "and that is not new"

    operators.stop()
    mark = cluster.audit.mark()
    start(operators, fixture)
    assert writes(cluster, mark, fixture) == [], "a second start has something left to do"


@pytest.mark.parametrize("with_status", [True, False], ids=["as-it-lay", "restored-without-status"])
def test_what_an_earlier_version_made_is_rotated(api, etcd, operators, fixture, with_status):
    """Its keys are version 1, and stay so byte for byte."""
    operators.stop()
    lay(api, etcd, fixture, with_status)
    operator = start(operators, fixture)
    served = [one for one in fixture.all(QRN, QKKP, QES, QSKP) if ready_of(one).get("status") == "True"]
    asked = [one for one in served if one["kind"] != QES and not one["spec"].keys() & {"seed", "seedURI"}]
    before = {name_of(one): content_before(api, one) for one in served}
    for one in asked:
        change = {"metadata": {"annotations": {"qubesec.io/rotate": "now"}}, "spec": {"rotation": {"keep": 1}}}
        api.patch(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"], change)

    def open_requests():
        return [name_of(one) for one in asked if find(api, one)["status"].get("lastRotateRequest") != "now"]

    wait_until(lambda: f"all are rotated, but for {open_requests()}", lambda: not open_requests())
    operator.settle()
    following = [one for one in served if one["spec"].get("publicKeyRef", {}).get("kind") == QKKP]
    rotated = [*asked, *following]
    assert {one["kind"] for one in rotated} == {QRN, QKKP, QES, QSKP}
    assert {find(api, one)["status"]["version"] for one in rotated} == {2}
    for one in rotated:
        after, had = content_before(api, one), before[name_of(one)]
        assert {entry: after[f"{entry}.1"] for entry in had} == had, name_of(one)
        assert all(after[entry] != had[entry] for entry in had), name_of(one)
    operators.stop()


@pytest.mark.parametrize("with_status", [True, False], ids=["as-it-lay", "restored-without-status"])
def test_what_an_earlier_version_issued_rolls_over(api, etcd, operators, fixture, with_status, tmp_path):
    """Each of its roots gets another name, and at every moment all that is below verifies with the roots of each other."""
    operators.stop()
    lay(api, etcd, fixture, with_status)
    operator = start(operators, fixture)
    certificates = [find(api, one) for one in fixture.all(QC) if one["spec"]["certType"] != "self-signed"]
    roots = [one for one in certificates if "parentCARef" not in one["spec"]]
    assert roots and {root_of(one, certificates) for one in certificates} == {place_of(one) for one in roots}
    trees = [[one for one in certificates if root_of(one, certificates) == place_of(root)] for root in roots]
    watched = [Moments(api, *(("Secret", one["metadata"]["namespace"], one["status"]["secretRef"]["name"]) for one in tree)) for tree in trees]
    for one in roots:
        change = {"commonName": "another", "rotation": {"publishAhead": "2s", "keepFor": "2s"}}
        api.patch(QC, one["metadata"]["namespace"], one["metadata"]["name"], {"spec": change})

    def waiting():
        states = {name_of(one): [version["state"] for version in find(api, one)["status"].get("versions", [])] for one in roots}
        return [name for name, state in states.items() if state != ["Active"]] + [
            name_of(one) for one in roots if find(api, one)["status"].get("version") != 2
        ]

    wait_until(lambda: f"all have rolled over, but for {waiting()}", lambda: not waiting(), patience=180)
    operator.settle()
    for tree, moments in zip(trees, watched, strict=True):
        moments.end()
        states = list(moments.all())
        assert not (gaps := find_gaps(states, Judge(tmp_path))), list(gaps)
        for place in moments.places:
            seen = [now[place] for now in states]
            assert len({one["cert.pem"] for one in seen}) == 2, place
            assert seen[-1]["ca.crt"].count(b"BEGIN") == 1 and max(one["ca.crt"].count(b"BEGIN") for one in seen) == 2, place
        assert {find(api, one)["status"]["digest"] for one in tree if "parentCARef" not in one["spec"]} == {find(api, one)["status"]["rootDigest"] for one in tree if "parentCARef" in one["spec"]}
    operators.stop()


def place_of(thing):
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def root_of(thing, certificates):
    """Where the certificate is that stands above all."""
    while reference := thing["spec"].get("parentCARef"):
        above = reference.get("namespace") or thing["metadata"]["namespace"], reference["name"]
        thing = next(one for one in certificates if place_of(one) == above)
    return place_of(thing)


def content_before(api, thing):
    status = find(api, thing)["status"]
    data = data_of(api.get("Secret", thing["metadata"]["namespace"], status["secretRef"]["name"]))
    return {entry: value for entry, value in data.items() if entry not in (*METADATA, "public_keys.jwks")}
