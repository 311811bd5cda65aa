"""What is asked for in a run, and the bytes that an operator answers with, taken from a sample that ours has made."""

import dataclasses
import json

import contenders
from api import QC, QDK, QDS, QES, QKKP, QRN, QSKP, QSM, is_told, secret_thing, thing

NAMESPACE = "default"


@dataclasses.dataclass(frozen=True)
class Workload:
    name: str
    step: list  # kinds of one step, each made from those before it
    make: object  # number -> the step's objects
    needs: tuple = ()  # objects that all of them need

    def things(self, count):
        """So many objects; count must be a multiple of the step."""
        assert count % len(self.step) == 0, f"{self.name}: {count} is no multiple of {len(self.step)}"
        return [one for number in range(count // len(self.step)) for one in self.make(f"x{number}")]


def exchange(prefix):
    """The four steps: a key pair, a secret sealed for it, opened with it, and a key derived from that."""
    return [
        thing(QKKP, NAMESPACE, f"{prefix}-pair", {"algorithm": "ML-KEM-768"}),
        thing(QES, NAMESPACE, f"{prefix}-sealed", {"publicKeyRef": {"name": f"{prefix}-pair"}}),
        thing(QDS, NAMESPACE, f"{prefix}-opened", {
            "privateKeyRef": {"name": f"{prefix}-pair"}, "ciphertextRef": {"name": f"{prefix}-sealed"},
        }),
        thing(QDK, NAMESPACE, f"{prefix}-key", {"sharedSecretRef": {"name": f"{prefix}-opened"}, "keyType": "AES-256",
              "salt": "00" * 16, "info": "bench"}),
    ]  # fmt: skip


SIGNER = thing(QSKP, NAMESPACE, "signer", {"algorithm": "ML-DSA-65"})
MESSAGE = secret_thing(NAMESPACE, "message", {"text": b"a message of the benchmark"})
CA = thing(QC, NAMESPACE, "ca", {"certType": "ca", "commonName": "bench", "algorithm": "ML-DSA-65", "durationDays": 3650})

WORKLOADS = {one.name: one for one in (
    Workload("numbers", [QRN], lambda name: [thing(QRN, NAMESPACE, name)]),
    Workload("kem-key-pairs", [QKKP], lambda name: [thing(QKKP, NAMESPACE, name, {"algorithm": "ML-KEM-768"})]),
    Workload("signature-key-pairs", [QSKP], lambda name: [thing(QSKP, NAMESPACE, name, {"algorithm": "ML-DSA-65"})]),
    Workload("exchanges", [QKKP, QES, QDS, QDK], exchange),
    Workload("signatures", [QSM], lambda name: [thing(QSM, NAMESPACE, name, {
        "privateKeyRef": {"name": "signer"}, "messageRef": {"kind": "Secret", "name": "message", "key": "text"},
    })], (SIGNER, MESSAGE)),
    Workload("certificates", [QC], lambda name: [thing(QC, NAMESPACE, name, {
        "certType": "server", "domain": "leaf.example", "algorithm": "ML-DSA-65", "parentCARef": {"name": "ca"},
    })], (CA,)),
)}  # fmt: skip


def prepare(plane, workload):
    """Makes what the objects need, and one step as a sample: by kind, the object and its Secret."""
    samples = workload.make("sample")
    progress = plane.progress()
    made = [one for one in (*workload.needs, *samples) if one["kind"] != "Secret"]
    with contenders.ours(plane):
        for one in (*workload.needs, *samples):
            plane.api.create(one)
        progress.wait(len(made))
        found = [plane.api.wait_success(one["kind"], NAMESPACE, one["metadata"]["name"]) for one in samples]
    return {one["kind"]: (one, plane.api.output(one)) for one in found}


def ready_made(plane, workload, samples):
    """For each object that is not finished: the two writes that an operator would make, after the sample's."""
    jobs = []
    for kind in workload.step:
        sample, secret = samples[kind]
        for one in plane.list(kind, NAMESPACE):
            if not is_told(one):
                jobs.append(writes(plane.api, one, sample, secret))
    return jobs


def writes(api, one, sample, secret):
    name = one["metadata"]["name"]
    owner = {**secret["metadata"]["ownerReferences"][0], "name": name, "uid": one["metadata"]["uid"]}
    kept = {key: secret["metadata"][key] for key in ("labels", "annotations") if key in secret["metadata"]}
    output = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": secret["metadata"]["name"].replace(sample["metadata"]["name"], name), "ownerReferences": [owner], **kept},
        "type": secret["type"],
        "data": secret["data"],
    }
    status = {**sample["status"], "secretRef": {**sample["status"]["secretRef"], "name": output["metadata"]["name"]}}
    identity = {key: one["metadata"][key] for key in ("namespace", "name", "uid", "resourceVersion")}
    told = {"apiVersion": one["apiVersion"], "kind": one["kind"], "metadata": identity, "status": status}
    return [
        ("POST", api.path("Secret", NAMESPACE), "application/json", json.dumps(output)),
        ("PUT", api.path(one["kind"], NAMESPACE, name, "status"), "application/json", json.dumps(told)),
    ]
