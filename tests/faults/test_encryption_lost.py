"""The API server has lost the key that some Secrets are encrypted with: no list of Secrets is answered any more."""

import base64
import json

from api import QES, QKKP, QRN, ready_of, thing, wait_until
from breakable import api, cluster, etcd, halt, operators, resume, the_proxy
from clock import Clock
from watching import LONGEST_BACK_OFF
from work import wait_finished

__all__ = ["api", "cluster", "etcd", "operators", "the_proxy"]

SILENCE = 301  # seconds; after 300 a watch is not up


class Encryption:
    """What the API server encrypts Secrets with: the first of these keys; it reads those of all, and what is in plain."""

    def __init__(self, cluster):
        self.cluster = cluster
        self.file = cluster.folder / "encryption.json"

    def use(self, *names, page="/readyz"):
        keys = [{"name": name, "secret": base64.b64encode(name.ljust(32).encode()).decode()} for name in names]
        providers = [*([{"aescbc": {"keys": keys}}] if keys else []), {"identity": {}}]
        configuration = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [{"resources": ["secrets"], "providers": providers}],
        }
        self.file.write_text(json.dumps(configuration))
        halt(self.cluster, "kube-apiserver")
        resume(self.cluster, "kube-apiserver", flags=[f"--encryption-provider-config={self.file}"], page=page)


def stored(etcd, namespace, name):
    """The Secret as etcd has it, with the revision of its last change."""
    key = base64.b64encode(f"/registry/secrets/{namespace}/{name}".encode()).decode()
    [found] = etcd.call("kv/range", {"key": key})["kvs"]
    return found


def serve(api, namespace, name):
    """Work on objects whose own Secrets can be read: a new one, and an edit of another."""
    api.make(thing(QRN, namespace, name))
    api.patch(QRN, namespace, "other", {"spec": {"secretTemplate": {"labels": {"turn": name}}}})

    def labels():
        return api.get("Secret", namespace, "other")["metadata"]["labels"]

    wait_until("the edit is served", lambda: labels().get("turn") == name)


def down(operator):
    """What the metric says of the watch of Secrets while it is not up."""
    return [name for name, value in operator.metrics().items() if "qubesec_watch_up" in name and "secrets" in name and value == 0]


def test_nothing_is_made_anew_and_all_goes_on_when_it_is_back(api, cluster, etcd, operators, namespace, clock, tmp_path):
    encryption = Encryption(cluster)
    operator = operators.start("--debug-endpoints", environment=clock.environment).wait_ready()
    api.make(thing(QRN, namespace, "other"))
    encryption.use("first")
    api.make(thing(QKKP, namespace, "lost"))
    clock.advance(operator, LONGEST_BACK_OFF)
    operator.wait_ready().settle()
    before, path = stored(etcd, namespace, "lost"), f"/secrets/{namespace}/lost"

    # The operator runs while it happens. The API server does not call itself ready from now on, but it answers.
    encryption.use("second", page="/version")
    failed = "list or watch failed, trying again"
    wait_until("the log has the path", lambda: any(path in one["detail"] for one in operator.said(failed)))
    clock.advance(operator, LONGEST_BACK_OFF)  # which all watches have after the restart
    serve(api, namespace, "during")
    clock.advance(operator, SILENCE)
    wait_until("the metric has the path", lambda: any(path in one for one in down(operator)))
    assert operator.answer("/readyz") == (200, "ok\n")

    # And it starts in it.
    (tmp_path / "again").mkdir()
    clock = Clock(operators, tmp_path / "again")
    operator = operators.start("--debug-endpoints", environment=clock.environment).wait_serving()
    wait_until("it begins", lambda: operator.said("starting workers"))
    serve(api, namespace, "after")
    api.create(thing(QES, namespace, "dependent", {"publicKeyRef": {"name": "lost"}}))
    waiting = api.wait_status(QES, namespace, "dependent", "Pending", "Retrying")
    assert path in ready_of(waiting)["message"]
    status, text = operator.answer("/readyz/watches")
    assert status == 503 and text.startswith("secrets: not listed yet: listing secrets: ") and path in text
    [said] = down(operator)
    assert path in said
    [watch] = [one for one in json.loads(operator.answer("/debug/state")[1])["watches"] if one["resource"] == "secrets"]
    assert watch["condition"] == "not listed yet" and path in watch["detail"]
    assert api.get(QKKP, namespace, "lost")["status"]["status"] == "Success", "nothing is known against it"
    assert operator.total("qubesec_secrets_written_total") == 1, "the one that was asked for"
    assert stored(etcd, namespace, "lost") == before

    encryption.use("second", "first", page="/version")
    clock.advance(operator, LONGEST_BACK_OFF)
    operator.wait_ready()
    wait_finished(api, namespace)
    assert down(operator) == [] and stored(etcd, namespace, "lost") == before
