"""The fault proxy does what its rules say: a proxy that does nothing would let every other test here pass."""

import concurrent.futures
import http.client
import json
import ssl
import threading
import time

import pytest
from api import KINDS, exchange, wait_until
from faultproxy import Blackhole, Cut, Delay, Hold, Inject, Prefix, Rechunk, Reset, Rule
from watching import watched

VERSION = "/version"


@pytest.fixture
def client(cluster, proxy):
    context = ssl.create_default_context(cafile=cluster.folder / "pki" / "ca.crt")
    connections = []

    def connect(timeout=20):
        connections.append(http.client.HTTPSConnection("127.0.0.1", proxy.port, context=context, timeout=timeout))
        return connections[-1]

    yield connect
    for one in connections:
        one.close()


def ask(connection, path=VERSION, method="GET"):
    connection.request(method, path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def test_without_rules_everything_passes(client, proxy):
    connection = client()
    for _ in range(2):
        status, body = ask(connection)
        assert status == 200 and json.loads(body)["major"] == "1"
    assert [(one.method, one.path, one.status, one.rule) for one in proxy.requests] == [("GET", VERSION, 200, None)] * 2
    assert {one.connection for one in proxy.requests} == {proxy.accepted}


def test_a_rule_is_for_some_requests_and_some_times(client, proxy):
    rule = proxy.add(Rule(Inject(503), method="GET", path="^/version", watch=False, skip=1, times=2))
    connection = client()
    assert ask(connection, "/healthz")[0] == 200
    assert [ask(connection)[0] for _ in range(4)] == [200, 503, 503, 200]
    assert (rule.seen, rule.hits) == (4, 2)
    proxy.remove(rule)
    assert ask(connection)[0] == 200 and rule.seen == 4


def test_an_answer_of_our_own(client, proxy):
    proxy.add(Rule(Inject(429, {"code": 429}, {"Retry-After": "7"}), path=VERSION))
    connection = client()
    connection.request("GET", VERSION)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["Retry-After"], json.loads(answer.read())) == (429, "7", {"code": 429})


def test_the_request_is_made_and_its_answer_lost(cluster, client, proxy):
    mark = cluster.audit.mark()
    proxy.add(Rule(Inject(500, forward=True), path=VERSION))
    assert ask(client())[0] == 500
    wait_until("the server saw it", lambda: b'"/version"' in b"".join(cluster.audit.parts(*mark)))


@pytest.mark.parametrize("after", [0, 5])
def test_reset_and_cut(client, proxy, after):
    reset = proxy.add(Rule(Reset(after), path=VERSION))
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)) as told:
        ask(client())
    assert not isinstance(told.value, http.client.RemoteDisconnected), "that is an orderly end"
    proxy.remove(reset)
    proxy.add(Rule(Cut(after), path=VERSION))
    expected = (http.client.RemoteDisconnected, ssl.SSLEOFError) if after == 0 else http.client.IncompleteRead
    with pytest.raises(expected) as told:
        ask(client())
    if after:
        assert len(told.value.partial) == after


@pytest.mark.parametrize("answer", [False, True])
def test_delay(client, proxy, answer):
    proxy.add(Rule(Delay(1.5, answer), path=VERSION))
    started = time.monotonic()
    assert ask(client())[0] == 200
    assert time.monotonic() - started >= 1.5


@pytest.mark.parametrize("answer", [False, True])
def test_hold(client, proxy, answer):
    rule = proxy.add(Rule(Hold(answer=answer), path=VERSION))
    with concurrent.futures.ThreadPoolExecutor() as pool:
        asked = pool.submit(ask, client(timeout=None))
        try:
            wait_until("it is held", lambda: proxy.of(VERSION))
            assert ask(client(), "/healthz")[0] == 200
            assert rule.hits == 1 and proxy.of(VERSION)[0].status is None
        finally:
            rule.fault.go.set()
        assert asked.result()[0] == 200


def test_blackhole_is_not_answered(client, proxy):
    rule = proxy.add(Rule(Blackhole(), path=VERSION))
    connection = client(timeout=1)
    with pytest.raises(TimeoutError):
        ask(connection)
    connection.close()
    assert rule.hits == 1 and proxy.requests[-1].status is None
    wait_until("the end of its client is noticed", lambda: proxy.requests[-1].ended)


def test_chunks_of_one_byte(client, proxy):
    whole = ask(client())[1]
    proxy.add(Rule(Rechunk(1), path=VERSION))
    connection = client()
    connection.request("GET", VERSION)
    answer = connection.getresponse()
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert [answer.read1(100) for _ in whole] == [bytes([byte]) for byte in whole] and answer.read() == b""


def test_lines_before_a_watch(api, proxy, cluster, operators, through):
    """The operator says what it was told, so the lines came to it."""
    error = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "made up for the test"}}
    rule = proxy.add(Rule(Prefix((error,)), path="quantumrandomnumbers", watch=True, times=1))
    operator = operators.start(kubeconfig=through).wait_ready()
    wait_until("it was told", lambda: rule.hits == 1 and "made up for the test" in operator.log.read_text())


def test_frozen_traffic_goes_on_when_it_thaws(client, proxy):
    connection, answers = client(timeout=60), []
    ask(connection)
    proxy.freeze()
    threads = [threading.Thread(target=lambda one=one: answers.append(ask(one)[0])) for one in (connection, client(60))]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert answers == []
    proxy.thaw()
    for thread in threads:
        thread.join()
    assert answers == [200, 200]


def test_all_connections_can_be_reset(client, proxy):
    connection = client()
    ask(connection)
    proxy.cut_all()
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected, ssl.SSLError)):
        ask(connection)


def test_the_operator_works_through_it(api, proxy, operators, through, namespace):
    operators.start(kubeconfig=through).wait_ready()
    api.make(*exchange(namespace))
    assert watched(proxy) >= {f"{kind.lower()}s" for kind in KINDS} | {"secrets"}
    assert [one for one in proxy.of(watch=True) if one.ended] == []
    assert len({one.connection for one in proxy.of(watch=True)}) == len(proxy.of(watch=True)), "a connection for each"
    assert proxy.of("/secrets/", method="PATCH") == [] and len(proxy.of("/secrets", method="POST")) == 5
