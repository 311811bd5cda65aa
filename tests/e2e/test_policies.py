"""config/policies on a real API server: what each refuses and with what words, what it lets pass, and that the operator and
Kubernetes' own controllers go on working under it."""

import contextlib
import json
import pathlib
import re
import subprocess

import pytest
import yaml
from api import (
    QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, ApiError, exchange, secret_thing, thing, wait_until,
)  # fmt: skip

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
POLICIES = CHECKOUT / "config" / "policies"
SYSTEM = "qubesec-system"
LABEL = {"app.kubernetes.io/managed-by": "qubesec"}
OWNER = {"apiVersion": "qubesec.io/v1", "kind": QKKP, "name": "pair", "uid": "0" * 8, "controller": True}
MARKS = {  # any one of them says that a Secret is the operator's
    "label": {"labels": LABEL},
    "owner": {"annotations": {"qubesec.io/owner": f"{QKKP}/pair"}},
    "owner-with-namespace": {"annotations": {"qubesec.io/owner": f"{QKKP}/there/pair"}},
    "reference": {"ownerReferences": [OWNER]},
    "reference-of-later-version": {"ownerReferences": [{**OWNER, "apiVersion": "qubesec.io/v2", "controller": False}]},
}
SEED = "00" * 48


def attempt(api, thing_, query="dryRun=All"):
    """The words with which creating it is refused; empty: it is not."""
    try:
        api.call("POST", f"{api.path(thing_['kind'], thing_['metadata']['namespace'])}?{query}", thing_)
    except ApiError as error:
        assert error.status in (403, 422), error
        return str(error)
    return ""


@contextlib.contextmanager
def in_force(cluster, name, refused):
    """The policy, for a while; refused: says whether it is in force."""
    try:
        cluster.kubectl("apply", "--kustomize", str(POLICIES / name))
        wait_until(f"{name} is in force", refused)
        yield
    finally:
        cluster.kubectl("delete", "--kustomize", str(POLICIES / name))
    wait_until(f"{name} is no longer in force", lambda: not refused())


# Algorithms


@pytest.fixture(scope="class")
def space(api):
    return api.create({"kind": "Namespace", "metadata": {"generateName": "policies-"}})["metadata"]["name"]


WEAK = ("512", "44", "Dilithium2", "128")  # in the names of what is below category 3, and in no other
MINIMAL = {
    QKKP: {},
    QSKP: {},
    QC: {"commonName": "a"},
    QES: {"publicKeyRef": {"name": "a"}},
    QDS: {"privateKeyRef": {"name": "a"}, "ciphertextRef": {"name": "b"}},
    QSM: {"privateKeyRef": {"name": "a"}, "messageRef": {"name": "b"}},
    QVS: {"publicKeyRef": {"name": "a"}, "messageRef": {"name": "b"}, "signatureRef": {"name": "c"}},
}


def algorithms_of(kind):
    definition = yaml.safe_load((CHECKOUT / "config" / "crd" / f"{kind.lower()}s.yaml").read_text())
    spec = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    [rule] = spec["properties"]["algorithm"]["x-kubernetes-validations"]
    return re.findall(r"'([^']+)'", rule["rule"])


class TestAlgorithms:
    @pytest.fixture(scope="class", autouse=True)
    def policy(self, api, cluster, operators, space):
        operators.stop()
        api.create(thing(QKKP, space, "before", {"algorithm": "ML-KEM-512"}))
        with in_force(cluster, "algorithms", lambda: attempt(api, thing(QKKP, space, "a", {"algorithm": "ML-KEM-512"}))):
            yield

    @pytest.mark.parametrize("kind", MINIMAL)
    def test_every_name_of_every_algorithm(self, api, space, kind):
        names = algorithms_of(kind)
        answers = {name: attempt(api, thing(kind, space, "a", {**MINIMAL[kind], "algorithm": name})) for name in names}
        refused = {name: said for name, said in answers.items() if said}
        assert refused.keys() == {name for name in names if any(part in name for part in WEAK)}
        for name, said in refused.items():
            assert f"spec.algorithm: {name} is not of security category 3" in said
            assert "use ML-KEM-768" in said

    @pytest.mark.parametrize("kind", MINIMAL)
    def test_the_default_passes(self, api, space, kind):
        assert attempt(api, thing(kind, space, "a", MINIMAL[kind])) == ""

    @pytest.mark.parametrize("kind", ["Secret", "ConfigMap"])
    def test_a_key_that_somebody_brought_needs_an_algorithm(self, api, space, kind):
        reference = {"kind": kind, "name": "a", "key": "b"}
        verify = {**MINIMAL[QVS], "publicKeyRef": reference}
        for wanted, algorithm in ((thing(QES, space, "a", {"publicKeyRef": reference}), "ML-KEM-768"),
                                  (thing(QVS, space, "a", verify), "ML-DSA-65")):  # fmt: skip
            assert "say which algorithm the key in spec.publicKeyRef is for" in attempt(api, wanted)
            wanted["spec"]["algorithm"] = algorithm
            assert attempt(api, wanted) == ""

    def test_kinds_without_a_category_pass(self, api, space):
        assert attempt(api, thing(QRN, space, "a", {})) == ""
        assert attempt(api, thing(QDK, space, "a", {"sharedSecretRef": {"name": "a"}, "algorithm": "HKDF-SHA256"})) == ""

    def test_what_was_there_before_can_be_labelled_and_deleted_but_not_edited(self, api, space):
        api.patch(QKKP, space, "before", {"metadata": {"labels": {"a": "b"}, "finalizers": ["qubesec.io/test"]}})
        with pytest.raises(ApiError, match="security category 3"):
            api.patch(QKKP, space, "before", {"spec": {"deletionPolicy": "Retain"}})
        api.delete(QKKP, space, "before")
        api.patch(QKKP, space, "before", {"metadata": {"finalizers": None}})
        api.wait_gone(QKKP, space, "before")


# Secrets


class TestSecrets:
    @pytest.fixture(scope="class", autouse=True)
    def policy(self, api, cluster, space):
        with in_force(cluster, "secrets", lambda: attempt(api, secret_thing(space, "a", {}, labels=LABEL))):
            yield

    @pytest.mark.parametrize("mark", MARKS)
    def test_nobody_else_makes_one(self, api, space, mark):
        said = attempt(api, secret_thing(space, "a", {"key": b"mine"}, **MARKS[mark]))
        assert "only the QubeSec operator writes Secrets that carry one of its marks" in said
        assert "for another key create another resource" in said

    @pytest.mark.parametrize(
        "metadata",
        [
            {},
            {"labels": {"app.kubernetes.io/managed-by": "Helm"}},
            {"labels": {"a": "b"}, "annotations": {"qubesec.io/restore-to": "there", "example.com/owner": "a"}},
            {"ownerReferences": [{**OWNER, "apiVersion": "v1", "kind": "Namespace"}]},
            {"ownerReferences": [{**OWNER, "apiVersion": "not-qubesec.io/v1"}]},
        ],
    )
    def test_others_secrets_are_left_alone(self, api, space, metadata):
        assert attempt(api, secret_thing(space, "others", {"key": b"theirs"}, **metadata)) == ""

    @pytest.mark.parametrize("mark", MARKS)
    def test_nobody_else_puts_a_mark_on(self, api, namespace, mark):
        api.create(secret_thing(namespace, "others", {"key": b"theirs"}, labels={"a": "b"}))
        api.patch("Secret", namespace, "others", {"data": {"key": "AAAA"}})
        with pytest.raises(ApiError, match="only the QubeSec operator"):
            api.patch("Secret", namespace, "others", {"metadata": MARKS[mark]})
        api.delete("Secret", namespace, "others")

    @pytest.mark.parametrize("mark", ["label", "owner", "owner-with-namespace", "reference"])
    def test_one_mark_is_enough(self, api, cluster, operators, operator, namespace, mark):
        """A Secret that has lost the others is the operator's still: nobody else writes it or takes the last one off."""
        (made,) = api.make(thing(QKKP, namespace, "pair"))
        operators.stop()  # else it would bring the others back
        lost = {"labels": None, "annotations": None, "ownerReferences": None}
        left = {**MARKS[mark], **({"ownerReferences": api.output(made)["metadata"]["ownerReferences"]} if mark == "reference" else {})}
        as_operator = f"--as=system:serviceaccount:{SYSTEM}:qubesec-operator"
        patch = ("patch", "secret", "pair", "--namespace", namespace, as_operator, "--type=merge", "--patch")
        for metadata in (lost, left):
            cluster.kubectl(*patch, json.dumps({"metadata": metadata}))
        before = api.output(made)
        assert {name for name in lost if name in before["metadata"]} == set(left)
        restore = {"annotations": {"qubesec.io/restore-to": "there"}}
        for change in ({"data": {"private_key": "AAAA"}}, {"metadata": lost}, {"metadata": restore}):
            with pytest.raises(ApiError, match="only the QubeSec operator"):
                api.patch("Secret", namespace, "pair", change)
        assert api.output(made) == before

    @pytest.mark.parametrize(
        "change",
        [
            {"data": {"private_key": "AAAA"}},
            {"data": {"more": "AAAA"}},
            {"metadata": {"labels": {"app.kubernetes.io/managed-by": None}}},
            {"metadata": {"labels": {"more": "a"}}},
            {"metadata": {"annotations": {"qubesec.io/owner": "QuantumKEMKeyPair/other"}}},
            {"metadata": {"annotations": {"qubesec.io/restore-to": "there"}}},
            {"metadata": {"labels": None, "annotations": None, "ownerReferences": None}},
            {"metadata": {"ownerReferences": None}},
            {"immutable": True},
        ],
    )
    def test_nobody_else_changes_one(self, api, operator, namespace, change):
        (made,) = api.make(thing(QKKP, namespace, "pair"))
        before = api.output(made)
        with pytest.raises(ApiError, match="only the QubeSec operator") as caught:
            api.patch("Secret", namespace, "pair", change)
        assert caught.value.status == 403
        assert api.output(made) == before

    def test_the_operator_makes_repairs_and_labels_its_secrets(self, api, operator, namespace):
        made = api.make(*exchange(namespace))
        assert len(made) == 5
        api.patch(QKKP, namespace, "pair", {"spec": {"secretTemplate": {"labels": {"team": "a"}}}})

        def labels():
            return api.get("Secret", namespace, "pair")["metadata"]["labels"]

        wait_until("the Secret has the label", lambda: labels() == {**LABEL, "team": "a"})
        before = api.get("Secret", namespace, "bob")["metadata"]["uid"]
        api.delete("Secret", namespace, "bob")  # everybody who has the right to may

        def made_anew():
            found = api.find("Secret", namespace, "bob")
            return found and found["metadata"]["uid"] != before

        wait_until("it is made anew", made_anew)
        api.wait_success(QDK, namespace, "bob")

    @pytest.mark.parametrize("propagation", ["Background", "Foreground"])
    def test_a_secret_goes_with_its_resource(self, api, operator, namespace, propagation):
        api.make(thing(QKKP, namespace, "pair"))
        api.delete(QKKP, namespace, "pair", propagation)
        api.wait_gone(QKKP, namespace, "pair")
        api.wait_gone("Secret", namespace, "pair")

    def test_the_garbage_collector_can_part_a_secret_from_its_resource(self, api, operator, namespace):
        api.make(thing(QKKP, namespace, "pair"))
        api.delete(QKKP, namespace, "pair", "Orphan")
        api.wait_gone(QKKP, namespace, "pair")
        assert "ownerReferences" not in api.get("Secret", namespace, "pair")["metadata"]

    def test_a_namespace_goes_with_all_its_secrets(self, api, operator, namespace):
        api.make(thing(QKKP, namespace, "pair"))
        api.call("DELETE", api.path("Namespace", None, namespace))
        wait_until("the namespace is gone", lambda: api.find("Namespace", None, namespace) is None)

    def test_kubernetes_own_controllers_may_not_change_what_a_secret_holds(self, api, cluster, operator, namespace):
        """Even with every right that roles can give."""
        api.make(thing(QKKP, namespace, "pair"))
        collector = "--as=system:serviceaccount:kube-system:generic-garbage-collector"
        groups = "--as-group=system:masters"
        patch = ("patch", "secret", "pair", "--namespace", namespace, collector, groups, "--type=merge", "--patch")
        cluster.kubectl(*patch, '{"metadata": {"finalizers": ["qubesec.io/test"]}}')
        cluster.kubectl(*patch, '{"metadata": {"finalizers": null}}')
        with pytest.raises(subprocess.CalledProcessError) as caught:
            cluster.kubectl(*patch, '{"data": {"private_key": "AAAA"}}')
        assert "only the QubeSec operator" in caught.value.stderr


    def test_a_secret_may_be_written_again_as_it_is(self, api, operator, namespace):
        """As one does to have all Secrets encrypted after that was switched on."""
        api.make(thing(QKKP, namespace, "pair"))
        path = api.path("Secret", namespace, "pair")
        api.call("PUT", path, api.get("Secret", namespace, "pair"))
        changed = api.get("Secret", namespace, "pair")
        changed["metadata"]["annotations"]["team"] = "a"
        with pytest.raises(ApiError, match="only the QubeSec operator"):
            api.call("PUT", path, changed)

    def test_a_new_webhook_certificate_may_be_asked_for(self, api, cluster):
        secret = secret_thing(SYSTEM, "qubesec-webhook-certificate", {"ca.key": b"x"}, labels=LABEL)
        as_operator = f"--as=system:serviceaccount:{SYSTEM}:qubesec-operator"
        cluster.kubectl("create", as_operator, "--filename=-", given=[secret])
        try:
            annotate = ("annotate", "secret", "qubesec-webhook-certificate", "--namespace", SYSTEM)
            cluster.kubectl(*annotate, "qubesec.io/rotate=ca")
            with pytest.raises(ApiError, match="only the QubeSec operator"):
                api.patch("Secret", SYSTEM, "qubesec-webhook-certificate", {"data": {"ca.key": "AAAA"}})
        finally:
            api.delete("Secret", SYSTEM, "qubesec-webhook-certificate")


# Seeds


class TestSeeds:
    @pytest.fixture(scope="class", autouse=True)
    def policy(self, api, cluster, space):
        with in_force(cluster, "seeds", lambda: attempt(api, thing(QRN, space, "a", {"seed": SEED}))):
            yield

    @pytest.mark.parametrize(("field", "value"), [("seed", SEED), ("seedURI", "https://example.com/seed")], ids=["seed", "seedURI"])
    def test_a_seed_needs_a_namespace_for_tests(self, api, space, field, value):
        said = attempt(api, thing(QRN, space, "a", {field: value}))
        assert f"spec.{field}: whoever knows a seed" in said and "qubesec.io/test=true" in said

    def test_numbers_without_a_seed_and_other_kinds_pass(self, api, space):
        assert attempt(api, thing(QRN, space, "a", {"numBytes": 16})) == ""
        assert attempt(api, thing(QRN, space, "a")) == ""
        assert attempt(api, thing(QKKP, space, "a")) == ""

    @pytest.mark.parametrize(("value", "passes"), [("true", True), ("false", False)])
    def test_the_label_decides(self, api, value, passes):
        labels = {"qubesec.io/test": value}
        made = api.create({"kind": "Namespace", "metadata": {"generateName": "policies-", "labels": labels}})
        assert (attempt(api, thing(QRN, made["metadata"]["name"], "a", {"seed": SEED})) == "") == passes

    def test_the_operator_serves_it_there(self, api, operator):
        labels = {"qubesec.io/test": "true"}
        made = api.create({"kind": "Namespace", "metadata": {"generateName": "policies-", "labels": labels}})
        (number,) = api.make(thing(QRN, made["metadata"]["name"], "a", {"seed": SEED}))
        assert number["status"]["warning"]


def test_all_of_them_are_one_kustomization(cluster):
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--kustomize", str(POLICIES))
