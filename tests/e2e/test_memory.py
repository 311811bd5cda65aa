"""A full image of the operator's memory after work holds none of the keys that it made or read."""

import base64
import ctypes
import mmap
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from api import QC, QDK, QES, QKKP, QRN, QSKP, QSM, QVS, data_of, exchange, secret_thing, thing, wait_until
from crypto import pem_body
from leaks import Search, ec_parts, expanded_in, find_whole, pseudorandom_key, secrets_in
from test_webhook_certificate import NAMESPACE, OWN, ROTATE, SECRET
from webhook import CHECKOUT, Direct, port_of

NOBODY = 65534


@pytest.fixture
def image(operators, tmp_path):
    """Takes an image of the operator that runs: all of its memory, also what core dumps leave out."""
    file = tmp_path / "image"

    def take():
        pid = operators.current.pid
        commands = ("set use-coredump-filter off", "set dump-excluded-mappings on", f"gcore {file}")
        arguments = [word for command in commands for word in ("-ex", command)]
        done = subprocess.run(
            ["gdb", "--nx", "--batch", *arguments, "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert file.exists(), f"gdb: {done.stdout}{done.stderr}"
        with open(file, "rb") as stream:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)

    yield take
    file.unlink(missing_ok=True)


def signed_things(namespace):
    """Signature key pairs that sign, and certificates of which one signs the others."""
    ca = {"algorithm": "ML-DSA-44", "certType": "ca", "commonName": "CA"}
    yield thing(QC, namespace, "ca", ca)
    for number in range(20):
        name = f"signer-{number}"
        yield thing(QSKP, namespace, name, {"algorithm": "ML-DSA-44"})
        spec = {"privateKeyRef": {"name": name}, "messageRef": {"name": "numbers-0", "key": "random"}}
        yield thing(QSM, namespace, name, spec)
        yield thing(QC, namespace, name, {"certType": "client", "commonName": name, "parentCARef": {"name": "ca"}})


def foreign_things(namespace):
    """Secrets that others made, and objects that read them: messages, shared secrets of peers in every form."""
    secrets = {}
    for number in range(10):
        message, shared = os.urandom(1000), os.urandom(32)
        verify = {"publicKeyRef": {"name": f"signer-{number}"}, "signatureRef": {"name": f"secret-text-{number}"}}
        text = {"messageRef": {"name": f"message-{number}", "key": "message"}}
        secrets |= {f"message {number}": message, f"peer's secret {number}": shared}
        secrets[f"peer's secret {number}'s PRK"] = pseudorandom_key(shared)
        yield secret_thing(namespace, f"message-{number}", {"message": message}), None
        yield secret_thing(namespace, f"peer-{number}", {"shared": shared}), None
        derive = {"sharedSecretRef": {"kind": "Secret", "name": f"peer-{number}", "key": "shared"}}
        yield thing(QDK, namespace, f"peer-{number}-key", derive), "Success"
        sign = {"privateKeyRef": {"name": f"signer-{number}"}, **text}
        yield thing(QSM, namespace, f"secret-text-{number}", sign), "Success"
        yield thing(QVS, namespace, f"secret-text-{number}", {**verify, **text}), "Valid"
    return secrets


def make_foreign(api, namespace):
    """Makes them; returns what is secret of them."""
    things = foreign_things(namespace)
    while True:
        try:
            one, status = next(things)
        except StopIteration as end:
            return end.value
        api.create(one)
        if status is not None:
            api.wait_status(one["kind"], namespace, one["metadata"]["name"], status)


def test_memory_image_holds_no_key(cluster, api, operators, namespace, image):
    operator = operators.start("--allow-memory-dump").wait_ready()
    things = [one for number in range(50) for one in exchange(namespace, f"x{number}-")]
    numbers = [thing(QRN, namespace, f"numbers-{number}", {"numBytes": 4096}) for number in range(10)]
    marks = mark(things[0])
    api.make(*things, *numbers, *signed_things(namespace))
    foreign = make_foreign(api, namespace)
    # Secrets are read again, too, and some are made anew.
    for number in range(10):
        api.patch("Secret", namespace, f"x{number}-pair", {"metadata": {"labels": {"a": "b"}}})
    api.patch("Secret", namespace, "numbers-0", {"data": {"random": "AAAA"}})
    secrets = secrets_in(api, namespace)
    operator.settle()
    secrets = {**{f"{name} (before)": value for name, value in secrets.items()}, **secrets_in(api, namespace), **foreign}
    expanded = expanded_in(api, namespace, [name.format(number) for name in ("x{}-pair", "signer-{}") for number in range(10)])
    assert len(secrets) >= 2 * (50 * 8 + 10 + 20 * 4 + 21 * 2)
    known = {"token": (cluster.folder / "operator.token").read_bytes().strip(), **marks}
    with image() as content:
        assert Search(secrets).find(content) == []
        assert find_whole(expanded, content) == []
        # What is no secret of ours is there, in each form that was looked for: as it came, as base64, as hex.
        found = Search(known).find(content)
    assert {("token", "raw"), ("in base64", "base64"), ("in hex", "hex")} <= set(found)


def test_memory_image_holds_no_version_of_a_rotated_key(api, operators, namespace, image):
    """Neither those that have expired, nor those that are kept, nor the present and the coming one."""
    operator = operators.start("--allow-memory-dump").wait_ready()
    pair, sealed, *others = exchange(namespace)
    sealed["spec"]["rotation"] = {"publishAhead": "2s"}
    numbers = thing(QRN, namespace, "numbers", {"numBytes": 64})
    signer = thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"})
    rotated = [mark_of(one) for one in (pair, sealed, numbers, signer)]
    marks = mark(pair)
    api.make(pair, sealed, *others, numbers, signer)
    secrets = {}

    def note(when):
        secrets.update({f"{name} ({when})": value for name, value in secrets_in(api, namespace).items()})
        hidden = data_of(api.get("Secret", namespace, "sealed")).get(".shared_secret.next")
        secrets.update({f"the next shared secret ({when})": hidden} if hidden else {})

    note("first")
    for number in range(1, 4):
        for kind, name in rotated:
            api.patch(kind, namespace, name, {"metadata": {"annotations": {"qubesec.io/rotate": str(number)}}})
        is_answered = [lambda one=one, number=number: answer(api, namespace, *one) == str(number) for one in rotated]
        for answered in is_answered:
            wait_until("each is rotated", lambda answered=answered: note_while(note, number) and answered())
        operator.settle()
        note(f"after {number}")
    first = {name: value for name, value in secrets.items() if name.endswith("(first)")}
    now = set(secrets_in(api, namespace).values())
    assert first and not set(first.values()) & now, "the first ones have expired"
    with image() as content:
        assert Search(secrets).find(content) == []
        assert {("in base64", "base64"), ("in hex", "hex")} <= set(Search(marks).find(content))


def mark_of(one):
    return one["kind"], one["metadata"]["name"]


def note_while(note, number):
    note(f"during {number}")
    return True


def answer(api, namespace, kind, name):
    return api.get(kind, namespace, name)["status"].get("lastRotateRequest")


def occurrences(piece):
    """How often it is in this process's own memory."""
    count = 0
    with open("/proc/self/maps", encoding="ascii") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
        for line in maps:
            first, last = (int(address, 16) for address in line.split()[0].split("-"))
            if " rw" in line and last - first < 1 << 30:
                memory.seek(first)
                count += memory.read(last - first).count(piece)
    return count


def test_polynomials_are_looked_for_as_openssl_holds_them(api, operator, namespace):
    """OpenSSL itself loads the keys here: then the pieces that are looked for are there once more."""
    crypto = ctypes.CDLL("libcrypto.so.3")
    crypto.d2i_AutoPrivateKey.restype = ctypes.c_void_p
    api.make(thing(QKKP, namespace, "pair"), thing(QSKP, namespace, "signer", {"algorithm": "ML-DSA-44"}))
    for name, piece in expanded_in(api, namespace, ["pair", "signer"]).items():
        der = pem_body(api.secret(namespace, name)["private_key.pem"])
        before = occurrences(piece)
        key = crypto.d2i_AutoPrivateKey(None, ctypes.byref(ctypes.c_char_p(der)), len(der))
        assert key and occurrences(piece) > before, name
        crypto.EVP_PKEY_free(ctypes.c_void_p(key))


def mark(item):
    """Gives an object bytes that are no secret, as base64 and as hex, which the operator keeps; returns them by name."""
    marks = {"in base64": os.urandom(64), "in hex": os.urandom(64)}
    base64_text = base64.b64encode(marks["in base64"]).decode()
    texts = {"qubesec.io/base64": base64_text, "qubesec.io/hex": marks["in hex"].hex()}
    item["metadata"]["annotations"] = texts
    return marks


@pytest.fixture
def webhook_secret(api, cluster, operators):
    """Reads the Secret of the webhook's own CA and certificate; it is gone afterwards."""
    cluster.kubectl("apply", "--filename", CHECKOUT / "config/webhook/role.yaml")
    yield lambda: data_of(api.find("Secret", NAMESPACE, SECRET) or {})
    operators.stop()
    api.delete("Secret", NAMESPACE, SECRET)


def test_memory_image_holds_only_the_webhook_key_in_use(api, operators, namespace, webhook_secret, image, tmp_path):
    """While it serves, the key of its certificate has to be there. Those of its CA and of certificates before have not."""
    operator = operators.start("--allow-memory-dump", *OWN).wait_ready()
    before = wait_until("the certificate is made", webhook_secret)
    serve(operator, webhook_secret, namespace, tmp_path)
    api.patch("Secret", NAMESPACE, SECRET, {"metadata": {"annotations": {ROTATE: "leaf"}}})
    wait_until("the certificate is another one", lambda: webhook_secret()["tls.key"] != before["tls.key"])
    wait_until("it is in use", lambda: len(operator.said("webhook certificate in use")) == 2)
    serve(operator, webhook_secret, namespace, tmp_path)
    after = webhook_secret()
    assert after["ca.key"] == before["ca.key"]
    secrets = {"CA": after["ca.key"], "former": before["tls.key"], "in use": after["tls.key"]}
    parts = {f"{name}: {part}": value for name, pem in secrets.items() for part, value in ec_parts(pem).items()}
    operator.settle()
    with image() as content:
        found = Search(parts).find(content)
    assert {name.partition(":")[0] for name, _ in found} == {"in use"}, found


def serve(operator, webhook_secret, namespace, folder):
    """Has the webhook answer some reviews, as the API server would ask for them."""
    (folder / "ca.crt").write_bytes(webhook_secret()["ca.crt"])
    for number in range(10):
        caller = Direct(port_of(operator), folder)
        assert caller.ask("CREATE", thing(QRN, namespace, f"asked-{number}", {"numBytes": 32}))["allowed"]
        caller.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="starts the operator as another user")
@pytest.mark.parametrize("flags, owner", [((), 0), (("--allow-memory-dump",), NOBODY)], ids=["closed", "open"])
def test_memory_is_closed_to_the_operators_own_user(cluster, operators, flags, owner):
    """The kernel gives the files of a process that must not be dumped to root, and so it keeps others out."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = cluster.operator_config.read_text()
        for source in (cluster.folder / "operator.token", cluster.folder / "pki" / "ca.crt", operators.binary):
            shutil.copy(source, folder)
            text = text.replace(str(source), str(folder / source.name))
        (folder / "kubeconfig").write_text(text)
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
        program = [folder / operators.binary.name, "operator"]
        options = {"kubeconfig": folder / "kubeconfig", "program": program, "user": NOBODY}
        # Where sanitizers write their reports is closed to that user; without the options, to the operator's log.
        environment = {"ASAN_OPTIONS": "", "TSAN_OPTIONS": "", "UBSAN_OPTIONS": ""}
        operator = operators.start(*flags, environment=environment, **options).wait_ready()
        memory = os.stat(f"/proc/{operator.pid}/mem")
        limits = pathlib.Path(f"/proc/{operator.pid}/limits").read_text()
        operators.stop()
    [core] = [line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core file size")]
    assert memory.st_uid == owner
    assert flags or core == ["0", "0"]
