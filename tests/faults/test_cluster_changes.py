"""What people do to a cluster while the operator works: namespaces, CRDs, roles, quotas and policies come and go."""

import contextlib
import time

import webhook
from api import KINDS, QKKP, QRN, QSKP, SIGNATURE_KINDS, ApiError, reason_of, thing, wait_until
from audit import OPERATOR
from policies import refusing_secrets
from seen import Seen
from watching import LONGEST_BACK_OFF
from work import all_kinds, check_agreement, secrets, unfinished, wait_finished

ROLE = "/apis/rbac.authorization.k8s.io/v1/clusterroles/qubesec-operator"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PLURAL = f"{QRN.lower()}s"


def is_unheard(operator, resource):
    status, text = operator.answer("/readyz/watches")
    return status == 503 and text.startswith(f"{resource}: ")


def test_namespace_deleted_in_the_middle_of_work(api, cluster, operators, namespace):
    """Nothing is left of it, in the cluster or in the queue, and nothing goes on about it."""
    operator = operators.default()
    begin = operator.log.stat().st_size
    things = [one for number in range(10) for one in all_kinds(namespace, f"x{number}-")]
    slow = {"algorithm": "SLH-DSA-SHAKE-256s"}  # some seconds each, so that it is not all done at once
    things += [thing(QSKP, namespace, f"slow-{number}", slow) for number in range(6)]
    for one in things:
        api.create(one)
    mark = cluster.audit.mark()
    assert unfinished(api, namespace), "there was no work under way"
    api.delete("Namespace", None, namespace)
    api.wait_gone("Namespace", None, namespace)
    operator.settle()
    wait_until("the queue has forgotten it", lambda: operator.total("workqueue_depth") == 0)
    wait_until("its objects are gone", lambda: operator.total("qubesec_objects") == api.count_ours())
    requests = len(cluster.audit.requests(mark))
    assert requests < 20 * len(things), "far more requests than there was work"
    assert [one for one in operator.lines(begin) if one["level"] in ("warning", "error")] == [], "nothing was wrong"
    since = cluster.audit.mark()
    time.sleep(3)
    assert cluster.audit.requests(since, namespace) == []
    assert operator.answer("/readyz/watches")[0] == 200


def test_crd_deleted_and_made_again(api, cluster, operators, namespace, proxy, through, clock, tmp_path):
    """It is named, the other kinds go on, also after a restart, and when it is back so is its work, without another."""
    folder = webhook.make_certificates(tmp_path / "webhook")

    def start():
        return operators.start(*webhook.flags(folder), kubeconfig=through, environment=clock.environment).wait_serving()

    operator = start().wait_ready()
    for one in all_kinds(namespace, "old-"):
        api.create(one)
    wait_finished(api, namespace)
    before = secrets(api, namespace)
    crd = api.call("GET", f"{CRDS}/{PLURAL}.qubesec.io")
    api.call("DELETE", f"{CRDS}/{PLURAL}.qubesec.io")
    try:
        wait_until(lambda: f"it is named: {operator.answer('/readyz/watches')}", lambda: is_unheard(operator, PLURAL))
        assert "is its CustomResourceDefinition gone?" in operator.log.read_text()
        assert operator.total("qubesec_watch_failures_total", f'resource="{PLURAL}"') > 0
        assert operator.answer("/readyz") == (200, "ok\n") and answers_reviews(operator, folder)
        api.make(thing(QKKP, namespace, "meanwhile"))
        api.wait_gone("Secret", namespace, "old-numbers")
        operator = start()
        assert answers_reviews(operator, folder)
        api.make(thing(QKKP, namespace, "after-a-restart"))
        assert operator.answer("/readyz/watches")[1].startswith(f"{PLURAL}: no such resource yet: ")
    finally:
        wait_until("it has gone", lambda: f"{PLURAL}.qubesec.io" not in names(api.call("GET", CRDS)))
        api.call("POST", CRDS, {**crd, "metadata": {"name": crd["metadata"]["name"]}, "status": None})
    wait_until("it can be used again", lambda: served(api, namespace))
    clock.advance(operator, LONGEST_BACK_OFF)
    operator.wait_ready()
    api.make(thing(QRN, namespace, "old-numbers"))
    wait_finished(api, namespace)
    after = secrets(api, namespace)
    assert after.pop("old-numbers") != before.pop("old-numbers")
    assert after.items() >= before.items()


def answers_reviews(operator, folder):
    direct = webhook.Direct(webhook.port_of(operator), folder)
    with contextlib.closing(direct):
        return direct.ask("CREATE", thing(QKKP, "default", "pair"))["allowed"]


def names(found):
    return [one["metadata"]["name"] for one in found["items"]]


def served(api, namespace):
    try:
        return api.list(QRN, namespace) == []
    except (ApiError, ValueError):  # a 404 of what is not served is no JSON
        return False


@contextlib.contextmanager
def without(api, group, resource, verbs):
    """Takes these verbs on a resource away from the operator."""
    role = api.call("GET", ROLE)
    rules = []
    for rule in role["rules"]:
        if group in rule["apiGroups"] and resource in rule["resources"]:
            others = [one for one in rule["resources"] if one != resource]
            rules += [{**rule, "resources": others}] if others else []
            left = [verb for verb in rule["verbs"] if verb not in verbs]
            rules += [{**rule, "resources": [resource], "verbs": left}] if left else []
        else:
            rules.append(rule)
    api.call("PATCH", ROLE, {"rules": rules}, "application/merge-patch+json")
    try:
        yield
    finally:
        api.call("PATCH", ROLE, {"rules": role["rules"]}, "application/merge-patch+json")


def test_trap_17_a_right_to_watch_taken_away_and_given_back(api, operators, namespace, proxy, through, clock):
    operator = operators.start(kubeconfig=through, environment=clock.environment).wait_ready()
    with without(api, "qubesec.io", PLURAL, ("list", "watch")):
        proxy.cut_all()  # a watch that is open goes on without the right
        wait_until(lambda: f"it is named: {operator.answer('/readyz/watches')}", lambda: is_unheard(operator, PLURAL))
        told = [one for one in operator.said("list or watch failed, trying again") if one["resource"] == PLURAL]
        assert any("cannot list resource" in one["detail"] for one in told)
        assert operator.total("qubesec_watch_failures_total", f'resource="{PLURAL}",class="forbidden"') > 0
        assert operator.answer("/healthz")[0] == 200, "a restart would not help"
        api.make(thing(QKKP, namespace, "pair"))
        api.create(thing(QRN, namespace, "numbers"))
    wait_until("the right is back", lambda: api.allows(OPERATOR, "list", PLURAL, "qubesec.io", namespace))
    clock.advance(operator, LONGEST_BACK_OFF)
    operator.wait_ready()
    api.wait_success(QRN, namespace, "numbers")


def test_a_right_to_make_secrets_taken_away_and_given_back(api, operators, namespace):
    operator = operators.default()
    api.make(thing(QRN, namespace, "before"))
    before = secrets(api, namespace)
    with without(api, "", "secrets", ("create",)):
        wait_until("the right is gone", lambda: not may_create(api, namespace))
        for one in all_kinds(namespace, "x-"):
            api.create(one)
        failed = api.wait_status(QKKP, namespace, "x-pair", "Failed", "RequestRefused")
        assert 'cannot create resource "secrets"' in failed["status"]["error"]
        assert operator.answer("/readyz/watches")[0] == 200
        assert secrets(api, namespace) == before
    wait_finished(api, namespace)
    check_agreement(api, namespace, "x-")
    assert secrets(api, namespace).items() >= before.items()


def may_create(api, namespace):
    return api.allows(OPERATOR, "create", "secrets", "", namespace)


def set_quota(api, namespace, count):
    """At most so many Secrets; returns once it is in force."""
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    quota = {"metadata": {"name": "quota"}, "spec": {"hard": {"count/secrets": str(count)}}}
    with contextlib.suppress(ApiError):
        api.call("POST", path, quota)
    api.call("PATCH", f"{path}/quota", quota, "application/merge-patch+json")
    wait_until(
        "the quota is in force",
        lambda: api.call("GET", f"{path}/quota").get("status", {}).get("hard") == quota["spec"]["hard"],
    )


def test_a_quota_of_secrets_exceeded_and_raised(api, operators, namespace):
    operators.default()
    seen = Seen(api, namespace)
    try:
        set_quota(api, namespace, 3)
        for one in all_kinds(namespace, "x-"):
            api.create(one)
        wait_until("the quota is used up", lambda: len(secrets(api, namespace)) == 3)
        refused = wait_until("something is refused", lambda: refused_things(api, namespace))
        for one in refused:
            assert "exceeded quota: quota" in one["status"]["error"]
        set_quota(api, namespace, 100)
        wait_finished(api, namespace)
    finally:
        seen.end()
    assert seen.changed() == []
    check_agreement(api, namespace, "x-")


def refused_things(api, namespace):
    everything = [one for kind in (*KINDS, *SIGNATURE_KINDS) for one in api.list(kind, namespace)]
    return [one for one in everything if reason_of(one) == "RequestRefused"]


def test_secrets_refused_by_a_policy_of_others(api, operators, namespace):
    """Each refusal is told in status and Event, and is no reason to ask again and again."""
    operator = operators.default()
    seen = Seen(api, namespace)
    try:
        with refusing_secrets(api, namespace):
            for one in all_kinds(namespace, "x-"):
                api.create(one)
            failed = api.wait_status(QRN, namespace, "x-numbers", "Failed", "RequestRefused")
            assert "no Secrets today" in failed["status"]["error"]
            wait_until("an Event tells it", lambda: api.events(namespace, "x-numbers", "RequestRefused"))
            count = 'controller="quantumrandomnumber"'
            tries = operator.total("controller_runtime_reconcile_errors_total", count)
            time.sleep(5)
            again = operator.total("controller_runtime_reconcile_errors_total", count) - tries
            assert again <= 5, f"{again} tries in 5 s"
            assert not [name for name in secrets(api, namespace) if name.startswith("x-")]
        wait_finished(api, namespace)
    finally:
        seen.end()
    assert seen.changed() == []
    check_agreement(api, namespace, "x-")
