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

import atexit
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
        done = subprocess.run(
            self.command, input="".join(map(line_of, requests)), capture_output=True, text=True, check=False, timeout=PATIENCE,
        )  # fmt: skip
        lines = done.stdout.splitlines()
        assert len(lines) == len(requests), f"{self.name}: {done.stderr[-2000:]}"
        return list(map(answer_of, lines))


class Resident(Program):
    """One that takes long to start, and so is started once, when it is first asked; it ends with the tests, as its input does."""

    process = None

    def ask(self, *requests):
        if self.process is None:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}  # what it says of its end is for the tests' own output
            self.process = subprocess.Popen(self.command, text=True, bufsize=1, **pipes)
            atexit.register(self.end)
        return [self.ask_one(request) for request in requests]

    def ask_one(self, request):
        self.process.stdin.write(line_of(request))
        line = self.process.stdout.readline()
        assert line, f"{self.name} has ended, with status {self.process.wait(PATIENCE)}"
        return answer_of(line.rstrip("\n"))

    def end(self):
        self.process.communicate(timeout=PATIENCE)


def line_of(request):
    word, *parts = request
    return " ".join([word, *(f"={base64.b64encode(part).decode()}" for part in parts)]) + "\n"


def answer_of(line):
    verdict, value = line.split(" ")
    return Answer(verdict, base64.b64decode(value[1:]))


GO = Program("Go", [FOLDER / "go" / "peer"])
JAVA = Resident("Bouncy Castle", ["/usr/bin/java", "-cp", f"{FOLDER}/java:{FOLDER}/java/*", "Peer"])
PYTHON = Program("cryptography", [FOLDER / "python" / "bin" / "python3", pathlib.Path(__file__).with_name("peers") / "python" / "peer.py"])
