"""The three that judge a spec agree: the CRD's schema with its CEL rules, the webhook, and the reconcile's validator.

Each row of specs.py is put before all three: as a dry run, with no webhook; straight to the webhook; and, with CRDs that
take everything, as an object whose status then says what the reconcile made of it.
"""

import contextlib
import copy
import json
import re
import subprocess

import pytest
from api import QC, QDK, QKKP, QRN, QSKP, QSM, QVS, ApiError, reason_of, thing, wait_until
from fixtures import BINARY
from specs import BAD, BOTH, GOOD, MINIMAL, ONLY_VALIDATOR, SCHEMA, SEED_PREFIX, VALIDATOR
from test_admission_schema import EDIT_ACCEPTED, EDIT_REFUSED
from webhook import Direct, flags, make_certificates, port_of

ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
LAYERS = {"both": BOTH, "validator": ONLY_VALIDATOR}


def bad_values():
    """What follows from the tables of all kinds' fields."""
    told = subprocess.run([BINARY.with_name("crd_tables"), "bad-specs"], capture_output=True, text=True, check=True).stdout
    for one in json.loads(told):
        yield f"{one['kind']}-{one['field']}-{one['what']}", one["kind"], one["spec"], LAYERS[one["refusedBy"]]


ROWS = [
    *bad_values(),
    *((f"good-{name}", kind, spec, frozenset()) for name, (kind, spec) in GOOD.items()),
    *((f"bad-{name}", kind, spec, refused_by) for name, (kind, spec, refused_by) in BAD.items()),
]
IMPOSSIBLE = {"numBytes": 0}  # what only CRDs without a schema take


def object_name(number):
    return f"row-{number}"


def row_object(namespace, number):
    _, kind, spec, _ = ROWS[number]
    return thing(kind, namespace, object_name(number), spec)


def disagreements(refused, layer):
    """The rows that were refused although they must not be, or the other way round."""
    return {
        name: f"{layer} {'refused' if said else 'accepted'} it: {said or spec}"
        for (name, _, spec, refused_by), said in zip(ROWS, refused, strict=True)
        if bool(said) != (layer in refused_by)
    }


@contextlib.contextmanager
def connection(operators, folder):
    """To the webhook of an operator that starts now."""
    make_certificates(folder)
    operator = operators.start(*flags(folder), "--seed-url-prefix", SEED_PREFIX).wait_ready()
    with contextlib.closing(Direct(port_of(operator), folder)) as made:
        yield made


@pytest.fixture(scope="module")
def asked(operators, tmp_path_factory):
    with connection(operators, tmp_path_factory.mktemp("webhook")) as made:
        yield made


def definitions(api):
    wanted = {f"{kind.lower()}s.qubesec.io" for kind in MINIMAL}
    return [one for one in api.list("CustomResourceDefinition") if one["metadata"]["name"] in wanted]


def replace_definition(api, name, spec):
    def replaced():
        found = api.get("CustomResourceDefinition", None, name)
        try:
            api.call("PUT", api.path("CustomResourceDefinition", None, name), {**found, "spec": spec})
        except ApiError as error:
            assert error.status == 409, error
            return False
        return True

    wait_until(f"{name} is replaced", replaced)


def takes_anything(api, namespace, kind):
    with contextlib.suppress(ApiError):
        api.call("POST", f"{api.path(kind, namespace)}?dryRun=All", thing(kind, namespace, "probe", 5))
        return True
    return False


@pytest.fixture
def permissive(api, namespace):
    """CRDs that take everything, for one test."""
    before = {one["metadata"]["name"]: one["spec"] for one in definitions(api)}
    assert len(before) == len(MINIMAL)
    try:
        for name, spec in before.items():
            changed = copy.deepcopy(spec)
            for version in changed["versions"]:
                version["schema"] = ANYTHING
                version.pop("selectableFields", None)
            replace_definition(api, name, changed)
        for kind in MINIMAL:
            wait_until(f"everything is taken for a {kind}", lambda kind=kind: takes_anything(api, namespace, kind))
        yield
        for kind in MINIMAL:
            api.call("DELETE", api.path(kind, namespace))
            wait_until(f"each {kind} is gone", lambda kind=kind: not api.list(kind, namespace))
    finally:
        for name, spec in before.items():
            replace_definition(api, name, spec)
        for kind in MINIMAL:
            wait_until(f"the schema of {kind} is back", lambda kind=kind: not takes_anything(api, namespace, kind))


def test_there_are_rows_enough():
    kinds = {kind for _, kind, _, _ in ROWS}
    assert len(ROWS) >= 150 and kinds == set(MINIMAL)
    for layers in ({SCHEMA}, {VALIDATOR}, {SCHEMA, VALIDATOR}):
        assert any(refused_by == layers for _, _, _, refused_by in ROWS), layers


def test_the_schema_refuses_what_it_must(api, namespace):
    def said(number):
        wanted = row_object(namespace, number)
        try:
            api.call("POST", f"{api.path(wanted['kind'], namespace)}?dryRun=All", wanted)
        except ApiError as error:
            assert error.status in (400, 422), (ROWS[number], error)
            return str(error)
        return None

    assert disagreements([said(number) for number in range(len(ROWS))], SCHEMA) == {}


def test_the_webhook_refuses_what_it_must(asked, namespace):
    def said(number):
        response = asked.ask("CREATE", row_object(namespace, number))
        if response["allowed"]:
            assert "status" not in response
            return None
        status = response["status"]
        assert (status["code"], status["reason"]) == (422, "Invalid")
        causes = status["details"]["causes"]
        for cause in causes:
            assert cause["reason"] == "FieldValueInvalid"
            assert cause["field"] == "spec" or cause["field"].startswith("spec."), cause
            assert cause["message"] and f"{cause['field']}: {cause['message']}" in status["message"]
        return status["message"]

    assert disagreements([said(number) for number in range(len(ROWS))], VALIDATOR) == {}


# Edits, of specs as the API server has filled in their defaults

EDITS = {
    **{f"refused-{name}": (*before, change, field) for name, (before, change, field) in EDIT_REFUSED.items()},
    **{f"accepted-{name}": (*before, change, None) for name, (before, change) in EDIT_ACCEPTED.items()},
    "refused-signature-algorithm": (QSKP, {"algorithm": "Dilithium3"}, {"algorithm": "ML-DSA-87"}, "spec.algorithm"),
    "accepted-signature-algorithm": (QSKP, {"algorithm": "SPHINCS+-SHA2-128f-simple"}, {"algorithm": "SLH-DSA-SHA2-128f"}, None),
    "refused-certificate-algorithm": (QC, MINIMAL[QC], {"algorithm": "ML-DSA-87"}, "spec.algorithm"),
    "accepted-certificate": (QC, MINIMAL[QC], {"commonName": "other.example.com", "durationDays": 9, "algorithm": "Dilithium3"}, None),
    "refused-certificate-to-ca": (QC, MINIMAL[QC], {"certType": "ca"}, "spec.certType"),
    "refused-certificate-from-ca": (QC, {**MINIMAL[QC], "certType": "ca"}, {"certType": "self-signed"}, "spec.certType"),
    "accepted-certificate-type": (QC, MINIMAL[QC], {"certType": "client", "parentCARef": {"name": "ca"}}, None),
    "refused-certificate-secret": (QC, MINIMAL[QC], {"secretName": "other"}, "spec.secretName"),
    "accepted-default-secret-said": (QC, MINIMAL[QC], {"outputSecretName": "edited-secret"}, None),
    "accepted-default-secret-said-without-spec": (QRN, {}, {"secretName": "edited"}, None),
    "accepted-default-secret-unsaid": (QSM, {**MINIMAL[QSM], "secretName": "edited-signature"}, {"secretName": None}, None),
    "refused-secret-without-suffix": (QC, MINIMAL[QC], {"outputSecretName": "edited"}, "spec.outputSecretName"),
    "refused-secret-unsaid": (QKKP, {"secretName": "other"}, {"secretName": None}, "spec.secretName"),
    "accepted-signing": (QSM, MINIMAL[QSM], {"context": "c", "signatureKey": "s", "algorithm": "ML-DSA-44"}, None),
    "refused-signing-secret": (QSM, MINIMAL[QSM], {"outputSecretName": "other"}, "spec.outputSecretName"),
    "accepted-verifying": (QVS, MINIMAL[QVS], {"context": "c", "algorithm": "ML-DSA-44"}, None),
    "accepted-case-of-seed": (QRN, {"seed": "aB" * 48}, {"seed": "Ab" * 48}, None),
    "accepted-case-of-salt": (QDK, {**MINIMAL[QDK], "salt": "aB", "infoHex": "cD"}, {"salt": "Ab", "infoHex": "Cd"}, None),
}


@pytest.mark.parametrize("kind, before, change, field", EDITS.values(), ids=EDITS)
def test_an_edit_is_judged_the_same_by_both(api, asked, namespace, kind, before, change, field):
    stored = api.create(thing(kind, namespace, "edited", before))
    spec = {**stored["spec"], **change}
    edited = {**stored, "spec": {name: value for name, value in spec.items() if value is not None}}
    path = f"{api.path(kind, namespace, 'edited')}?dryRun=All"
    change_spec = {"spec": change}
    response = asked.ask("UPDATE", edited, stored)
    if field is None:
        api.call("PATCH", path, change_spec, "application/merge-patch+json")
        assert response["allowed"], response
        return
    with pytest.raises(ApiError, match=re.escape(f"{field} is immutable")):
        api.call("PATCH", path, change_spec, "application/merge-patch+json")
    [cause] = response["status"]["details"]["causes"]
    assert (cause["reason"], cause["message"].partition(";")[0]) == ("FieldValueForbidden", "is immutable")
    assert cause["field"] in (field, "spec.numBytes", "spec.outputSecretName")  # or the name that the new spec does not have
    assert "to delete this one is to lose what it has made" in cause["message"]


# CRDs without a schema; last, since another operator takes the place of the one that was asked


def test_the_reconcile_refuses_what_the_webhook_refuses(api, operators, namespace, permissive, tmp_path):
    """By an operator that starts after the CRDs have changed: the API server lets a watch that began before them go on
    for a moment, and takes out of what it shows there all that the schema of that time did not know."""
    answers = []
    with connection(operators, tmp_path) as asked:
        for number in range(len(ROWS)):
            wanted = row_object(namespace, number)
            answers.append(asked.ask("CREATE", wanted))
            api.create(wanted)
    found = {}

    def all_judged():
        for kind in MINIMAL:
            found.update({one["metadata"]["name"]: one for one in api.list(kind, namespace)})
        return len(found) == len(ROWS) and all(reason_of(one) for one in found.values())

    def missing():
        return f"every object has a status, but {[name for name, one in found.items() if not reason_of(one)]}"

    wait_until(missing, all_judged, patience=240)
    objects = [found[object_name(number)] for number in range(len(ROWS))]
    refused = [one["status"].get("error") if reason_of(one) == "InvalidSpec" else None for one in objects]
    assert disagreements(refused, VALIDATOR) == {}
    for (name, _, _, _), answer, said in zip(ROWS, answers, refused, strict=True):
        assert answer["allowed"] is (said is None), name
        if said is not None:  # in the same words, as far as they fit
            assert said[:100] == answer["status"]["message"][:100], name


def test_after_all_the_schema_is_in_force_again(api, namespace):
    with pytest.raises(ApiError, match="spec.numBytes"):
        api.create(thing(QRN, namespace, "x", IMPOSSIBLE))
    assert api.call("GET", f"{api.path(QKKP, namespace)}?fieldSelector=spec.algorithm%3DML-KEM-768")["items"] == []
