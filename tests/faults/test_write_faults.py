"""What was written and is not seen yet, what was written and not answered, and what is seen and not so any more."""

import contextlib
import time

import pytest
import webhook
import yaml
from api import (
    KINDS, QDK, QES, QKKP, QRN, QSKP, QSM, SIGNATURE_KINDS, config_map_thing, data_of, exchange, thing, version_of, wait_until,
)  # fmt: skip
from audit import WRITES
from faultproxy import Blackhole, Hold, Inject, Reset, Rule
from seen import Seen

SECRETS = "/secrets"
PAIRS = f"/{QKKP.lower()}s"
STATUS = f"{PAIRS}/pair/status"
LABEL = {"secretTemplate": {"labels": {"tier": "gold"}}}


def written(cluster, mark, namespace, resource):
    sent = cluster.audit.requests(mark, namespace)
    return [(one.verb, one.code) for one in sent if one.verb in WRITES and one.resource == resource]


def content_of(api, namespace, name="pair"):
    secret = api.get("Secret", namespace, name)
    return secret["metadata"]["uid"], data_of(secret)


@pytest.fixture
def seen(api, namespace):
    all_that_was = Seen(api, namespace)
    yield all_that_was
    all_that_was.end()


# ---- the store is behind


def test_trap_29_a_store_that_is_behind_makes_nothing_twice(api, cluster, operators, proxy, through, namespace, seen):
    """The watch of Secrets says nothing at all, so all that is known of them is what the operator wrote itself."""
    mark = cluster.audit.mark()
    rule = proxy.add(Rule(Blackhole(), path=SECRETS, watch=True))
    operator = operators.start(kubeconfig=through).wait_ready()
    wait_until("Secrets are watched", lambda: rule.hits > 0)
    api.make(*exchange(namespace))
    api.patch(QKKP, namespace, "pair", {"spec": LABEL})
    wait_until("the label is there", lambda: api.get("Secret", namespace, "pair")["metadata"]["labels"].get("tier"))
    api.wait_success(QKKP, namespace, "pair")
    operator.settle()
    assert sorted(written(cluster, mark, namespace, "secrets")) == [("create", 201)] * 5 + [("patch", 200)]
    assert [len(versions) for versions in seen.secrets.values()] == [1] * 5


@pytest.mark.parametrize("fault", [Reset(), Inject(504, forward=True)], ids=["reset", "gateway"])
def test_trap_29_a_write_whose_answer_is_lost_is_found_again(api, operators, proxy, through, namespace, seen, fault):
    """Nobody says that the Secret was made: not the answer, and not the watch."""
    proxy.add(Rule(Blackhole(), path=SECRETS, watch=True))
    lost = proxy.add(Rule(fault, method="POST", path=SECRETS, times=1))
    operator = operators.start(kubeconfig=through).wait_ready()
    made = api.make(thing(QKKP, namespace, "pair"))[0]
    operator.settle()
    assert lost.hits == 1
    assert [one.status for one in proxy.of(SECRETS, method="POST")][-1] == 409, "it tried, and looked at what is there"
    assert api.output(made)["metadata"]["uid"] == made["status"]["secretRef"]["uid"]
    assert len(seen.secrets["pair"]) == len(seen.keys["pair"]) == 1


# ---- what cannot succeed


def test_trap_27_a_bad_spec_is_not_tried_again_until_it_is_edited(api, operators, namespace):
    operator = operators.start().wait_ready()
    bad = {"secretTemplate": {"labels": {"a..b/c": "v"}}}  # which the schema lets through
    api.create(thing(QKKP, namespace, "pair", bad))
    api.wait_status(QKKP, namespace, "pair", "Failed", "InvalidSpec")
    operator.settle()

    def looks():
        return len([one for one in operator.said("InvalidSpec") if one["namespace"] == namespace])

    looked = looks()
    time.sleep(3)  # what is tried again is so after a second, and then two
    assert looks() == looked <= 2, "at most the object, and its new status"
    api.patch(QKKP, namespace, "pair", {"spec": {"secretTemplate": {"labels": {"a..b/c": None}}}})
    api.wait_success(QKKP, namespace, "pair")


# ---- the status


def test_trap_32_a_status_that_is_refused_is_made_anew_from_what_is_so_now(api, operators, proxy, through, namespace):
    """While it is on its way the object changes; the same body again would be refused for ever, or be wrong."""
    late = proxy.add(Rule(Hold(), path=STATUS, times=1))
    operator = operators.start(kubeconfig=through).wait_ready()
    api.create(thing(QKKP, namespace, "pair"))
    wait_until("the status is on its way", lambda: late.hits)
    api.patch(QKKP, namespace, "pair", {"spec": LABEL})
    late.fault.go.set()
    found = api.wait_success(QKKP, namespace, "pair")
    operator.settle()
    assert [one.status for one in proxy.of(STATUS)] == [409, 200]
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"] == 2
    assert api.get("Secret", namespace, "pair")["metadata"]["labels"]["tier"] == "gold"


# ---- time travel


def test_trap_35_an_api_server_that_is_behind_destroys_nothing(api, cluster, operators, proxy, through, namespace):
    """After a restart the list is an old one: an object of the same name that was deleted meanwhile, and made again."""
    operators.default()
    api.make(thing(QKKP, namespace, "pair"))
    behind = api.call("GET", api.path(QKKP))
    api.delete(QKKP, namespace, "pair")
    api.wait_gone("Secret", namespace, "pair")
    api.make(thing(QKKP, namespace, "pair"))
    operators.default().settle()
    operators.stop()
    before = content_of(api, namespace), version_of(api.get("Secret", namespace, "pair")), api.get(QKKP, namespace, "pair")
    old = next(one for one in behind["items"] if one["metadata"]["namespace"] == namespace)
    assert old["metadata"]["uid"] != before[2]["metadata"]["uid"]

    mark = cluster.audit.mark()
    stale = proxy.add(Rule(Inject(200, behind), method="GET", path=PAIRS, watch=False, times=1))
    held = proxy.add(Rule(Blackhole(), path=PAIRS, watch=True))
    operator = operators.start(kubeconfig=through).wait_ready()
    wait_until("the old object was looked at", lambda: proxy.of(STATUS))
    operator.settle()
    assert stale.hits == 1 and held.hits >= 1
    assert written(cluster, mark, namespace, "secrets") == []
    assert {code for _, code in written(cluster, mark, namespace, f"{QKKP.lower()}s/status")} <= {409}
    proxy.remove(held)
    proxy.cut_all()
    wait_until("it has caught up", lambda: operator.total("qubesec_objects", QKKP) and proxy.of(PAIRS, watch=True)[-1].status == 200)
    operator.settle()
    after = content_of(api, namespace), version_of(api.get("Secret", namespace, "pair")), api.get(QKKP, namespace, "pair")
    assert after == before


# ---- a replacement because of what is not so any more


def without_data(secrets):
    """A list of Secrets as it is of their metadata only."""
    items = [{key: one[key] for key in ("metadata",)} for one in secrets["items"]]
    return {**secrets, "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": items}


def start_behind(operators, proxy, through, old):
    """An operator that is shown old answers first, by path, and then nothing; until the proxy is cleared."""
    rules = [proxy.add(Rule(Inject(200, body), method="GET", path=path, watch=False, times=1)) for path, body in old.items()]
    for path in old:
        proxy.add(Rule(Blackhole(), path=path, watch=True))
    operator = operators.start(kubeconfig=through).wait_ready()
    operator.settle()
    assert all(rule.hits == 1 for rule in rules)
    return operator


def test_trap_52_nothing_is_replaced_because_of_an_old_view_of_its_object(api, cluster, operators, proxy, through, namespace):
    """An edit that the list does not show has been served already: what it asks for is not taken back."""
    operators.default()
    api.create(config_map_thing(namespace, "message", {"message": "a message"}))
    spec = {"privateKeyRef": {"name": "signer"}, "messageRef": {"name": "message", "kind": "ConfigMap"}, "context": "old"}
    api.make(thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}), thing(QSM, namespace, "signed", spec))
    plural = f"/{QSM.lower()}s"
    behind = api.call("GET", api.path(QSM))
    api.patch(QSM, namespace, "signed", {"spec": {"context": "new"}})
    api.wait_success(QSM, namespace, "signed")
    operators.default().settle()
    operators.stop()
    before = api.get("Secret", namespace, "signed-signature")

    mark = cluster.audit.mark()
    operator = start_behind(operators, proxy, through, {rf"{plural}(\?(?!.*fieldSelector)|$)": behind})
    assert written(cluster, mark, namespace, "secrets") == []
    assert api.get("Secret", namespace, "signed-signature") == before
    proxy.clear()
    proxy.cut_all()
    operator.settle()
    assert api.get("Secret", namespace, "signed-signature") == before


def test_trap_52_nothing_is_replaced_because_of_an_old_view_of_its_inputs(api, cluster, operators, proxy, through, namespace):
    """The lists, and the API server's memory, show a shared secret that has been replaced; the key is of the new one."""
    operators.default()
    api.make(*exchange(namespace))
    sealed, secrets = f"/{QES.lower()}s", without_data(api.call("GET", "/api/v1/secrets"))
    old = {
        rf"{sealed}(\?(?!.*fieldSelector)|$)": api.call("GET", api.path(QES)),
        r"^/api/v1/secrets(\?|$)": secrets,
        rf"/namespaces/{namespace}/secrets/sealed\?resourceVersion=": api.get("Secret", namespace, "sealed"),
    }
    fingerprint = api.get(QDK, namespace, "bob")["status"]["fingerprint"]
    lost = dict.fromkeys(("shared_secret", "ciphertext", "metadata"), "eA==")
    api.patch("Secret", namespace, "sealed", {"data": lost})
    wait_until("the key is another one", lambda: api.wait_success(QDK, namespace, "bob")["status"]["fingerprint"] != fingerprint)
    operators.default().settle()
    operators.stop()
    before = api.get("Secret", namespace, "bob")

    mark = cluster.audit.mark()
    operator = start_behind(operators, proxy, through, old)
    assert written(cluster, mark, namespace, "secrets") == []
    assert api.get("Secret", namespace, "bob") == before
    proxy.clear()
    proxy.cut_all()
    operator.settle()
    assert api.get("Secret", namespace, "bob") == before


def test_trap_35_no_key_is_ever_deleted(cluster):
    """The operator has no right to, so that no mistake of its own can destroy a key. ConfigMaps hold none."""
    rules = [
        rule
        for path in ("role.yaml", "own_namespace_role.yaml", "leader_election.yaml")
        for document in yaml.safe_load_all((webhook.CHECKOUT / "config" / "rbac" / path).read_text())
        for rule in document.get("rules", [])
    ]
    deleting = [rule["resources"] for rule in rules if {"delete", "deletecollection", "*"} & set(rule["verbs"])]
    assert deleting == [["configmaps"]]


# ---- ownership, finalizers, apply


def test_trap_37_nothing_of_ours_holds_up_a_deletion(api, operators, namespace):
    """Objects of all kinds, their Secrets and their namespace can be deleted when the operator is there no more."""
    operators.default()
    sample = webhook.CHECKOUT / "config" / "samples" / "complete-workflow.yaml"
    things = list(yaml.safe_load_all(sample.read_text()))
    for one in things:
        one["metadata"]["namespace"] = namespace
        api.create(one)
    all_kinds = (*KINDS, *SIGNATURE_KINDS)
    assert {one["kind"] for one in things} == set(all_kinds)
    wait_until("all are finished", lambda: all(
        one.get("status", {}).get("status") in ("Success", "Valid") for kind in all_kinds for one in api.list(kind, namespace)
    ))  # fmt: skip
    operators.stop()
    for kind in (*all_kinds, "Secret"):
        assert not [one for one in api.list(kind, namespace) if one["metadata"].get("finalizers")], kind
    api.delete(QKKP, namespace, "workflow-kem")
    api.wait_gone("Secret", namespace, "workflow-kem")
    api.delete("Namespace", None, namespace)
    api.wait_gone("Namespace", None, namespace)


def test_trap_38_a_write_to_what_was_deleted_makes_it_not_again(api, operators, proxy, through, namespace):
    late = proxy.add(Rule(Hold(), path=STATUS, times=1))
    operator = operators.start(kubeconfig=through).wait_ready()
    api.create(thing(QKKP, namespace, "pair"))
    wait_until("the status is on its way", lambda: late.hits)
    api.delete(QKKP, namespace, "pair")
    late.fault.go.set()
    wait_until("it has arrived", lambda: proxy.of(STATUS)[0].status)
    assert proxy.of(STATUS)[0].status == 404
    operator.settle()
    assert api.find(QKKP, namespace, "pair") is None
    api.wait_gone("Secret", namespace, "pair")  # it was made for an object that is there no more


def test_trap_38_an_apply_to_a_configuration_that_was_deleted_makes_it_not_again(
    api, cluster, operators, proxy, through, tmp_path
):
    """Only the webhook's caBundle is applied; an apply without uid would make the rest of it anew, and empty."""
    cluster.kubectl("apply", "--filename", webhook.CHECKOUT / "config/webhook/role.yaml")
    (wanted,) = yaml.safe_load_all((webhook.CHECKOUT / "config/webhook/validating_webhook.yaml").read_text())
    configuration = webhook.Configuration(api, tmp_path)
    configuration.remove()
    wanted["webhooks"][0]["clientConfig"] = {"url": "https://127.0.0.1:1/validate"}
    path = f"{webhook.CONFIGURATIONS}/{wanted['metadata']['name']}"
    late = proxy.add(Rule(Hold(), method="PATCH", path="/validatingwebhookconfigurations/", times=1))
    api.call("POST", webhook.CONFIGURATIONS, wanted)
    try:
        operator = operators.start("--webhook-bind-address", "127.0.0.1:0", kubeconfig=through).wait_started()
        wait_until("the apply is on its way", lambda: late.hits)
        api.call("DELETE", path)
        late.fault.go.set()
        wait_until("it has arrived", lambda: proxy.of("/validatingwebhookconfigurations/", method="PATCH")[0].status)
        assert proxy.of("/validatingwebhookconfigurations/", method="PATCH")[0].status in (404, 409)
        wait_until("it knows", lambda: operator.said("nothing calls the webhook"))
        assert api.call("GET", webhook.CONFIGURATIONS)["items"] == []
    finally:
        configuration.remove()
        with contextlib.suppress(Exception):
            api.delete("Secret", "qubesec-system", "qubesec-webhook-certificate")


# ---- Events


def test_trap_39_events_that_are_refused_hold_up_nothing(api, operators, proxy, through, namespace):
    refused = proxy.add(Rule(Inject(500, "no"), path="/events.k8s.io/"))
    operators.start(kubeconfig=through).wait_ready()
    api.make(thing(QKKP, namespace, "pair"), thing(QRN, namespace, "numbers"))
    wait_until("an Event was refused", lambda: refused.hits)
    proxy.remove(refused)
    api.make(thing(QRN, namespace, "more"))
    wait_until("the next one is recorded", lambda: api.events(namespace, "more", "Succeeded"))
