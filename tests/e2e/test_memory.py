"""A full image of the operator's memory after work holds none of the keys that it made."""

import mmap
import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
from api import QC, QES, QRN, QSKP, QSM, data_of, exchange, thing
from leaks import Search, secrets_in

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


def test_memory_image_holds_no_key(cluster, api, operators, namespace, image):
    if operators.sanitized:
        pytest.skip("a sanitizer keeps what was freed")
    operator = operators.start("--allow-memory-dump").wait_ready()
    things = [one for number in range(50) for one in exchange(namespace, f"x{number}-")]
    numbers = [thing(QRN, namespace, f"numbers-{number}", {"numBytes": 4096}) for number in range(10)]
    api.make(*things, *numbers, *signed_things(namespace))
    # Secrets are read again, too, and some are made anew.
    for number in range(10):
        api.patch("Secret", namespace, f"x{number}-pair", {"metadata": {"labels": {"a": "b"}}})
    api.patch("Secret", namespace, "numbers-0", {"data": {"random": "AAAA"}})
    secrets = secrets_in(api, namespace)
    operator.settle()
    secrets = {**{f"{name} (before)": value for name, value in secrets.items()}, **secrets_in(api, namespace)}
    assert len(secrets) >= 2 * (50 * 8 + 10 + 20 * 4 + 21 * 2)
    with image() as content:
        assert Search(secrets).find(content) == []
        token = (cluster.folder / "operator.token").read_bytes().strip()
        check_that_the_search_finds(api, namespace, token, content)


def check_that_the_search_finds(api, namespace, token, content):
    """What is no secret of ours is in the image, in each form that was looked for: as it came, as base64, as hex."""
    public = data_of(api.get("Secret", namespace, "x0-pair"))["public_key"]
    sealed = api.get(QES, namespace, "x0-sealed")
    known = {"token": token, "public": public, "ciphertext": bytes.fromhex(sealed["status"]["ciphertext"])}
    found = Search(known).find(content)
    assert {("token", "raw"), ("public", "base64"), ("ciphertext", "hex")} <= set(found)


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
