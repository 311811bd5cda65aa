"""What a tenant may use of another tenant's: references into other namespaces, and which namespaces are served."""

import base64
import json
import re
import signal
import subprocess

import pytest
from api import (
    KINDS,
    QC,
    QDK,
    QDS,
    QES,
    QKKP,
    QRN,
    QSKP,
    QSM,
    QVS,
    SIGNATURE_KINDS,
    ApiError,
    config_map_thing,
    data_of,
    is_told,
    secret_thing,
    thing,
    version_of,
    wait_until,
)
from credentials import token, with_token
from fixtures import CHECKOUT

RBAC = "rbac.authorization.k8s.io"
CHECKS = ("--grant-check-interval", "1s")


def plural(kind):
    return f"{kind.lower()}s"


def reference(there, name, kind=None, key=None):
    given = {"name": name, "namespace": there, "kind": kind, "key": key}
    return {field: value for field, value in given.items() if value is not None}


def provisions(there):
    """What the other tenant has, in the order in which it can be made."""
    signing = {"privateKeyRef": {"name": "signer"}, "messageRef": {"kind": "ConfigMap", "name": "message"}}
    return [
        thing(QKKP, there, "pair"),
        thing(QES, there, "sealed", {"publicKeyRef": {"name": "pair"}}),
        thing(QDS, there, "opened", {"privateKeyRef": {"name": "pair"}, "ciphertextRef": {"name": "sealed"}}),
        thing(QRN, there, "numbers"),
        thing(QSKP, there, "signer", {"algorithm": "ML-DSA-44"}),
        thing(QSM, there, "signed", signing),
        thing(QC, there, "root", {"algorithm": "ML-DSA-44", "certType": "ca", "commonName": "Root"}),
    ]


def cases(there):
    """Every kind of reference: the resource that has it, its spec, and what it needs a grant for."""
    sealed = reference(there, "sealed", QES)
    message = reference(there, "message", "ConfigMap")
    open_with = {"privateKeyRef": reference(there, "pair"), "ciphertextRef": sealed}
    verify = {
        "publicKeyRef": reference(there, "signer"),
        "messageRef": message,
        "signatureRef": reference(there, "signed"),
    }
    pair = [(QKKP, "pair"), ("Secret", "pair")]
    judged = [(QSKP, "signer"), ("ConfigMap", "message"), (QSM, "signed")]
    return {
        "public-key": (QES, {"publicKeyRef": reference(there, "pair")}, [(QKKP, "pair")]),
        "public-key-secret": (QES, {"publicKeyRef": reference(there, "peer", "Secret", "pem")}, [("Secret", "peer")]),
        "public-key-map": (QES, {"publicKeyRef": reference(there, "peer", "ConfigMap", "pem")}, [("ConfigMap", "peer")]),
        "private-key": (QDS, open_with, [*pair, (QES, "sealed")]),
        "ciphertext-secret": (
            QDS,
            {**open_with, "ciphertextRef": reference(there, "sealed", "Secret", "ciphertext")},
            [*pair, ("Secret", "sealed")],
        ),
        "ciphertext-map": (
            QDS,
            {**open_with, "ciphertextRef": reference(there, "peer", "ConfigMap", "ciphertext")},
            [*pair, ("ConfigMap", "peer")],
        ),
        "derived-any": (QDK, {"sharedSecretRef": reference(there, "numbers")}, [(QRN, "numbers"), ("Secret", "numbers")]),
        "derived-sealed": (QDK, {"sharedSecretRef": sealed}, [(QES, "sealed"), ("Secret", "sealed")]),
        "derived-opened": (
            QDK,
            {"sharedSecretRef": reference(there, "opened", QDS)},
            [(QDS, "opened"), ("Secret", "opened")],
        ),
        "derived-secret": (
            QDK,
            {"sharedSecretRef": reference(there, "numbers", "Secret", "random")},
            [("Secret", "numbers")],
        ),
        "signed": (
            QSM,
            {"privateKeyRef": reference(there, "signer"), "messageRef": message},
            [(QSKP, "signer"), ("Secret", "signer"), ("ConfigMap", "message")],
        ),
        "signed-secret": (
            QSM,
            {"privateKeyRef": reference(there, "signer"), "messageRef": reference(there, "peer", "Secret", "pem")},
            [(QSKP, "signer"), ("Secret", "signer"), ("Secret", "peer")],
        ),
        "verified": (QVS, verify, judged),
        "verified-by-certificate": (
            QVS,
            {**verify, "publicKeyRef": reference(there, "root", QC)},
            [(QC, "root"), *judged[1:]],
        ),
        "verified-secret": (
            QVS,
            {**verify, "signatureRef": reference(there, "signed-signature", "Secret")},
            [*judged[:2], ("Secret", "signed-signature")],
        ),
        "issued": (
            QC,
            {
                "algorithm": "ML-DSA-44",
                "certType": "server",
                "commonName": "a.example",
                "parentCARef": reference(there, "root"),
            },
            [(QC, "root"), ("Secret", "root-secret")],
        ),
    }


def group_of(kind):
    return "" if kind in ("Secret", "ConfigMap") else "qubesec.io"


def rule(kind, one, verb="get"):
    return {"apiGroups": [group_of(kind)], "resources": [plural(kind)], "resourceNames": [one], "verbs": [verb]}


def role_of(there, name, rules):
    return {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"namespace": there, "name": name}, "rules": rules}


def role(there, name, needs):
    """Of kinds and names that it gives the right to get, or of kinds, names and verbs."""
    return role_of(there, name, [rule(*need) for need in needs])


def binding(there, name, subject, kind="Role", of=None):
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"namespace": there, "name": name},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": of or name},
        "subjects": [subject],
    }


def account(here, name="default"):
    return {"kind": "ServiceAccount", "namespace": here, "name": name}


def finished(found):
    return found.get("status", {}).get("status") in ("Success", "Valid", "Invalid")


def wait_finished(api, kind, here, name):
    return wait_until(lambda: api.get(kind, here, name).get("status"), lambda: finished(api.get(kind, here, name)))


def wait_denied(api, kind, here, name):
    return api.wait_status(kind, here, name, "Failed", "AccessDenied")


@pytest.fixture
def there(api):
    """The other tenant's namespace."""
    return api.create({"kind": "Namespace", "metadata": {"generateName": "there-"}})["metadata"]["name"]


@pytest.fixture
def checking(operators):
    """The operator, checking grants every second."""
    return operators.default(*CHECKS)


@pytest.fixture
def provided(api, checking, there):
    api.create(config_map_thing(there, "message", {"message": "a message"}))
    made = api.make(*provisions(there))
    pem = made[0]["status"]["publicKeyPEM"]
    sealed = bytes.fromhex(made[1]["status"]["ciphertext"])
    api.create(secret_thing(there, "peer", {"pem": pem.encode()}))
    api.create(config_map_thing(there, "peer", {"pem": pem}, {"ciphertext": sealed}))
    return there


def test_every_reference_is_refused_granted_revoked_and_granted_again(cluster, api, checking, namespace, provided):
    there, table = provided, cases(provided)
    checking.settle()
    mark = cluster.audit.mark()
    for name, (kind, spec, _) in table.items():
        api.create(thing(kind, namespace, name, spec))

    # Refused: named, and nothing over there is read.
    for name, (kind, _, needs) in table.items():
        message = wait_denied(api, kind, namespace, name)["status"]["error"]
        assert f"ServiceAccount default of namespace {namespace}" in message and f"in namespace {there}" in message
        # A reference that names no kind is refused in the name of the first that it may mean.
        wanted = [(QES, "numbers")] if name == "derived-any" else needs
        assert any(f"{plural(need)}{'.qubesec.io' if group_of(need) else ''} {one}" in message for need, one in wanted)
        assert "may neither use nor get quantum" in message or re.search("may not get (secrets|configmaps) ", message)
    asked = {str(request) for request in cluster.audit.requests(mark, there)}
    assert asked == {"create localsubjectaccessreviews"}

    # Granted: works without touching the resource.
    api.create(role(there, "lend", [need for _, _, needs in table.values() for need in needs]))
    api.create(binding(there, "lend", account(namespace)))
    before = {name: wait_finished(api, kind, namespace, name) and api.get(kind, namespace, name)
              for name, (kind, _, _) in table.items()}  # fmt: skip
    assert {found["metadata"]["generation"] for found in before.values()} == {1}
    assert before["verified"]["status"]["status"] == before["verified-secret"]["status"]["status"] == "Valid"
    assert data_of(api.output(before["derived-any"]))["key"]
    outputs = {name: api.output(found) for name, found in before.items() if "secretRef" in found["status"]}
    recorded = {one["namespace"] for found in before.values() for one in found["status"]["inputs"]}
    assert recorded == {there}

    # Revoked: said, and nothing is taken away.
    api.delete("RoleBinding", there, "lend")
    for name, (kind, _, _) in table.items():
        denied = wait_denied(api, kind, namespace, name)["status"]
        if kind == QVS:  # a verdict ends with the right to look
            assert denied.keys() == {"status", "error", "conditions", "observedGeneration", "lastUpdateTime", "reconcileID"}
        else:
            for field in ("fingerprint", "digest", "publicKeyDigest", "secretRef", "inputs"):
                assert denied.get(field) == before[name]["status"].get(field), (name, field)
    for name, output in outputs.items():
        assert api.output(before[name]) == output

    # Granted again: the same outputs.
    api.create(binding(there, "lend", account(namespace)))
    for name, (kind, _, _) in table.items():
        wait_finished(api, kind, namespace, name)
    for name, output in outputs.items():
        assert data_of(api.output(before[name])) == data_of(output)
        assert api.output(before[name])["metadata"]["uid"] == output["metadata"]["uid"]


def test_seeing_a_resource_is_not_seeing_its_secret(api, checking, namespace, provided):
    """The right to get a key pair does not lend its private key."""
    api.create(role(provided, "half", [(QKKP, "pair"), (QES, "sealed")]))
    api.create(binding(provided, "half", account(namespace)))
    kind, spec, _ = cases(provided)["private-key"]
    api.create(thing(kind, namespace, "opened", spec))
    message = wait_denied(api, kind, namespace, "opened")["status"]["error"]
    assert "may not use quantumkemkeypairs.qubesec.io pair" in message and "nor get secrets pair" in message
    assert BOTH_WAYS in message
    [made] = api.make(thing(QES, namespace, "sealed", {"publicKeyRef": reference(provided, "pair")}))
    assert made["status"]["secretRef"]["name"] == "sealed"


def test_seeing_a_secret_is_not_seeing_its_resource(api, checking, namespace, provided):
    """The right to get the Secret alone lends no key by way of the resource, and does not tell how far it reaches."""
    api.create(role(provided, "half", [("Secret", "pair"), (QES, "sealed")]))
    api.create(binding(provided, "half", account(namespace)))
    wait_allowed(api, namespace, "get", "Secret", provided, "pair")
    kind, spec, _ = cases(provided)["private-key"]
    api.create(thing(kind, namespace, "opened", spec))
    message = wait_denied(api, kind, namespace, "opened")["status"]["error"]
    assert "may neither use nor get quantumkemkeypairs.qubesec.io pair" in message and BOTH_WAYS in message
    assert "its Secret (by default pair), with a Role and a RoleBinding there" in message and "secrets pair" not in message


# Use without reading

BOTH_WAYS = 'grant "use" on it, or "get" on it and on its Secret'
HIDDEN = {  # what is secret of the other tenant's, by Secret
    "pair": ("private_key", "private_key.pem"),
    "sealed": ("shared_secret",),
    "opened": ("shared_secret",),
    "numbers": ("random",),
    "signer": ("private_key", "private_key.pem"),
    "root-secret": ("tls.key", "key.pem"),
}


def user_of(here, name="default"):
    return f"system:serviceaccount:{here}:{name}"


def wait_allowed(api, here, verb, kind, there, name):
    """Until the API server knows of what was granted: objects that are made then meet the grant at once."""
    asked = (user_of(here), verb, plural(kind), group_of(kind), there, name)
    wait_until(f"{asked} is granted", lambda: api.allows(*asked))


def names_kind(spec, *kinds):
    """Whether a reference of the spec leads to one of these kinds."""
    return any(isinstance(value, dict) and value.get("kind") in kinds for value in spec.values())


def by_use(needs):
    """The same needs, met by rights to use our resources: none to get them, and none on their Secrets."""
    return [(kind, one, "use") if group_of(kind) else (kind, one) for kind, one in needs if kind != "Secret"]


def forms(value):
    """The ways in which bytes could be shown; of a PEM text also what is between its first and last line."""
    lines = value.split(b"\n") if value.startswith(b"-----BEGIN") else []
    parts = [value, *filter(None, [b"".join(lines[1:-2])])]
    return [form for part in parts for form in (part, part.hex().encode(), base64.b64encode(part))]


def shown_by(api, found):
    """All that a resource shows to whoever may read it and its Secret, in its namespace."""
    shown = json.dumps(found).encode()
    if "secretRef" in found["status"]:
        output = api.output(found)
        shown += json.dumps(output).encode() + b"".join(data_of(output).values())
    return shown + shown.replace(b"\\n", b"").replace(b"\n", b"")


def refused(cluster, *arguments):
    """What kubectl says, which must fail."""
    with pytest.raises(subprocess.CalledProcessError) as caught:
        cluster.kubectl(*arguments)
    return caught.value.stderr


def test_use_lends_every_kind_and_shows_nothing(cluster, api, checking, namespace, provided, tmp_path):
    there = provided
    table = {name: case for name, case in cases(there).items() if not names_kind(case[1], "Secret")}
    assert {kind for _, _, needs in table.values() for kind, _ in needs} >= {QKKP, QES, QDS, QRN, QSKP, QSM, QC}
    api.create(role(there, "lend", [need for _, _, needs in table.values() for need in by_use(needs)]))
    api.create(binding(there, "lend", account(namespace)))
    for name, (kind, spec, _) in table.items():
        api.create(thing(kind, namespace, name, spec))
    made = {name: wait_finished(api, kind, namespace, name) and api.get(kind, namespace, name)
            for name, (kind, _, _) in table.items()}  # fmt: skip
    assert made["verified"]["status"]["status"] == "Valid"
    assert made["verified-by-certificate"]["status"]["status"] == "Invalid"  # the CA's key signed no message
    outputs = {name: api.output(found) for name, found in made.items() if "secretRef" in found["status"]}

    # Whoever is the ServiceAccount can read neither the Secrets nor the resources.
    borrower = with_token(cluster, tmp_path, token(api, namespace, "default"))
    for kind, one in [*(("secret", one) for one in HIDDEN), (f"{plural(QC)}.qubesec.io", "root")]:
        assert "Forbidden" in refused(cluster, "--kubeconfig", borrower, "--namespace", there, "get", kind, one)

    # Nor is anything of it in what was made; only a shared secret is what a private key and a ciphertext give.
    for one, keys in HIDDEN.items():
        held = api.secret(there, one)
        for key in keys:
            for name, found in made.items():
                gives_it = found["kind"] == QDS and key == "shared_secret"
                assert gives_it or not any(form in shown_by(api, found) for form in forms(held[key])), (one, key, name)
    assert api.output(made["private-key"])["data"]["shared_secret"] == api.get("Secret", there, "sealed")["data"]["shared_secret"]

    # Revoked: noticed, and nothing is taken away.
    api.delete("RoleBinding", there, "lend")
    for name, (kind, _, _) in table.items():
        wait_denied(api, kind, namespace, name)
    for name, output in outputs.items():
        assert api.output(made[name]) == output


def test_use_of_something_else_is_no_use(api, checking, namespace, provided):
    """Another name, resource, group, subresource or namespace; and the Secret, of which there is no use."""
    third = api.create({"kind": "Namespace", "metadata": {"generateName": "third-"}})["metadata"]["name"]
    beside = {"resourceNames": ["pair"], "verbs": ["use"]}
    near = [
        rule(QES, "sealed", "use"),
        rule(QKKP, "other", "use"),
        rule(QSKP, "pair", "use"),
        rule("Secret", "pair", "use"),
        {"apiGroups": ["example.io"], "resources": [plural(QKKP)], **beside},
        {"apiGroups": ["qubesec.io"], "resources": [f"{plural(QKKP)}/status"], **beside},
        {"apiGroups": ["qubesec.io"], "resources": [plural(QKKP)], "resourceNames": ["pair"], "verbs": ["list", "watch", "update"]},
    ]
    api.create(role_of(provided, "near", near))
    api.create(role(third, "near", [(QKKP, "pair", "use")]))
    for one in (provided, third):
        api.create(binding(one, "near", account(namespace)))
    wait_allowed(api, namespace, "use", QSKP, provided, "pair")
    wait_allowed(api, namespace, "use", QKKP, third, "pair")
    kind, spec, _ = cases(provided)["private-key"]
    api.create(thing(kind, namespace, "opened", spec))
    message = wait_denied(api, kind, namespace, "opened")["status"]["error"]
    assert "spec.privateKeyRef" in message and "may neither use nor get quantumkemkeypairs.qubesec.io pair" in message
    api.create(role(provided, "right", [(QKKP, "pair", "use")]))
    api.create(binding(provided, "right", account(namespace)))
    api.wait_success(kind, namespace, "opened")


def test_use_opens_no_secret_and_no_config_map(api, checking, namespace, provided):
    """Whatever may be used: what a reference of kind Secret or ConfigMap names has to be readable."""
    everything = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["use"]}
    api.create(role_of(provided, "everything", [everything]))
    api.create(binding(provided, "everything", account(namespace)))
    wait_allowed(api, namespace, "use", "Secret", provided, "pair")
    table = {name: case for name, case in cases(provided).items() if names_kind(case[1], "Secret", "ConfigMap")}
    plain = {"messageRef": reference(provided, "peer"), "privateKeyRef": reference(provided, "signer")}
    table["no-kind"] = (QSM, plain, [("Secret", "peer")])
    for name, (kind, spec, _) in table.items():
        api.create(thing(kind, namespace, name, spec))
    for name, (kind, _, needs) in table.items():
        message = wait_denied(api, kind, namespace, name)["status"]["error"]
        found = re.search(r"may not get (secrets|configmaps) (\S+) in namespace (\S+); grant it ", message)
        assert found and (found[1], found[2]) in [(plural(need), one) for need, one in needs], (name, message)
        assert found[3] == provided


def test_every_verb_is_use_too(api, checking, namespace, provided):
    every = {"apiGroups": ["qubesec.io"], "resources": [plural(QC)], "resourceNames": ["root"], "verbs": ["*"]}
    api.create(role_of(provided, "every", [every]))
    api.create(binding(provided, "every", account(namespace)))
    kind, spec, _ = cases(provided)["issued"]
    api.make(thing(kind, namespace, "issued", spec))


def test_use_of_a_certificate_that_is_no_ca_issues_nothing(api, checking, namespace, provided):
    leaf = {**cases(provided)["issued"][1], "parentCARef": {"name": "root"}}
    api.make(thing(QC, provided, "leaf", leaf))
    api.create(role(provided, "lend", [(QC, "leaf", "use")]))
    api.create(binding(provided, "lend", account(namespace)))
    api.create(thing(QC, namespace, "issued", {**leaf, "parentCARef": reference(provided, "leaf")}))
    found = api.wait_status(QC, namespace, "issued", "Failed", "InvalidSpec")
    assert "spec.parentCARef" in found["status"]["error"] and "secretRef" not in found["status"]
    assert api.find("Secret", namespace, "issued-secret") is None


def test_who_may_read_both_is_asked_nothing_more(cluster, api, operator, namespace, there):
    """Each time that grants are looked at: about the resource and about its Secret."""
    api.make(thing(QRN, there, "numbers"))
    needs = [(QRN, "numbers"), ("Secret", "numbers")]
    api.create(role(there, "lend", needs))
    api.create(binding(there, "lend", account(namespace)))
    for kind, one in needs:
        wait_allowed(api, namespace, "get", kind, there, one)
    mark = cluster.audit.mark()
    api.make(thing(QDK, namespace, "derived", {"sharedSecretRef": reference(there, "numbers", QRN)}))
    asked = [str(one) for one in cluster.audit.requests(mark, there)]
    reviews = asked.count("create localsubjectaccessreviews")
    assert reviews > 0 and reviews % len(needs) == 0, asked


def test_who_can_lend(cluster, api, checking, namespace, provided):
    """The namespace's admin, and nobody who has only a right to write roles; view and edit may not use anything."""
    people = {"view": "view", "edit": "edit", "admin": "admin"}
    roles = {"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": ["get", "create", "update"]}
    api.create(role_of(provided, "clerk", [roles]))
    api.create(binding(provided, "clerk", {"apiGroup": RBAC, "kind": "User", "name": f"clerk-{provided}"}))
    for one in people:
        user = {"apiGroup": RBAC, "kind": "User", "name": f"{one}-{provided}"}
        api.create(binding(provided, one, user, "ClusterRole"))
    lent = [QRN, QKKP, QES, QDS, QSKP, QSM, QC]
    for kind in lent:  # a controller adds our rules to the role some time after it was made
        asked = (f"admin-{provided}", "use", plural(kind), "qubesec.io", provided)
        wait_until(f"{asked} is granted", lambda asked=asked: api.allows(*asked))
        for one in ("view", "edit", "clerk"):
            assert not api.allows(f"{one}-{provided}", *asked[1:]), (one, kind)

    grant = role(provided, "lend-root", [(QC, "root", "use")])
    given = json.dumps(grant)
    clerk = ("--as", f"clerk-{provided}", "create", "--filename", "-")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        cluster.kubectl(*clerk, given=given)
    assert "not currently held" in caught.value.stderr
    cluster.kubectl("--as", f"admin-{provided}", "create", "--filename", "-", given=given)
    api.create(binding(provided, "lend-root", account(namespace)))
    kind, spec, _ = cases(provided)["issued"]
    api.make(thing(kind, namespace, "issued", spec))

    # All of the namespace, by the role that comes with the operator.
    whole = binding(provided, "lend-all", account(namespace), "ClusterRole", "qubesec-use")
    cluster.kubectl("--as", f"admin-{provided}", "create", "--filename", "-", given=json.dumps(whole))
    api.make(thing(QDK, namespace, "derived", {"sharedSecretRef": reference(provided, "opened", QDS)}))


def test_service_account_that_the_spec_names(api, checking, namespace, provided):
    kind, spec, needs = cases(provided)["derived-any"]
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": "keys"}})
    api.create(role(provided, "keys", needs))
    api.create(binding(provided, "keys", account(namespace, "keys")))
    api.create(thing(kind, namespace, "by-default", spec))
    api.make(thing(kind, namespace, "by-name", {**spec, "serviceAccountName": "keys"}))
    wait_denied(api, kind, namespace, "by-default")
    # An edit of the name counts at once, and makes nothing anew.
    api.patch(kind, namespace, "by-default", {"spec": {"serviceAccountName": "keys"}})
    api.wait_success(kind, namespace, "by-default")
    before = api.get("Secret", namespace, "by-name")
    api.patch(kind, namespace, "by-name", {"spec": {"serviceAccountName": None}})
    wait_denied(api, kind, namespace, "by-name")
    assert api.get("Secret", namespace, "by-name") == before


def test_name_that_is_none(api, checking, namespace):
    """What the schema lets through to the operator is only what can be a name."""
    for name in ("../default", "Default", "a" * 254):
        with pytest.raises(ApiError, match="serviceAccountName"):
            api.create(thing(QES, namespace, "sealed", {"publicKeyRef": {"name": "x"}, "serviceAccountName": name}))


def test_grant_to_a_group_of_service_accounts(api, checking, namespace, provided):
    kind, spec, needs = cases(provided)["derived-sealed"]
    group = {"apiGroup": RBAC, "kind": "Group", "name": f"system:serviceaccounts:{namespace}"}
    api.create(role(provided, "group", needs))
    api.create(binding(provided, "group", group))
    api.make(thing(kind, namespace, "derived", spec))


def test_grant_of_another_kind_is_no_grant_and_the_right_one_is_found(api, checking, namespace, provided):
    """A reference that names no kind: what it means is another kind than the one that may be read."""
    api.create(role(provided, "other", [(QES, "opened")]))  # of which there is none
    api.create(binding(provided, "other", account(namespace)))
    api.create(thing(QDK, namespace, "derived", {"sharedSecretRef": reference(provided, "opened")}))
    # The API server may take a moment to know of the grant, and the first look come before that.
    wait_until("the kind", lambda: plural(QDS) in wait_denied(api, QDK, namespace, "derived")["status"]["error"])
    api.create(role(provided, "right", [(QDS, "opened"), ("Secret", "opened")]))
    api.create(binding(provided, "right", account(namespace)))
    api.wait_success(QDK, namespace, "derived")


@pytest.mark.parametrize("first, second", [(QRN, QES), (QES, QRN)])
def test_what_an_output_was_made_from_is_not_replaced_by_what_may_still_be_read(
    api, checking, namespace, provided, first, second
):
    """Whichever of the two would be looked for first where nothing was made yet."""
    [numbers] = api.make(thing(QRN, provided, "sealed", {"outputSecretName": "sealed-numbers"}))
    held = {QRN: "sealed-numbers", QES: "sealed"}
    api.create(role(provided, "first", [(first, "sealed"), ("Secret", held[first])]))
    api.create(binding(provided, "first", account(namespace)))
    [made] = api.make(thing(QDK, namespace, "derived", {"sharedSecretRef": reference(provided, "sealed")}))
    assert made["status"]["inputs"][0]["from"] == f"{first}/sealed"
    before = api.output(made)
    # Another kind of that name may be read now; the first one no more.
    api.create(role(provided, "second", [(second, "sealed"), ("Secret", held[second])]))
    api.create(binding(provided, "second", account(namespace)))
    wait_allowed(api, namespace, "get", "Secret", provided, held[second])
    api.delete("RoleBinding", provided, "first")
    assert plural(first) in wait_denied(api, QDK, namespace, "derived")["status"]["error"]
    assert api.output(made) == before
    assert numbers["status"]["status"] == "Success"


def test_refusal_is_one_event_whatever_happens_over_there(api, checking, namespace, provided):
    """Or its count would tell when something over there changes."""
    spec = {"sharedSecretRef": reference(provided, "peer", "Secret", "pem")}
    api.create(thing(QDK, namespace, "derived", spec))
    wait_denied(api, QDK, namespace, "derived")

    def refusals():
        return [line for line in checking.said("AccessDenied") if line["namespace"] == namespace]

    for value in ("AA==", "AQ==", "Ag=="):
        seen = len(refusals())
        api.patch("Secret", provided, "peer", {"data": {"pem": value}})
        wait_until("it is looked at again", lambda seen=seen: len(refusals()) > seen)
    [event] = wait_until("the Event", lambda: api.events(namespace, "derived", "AccessDenied"))
    assert event.get("series") is None


def test_refusal_does_not_tell_what_exists(api, checking, namespace, provided):
    """The same words for a name that is there and for one that is not."""
    said = {}
    for name in ("numbers", "nothing"):
        api.create(thing(QDK, namespace, name, {"sharedSecretRef": reference(provided, name)}))
        said[name] = wait_denied(api, QDK, namespace, name)["status"]["error"].replace(name, "NAME")
    assert said["numbers"] == said["nothing"]


def test_the_operators_own_rights_are_not_lent(api, cluster, checking, namespace):
    """Its namespace is as foreign as any other; its own ServiceAccount cannot be named from elsewhere."""
    spec = {"sharedSecretRef": reference("qubesec-system", "anything", "Secret", "key")}
    api.create(thing(QDK, namespace, "derived", {**spec, "serviceAccountName": "qubesec-operator"}))
    message = wait_denied(api, QDK, namespace, "derived")["status"]["error"]
    assert f"ServiceAccount qubesec-operator of namespace {namespace}" in message


def test_trap_36_an_output_stays_in_its_namespace(api, checking, namespace, there):
    for name in (f"{there}/stolen", f"../{there}/secrets/stolen"):
        with pytest.raises(ApiError, match="outputSecretName"):
            api.create(thing(QRN, namespace, "numbers", {"outputSecretName": name}))
    [made] = api.make(thing(QRN, namespace, "numbers", {"outputSecretName": "stolen"}))
    output = api.output(made)
    assert output["metadata"]["namespace"] == namespace
    [owner] = output["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == (QRN, "numbers", made["metadata"]["uid"])
    assert "blockOwnerDeletion" not in owner, "that would take rights to the owner's finalizers"
    assert api.find("Secret", there, "stolen") is None


def test_circle_of_certificates_through_two_namespaces(api, checking, namespace, there):
    """Both have granted; neither is issued, and the end of the circle is the end of that."""

    def authority(own, other):
        parent = reference(other, "authority")
        return thing(
            QC, own, "authority", {"algorithm": "ML-DSA-44", "certType": "ca", "commonName": own, "parentCARef": parent}
        )

    for own, other in ((namespace, there), (there, namespace)):
        api.create(role(own, "lend", [(QC, "authority"), ("Secret", "authority-secret")]))
        api.create(binding(own, "lend", account(other)))
        api.create(authority(own, other))
    found = api.wait_status(QC, there, "authority", "Failed", "InvalidSpec")
    assert "back to itself" in found["status"]["error"]
    api.patch(QC, there, "authority", {"spec": {"parentCARef": None}})
    api.wait_success(QC, there, "authority")
    found = api.wait_success(QC, namespace, "authority")
    assert found["status"]["issuer"] == f"CN={there}"


def test_many_objects_hold_up_no_other_namespace(api, operators, namespace, there):
    """The one worker has a hundred key pairs to make when another tenant's comes, which is about the second that it makes."""
    operator = operators.start("--workers", "1").wait_ready()
    operator.process.send_signal(signal.SIGSTOP)
    many = [thing(QKKP, namespace, f"many-{number}") for number in range(100)]
    for one in (*many, thing(QKKP, there, "one")):
        api.create(one)
    operator.thaw()
    for one in (*many, thing(QKKP, there, "one")):
        api.wait_success(QKKP, one["metadata"]["namespace"], one["metadata"]["name"])
    its = int(version_of(api.get("Secret", there, "one")))
    earlier = [one for one in api.list("Secret", namespace) if int(version_of(one)) < its]
    assert len(earlier) < 10, "it did not get its turn"


def test_every_row_of_the_threat_model_has_its_test():
    rows = [line for line in (CHECKOUT / "docs" / "security.md").read_text().splitlines() if line.startswith("| ")]
    tests = {name for file in CHECKOUT.glob("tests/e2e/test_*.py") for name in re.findall(r"def (test_\w+)", file.read_text())}
    for row in rows[1:]:
        named = re.findall(r"`(test_\w+)`", row.rpartition("|")[0].rpartition("|")[2])
        assert named and tests.issuperset(named), row
    assert len(rows) > 10


# Namespaces that are served


def rules_of(cluster):
    return json.loads(cluster.kubectl("get", "clusterrole", "qubesec-operator", "--output=json"))["rules"]


def served_by(cluster, api, tmp_path, namespaces):
    """A kubeconfig of a ServiceAccount that has the operator's rights in these namespaces only, by Roles."""
    home = namespaces[0]
    api.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": home, "name": "narrow"}})
    for one in namespaces:
        api.create({**role(one, "narrow", []), "rules": rules_of(cluster)})
        api.create(binding(one, "narrow", account(home, "narrow")))
    own = {**role("qubesec-system", f"narrow-{home}", []), "rules": [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "watch"]},
    ]}  # fmt: skip
    api.create(own)
    api.create(binding("qubesec-system", f"narrow-{home}", account(home, "narrow")))
    return with_token(cluster, tmp_path, token(api, home, "narrow"))


def test_only_these_namespaces_by_roles(cluster, api, operators, namespace, there, tmp_path):
    elsewhere = api.create({"kind": "Namespace", "metadata": {"generateName": "else-"}})["metadata"]["name"]
    kubeconfig = served_by(cluster, api, tmp_path, [namespace, there])
    operator = operators.start("--namespaces", f"{namespace}, {there}", kubeconfig=kubeconfig).wait_ready()
    api.create(thing(QKKP, elsewhere, "pair"))
    pairs = api.make(thing(QKKP, namespace, "pair"), thing(QKKP, there, "pair"))
    assert len({pair["status"]["fingerprint"] for pair in pairs}) == 2

    # Between the two a grant counts as ever; a third one is not served, whatever is granted.
    api.create(role(there, "lend", [(QKKP, "pair")]))
    api.create(binding(there, "lend", account(namespace)))
    api.make(thing(QES, namespace, "granted", {"publicKeyRef": reference(there, "pair")}))
    api.create(thing(QES, namespace, "unserved", {"publicKeyRef": reference(elsewhere, "pair")}))
    message = wait_denied(api, QES, namespace, "unserved")["status"]["error"]
    assert f"does not serve namespace {elsewhere}" in message

    # A deleted Secret is noticed, in each of them.
    for one in (namespace, there):
        before = api.get("Secret", one, "pair")["metadata"]["uid"]
        api.delete("Secret", one, "pair")
        wait_until("a new one", lambda one=one, before=before: (
            (found := api.find("Secret", one, "pair")) and found["metadata"]["uid"] != before))  # fmt: skip
    operator.settle()
    assert not is_told(api.get(QKKP, elsewhere, "pair"))
    assert operator.total("qubesec_objects", f'kind="{QKKP}"') == 2


def test_a_namespace_that_is_gone_holds_up_only_itself(cluster, api, operators, namespace, clock, tmp_path):
    """Its roles are gone with it, so that nothing in it can be listed any more."""
    gone = api.create({"kind": "Namespace", "metadata": {"generateName": "gone-"}})["metadata"]["name"]
    kubeconfig = served_by(cluster, api, tmp_path, [namespace, gone])
    both = ("--namespaces", f"{namespace},{gone}")
    operators.start(*both, kubeconfig=kubeconfig).wait_ready()
    api.make(thing(QKKP, gone, "pair"))
    api.delete("Namespace", None, gone)
    api.wait_gone("Namespace", None, gone)
    api.make(thing(QKKP, namespace, "pair"))

    operator = operators.start(*both, kubeconfig=kubeconfig, environment=clock.environment).wait_serving()
    clock.pass_refusals(operator)
    api.make(thing(QKKP, namespace, "another"))
    told = operator.answer("/readyz/watches")[1].splitlines()
    assert len(told) == len(KINDS) + len(SIGNATURE_KINDS) + 2  # Secrets, ConfigMaps
    assert all(f" in namespace {gone}: not listed yet: listing " in line and " is forbidden: " in line for line in told)
    up = {name: value for name, value in operator.metrics().items() if name.startswith("qubesec_watch_up{")}
    for one, expected in ((gone, 0), (namespace, 1)):
        assert {value for name, value in up.items() if f'namespace="{one}"' in name} == {expected}
    failed = {line.get("namespace") for line in operator.said("list or watch failed, trying again")}
    assert failed == {gone}

    api.create({"kind": "Namespace", "metadata": {"name": gone}})
    api.create({**role(gone, "narrow", []), "rules": rules_of(cluster)})
    api.create(binding(gone, "narrow", account(namespace, "narrow")))
    clock.advance(operator, 31)
    operator.wait_ready()
    api.make(thing(QKKP, gone, "pair"))


def test_all_but_these_namespaces(api, operators, namespace, there):
    operators.start("--exclude-namespaces", there).wait_ready()
    api.create(thing(QKKP, there, "pair"))
    api.create(role(there, "lend", [(QKKP, "pair"), ("Secret", "pair")]))
    api.create(binding(there, "lend", account(namespace)))
    api.make(thing(QKKP, namespace, "pair"))
    api.create(thing(QES, namespace, "sealed", {"publicKeyRef": reference(there, "pair")}))
    assert "does not serve" in wait_denied(api, QES, namespace, "sealed")["status"]["error"]
    assert not is_told(api.get(QKKP, there, "pair")) and api.find("Secret", there, "pair") is None
    operators.default()
    assert api.wait_success(QKKP, there, "pair")
