"""config/samples/complete-workflow.yaml: all nine resources, applied in one go and in any order."""

import pathlib

import pytest
import yaml
from api import KINDS, QVS, SIGNATURE_KINDS, ready_of, wait_until

SAMPLE = pathlib.Path(__file__).resolve().parents[2] / "config" / "samples" / "complete-workflow.yaml"


@pytest.mark.parametrize("order", [iter, reversed], ids=["as written", "reversed"])
def test_all_nine_succeed(api, operator, namespace, order):
    things = list(yaml.safe_load_all(SAMPLE.read_text()))
    assert {one["kind"] for one in things} == {*KINDS, *SIGNATURE_KINDS}
    for one in order(things):
        one["metadata"]["namespace"] = namespace
        api.create(one)
    for one in things:
        wanted = "Valid" if one["kind"] == QVS else "Success"
        found = api.wait_status(one["kind"], namespace, one["metadata"]["name"], wanted)
        assert ready_of(found)["status"] == "True"


@pytest.mark.parametrize("kind", SIGNATURE_KINDS)
def test_samples_succeed(api, operator, namespace, kind):
    """The sample of a kind, with those that it says it builds upon."""
    folder = SAMPLE.parent
    files = [folder / f"{one.lower()}.yaml" for one in SIGNATURE_KINDS[: SIGNATURE_KINDS.index(kind) + 1]]
    things = [one for file in files for one in yaml.safe_load_all(file.read_text())]
    for one in things:
        one["metadata"]["namespace"] = namespace
        api.create(one)
    for one in (one for one in things if one["kind"] in SIGNATURE_KINDS):
        name = one["metadata"]["name"]
        wait_until(f"{name} is ready", lambda one=one, name=name: ready_of(api.get(one["kind"], namespace, name)).get("status") == "True")
