"""Keys are rotated, and nobody is cut off: both sides of an exchange read each other at any time, and what a retired key has
signed stays valid as long as the key is kept. No version is kept longer than that."""

import itertools
import threading
import time

import pytest
from api import QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, exchange, secret_thing, thing, wait_until
from clock import shifted
from programs import DELAY, History, misunderstood, numbers_of, talking
from test_certificates import seconds
from test_signatures import MESSAGE, signing, verify, verifying

ROTATE = "qubesec.io/rotate"
AHEAD = 10  # seconds from the publication of a key to its use
PAIR = ("private_key", "private_key.pem", "public_key", "public_key.pem")


def rotate(api, kind, namespace, name, text):
    api.patch(kind, namespace, name, {"metadata": {"annotations": {ROTATE: text}}})


def wait_version(api, kind, namespace, name, number):
    """The object, once that version is in use."""
    last = {}

    def probe():
        last.update(api.get(kind, namespace, name))
        return last if last["status"].get("version") == number and last["status"]["status"] == "Success" else None

    return wait_until(lambda: f"{kind} {name} has version {number}: {last.get('status')}", probe)


def wait_retired(api, namespace, name, number, entry="key"):
    """What the Secret holds once that version is a former one."""
    return wait_until(
        f"{name} has {entry}.{number}",
        lambda: (data := api.secret(namespace, name)) and f"{entry}.{number}" in data and data,
    )


# ---- an exchange


@pytest.fixture
def load(api, namespace):
    """Somebody makes key pairs and removes them all the time."""
    stopped = threading.Event()

    def work():
        for number in itertools.count():
            api.create(thing(QKKP, namespace, f"load-{number}"))
            if number >= 10:
                api.delete(QKKP, namespace, f"load-{number - 10}")
            if stopped.wait(0.2):
                return

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    yield
    stopped.set()
    worker.join()


@pytest.fixture
def rotated(api, operators, namespace):
    """Both sides of an exchange; rotations are at least as far from each other as programs need."""
    pair, sealed, opened, alice, bob = exchange(namespace)
    pair["spec"]["rotation"] = {"keepFor": f"{AHEAD + 5}s"}
    sealed["spec"]["rotation"] = {"every": "10m", "publishAhead": f"{AHEAD}s", "keepFor": "5s"}
    operators.default()
    yield api.make(pair, sealed, opened, alice, bob)
    for kind, name in ((QDK, "alice"), (QDK, "bob"), (QDS, "opened"), (QES, "sealed"), (QKKP, "pair")):
        api.delete(kind, namespace, name)  # by the clock of the operators after this one it is in the future


def rotate_by_the_clock(api, operators, namespace):
    """By an operator whose clock is shortly before the time."""
    at = seconds(api.get(QES, namespace, "sealed")["status"]["nextRotationTime"])
    operators.stop()
    operators.start(environment=shifted(operators, SHIFTED_CLOCK_SECONDS=str(int(at - time.time()) - AHEAD - 5))).wait_ready()


def test_both_sides_read_each_other_at_any_time(api, operators, rotated, namespace, load):
    """Rotated five times on request, of either the shared secret or the key pair, and once by its schedule."""
    histories = [History(api, namespace, name) for name in ("alice", "bob")]
    keys = [api.secret(namespace, "alice")["key"]]
    with talking(api, namespace, "alice", "bob") as programs:
        for number in range(1, 7):
            if number == 6:
                rotate_by_the_clock(api, operators, namespace)
            else:
                kind, name = (QES, "sealed") if number % 2 else (QKKP, "pair")
                rotate(api, kind, namespace, name, f"request {number}")
            sides = [wait_retired(api, namespace, name, number) for name in ("alice", "bob")]
            wait_version(api, QES, namespace, "sealed", number + 1)
            assert sides[0].keys() == sides[1].keys() == {"key", f"key.{number}", "metadata"}, "no version stays any longer"
            assert [side[f"key.{number}"] for side in sides] == [keys[-1]] * 2
            assert sides[0]["key"] == sides[1]["key"] and sides[0]["key"] not in keys
            keys.append(sides[0]["key"])
        time.sleep(DELAY)  # what is written with the last keys is read too
    for history in histories:
        history.end()
    assert api.get(QES, namespace, "sealed")["status"]["lastRotateRequest"] == "request 5"
    assert api.get(QKKP, namespace, "pair")["status"]["version"] == 3
    pauses = [pause for program in programs for pause in program.pauses]  # of the machine; then the programs say nothing
    for program in programs:
        assert not program.failures or pauses, f"{program.name} has met a message that it cannot read: {program.failures}"
        assert len(program.places) > 100
    for writer, reader in (histories, reversed(histories)):
        failures, places = misunderstood(writer, reader)
        assert not failures or pauses, f"{reader.name} cannot always read {writer.name}: {failures}"
        former = {f"key.{number}" for number in range(1, 7)}
        assert places >= {"key", ".key.next"} and places & former, "a program needs no more than the present key"


# ---- signatures


def test_what_a_kept_version_has_signed_is_valid(api, operator, namespace, tmp_path, load):
    """By the operator and by openssl, with the PEMs in the Secret; what an expired one has signed is not."""
    keep, published = 2, {}
    api.create(secret_thing(namespace, "message", {"message": MESSAGE}))
    rotation = {"keep": keep, "publishAhead": "2s"}
    api.make(thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44", "rotation": rotation}), signing(namespace))
    history = History(api, namespace, "signer")
    for number in range(1, 7):
        if number > 1:
            rotate(api, QSKP, namespace, "signer", str(number))
        wait_version(api, QSKP, namespace, "signer", number)
        signed = wait_until(
            f"it is signed with version {number}",
            lambda: (one := api.wait_success(QSM, namespace, "signed")) and one["status"].get("keyVersion") == number and one,
        )
        signature = api.secret(namespace, "signed-signature")["signature"]
        api.create(secret_thing(namespace, f"from-{number}", {"signature": signature}))
        api.create(verifying(namespace, f"by-{number}", signatureRef={"kind": "Secret", "name": f"from-{number}"}))
        made = wait_until("it is at rest", lambda: (data := api.secret(namespace, "signer")) and "public_key.next" not in data and data)
        published[number] = made["public_key.pem"]
        kept = range(max(1, number - keep), number)
        assert numbers_of(made, "public_key") == [*reversed(kept)]
        assert made.keys() == {"metadata", "public_keys.jwks", *PAIR, *(f"{entry}.{one}" for entry in PAIR for one in kept)}
        for one in range(1, number + 1):
            is_kept = one >= number - keep
            wait_judged(api, namespace, f"by-{one}", "Valid" if is_kept else "Invalid", one if is_kept else None)
            if is_kept:
                pem = made["public_key.pem" if one == number else f"public_key.pem.{one}"]
                verify(tmp_path, pem, MESSAGE, api.secret(namespace, f"from-{one}")["signature"])
        assert signed["status"]["algorithm"] == "ML-DSA-44"
    history.end()
    coming = {data["public_key.pem.next"] for _, data in history.states if "public_key.pem.next" in data}
    assert coming == {published[number] for number in range(2, 7)}, "each was published before, as it was used"


def wait_judged(api, namespace, name, status, version):
    last = {}

    def probe():
        last.update(api.get(QVS, namespace, name).get("status", {}))
        return last.get("status") == status and (version is None or last.get("keyVersion") == version)

    wait_until(lambda: f"{name} is {status} by version {version}: {last}", probe)


# ---- what is kept


def test_no_version_is_kept_longer_than_asked_for(api, operator, namespace):
    """Of random numbers, five rotations later, and when fewer are asked for."""
    api.make(thing(QRN, namespace, "numbers", {"numBytes": 32, "rotation": {"keep": 3}}))
    values = {1: api.secret(namespace, "numbers")["random"]}
    for number in range(2, 7):
        rotate(api, QRN, namespace, "numbers", str(number))
        wait_version(api, QRN, namespace, "numbers", number)
        values[number] = api.secret(namespace, "numbers")["random"]
    assert len(set(values.values())) == 6

    def content(kept):
        former = {f"random.{number}": values[number] for number in kept}
        return {"random": values[6], **former}

    def found():
        return {name: value for name, value in api.secret(namespace, "numbers").items() if name != "metadata"}

    assert found() == content([3, 4, 5])
    status = api.get(QRN, namespace, "numbers")["status"]
    assert [(one["version"], one["state"]) for one in status["versions"]] == [
        (6, "Active"), (5, "Retired"), (4, "Retired"), (3, "Retired"),
    ]  # fmt: skip
    gone = wait_until("it is told", lambda: len(found := api.events(namespace, "numbers", "VersionExpired")) == 2 and found)
    assert all(one["type"] == "Normal" for one in gone)
    api.patch(QRN, namespace, "numbers", {"spec": {"rotation": {"keep": 1}}})
    wait_until(lambda: f"only the last one stays: {sorted(found())}", lambda: found() == content([5]))


def test_a_request_is_served_once(api, operators, namespace):
    """Whether it is set again, or another operator comes."""
    operators.default()
    [before] = api.make(thing(QKKP, namespace, "pair"))
    first = api.secret(namespace, "pair")
    rotate(api, QKKP, namespace, "pair", "once")
    after = wait_version(api, QKKP, namespace, "pair", 2)
    rotate(api, QKKP, namespace, "pair", "once")
    operators.stop()
    operators.default().settle()
    assert api.get(QKKP, namespace, "pair") == after
    made = api.secret(namespace, "pair")
    assert {name: made[f"{name}.1"] for name in PAIR} == {name: first[name] for name in PAIR}
    event = api.wait_event(namespace, "pair", "Rotated")
    was, now = before["status"]["fingerprint"], after["status"]["fingerprint"]
    assert event["type"] == "Normal" and was in event["note"] and now in event["note"]
