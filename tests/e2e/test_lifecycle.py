"""The life of a resource of each kind: made, applied again, edited, deleted, made anew; and its other names."""

import dataclasses
import datetime
import json
import subprocess

import pytest
from api import KINDS, QDK, QDS, QES, QKKP, QRN, data_of, exchange, ready_of, thing
from crypto import fingerprint


@dataclasses.dataclass
class Life:
    spec: dict
    edit: dict  # refused
    algorithm: str  # as status shows it
    entries: dict  # of the Secret: name -> bytes, None for a text
    main: str  # the entry whose fingerprint is shown
    fresh: bool  # made anew, it is another one
    standard: str
    own_status: frozenset  # fields besides those that all have
    inputs: int = 0


LIVES = {
    QRN: Life(
        spec={"numBytes": 48}, edit={"numBytes": 49}, algorithm="system", entries={"random": 48}, main="random",
        fresh=True, standard="NIST SP 800-90A; for provider system: Linux getrandom(2)", own_status=frozenset({"size", "entropy", "lastGeneratedTime"}),
    ),
    QKKP: Life(
        spec={"algorithm": "ML-KEM-768"}, edit={"algorithm": "ML-KEM-1024"}, algorithm="ML-KEM-768",
        entries={"public_key": 1184, "private_key": 2400, "public_key.pem": None, "private_key.pem": None},
        main="public_key", fresh=True, standard="FIPS 203", own_status=frozenset({"publicKeyPEM", "digest"}),
    ),
    QES: Life(
        spec={"publicKeyRef": {"name": "pair"}}, edit={"algorithm": "ML-KEM-1024"}, algorithm="ML-KEM-768",
        entries={"shared_secret": 32, "ciphertext": 1088}, main="shared_secret", fresh=True, standard="FIPS 203",
        own_status=frozenset({"ciphertext", "ciphertextFingerprint", "digest", "publicKeyDigest"}), inputs=1,
    ),
    QDS: Life(
        spec={"privateKeyRef": {"name": "pair"}, "ciphertextRef": {"name": "sealed"}}, edit={"outputSecretName": "other"},
        algorithm="ML-KEM-768", entries={"shared_secret": 32}, main="shared_secret", fresh=False, standard="FIPS 203",
        own_status=frozenset({"publicKeyDigest"}), inputs=2,
    ),
    QDK: Life(
        spec={"sharedSecretRef": {"name": "sealed"}, "keyLength": 20, "keyType": "HMAC-SHA256", "salt": "0f", "info": "life"},
        edit={"salt": "f0"},
        algorithm="HKDF-SHA256", entries={"key": 20}, main="key", fresh=False, standard="RFC 5869",
        own_status=frozenset({"keyLength", "usedSalt", "usedInfo"}), inputs=1,
    ),
}  # fmt: skip
COMMON_STATUS = {
    "status", "conditions", "observedGeneration", "algorithm", "fingerprint", "secretRef", "lastUpdateTime",
    "reconcileID", "version",
}  # fmt: skip


def check_time(text):
    age = datetime.datetime.now(datetime.UTC) - datetime.datetime.fromisoformat(text)
    assert text.endswith("Z") and datetime.timedelta(minutes=-1) < age < datetime.timedelta(hours=1)


def check_status(found, life, secret):
    status, metadata = found["status"], found["metadata"]
    inputs = {"inputs"} if life.inputs else set()
    assert status.keys() == COMMON_STATUS | life.own_status | inputs
    assert status["observedGeneration"] == metadata["generation"]
    assert status["algorithm"] == life.algorithm
    assert status["fingerprint"] == fingerprint(data_of(secret)[life.main])
    identity = {key: secret["metadata"][key] for key in ("name", "uid", "resourceVersion")}
    assert status["secretRef"] == {**identity, "generation": metadata["generation"]}
    assert len(status.get("inputs", [])) == life.inputs
    check_time(status["lastUpdateTime"])
    ready = ready_of(found)
    assert (ready["status"], ready["reason"], ready["observedGeneration"]) == ("True", "Succeeded", 1)
    assert ready["message"]
    check_time(ready["lastTransitionTime"])


def check_secret(secret, life, owner):
    data = data_of(secret)
    assert data.keys() == {*life.entries, "metadata"}
    for name, size in life.entries.items():
        assert size in (None, len(data[name])), name
    said = json.loads(data["metadata"])
    assert said["algorithm"] == life.algorithm
    assert said["standard"] == life.standard
    assert said["sizes"] == {name: len(data[name]) for name in life.entries}
    assert said["fingerprint"] == fingerprint(data[life.main])
    assert said["generator"].startswith("qubesec/")
    assert len(said.get("inputs", {})) == life.inputs
    check_time(said["created"])
    metadata = secret["metadata"]
    assert secret["type"] == "Opaque"
    assert metadata["labels"] == {"app.kubernetes.io/managed-by": "qubesec"}
    assert metadata["annotations"]["qubesec.io/owner"] == f"{owner['kind']}/{owner['metadata']['name']}"
    assert metadata["ownerReferences"] == [
        {
            "apiVersion": "qubesec.io/v1",
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
    ]


def check_columns(cluster, found):
    """What kubectl get shows is the status, under headings."""
    kind, metadata, status = found["kind"], found["metadata"], found["status"]
    narrow = ("get", kind, metadata["name"], "--namespace", metadata["namespace"])
    headings, row = (line.split() for line in cluster.kubectl(*narrow).splitlines())
    shown = dict(zip(headings, row, strict=True))
    assert list(shown)[:3] == ["NAME", "READY", "REASON"] and list(shown)[-2:] == ["SECRET", "AGE"]
    assert (shown["NAME"], shown["READY"], shown["REASON"]) == (metadata["name"], "True", "Succeeded")
    assert shown["SECRET"] == status["secretRef"]["name"]
    headings, row = cluster.kubectl(*narrow, "--output", "wide").splitlines()
    assert headings.split()[-1] == "MESSAGE" and row.rstrip().endswith(ready_of(found)["message"])
    shown = dict(zip(headings.split(), row.split(), strict=False))
    assert (shown["STATUS"], shown["ALGORITHM"], shown["FINGERPRINT"]) == ("Success", status["algorithm"], status["fingerprint"])


@pytest.mark.parametrize("kind", KINDS)
def test_life(cluster, api, operator, namespace, kind):
    life = LIVES[kind]
    api.make(thing(QKKP, namespace, "pair"), thing(QES, namespace, "sealed", LIVES[QES].spec))
    manifest = thing(kind, namespace, "it", life.spec)

    cluster.kubectl("apply", "--filename", "-", given=[manifest])
    made = api.wait_success(kind, namespace, "it")
    secret = api.output(made)
    check_secret(secret, life, made)
    check_status(made, life, secret)
    check_columns(cluster, made)
    event = api.wait_event(namespace, "it", "Succeeded")
    assert event["type"] == "Normal" and event["regarding"]["uid"] == made["metadata"]["uid"]

    assert "unchanged" in cluster.kubectl("apply", "--filename", "-", given=[manifest])
    operator.settle()
    assert api.get(kind, namespace, "it") == made
    assert api.output(made) == secret

    edited = {**manifest, "spec": {**life.spec, **life.edit}}
    with pytest.raises(subprocess.CalledProcessError) as refused:
        cluster.kubectl("apply", "--filename", "-", given=[edited])
    [field] = life.edit
    assert f"spec.{field} is immutable: keep it as it was, or create a resource of another name" in refused.value.stderr
    assert "to delete this one is to lose what it has made" in refused.value.stderr

    cluster.kubectl("delete", kind, "it", "--namespace", namespace)
    api.wait_gone("Secret", namespace, "it")

    cluster.kubectl("apply", "--filename", "-", given=[manifest])
    again = api.output(api.wait_success(kind, namespace, "it"))
    assert again["metadata"]["uid"] != secret["metadata"]["uid"]
    assert (data_of(again)[life.main] != data_of(secret)[life.main]) == life.fresh


@pytest.mark.parametrize(
    "alias, name", [("Kyber512", "ML-KEM-512"), ("Kyber768", "ML-KEM-768"), ("Kyber1024", "ML-KEM-1024")]
)
def test_older_algorithm_names(api, operator, namespace, alias, name):
    """The status shows the canonical one, and the old one may be replaced by it."""
    [pair, sealed, opened] = api.make(
        thing(QKKP, namespace, "pair", {"algorithm": alias}),
        thing(QES, namespace, "sealed", {"publicKeyRef": {"name": "pair"}, "algorithm": name}),
        thing(QDS, namespace, "opened", {
            "privateKeyRef": {"name": "pair"}, "ciphertextRef": {"name": "sealed"}, "algorithm": alias,
        }),
    )  # fmt: skip
    assert {one["status"]["algorithm"] for one in (pair, sealed, opened)} == {name}
    before = api.output(pair)
    api.patch(QKKP, namespace, "pair", {"spec": {"algorithm": name}})
    renamed = api.wait_success(QKKP, namespace, "pair")
    assert renamed["metadata"]["generation"] == 2
    assert api.output(renamed) == before


def test_older_field_names(api, operator, namespace):
    [numbers] = api.make(thing(QRN, namespace, "numbers", {"bytes": 20, "secretName": "elsewhere"}))
    assert numbers["status"]["size"] == 20
    assert numbers["status"]["secretRef"]["name"] == "elsewhere"
    assert len(api.secret(namespace, "elsewhere")["random"]) == 20
    assert api.find("Secret", namespace, "numbers") is None


def test_defaults(api, operator, namespace):
    [numbers, pair] = api.make(thing(QRN, namespace, "numbers"), thing(QKKP, namespace, "pair"))
    assert (numbers["status"]["size"], numbers["status"]["algorithm"]) == (32, "system")
    assert pair["status"]["algorithm"] == "ML-KEM-768"


def test_trap_37_namespace_can_be_deleted(api, operator, namespace):
    """With all that is in it: nothing of ours holds it up, and nothing new is made meanwhile."""
    api.make(*exchange(namespace))
    api.delete("Namespace", None, namespace)
    api.wait_gone("Namespace", None, namespace)
