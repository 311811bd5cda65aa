"""The debug pages: there when they are asked for, and telling what the operator does."""

import json

import pytest
from api import KINDS, QDK, QRN, QSKP, SIGNATURE_KINDS, exchange, thing, wait_until
from leaks import Search, secrets_in
from policies import refusing_secrets

PAGES = ("/debug/state", "/debug/queue")


def page(operator, path):
    status, text = operator.answer(path)
    assert status == 200
    return json.loads(text)


@pytest.mark.parametrize("path", PAGES)
def test_off_unless_asked_for(operator, path):
    status, text = operator.answer(path)
    assert status == 404 and text == operator.answer("/other")[1]


def test_on_they_tell_what_it_does(api, operators, namespace):
    operator = operators.start("--debug-endpoints", "--workers", "3").wait_ready()
    api.make(*exchange(namespace))

    def idle():
        found = page(operator, "/debug/state")
        return found if (found["queueDepth"], found["running"]) == (0, []) else None

    state = wait_until("it has nothing to do, while other tests' certificates are renewed now and then", idle)
    assert (state["leader"], state["logLevel"], state["workers"]) == (True, "debug", 3)
    assert state["version"] and 0 <= state["uptimeSeconds"] < 3600
    watches = {one.pop("resource"): one for one in state["watches"]}
    assert watches.keys() == {*(f"{kind.lower()}s" for kind in (*KINDS, *SIGNATURE_KINDS)), "secrets", "configmaps"}
    assert all(one["synced"] and 0 <= one["silenceMilliseconds"] < 300000 for one in watches.values())
    assert watches["quantumderivedkeys"]["objects"] == len(api.list(QDK))
    assert operator.answer("/debug")[0] == operator.answer("/debug/other")[0] == 404

    with refusing_secrets(api, namespace):
        api.create(thing(QRN, namespace, "numbers"))
        api.wait_status(QRN, namespace, "numbers", "Failed")

        def backing_off():
            waiting = {one["key"]: one for one in page(operator, "/debug/queue")["waiting"]}
            return waiting.get(f"quantumrandomnumbers/{namespace}/numbers")

        found = wait_until("it waits for its next try", backing_off)
        assert found["lane"] == "fast" and found["failures"] >= 1
        assert "waitingSeconds" in found or 0 <= found["backoffSeconds"] <= 1000
    api.wait_success(QRN, namespace, "numbers")


def test_they_show_work_under_way_and_lanes(api, operators, namespace):
    """One worker does slow work at a time: one object is worked on, and others wait for it."""
    operator = operators.start("--debug-endpoints", "--workers", "2").wait_ready()
    seen, made = set(), []

    def all_seen():
        made.append(f"pair-{len(made)}")
        api.create(thing(QSKP, namespace, made[-1], {"algorithm": "SLH-DSA-SHAKE-256s"}))
        keys = {one["key"] for one in page(operator, "/debug/state")["running"]}
        seen.update("running" for key in keys if namespace in key)
        seen.update(one["lane"] for one in page(operator, "/debug/queue")["waiting"] if namespace in one["key"])
        return seen >= {"running", "slow"}

    wait_until(lambda: f"work and lanes are seen: {seen}", all_seen)


def test_they_hold_nothing_secret(api, operators, namespace):
    operator = operators.start("--debug-endpoints").wait_ready()
    api.make(*exchange(namespace))
    search = Search(secrets_in(api, namespace))
    assert all(search.find(operator.answer(path)[1].encode()) == [] for path in PAGES)
