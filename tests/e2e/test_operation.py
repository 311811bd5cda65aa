"""The operator as a process: health, metrics, settings, stopping, credentials."""

import json
import re
import signal
import subprocess
import time

import pytest
from api import QDK, QKKP, QRN, data_of, thing, wait_until
from credentials import token, with_token
from seen import begun, freeze_at_work

FLAGS = {
    "--namespaces": "QUBESEC_NAMESPACES",
    "--exclude-namespaces": "QUBESEC_EXCLUDE_NAMESPACES",
    "--grant-check-interval": "QUBESEC_GRANT_CHECK_INTERVAL",
    "--watch-timeout": "QUBESEC_WATCH_TIMEOUT",
    "--kubeconfig": "QUBESEC_KUBECONFIG",
    "--context": "QUBESEC_CONTEXT",
    "--bind-address": "QUBESEC_BIND_ADDRESS",
    "--webhook-bind-address": "QUBESEC_WEBHOOK_BIND_ADDRESS",
    "--webhook-host": "QUBESEC_WEBHOOK_HOST",
    "--webhook-service": "QUBESEC_WEBHOOK_SERVICE",
    "--webhook-configuration": "QUBESEC_WEBHOOK_CONFIGURATION",
    "--webhook-certificate-secret": "QUBESEC_WEBHOOK_CERTIFICATE_SECRET",
    "--webhook-certificate-directory": "QUBESEC_WEBHOOK_CERTIFICATE_DIRECTORY",
    "--webhook-rotation-overlap": "QUBESEC_WEBHOOK_ROTATION_OVERLAP",
    "--namespace": "QUBESEC_NAMESPACE",
    "--config-map": "QUBESEC_CONFIG_MAP",
    "--log-level": "QUBESEC_LOG_LEVEL",
    "--workers": "QUBESEC_WORKERS",
    "--leader-elect": "QUBESEC_LEADER_ELECT",
    "--leader-election-lease": "QUBESEC_LEADER_ELECTION_LEASE",
    "--leader-election-lease-duration": "QUBESEC_LEADER_ELECTION_LEASE_DURATION",
    "--leader-election-renew-deadline": "QUBESEC_LEADER_ELECTION_RENEW_DEADLINE",
    "--leader-election-retry-period": "QUBESEC_LEADER_ELECTION_RETRY_PERIOD",
    "--seed-url-prefix": "QUBESEC_SEED_URL_PREFIX",
    "--debug-endpoints": "QUBESEC_DEBUG_ENDPOINTS",
    "--allow-memory-dump": "QUBESEC_ALLOW_MEMORY_DUMP",
    "--termination-grace-period": "QUBESEC_TERMINATION_GRACE_PERIOD",
    "--help": None,
}
METRICS = {
    "controller_runtime_reconcile_total": "counter",
    "controller_runtime_reconcile_errors_total": "counter",
    "controller_runtime_terminal_reconcile_errors_total": "counter",
    "controller_runtime_reconcile_time_seconds": "histogram",
    "controller_runtime_max_concurrent_reconciles": "gauge",
    "controller_runtime_active_workers": "gauge",
    "workqueue_depth": "gauge",
    "workqueue_adds_total": "counter",
    "workqueue_queue_duration_seconds": "histogram",
    "workqueue_work_duration_seconds": "histogram",
    "workqueue_unfinished_work_seconds": "gauge",
    "workqueue_longest_running_processor_seconds": "gauge",
    "rest_client_requests_total": "counter",
    "rest_client_request_duration_seconds": "histogram",
    "qubesec_tls_connections_total": "counter",
    "qubesec_secrets_written_total": "counter",
    "qubesec_build_info": "gauge",
}


# Command line


def run(operators, *arguments, **environment):
    return subprocess.run(
        [operators.binary, "operator", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )


def test_help_explains_every_setting(operators):
    done = run(operators, "--help")
    assert done.returncode == 0
    paragraphs = re.findall(r"^  (--[a-z-]+).*?(?:\$([A-Z_]+))?\n((?:      .+\n)+)", done.stdout, re.MULTILINE)
    assert {flag: variable or None for flag, variable, _ in paragraphs} == FLAGS
    assert all(len(explanation.split()) >= 2 for _, _, explanation in paragraphs)


BAD_FLAGS = {
    "unknown": (["--nonsense"], "--nonsense: no such flag"),
    "no-flag": (["nonsense"], "nonsense: no such flag"),
    "no-value": (["--kubeconfig"], "--kubeconfig: needs a value"),
    "workers-0": (["--workers", "0"], "--workers: 0 is not a number from 1 to 64"),
    "workers-65": (["--workers=65"], "--workers: 65 is not a number from 1 to 64"),
    "workers-text": (["--workers", "four"], "--workers: four is not"),
    "log-level": (["--log-level", "loud"], "--log-level: loud is not one of debug, info, warning, error"),
    "seed-url-prefix": (["--seed-url-prefix", "ftp://host/"], "--seed-url-prefix: ftp://host/ is not a URL prefix"),
    "seed-url-prefix-host": (
        ["--seed-url-prefix", "https://host"],
        "--seed-url-prefix: https://host is not a URL prefix",
    ),
}


@pytest.mark.parametrize("arguments, message", BAD_FLAGS.values(), ids=BAD_FLAGS)
def test_bad_flag(operators, arguments, message):
    done = run(operators, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


@pytest.mark.parametrize("variable, value", [("QUBESEC_WORKERS", "many"), ("QUBESEC_ALLOW_MEMORY_DUMP", "yes")])
def test_bad_variable(operators, variable, value):
    done = run(operators, **{variable: value})
    assert done.returncode == 2
    assert f"{variable}: {value}" in done.stderr


def test_unusable_kubeconfig(operators, tmp_path):
    done = run(operators, "--kubeconfig", str(tmp_path / "absent"))
    assert done.returncode == 1
    assert str(tmp_path / "absent") in json.loads(done.stderr.splitlines()[-1])["detail"]


def test_variables_and_flags_that_win_over_them(api, operators, cluster, namespace):
    environment = {
        "QUBESEC_KUBECONFIG": str(cluster.operator_config),
        "QUBESEC_BIND_ADDRESS": "127.0.0.1:0",
        "QUBESEC_LOG_LEVEL": "error",
        "QUBESEC_WORKERS": "2",
        "QUBESEC_LEADER_ELECT": "false",
    }
    operator = operators.spawn([operators.binary, "operator", "--log-level=info"], environment=environment).wait_ready()
    assert operator.metrics()['controller_runtime_max_concurrent_reconciles{controller="quantumkemkeypair"}'] == 2
    api.make(thing(QRN, namespace, "numbers"))


# Health


def test_pages(operator):
    assert operator.answer("/healthz") == (200, "ok\n")
    assert operator.answer("/readyz") == operator.answer("/readyz/watches") == (200, "ok\n")
    assert operator.answer("/other")[0] == 404


def with_server(cluster, folder, server):
    config = json.loads(cluster.operator_config.read_text())
    config["clusters"][0]["cluster"]["server"] = server
    (folder / "kubeconfig").write_text(json.dumps(config))
    return folder / "kubeconfig"


def test_nothing_is_heard_without_an_api_server(cluster, operators, tmp_path):
    kubeconfig = with_server(cluster, tmp_path, "https://127.0.0.1:1")
    operator = operators.start(kubeconfig=kubeconfig).wait_started()
    wait_until("the failure is logged", lambda: operator.said("list or watch failed, trying again"))
    assert operator.answer("/healthz")[0] == 200
    assert operator.answer("/readyz")[0] == 200
    status, text = operator.answer("/readyz/watches")
    assert status == 503 and all("not listed yet" in line for line in text.splitlines())
    assert operator.total("qubesec_watch_failures_total") > 0
    up = {name: value for name, value in operator.metrics().items() if name.startswith("qubesec_watch_up{")}
    assert up and set(up.values()) == {0} and all('detail=""' in name for name in up), "it has said nothing"
    operator.stop()
    assert operator.lines()[-1]["message"] == "stopped", "in order, and before its deadline"


def test_nothing_is_heard_without_rights_until_they_are_given(api, cluster, operators, namespace, tmp_path):
    api.create(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": namespace, "name": "powerless"}}
    )
    kubeconfig = with_token(cluster, tmp_path, token(api, namespace, "powerless"))
    operator = operators.start(kubeconfig=kubeconfig).wait_started()
    [said, *_] = wait_until("the failure is logged", lambda: operator.said("list or watch failed, trying again"))
    assert said["resource"].startswith("quantum") and "forbidden" in said["detail"] and "list" in said["detail"]
    assert operator.answer("/healthz")[0] == 200
    assert operator.answer("/readyz/watches")[0] == 503
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "qubesec-operator"},
        "subjects": [{"kind": "ServiceAccount", "namespace": namespace, "name": "powerless"}],
    }
    api.create(binding)
    try:
        operator.wait_ready()
        operators.stop()
    finally:
        api.delete("ClusterRoleBinding", None, namespace)


# Metrics and log


def test_metrics(api, operator, namespace):
    """The names that dashboards for controller-runtime know, each with its type."""
    api.make(thing(QKKP, namespace, "pair"))
    api.create(thing(QRN, namespace, "pair"))
    api.wait_status(QRN, namespace, "pair", "Failed", "SecretConflict")
    operator.settle()
    text = operator.answer("/metrics")[1]
    types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert types.items() >= METRICS.items()
    assert set(re.findall(r"^# HELP (\S+) ", text, re.MULTILINE)) == types.keys()
    samples = operator.metrics()
    for name in samples:
        family = re.sub(r"_(bucket|sum|count)$", "", name.partition("{")[0])
        assert family in types or name.partition("{")[0] in types
    controller = 'controller="quantumkemkeypair"'
    assert samples[f'controller_runtime_reconcile_total{{{controller},result="success"}}'] >= 1
    buckets = [
        value for name, value in samples.items()
        if name.startswith(f"controller_runtime_reconcile_time_seconds_bucket{{{controller},")
    ]  # fmt: skip
    assert buckets == sorted(buckets)
    assert buckets[-1] == samples[f"controller_runtime_reconcile_time_seconds_count{{{controller}}}"] > 0
    assert operator.total("rest_client_requests_total", 'method="POST"') > 0


def test_every_log_line_is_an_object(api, operator, namespace):
    api.make(thing(QKKP, namespace, "pair"))
    api.create(thing(QRN, namespace, "pair"))
    api.wait_status(QRN, namespace, "pair", "Failed", "SecretConflict")
    lines = operator.lines()
    assert all({"time", "level", "message"} <= line.keys() for line in lines)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"]) for line in lines)
    [line, *_] = [one for one in operator.said("SecretConflict") if one["namespace"] == namespace]
    assert (line["controller"], line["name"], line["level"]) == (QRN, "pair", "warning")
    assert line["reconcileID"] and "Secret pair" in line["detail"]


# Settings that change while it runs


@pytest.fixture
def settings(api):
    """Writes the operator's ConfigMap."""
    path = ("ConfigMap", "qubesec-system", "qubesec-operator")

    def write(**data):
        metadata = {"namespace": path[1], "name": path[2]}
        if api.find(*path) is None:
            api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
        api.call("PUT", api.path(*path), {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})

    yield write
    if api.find(*path) is not None:
        api.delete(*path)


def test_settings_are_picked_up_while_running(api, operators, namespace, settings):
    operator = operators.start("--log-level", "info", "--workers", "3").wait_ready()

    def workers():
        return operator.metrics()['controller_runtime_max_concurrent_reconciles{controller="quantumkemkeypair"}']

    def debug_lines():
        """How many come of one more object that fails."""
        since, name = operator.log.stat().st_size, f"numbers-{time.monotonic_ns()}"
        api.create(thing(QDK, namespace, name, {"sharedSecretRef": {"name": "absent"}}))
        api.wait_status(QDK, namespace, name, "Pending")
        operator.settle()
        return [line for line in operator.lines(since) if line["level"] == "debug"]

    assert workers() == 3 and not debug_lines()
    settings(**{"workers": "2", "log-level": "debug"})
    wait_until("they are picked up", lambda: workers() == 2)
    assert debug_lines()

    settings(**{"workers": "0", "log-level": "error"})
    [said] = wait_until("the fault is told", lambda: operator.said("settings were not applied"))
    assert said["level"] == "warning" and "workers: 0 is not a number from 1 to 64" in said["detail"]
    assert workers() == 2 and debug_lines(), "a bad value leaves all as it was"
    [event] = wait_until(
        "an Event tells it", lambda: api.events("qubesec-system", "qubesec-operator", "InvalidSettings")
    )
    assert event["type"] == "Warning" and event["note"] == said["detail"]

    settings(workers="5")
    wait_until("they are picked up", lambda: workers() == 5)
    assert not debug_lines(), "what is not said is as the flags have it"
    api.delete("ConfigMap", "qubesec-system", "qubesec-operator")
    wait_until("the flags count again", lambda: workers() == 3)
    assert "stopped" not in operator.log.read_text()


# Stopping


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_in_order_while_busy(api, operators, namespace, number):
    """It finishes what it has begun, and what it left comes out right with the next start."""
    operator = operators.start().wait_ready()
    freeze_at_work(operator, api, namespace, [thing(QKKP, namespace, f"pair-{index}") for index in range(150)])
    operator.process.send_signal(number)  # so that it comes first of all when the process goes on
    operator.thaw()
    operator.stop(number)
    assert operator.process.returncode == 0
    assert [line["message"] for line in operator.lines()][-1] == "stopped", "in order, and before its deadline"
    assert begun(api, namespace) == [], "a Secret was left without a status"
    before = {one["metadata"]["name"]: data_of(one)["public_key"] for one in api.list("Secret", namespace)}
    operators.default()
    for index in range(150):
        api.wait_success(QKKP, namespace, f"pair-{index}")
    after = {one["metadata"]["name"]: data_of(one)["public_key"] for one in api.list("Secret", namespace)}
    assert after.items() >= before.items()


# Credentials


def test_trap_21_token_that_is_replaced(api, cluster, operators, namespace, tmp_path):
    """As a kubelet does it: the file gets a new token, and the old one ends."""
    account = ("qubesec-system", "qubesec-operator")
    secret = api.create(
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": account[0], "generateName": "bound-"}}
    )
    kubeconfig = with_token(cluster, tmp_path, token(api, *account, bound_to=secret))
    mark = cluster.audit.mark()
    operators.start(kubeconfig=kubeconfig).wait_ready()
    api.make(thing(QRN, namespace, "before"))
    (tmp_path / "token").write_text(token(api, *account))
    api.delete("Secret", account[0], secret["metadata"]["name"])
    used = set()

    def probe():
        api.make(thing(QRN, namespace, f"after-{len(used)}-{time.monotonic_ns()}"))
        used.update(one.credential for one in cluster.audit.requests(mark, namespace))
        return len(used) == 2

    wait_until("the new token is used", probe, pause=1)
    operators.stop()
