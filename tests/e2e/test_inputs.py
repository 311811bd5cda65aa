"""What a resource is made from: where it may come from, how its coming and changing is noticed, what is refused."""

import base64
import http.server
import json
import select
import threading
import time

import pytest
from api import QDK, QDS, QES, QKKP, QRN, config_map_thing, exchange, ready_of, secret_thing, thing, wait_until
from crypto import decapsulate, encapsulate, generate, hkdf, raw_public
from test_outputs import NIST_BYTES, NIST_SEED

ALGORITHM = "ML-KEM-768"


# Sources


def in_config_map(namespace, content, is_text):
    return config_map_thing(
        namespace, "peer", **({"data": {"key": content.decode()}} if is_text else {"binary": {"key": content}})
    )


def in_secret(namespace, content, is_text):
    return secret_thing(namespace, "peer", {"key": content})


FORMS = {
    "raw": (lambda raw, pem: raw, False),
    "PEM": (lambda raw, pem: pem, True),
    "base64": (lambda raw, pem: base64.b64encode(raw), True),
    "base64-lines": (lambda raw, pem: base64.encodebytes(raw), True),
    "base64-PEM": (lambda raw, pem: base64.b64encode(pem), True),
}


@pytest.mark.parametrize("source", [in_config_map, in_secret])
@pytest.mark.parametrize("form, is_text", FORMS.values(), ids=FORMS)
def test_public_key_of_a_peer(api, operator, namespace, tmp_path, source, form, is_text):
    private, public = generate(tmp_path, ALGORITHM)
    peer = source(namespace, form(raw_public(ALGORITHM, public), public), is_text)
    api.create(peer)
    reference = {"kind": peer["kind"], "name": "peer", "key": "key"}
    [made] = api.make(thing(QES, namespace, "sealed", {"publicKeyRef": reference}))
    sealed = api.secret(namespace, "sealed")
    assert decapsulate(tmp_path, private, sealed["ciphertext"]) == sealed["shared_secret"]
    assert made["status"]["algorithm"] == ALGORITHM
    seen = api.get(peer["kind"], namespace, "peer")["metadata"]
    assert made["status"]["inputs"] == [
        {
            "field": "publicKeyRef",
            "kind": peer["kind"],
            "name": "peer",
            "namespace": namespace,
            "uid": seen["uid"],
            "resourceVersion": seen["resourceVersion"],
        }
    ]


@pytest.mark.parametrize("source", [in_config_map, in_secret])
@pytest.mark.parametrize("form", ["raw", "base64", "hex"])
def test_ciphertext_of_a_peer(api, operator, namespace, tmp_path, source, form):
    [pair] = api.make(thing(QKKP, namespace, "pair"))
    secret, ciphertext = encapsulate(tmp_path, pair["status"]["publicKeyPEM"].encode())
    forms = {"raw": ciphertext, "base64": base64.b64encode(ciphertext), "hex": ciphertext.hex().encode()}
    peer = source(namespace, forms[form], form != "raw")
    api.create(peer)
    reference = {"kind": peer["kind"], "name": "peer", "key": "key"}
    api.make(thing(QDS, namespace, "opened", {"privateKeyRef": {"name": "pair"}, "ciphertextRef": reference}))
    assert api.secret(namespace, "opened")["shared_secret"] == secret


def test_inline_ciphertext_wins(api, operator, namespace, tmp_path):
    [pair] = api.make(thing(QKKP, namespace, "pair"))
    secret, ciphertext = encapsulate(tmp_path, pair["status"]["publicKeyPEM"].encode())
    spec = {
        "privateKeyRef": {"name": "pair"},
        "ciphertextRef": {"name": "absent"},
        "ciphertext": ciphertext.hex().upper(),
    }
    api.make(thing(QDS, namespace, "opened", spec))
    assert api.secret(namespace, "opened")["shared_secret"] == secret


def test_shared_secret_from_a_secret(api, operator, namespace):
    api.create(secret_thing(namespace, "peer", {"key": b"sixteen bytes..."}))
    api.make(thing(QDK, namespace, "derived", {"sharedSecretRef": {"kind": "Secret", "name": "peer", "key": "key"}}))
    assert api.secret(namespace, "derived")["key"] == hkdf(b"sixteen bytes...", b"", b"", 32)


# Waiting


@pytest.fixture(scope="module")
def pem(tmp_path_factory):
    """A peer's public key."""
    return generate(tmp_path_factory.mktemp("peer"), ALGORITHM)[1].decode()


def late_things(namespace, pem):
    """By name: what waits, the kind that it says it waits for, and what comes."""
    pair = {"privateKeyRef": {"name": "pair"}}
    return {
        "pair-late": (QES, {"publicKeyRef": {"name": "pair-late"}}, QKKP, thing(QKKP, namespace, "pair-late")),
        "map": (
            QES,
            {"publicKeyRef": {"kind": "ConfigMap", "name": "map", "key": "key"}},
            "ConfigMap",
            config_map_thing(namespace, "map", {"key": pem}),
        ),
        "secret": (
            QDK,
            {"sharedSecretRef": {"kind": "Secret", "name": "secret", "key": "key"}},
            "Secret",
            secret_thing(namespace, "secret", {"key": bytes(32)}),
        ),
        "sealed": (
            QDS,
            {**pair, "ciphertextRef": {"name": "sealed"}},
            QES,
            thing(QES, namespace, "sealed", {"publicKeyRef": {"name": "pair"}}),
        ),
        "any-kind": (QDK, {"sharedSecretRef": {"name": "any-kind"}}, QES, thing(QRN, namespace, "any-kind")),
        "one-kind": (
            QDK,
            {"sharedSecretRef": {"kind": QRN, "name": "one-kind"}},
            QRN,
            thing(QRN, namespace, "one-kind"),
        ),
    }


def test_waiting_costs_nothing_and_ends_with_the_arrival(cluster, api, operator, namespace, pem):
    api.make(thing(QKKP, namespace, "pair"))
    things = late_things(namespace, pem)
    for name, (kind, spec, _, _) in things.items():
        api.create(thing(kind, namespace, f"for-{name}", spec))
    for name, (kind, _, waits_for, _) in things.items():
        found = api.wait_status(kind, namespace, f"for-{name}", "Pending", f"WaitingFor{waits_for}")
        assert ready_of(found)["status"] == "False"
        assert "waiting for" in ready_of(found)["message"] and name in ready_of(found)["message"]
    operator.settle()
    mark, end_of_log = cluster.audit.mark(), operator.log.stat().st_size
    time.sleep(5)
    assert cluster.audit.requests(mark, namespace) == []
    assert [line for line in operator.lines(end_of_log) if line.get("namespace") == namespace] == [], "nobody polls"
    for name, (kind, _, _, comes) in things.items():
        api.create(comes)
        api.wait_success(kind, namespace, f"for-{name}")


# Changes


@pytest.mark.parametrize("kind", ["ConfigMap", "Secret"])
def test_waiting_for_an_entry(api, operator, namespace, pem, kind):
    make = config_map_thing if kind == "ConfigMap" else secret_thing
    api.create(make(namespace, "peer", {}))
    reference = {"kind": kind, "name": "peer", "key": "key"}
    api.create(thing(QES, namespace, "waiting", {"publicKeyRef": reference}))
    found = api.wait_status(QES, namespace, "waiting", "Pending", f"WaitingFor{kind}")
    assert "has no entry key" in ready_of(found)["message"]
    change = make(namespace, "peer", {"key": pem if kind == "ConfigMap" else pem.encode()})
    api.patch(kind, namespace, "peer", {"data": change["data"]})
    api.wait_success(QES, namespace, "waiting")


def test_changed_public_key_gives_a_new_secret_and_what_hangs_on_it_follows(api, operator, namespace, tmp_path):
    _, first = generate(tmp_path, ALGORITHM)
    private, second = generate(tmp_path, ALGORITHM)
    api.create(config_map_thing(namespace, "peer", {"key": first.decode()}))
    sealed, derived = api.make(
        thing(QES, namespace, "sealed", {"publicKeyRef": {"kind": "ConfigMap", "name": "peer", "key": "key"}}),
        thing(QDK, namespace, "derived", {"sharedSecretRef": {"name": "sealed"}}),
    )

    api.patch("ConfigMap", namespace, "peer", {"data": {"note": "of no concern"}})
    version = api.get("ConfigMap", namespace, "peer")["metadata"]["resourceVersion"]
    noted = wait_until(
        "the new version is noted",
        lambda: (
            (found := api.get(QES, namespace, "sealed"))["status"]["inputs"][0]["resourceVersion"] == version and found
        ),
    )
    assert noted["status"]["ciphertext"] == sealed["status"]["ciphertext"]
    assert noted["status"]["conditions"] == sealed["status"]["conditions"]

    api.patch("ConfigMap", namespace, "peer", {"data": {"key": second.decode()}})

    def followed():
        now = api.get(QDK, namespace, "derived")
        return now["status"]["status"] == "Success" and now["status"]["fingerprint"] != derived["status"]["fingerprint"]

    wait_until("the derived key follows", followed)
    for name, cause in (("sealed", "publicKeyRef refers to has changed: peer; "), ("derived", "sharedSecretRef refers to has changed: sealed; ")):
        event = api.wait_event(namespace, name, "KeyReplaced")
        assert event["type"] == "Warning" and f"Secret {name}: what spec.{cause}" in event["note"]
    output = api.secret(namespace, "sealed")
    assert decapsulate(tmp_path, private, output["ciphertext"]) == output["shared_secret"]
    assert api.secret(namespace, "derived")["key"] == hkdf(output["shared_secret"], b"", b"", 32)


def test_key_pair_made_anew_carries_through_the_exchange(api, operator, namespace):
    things = exchange(namespace)
    made = {one["metadata"]["name"]: one for one in api.make(*things)}
    before = api.secret(namespace, "alice")["key"]
    api.delete(QKKP, namespace, "pair")
    waiting = api.wait_status(QES, namespace, "sealed", "Pending", f"WaitingFor{QKKP}")
    assert api.secret(namespace, "alice")["key"] == before
    for field in ("fingerprint", "digest", "publicKeyDigest", "ciphertext", "secretRef", "inputs"):
        assert waiting["status"][field] == made["sealed"]["status"][field], "the shared secret is there still"
    api.create(things[0])

    def agreed():
        alice, bob = (api.secret(namespace, name)["key"] for name in ("alice", "bob"))
        return alice == bob != before

    wait_until("both have the same new key", agreed)
    for kind, name in ((QES, "sealed"), (QDS, "opened")):
        event = api.wait_event(namespace, name, "KeyReplaced")
        now = api.wait_success(kind, namespace, name)["status"]["fingerprint"]
        assert event["type"] == "Warning"
        assert f"{made[name]['status']['fingerprint']} was replaced by {now} (shared secret)" in event["note"]
    for one in things:
        api.wait_success(one["kind"], namespace, one["metadata"]["name"])


# What cannot be used


def fail(api, kind, namespace, spec, reason="InvalidSpec"):
    """The message with which a resource, named as its kind, fails; there is no Secret then."""
    name = kind.lower()
    api.create(thing(kind, namespace, name, spec))
    found = api.wait_status(kind, namespace, name, "Failed", reason)
    assert ready_of(found)["status"] == "False"
    assert found["status"]["error"] == ready_of(found)["message"]
    assert api.find("Secret", namespace, name) is None
    [event] = wait_until("there is an Event", lambda: api.events(namespace, name, reason))
    assert event["type"] == "Warning"
    return found["status"]["error"]


@pytest.mark.parametrize("size", [768, 1568])
def test_ciphertext_of_a_wrong_length(api, operator, namespace, size):
    """Lengths that the CRD cannot refuse, since they are right for another algorithm."""
    api.make(thing(QKKP, namespace, "pair"))
    said = fail(api, QDS, namespace, {"privateKeyRef": {"name": "pair"}, "ciphertext": "00" * size})
    assert "spec.ciphertext" in said and str(size) in said and "1088" in said


def test_no_public_key_and_then_one(api, operator, namespace, pem):
    api.create(config_map_thing(namespace, "peer", {"key": "not a key"}))
    reference = {"kind": "ConfigMap", "name": "peer", "key": "key"}
    assert "spec.publicKeyRef" in fail(api, QES, namespace, {"publicKeyRef": reference})
    api.patch("ConfigMap", namespace, "peer", {"data": {"key": pem}})
    found = api.wait_success(QES, namespace, QES.lower())
    assert "error" not in found["status"]


@pytest.mark.parametrize("kind, field", [(QES, "publicKeyRef"), (QDS, "privateKeyRef"), (QDK, "sharedSecretRef")])
def test_reference_into_another_namespace(cluster, api, operator, namespace, kind, field):
    """Refused without a grant, and nothing over there is read; test_tenants.py has what a grant does."""
    mark = cluster.audit.mark()
    spec = {field: {"name": "there", "namespace": "default"}}
    if kind == QDS:
        spec["ciphertextRef"] = {"name": "here"}
    said = fail(api, kind, namespace, spec, "AccessDenied")
    assert f"spec.{field}:" in said and "in namespace default" in said and namespace in said
    asked = {str(request) for request in cluster.audit.requests(mark, "default")}
    assert asked == {"create localsubjectaccessreviews"}


# Seeds from a URL


TOKEN = "hunter2-of-the-seed-server"


class SeedServer(http.server.ThreadingHTTPServer):
    """Serves NIST's seed, and answers otherwise by the path; knows what was asked for, and how much of it at once."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SeedHandler)
        self.asked = []
        self.at_once, self.most_at_once = 0, 0
        self.lock = threading.Lock()
        self.ends = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class SeedHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.lock:
            self.server.asked.append(self.path)
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            self.answer(self.path.split("?")[0].removeprefix("/seeds/"))
        except OSError:
            pass  # the operator has hung up
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def answer(self, name):
        self.send_response({"page": 500, "moved": 302}.get(name, 200 if self.path.startswith("/seeds/") else 404))
        if name == "moved":
            self.send_header("Location", f"/seeds/1?{TOKEN}")
        if name == "endless":
            self.send_header("Content-Length", str(2 << 30))
        if name == "odd":
            self.send_header("Transfer-Encoding", TOKEN)
        self.end_headers()
        if name in ("page", "text"):
            self.wfile.write(f"<html>{TOKEN}</html>".encode())
        while name in ("endless", "trickle") and not self.server.ends.is_set():
            self.wfile.write(b"0" if name == "trickle" else b"00" * (1 << 16))
            if name == "trickle":
                self.server.ends.wait(0.5)
        while name == "silent" and not self.server.ends.is_set() and not self.has_hung_up():
            pass
        if name.partition("/")[0].isdigit() and self.path.startswith("/seeds/"):
            self.wfile.write(NIST_SEED.encode() + b"\n")

    def has_hung_up(self):
        readable, _, _ = select.select([self.connection], [], [], 0.1)
        return bool(readable) and not self.connection.recv(1)

    def log_message(self, *_):
        pass


@pytest.fixture
def seed_server():
    server = SeedServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.ends.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_seed_url_is_refused_unless_it_is_allowed(api, operator, namespace, seed_server):
    said = fail(api, QRN, namespace, {"seedURI": f"{seed_server.url}/seeds/1"})
    assert "spec.seedURI" in said and "--seed-url-prefix" in said
    assert seed_server.asked == []


def test_seed_url(api, operators, namespace, seed_server):
    flags = ("--seed-url-prefix", f"{seed_server.url}/seeds/")
    operator = operators.start(*flags).wait_ready()
    [made] = api.make(thing(QRN, namespace, "vector", {"numBytes": 48, "seedURI": f"{seed_server.url}/seeds/1"}))
    assert api.secret(namespace, "vector")["random"].hex().upper() == NIST_BYTES
    assert "test vectors only" in made["status"]["warning"]
    assert "--seed-url-prefix" in fail(api, QRN, namespace, {"seedURI": f"{seed_server.url}/other/1"})
    operator.settle()
    operators.start(*flags).wait_ready().settle()
    assert api.get(QRN, namespace, "vector") == made
    assert seed_server.asked == ["/seeds/1"], "a seed is fetched once"


BAD_SEEDS = {
    "page": "Pending",  # an error page with a token
    "text": "Failed",  # a page that is no seed
    "moved": "Pending",  # redirects are not followed
    "endless": "Pending",  # 2 GiB
    "trickle": "Pending",  # a byte now and then
    "odd": "Pending",  # what an HTTP client quotes when it does not know it
}


def test_what_a_seed_server_answers_is_told_to_nobody(api, operators, namespace, seed_server):
    operator = operators.start("--seed-url-prefix", f"{seed_server.url}/seeds/").wait_ready()
    before = operator.memory("VmHWM")
    for name in BAD_SEEDS:
        api.create(thing(QRN, namespace, name, {"seedURI": f"{seed_server.url}/seeds/{name}?key={TOKEN}"}))
    for name, status in BAD_SEEDS.items():
        found = api.wait_status(QRN, namespace, name, status)
        assert f"{seed_server.url}/seeds/{name}" in ready_of(found)["message"]
        assert TOKEN not in json.dumps(found["status"])
        reason = ready_of(found)["reason"]
        told = wait_until("there is an Event", lambda name=name, reason=reason: api.events(namespace, name, reason))
        assert TOKEN not in json.dumps(told)  # one for each way in which it fails
    [made] = api.make(thing(QRN, namespace, "vector", {"seedURI": f"{seed_server.url}/seeds/1?key={TOKEN}", "numBytes": 48}))
    assert made["status"]["inputs"][0]["name"] == f"{seed_server.url}/seeds/1"
    assert TOKEN not in operator.log.read_text()
    if not operators.sanitized:  # a sanitizer keeps what was freed
        assert operator.memory("VmHWM") - before < 64 << 10


def test_what_an_earlier_release_told_of_a_url_is_taken_back(api, operators, namespace, seed_server):
    operators.start("--seed-url-prefix", f"{seed_server.url}/seeds/").wait_ready()
    [made] = api.make(thing(QRN, namespace, "vector", {"seedURI": f"{seed_server.url}/seeds/1?key={TOKEN}"}))
    told = [{**made["status"]["inputs"][0], "name": made["spec"]["seedURI"]}]
    api.patch(QRN, namespace, "vector", {"status": {"inputs": told}}, "status")

    def shown():
        return api.get(QRN, namespace, "vector")["status"]["inputs"]

    wait_until("it is taken back", lambda: shown() == made["status"]["inputs"])
    assert len(seed_server.asked) == 1, "a seed is fetched once"


def test_a_url_is_cut_between_two_characters(api, operators, namespace, seed_server):
    operators.start("--seed-url-prefix", f"{seed_server.url}/seeds/").wait_ready()
    for length in (509, 510, 511):
        url = f"{seed_server.url}/seeds/1/".ljust(length, "0") + "é"
        [made] = api.make(thing(QRN, namespace, f"long-{length}", {"seedURI": url}))
        assert made["status"]["inputs"][0]["name"][:length] == url[:length]


def test_a_seed_server_that_hangs_holds_up_nobody_else(api, operators, namespace, seed_server):
    operators.start("--workers=4", "--seed-url-prefix", f"{seed_server.url}/seeds/").wait_ready()
    for number in range(8):
        api.create(thing(QRN, namespace, f"hangs-{number}", {"seedURI": f"{seed_server.url}/seeds/silent"}))
    wait_until("one is fetched", lambda: seed_server.asked)
    api.make(thing(QKKP, namespace, "pair"))
    assert 0 < seed_server.most_at_once < 4, "a worker is left for others"
