"""The traps of watches (docs/internals/traps.md), on the real API server. While each fault lasts, objects are made, changed
and deleted; after it all of that is served, no key is made twice, the log has told it once, and metrics have counted it."""

import json
import re

import pytest
from api import QDK, QKKP, QRN, QVS, is_told, secret_thing, thing, wait_until
from faultproxy import Blackhole, Inject, Prefix, Rechunk, Rule
from watching import (
    FAILED, OURS, PLURAL, RECOVERED, Changes, asked, bookmark, current_version, error_event, failures, status,
    verbs, warnings, watched, watches,
)  # fmt: skip

FINALIZERS = 7000
GONE = status(410, "Expired", "too old resource version: 1 (2)")


@pytest.fixture
def start(operators, through, clock):
    """Starts the operator behind the proxy, with a clock that can be moved."""
    return lambda *flags: operators.start(*flags, kubeconfig=through, environment=clock.environment).wait_ready()


# 1: dead TCP looks alive


def test_trap_01_a_dead_network_is_noticed(api, proxy, start, clock, namespace):
    operator = start()
    resources = watched(proxy)
    changes = Changes(api, operator, namespace)
    since = operator.log.stat().st_size
    proxy.freeze()
    changes.happen()
    clock.advance(operator, 151)
    wait_until("each watch is given up", lambda: all(warnings(operator, since, one) for one in resources))
    assert all("nothing came for 150 s" in warnings(operator, since, one)[0] for one in resources)
    assert operator.answer("/readyz/watches")[0] == 200, "for some minutes all that is known may still be so"
    clock.advance(operator, 150)
    ready, text = operator.answer("/readyz/watches")
    assert ready == 503 and "not heard of lately" in text and text.partition(":")[0] in resources
    proxy.thaw()
    changes.arrive()
    assert all(len(warnings(operator, since, one)) == 1 for one in resources), "told again and again"
    assert all(failures(operator, "retryable", one) >= 1 for one in resources)
    assert len([one for one in operator.said(RECOVERED, since) if one["resource"] == PLURAL]) == 1


def test_trap_01_a_watch_that_is_never_answered_is_given_up(api, proxy, start, clock, namespace):
    operator = start()
    changes = Changes(api, operator, namespace)
    rule = proxy.add(Rule(Blackhole(), path=OURS, watch=True, times=1))
    proxy.cut_all()
    changes.happen()
    wait_until("the watch is swallowed", lambda: rule.hits == 1)
    operator.settle()
    assert not is_told(api.get(QRN, namespace, "comes"))
    clock.advance(operator, 151)
    changes.arrive()


def test_trap_01_an_object_that_is_gone_gets_no_secret_while_its_watch_is_silent(api, proxy, start, clock, namespace):
    """Kubernetes collects the Secret, which looks like a loss as long as the object seems to be there."""
    operator = start()
    api.make(*(thing(QRN, namespace, name) for name in ("gone", "another")))
    operator.settle()
    rule = proxy.add(Rule(Blackhole(), path=OURS, watch=True, times=1))
    proxy.cut_all()
    wait_until("the watch is swallowed", lambda: rule.hits == 1)
    since = len(proxy.requests)
    api.delete(QRN, namespace, "gone")
    api.delete(QRN, namespace, "another")
    uid = api.create(thing(QRN, namespace, "another"))["metadata"]["uid"]
    wait_until("both are asked after", lambda: len(proxy.of("fieldSelector=metadata.name")) >= 2)
    assert api.wait_success(QRN, namespace, "another")["metadata"]["uid"] == uid
    api.wait_gone("Secret", namespace, "gone")
    operator.settle()
    written = [one for one in proxy.requests[since:] if one.path.endswith(f"/{namespace}/secrets") and one.method == "POST"]
    assert len(written) <= 1 and not operator.said("SecretLost")
    clock.advance(operator, 151)
    api.make(thing(QRN, namespace, "later"))


def test_trap_01_watches_end_before_a_load_balancer_ends_them(api, proxy, start, namespace):
    operator = start("--watch-timeout", "5s")
    wait_until("each is watched three times", lambda: all(len(proxy.of(one, watch=True)) >= 3 for one in watched(proxy)))
    assert {parameters["timeoutSeconds"] for verb, parameters in asked(proxy) if verb == "watch"} <= {"2", "3", "4"}
    api.make(thing(QRN, namespace, "numbers"))
    assert operator.said(FAILED) == [], "that is how they are meant to end"
    assert verbs(asked(proxy)).count("list") == 1


# 2: one connection for all


def test_trap_02_one_dead_connection_holds_up_no_other_watch(api, proxy, start, namespace):
    operator = start()

    def opened():
        return [one for one in proxy.of(watch=True) if one.status == 200 and not one.ended]

    # A busy server may have ended one, which is opened again.
    found = wait_until("all is watched", lambda: len(opened()) == len(watched(proxy)) and opened())
    assert len({one.connection for one in found}) == len(found)
    rule = proxy.add(Rule(Blackhole(), path=OURS, watch=True))
    proxy.cut_all()
    wait_until("one watch is dead", lambda: rule.hits)
    api.create(thing(QRN, namespace, "unseen"))
    api.make(thing(QKKP, namespace, "pair"))
    operator.settle()
    assert not is_told(api.get(QRN, namespace, "unseen"))


# 3, 4, 6: the server says why it ends a watch


def gone(api, proxy, start, namespace, fault):
    """One watch is answered so."""
    operator = start()
    changes = Changes(api, operator, namespace)
    log, since = operator.log.stat().st_size, len(proxy.requests)
    rule = proxy.add(Rule(fault, path=OURS, watch=True, times=1))
    proxy.cut_all()
    changes.happen()
    changes.arrive()
    requests = asked(proxy, since)
    assert rule.hits == 1 and verbs(requests) == ["watch", "list", "watch"]
    assert requests[1][1] == {"limit": "500", "resourceVersion": ""}, "the newest, not what is cached"
    assert failures(operator, "gone") == 1
    assert ["too old resource version" in one for one in warnings(operator, log)] == [False, True]  # the cut first


def test_trap_03_gone_as_an_event_of_a_watch(api, proxy, start, namespace):
    gone(api, proxy, start, namespace, Prefix(({"type": "ERROR", "object": GONE},)))


def test_trap_04_gone_as_the_answer_to_a_watch(api, proxy, start, namespace):
    gone(api, proxy, start, namespace, Inject(410, GONE))


@pytest.mark.parametrize(
    "event",
    [
        error_event(500, "InternalError", "etcd event received with PrevKv=nil"),
        error_event(401, "Unauthorized", "Unauthorized"),
        {"type": "ERROR", "object": {}},
    ],
    ids=["500", "401", "empty"],
)
def test_trap_06_other_errors_within_a_watch(api, proxy, start, clock, namespace, event):
    """From the same version again, and after five in a row, which may stay so for ever, a list."""
    operator = start()
    changes = Changes(api, operator, namespace)
    log, since = operator.log.stat().st_size, len(proxy.requests)
    rule = proxy.add(Rule(Prefix((event,)), path=OURS, watch=True, times=5))
    proxy.cut_all()
    changes.happen()

    def listed():
        clock.advance(operator, 30)
        return "list" in verbs(asked(proxy, since))

    wait_until("it lists", listed, pause=0.5)
    changes.arrive()
    requests = asked(proxy, since)
    before = requests[: verbs(requests).index("list")]
    versions = {parameters["resourceVersion"] for _, parameters in before}
    assert rule.hits == 5 and len(versions) == 1
    assert requests[len(before)][1] == {"resourceVersion": versions.pop()}, "at least what was seen, from the cache"
    assert len(warnings(operator, log)) <= 2, "told again and again"


# 8: a version that grows too old


def test_trap_08_bookmarks_move_the_version_of_a_quiet_resource(api, proxy, start, namespace):
    start("--watch-timeout", "10s")
    plural = f"{QVS.lower()}s"

    def versions():
        return [int(one["resourceVersion"]) for verb, one in asked(proxy, plural=plural) if verb == "watch"]

    version = current_version(api, namespace)

    def moved():
        api.list(QVS)  # a read of the newest has the server's cache catch up
        return versions()[-1] >= version

    assert versions()[0] < version
    wait_until(lambda: f"{versions()} reach {version}", moved, pause=1)
    assert verbs(asked(proxy, plural=plural)).count("list") == 1


# 10: the version goes back


def test_trap_10_what_a_watch_never_showed_is_found_by_the_next_full_list(api, proxy, start, clock, namespace):
    """As after etcd was restored from a backup, and has come as far again as the operator had seen before."""
    operator = start()
    changes = Changes(api, operator, namespace)
    hold = proxy.add(Rule(Inject(429, status(429, "TooManyRequests", "wait")), path=OURS, watch=True))
    proxy.cut_all()
    changes.happen()
    version = current_version(api, namespace)
    since = len(proxy.requests)
    rule = proxy.add(Rule(Inject(200, json.dumps(bookmark(version)) + "\n"), path=OURS, watch=True, times=1))
    proxy.remove(hold)
    wait_until("it watches from there", lambda: asked(proxy, since) and asked(proxy, since)[-1][1]["resourceVersion"] == str(version))
    operator.settle()
    assert rule.hits == 1 and not is_told(api.get(QRN, namespace, "comes"))
    clock.advance(operator, 11 * 3600)
    changes.arrive()
    assert ("list", {"limit": "500", "resourceVersion": ""}) in asked(proxy, since)


def test_trap_10_a_version_of_the_future_is_noticed_before_it_is_watched_from(api, proxy, start, namespace):
    operator = start()
    changes = Changes(api, operator, namespace)
    future = current_version(api, namespace) + 1000000
    since = len(proxy.requests)
    rule = proxy.add(Rule(Inject(200, json.dumps(bookmark(future)) + "\n"), path=OURS, watch=True, times=1))
    proxy.cut_all()
    changes.happen()
    changes.arrive()
    assert rule.hits == 1 and verbs(asked(proxy, since)) == ["watch", "list", "watch"]
    assert asked(proxy, since)[1][1] == {"limit": "500", "resourceVersion": ""}


# 11: an empty answer


def test_trap_11_empty_watches_are_failures_that_slow_down(api, proxy, start, clock, namespace):
    operator = start()
    changes = Changes(api, operator, namespace)
    log, since = operator.log.stat().st_size, len(proxy.requests)
    rule = proxy.add(Rule(Inject(200), path=OURS, watch=True, times=5))
    proxy.cut_all()
    changes.happen()

    def listed():
        clock.advance(operator, 30)
        return "list" in verbs(asked(proxy, since))

    wait_until("it lists", listed, patience=180, pause=2)  # the deadlines of requests go by that clock too
    changes.arrive()
    assert verbs(asked(proxy, since))[:7] == ["watch"] * 5 + ["list", "watch"] and rule.hits == 5
    assert failures(operator, "retryable") >= 6, "the cut, and five times nothing"
    told = [one["detail"] for one in operator.said(FAILED, log) if one["resource"] == PLURAL]
    assert sum("ended the watch at once" in one for one in told) == 5


# 15: lines and chunks


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_trap_15_chunks_of_any_size(api, proxy, start, namespace, size):
    rule = proxy.add(Rule(Rechunk(size), path=OURS))
    operator = start()
    changes = Changes(api, operator, namespace)
    changes.happen()
    changes.arrive()
    assert rule.hits == 2 and operator.said(FAILED) == []


def test_trap_15_an_object_as_large_as_can_be(api, proxy, start, namespace):
    """Something that etcd keeps in about 1.5 MB, its limit; most of it twice, since field managers are noted."""
    proxy.add(Rule(Rechunk(4096), path=OURS))
    operator = start()
    finalizers = [f"qubesec.example/{number:04}-{'x' * 58}" for number in range(FINALIZERS)]
    annotations = {"large": "x" * (250 * 1024)}
    api.create(thing(QRN, namespace, "large", finalizers=finalizers, annotations=annotations))
    found = api.wait_success(QRN, namespace, "large")
    api.patch(QRN, namespace, "large", {"metadata": {"finalizers": None}})
    assert len(json.dumps(found)) > 1200 * 1000
    assert operator.said(FAILED) == []


# 16: too many requests


@pytest.mark.parametrize("watch", [True, False], ids=["watch", "list"])
def test_trap_16_too_many_requests_are_waited_out(api, proxy, start, namespace, watch):
    operator = start()
    changes = Changes(api, operator, namespace)
    if not watch:
        proxy.add(Rule(Inject(410, GONE), path=OURS, watch=True, times=1))
    log, since = operator.log.stat().st_size, len(proxy.requests)
    busy = status(429, "TooManyRequests", "the server has received too many requests")
    rule = proxy.add(Rule(Inject(429, busy, {"Retry-After": "2"}), path=OURS, watch=watch, times=3))
    proxy.cut_all()
    changes.happen()
    changes.arrive()
    times = [one.when for one in proxy.requests[since:] if one.rule is rule]
    same = [one for one in proxy.of(watch=watch) if re.search(OURS, one.path)]
    times.append(next(one.when for one in same if one.when > times[-1]))
    assert all(later - earlier >= 1.9 for earlier, later in zip(times, times[1:])), "sooner than the server asked for"
    assert verbs(asked(proxy, since)) == (["watch"] * 4 if watch else ["watch", *["list"] * 4, "watch"])
    assert len(warnings(operator, log)) <= 3, "told again and again"


# 17: no right to one resource


def test_trap_17_one_forbidden_resource_is_named_and_others_go_on(api, proxy, start, clock, namespace):
    operator = start()
    plural = f"{QVS.lower()}s"
    since = operator.log.stat().st_size
    refused = status(403, "Forbidden", f'{plural}.qubesec.io is forbidden: User "operator" cannot watch resource')
    rule = proxy.add(Rule(Inject(403, refused), path=rf"/{plural}\?"))
    proxy.cut_all()

    def tried():
        clock.advance(operator, 30)
        return rule.hits >= 12

    wait_until("it is tried again", tried, pause=0.3)
    api.make(thing(QRN, namespace, "numbers"))
    wait_until(lambda: operator.answer("/readyz/watches"), lambda: operator.answer("/readyz/watches")[1].startswith(f"{plural}: "))
    assert operator.answer("/readyz/watches")[0] == 503 and operator.answer("/healthz")[0] == 200
    told = warnings(operator, since, plural)
    assert len([one for one in told if "forbidden" in one and plural in one]) == 1, told
    assert failures(operator, "forbidden", plural) >= 12
    proxy.remove(rule)
    clock.advance(operator, 30)
    wait_until(lambda: operator.answer("/readyz/watches"), lambda: operator.answer("/readyz/watches")[0] == 200)
    assert [one for one in operator.said(RECOVERED, since) if one["resource"] == plural]


# 18: all at once


def test_trap_18_what_is_cut_off_comes_back_at_different_times_and_lists_nothing(api, proxy, start, namespace):
    operator = start()
    changes = Changes(api, operator, namespace)
    since = len(proxy.requests)
    starting = Inject(503, status(503, "ServiceUnavailable", "starting"))

    def watches_of(plural):
        return [one for one in list(proxy.requests)[since:] if one.is_watch and f"/{plural}?" in one.path]

    rules = [proxy.add(Rule(starting, path=rf"/{plural}\?", watch=True, times=3)) for plural in watched(proxy)]
    proxy.cut_all()
    changes.happen()
    wait_until("all are refused", lambda: all(rule.hits == rule.times for rule in rules))
    changes.arrive()
    wait_until("all are watched again", lambda: all(len(watches_of(plural)) >= 4 for plural in watched(proxy)))
    requests = list(proxy.requests)[since:]
    assert not [one for one in requests if one.method == "GET" and not one.is_watch and "limit=500&resourceVersion" in one.path], "a list"
    tries = [[one.when for one in watches_of(plural)] for plural in watched(proxy)]
    waits = [[later - earlier for earlier, later in zip(one, one[1:4])] for one in tries]
    ranges = [(min(times), max(times)) for times in zip(*waits, strict=True)]
    print(f"the waits after the first try, the second and the third are within {ranges} s")
    # A machine that stops for a while has all of one time be due together, but not of all three.
    assert any(longest - shortest > shortest / 4 for shortest, longest in ranges), "no jitter"


# 19: only some namespaces


def test_trap_19_each_namespace_has_watches_of_its_own(api, proxy, start, namespace):
    there = api.create({"kind": "Namespace", "metadata": {"generateName": "there-"}})["metadata"]["name"]
    operator = start("--namespaces", f"{namespace},{there}")
    found = watches(proxy)
    for plural in watched(proxy) - {"configmaps"}:
        paths = {one.path.partition("?")[0].partition("/namespaces/")[2] for one in found if f"/{plural}?" in one.path}
        assert paths == {f"{one}/{plural}" for one in (namespace, there)}
    opened = [one for one in found if not one.ended]
    assert len({one.connection for one in opened}) == len(opened)
    rule = proxy.add(Rule(Inject(403, status(403, "Forbidden", "no")), path=rf"/namespaces/{namespace}/{PLURAL}\?"))
    proxy.cut_all()
    wait_until("one namespace is refused", lambda: rule.hits)
    api.create(thing(QRN, namespace, "numbers"))
    api.make(thing(QRN, there, "numbers"))
    operator.settle()
    assert not is_told(api.get(QRN, namespace, "numbers"))
    proxy.remove(rule)
    api.wait_success(QRN, namespace, "numbers")


# 20: everybody's Secrets


def test_trap_20_secrets_of_others_are_not_kept(api, proxy, start, namespace):
    for number in range(20):
        api.create(secret_thing(namespace, f"before-{number}", {"theirs": b"x" * 1000}))
    operator = start("--debug-endpoints")

    def kept():
        watches = json.loads(operator.answer("/debug/state")[1])["watches"]
        return next(one["objects"] for one in watches if one["resource"] == "secrets")

    before = kept()
    for number in range(20):
        api.create(secret_thing(namespace, f"after-{number}", {"theirs": b"x" * 1000}))
    api.make(thing(QRN, namespace, "numbers"))
    reference = {"kind": "Secret", "name": "after-3", "key": "theirs"}
    api.make(thing(QDK, namespace, "derived", {"sharedSecretRef": reference}))
    operator.settle()
    assert kept() == before + 3, "what was made for the two, and what one refers to"
    api.delete(QDK, namespace, "derived")
    api.wait_gone("Secret", namespace, "derived")
    read = {one.path.rpartition("/")[2] for one in proxy.of(f"/namespaces/{namespace}/secrets/", method="GET")}
    assert not {name for name in read if name.startswith("before")}
