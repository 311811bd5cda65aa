"""The control plane is restarted, compacted, set back in time, and full, while the operator runs."""

import pytest
from api import QKKP, ApiError, config_map_thing, wait_until
from breakable import api, cluster, etcd, halt, operators, resume, the_proxy
from seen import Seen, begun
from work import WATCHES, Load, all_kinds, check_agreement, finish, secrets, wait_finished

__all__ = ["api", "cluster", "etcd", "operators", "the_proxy"]
MEBIBYTE = 1024 * 1024


def failed_watches(operator):
    return {one["resource"] for one in operator.said("list or watch failed, trying again")}


def test_apiserver_restarted_under_load(api, cluster, operators, namespace):
    operator = operators.default()
    seen = Seen(api, namespace)
    with Load(api, namespace) as load:
        for _ in range(2):
            enough = len(seen.secrets) + 20
            wait_until("work is under way", lambda enough=enough: len(seen.secrets) >= enough)
            operator.freeze_at_work(lambda: begun(api, namespace))
            halt(cluster, "kube-apiserver")
            operator.thaw()  # it goes on with what it has begun, and is not answered
            resume(cluster, "kube-apiserver")
    finish(api, namespace, seen, *load.prefixes)
    operator.wait_ready().settle()
    assert len(failed_watches(operator)) == WATCHES
    assert operator.total("rest_client_requests_total", 'code="<error>"') > 0


def test_compacted_all_the_time_under_load(api, etcd, operators, namespace, proxy, through):
    """And all connections cut each time, so that every watch is taken up again from a revision that is gone."""
    operator = operators.start(kubeconfig=through).wait_ready()
    seen = Seen(api, namespace)
    with Load(api, namespace) as load:
        for _ in range(4):
            enough = len(seen.secrets) + 20
            wait_until("work is under way", lambda enough=enough: len(seen.secrets) >= enough)
            etcd.compact()
            proxy.cut_all()
    finish(api, namespace, seen, *load.prefixes)
    operator.wait_ready().settle()
    assert len(failed_watches(operator)) == WATCHES


def test_trap_10_set_back_in_time_while_the_operator_runs(api, etcd, operators, namespace):
    """What was made after the snapshot is lost with it; all else is brought in order, without a restart."""
    operators.default()
    for one in [*all_kinds(namespace, "old-"), *all_kinds(namespace, "gone-")]:
        api.create(one)
    wait_finished(api, namespace)
    operators.stop()
    for one in all_kinds(namespace, "half-"):
        api.create(one)
    before = secrets(api, namespace)
    api.create(config_map_thing(namespace, "clock"))
    copy = etcd.take_snapshot()
    for tick in range(600):  # more than is written after the restore until the operator is back
        api.patch("ConfigMap", namespace, "clock", {"data": {"tick": str(tick)}})

    operator = operators.default()
    for one in all_kinds(namespace, "new-"):
        api.create(one)
    for one in all_kinds(namespace, "gone-"):
        api.delete(one["kind"], namespace, one["metadata"]["name"])
    wait_finished(api, namespace)
    wait_until("they are gone", lambda: not [name for name in secrets(api, namespace) if name.startswith("gone-")])
    lost = secrets(api, namespace)
    operator.settle()
    etcd.restore(copy)

    wait_until("it is noticed", lambda: "restored from a backup" in operator.log.read_text())
    wait_finished(api, namespace)
    operator.wait_ready().settle()
    # For objects that it still knew when their Secrets were gone already it may have made some, which have no owner.
    wait_until("they are collected", lambda: not [name for name in secrets(api, namespace) if name.startswith("new-")])
    after = secrets(api, namespace)
    assert after.items() >= before.items(), "a key that was visible when the snapshot was taken has changed"
    remade = {name for name in after if name.startswith("half-")}
    assert remade == {name for name in lost if name.startswith("half-")}
    for prefix in ("old-", "gone-", "half-"):
        check_agreement(api, namespace, prefix)
    assert operator.total("qubesec_objects") == api.count_ours()
    noticed = {one["resource"] for one in operator.said("list or watch failed, trying again") if "restored" in one["detail"]}
    assert noticed >= {"secrets", f"{QKKP.lower()}s"}
    for one in all_kinds(namespace, "new-"):
        api.create(one)
    wait_finished(api, namespace)
    assert not secrets(api, namespace).items() & {name: lost[name] for name in lost if name.startswith("new-")}.items()


def fill(api, etcd, namespace):
    """Writes until nothing more can be written."""
    api.create(config_map_thing(namespace, "ballast"))
    with pytest.raises(ApiError, match="database space exceeded"):
        for turn in range(1000):
            api.patch("ConfigMap", namespace, "ballast", {"data": {"ballast": f"{turn:07}" * 100_000}})
    assert [one["alarm"] for one in etcd.alarms()] == ["NOSPACE"]


def test_full_disk(api, cluster, etcd, operators, namespace):
    """etcd takes no writes: nothing is lost, it is told, and what is waiting is done once there is room."""
    operators.default()
    for one in all_kinds(namespace, "old-"):
        api.create(one)
    wait_finished(api, namespace)
    operators.stop()
    for one in all_kinds(namespace, "new-"):
        api.create(one)
    seen = Seen(api, namespace)
    etcd.make_room()
    halt(cluster, "etcd")
    resume(cluster, "etcd", flags=[f"--quota-backend-bytes={etcd.size_on_disk() + 8 * MEBIBYTE}"])
    fill(api, etcd, namespace)

    operator = operators.default()
    told = "could not finish, trying again"
    wait_until("it is told", lambda: [one for one in operator.said(told) if "database space exceeded" in one["detail"]])
    wait_until("it is counted", lambda: operator.total("rest_client_requests_total", 'code="500"') > 3)
    assert operator.total("controller_runtime_reconcile_errors_total", 'class="retryable"') > 0
    assert operator.total("qubesec_objects", 'status="Unknown"') == len(all_kinds("")) - 1
    assert operator.total("qubesec_secrets_written_total") == 0
    assert not [name for name in secrets(api, namespace) if name.startswith("new-")]

    etcd.make_room()
    halt(cluster, "etcd")
    resume(cluster, "etcd")
    finish(api, namespace, seen, "old-", "new-")
    since = operator.log.stat().st_size
    operator.wait_ready().settle()
    assert "database space exceeded" not in operator.log.read_text()[since:]
