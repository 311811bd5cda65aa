"""What the API server itself accepts and refuses, by config/crd and config/rbac alone: no operator takes part.

Objects are sent as a dry run wherever that says enough. A refusal must carry the message that a person then reads.
"""

import json
import pathlib
import subprocess

import guides
import pytest
import yaml
from api import KINDS, QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, QVS, SIGNATURE_KINDS, ApiError, is_told, thing, wait_until
from audit import OPERATOR
from fixtures import BINARY

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CONFIG = CHECKOUT / "config"
GROUP = "qubesec.io"
ALL_KINDS = (*KINDS, *SIGNATURE_KINDS)
PLURALS = [f"{kind.lower()}s" for kind in ALL_KINDS]
STRICT = "fieldValidation=Strict"
DRY_RUN = f"dryRun=All&{STRICT}"

# The least that each kind takes, for tests of fields that all have.
MINIMAL = {
    QRN: {},
    QKKP: {},
    QES: {"publicKeyRef": {"name": "a"}},
    QDS: {"privateKeyRef": {"name": "a"}, "ciphertextRef": {"name": "b"}},
    QDK: {"sharedSecretRef": {"name": "a"}},
}
SEED = "00" * 48
IRREPLACEABLE = (QRN, QKKP, QES, QSKP, QC)  # kinds whose output cannot be made again as it was
ROTATABLE = (QRN, QKKP, QES, QSKP)
DIGESTS = {  # kinds with something public, or made for something that is
    **dict.fromkeys((QKKP, QSKP, QSM, QVS, QC), {"digest"}),
    QES: {"digest", "publicKeyDigest"},
    QDS: {"publicKeyDigest"},
}


def again(field):
    return f"{field} is immutable: keep it as it was, or create a resource of another name; to delete this one is to lose what it has made"


@pytest.fixture(scope="module", autouse=True)
def space(api, operators):
    """A namespace for this file, and no operator in it."""
    operators.stop()
    made = api.create({"kind": "Namespace", "metadata": {"generateName": "schema-"}})["metadata"]["name"]
    yield made
    api.call("DELETE", api.path("Namespace", None, made))


def try_create(api, wanted, query=DRY_RUN):
    return api.call("POST", f"{api.path(wanted['kind'], wanted['metadata']['namespace'])}?{query}", wanted)


def refusal(call, *arguments):
    """The message with which the server refuses a call."""
    with pytest.raises(ApiError) as caught:
        call(*arguments)
    assert caught.value.status in (400, 422), caught.value
    return str(caught.value)


# The definitions


@pytest.fixture(scope="module")
def definitions(api):
    return {one["spec"]["names"]["kind"]: one for one in api.list("CustomResourceDefinition") if one["spec"]["group"] == GROUP}


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_definition_is_established_and_structural(definitions, kind):
    conditions = {one["type"]: one["status"] for one in definitions[kind]["status"]["conditions"]}
    assert conditions["Established"] == conditions["NamesAccepted"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"
    assert definitions[kind]["spec"]["scope"] == "Namespaced"
    assert definitions[kind]["spec"]["names"]["categories"] == ["qubesec"]
    assert definitions[kind]["status"]["storedVersions"] == ["v1"]


def schema_of(definition):
    return definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


def fields_of(schema, path=""):
    yield path, schema
    for name, field in schema.get("properties", {}).items():
        yield from fields_of(field, f"{path}.{name}")
    for nested in ("items", "additionalProperties"):
        if nested in schema:
            yield from fields_of(schema[nested], f"{path}[]")


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_field_is_described_and_bounded(definitions, kind):
    bounds = {"string": {"maxLength", "enum"}, "array": {"maxItems"}, "integer": {"maximum"}, "number": {"maximum"}}
    for path, field in fields_of(schema_of(definitions[kind])):
        if path == ".metadata":
            continue  # Kubernetes' own, and nothing may be said of it here
        assert field.get("description"), f"{path} has no description"
        if path in (".apiVersion", ".kind"):
            continue
        wanted = {"maxProperties"} if "additionalProperties" in field else bounds.get(field["type"], set())
        assert not wanted or wanted & field.keys(), f"{path} has no bound: one of {wanted}"


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_rule_has_a_message_that_names_its_field(definitions, kind):
    for path, field in fields_of(schema_of(definitions[kind])):
        for rule in field.get("x-kubernetes-validations", []):
            assert "spec." in rule.get("message", rule.get("messageExpression", "")), f"{path}: {rule['rule']}"


def test_what_the_kinds_share_is_the_same_in_all(definitions):
    shared = ("outputSecretName", "secretName", "secretTemplate", "deletionPolicy", "onKeyLoss")
    same_status = ("status", "conditions", "observedGeneration", "secretRef", "inputs", "lastUpdateTime", "reconcileID", "error", "warning")
    first = schema_of(definitions[QRN])["properties"]
    for kind in (one for one in ALL_KINDS if one != QVS):  # which has no Secret, and other outcomes
        this = schema_of(definitions[kind])["properties"]
        for name in shared:
            if name == "onKeyLoss" and kind not in IRREPLACEABLE:
                assert name not in this["spec"]["properties"], kind
                continue
            ours, other = ({**one["spec"]["properties"][name], "description": ""} for one in (this, first))
            if (kind, name) == (QC, "deletionPolicy"):  # whose default depends on certType
                assert other.pop("default") == "Delete"
            assert ours == other, (kind, name)
        for name in (one for one in same_status if (kind, one) != (QSM, "secretRef")):  # which names an entry, too
            assert this["status"]["properties"][name] == first["status"]["properties"][name], (kind, name)


def test_full_digests_are_of_what_is_public(definitions):
    form = {"type": "string", "maxLength": 71, "pattern": "^(sha256:[0-9a-f]{64})?$"}
    for kind in ALL_KINDS:
        fields = schema_of(definitions[kind])["properties"]["status"]["properties"]
        assert {name for name in ("digest", "publicKeyDigest") if name in fields} == DIGESTS.get(kind, set()), kind
        for name in DIGESTS.get(kind, set()):
            assert {key: value for key, value in fields[name].items() if key != "description"} == form, (kind, name)


COLUMNS = {
    QRN: (["Bytes", "Algorithm"], ["Fingerprint", "Entropy"]),
    QKKP: (["Algorithm"], ["Fingerprint"]),
    QES: (["Algorithm"], ["Fingerprint", "Ciphertext"]),
    QDS: (["Algorithm"], ["Fingerprint"]),
    QDK: (["Type", "Bytes"], ["Algorithm", "Fingerprint"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_kubectl_get_prints(api, cluster, space, kind):
    api.create(thing(kind, space, "printed", MINIMAL[kind]))
    own, own_wide = ([name.upper() for name in names] for names in COLUMNS[kind])
    shown = ["NAME", "READY", "REASON", *own, "SECRET", "AGE"]

    def header(*options):
        return cluster.kubectl("get", kind, "--namespace", space, *options).splitlines()[0].split()

    assert header() == shown
    versions = ["VERSION"] if kind in (*ROTATABLE, QDS, QDK) else []
    rotation = ["NEXT", "ROTATION"] if kind in ROTATABLE else []
    assert header("--output=wide") == [*shown, "STATUS", *own_wide, *versions, *rotation, "MESSAGE"]
    assert cluster.kubectl("get", "qubesec", "--namespace", space, "--output=name").count(f"{kind.lower()}.{GROUP}/") == 1
    api.delete(kind, space, "printed")


@pytest.mark.parametrize("kind", KINDS)
def test_field_selectors(api, space, kind):
    chosen = "provider" if kind == QRN else "algorithm"
    for selector in ("status.status%3DSuccess", "status.algorithm%3DML-KEM-768", f"spec.{chosen}%3Dx"):
        assert api.call("GET", f"{api.path(kind, space)}?fieldSelector={selector}")["items"] == []


# What is accepted


@pytest.fixture(scope="module")
def other_names():
    """By kind, what is understood, and warned of: what we write ourselves has the usual names of fields and algorithms."""
    told = subprocess.run([BINARY.with_name("crd_tables")], capture_output=True, text=True, check=True).stdout
    found = {}
    for kind in json.loads(told):
        names = {field["alias"] for field in kind["fields"] if "alias" in field} | {"domain"}
        for field in kind["fields"]:
            names.update(*field.get("algorithms", {}).values())
        found[kind["kind"]] = names
    return found


def assert_usual_names(one, other_names):
    spec = one.get("spec", {})
    assert not other_names.get(one["kind"], set()) & {*spec, spec.get("algorithm")}


def samples():
    for file in sorted((CONFIG / "samples").glob("*.yaml")):
        if file.name != "kustomization.yaml":
            for sample in yaml.safe_load_all(file.read_text()):
                yield pytest.param(sample, id=f"{file.stem}-{sample['metadata']['name']}")


@pytest.mark.parametrize("sample", samples())
def test_sample_is_accepted(api, space, other_names, sample):
    assert_usual_names(sample, other_names)
    assert "namespace" not in sample["metadata"]
    sample["metadata"]["namespace"] = space
    try_create(api, sample)


def objects_of_pages():
    for page, text in guides.examples():
        for example in yaml.safe_load_all(text):
            yield pytest.param(example, id=f"{page.stem}-{example['metadata']['name']}")


@pytest.mark.parametrize("example", objects_of_pages())
def test_example_of_the_documentation_is_accepted(api, space, other_names, example):
    assert_usual_names(example, other_names)
    example["metadata"]["namespace"] = space
    try_create(api, example)


ACCEPTED = {
    "numBytes-least": (QRN, {"numBytes": 1}),
    "numBytes-most": (QRN, {"numBytes": 65536}),
    "bytes": (QRN, {"bytes": 48}),
    "both-names-same-value": (QRN, {"numBytes": 48, "bytes": 48, "secretName": "a", "outputSecretName": "a"}),
    "provider-system": (QRN, {"provider": "system"}),
    "provider-OpenSSL": (QRN, {"provider": "OpenSSL"}),
    "seed-least": (QRN, {"seed": "aA" * 48}),
    "seed-most": (QRN, {"seed": "09" * 96, "provider": "system"}),
    "seedURI": (QRN, {"seedURI": "https://seed.example.com/?bytes=48"}),
    "no-spec": (QRN, None),
    "no-spec-key-pair": (QKKP, None),
    **{f"algorithm-{name}": (QKKP, {"algorithm": name}) for name in ("ML-KEM-512", "ML-KEM-768", "ML-KEM-1024")},
    **{f"algorithm-{name}": (QKKP, {"algorithm": name}) for name in ("Kyber512", "Kyber768", "Kyber1024")},
    "public-key-kind-said": (QES, {"publicKeyRef": {"name": "a", "kind": "QuantumKEMKeyPair"}}),
    "public-key-Secret": (QES, {"publicKeyRef": {"name": "a", "kind": "Secret", "key": "tls.crt"}}),
    "public-key-ConfigMap": (QES, {"publicKeyRef": {"name": "a", "kind": "ConfigMap", "key": "public_key.pem"}}),
    "public-key-namespace": (QES, {"publicKeyRef": {"name": "a.b", "namespace": "other"}, "algorithm": "Kyber1024"}),
    "public-key-namespace-empty": (QES, {"publicKeyRef": {"name": "a", "namespace": ""}}),
    "ciphertext-Secret": (
        QDS,
        {"privateKeyRef": {"name": "a"}, "ciphertextRef": {"name": "b", "kind": "Secret", "key": "ciphertext"}},
    ),
    "ciphertext-ConfigMap": (
        QDS,
        {"privateKeyRef": {"name": "a"}, "ciphertextRef": {"name": "b", "kind": "ConfigMap", "key": "c"}},
    ),
    "ciphertext-inline-512": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": "0a" * 768}),
    "ciphertext-inline-768": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": "0A" * 1088}),
    "ciphertext-inline-1024": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": "ff" * 1568}),
    "ciphertext-both": (QDS, {**MINIMAL[QDS], "ciphertext": "00" * 768}),
    "ciphertext-empty": (QDS, {**MINIMAL[QDS], "ciphertext": ""}),
    **{
        f"shared-secret-{kind}": (QDK, {"sharedSecretRef": {"name": "a", "kind": kind}})
        for kind in ("QuantumEncapsulateSecret", "QuantumDecapsulateSecret", "QuantumRandomNumber")
    },
    "shared-secret-Secret": (QDK, {"sharedSecretRef": {"name": "a", "kind": "Secret", "key": "shared_secret"}}),
    "keyLength-least": (QDK, {**MINIMAL[QDK], "keyLength": 1}),
    "keyType-AES-256": (QDK, {**MINIMAL[QDK], "keyType": "AES-256", "keyLength": 32}),
    "keyType-ChaCha20": (QDK, {**MINIMAL[QDK], "keyType": "ChaCha20"}),
    "keyType-HMAC-SHA256": (QDK, {**MINIMAL[QDK], "keyType": "HMAC-SHA256", "keyLength": 20}),
    "salt-and-info-empty": (QDK, {**MINIMAL[QDK], "salt": "", "info": ""}),
    "salt-and-info-most": (QDK, {**MINIMAL[QDK], "salt": "0f" * 1024, "info": "i" * 1024}),
    "info-not-ascii": (QDK, {**MINIMAL[QDK], "info": "ü" * 512}),
    "infoHex-most": (QDK, {**MINIMAL[QDK], "infoHex": "F0" * 1024, "algorithm": "HKDF-SHA256"}),
}


@pytest.mark.parametrize("kind, spec", ACCEPTED.values(), ids=ACCEPTED)
def test_accepted(api, space, kind, spec):
    try_create(api, thing(kind, space, "x", spec))


COMMON_ACCEPTED = {
    "outputSecretName": {"outputSecretName": "a.b-c.d"},
    "secretName": {"secretName": "x" * 253},
    "deletionPolicy-Retain": {"deletionPolicy": "Retain"},
    "secretTemplate": {
        "secretTemplate": {
            "labels": {"app": "", "example.com/tier": "Back-End_1.2"},
            "annotations": {"example.com/note": "any text, ünd so on\n" * 100, "notqubesec.io/x": "y"},
        }
    },
    "secretTemplate-most": {"secretTemplate": {"labels": {f"l{i}": "v" * 63 for i in range(64)}}},
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in IRREPLACEABLE])
@pytest.mark.parametrize("reaction", ["Recreate", "Fail"])
def test_on_key_loss_is_accepted(api, space, kind, reaction):
    try_create(api, thing(kind, space, "x", {**MINIMAL[kind], "onKeyLoss": reaction}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", COMMON_ACCEPTED.values(), ids=COMMON_ACCEPTED)
def test_common_field_is_accepted(api, space, kind, extra):
    try_create(api, thing(kind, space, "x", {**MINIMAL[kind], **extra}))


def test_defaults(api, space):
    """Those that the schema gives; numBytes and bytes have none, for either may be the one that is written."""
    expected = {
        QRN: {"provider": "system", "deletionPolicy": "Delete", "onKeyLoss": "Recreate"},
        QKKP: {"algorithm": "ML-KEM-768", "deletionPolicy": "Delete", "onKeyLoss": "Recreate"},
        QES: {"publicKeyRef": {"name": "a", "kind": "QuantumKEMKeyPair"}, "deletionPolicy": "Delete", "onKeyLoss": "Recreate"},
        QDS: {
            "privateKeyRef": {"name": "a", "kind": "QuantumKEMKeyPair"},
            "ciphertextRef": {"name": "b", "kind": "QuantumEncapsulateSecret"},
            "deletionPolicy": "Delete",
        },
        QDK: {
            "sharedSecretRef": {"name": "a"},
            "algorithm": "HKDF-SHA256",
            "keyLength": 32,
            "deletionPolicy": "Delete",
        },
    }
    for kind, spec in expected.items():
        assert try_create(api, thing(kind, space, "x", MINIMAL[kind]))["spec"] == spec


# What is refused


LONG = "x" * 254
REFUSED = {
    "numBytes-0": (QRN, {"numBytes": 0}, "spec.numBytes"),
    "numBytes-65537": (QRN, {"numBytes": 65537}, "spec.numBytes"),
    "numBytes-text": (QRN, {"numBytes": "32"}, "spec.numBytes"),
    "numBytes-fraction": (QRN, {"numBytes": 1.5}, "spec.numBytes"),
    "bytes-65537": (QRN, {"bytes": 65537}, "spec.bytes"),
    "numBytes-differs": (
        QRN,
        {"numBytes": 32, "bytes": 33},
        "spec.numBytes and spec.bytes are two names of one field and differ: remove one of them",
    ),
    "provider": (QRN, {"provider": "dice"}, 'supported values: "system", "OpenSSL"'),
    "seed-short": (QRN, {"seed": "00" * 47}, "spec.seed"),
    "seed-empty": (QRN, {"seed": ""}, "spec.seed"),
    "seed-long": (QRN, {"seed": "00" * 97}, "spec.seed"),
    "seed-odd": (QRN, {"seed": SEED + "0"}, "spec.seed must be hexadecimal: an even number of digits"),
    "seed-base64": (QRN, {"seed": "4vls+/8=" * 12}, "spec.seed must be hexadecimal"),
    "seed-line-end": (QRN, {"seed": SEED + "\n\n"}, "spec.seed must be hexadecimal"),
    "seed-and-seedURI": (
        QRN,
        {"seed": SEED, "seedURI": "https://a"},
        "spec.seed and spec.seedURI exclude each other: remove one of them",
    ),
    "seed-and-provider": (
        QRN,
        {"seed": SEED, "provider": "OpenSSL"},
        "spec.provider must not be set together with spec.seed or spec.seedURI",
    ),
    "seedURI-and-provider": (QRN, {"seedURI": "https://a", "provider": "OpenSSL"}, "spec.provider must not be set"),
    "seedURI-long": (QRN, {"seedURI": "h" * 2049}, "spec.seedURI"),
    "seedURI-empty": (QRN, {"seedURI": ""}, "spec.seedURI"),
    "algorithm": (QKKP, {"algorithm": "RSA-2048"}, "spec.algorithm must be ML-KEM-512, ML-KEM-768 or ML-KEM-1024, or another name of one of them"),
    "algorithm-case": (QKKP, {"algorithm": "ml-kem-768"}, "spec.algorithm"),
    "algorithm-signature": (QES, {**MINIMAL[QES], "algorithm": "ML-DSA-65"}, "spec.algorithm"),
    "publicKeyRef-absent": (QES, {}, "spec.publicKeyRef: Required value"),
    "publicKeyRef-name-absent": (QES, {"publicKeyRef": {"namespace": "a"}}, "spec.publicKeyRef.name: Required value"),
    "publicKeyRef-name-empty": (QES, {"publicKeyRef": {"name": ""}}, "spec.publicKeyRef.name"),
    "publicKeyRef-name-long": (QES, {"publicKeyRef": {"name": LONG}}, "spec.publicKeyRef.name"),
    "publicKeyRef-namespace": (QES, {"publicKeyRef": {"name": "a", "namespace": "a.b"}}, "spec.publicKeyRef.namespace"),
    "publicKeyRef-namespace-long": (
        QES,
        {"publicKeyRef": {"name": "a", "namespace": "x" * 64}},
        "spec.publicKeyRef.namespace",
    ),
    "publicKeyRef-kind": (QES, {"publicKeyRef": {"name": "a", "kind": "Pod"}}, "spec.publicKeyRef.kind"),
    "publicKeyRef-key-absent": (
        QES,
        {"publicKeyRef": {"name": "a", "kind": "Secret"}},
        "spec.publicKeyRef.key is required with kind Secret or ConfigMap: name the entry that holds the public key",
    ),
    "publicKeyRef-key-too-much": (
        QES,
        {"publicKeyRef": {"name": "a", "key": "k"}},
        "spec.publicKeyRef.key is only for kind Secret or ConfigMap: remove it, or set spec.publicKeyRef.kind",
    ),
    "publicKeyRef-key": (QES, {"publicKeyRef": {"name": "a", "kind": "Secret", "key": "a/b"}}, "publicKeyRef.key"),
    "publicKeyRef-key-long": (QES, {"publicKeyRef": {"name": "a", "kind": "Secret", "key": LONG}}, "publicKeyRef.key"),
    **{
        f"onKeyLoss-{kind}": (kind, {**MINIMAL[kind], "onKeyLoss": "Restore"}, 'spec.onKeyLoss: Unsupported value: "Restore": supported values: "Recreate", "Fail"')
        for kind in (QRN, QKKP, QES)
    },
    **{f"onKeyLoss-{kind}": (kind, {**MINIMAL[kind], "onKeyLoss": "Fail"}, 'unknown field "spec.onKeyLoss"') for kind in (QDS, QDK)},
    **{
        f"cert-manager-{name}": (QC, {"commonName": "x", name: value}, f"spec.{field} is not a field here: {ours}")
        for name, value, field, ours in (
            ("dnsNames", ["a.example.com"], "dnsNames", "names of every form go into subjectAltNames"),
            ("issuerRef", {"name": "ca", "kind": "ClusterIssuer"}, "issuerRef", "name a QuantumCertificate of certType ca by parentCARef"),
            ("isCA", True, "isCA", "set certType to ca"),
            ("privateKey", {"algorithm": "RSA", "size": 2048}, "privateKey.size", "spec.algorithm says both"),
            ("subject", {"organizations": ["x"]}, "subject", "its parts stand in spec itself: commonName, organization"),
            ("renewBeforePercentage", 30, "renewBeforePercentage", "write it as renewBefore"),
            ("keystores", {"jks": {"create": True}}, "keystores", "the Secret has PEM only"),
        )
    },
    "duration-in-days": (QC, {"commonName": "x", "duration": "90d"}, "such as 2160h, 90m or 1h30m: a day is 24h"),
    "renewBefore-in-days": (QC, {"commonName": "x", "renewBefore": "30d"}, "spec.renewBefore must be 720h or 90m, without days"),
    "key-encipherment": (QC, {"commonName": "x", "usages": ["server auth", "key encipherment"]}, "is not for ML-DSA and SLH-DSA keys, which only sign"),
    "rotation-every-short": (QKKP, {"rotation": {"every": "9m"}}, "spec.rotation.every must be from 10m to 876000h"),
    "rotation-in-days": (QKKP, {"rotation": {"every": "90d"}}, "spec.rotation.every must be a length of time in hours"),
    "rotation-ahead": (
        QKKP,
        {"rotation": {"every": "10m", "publishAhead": "600s"}},
        "spec.rotation.publishAhead must be shorter than spec.rotation.every",
    ),
    "rotation-schedule": (
        QKKP,
        {"rotation": {"every": "1h", "window": {"schedule": "at noon", "duration": "1h"}}},
        "spec.rotation.window.schedule must be five fields as of a CronJob, such as 0 2 * * 6",
    ),
    "rotation-window-alone": (QKKP, {"rotation": {"window": {"schedule": "@daily", "duration": "1h"}}}, "nothing says how often"),
    "rotation-window-without-schedule": (
        QKKP,
        {"rotation": {"every": "1h", "window": {"duration": "1h"}}},
        "spec.rotation.window.schedule is required with spec.rotation.window",
    ),
    "rotation-unknown": (QES, {**MINIMAL[QES], "rotation": {"window": {"zone": "x"}}}, 'unknown field "spec.rotation.window.zone"'),
    "rotation-of-another": (QDK, {**MINIMAL[QDK], "rotation": {}}, 'unknown field "spec.rotation"'),
    "rotation-of-a-seed": (QRN, {"seed": SEED, "rotation": {}}, "spec.rotation must not be set together with spec.seed"),
    "rotation-ahead-of-random": (QRN, {"rotation": {"publishAhead": "1h"}}, "nothing public to publish ahead"),
    "unknown-field": (QES, {**MINIMAL[QES], "publicKey": "x"}, 'unknown field "spec.publicKey"'),
    "privateKeyRef-absent": (QDS, {"ciphertextRef": {"name": "a"}}, "spec.privateKeyRef: Required value"),
    "privateKeyRef-kind": (
        QDS,
        {**MINIMAL[QDS], "privateKeyRef": {"name": "a", "kind": "Secret"}},
        "spec.privateKeyRef.kind",
    ),
    "ciphertext-absent": (
        QDS,
        {"privateKeyRef": {"name": "a"}},
        "spec.ciphertextRef or spec.ciphertext is required: name what holds the ciphertext",
    ),
    "ciphertext-only-empty": (
        QDS,
        {"privateKeyRef": {"name": "a"}, "ciphertext": ""},
        "spec.ciphertextRef or spec.ciphertext is required",
    ),
    "ciphertext-not-hex": (
        QDS,
        {"privateKeyRef": {"name": "a"}, "ciphertext": "xy" * 768},
        "spec.ciphertext must be hexadecimal",
    ),
    "ciphertext-length": (
        QDS,
        {"privateKeyRef": {"name": "a"}, "ciphertext": "00" * 767},
        "spec.ciphertext has a wrong length: give all of its 1536 (ML-KEM-512)",
    ),
    "ciphertext-long": (QDS, {"privateKeyRef": {"name": "a"}, "ciphertext": "00" * 1569}, "spec.ciphertext"),
    "ciphertextRef-key-absent": (
        QDS,
        {**MINIMAL[QDS], "ciphertextRef": {"name": "a", "kind": "ConfigMap"}},
        "spec.ciphertextRef.key is required with kind Secret or ConfigMap",
    ),
    "ciphertextRef-key-too-much": (
        QDS,
        {**MINIMAL[QDS], "ciphertextRef": {"name": "a", "key": "k"}},
        "spec.ciphertextRef.key is only for kind Secret or ConfigMap",
    ),
    "sharedSecretRef-absent": (QDK, {}, "spec.sharedSecretRef: Required value"),
    "sharedSecretRef-kind": (
        QDK,
        {"sharedSecretRef": {"name": "a", "kind": "ConfigMap"}},
        "spec.sharedSecretRef.kind",
    ),
    "sharedSecretRef-key-absent": (
        QDK,
        {"sharedSecretRef": {"name": "a", "kind": "Secret"}},
        "spec.sharedSecretRef.key is required with kind Secret",
    ),
    "sharedSecretRef-key-too-much": (
        QDK,
        {"sharedSecretRef": {"name": "a", "key": "k"}},
        "spec.sharedSecretRef.key is only for kind Secret",
    ),
    "keyLength-0": (QDK, {**MINIMAL[QDK], "keyLength": 0}, "spec.keyLength"),
    "keyLength-33": (QDK, {**MINIMAL[QDK], "keyLength": 33}, "spec.keyLength"),
    "keyType": (QDK, {**MINIMAL[QDK], "keyType": "DES"}, "spec.keyType"),
    "keyType-AES-256-length": (
        QDK,
        {**MINIMAL[QDK], "keyType": "AES-256", "keyLength": 16},
        "spec.keyLength must be 32 with spec.keyType AES-256 or ChaCha20",
    ),
    "keyType-ChaCha20-length": (QDK, {**MINIMAL[QDK], "keyType": "ChaCha20", "keyLength": 31}, "must be 32 with"),
    "kdf": (QDK, {**MINIMAL[QDK], "algorithm": "PBKDF2"}, "spec.algorithm"),
    "salt-odd": (QDK, {**MINIMAL[QDK], "salt": "0"}, "spec.salt must be hexadecimal"),
    "salt-long": (QDK, {**MINIMAL[QDK], "salt": "00" * 1025}, "spec.salt"),
    "salt-number": (QDK, {**MINIMAL[QDK], "salt": 1234}, "spec.salt"),
    "info-long": (QDK, {**MINIMAL[QDK], "info": "i" * 1025}, "spec.info"),
    "info-long-in-bytes": (QDK, {**MINIMAL[QDK], "info": "ü" * 513}, "spec.info must have at most 1024 bytes in UTF-8"),
    "infoHex": (QDK, {**MINIMAL[QDK], "infoHex": "0x00"}, "spec.infoHex must be hexadecimal"),
    "info-and-infoHex": (
        QDK,
        {**MINIMAL[QDK], "info": "a", "infoHex": "61"},
        "spec.info and spec.infoHex exclude each other: remove one of them",
    ),
}


@pytest.mark.parametrize("kind, spec, message", REFUSED.values(), ids=REFUSED)
def test_refused(api, space, kind, spec, message):
    assert message in refusal(try_create, api, thing(kind, space, "x", spec))


@pytest.mark.parametrize("kind", [QES, QDS, QDK])
def test_spec_is_required(api, space, kind):
    assert "spec: Required value" in refusal(try_create, api, thing(kind, space, "x"))


COMMON_REFUSED = {
    "outputSecretName": ({"outputSecretName": "Upper"}, "spec.outputSecretName"),
    "outputSecretName-empty": ({"outputSecretName": ""}, "spec.outputSecretName"),
    "outputSecretName-long": ({"outputSecretName": LONG}, "spec.outputSecretName"),
    "secretName": ({"secretName": "a..b"}, "spec.secretName"),
    "secretName-differs": (
        {"outputSecretName": "a", "secretName": "b"},
        "spec.outputSecretName and spec.secretName are two names of one field and differ: remove one of them",
    ),
    "deletionPolicy": ({"deletionPolicy": "Orphan"}, 'supported values: "Delete", "Retain"'),
    "label-value": ({"secretTemplate": {"labels": {"a": "with space"}}}, "spec.secretTemplate.labels.a"),
    "label-value-long": ({"secretTemplate": {"labels": {"a": "v" * 64}}}, "spec.secretTemplate.labels.a"),
    "label-key": (
        {"secretTemplate": {"labels": {"a b": "v"}}},
        "spec.secretTemplate.labels has a key that Kubernetes does not allow",
    ),
    "label-key-long": ({"secretTemplate": {"labels": {"k" * 64: "v"}}}, "spec.secretTemplate.labels has a key"),
    "label-reserved": (
        {"secretTemplate": {"labels": {"app.kubernetes.io/managed-by": "me"}}},
        "spec.secretTemplate.labels must not set app.kubernetes.io/managed-by or a key under qubesec.io/",
    ),
    "label-reserved-domain": ({"secretTemplate": {"labels": {"qubesec.io/a": "v"}}}, "labels must not set"),
    "annotation-reserved": ({"secretTemplate": {"annotations": {"qubesec.io/owner": "v"}}}, "annotations must not set"),
    "annotation-reserved-below": ({"secretTemplate": {"annotations": {"a.qubesec.io/b": ""}}}, "annotations must not set"),
    "annotation-key": ({"secretTemplate": {"annotations": {"/a": "v"}}}, "annotations has a key"),
    "annotation-value-long": ({"secretTemplate": {"annotations": {"a": "v" * 2049}}}, "annotations.a"),
    "labels-many": ({"secretTemplate": {"labels": {f"l{i}": "" for i in range(65)}}}, "spec.secretTemplate.labels"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra, message", COMMON_REFUSED.values(), ids=COMMON_REFUSED)
def test_common_field_is_refused(api, space, kind, extra, message):
    assert message in refusal(try_create, api, thing(kind, space, "x", {**MINIMAL[kind], **extra}))


def test_all_faults_are_said_at_once(api, space):
    spec = {"numBytes": 1, "bytes": 2, "seed": SEED, "seedURI": "https://a", "outputSecretName": "a", "secretName": "b"}
    said = refusal(try_create, api, thing(QRN, space, "x", spec))
    for part in ("spec.numBytes and spec.bytes", "spec.seed and spec.seedURI", "spec.outputSecretName and spec.secretName"):
        assert part in said


# Edits. None as a value takes the field away (JSON merge patch).


@pytest.fixture
def edit(api, space, request):
    """Makes an object (for real), and returns what a dry-run edit of its spec gives."""
    kind, spec = request.param
    api.create(thing(kind, space, "edited", spec))

    def patch(change):
        path = f"{api.path(kind, space, 'edited')}?{DRY_RUN}"
        return api.call("PATCH", path, {"spec": change}, "application/merge-patch+json")

    yield patch
    api.delete(kind, space, "edited")


EDIT_REFUSED = {
    "numBytes": ((QRN, {"numBytes": 32}), {"numBytes": 33}, "spec.numBytes"),
    "numBytes-added": ((QRN, {}), {"numBytes": 33}, "spec.numBytes"),
    "numBytes-removed": ((QRN, {"numBytes": 33}), {"numBytes": None}, "spec.numBytes"),
    "bytes": ((QRN, {"bytes": 32}), {"bytes": 33}, "spec.bytes"),
    "bytes-added": ((QRN, {}), {"bytes": 33}, "spec.bytes"),
    "bytes-removed": ((QRN, {"bytes": 33}), {"bytes": None}, "spec.bytes"),
    "provider": ((QRN, {}), {"provider": "OpenSSL"}, "spec.provider"),
    "provider-removed": ((QRN, {"provider": "OpenSSL"}), {"provider": None}, "spec.provider"),
    "seed": ((QRN, {"seed": SEED}), {"seed": "11" * 48}, "spec.seed"),
    "seed-added": ((QRN, {}), {"seed": SEED}, "spec.seed"),
    "seed-removed": ((QRN, {"seed": SEED}), {"seed": None}, "spec.seed"),
    "seedURI": ((QRN, {"seedURI": "https://a"}), {"seedURI": "https://b"}, "spec.seedURI"),
    "seedURI-added": ((QRN, {}), {"seedURI": "https://b"}, "spec.seedURI"),
    "seedURI-removed": ((QRN, {"seedURI": "https://a"}), {"seedURI": None}, "spec.seedURI"),
    "algorithm": ((QKKP, {"algorithm": "ML-KEM-768"}), {"algorithm": "ML-KEM-1024"}, "spec.algorithm"),
    "algorithm-alias": ((QKKP, {"algorithm": "Kyber768"}), {"algorithm": "ML-KEM-1024"}, "spec.algorithm"),
    "algorithm-removed": ((QKKP, {"algorithm": "ML-KEM-512"}), {"algorithm": None}, "spec.algorithm"),
    "algorithm-added": ((QES, MINIMAL[QES]), {"algorithm": "ML-KEM-512"}, "spec.algorithm"),
    "algorithm-changed": (
        (QDS, {**MINIMAL[QDS], "algorithm": "Kyber512"}),
        {"algorithm": "Kyber1024"},
        "spec.algorithm",
    ),
    "keyLength": ((QDK, MINIMAL[QDK]), {"keyLength": 16}, "spec.keyLength"),
    "keyLength-removed": ((QDK, {**MINIMAL[QDK], "keyLength": 16}), {"keyLength": None}, "spec.keyLength"),
    "keyType": ((QDK, {**MINIMAL[QDK], "keyType": "AES-256"}), {"keyType": "ChaCha20"}, "spec.keyType"),
    "keyType-added": ((QDK, MINIMAL[QDK]), {"keyType": "ChaCha20"}, "spec.keyType"),
    "keyType-removed": ((QDK, {**MINIMAL[QDK], "keyType": "AES-256"}), {"keyType": None}, "spec.keyType"),
    "salt": ((QDK, {**MINIMAL[QDK], "salt": "00"}), {"salt": "01"}, "spec.salt"),
    "salt-added": ((QDK, MINIMAL[QDK]), {"salt": "01"}, "spec.salt"),
    "salt-removed": ((QDK, {**MINIMAL[QDK], "salt": "00"}), {"salt": None}, "spec.salt"),
    "info": ((QDK, {**MINIMAL[QDK], "info": "a"}), {"info": "b"}, "spec.info"),
    "info-added": ((QDK, MINIMAL[QDK]), {"info": "b"}, "spec.info"),
    "info-removed": ((QDK, {**MINIMAL[QDK], "info": "a"}), {"info": None}, "spec.info"),
    "infoHex": ((QDK, {**MINIMAL[QDK], "infoHex": "00"}), {"infoHex": "01"}, "spec.infoHex"),
    "infoHex-added": ((QDK, MINIMAL[QDK]), {"infoHex": "01"}, "spec.infoHex"),
    "infoHex-removed": ((QDK, {**MINIMAL[QDK], "infoHex": "00"}), {"infoHex": None}, "spec.infoHex"),
    **{
        f"{field}-{what}-{kind}": ((kind, {**MINIMAL[kind], **before}), {field: after}, f"spec.{field}")
        for kind in KINDS
        for field in ("outputSecretName", "secretName")
        for what, before, after in (
            ("changed", {field: "a"}, "b"),
            ("added", {}, "b"),
            ("removed", {field: "a"}, None),
        )
    },
}


@pytest.mark.parametrize("edit, change, field", EDIT_REFUSED.values(), ids=EDIT_REFUSED, indirect=["edit"])
def test_edit_is_refused(edit, change, field):
    assert again(field) in refusal(edit, change)


EDIT_ACCEPTED = {
    "bytes-becomes-numBytes": ((QRN, {"bytes": 48}), {"bytes": None, "numBytes": 48}),
    "numBytes-default-said": ((QRN, {}), {"numBytes": 32}),
    "secretName-becomes-outputSecretName": ((QKKP, {"secretName": "a"}), {"secretName": None, "outputSecretName": "a"}),
    "algorithm-canonical": ((QKKP, {"algorithm": "Kyber768"}), {"algorithm": "ML-KEM-768"}),
    "algorithm-default-removed": ((QKKP, {"algorithm": "ML-KEM-768"}), {"algorithm": None}),
    "publicKeyRef": ((QES, MINIMAL[QES]), {"publicKeyRef": {"name": "b", "kind": "ConfigMap", "key": "k"}}),
    "ciphertext": ((QDS, MINIMAL[QDS]), {"ciphertext": "00" * 1088}),
    "ciphertextRef": ((QDS, MINIMAL[QDS]), {"ciphertextRef": {"name": "c"}, "privateKeyRef": {"name": "d"}}),
    "sharedSecretRef": ((QDK, MINIMAL[QDK]), {"sharedSecretRef": {"name": "b", "kind": "QuantumRandomNumber"}}),
    "salt-empty-removed": ((QDK, {**MINIMAL[QDK], "salt": "", "info": ""}), {"salt": None, "info": None}),
    **{
        f"onKeyLoss-{before}-{after}-{kind}": ((kind, {**MINIMAL[kind], "onKeyLoss": before}), {"onKeyLoss": after})
        for kind in (QRN, QKKP, QES)
        for before, after in (("Fail", "Recreate"), ("Recreate", "Fail"), ("Fail", None))
    },
    **{
        f"secretTemplate-and-deletionPolicy-{kind}": (
            (kind, MINIMAL[kind]),
            {"secretTemplate": {"labels": {"a": "b"}}, "deletionPolicy": "Retain"},
        )
        for kind in KINDS
    },
}


@pytest.mark.parametrize("edit, change", EDIT_ACCEPTED.values(), ids=EDIT_ACCEPTED, indirect=["edit"])
def test_edit_is_accepted(edit, change):
    edit(change)


# Status


def full_status():
    return {
        "status": "Success",
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "observedGeneration": 1,
                "lastTransitionTime": "2026-01-02T03:04:05Z",
                "reason": "Success",
                "message": "",
            }
        ],
        "observedGeneration": 1,
        "algorithm": "ML-KEM-768",
        "fingerprint": "0123456789",
        "secretRef": {"name": "x", "uid": "0a56c1a4-4a6a-4c0b-9d4b-0d0d6f7a3a11", "resourceVersion": "12"},
        "inputs": [{"field": "f", "kind": "k", "name": "n", "namespace": "s", "uid": "u", "resourceVersion": "1"}],
        "lastUpdateTime": "2026-01-02T03:04:05Z",
        "reconcileID": "0123456789abcdef",
        "error": "",
        "warning": "w",
    }


A_DIGEST = "sha256:" + "0123456789abcdef" * 4
OWN_STATUS = {
    QRN: {"size": 32, "entropy": 4.9, "lastGeneratedTime": "2026-01-02T03:04:05Z"},
    QKKP: {"publicKeyPEM": "-----BEGIN PUBLIC KEY-----\n" + "A" * 2300, "digest": A_DIGEST},
    QES: {"ciphertext": "00" * 1568, "ciphertextFingerprint": "0123456789", "digest": A_DIGEST, "publicKeyDigest": A_DIGEST},
    QDS: {"publicKeyDigest": A_DIGEST},
    QDK: {"keyLength": 32, "usedSalt": "00" * 1024, "usedInfo": "00" * 1024},
}


@pytest.mark.parametrize("kind", KINDS)
def test_trap_32_status_is_a_subresource_with_all_its_fields(api, space, kind):
    status = {**full_status(), **OWN_STATUS[kind]}
    made = api.create({**thing(kind, space, "reported", MINIMAL[kind]), "status": status})
    assert not is_told(made)

    def report(change):
        path = f"{api.path(kind, space, 'reported', 'status')}?{STRICT}"
        return api.call("PATCH", path, {"status": change}, "application/merge-patch+json")

    patched = report(status)
    assert patched["status"] == status
    assert patched["metadata"]["generation"] == 1
    wrong_digests = [{name: A_DIGEST[:-1]} for name in DIGESTS.get(kind, set())]
    for wrong in ({"status": "Done"}, {"fingerprint": "xyz"}, {"conditions": [{"type": "Ready", "status": "True"}]}, *wrong_digests):
        assert "status." in refusal(report, wrong)
    found = api.call("GET", f"{api.path(kind, space)}?fieldSelector=status.status%3DSuccess")["items"]
    assert [one["metadata"]["name"] for one in found] == ["reported"]
    api.delete(kind, space, "reported")


# Rights


VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
OPERATOR_RIGHTS = {
    **{(GROUP, plural): {"list", "watch"} for plural in PLURALS},
    **{(GROUP, f"{plural}/status"): {"update", "patch"} for plural in PLURALS},
    **{(GROUP, f"{plural}/finalizers"): set() for plural in PLURALS},
    ("", "secrets"): {"get", "list", "watch", "create", "patch"},
    ("", "configmaps"): {"get", "list", "watch", "create", "patch", "delete"},
    ("events.k8s.io", "events"): {"create", "patch"},
    ("authorization.k8s.io", "localsubjectaccessreviews"): {"create"},
    ("authorization.k8s.io", "subjectaccessreviews"): set(),
    ("coordination.k8s.io", "leases"): set(),
    ("", "events"): set(),
    ("", "pods"): set(),
    ("", "serviceaccounts/token"): set(),
    ("rbac.authorization.k8s.io", "clusterroles"): set(),
    ("apiextensions.k8s.io", "customresourcedefinitions"): set(),
}


def test_the_operator_may_do_what_it_needs_and_nothing_else(api):
    for (group, resource), verbs in OPERATOR_RIGHTS.items():
        allowed = {verb for verb in VERBS if api.allows(OPERATOR, verb, resource, group, "default")}
        assert allowed == verbs, (group, resource)


USER_RIGHTS = {
    "view": {"get", "list", "watch"},
    "edit": set(VERBS),
    "admin": set(VERBS),
}


@pytest.mark.parametrize("role", USER_RIGHTS)
def test_the_roles_of_kubernetes_include_our_resources(api, space, role):
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"users-{role}"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": f"user-{role}"}],
    }
    api.call("POST", f"/apis/rbac.authorization.k8s.io/v1/namespaces/{space}/rolebindings", binding)

    def rights(resource):
        return {verb for verb in VERBS if api.allows(f"user-{role}", verb, resource, GROUP, space)}

    for plural in PLURALS:  # a controller adds our rules to those roles, some time after they were made
        wait_until(lambda plural=plural: f"{role} has {rights(plural)}", lambda plural=plural: rights(plural) == USER_RIGHTS[role])
        assert rights(f"{plural}/status") == set()


# The kustomize bases


@pytest.mark.parametrize("base", ["crd", "rbac", "manager", "webhook", "default", "samples"])
def test_kustomize_base_is_accepted(cluster, space, base):
    options = ["--namespace", space] if base == "samples" else []
    cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "--warnings-as-errors", "--kustomize", CONFIG / base, *options)
