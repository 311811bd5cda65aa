"""What the operator tells of an object: which reconcile wrote what, and one Event for each thing that happens."""

from api import QKKP, QRN, secret_thing, thing, wait_until
from test_consistency import refusing_secrets


def lines_about(operator, namespace, message):
    """Some lines come after what they tell of was written."""

    def found():
        return [line for line in operator.said(message) if line.get("namespace") == namespace]

    return wait_until(f"the log says {message}", found)


def test_a_reconcile_is_found_in_log_event_and_status(api, operator, namespace):
    api.create(secret_thing(namespace, "pair", {"foreign": b"bytes"}))
    api.create(thing(QKKP, namespace, "pair"))
    identity = api.wait_status(QKKP, namespace, "pair", "Failed", "SecretConflict")["status"]["reconcileID"]
    line, *_ = lines_about(operator, namespace, "SecretConflict")
    [event] = wait_until("the Event is there", lambda: api.events(namespace, "pair", "SecretConflict"))
    assert line["reconcileID"] == identity
    assert event["metadata"]["annotations"]["qubesec.io/reconcile-id"] == identity

    api.delete("Secret", namespace, "pair")
    served = api.wait_success(QKKP, namespace, "pair")["status"]["reconcileID"]
    line, *_ = lines_about(operator, namespace, "Succeeded")
    [event] = wait_until("the Event is there", lambda: api.events(namespace, "pair", "Succeeded"))
    assert served != identity
    assert line["reconcileID"] == event["metadata"]["annotations"]["qubesec.io/reconcile-id"] == served


def test_another_process_has_other_ids(api, operators, namespace):
    operators.start().wait_ready()
    first = api.make(thing(QRN, namespace, "one"))[0]["status"]["reconcileID"]
    operators.start().wait_ready()
    second = api.make(thing(QRN, namespace, "two"))[0]["status"]["reconcileID"]
    assert abs(int(first, 16) - int(second, 16)) > 1 << 32  # but for one time in 2^31


def test_trap_30_a_failure_that_lasts_is_one_event_and_one_status(cluster, api, operator, namespace):
    with refusing_secrets(api, namespace):
        mark = cluster.audit.mark()
        api.create(thing(QRN, namespace, "numbers"))
        first = api.wait_status(QRN, namespace, "numbers", "Failed", "RequestRefused")

        def count():
            [event] = api.events(namespace, "numbers", "RequestRefused")
            return event if event.get("series", {}).get("count", 0) >= 4 else None

        event = wait_until("the Event counts the retries", count)
        patches = [one for one in cluster.audit.requests(mark, namespace) if one.resource == "quantumrandomnumbers/status"]
        assert len(patches) == 1, "trying again is no reason to write the status"
        assert api.get(QRN, namespace, "numbers")["status"] == first["status"]
        assert event["metadata"]["annotations"]["qubesec.io/reconcile-id"] == first["status"]["reconcileID"]
        tries = lines_about(operator, namespace, "RequestRefused")
        assert len({line["reconcileID"] for line in tries}) == len(tries) >= 4
    api.wait_success(QRN, namespace, "numbers")

    def told():
        return sorted(one["reason"] for one in api.list("Event", namespace) if one["regarding"]["name"] == "numbers")

    wait_until(told, lambda: told() == ["RequestRefused", "Succeeded"])
