"""Metrics, dashboard and alerts: each metric is documented and well-formed, all that is shown or watched exists, and
each alert fires when it should and at no other time."""

import json
import pathlib
import re
import subprocess

import pytest
import yaml
from alert_cases import CASES
from api import QC, QKKP, QRN, thing, wait_until
from fixtures import CHECKOUT
from test_certificates import seconds

MONITORING = CHECKOUT / "config" / "monitoring"
METRICS_PAGE = CHECKOUT / "docs" / "reference" / "metrics.md"
OPERATIONS_PAGE = CHECKOUT / "docs" / "operations.md"


def exported():
    """Type by name, out of the definitions in the source."""
    text = "".join(path.read_text() for path in sorted((CHECKOUT / "src").glob("*/*.c")))
    found = re.findall(r'const struct metric metric_\w+ = \{\s*"(\w+)",.*?METRIC_(COUNTER|GAUGE|HISTOGRAM)\}', text, re.DOTALL)
    assert len(found) == text.count("const struct metric metric_")
    return {name: kind.lower() for name, kind in found}


def documented():
    """Type and labels by name."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) ?\|", METRICS_PAGE.read_text(), re.MULTILINE)
    return {name: (kind, {label for label in labels.split(", ") if label}) for name, kind, labels in rows}


def rules():
    [group] = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["spec"]["groups"]
    return group["rules"]


def dashboard_queries():
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


def promtool(*arguments, given=None):
    done = subprocess.run(
        ["promtool", *map(str, arguments)], input=given, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


# Metrics


def test_every_metric_is_documented():
    assert {name: kind for name, (kind, _) in documented().items()} == exported()


def test_metrics_are_as_documented(api, operator, namespace):
    pages = documented()
    api.make(thing(QKKP, namespace, "pair"), thing(QC, namespace, "ca", {"certType": "ca", "commonName": "ca"}))
    api.make(thing(QRN, namespace, "rotated", {"rotation": {"every": "24h"}}))
    api.patch(QRN, namespace, "rotated", {"metadata": {"annotations": {"qubesec.io/rotate": "now"}}})
    wait_until("it is rotated", lambda: api.get(QRN, namespace, "rotated")["status"]["version"] == 2)
    api.create(thing(QRN, namespace, "pair"))
    api.wait_status(QRN, namespace, "pair", "Failed", "SecretConflict")
    operator.settle()
    text = operator.answer("/metrics")[1]
    assert promtool("check", "metrics", given=text) == ""
    samples = operator.metrics()
    seen = set()
    for sample in samples:
        name, _, labels = sample.partition("{")
        family = name if name in pages else re.sub(r"_(bucket|sum|count)$", "", name)
        said = set(re.findall(r'(\w+)="', labels)) - ({"le"} if pages[family][0] == "histogram" else set())
        assert said == pages[family][1], sample
        seen.add(family)
    assert seen > {name for name in pages if name.startswith(("process_", "qubesec_certificate_", "workqueue_depth"))}
    labels = f'{{name="rotated",namespace="{namespace}",kind="{QRN}"}}'
    status = api.get(QRN, namespace, "rotated")["status"]
    retired = [version for version in status["versions"] if version["state"] == "Retired"]
    assert samples[f"qubesec_rotation_next_timestamp_seconds{labels}"] == seconds(status["nextRotationTime"])
    assert samples[f"qubesec_rotation_oldest_version_timestamp_seconds{labels}"] == seconds(retired[-1]["activeTime"])


def test_objects_are_counted_by_status(api, operator, namespace):
    def count(status):
        return operator.metrics()[f'qubesec_objects{{kind="{QRN}",status="{status}"}}']

    operator.settle()
    before = {status: count(status) for status in ("Success", "Failed", "Unknown")}
    api.make(thing(QRN, namespace, "one"), thing(QRN, namespace, "two"))
    api.create(thing(QRN, namespace, "three", {"outputSecretName": "one"}))
    api.wait_status(QRN, namespace, "three", "Failed")
    operator.settle()
    assert {status: count(status) - before[status] for status in before} == {"Success": 2, "Failed": 1, "Unknown": 0}
    api.delete(QRN, namespace, "three")
    api.wait_gone(QRN, namespace, "three")
    operator.settle()
    assert count("Failed") == before["Failed"]


def test_the_process_is_measured(operator):
    samples = operator.metrics()
    stat = {
        "process_open_fds": len(list(pathlib.Path(f"/proc/{operator.pid}/fd").iterdir())),
        "process_resident_memory_bytes": int(pathlib.Path(f"/proc/{operator.pid}/statm").read_text().split()[1]) * 4096,
    }
    for name, value in stat.items():
        assert value / 2 < samples[f"{name}{{}}"] < value * 2 + 10, name
    assert 0 < samples["process_cpu_seconds_total{}"]
    assert samples["process_open_fds{}"] < samples["process_max_fds{}"]
    assert 1.7e9 < samples["process_start_time_seconds{}"]
    assert samples["process_virtual_memory_bytes{}"] > samples["process_resident_memory_bytes{}"]
    assert all(value < 300 for name, value in samples.items() if name.startswith("qubesec_watch_silence_seconds"))


# Dashboard and alerts


def metrics_in(query):
    """The names of a query's metrics: what is left of its words with a low line, without functions and labels."""
    query = re.sub(r'"[^"]*"', "", query)
    query = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", query)
    query = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", query)
    return set(re.findall(r"\b[a-z]+(?:_[a-z0-9]+)+\b(?!\s*\()", query))


@pytest.mark.parametrize("query", [*dashboard_queries(), *(rule["expr"] for rule in rules())])
def test_what_is_queried_exists(query):
    known = exported()
    parts = {f"{name}_{part}" for name, kind in known.items() if kind == "histogram" for part in ("bucket", "sum", "count")}
    names = metrics_in(query)
    assert names and names <= parts | {name for name, kind in known.items() if kind != "histogram"}


def test_the_dashboards_queries_are_well_formed(tmp_path):
    """promtool reads them as rules, with Grafana's variables filled in."""
    queries = (one.replace("$job", "job").replace("$__rate_interval", "5m") for one in dashboard_queries())
    recorded = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    assert f"{len(recorded)} rules found" in promtool("check", "rules", tmp_path / "rules.yaml")


def test_every_alert_says_what_to_do():
    headings = re.findall(r"^#+ (.+)$", OPERATIONS_PAGE.read_text(), re.MULTILINE)
    for rule in rules():
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description", "runbook"}
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"
        assert rule["alert"] in headings, "the runbook has it"


def test_every_alert_is_tested():
    assert {(case.alert, case.fires) for case in CASES} == {(rule["alert"], fires) for rule in rules() for fires in (True, False)}


def test_alerts(tmp_path):
    """Each case on its own: the alert of its name fires, or does not."""
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "qubesec", "rules": rules()}]}))
    promtool("check", "rules", tmp_path / "rules.yaml")
    tests = [
        {
            "name": f"{number}: {case.alert} {'fires' if case.fires else 'is quiet'}",
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in case.series.items()],
            "promql_expr_test": [
                {
                    "expr": f'count(ALERTS{{alertname="{case.alert}",alertstate="firing"}}) or vector(0)',
                    "eval_time": f"{case.minute}m",
                    "exp_samples": [{"labels": "{}", "value": int(case.fires)}],
                }
            ],
        }
        for number, case in enumerate(CASES)
    ]
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yaml").write_text(yaml.safe_dump(document))
    promtool("test", "rules", tmp_path / "tests.yaml")


def test_kustomize_makes_both(cluster):
    made = list(yaml.safe_load_all(cluster.kubectl("kustomize", str(MONITORING))))
    assert sorted(one["kind"] for one in made) == ["ConfigMap", "PrometheusRule"]
    [dashboard] = [one for one in made if one["kind"] == "ConfigMap"]
    assert json.loads(dashboard["data"]["qubesec.json"])["title"] == "QubeSec"
