"""The traps of lists (docs/internals/traps.md), on the real API server."""

import concurrent.futures
import re

from api import QDK, QKKP, QRN, secret_thing, thing, wait_until
from faultproxy import Blackhole, Inject, Prefix, Rule
from watching import (
    LONGEST_BACK_OFF, OURS, PLURAL, Changes, asked, bookmark, current_version, status, verbs, warnings, watches,
)  # fmt: skip


def test_trap_01_a_list_that_is_never_answered_is_given_up(api, proxy, operators, through, clock, namespace):
    rule = proxy.add(Rule(Blackhole(), path=OURS, watch=False, times=1))
    operator = operators.start(kubeconfig=through, environment=clock.environment).wait_started()
    wait_until("the list is swallowed", lambda: rule.hits == 1)
    assert operator.answer("/readyz/watches")[0] == 503
    clock.advance(operator, 91)
    operator.wait_ready()
    assert len(warnings(operator)) == 1
    api.make(thing(QRN, namespace, "numbers"))


# 5: a list that is so long that its next page expires


def test_trap_05_an_expired_page_lists_anew_in_one_piece(api, proxy, operators, through, namespace):
    operator = operators.start(kubeconfig=through).wait_ready()
    for name in ("early", "late"):
        reference = {"kind": "Secret", "name": f"{name}-input", "key": "theirs"}
        api.create(thing(QDK, namespace, name, {"sharedSecretRef": reference}))
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(api.create, (secret_thing(namespace, f"other-{number}", {}) for number in range(501))))
    operator.settle()
    since = len(proxy.requests)
    expired = status(410, "Expired", "The provided continue parameter is too old", metadata={"continue": "inconsistent"})
    proxy.add(Rule(Inject(410, status(410, "Expired", "too old")), path=r"/secrets\?", watch=True, times=1))
    page = proxy.add(Rule(Inject(410, expired), path=r"/secrets\?.*continue=", times=1))
    proxy.cut_all()
    for name in ("early", "late"):
        api.create(secret_thing(namespace, f"{name}-input", {"theirs": b"0123456789abcdef"}))
        api.wait_success(QDK, namespace, name)
    requests = asked(proxy, since, "secrets")
    assert page.hits == 1 and verbs(requests) == ["watch", "list", "list", "list", "watch"]
    first, second, third = (parameters for _, parameters in requests[1:4])
    assert first == {"limit": "500", "resourceVersion": ""} and second.keys() == {"limit", "continue"}
    assert third == {"resourceVersion": ""}, "in one piece, which cannot expire"
    assert len(warnings(operator, plural="secrets")) == 3, "the cut, and twice gone"


# 7: where a watch begins


def test_trap_07_a_watch_begins_at_the_version_of_the_list(api, proxy, operators, through, namespace):
    """The last item of a list, which is by name, is the one that changed first."""
    maker = operators.default()
    for name in ("z-first", "a-last"):
        api.make(thing(QRN, namespace, name))
    maker.settle()
    api.patch(QRN, namespace, "a-last", {"metadata": {"labels": {"changed": "last"}}})
    maker.settle()
    versions = [int(one["metadata"]["resourceVersion"]) for one in api.list(QRN)]
    operator = operators.start(kubeconfig=through).wait_ready()
    [(_, watch)] = [one for one in asked(proxy) if one[0] == "watch"]
    assert int(watch["resourceVersion"]) >= max(versions) > versions[-1]
    operator.settle()
    assert proxy.of(f"/namespaces/{namespace}/") == [], "what is finished was looked at again"


# 9: a version of the future


def test_trap_09_a_too_large_version_is_answered_by_a_list_of_the_newest(api, proxy, operators, through, namespace):
    """The bookmark is ours, and the line that makes the operator list anew; the refusal is the server's own."""
    operator = operators.start(kubeconfig=through).wait_ready()
    changes = Changes(api, operator, namespace)
    since = len(proxy.requests)
    future = current_version(api, namespace) + 1000000
    proxy.add(Rule(Prefix((bookmark(future), "no event")), path=OURS, watch=True, times=1))
    proxy.cut_all()
    changes.happen()
    changes.arrive()
    requests = asked(proxy, since)
    assert verbs(requests) == ["watch", "list", "list", "watch"]
    assert requests[1][1] == {"resourceVersion": str(future)} and requests[2][1] == {"limit": "500", "resourceVersion": ""}
    assert any("Too large resource version" in one["detail"] for one in operator.lines() if "detail" in one)
    assert int(requests[3][1]["resourceVersion"]) < future


# 12: what was deleted meanwhile


def test_trap_12_what_was_deleted_while_nothing_was_heard_is_gone(api, proxy, operators, through, namespace):
    operator = operators.start(kubeconfig=through).wait_ready()
    changes = Changes(api, operator, namespace)
    down = proxy.add(Rule(Inject(503, status(503, "ServiceUnavailable", "down"))))
    proxy.cut_all()
    wait_until("all is refused", lambda: down.hits >= 3)
    changes.happen()
    since = len(proxy.requests)
    for path in {one.path.partition("?")[0] for one in watches(proxy)}:  # once for each, however often it is asked
        gone = Inject(410, status(410, "Expired", "compacted meanwhile"))
        proxy.add(Rule(gone, path=rf"^{re.escape(path)}\?", watch=True, times=1))
    proxy.remove(down)
    changes.arrive()
    assert ("list", {"limit": "500", "resourceVersion": ""}) in asked(proxy, since)


# 13, 14: streaming lists


def test_trap_13_lists_end_with_their_answer(proxy, operators, through):
    """No list is a watch that would have to be told when its first part is over."""
    operators.start(kubeconfig=through).wait_ready()
    for path in {one.path.partition("?")[0] for one in watches(proxy)}:
        requests = [one for one in proxy.requests if one.path.startswith(f"{path}?")]
        assert not requests[0].is_watch and requests[0].ended and requests[-1].is_watch, path


def test_trap_14_no_parameter_of_streaming_lists_is_sent(proxy, operators, through):
    operators.start(kubeconfig=through).wait_ready()
    assert len(asked(proxy, plural=PLURAL)) >= 2
    assert not [one.path for one in proxy.requests if "sendInitialEvents" in one.path or "resourceVersionMatch" in one.path]


# 17: no right to one resource, from the beginning


def test_trap_17_a_forbidden_list_is_named_until_it_is_allowed(api, proxy, operators, through, clock, namespace):
    refused = status(403, "Forbidden", f'{PLURAL}.qubesec.io is forbidden: User "operator" cannot list resource')
    rule = proxy.add(Rule(Inject(403, refused), path=OURS))
    operator = operators.start(kubeconfig=through, environment=clock.environment).wait_serving()
    clock.pass_refusals(operator)
    assert rule.hits >= 5
    api.make(thing(QKKP, namespace, "pair"))
    wait_until("it is named", lambda: operator.answer("/readyz/watches")[1].startswith(f"{PLURAL}: not listed yet: listing "))
    [told] = warnings(operator)
    assert "cannot list" in told and PLURAL in told
    proxy.remove(rule)
    clock.advance(operator, LONGEST_BACK_OFF)
    operator.wait_ready()
    api.make(thing(QRN, namespace, "numbers"))
