"""What must never be seen while things change under each other: stale combinations, loops, objects that stay stuck."""

import contextlib
import time

import pytest
from api import QDK, QDS, QES, QKKP, QRN, ApiError, config_map_thing, exchange, is_told, secret_thing, thing, wait_until
from crypto import fingerprint, generate

QUIET = 3.0  # seconds in which nothing more may happen


def shown_fingerprint(found):
    return found["status"].get("fingerprint")


@contextlib.contextmanager
def watched(api, kind, namespace, name):
    """Every status that the object has meanwhile."""
    seen = []

    def note(_, found):
        if found["metadata"]["name"] == name and is_told(found):
            seen.append(found["status"])

    end = api.watch(kind, namespace, note)
    try:
        yield seen
    finally:
        end()


def agreed(api, namespace):
    """The shared secret, once both sides have the same and say so: a Secret is written before its status."""
    sealed, opened = (api.secret(namespace, name)["shared_secret"] for name in ("sealed", "opened"))
    shown = {shown_fingerprint(api.get(kind, namespace, name)) for kind, name in ((QES, "sealed"), (QDS, "opened"))}
    return sealed if sealed == opened and shown == {fingerprint(sealed)} else None


def test_a_new_key_pair_is_never_combined_with_an_old_ciphertext(api, operator, namespace):
    api.make(*exchange(namespace))
    for _ in range(3):
        old = api.secret(namespace, "sealed")["shared_secret"]
        with watched(api, QDS, namespace, "opened") as seen:
            api.delete("Secret", namespace, "pair")
            wait_until("the exchange is made anew", lambda old=old: agreed(api, namespace) not in (None, old), 180)
            current = shown_fingerprint(api.wait_success(QDS, namespace, "opened"))
        before = seen[0]["fingerprint"]
        shown = {one["fingerprint"] for one in seen if one["status"] == "Success"}
        assert shown <= {before, current}, "a shared secret that nobody else has was shown as good"


def test_an_output_is_not_its_own_input(api, operator, namespace):
    api.make(thing(QRN, namespace, "numbers"))
    [made] = api.make(thing(QDK, namespace, "loop", {"sharedSecretRef": {"kind": QRN, "name": "numbers"}}))
    own = {"kind": "Secret", "name": "loop", "key": "key"}
    api.patch(QDK, namespace, "loop", {"spec": {"sharedSecretRef": own}})
    failed = api.wait_status(QDK, namespace, "loop", "Failed", "InvalidSpec")
    assert "own output" in failed["status"]["error"]
    for field in ("fingerprint", "secretRef", "inputs", "keyLength"):
        assert failed["status"][field] == made["status"][field], "the key is there still"


def test_a_label_on_the_first_secret_reaches_nobody_else(api, operator, namespace):
    things = exchange(namespace)
    before = {found["metadata"]["name"]: shown_fingerprint(found) for found in api.make(*things)}
    with watched(api, QES, namespace, "sealed") as sealed, watched(api, QDK, namespace, "bob") as bob:
        api.patch(QKKP, namespace, "pair", {"spec": {"secretTemplate": {"labels": {"team": "a"}}}})
        wait_until("the label is there", lambda: api.get("Secret", namespace, "pair")["metadata"]["labels"].get("team"))
        time.sleep(QUIET)
    assert all(one["status"] == "Success" for one in [*sealed, *bob])
    for one in things:
        found = api.wait_success(one["kind"], namespace, one["metadata"]["name"])
        assert shown_fingerprint(found) == before[one["metadata"]["name"]]


def test_a_key_written_differently_is_the_same_key(api, operator, namespace, tmp_path):
    _, pem = generate(tmp_path, "ML-KEM-768")
    api.create(config_map_thing(namespace, "peer", {"key": pem.decode()}))
    reference = {"kind": "ConfigMap", "name": "peer", "key": "key"}
    [before] = api.make(thing(QES, namespace, "sealed", {"publicKeyRef": reference}))
    api.patch("ConfigMap", namespace, "peer", {"data": {"key": f"\n{pem.decode()}\n\n"}})

    def taken_up():
        recorded = api.get(QES, namespace, "sealed")["status"]["inputs"][0]["resourceVersion"]
        return recorded == api.get("ConfigMap", namespace, "peer")["metadata"]["resourceVersion"]

    wait_until("the change is taken up", taken_up)
    assert shown_fingerprint(api.wait_success(QES, namespace, "sealed")) == shown_fingerprint(before)


def test_trap_35_a_replaced_object_gets_a_status_of_its_own(api, operator, namespace):
    for _ in range(10):
        api.create(thing(QKKP, namespace, "pair"))
        api.delete(QKKP, namespace, "pair")
        created = api.create(thing(QKKP, namespace, "pair"))
        found = api.wait_success(QKKP, namespace, "pair")
        owners = api.output(found)["metadata"]["ownerReferences"]
        assert [one["uid"] for one in owners] == [created["metadata"]["uid"]]
        api.delete(QKKP, namespace, "pair")
        api.wait_gone("Secret", namespace, "pair")


def test_objects_wake_although_other_secrets_come_and_go(api, operator, namespace):
    names = [f"taken-{i}" for i in range(20)]
    for name in names:
        api.create(secret_thing(namespace, name, {"theirs": b"x"}))
    for name in names:
        api.create(secret_thing(namespace, f"noise-{name}", {"theirs": b"x"}))
    for name in names:
        api.create(thing(QRN, namespace, name))
        api.delete("Secret", namespace, f"noise-{name}")
    for name in names:
        api.wait_status(QRN, namespace, name, "Failed", "SecretConflict")
    for name in names:
        api.delete("Secret", namespace, name)
    for name in names:
        api.wait_success(QRN, namespace, name)


@pytest.mark.parametrize("name", [".", "..", "a/b", "UPPER"])
def test_a_reference_is_a_name_and_no_path(api, operator, namespace, name):
    reference = {"kind": "Secret", "name": name, "key": "key"}
    with pytest.raises(ApiError, match="sharedSecretRef.name"):
        api.create(thing(QDK, namespace, "derived", {"sharedSecretRef": reference}))
