"""Other people's software, asked what it makes of our artefacts.

A peer reads requests, one a line: a word and its arguments in base64 (each after a "="). It answers each with a line:
yes, no or lacks (it does not know the algorithm), and a value, which is the reason unless the answer is yes.

    private PEM                              the SHA-256 of the public key's SubjectPublicKeyInfo
    public PEM                               the same
    sign PRIVATE MESSAGE CONTEXT             a signature
    verify PUBLIC MESSAGE CONTEXT SIGNATURE
    chain CERTIFICATES ROOT HOST             the leaf first; verified as a TLS server's of that host
    lint CERTIFICATE                         the names of the rules that it breaks
    names CERTIFICATE                        its alternative names, a line each, if all hosts among them match it
"""

import base64
import dataclasses
import os
import pathlib
import subprocess

FOLDER = pathlib.Path(os.environ.get("QUBESEC_PEERS", "/nonexistent"))
PATIENCE = 120.0


@dataclasses.dataclass(frozen=True)
class Answer:
    verdict: str
    value: bytes

    @property
    def text(self):
        return self.value.decode(errors="replace")

    def __bool__(self):
        return self.verdict == "yes"


class Program:
    """A peer that is a process of its own."""

    def __init__(self, name, command):
        self.name = name
        self.command = [str(word) for word in command]

    def missing(self):
        return None if pathlib.Path(self.command[0]).exists() else f"{self.command[0]} was not set up"

    def ask(self, *requests):
        """One answer for each request, a tuple of a word and bytes."""
        lines = (" ".join([word, *(f"={base64.b64encode(part).decode()}" for part in parts)]) for word, *parts in requests)
        done = subprocess.run(
            self.command, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True,
            check=False, timeout=PATIENCE,
        )  # fmt: skip
        answers = [line.split(" ") for line in done.stdout.splitlines()]
        assert len(answers) == len(requests), f"{self.name}: {done.stderr[-2000:]}"
        return [Answer(verdict, base64.b64decode(value[1:])) for verdict, value in answers]


GO = Program("Go", [FOLDER / "go" / "peer"])
JAVA = Program("Bouncy Castle", ["/usr/bin/java", "-cp", f"{FOLDER}/java:{FOLDER}/java/*", "Peer"])
PYTHON = Program("cryptography", [FOLDER / "python" / "bin" / "python3", pathlib.Path(__file__).with_name("peers") / "python" / "peer.py"])
