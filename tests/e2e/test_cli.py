"""The command line as people meet it: help, the manual page, completion, and kubectl's plug-in."""

import hashlib
import os
import pathlib
import pty
import re
import select
import subprocess
import sys
import tarfile
import time

import pytest
import yaml
from fixtures import CHECKOUT


@pytest.fixture
def program(operators, tmp_path):
    """The program under its name, in a folder of its own."""
    (tmp_path / "qubesec").symlink_to(pathlib.Path(operators.binary).absolute())
    return tmp_path / "qubesec"


def out(*words, status=0, **options):
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, check=False, timeout=300, **options)
    assert done.returncode == status, done
    return done.stdout or done.stderr


def verbs_of(program):
    return re.findall(r"^  ([a-z]+) +\S", out(program, "--help"), re.MULTILINE)


def flags_of(program, verb):
    return re.findall(r"^  (-[-a-z]+)(?: (\S+))?(?:   \$\S+)?$", out(program, verb, "--help"), re.MULTILINE)


def test_every_verb_has_help(program):
    assert {"operator", "check", "render", "renew", "rotate", "completion", "manual", "version"} <= set(verbs_of(program))
    for verb in verbs_of(program):
        for flag in ("--help", "-h"):
            text = out(program, verb, flag)
            assert text.startswith(f"Usage: qubesec {verb}") and len(text.splitlines()) > 2, text
    assert len(flags_of(program, "check")) > 10


def test_the_manual_page_has_every_verb_and_flag(program):
    page = out(program, "manual")
    assert page.startswith('.TH QUBESEC 1 "" "qubesec ')
    plain = page.replace("\\-", "-").replace("\\e", "\\").replace("\\&", "")
    for verb in verbs_of(program):
        assert f"\n.SS qubesec {verb} " in plain
        for flag, value in flags_of(program, verb):
            assert f"\n.B {flag}{' ' if value else ''}{value}\n" in plain, flag
    known = {".TH", ".SH", ".SS", ".TP", ".B", ".I", ".PP", ".nf", ".fi"}
    assert {line.split()[0] for line in page.splitlines() if line[:1] in (".", "'")} == known
    assert not re.search(r"(?<!\\)-", page)  # each is a minus that can be copied
    assert "manual: x: it takes no argument" in out(program, "manual", "x", status=2)


# Completion


def complete(program, *words):
    """What bash offers for the last of the words, as its completion function is called."""
    script = f"""
        source <({program} completion bash)
        COMP_WORDS=({" ".join(repr(word) for word in ("qubesec", *words))})
        COMP_CWORD={len(words)}
        _qubesec
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return out("bash", "--norc", "-c", script).split()


def test_bash_completes_verbs_and_flags(program):
    assert complete(program, "") == [*verbs_of(program), "--help"]
    assert complete(program, "ch") == ["check"]
    assert complete(program, "r") == ["render", "renew", "rotate"]
    assert complete(program, "completion", "") == ["--help", "bash", "zsh", "fish"]
    assert complete(program, "check", "--context", "") == []  # of which nothing is known
    assert complete(program, "nonsense", "") == []
    for verb in verbs_of(program):
        assert {flag for flag, _ in flags_of(program, verb)} <= set(complete(program, verb, "-")), verb


def test_bash_completes_what_is_typed(program, tmp_path):
    """In an interactive shell, by the key: a verb, a flag, and the name of a file after a flag."""
    (tmp_path / "some-manifests.yaml").write_text("")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PS1": "$ ", "TERM": "dumb", "HOME": str(tmp_path)}
    master, slave = pty.openpty()
    bash = subprocess.Popen(
        ["bash", "--norc", "--noprofile", "-i"], stdin=slave, stdout=slave, stderr=slave, env=environment,
        cwd=tmp_path, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    try:
        os.write(master, b"source <(qubesec completion bash)\nqubesec rend\t--filen\tsome-m\t--he\t; echo ended $?\n")
        said, deadline = "", time.monotonic() + 300
        while not re.search(r"^ended \d", said, re.MULTILINE) and time.monotonic() < deadline:
            if select.select([master], [], [], 1)[0]:
                said += os.read(master, 65536).decode()
        assert "qubesec render --filename some-manifests.yaml --help" in said, said
        assert "Usage: qubesec render" in said and re.search(r"^ended 0", said, re.MULTILINE), said
    finally:
        bash.kill()
        bash.wait()
        os.close(master)


def test_zsh_and_fish_are_told_the_same(program):
    zsh, fish = out(program, "completion", "zsh"), out(program, "completion", "fish")
    assert zsh.startswith("#compdef qubesec")
    for verb in verbs_of(program):
        assert f"\n        '{verb}:" in zsh and f"-n '__fish_use_subcommand' -a {verb} -d" in fish
        for flag, value in flags_of(program, verb):
            assert f"'*{flag}{'=' if value and flag.startswith('--') else ''}[" in zsh, flag
            short = flag.lstrip("-")
            assert re.search(rf"from {verb}' .*{'-l' if flag.startswith('--') else '-s'} {short} ", fish), flag
    for text in (zsh, fish):
        assert text.replace("'\\''", "").count("'") % 2 == 0
    assert "name one shell: bash, zsh or fish" in out(program, "completion", "csh", status=2)
    assert "name one shell: bash, zsh or fish" in out(program, "completion", status=2)


# kubectl's plug-in


def test_a_plugin_of_kubectl(cluster, operators, tmp_path):
    (tmp_path / "kubectl-qubesec").symlink_to(pathlib.Path(operators.binary).absolute())
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}

    def called(*words, **options):
        return out("kubectl", "qubesec", *words, env=environment, **options)

    assert called("--help").startswith("Usage: kubectl qubesec VERB")
    assert called("check", "--help").startswith("Usage: kubectl qubesec check [FLAG...]")
    assert called("check", "--nonsense", status=2) == "kubectl qubesec check: --nonsense: no such flag; see --help\n"
    assert "kubectl qubesec: nonsense: no such verb" in called("nonsense", status=2)
    assert called("version").startswith("qubesec ")
    assert str(tmp_path / "kubectl-qubesec") in out("kubectl", "plugin", "list", env=environment)


# krew


def test_a_krew_manifest_of_what_is_released(operators, tmp_path):
    folder, url = tmp_path / "release", "https://downloads.example.com/v1"
    out(sys.executable, CHECKOUT / "tools" / "release.py", operators.binary, folder, f"{url}/")
    manifest = yaml.safe_load((folder / "qubesec.yaml").read_text())
    [archive] = folder.glob("*.tar.gz")
    version = out(operators.binary, "version").split()[1]
    assert (manifest["apiVersion"], manifest["kind"]) == ("krew.googlecontainertools.github.com/v1alpha2", "Plugin")
    assert manifest["metadata"] == {"name": "qubesec"} and manifest["spec"]["version"] == f"v{version}"
    assert re.fullmatch(r"v\d+\.\d+\.\d+", manifest["spec"]["version"])
    assert len(manifest["spec"]["shortDescription"]) <= 50  # krew's own rule
    [platform] = manifest["spec"]["platforms"]
    assert set(platform) == {"selector", "uri", "sha256", "bin"}
    assert platform["selector"]["matchLabels"]["os"] == "linux" and platform["selector"]["matchLabels"]["arch"] in archive.name
    assert platform["uri"] == f"{url}/{archive.name}"
    assert platform["sha256"] == hashlib.sha256(archive.read_bytes()).hexdigest()
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    program = tmp_path / "unpacked" / platform["bin"]
    assert out(program, "--help").startswith("Usage: kubectl qubesec VERB")
    assert (program.parent / "qubesec.1").read_text() == out(operators.binary, "manual")
    assert (program.parent / "completion.bash").read_text() == out(operators.binary, "completion", "bash")
    assert (program.parent / "LICENSE").read_bytes() == (CHECKOUT / "LICENSE").read_bytes()
