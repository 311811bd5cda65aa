"""What is installed, as kustomize and helm render it."""

import json
import pathlib
import subprocess

import yaml

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CONFIG, CHART = CHECKOUT / "config", CHECKOUT / "charts" / "qubesec"
NAMESPACE = "qubesec-system"
HELMS_LABELS = (
    "helm.sh/chart",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
)
KEEP = "helm.sh/resource-policy"


def run(*command, given=None):
    """What a command prints; raises CalledProcessError, whose stderr says why."""
    return subprocess.run(
        [str(word) for word in command], input=given, capture_output=True, text=True, check=True, timeout=120
    ).stdout


def read_objects(text):
    return [one for one in yaml.safe_load_all(text) if one]


def identity(one):
    return one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]


def by_identity(objects):
    found = {identity(one): one for one in objects}
    assert len(found) == len(objects), "an object is there twice"
    return found


def find(objects, kind, name="qubesec-operator"):
    (found,) = (one for one in objects if one["kind"] == kind and one["metadata"]["name"] == name)
    return found


def kustomize(folder):
    return read_objects(run("kubectl", "kustomize", folder))


def with_components(scratch, *names):
    """config/default with some of config/components; scratch: an empty folder inside of the checkout."""
    up = "../" * len(scratch.relative_to(CHECKOUT).parts)
    wanted = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"{up}config/default"],
        "components": [f"{up}config/components/{name}" for name in names],
    }
    (scratch / "kustomization.yaml").write_text(json.dumps(wanted))
    return kustomize(scratch)


class Helm:
    def __init__(self):
        tool = CHECKOUT / "tools" / "helm.sh"
        run(tool, "build")
        self.program = pathlib.Path(run(tool, "bin").strip()) / "helm"

    def __call__(self, *arguments):
        return run(self.program, *arguments)

    def render(self, namespace=NAMESPACE, **values):
        """The objects of the chart, with these values."""
        chosen = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
        return read_objects(self("template", "qubesec", CHART, "--namespace", namespace, *chosen))


def without_helm(one):
    """The object without what helm adds to each."""
    metadata = one["metadata"]
    labels = {key: value for key, value in metadata.get("labels", {}).items() if key not in HELMS_LABELS}
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if key != KEEP}
    return {**one, "metadata": without_empty({**metadata, "labels": labels, "annotations": annotations})}


def without_empty(mapping):
    return {key: value for key, value in mapping.items() if value not in ({}, [])}
