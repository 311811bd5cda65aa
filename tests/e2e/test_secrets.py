"""The output Secret: repaired when it is damaged, kept and adopted when it is sound, left alone when it is not ours."""

import itertools
import json

import pytest
from api import KINDS, QES, QKKP, QRN, data_of, exchange, secret_thing, thing, version_of, wait_until
from crypto import SIZES, openssl, seed_of
from test_lifecycle import LIVES


def flip(content, at=0):
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def put(api, namespace, name, data):
    """Writes entries of a Secret, as bytes; None removes one."""
    encoded = secret_thing(namespace, name, {key: value for key, value in data.items() if value is not None})["data"]
    return api.patch("Secret", namespace, name, {"data": {**dict.fromkeys(data), **encoded}})


def without_metadata(data):
    return {name: content for name, content in data.items() if name != "metadata"}


def wait_remade(api, kind, namespace, name, old):
    """Waits until the Secret is another one than old (bytes by key), and verified; returns what it holds."""

    def probe():
        found = api.get(kind, namespace, name)
        if found["status"]["status"] != "Success":
            return None
        secret = api.output(found)
        verified = found["status"]["secretRef"]["resourceVersion"] == version_of(secret)
        return verified and data_of(secret) != old and data_of(secret)

    return wait_until(f"{kind} {name} is remade", probe)


def check_damage_is_told(api, namespace, name):
    [event] = wait_until("there is an Event", lambda: api.events(namespace, name, "SecretDamaged"))
    assert event["type"] == "Warning"
    return event["note"]


# Damage


# The private key is left in at least one of its two forms, and its seed, which only the PEM has.
DAMAGE = {
    "private-key-byte": lambda data, other: {"private_key": flip(data["private_key"])},
    "private-key-seed-byte": lambda data, other: {"private_key": flip(data["private_key"], -1)},
    "private-key-shorter": lambda data, other: {"private_key": data["private_key"][:-1]},
    "private-key-removed": lambda data, other: {"private_key": None},
    "private-pem-newline": lambda data, other: {"private_key.pem": data["private_key.pem"] + b"\n"},
    "public-key-byte": lambda data, other: {"public_key": flip(data["public_key"])},
    "public-key-removed": lambda data, other: {"public_key": None},
    "public-pem-of-another-pair": lambda data, other: {"public_key.pem": other["public_key.pem"]},
    "public-pem-newline": lambda data, other: {"public_key.pem": data["public_key.pem"] + b"\n"},
    "public-pem-removed": lambda data, other: {"public_key.pem": None},
    "metadata-removed": lambda data, other: {"metadata": None},
    "metadata-broken": lambda data, other: {"metadata": data["metadata"][:-2]},
    "metadata-no-object": lambda data, other: {"metadata": b"[1, 2]"},
    "metadata-other-fingerprint": lambda data, other: {
        "metadata": data["metadata"].replace(b'"fingerprint":"', b'"fingerprint":"0')
    },
    "metadata-other-algorithm": lambda data, other: {
        "metadata": data["metadata"].replace(b"ML-KEM-768", b"ML-KEM-512")
    },
    "only-the-private-pem-left": lambda data, other: {**dict.fromkeys(data), "private_key.pem": data["private_key.pem"]},
}


# Whether its object owns the Secret makes no difference to what is kept of it: tests/unit/reconcile/test_damage.c.
@pytest.mark.parametrize("damage, retained", zip(DAMAGE.values(), itertools.cycle([False, True])), ids=DAMAGE)
def test_trap_51_an_intact_key_outlives_every_damage_around_it(api, operator, namespace, damage, retained):
    spec = {"deletionPolicy": "Retain"} if retained else {}
    made, _ = api.make(thing(QKKP, namespace, "pair", spec), thing(QKKP, namespace, "other"))
    before, other = api.secret(namespace, "pair"), api.secret(namespace, "other")
    damaged = data_of(put(api, namespace, "pair", damage(before, other)))
    assert damaged != before
    after = wait_remade(api, QKKP, namespace, "pair", damaged)
    assert without_metadata(after) == without_metadata(before)
    assert api.output(made)["metadata"]["uid"] == made["status"]["secretRef"]["uid"], "it is the same Secret"
    [event] = wait_until("there is an Event", lambda: api.events(namespace, "pair", "SecretRepaired"))
    assert event["type"] == "Warning"
    for reason in ("SecretDamaged", "KeyReplaced"):
        assert api.events(namespace, "pair", reason) == []


@pytest.mark.parametrize("pem", [None, b"", b"-----BEGIN PRIVATE KEY-----\n"], ids=["removed", "empty", "no-pem"])
def test_trap_51_of_the_raw_key_alone_all_is_rebuilt_but_the_seed(api, operator, namespace, tmp_path, pem):
    """The seed cannot be had from the key: the PEM then has the expanded key, and the status says so."""
    api.make(thing(QKKP, namespace, "pair"))
    before = api.secret(namespace, "pair")
    damaged = data_of(put(api, namespace, "pair", {"private_key.pem": pem}))
    after = wait_remade(api, QKKP, namespace, "pair", damaged)
    assert {**without_metadata(after), "private_key.pem": None} == {**without_metadata(before), "private_key.pem": None}
    assert openssl(tmp_path, "pkey", "-in", "key.pem", "-pubout", key_pem=after["private_key.pem"]) == before["public_key.pem"]
    assert "expanded" in api.get(QKKP, namespace, "pair")["status"]["warning"]


def test_whoever_plants_a_key_does_not_choose_what_is_told(api, operator, namespace):
    made, other = api.make(thing(QKKP, namespace, "pair"), thing(QKKP, namespace, "other"))
    theirs = api.secret(namespace, "other")
    said = json.loads(theirs["metadata"])
    said["replaced"] = {"fingerprint": made["status"]["fingerprint"], "reason": "Renewed", "cause": "it was due"}
    put(api, namespace, "pair", {**theirs, "metadata": json.dumps(said).encode()})
    [event] = wait_until("there is an Event", lambda: api.events(namespace, "pair", "KeyReplaced"))
    assert event["type"] == "Warning" and "due" not in event["note"]
    assert api.events(namespace, "pair", "Renewed") == []
    assert other["status"]["fingerprint"] in event["note"]


@pytest.mark.parametrize("entry", ["private_key", "private_key.pem"])
def test_of_two_sound_keys_none_is_chosen(api, operator, namespace, entry):
    made, other = api.make(thing(QKKP, namespace, "pair"), thing(QKKP, namespace, "other"))
    before = api.secret(namespace, "pair")
    put(api, namespace, "pair", {entry: api.secret(namespace, "other")[entry]})
    found = api.wait_status(QKKP, namespace, "pair", "Failed", "KeyMismatch")
    for one in (made, other):
        assert one["status"]["fingerprint"] in found["status"]["error"]
    assert found["status"]["digest"] == made["status"]["digest"], "what was verified last stays recorded"
    put(api, namespace, "pair", {entry: None})
    api.wait_success(QKKP, namespace, "pair")
    after = api.secret(namespace, "pair")
    assert after["public_key"] == before["public_key"] and after["private_key"] == before["private_key"]


LOST = {
    "all-removed": lambda data: dict.fromkeys(data),
    "both-private-keys-removed": lambda data: {"private_key": None, "private_key.pem": None},
    "both-private-keys-damaged": lambda data: {"private_key": flip(data["private_key"]), "private_key.pem": b"x"},
}


@pytest.mark.parametrize("damage", LOST.values(), ids=LOST)
def test_lost_key_is_made_anew(api, operator, namespace, damage):
    [made] = api.make(thing(QKKP, namespace, "pair"))
    before = api.secret(namespace, "pair")
    damaged = data_of(put(api, namespace, "pair", damage(before)))
    after = wait_remade(api, QKKP, namespace, "pair", damaged)
    assert after.keys() == before.keys()
    assert after["public_key"] != before["public_key"]
    assert after["private_key"][SIZES["ML-KEM-768"][3] :].startswith(after["public_key"])
    assert seed_of(after["private_key.pem"])[32:] == after["private_key"][-32:]
    assert api.output(made)["metadata"]["uid"] == made["status"]["secretRef"]["uid"], "it is the same Secret"
    note = check_damage_is_told(api, namespace, "pair")
    now = api.get(QKKP, namespace, "pair")["status"]["fingerprint"]
    assert f"{made['status']['fingerprint']} was replaced by {now} (private key)" in note


@pytest.mark.parametrize("kind", KINDS)
def test_damage_is_noticed_in_every_kind(api, operator, namespace, kind):
    life = LIVES[kind]
    api.make(
        thing(QKKP, namespace, "pair"),
        thing(QES, namespace, "sealed", LIVES[QES].spec),
        thing(kind, namespace, "it", life.spec),
    )
    before = api.secret(namespace, "it")
    damaged = data_of(put(api, namespace, "it", {life.main: flip(before[life.main])}))
    after = wait_remade(api, kind, namespace, "it", damaged)
    if kind == QKKP:  # what is public of it is rebuilt
        assert without_metadata(after) == without_metadata(before)
        wait_until("there is an Event", lambda: api.events(namespace, "it", "SecretRepaired"))
        return
    assert (after[life.main] != before[life.main]) == life.fresh
    check_damage_is_told(api, namespace, "it")


def test_remade_secret_carries_through_the_exchange(api, operator, namespace):
    things = exchange(namespace)
    api.make(*things)
    before = api.secret(namespace, "bob")["key"]
    put(api, namespace, "sealed", {"shared_secret": flip(api.secret(namespace, "sealed")["shared_secret"])})

    def agreed():
        alice, bob = (api.secret(namespace, name)["key"] for name in ("alice", "bob"))
        return alice == bob != before

    wait_until("both have the same new key", agreed)
    for one in things:
        api.wait_success(one["kind"], namespace, one["metadata"]["name"])


# Secrets of others


OURS = {"app.kubernetes.io/managed-by": "qubesec"}
FOREIGN = {
    "plain": {},
    "of-another-name": {"labels": OURS, "annotations": {"qubesec.io/owner": f"{QKKP}/other"}},
    "of-another-kind": {"labels": OURS, "annotations": {"qubesec.io/owner": f"{QRN}/it"}},
    "without-our-label": {"annotations": {"qubesec.io/owner": f"{QKKP}/it"}},
}


def donated(api, namespace):
    """What a sound output holds, so that it is not by its content that a Secret is seen to be foreign."""
    api.make(thing(QKKP, namespace, "donor"))
    return api.secret(namespace, "donor")


@pytest.mark.parametrize("metadata", FOREIGN.values(), ids=FOREIGN)
def test_trap_34_foreign_secret_is_never_touched(api, operator, namespace, metadata):
    before = api.create(secret_thing(namespace, "it", donated(api, namespace), **metadata))
    api.create(thing(QKKP, namespace, "it"))
    found = api.wait_status(QKKP, namespace, "it", "Failed", "SecretConflict")
    assert "Secret it" in found["status"]["error"] and "Nothing was touched" in found["status"]["error"]
    api.patch(QKKP, namespace, "it", {"metadata": {"labels": {"look": "again"}}})
    operator.settle()
    assert api.get("Secret", namespace, "it") == before
    api.delete("Secret", namespace, "it")
    api.wait_success(QKKP, namespace, "it")


def test_trap_34_secret_that_another_controls_is_never_touched(api, operator, namespace):
    """Its owner exists, or the garbage collector would take it away."""
    name = {"namespace": namespace, "name": "theirs"}
    owner = api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": name})
    reference = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "theirs",
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    metadata = {"labels": OURS, "annotations": {"qubesec.io/owner": f"{QKKP}/it"}, "ownerReferences": [reference]}
    before = api.create(secret_thing(namespace, "it", donated(api, namespace), **metadata))
    api.create(thing(QKKP, namespace, "it"))
    api.wait_status(QKKP, namespace, "it", "Failed", "SecretConflict")
    operator.settle()
    assert api.get("Secret", namespace, "it") == before


# Secrets that outlive their resource


def test_retained_secret_is_adopted(api, operator, namespace):
    kept = thing(QKKP, namespace, "kept", {"deletionPolicy": "Retain"})
    api.make(kept, thing(QKKP, namespace, "collected"))
    before = api.get("Secret", namespace, "kept")
    assert "ownerReferences" not in before["metadata"]
    api.delete(QKKP, namespace, "kept")
    api.delete(QKKP, namespace, "collected")
    api.wait_gone("Secret", namespace, "collected")
    operator.settle()
    assert api.get("Secret", namespace, "kept") == before
    [again] = api.make(kept)
    after = api.output(again)
    assert data_of(after) == data_of(before)
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["annotations"]["qubesec.io/owner-uid"] == again["metadata"]["uid"]
    assert api.events(namespace, "kept", "SecretDamaged") == []


@pytest.mark.parametrize("kind", KINDS)
def test_orphaned_secret_is_adopted(cluster, api, operator, namespace, kind):
    life = LIVES[kind]
    it = thing(kind, namespace, "it", life.spec)
    api.make(thing(QKKP, namespace, "pair"), thing(QES, namespace, "sealed", LIVES[QES].spec), it)
    before = api.get("Secret", namespace, "it")
    cluster.kubectl("delete", kind, "it", "--namespace", namespace, "--cascade=orphan")
    orphan = api.get("Secret", namespace, "it")
    assert not orphan["metadata"].get("ownerReferences")
    [again] = api.make(it)
    after = api.output(again)
    assert data_of(after) == data_of(before)
    assert [owner["uid"] for owner in after["metadata"]["ownerReferences"]] == [again["metadata"]["uid"]]


def test_restored_secret_is_adopted(cluster, api, operator, namespace):
    """A backup brings Secret and resource back under new UIDs, the Secret first."""
    it = thing(QKKP, namespace, "it")
    [made] = api.make(it)
    before = api.output(made)
    api.delete(QKKP, namespace, "it")
    api.wait_gone("Secret", namespace, "it")
    kept = {key: before["metadata"][key] for key in ("labels", "annotations")}
    api.create(secret_thing(namespace, "it", data_of(before), **kept))
    [again] = api.make(it)
    assert data_of(api.output(again)) == data_of(before)
    assert again["status"]["fingerprint"] == made["status"]["fingerprint"]
