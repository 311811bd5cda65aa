"""Certificates are renewed in time, once, whatever the clock does."""

import datetime
import time

import pytest
from api import QC, wait_until
from clock import shifted
from test_certificates import certificate, secret, seconds, serial, verify, wait_reissued


def soon(namespace, name="soon", **spec):
    """Ten minutes long, of which one is in the past, and renewed a few seconds after it was issued."""
    return certificate(namespace, name, **{"domain": "a.example", "duration": "10m", "renewBefore": "9m56s", **spec})


def test_renewal_on_time_with_the_key_kept(api, operator, namespace, tmp_path):
    [before] = api.make(soon(namespace))
    key = secret(api, namespace, "soon")["tls.key"]
    status = before["status"]
    assert seconds(status["notAfter"]) - seconds(status["notBefore"]) == 600
    assert seconds(status["notAfter"]) - seconds(status["renewalTime"]) == 9 * 60 * 99 // 100
    after = wait_reissued(api, namespace, "soon", serial(before))
    # Not before its time; nor much later, or it would not be waited for: without the timer it would be an hour.
    assert seconds(after["status"]["notBefore"]) + 60 >= seconds(status["renewalTime"])
    content = secret(api, namespace, "soon")
    assert content["tls.key"] == key
    verify(tmp_path, content, "sslserver")
    event = wait_until("an Event says so", lambda: api.events(namespace, "soon", "Renewed"))[0]
    was, now = status["fingerprint"], after["status"]["fingerprint"]
    assert (event["type"], event["note"]) == ("Normal", f"Secret soon-secret: it was due for renewal; {was} was replaced by {now}")
    assert after["status"]["secretRef"]["uid"] == status["secretRef"]["uid"]


def test_renewal_with_a_new_key(api, operator, namespace):
    [before] = api.make(soon(namespace, privateKey={"rotationPolicy": "Always"}))
    key = secret(api, namespace, "soon")["tls.key"]
    after = wait_reissued(api, namespace, "soon", serial(before))
    assert secret(api, namespace, "soon")["tls.key"] != key
    event = wait_until("an Event says so", lambda: api.events(namespace, "soon", "Renewed"))[0]
    assert f"{before['status']['fingerprint']} was replaced by {after['status']['fingerprint']} (private key)" in event["note"]
    assert event["type"] == "Normal" and api.events(namespace, "soon", "KeyReplaced") == [], "the spec wants it so"


def test_renewals_that_come_too_often_slow_down(api, operator, namespace):
    """The second and the third come at least two and four seconds after the one before, however slow a machine is."""
    begin = time.monotonic()
    [found] = api.make(soon(namespace, duration="1m", renewBefore="59s"))
    for _ in range(3):
        found = wait_reissued(api, namespace, "soon", serial(found))
    assert time.monotonic() - begin >= 2 + 4, "three renewals came at once"


def test_a_renewed_ca_renews_what_is_below(api, operator, namespace, tmp_path):
    root, leaf = api.make(
        certificate(namespace, "root", "ca", commonName="Root", duration="10m", renewBefore="9m55s"),
        certificate(namespace, "leaf", "server", "root", domain="a.example", duration="5m"),
    )
    wait_reissued(api, namespace, "root", serial(root))
    wait_reissued(api, namespace, "leaf", serial(leaf))
    wait_until("the chain is whole", lambda: secret(api, namespace, "leaf")["ca.crt"] == secret(api, namespace, "root")["cert.pem"])
    verify(tmp_path, secret(api, namespace, "leaf"), "sslserver")


# ---- clocks


@pytest.fixture
def at(operators):
    """Starts the operator with a wall clock that is off by so many days (shifted_clock.c)."""
    def start(days):
        operators.stop()
        environment = shifted(operators, SHIFTED_CLOCK_SECONDS=str(int(days * 86400)))
        return operators.start(environment=environment).wait_ready()

    yield start
    operators.stop()


def later(days):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days)).timestamp()


def test_after_a_long_stop_each_is_renewed_once(api, operators, at, namespace):
    """Those that have ended at once; those that are overdue one after the other."""
    operators.default()
    ended = [certificate(namespace, f"ended-{number}", domain="a.example", durationDays=20) for number in range(10)]
    overdue = [certificate(namespace, f"overdue-{number}", domain="a.example", durationDays=33) for number in range(30)]
    fresh = [certificate(namespace, "fresh", domain="a.example", durationDays=365)]
    before = {one["metadata"]["name"]: one for one in api.make(*ended, *overdue, *fresh)}
    begin = int(later(30))  # certificates have whole seconds
    operator = at(30)
    for one in ended:
        found = wait_reissued(api, namespace, one["metadata"]["name"], serial(before[one["metadata"]["name"]]))
        assert begin <= seconds(found["status"]["notBefore"]) + 60 <= later(30)
    renewed = {name: serial(api.get(QC, namespace, name)) for name in before if name.startswith("ended")}
    operator.settle()
    changed = [one for one in overdue if serial(api.get(QC, namespace, one["metadata"]["name"])) != serial(before[one["metadata"]["name"]])]
    assert len(changed) < len(overdue) / 2, "all that was overdue was renewed at once"
    assert serial(api.get(QC, namespace, "fresh")) == serial(before["fresh"])
    assert renewed == {name: serial(api.get(QC, namespace, name)) for name in renewed}, "renewed twice"
    assert not [name for name in before if api.events(namespace, name, "SecretDamaged")], "old is not damaged"
    assert all(one["status"]["status"] == "Success" for one in (api.get(QC, namespace, name) for name in before))


def test_a_clock_that_goes_back_changes_nothing(api, operators, at, namespace):
    operators.default()
    [before] = api.make(certificate(namespace, "one", domain="a.example", durationDays=30))
    at(-400).settle()
    after = api.get(QC, namespace, "one")
    assert serial(after) == serial(before) and after["status"]["status"] == "Success"


def test_what_was_issued_while_the_clock_was_ahead_is_issued_again(api, operators, at, namespace, tmp_path):
    at(40)
    things = (
        certificate(namespace, "root", "ca", commonName="Root"),
        certificate(namespace, "leaf", "server", "root", domain="a.example", durationDays=30),
        certificate(namespace, "cut", "server", "root", domain="a.example", durationDays=500),
    )
    before = {one["metadata"]["name"]: one for one in api.make(*things)}
    keys = {name: secret(api, namespace, name)["tls.key"] for name in before}
    assert all(seconds(one["status"]["notBefore"]) > later(39) for one in before.values())
    operators.stop()
    operators.default()
    for name, old in before.items():
        found = wait_until(
            f"{name} is valid", lambda name=name: (one := api.get(QC, namespace, name)) and seconds(one["status"]["notBefore"]) < later(0) and one
        )
        assert serial(found) != serial(old) and secret(api, namespace, name)["tls.key"] == keys[name]
    wait_until("the chain is whole", lambda: secret(api, namespace, "leaf")["ca.crt"] == secret(api, namespace, "root")["cert.pem"])
    verify(tmp_path, secret(api, namespace, "leaf"), "sslserver")
    assert not [name for name in before if api.events(namespace, name, "SecretDamaged")]


def test_a_ca_that_is_not_valid_yet_is_looked_at_again_when_it_is(api, operators, at, namespace):
    """It is not issued again itself, since its spec is bad."""
    at(85 / 86400)
    [root] = api.make(certificate(namespace, "root", "ca", commonName="Root"))
    begin = seconds(root["status"]["notBefore"])
    api.patch(QC, namespace, "root", {"spec": {"subjectAltNames": ["a_b.example"]}})
    api.wait_status(QC, namespace, "root", "Failed", "InvalidSpec")
    operators.stop()
    operators.default()
    api.create(certificate(namespace, "leaf", "server", "root", domain="a.example"))
    found = api.wait_status(QC, namespace, "leaf", "Pending", "WaitingForInput")
    assert "is not valid before" in found["status"]["conditions"][0]["message"]
    leaf = api.wait_success(QC, namespace, "leaf")
    assert seconds(leaf["status"]["notBefore"]) == begin <= later(0)


def test_an_expired_ca_is_waited_for(api, operators, at, namespace):
    """What is below cannot be renewed before the CA is; then all are."""
    operators.default()
    root, leaf = api.make(
        certificate(namespace, "root", "ca", commonName="Root", durationDays=10),
        certificate(namespace, "leaf", "server", "root", domain="a.example", durationDays=10),
    )
    at(11)
    wait_reissued(api, namespace, "root", serial(root))
    found = wait_reissued(api, namespace, "leaf", serial(leaf))
    assert seconds(found["status"]["notAfter"]) > later(20)
