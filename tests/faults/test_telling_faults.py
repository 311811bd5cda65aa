"""What the operator tells, and how often it tries, when what it does comes back to it, or comes to nothing."""

import base64
import contextlib
import json
import threading
import time

import pytest
from api import QKKP, QRN, ApiError, is_told, ready_of, reason_of, thing, version_of, wait_until
from faultproxy import Delay, Inject, Rule
from watching import status

SECRETS = "/secrets"
STATUS = f"/{QRN.lower()}s/numbers/status"
FAILING = "could not finish, trying again"


def pauses(requests):
    return [later.when - earlier.when for earlier, later in zip(requests, requests[1:], strict=False)]


@pytest.mark.parametrize("late", [False, True], ids=["answer first", "watch first"])
def test_trap_53_an_own_status_wakes_nobody_but_those_who_wait_for_it(
    api, operators, proxy, through, namespace, late
):
    """Each refusal says something else, so that each is written into the status; which comes back twice."""
    if late:
        proxy.add(Rule(Delay(0.3, answer=True), path=STATUS))
    else:
        proxy.add(Rule(Delay(0.3, answer=True), path=f"/{QRN.lower()}s", watch=True))
    for word in ("alpha", "beta", "gamma", "delta"):
        refusal = status(403, "Forbidden", f"this is refused by {word}")
        proxy.add(Rule(Inject(403, refusal), method="POST", path=SECRETS, times=1))
    operator = operators.start(kubeconfig=through).wait_ready()
    api.create(thing(QRN, namespace, "numbers"))
    api.wait_success(QRN, namespace, "numbers")
    operator.settle()
    tries = proxy.of(SECRETS, method="POST")
    assert [one.status for one in tries] == [403] * 4 + [201]
    assert min(pauses(tries)) > 0.5, f"there is a second between them: {pauses(tries)}"
    assert [one.status for one in proxy.of(STATUS)] == [200] * 5
    assert len(api.events(namespace, "numbers", "RequestRefused")) == 4


def test_trap_53_what_others_write_right_after_an_own_write_is_seen(api, operators, proxy, through, namespace):
    """The answer to the status is late: all that happens before it comes is heard while the object is in hand."""
    late = proxy.add(Rule(Delay(2, answer=True), path=STATUS, times=1))
    operator = operators.start(kubeconfig=through).wait_ready()
    api.create(thing(QRN, namespace, "numbers"))
    wait_until("the status is written", lambda: late.hits and is_told(api.get(QRN, namespace, "numbers")))
    api.patch(QRN, namespace, "numbers", {"spec": {"secretTemplate": {"labels": {"tier": "gold"}}}})
    api.patch(QRN, namespace, "numbers", {"status": None}, "status")
    wait_until(
        "the label is there",
        lambda: api.get("Secret", namespace, "numbers")["metadata"]["labels"].get("tier") == "gold",
    )
    api.wait_success(QRN, namespace, "numbers")
    operator.settle()


def test_trap_53_a_secret_that_is_changed_right_after_it_was_written_is_seen(api, operators, proxy, through, namespace):
    late = proxy.add(Rule(Delay(2, answer=True), method="POST", path=SECRETS, times=1))
    operator = operators.start(kubeconfig=through).wait_ready()
    api.create(thing(QRN, namespace, "numbers"))
    wait_until("the Secret is written", lambda: late.hits and api.find("Secret", namespace, "numbers"))
    api.patch("Secret", namespace, "numbers", {"data": {"random": "AAAA"}})
    wait_until("it is made anew", lambda: len(api.secret(namespace, "numbers")["random"]) == 32)
    found = api.wait_success(QRN, namespace, "numbers")
    operator.settle()
    found = api.get(QRN, namespace, "numbers")
    assert found["status"]["secretRef"]["resourceVersion"] == version_of(api.get("Secret", namespace, "numbers"))


# ---- failures that last


def advance(clock, operator, seconds):
    """Lets the time pass, also for keys that wait to be tried again."""
    clock.advance(operator, seconds)
    operator.metrics()  # which looks at what is due


def test_a_finished_object_is_not_hidden_by_an_outage(api, operators, proxy, through, clock, namespace):
    """Its Secret was touched, and cannot be looked at: nothing is known against it. After a minute an Event tells."""
    operator = operators.start(kubeconfig=through, environment=clock.environment).wait_ready()
    before = api.make(thing(QRN, namespace, "numbers"))[0]["status"]
    operator.settle()
    sick = proxy.add(Rule(Inject(500, status(500, "InternalError", "not today")), method="GET", path="/secrets/numbers"))
    api.patch("Secret", namespace, "numbers", {"metadata": {"annotations": {"touched": "yes"}}})
    wait_until("it is tried again and again", lambda: sick.hits >= 10)
    assert api.get(QRN, namespace, "numbers")["status"] == before
    assert api.events(namespace, "numbers", "Retrying") == []
    advance(clock, operator, 61)
    [event] = wait_until("an Event tells it", lambda: api.events(namespace, "numbers", "Retrying"))
    assert event["type"] == "Warning" and "not today (HTTP status 500)" in event["note"]
    for _ in range(2):
        hits = sick.hits
        advance(clock, operator, 30)
        wait_until("it is tried again", lambda hits=hits: operator.metrics() and sick.hits > hits)
    assert api.get(QRN, namespace, "numbers")["status"] == before
    [event] = api.events(namespace, "numbers", "Retrying")
    assert "series" not in event, "it is told once"
    proxy.remove(sick)
    version = version_of(api.get("Secret", namespace, "numbers"))
    advance(clock, operator, 61)
    wait_until("it is looked at", lambda: operator.metrics() and seen_version(api, namespace) == version)


def seen_version(api, namespace):
    return api.get(QRN, namespace, "numbers")["status"]["secretRef"]["resourceVersion"]


def test_what_is_known_to_be_outdated_is_told(api, operators, proxy, through, namespace):
    """The Secret is lost, and a new one cannot be made."""
    operators.start(kubeconfig=through).wait_ready()
    api.make(thing(QRN, namespace, "numbers"))
    sick = proxy.add(Rule(Inject(500, status(500, "InternalError", "not today")), method="POST", path=SECRETS))
    api.delete("Secret", namespace, "numbers")
    found = api.wait_status(QRN, namespace, "numbers", "Pending", "Retrying")
    assert "not today (HTTP status 500)" in ready_of(found)["message"]
    proxy.remove(sick)
    api.wait_success(QRN, namespace, "numbers")


# ---- a fight over labels


@contextlib.contextmanager
def fighting(api, namespace, name, label):
    """Somebody removes the label of that Secret as soon as it is there; gives how often so far, in a list."""
    removed = []
    ended = threading.Event()

    def fight():
        while not ended.wait(0.02):
            with contextlib.suppress(ApiError):
                if label in api.get("Secret", namespace, name)["metadata"].get("labels", {}):
                    api.patch("Secret", namespace, name, {"metadata": {"labels": {label: None}}})
                    removed.append(name)

    thread = threading.Thread(target=fight)
    thread.start()
    try:
        yield removed
    finally:
        ended.set()
        thread.join()


def test_a_fight_over_labels_slows_down_and_is_told(api, operators, proxy, through, clock, namespace):
    operator = operators.start(kubeconfig=through, environment=clock.environment).wait_ready()
    label = {"secretTemplate": {"labels": {"tier": "gold"}}}
    pair, numbers = api.make(thing(QKKP, namespace, "pair", label), thing(QRN, namespace, "numbers", label))
    with fighting(api, namespace, "numbers", "tier") as removed:
        found = api.wait_status(QRN, namespace, "numbers", "Success", "MetadataContested")
        assert ready_of(found)["status"] == "True" and "labels" in ready_of(found)["message"]
        [event] = wait_until("the Event is there", lambda: api.events(namespace, "numbers", "MetadataContested"))
        assert event["type"] == "Warning"
        wait_until("it goes on", lambda: len(removed) >= 4)
        written = proxy.of("/secrets/numbers", method="PATCH")
        assert all(later > earlier for earlier, later in zip(pauses(written), pauses(written)[1:], strict=False))
        assert found["status"]["fingerprint"] == numbers["status"]["fingerprint"]
    wait_until("the label stays", lambda: "tier" in api.get("Secret", namespace, "numbers")["metadata"]["labels"])
    operator.settle()
    advance(clock, operator, 3600)
    wait_until(
        "there is peace",
        lambda: operator.metrics() and reason_of(api.get(QRN, namespace, "numbers")) == "Succeeded",
    )
    assert api.get(QKKP, namespace, "pair")["status"] == pair["status"]


def test_edits_of_the_template_are_no_fight(api, operators, namespace):
    operators.default()
    api.make(thing(QRN, namespace, "numbers"))
    for number in range(4):
        api.patch(QRN, namespace, "numbers", {"spec": {"secretTemplate": {"labels": {"number": f"n{number}"}}}})
        wait_until(
            "the label is there",
            lambda number=number: api.get("Secret", namespace, "numbers")["metadata"]["labels"].get("number")
            == f"n{number}",
        )
        found = api.wait_success(QRN, namespace, "numbers")
        assert ready_of(found)["reason"] == "Succeeded"
    assert api.events(namespace, "numbers", "MetadataContested") == []


# ---- what comes to nothing is no remake


def test_a_repair_that_is_refused_is_told_as_that(api, operators, proxy, through, namespace):
    """Nobody has damaged the Secret a second time: it is a webhook that is away."""
    operator = operators.start(kubeconfig=through).wait_ready()
    api.make(thing(QRN, namespace, "numbers"))
    operator.settle()
    away = proxy.add(Rule(Inject(500, status(500, "InternalError", "the webhook is away")), method="PATCH", path=SECRETS))
    api.patch("Secret", namespace, "numbers", {"data": {"random": "AAAA"}})
    found = api.wait_status(QRN, namespace, "numbers", "Pending", "Retrying")
    assert "the webhook is away" in ready_of(found)["message"]
    assert away.hits >= 3
    for reason in ("SecretDamaged", "KeyReplaced"):
        assert api.events(namespace, "numbers", reason) == []
    proxy.remove(away)
    api.wait_success(QRN, namespace, "numbers")
    assert api.wait_event(namespace, "numbers", "SecretDamaged")["type"] == "Warning"


def test_a_create_that_is_refused_as_a_conflict_keeps_its_words(api, operators, proxy, through, namespace):
    refused = status(409, "Conflict", "policy x denies it")
    proxy.add(Rule(Inject(409, refused), method="POST", path=SECRETS))
    operators.start(kubeconfig=through).wait_ready()
    api.create(thing(QRN, namespace, "numbers"))
    found = api.wait_status(QRN, namespace, "numbers", "Pending", "Retrying")
    assert "policy x denies it" in ready_of(found)["message"]


def test_a_loss_is_told_once_although_the_status_is_refused(api, operators, proxy, through, namespace):
    operator = operators.start(kubeconfig=through).wait_ready()
    api.make(thing(QRN, namespace, "numbers"))
    operator.settle()
    refused = proxy.add(Rule(Inject(403, status(403, "Forbidden", "no status")), path=STATUS, times=6))
    api.delete("Secret", namespace, "numbers")
    wait_until("the status was refused again and again", lambda: refused.hits == 6)
    api.wait_success(QRN, namespace, "numbers")
    operator.settle()
    told = [*api.events(namespace, "numbers", "SecretLost"), *api.events(namespace, "numbers", "KeyReplaced")]
    assert len(told) == 1 and not told[0].get("series")


@pytest.mark.parametrize("what", ["deletes", "rewrites"])
def test_a_fight_over_a_whole_secret_slows_down(api, operators, proxy, through, namespace, what):
    """Somebody deletes it, or puts its metadata back in the form of version 0.1.0, whenever it is there."""
    operator = operators.start(kubeconfig=through).wait_ready()
    api.make(thing(QRN, namespace, "numbers"))
    operator.settle()
    method = "POST" if what == "deletes" else "PATCH"
    before = len(proxy.of(SECRETS, method=method))

    def fight():
        secret = api.find("Secret", namespace, "numbers")
        if secret is None:
            return
        if what == "deletes":
            api.delete("Secret", namespace, "numbers")
            return
        said = json.loads(base64.b64decode(secret["data"]["metadata"]))
        if said.pop("digests", None):
            said["fingerprints"] = {}
            brief = base64.b64encode(json.dumps(said).encode()).decode()
            api.patch("Secret", namespace, "numbers", {"data": {"metadata": brief}})

    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        fight()
        time.sleep(0.02)
    tries = len(proxy.of(SECRETS, method=method)) - before
    assert 1 <= tries <= 4, tries  # at once, and then each time after twice as long: 2 s, 4 s
