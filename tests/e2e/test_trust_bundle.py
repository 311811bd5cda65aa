"""The ConfigMap with the roots of a CA: made, kept, given up; openssl judges what it is good for."""

import hashlib
import json

import pytest
from api import QC, ApiError, config_map_thing, data_of, ready_of, thing, version_of, wait_until
from crypto import openssl
from test_certificates import certificate

ROOTS = {"configMapName": "roots"}


def bundle(api, namespace, name="roots"):
    return api.get("ConfigMap", namespace, name)


def text(api, namespace, name="roots"):
    return bundle(api, namespace, name)["data"]["ca.crt"].encode()


def wait_bundle(api, namespace, name="root", config_map="roots"):
    """The ConfigMap has what the Secret has, and the status names it as it is."""

    def probe():
        found = api.find("ConfigMap", namespace, config_map)
        secret = api.find("Secret", namespace, f"{name}-secret")
        status = api.get(QC, namespace, name).get("status", {}).get("trustBundle", {})
        if secret is None:
            return None
        entry = data_of(secret)["ca.crt"]
        digest = f"sha256:{hashlib.sha256(entry).hexdigest()}"
        is_there = found is not None and found.get("data", {}).get("ca.crt", "").encode() == entry
        named = {"name": config_map, "digest": digest}
        if found is not None:
            named |= {"uid": found["metadata"]["uid"], "resourceVersion": version_of(found)}
        return found if is_there and status == named else None

    return wait_until(f"{config_map} is as it should be", probe)


def wait_told(api, namespace, name, reason):
    def probe():
        status = api.get(QC, namespace, name).get("status", {}).get("trustBundle", {})
        return status if status.get("reason") == reason else None

    return wait_until(f"{name} says {reason}", probe)


def wait_bundle_gone(api, namespace, name):
    api.wait_gone("ConfigMap", namespace, name)


@pytest.fixture
def root(api, operator, namespace):
    api.make(certificate(namespace, "root", "ca", commonName="Root", trustBundle=ROOTS))
    wait_bundle(api, namespace)
    return namespace


def test_leaves_verify_with_it(api, root, tmp_path):
    namespace = root
    api.make(
        certificate(namespace, "middle", "ca", "root", commonName="Middle", trustBundle={"configMapName": "same"}),
        certificate(namespace, "server", "server", "middle", subjectAltNames=["example.com"]),
    )
    wait_bundle(api, namespace, "middle", "same")
    chain = api.secret(namespace, "server-secret")["tls.crt"]
    for name in ("roots", "same"):
        roots = text(api, namespace, name)
        openssl(tmp_path, "verify", "-x509_strict", "-CAfile", "ca.pem", "-untrusted", "chain.pem", "chain.pem",
                ca_pem=roots, chain_pem=chain)  # fmt: skip
    assert b"PRIVATE" not in json.dumps(bundle(api, namespace)).encode()
    [event] = api.events(namespace, "root", "TrustBundleWritten")
    assert event["note"] == "ConfigMap roots was written, with 1 certificate in ca.crt" and event["type"] == "Normal"


def take_away(api, namespace):
    api.delete("ConfigMap", namespace, "roots")


def write_another_text(api, namespace):
    api.patch("ConfigMap", namespace, "roots", {"data": {"ca.crt": "mine", "more": "theirs"}})


def take_the_label(api, namespace):
    api.patch("ConfigMap", namespace, "roots", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}})


def put_it_in_binary(api, namespace):
    body = {**bundle(api, namespace), "data": None, "binaryData": {"ca.crt": "AAAA"}}
    api.call("PUT", api.path("ConfigMap", namespace, "roots"), body)


@pytest.mark.parametrize("harm", [take_away, write_another_text, take_the_label, put_it_in_binary])
def test_it_is_kept(api, root, operator, harm):
    namespace = root
    first = bundle(api, namespace)
    harm(api, namespace)

    def is_whole():
        found = api.find("ConfigMap", namespace, "roots")
        return found and found.get("data", {}).get("ca.crt") == first["data"]["ca.crt"] and found["metadata"]["labels"] == first["metadata"]["labels"]

    wait_until("it is as it was", is_whole)
    found = wait_bundle(api, namespace)
    assert "ca.crt" not in found.get("binaryData", {})
    assert harm is not write_another_text or found["data"]["more"] == "theirs"  # what is beside it stays
    assert ready_of(api.get(QC, namespace, "root"))["status"] == "True"
    operator.settle()
    assert bundle(api, namespace) == found


def test_it_follows_the_certificate(api, root):
    namespace = root
    before = text(api, namespace)
    api.patch(QC, namespace, "root", {"metadata": {"annotations": {"qubesec.io/renew": "now"}}})
    wait_until("it is another one", lambda: text(api, namespace) != before)
    wait_bundle(api, namespace)


def test_it_has_labels_and_annotations(api, root):
    namespace = root
    more = {"labels": {"team": "pki"}, "annotations": {"example.com/copy": "everywhere"}}
    api.patch(QC, namespace, "root", {"spec": {"secretTemplate": {"labels": {"of": "secret"}}, "trustBundle": more}})
    wait_until("they are there", lambda: bundle(api, namespace)["metadata"]["labels"].get("team") == "pki")
    metadata = bundle(api, namespace)["metadata"]
    assert metadata["annotations"]["example.com/copy"] == "everywhere" and "of" not in metadata["labels"]
    api.patch(QC, namespace, "root", {"spec": {"trustBundle": {"labels": None}}})
    wait_until("it is gone", lambda: "team" not in bundle(api, namespace)["metadata"]["labels"])


def test_under_another_name_and_none(api, root):
    namespace = root
    api.patch(QC, namespace, "root", {"spec": {"trustBundle": {"configMapName": "others"}}})
    wait_bundle(api, namespace, config_map="others")
    wait_bundle_gone(api, namespace, "roots")
    api.patch(QC, namespace, "root", {"spec": {"trustBundle": None}})
    wait_bundle_gone(api, namespace, "others")
    wait_until("the status says nothing", lambda: "trustBundle" not in api.get(QC, namespace, "root")["status"])
    assert len(api.events(namespace, "root", "TrustBundleDeleted")) == 2


@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_when_the_ca_is_deleted(api, operator, namespace, policy):
    api.make(certificate(namespace, "root", "ca", commonName="Root", trustBundle=ROOTS, deletionPolicy=policy))
    found = wait_bundle(api, namespace)
    owners = [one["kind"] for one in found["metadata"].get("ownerReferences", [])]
    assert owners == ([QC] if policy == "Delete" else [])
    api.delete(QC, namespace, "root")
    if policy == "Delete":
        wait_bundle_gone(api, namespace, "roots")
        return
    api.make(certificate(namespace, "root", "ca", commonName="Root", trustBundle=ROOTS))
    again = wait_bundle(api, namespace)
    assert again["metadata"]["uid"] == found["metadata"]["uid"] and again["data"] == found["data"]


def test_what_is_another_s(api, operator, namespace):
    api.create(config_map_thing(namespace, "roots", {"ca.crt": "mine"}))
    before = bundle(api, namespace)
    api.make(certificate(namespace, "root", "ca", commonName="Root", trustBundle=ROOTS))
    told = wait_told(api, namespace, "root", "TrustBundleConflict")
    assert "ConfigMap roots is not QubeSec's. Nothing was touched." in told["message"] and "digest" not in told
    assert api.wait_event(namespace, "root", "TrustBundleConflict")["type"] == "Warning"
    assert ready_of(api.get(QC, namespace, "root"))["status"] == "True"
    operator.settle()
    assert bundle(api, namespace) == before
    api.delete("ConfigMap", namespace, "roots")
    wait_bundle(api, namespace)


def test_a_copy_is_another_s(api, root, operator, there):
    """As GitOps or a backup brings it: with all of its marks, in another namespace."""
    namespace = root
    copy = bundle(api, namespace)
    kept = {key: copy["metadata"][key] for key in ("name", "labels", "annotations")}
    api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**kept, "namespace": there}, "data": {"ca.crt": "copy"}})
    api.make(certificate(there, "root", "ca", commonName="Root", trustBundle=ROOTS))
    told = wait_told(api, there, "root", "TrustBundleConflict")
    assert "of another namespace" in told["message"]
    assert text(api, there) == b"copy"


@pytest.fixture
def there(api):
    name = api.create({"kind": "Namespace", "metadata": {"generateName": "e2e-"}})["metadata"]["name"]
    yield name
    api.delete("Namespace", None, name)


def test_two_namespaces(api, operator, namespace, there):
    for one in (namespace, there):
        api.create(certificate(one, "root", "ca", commonName=f"Root of {one}", trustBundle=ROOTS))
    found = [wait_bundle(api, one)["data"]["ca.crt"] for one in (namespace, there)]
    assert found[0] != found[1]


def test_of_two_that_name_it_the_older_has_it(api, root):
    namespace = root
    api.make(certificate(namespace, "second", "ca", commonName="Second", trustBundle=ROOTS))
    assert "belongs to QuantumCertificate root" in wait_told(api, namespace, "second", "TrustBundleConflict")["message"]
    api.patch(QC, namespace, "root", {"spec": {"trustBundle": None}})
    wait_bundle(api, namespace, "second")


def test_a_restart_costs_nothing(api, cluster, root, operators, operator):
    namespace = root
    operator.settle()
    before = api.get(QC, namespace, "root"), bundle(api, namespace)
    operators.stop()
    mark = cluster.audit.mark()
    operators.default().settle()
    assert cluster.audit.requests(mark, namespace) == []
    assert (api.get(QC, namespace, "root"), bundle(api, namespace)) == before


def test_what_changed_while_nobody_looked(api, root, operators):
    namespace = root
    operators.stop()
    api.patch("ConfigMap", namespace, "roots", {"data": {"ca.crt": "mine"}})
    api.patch(QC, namespace, "root", {"spec": {"trustBundle": {"configMapName": "others"}}})
    operators.default()
    wait_bundle(api, namespace, config_map="others")
    wait_bundle_gone(api, namespace, "roots")


@pytest.mark.parametrize(
    ("kind", "spec", "part"),
    [
        ("ca", {"configMapName": "Roots"}, "spec.trustBundle.configMapName is not a DNS name"),
        ("ca", {"configMapName": ""}, "spec.trustBundle.configMapName"),
        ("ca", {"configMapName": "x" * 254}, "spec.trustBundle.configMapName"),
        ("ca", {}, "spec.trustBundle.configMapName is required with spec.trustBundle"),
        ("ca", {"configMapName": "a", "labels": {"qubesec.io/x": "y"}}, "spec.trustBundle.labels"),
        ("self-signed", ROOTS, "spec.trustBundle goes only with certType ca"),
    ],
)
def test_what_is_refused(api, namespace, kind, spec, part):
    with pytest.raises(ApiError, match=part):
        api.create(certificate(namespace, "root", kind, commonName="Root", trustBundle=spec))


def test_without_the_right(api, cluster, operators, namespace):
    """As with the roles of an earlier version."""
    role = json.loads(cluster.kubectl("get", "clusterrole", "qubesec-operator", "--output=json"))
    fewer = [{**rule, "verbs": ["get", "list", "watch"]} if rule["resources"] == ["configmaps"] else rule for rule in role["rules"]]
    path = f"/apis/rbac.authorization.k8s.io/v1/clusterroles/{role['metadata']['name']}"
    user = "system:serviceaccount:qubesec-system:qubesec-operator"
    operators.default()
    api.call("PATCH", path, {"rules": fewer}, "application/merge-patch+json")
    try:
        wait_until("it is in force", lambda: not api.allows(user, "create", "configmaps", "", namespace))
        api.make(certificate(namespace, "root", "ca", commonName="Root", trustBundle=ROOTS))
        told = wait_told(api, namespace, "root", "TrustBundleRefused")
        assert 'cannot create resource "configmaps"' in told["message"] and "config/rbac" in told["message"]
        assert ready_of(api.get(QC, namespace, "root"))["status"] == "True"
    finally:
        api.call("PATCH", path, {"rules": role["rules"]}, "application/merge-patch+json")
    wait_until("it is in force", lambda: api.allows(user, "create", "configmaps", "", namespace))
    api.patch(QC, namespace, "root", {"metadata": {"annotations": {"look": "again"}}})
    wait_bundle(api, namespace)


def test_explain(cluster):
    said = cluster.kubectl("explain", "quantumcertificates.qubesec.io.spec.trustBundle")
    assert "configMapName" in said and "annotations" in said
    assert "sha256" in cluster.kubectl("explain", "quantumcertificates.qubesec.io.status.trustBundle.digest")


def test_upgrade_keeps_what_asks_for_none(api, operator, namespace):
    [found] = api.make(thing(QC, namespace, "root", {"certType": "ca", "commonName": "Root", "algorithm": "ML-DSA-44"}))
    assert "trustBundle" not in found["status"] and "trustBundle" not in found["spec"]
    before = api.secret(namespace, "root-secret")
    api.patch(QC, namespace, "root", {"spec": {"trustBundle": ROOTS}})
    wait_bundle(api, namespace)
    assert api.secret(namespace, "root-secret") == before
