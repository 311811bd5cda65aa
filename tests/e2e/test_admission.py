"""The validating webhook, asked by a real API server, and directly."""

import concurrent.futures
import contextlib
import json
import re
import socket
import ssl
import subprocess
import threading

import pytest
from api import KINDS, PATIENCE, QC, QDK, QKKP, QRN, QSKP, SIGNATURE_KINDS, ApiError, config_map_thing, definition, secret_thing, thing, wait_until
from webhook import CONFIGURATIONS, Configuration, Direct, flags, make_certificates, port_of, review

BAD_CERTIFICATE = {
    "commonName": "x",
    "subjectAltNames": ["*.*.example.com", "ok.example.com", "a..b"],
    "duration": "10h",
    "renewBefore": "11h",
    "usages": ["cert sign"],
}
BAD_FIELDS = ["spec.subjectAltNames[0]", "spec.subjectAltNames[2]", "spec.renewBefore", "spec.usages"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("webhook"))


@pytest.fixture
def served(operators, folder):
    """The operator with its webhook, started if it does not run."""
    running = operators.current
    wanted = [str(word) for word in operators.command(*flags(folder))]
    if running is None or running.ended() or running.process.args != wanted:
        running = operators.start(*flags(folder)).wait_ready()
    return running


@pytest.fixture
def configuration(api, folder):
    made = Configuration(api, folder)
    yield made
    made.remove()


@pytest.fixture
def enforced(configuration, served, namespace):
    """The API server asks the webhook."""
    configuration.enforce(port_of(served), namespace)
    return served


@pytest.fixture
def direct(served, folder):
    made = Direct(port_of(served), folder)
    yield made
    made.close()


def refused_by_kubectl(cluster, *arguments, given):
    with pytest.raises(subprocess.CalledProcessError) as caught:
        cluster.kubectl(*arguments, given=given)
    return caught.value.stderr


def run_kubectl(*arguments, given):
    """What kubectl says on standard error; it succeeds."""
    done = subprocess.run(["kubectl", *arguments], input=json.dumps(given), capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stderr


# Through the API server


def test_kubectl_shows_all_faults_at_once(cluster, enforced, namespace):
    said = refused_by_kubectl(cluster, "apply", "--filename=-", given=[thing(QC, namespace, "bad", BAD_CERTIFICATE)])
    assert 'QuantumCertificate.qubesec.io "bad" is invalid' in said or '"bad" is invalid' in said
    for field in BAD_FIELDS:
        assert f"* {field}: " in said, said
    assert "*.*.example.com" in said
    assert "39600" in said or "11h" in said


def test_status_of_a_refusal_is_complete(api, enforced, namespace):
    with pytest.raises(ApiError) as caught:
        api.create(thing(QC, namespace, "bad", BAD_CERTIFICATE))
    assert caught.value.status == 422
    assert 'admission webhook "validate.qubesec.io" denied the request: spec.subjectAltNames[0]: ' in str(caught.value)
    assert api.find(QC, namespace, "bad") is None


def test_kubectl_shows_warnings(enforced, namespace):
    said = run_kubectl("apply", "--filename=-", given=thing(QKKP, namespace, "weak", {"algorithm": "Kyber512", "secretName": "s"}))
    assert "Warning: spec.algorithm: Kyber512 is another name of ML-KEM-512" in said
    assert "Warning: spec.algorithm: ML-KEM-512 has the lowest security category" in said
    assert "Warning: spec.secretName: is another name of spec.outputSecretName" in said
    seed = "5a" * 48
    said = run_kubectl("apply", "--filename=-", given=thing(QRN, namespace, "seeded", {"seed": seed}))
    assert "Warning: spec.seed: whoever knows the seed" in said
    assert seed not in said


def test_what_is_good_is_served_without_a_word(api, enforced, namespace):
    said = run_kubectl("apply", "--filename=-", given=thing(QKKP, namespace, "pair", {"algorithm": "ML-KEM-768"}))
    assert said == ""
    api.wait_success(QKKP, namespace, "pair")


def test_names_that_would_be_dropped_are_faults(api, cluster, enforced, namespace):
    """However validation is set: what cert-manager calls it, by the schema; a typing error, by what kubectl has written down."""
    ours = "spec.dnsNames is not a field here: names of every form go into subjectAltNames"
    for name, said, strictly in (
        ("dnsNames", ours, ours),
        ("subjectAltName", "spec.subjectAltName: there is no such field, and the API server has dropped it", "unknown field"),
    ):
        given = thing(QC, namespace, "nameless", {"commonName": "x", name: ["a.example.com"]})
        for how in ("--validate=false", "--validate=warn"):
            assert said in refused_by_kubectl(cluster, "apply", how, "--filename=-", given=[given])
        assert strictly in refused_by_kubectl(cluster, "apply", "--filename=-", given=[given])
    assert api.find(QC, namespace, "nameless") is None


def test_a_restored_object_may_have_been_applied_with_a_name_that_is_none(api, cluster, enforced, namespace):
    """From a backup, with the annotation of a day when no webhook was there; applied again, it is refused."""
    given = thing(QC, namespace, "restored", {"commonName": "x"})
    wrong = {**given, "spec": {"commonName": "y", "subjectAltName": ["a.example.com"]}}
    given["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(wrong)}
    said = run_kubectl("create", f"--raw={api.path(QC, namespace)}", "--filename=-", given=given)  # as it is
    assert "Warning: spec.subjectAltName: there is no such field; the annotation of an earlier kubectl apply has it" in said
    api.wait_success(QC, namespace, "restored")
    wrong["spec"]["subjectAltName"] = ["b.example.com"]
    said = refused_by_kubectl(cluster, "apply", "--validate=false", "--filename=-", given=[wrong])
    assert "spec.subjectAltName: there is no such field, and the API server has dropped it" in said


def test_metadata_of_what_is_bad_can_be_changed(api, configuration, served, namespace):
    api.create(thing(QC, namespace, "bad", BAD_CERTIFICATE))
    api.wait_status(QC, namespace, "bad", "Failed", "InvalidSpec")
    configuration.enforce(port_of(served), namespace)
    api.patch(QC, namespace, "bad", {"metadata": {"labels": {"seen": "yes"}}})
    with pytest.raises(ApiError, match="spec.subjectAltNames"):
        api.patch(QC, namespace, "bad", {"spec": {"organization": "x"}})
    api.patch(QC, namespace, "bad", {"metadata": {"finalizers": ["example.com/wait"]}})
    api.delete(QC, namespace, "bad")
    api.patch(QC, namespace, "bad", {"metadata": {"finalizers": None}})  # of an object that is being deleted
    api.wait_gone(QC, namespace, "bad")


def test_a_dry_run_is_judged_the_same_and_leaves_nothing(api, enforced, namespace):
    with pytest.raises(ApiError, match="validate.qubesec.io"):
        api.call("POST", f"{api.path(QC, namespace)}?dryRun=All", thing(QC, namespace, "bad", BAD_CERTIFICATE))
    api.call("POST", f"{api.path(QRN, namespace)}?dryRun=All", thing(QRN, namespace, "good", {"numBytes": 32}))
    assert api.find(QRN, namespace, "good") is None
    assert api.find("Secret", namespace, "good") is None


def test_status_is_written_although_the_spec_is_bad(api, enforced, configuration, namespace):
    """The operator's own writes pass: subresources are not asked about."""
    configuration.remove()
    wait_until("the webhook is out of force", lambda: not configuration.is_asked(namespace))
    api.create(thing(QC, namespace, "bad", BAD_CERTIFICATE))
    configuration.enforce(port_of(enforced), namespace)
    api.patch(QC, namespace, "bad", {"status": {"status": "Pending"}}, subresource="status")
    api.wait_status(QC, namespace, "bad", "Failed", "InvalidSpec")


# When it is away


def test_trap_42_without_it_only_our_group_waits(api, cluster, operators, configuration, folder, namespace):
    gone = operators.start(*flags(folder)).wait_ready()
    configuration.enforce(port_of(gone), namespace)
    api.make(thing(QKKP, namespace, "before", {}))
    operators.stop()
    with pytest.raises(ApiError, match="failed calling webhook .*validate.qubesec.io"):
        api.create(thing(QRN, namespace, "ours", {}))
    api.create(secret_thing(namespace, "theirs", {"a": b"b"}))
    api.create(config_map_thing(namespace, "theirs", {"a": "b"}))
    api.create({"kind": "Namespace", "metadata": {"generateName": "theirs-"}})
    api.create(definition("example.com", "Other", "others"))
    other = {"apiVersion": "example.com/v1", "kind": "Other", "metadata": {"name": "a", "namespace": namespace}}

    def made():  # once the API server serves it
        done = subprocess.run(["kubectl", "apply", "--filename=-"], input=json.dumps(other), capture_output=True, text=True, timeout=120)
        assert "webhook" not in done.stderr
        return done.returncode == 0

    wait_until("another group's object is created", made)
    api.call("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/others.example.com")
    api.delete(QKKP, namespace, "before")  # deletion is not asked about
    api.wait_gone(QKKP, namespace, "before")


def test_trap_42_without_it_all_but_the_spec_can_be_changed(api, cluster, configuration, namespace):
    """Labels, annotations, finalizers and both ways to delete wait for nobody."""
    for name, kind in (("pair", QKKP), ("bare", QRN)):  # a QuantumRandomNumber may have no spec
        api.create(thing(kind, namespace, name) | ({"spec": {}} if kind == QKKP else {}))
    configuration.enforce(1, namespace)
    for target in (f"{QKKP}/pair", f"{QRN}/bare"):
        cluster.kubectl("label", "--namespace", namespace, target, "seen=yes")
        cluster.kubectl("annotate", "--namespace", namespace, target, "example.com/seen=yes")
        cluster.kubectl("patch", "--namespace", namespace, target, "--type=merge", '--patch={"metadata":{"finalizers":["example.com/wait"]}}')
    for kind, name, spec in ((QKKP, "pair", {"onKeyLoss": "Fail"}), (QRN, "bare", {"onKeyLoss": "Fail"})):
        with pytest.raises(ApiError, match="failed calling webhook .*validate.qubesec.io"):
            api.patch(kind, namespace, name, {"spec": spec})
        with pytest.raises(ApiError, match="failed calling webhook .*validate.qubesec.io"):
            api.create(thing(kind, namespace, f"{name}-2", {}))
    for kind, name in ((QKKP, "pair"), (QRN, "bare")):
        cluster.kubectl("delete", "--namespace", namespace, f"{kind}/{name}", "--cascade=foreground", "--wait=false")
        wait_until(
            "only the finalizer of somebody else is left",
            lambda kind=kind, name=name: api.get(kind, namespace, name)["metadata"]["finalizers"] == ["example.com/wait"],
        )
        api.patch(kind, namespace, name, {"metadata": {"finalizers": None}})
        api.wait_gone(kind, namespace, name)


def test_trap_42_the_operator_starts_although_its_webhook_points_nowhere(api, operators, configuration, folder, namespace):
    first = operators.start(*flags(folder)).wait_ready()
    configuration.enforce(port_of(first), namespace)
    operators.stop()  # nobody listens there any more
    again = operators.start(*flags(folder)).wait_ready()
    configuration.enforce(port_of(again), namespace)
    api.make(thing(QRN, namespace, "after", {"numBytes": 32}))


def test_it_is_not_ready_without_a_certificate(operators, folder, tmp_path):
    process = operators.start(*flags(tmp_path)).wait_started()
    wait_until("all else is ready", lambda: process.answer("/readyz") == (503, "webhook: no certificate yet\n"))
    with pytest.raises(OSError, match="(?i)ssl|handshake"):
        Direct(port_of(process), folder).post("{}")
    operators.stop()


def test_a_certificate_that_cannot_be_used_is_said(operators, folder, tmp_path):
    (tmp_path / "tls.crt").write_bytes((folder / "tls.crt").read_bytes())
    (tmp_path / "tls.key").write_bytes((folder / "ca.key").read_bytes())
    process = operators.start(*flags(tmp_path)).wait_started()
    said = wait_until("it says so", lambda: process.said("the mounted webhook certificate cannot be used"))
    assert said[0]["detail"].endswith("the server key does not belong to the server certificate")
    assert process.answer("/readyz")[0] == 503
    (tmp_path / "tls.key").write_bytes((folder / "tls.key").read_bytes())
    process.wait_ready()
    operators.stop()


def test_trap_42_a_stop_answers_what_still_comes(operators, folder):
    """Each answer after SIGTERM ends its connection, so that the API server turns to another replica."""
    process = operators.start(*flags(folder)).wait_ready()
    first, second = (Direct(port_of(process), folder) for _ in range(2))
    good = review("CREATE", thing(QRN, "default", "x", {}))
    for one in (first, second):
        answer, _ = one.post(good)
        assert answer.status == 200 and answer.headers["Connection"] != "close"
    process.process.terminate()
    wait_until("it says that it stops", lambda: process.answer("/readyz")[1] == "stopping\n")
    answer, body = first.post(good)
    assert answer.status == 200 and answer.headers["Connection"] == "close"
    assert json.loads(body)["response"]["allowed"]
    answer, _ = Direct(port_of(process), folder).post(good)  # a new connection too
    assert answer.status == 200 and answer.headers["Connection"] == "close"
    process.process.wait(60)
    assert process.process.returncode == 0


# Directly


def test_who_asks_wrongly_is_told_so(direct):
    for expected, said, arguments in (
        (404, b"there is /validate", {"path": "/other"}),
        (405, b"", {"method": "GET"}),
        (415, b"application/json", {"content_type": "application/yaml"}),
        (415, b"application/json", {"content_type": "application/jsonx"}),
        (400, b"not JSON", {"body": "nonsense"}),
        (400, b"nested over 64 levels", {"body": "[" * 100000}),
        (400, b"not an AdmissionReview", {"body": "{}"}),
    ):
        answer, body = direct.post(**{"body": "{}", **arguments})
        assert answer.status == expected and said in body, (arguments, answer.status, body)
        assert expected != 405 or answer.headers["Allow"] == "POST"
    answer, _ = direct.post(review("CREATE", thing(QRN, "default", "x", {})), content_type="application/json; charset=utf-8")
    assert answer.status == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_its_limit_is_refused(direct, folder, served, chunked):
    size = 7 * 1024 * 1024
    fits = json.dumps(review("CREATE", thing(QRN, "default", "x", {"seedURI": ""}))).encode()
    fits = fits.replace(b'"seedURI": ""', b'"seedURI": "' + b"x" * (size - len(fits)) + b'"')
    assert len(fits) == size

    def send(body):
        one = Direct(port_of(served), folder)
        parts = iter([body[:100000], body[100000:]]) if chunked else body
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # a chunked one is answered before its end
            one.connection.request("POST", "/validate", parts, {"Content-Type": "application/json"}, encode_chunked=chunked)
        answer = one.connection.response_class(one.connection.sock, method="POST")
        answer.begin()
        return answer.status, answer.read()

    status, body = send(fits)
    assert status == 200 and b"must be a text of at most 2048 bytes" in body
    status, body = send(fits + b" ")
    assert status == 413


def test_metrics(direct, served):
    def count(name, labels):
        return served.metrics().get(f"{name}{{{labels}}}", 0)

    before = count("qubesec_admission_total", f'kind="{QRN}",result="denied"')
    assert direct.ask("CREATE", thing(QRN, "default", "x", {"numBytes": 0}))["allowed"] is False
    assert direct.ask("CREATE", thing(QRN, "default", "x", {"numBytes": 1}))["allowed"] is True
    direct.post("{}")
    assert count("qubesec_admission_total", f'kind="{QRN}",result="denied"') == before + 1
    assert count("qubesec_admission_total", f'kind="{QRN}",result="allowed"') >= 1
    webhook = 'webhook="/validate"'
    assert count("controller_runtime_webhook_requests_total", f'code="200",{webhook}') >= 2
    assert count("controller_runtime_webhook_requests_total", f'code="400",{webhook}') >= 1
    assert count("controller_runtime_webhook_requests_in_flight", webhook) == 0
    assert count("controller_runtime_webhook_latency_seconds_count", webhook) >= 3


def test_connections_are_kept_and_post_quantum(direct, served, folder):
    direct.ask("CREATE", thing(QRN, "default", "x", {}))
    kept = direct.connection.sock
    direct.ask("CREATE", thing(QRN, "default", "x", {}))
    assert direct.connection.sock is kept
    done = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port_of(served)}", "-CAfile", folder / "ca.crt", "-verify_return_error",
         "-groups", "X25519:X25519MLKEM768"], input="", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert re.search(r"Negotiated TLS1.3 group: X25519MLKEM768", done.stdout), done.stdout
    assert done.returncode == 0
    old = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{port_of(served)}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"],
        input="", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert old.returncode != 0


def test_every_kind_of_the_group_is_asked_about(api, configuration, served, namespace):
    """But for the two namespaces in which what the cluster and the operator need is."""
    configuration.enforce(port_of(served), namespace)
    (found,) = api.call("GET", CONFIGURATIONS)["items"]
    (hook,) = found["webhooks"]
    assert (hook["failurePolicy"], hook["sideEffects"], hook["timeoutSeconds"]) == ("Fail", "None", 5)
    (rule,) = hook["rules"]
    assert rule["apiGroups"] == ["qubesec.io"] and rule["resources"] == ["*"]
    assert rule["operations"] == ["CREATE", "UPDATE"]
    before = served.total("qubesec_admission_total")
    for kind in (*KINDS, *SIGNATURE_KINDS):
        spec = {
            "publicKeyRef": {"name": "a"}, "privateKeyRef": {"name": "a"}, "ciphertextRef": {"name": "a"},
            "sharedSecretRef": {"name": "a"}, "messageRef": {"name": "a"}, "signatureRef": {"name": "a"}, "commonName": "a",
        }  # fmt: skip
        api.call("POST", f"{api.path(kind, namespace)}?dryRun=All", thing(kind, namespace, "x", spec))
    assert served.total("qubesec_admission_total") == before + 9
    for exempt in ("kube-system", "qubesec-system"):
        assert not configuration.is_asked(exempt)
    assert served.total("qubesec_admission_total") == before + 9


@contextlib.contextmanager
def half_sent(port, count, wrap):
    """So many connections that have each sent the beginning of a request, and go on waiting."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            with contextlib.suppress(OSError):  # the server may have made room already
                one = stack.enter_context(wrap(socket.create_connection(("127.0.0.1", port), PATIENCE)))
                one.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nX-Begun: ")
        yield


def test_half_sent_requests_keep_nobody_out(api, operators, configuration, folder, namespace):
    """Twice as many as there may be connections, from the API server's own address: it is served all the same."""
    limited = ["prlimit", "--nofile=256:256", operators.binary, "operator"]
    process = operators.start(*flags(folder), program=limited).wait_ready()
    configuration.enforce(port_of(process), namespace)
    plain = int(process.said("started")[0]["port"])
    context = ssl.create_default_context(cafile=folder / "ca.crt")
    with (
        half_sent(port_of(process), 256, lambda raw: context.wrap_socket(raw, server_hostname="127.0.0.1")),
        half_sent(plain, 64, lambda raw: raw),
    ):
        for index in range(5):
            api.create(thing(QRN, namespace, f"made-{index}", {"numBytes": 32}))
            assert process.answer("/readyz") == (200, "ok\n")
    operators.stop()


def test_reviews_do_not_hold_up_the_operator(served, direct, folder):
    """As large as they may be, and made to be slow to compare: the loop of its pages, watches and Lease goes on meanwhile."""
    members = [f'"{number}":0' for number in range(300000)]
    spec = "{" + ",".join(members) + "}"
    old = "{" + ",".join(reversed(members)) + "}"
    body = json.dumps(review("UPDATE", thing(QKKP, "default", "pair", "NEW"), thing(QKKP, "default", "pair", "OLD")))
    body = body.replace('"NEW"', spec).replace('"OLD"', old)
    assert 6_000_000 < len(body) < 7 * 1024 * 1024
    in_flight = 'controller_runtime_webhook_requests_in_flight{webhook="/validate"}'
    seen = threading.Event()

    def ask():
        while not seen.is_set():
            answer, said = direct.post(body)
            assert answer.status == 200 and json.loads(said)["response"]["allowed"]  # unknown fields are the schema's affair

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            # If one loop did both, this page would be answered before a review or after it.
            wait_until("a page tells of a review in work", lambda: asking.done() or served.metrics().get(in_flight) == 1, pause=0)
        finally:
            seen.set()
        asking.result()

    # A review that is still being sent, and answers elsewhere all the while.
    slow = Direct(port_of(served), folder)
    slow.connection.putrequest("POST", "/validate")
    slow.connection.putheader("Content-Type", "application/json")
    slow.connection.putheader("Content-Length", str(len(body)))
    slow.connection.endheaders()
    slow.connection.send(body[:100000].encode())
    for _ in range(20):
        assert direct.ask("CREATE", thing(QKKP, "default", "pair"))["allowed"]
        assert served.answer("/readyz")[0] == 200
    slow.close()
