"""What the operator tells of an object: which reconcile wrote what, and one Event for each thing that happens."""


from api import QKKP, QRN, ready_of, secret_thing, thing, wait_until
from policies import refusing_secrets


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


def counted(api, namespace, name, reason, count):
    """The only Event of that reason, once it has been counted so often."""

    def found():
        [event] = api.events(namespace, name, reason) or [{}]
        return event if event.get("series", {}).get("count", 0) >= count else None

    return wait_until(f"the Event counts to {count}", found)


def pauses(requests):
    """Seconds between the arrivals of requests."""
    times = [one.received for one in requests]
    return [(later - earlier).total_seconds() for earlier, later in zip(times, times[1:], strict=False)]


def test_trap_53_a_refusal_whose_text_varies_keeps_to_its_back_off(cluster, api, operator, namespace):
    """It has numbers that follow from the bytes, which are other ones each time: two texts agree once in 10^8 times."""
    words = "'request'" + "".join(f" + ' ' + string(object.data.random.indexOf('{letter}'))" for letter in "ABCD")
    with refusing_secrets(api, namespace, words):
        mark = cluster.audit.mark()
        api.create(thing(QRN, namespace, "numbers", {"numBytes": 1024}))
        first = api.wait_status(QRN, namespace, "numbers", "Failed", "RequestRefused")
        counted(api, namespace, "numbers", "RequestRefused", 4)
        made = cluster.audit.requests(mark, namespace)
        tries = [one for one in made if str(one) == "create secrets"]
        assert min(pauses(tries)) > 0.5, f"there is a second between them: {pauses(tries)}"
        assert [str(one) for one in made].count("patch quantumrandomnumbers/status") == 1
        assert api.get(QRN, namespace, "numbers")["status"] == first["status"]
        said = {line["detail"] for line in lines_about(operator, namespace, "RequestRefused")}
        assert len(said) >= 4, "the text does vary"
    api.wait_success(QRN, namespace, "numbers")


def test_a_policy_that_quotes_the_secret_tells_no_key(api, operator, namespace):
    quoting = "'value ' + object.data.random + ' is weak'"
    with refusing_secrets(api, namespace, quoting):
        api.create(thing(QRN, namespace, "numbers"))
        found = api.wait_status(QRN, namespace, "numbers", "Failed", "RequestRefused")
        [event] = wait_until("the Event is there", lambda: api.events(namespace, "numbers", "RequestRefused"))
        logged = [line["detail"] for line in lines_about(operator, namespace, "RequestRefused")]
    for told in (found["status"]["error"], ready_of(found)["message"], event["note"], *logged):
        assert "denied request: value [removed] is weak (HTTP status 422)" in told
