"""An API server that is slow to write, or says that it has enough to do."""

import contextlib

from api import QES, QKKP, QRN, thing, wait_until
from faultproxy import Delay, Hold, Inject, Rule
from seen import Seen
from work import WATCHES, all_kinds, finish, wait_finished

FLOW_CONTROL = "/apis/flowcontrol.apiserver.k8s.io/v1"
BUSY = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 429, "reason": "TooManyRequests"}
DEADLINE = 30  # seconds, after which the operator gives up
RETRY_AFTER = 1.0
TICK = 0.002  # the operator's clock is one of whole milliseconds


def test_slow_disk(api, cluster, operators, namespace, proxy, through, clock):
    """Every write takes long, and the answers to some do not come while the operator waits for them, though they are done."""
    operator = operators.start(kubeconfig=through, environment=clock.environment).wait_ready()
    late = [
        proxy.add(Rule(Hold(answer=True), method="POST", path="/secrets", times=2)),
        proxy.add(Rule(Hold(answer=True), path=f"/{QRN.lower()}s/.*/status", times=1)),
    ]
    proxy.add(Rule(Delay(0.5), method="POST"))
    proxy.add(Rule(Delay(0.5), method="PATCH"))
    proxy.add(Rule(Delay(0.5), method="PUT"))
    mark = cluster.audit.mark()
    seen = Seen(api, namespace)
    for one in all_kinds(namespace):
        api.create(one)
    for number, rule in enumerate(late):
        wait_until("the server is late", lambda rule=rule: rule.hits == rule.times)
        clock.advance(operator, DEADLINE + 1)
        wait_until("it is given up", lambda number=number: len(given_up(operator)) > number)
    finish(api, namespace, seen, "")
    assert [one.hits for one in late] == [2, 1]
    made = [one for one in cluster.audit.requests(mark, namespace) if (one.verb, one.code) == ("create", 201)]
    assert len([one for one in made if one.resource == "secrets"]) == len(api.list("Secret", namespace))


def given_up(operator):
    return [one for one in operator.said("could not finish, trying again") if "imed out" in one["detail"]]


def watches_of(proxy):
    return [one for one in proxy.of(watch=True) if not one.ended]


def check_waits(requests):
    """Who was told to come again later did not come sooner."""
    told = [one for one in requests if one.status == 429 and one.path.endswith("/status")]
    for one in told:
        again = [other.when for other in requests if other.path == one.path and other.when > one.when]
        assert not again or min(again) - one.when >= RETRY_AFTER - TICK
    return told


class PerSecond(Rule):
    """A rule for all that comes on top of so many requests in a second."""

    LIMIT = 5

    def takes(self, request):
        if len([one for one in self.passed if one > request.when - 1]) < self.LIMIT:
            self.passed.append(request.when)
            return False
        return super().takes(request)


def test_trap_16_throttled_to_five_requests_in_a_second(api, operators, namespace, proxy, through):
    operator = operators.start("--workers", "8", kubeconfig=through).wait_ready()
    wait_until("all watches are open", lambda: len(watches_of(proxy)) == WATCHES)
    watches = watches_of(proxy)
    rule = PerSecond(Inject(429, BUSY, {"Retry-After": str(int(RETRY_AFTER))}))
    rule.passed = []
    proxy.add(rule)
    seen = Seen(api, namespace)
    for prefix in ("", "more-"):
        for one in all_kinds(namespace, prefix):
            api.create(one)
    wait_until("it is counted", lambda: operator.total("rest_client_requests_total", 'code="429"') > 0)
    finish(api, namespace, seen, "", "more-")
    assert rule.hits > 0 and check_waits(list(proxy.requests))
    assert watches_of(proxy) == watches and operator.answer("/readyz/watches")[0] == 200


@contextlib.contextmanager
def no_seats(api, name):
    """The API server's own flow control lets the operator ask one thing at a time, and refuses what comes meanwhile."""
    level = {"metadata": {"name": name}, "spec": {"type": "Limited", "limited": {}}}
    level["spec"]["limited"] = {"nominalConcurrencyShares": 0, "borrowingLimitPercent": 0, "limitResponse": {"type": "Reject"}}
    account = {"kind": "ServiceAccount", "serviceAccount": {"namespace": "qubesec-system", "name": "qubesec-operator"}}
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
    schema = {"metadata": {"name": name}, "spec": {"matchingPrecedence": 2, "priorityLevelConfiguration": {"name": name}}}
    schema["spec"]["rules"] = [{"subjects": [account], "resourceRules": [everything]}]
    api.call("POST", f"{FLOW_CONTROL}/prioritylevelconfigurations", level)
    api.call("POST", f"{FLOW_CONTROL}/flowschemas", schema)
    try:
        yield
    finally:
        api.call("DELETE", f"{FLOW_CONTROL}/flowschemas/{name}")
        api.call("DELETE", f"{FLOW_CONTROL}/prioritylevelconfigurations/{name}")


def test_trap_16_refused_by_the_servers_own_flow_control(api, cluster, operators, namespace, proxy, through):
    operator = operators.start("--workers", "16", kubeconfig=through).wait_ready()
    wait_until("all watches are open", lambda: len(watches_of(proxy)) == WATCHES)
    watches = watches_of(proxy)
    mark = cluster.audit.mark()
    seen = Seen(api, namespace)
    for number in range(40):
        api.create(thing(QES, namespace, f"sealed-{number}", {"publicKeyRef": {"name": "hub"}}))
    api.wait_status(QES, namespace, "sealed-39", "Pending")
    with no_seats(api, namespace):
        api.create(thing(QKKP, namespace, "hub"))  # which wakes all the others in one moment
        wait_until("it is counted", lambda: operator.total("rest_client_requests_total", 'code="429"') > 0)
        assert watches_of(proxy) == watches
    wait_finished(api, namespace)
    seen.end()
    assert seen.changed() == [], "something that was to be seen was made twice"
    check_waits(list(proxy.requests))
    assert watches_of(proxy) == watches and operator.answer("/readyz/watches")[0] == 200
    done = [one for one in cluster.audit.requests(mark, namespace) if (one.verb, one.code) == ("create", 201)]
    assert len([one for one in done if one.resource == "secrets"]) == len(api.list("Secret", namespace))
