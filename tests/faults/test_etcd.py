"""The control plane is restarted, compacted, set back in time, and full, while the operator runs."""

import http.client
import threading
import time

from api import QKKP, QRN, ApiError, config_map_thing, thing, wait_until
from breakable import api, cluster, etcd, halt, operators, resume, the_proxy
from seen import Seen
from work import PATIENCE, all_kinds, check_agreement, secrets, unfinished, wait_finished

__all__ = ["api", "cluster", "etcd", "operators", "the_proxy"]
WATCHES = 11  # nine kinds, Secrets, ConfigMaps


class Load:
    """Creates objects of all kinds, set by set, on a thread, until it is left; whatever becomes of the API server."""

    def __init__(self, api, namespace):
        self.api, self.namespace = api, namespace
        self.count = 0  # sets, of which all is there
        self.left = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.left.set()
        self.thread.join()

    def run(self):
        while not self.left.is_set():
            for one in all_kinds(self.namespace, f"x{self.count}-"):
                wait_until(f"{one['metadata']['name']} is there", lambda one=one: self.create(one), PATIENCE)
            self.count += 1

    def create(self, one):
        time.sleep(0.02)
        try:
            self.api.create(one)
        except ApiError as error:
            return error.status == 409  # although the answer that said so was lost
        except (OSError, http.client.HTTPException, ValueError):
            return False
        return True


def finish(api, namespace, seen, count):
    """Waits until all is done, and looks at what came of it."""
    try:
        wait_finished(api, namespace)
    finally:
        seen.end()
    assert seen.changed() == [], "something that was to be seen was made twice"
    assert len(seen.keys) == 4 * count
    for number in range(count):
        check_agreement(api, namespace, f"x{number}-")


def failed_watches(operator):
    return {one["resource"] for one in operator.said("list or watch failed, trying again")}


def test_apiserver_restarted_under_load(api, cluster, operators, namespace):
    operator = operators.default()
    seen = Seen(api, namespace)
    with Load(api, namespace) as load:
        for _ in range(3):
            enough = len(seen.secrets) + 20
            wait_until("work is under way", lambda enough=enough: len(seen.secrets) >= enough)
            halt(cluster, "kube-apiserver")
            resume(cluster, "kube-apiserver")
    finish(api, namespace, seen, load.count)
    operator.wait_ready().settle()
    assert len(failed_watches(operator)) == WATCHES
    assert operator.total("rest_client_requests_total", 'code="<error>"') > 0


def test_compacted_all_the_time_under_load(api, etcd, operators, namespace, proxy, through):
    """And all connections cut each time, so that every watch is taken up again from a revision that is gone."""
    operator = operators.start(kubeconfig=through).wait_ready()
    seen = Seen(api, namespace)
    with Load(api, namespace) as load:
        for _ in range(5):
            enough = len(seen.secrets) + 20
            wait_until("work is under way", lambda enough=enough: len(seen.secrets) >= enough)
            etcd.compact()
            proxy.cut_all()
    finish(api, namespace, seen, load.count)
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
    copy = etcd.take_snapshot()
    then = etcd.revision()

    operator = operators.default()
    for one in all_kinds(namespace, "new-"):
        api.create(one)
    for one in all_kinds(namespace, "gone-"):
        api.delete(one["kind"], namespace, one["metadata"]["name"])
    wait_finished(api, namespace)
    wait_until("they are gone", lambda: not [name for name in secrets(api, namespace) if name.startswith("gone-")])
    lost = secrets(api, namespace)
    api.create(config_map_thing(namespace, "clock"))
    while etcd.revision() < then + 2000:  # more than the restored one writes until the operator is back
        api.patch("ConfigMap", namespace, "clock", {"data": {"revision": str(etcd.revision())}})
    operator.settle()
    etcd.restore(copy)

    wait_until("it is noticed", lambda: "restored from a backup" in operator.log.read_text())
    wait_finished(api, namespace)
    operator.wait_ready().settle()
    after = secrets(api, namespace)
    assert after.items() >= before.items(), "a key that was visible when the snapshot was taken has changed"
    assert {name.partition("-")[0] for name in after} == {"old", "gone", "half"}
    remade = {name for name in after if name.startswith("half-")}
    assert remade == {name for name in lost if name.startswith("half-")}
    for prefix in ("old-", "gone-", "half-"):
        check_agreement(api, namespace, prefix)
    assert operator.total("qubesec_objects") == sum(one["kind"] != "ConfigMap" for one in all_kinds("")) * 3
    noticed = {one["resource"] for one in operator.said("list or watch failed, trying again") if "restored" in one["detail"]}
    assert noticed >= {"secrets", f"{QKKP.lower()}s"}
    for one in all_kinds(namespace, "new-"):
        api.create(one)
    wait_finished(api, namespace)
    assert not secrets(api, namespace).items() & {name: lost[name] for name in lost if name.startswith("new-")}.items()
