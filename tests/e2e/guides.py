"""Markdown that somebody follows literally, from top to bottom. Of its fenced blocks

  sh     is run by bash, and every command in it has to succeed
  yaml   is applied; if its first line is `# NAME.yaml`, it becomes that file instead
  text   is what has been printed: its lines are among those of the blocks before it, in this order

and any other language is for whoever follows the document. `<!-- not run: WHY -->` on the line above a block excuses it.
A block that is neither run nor excused is a fault, and so is code that is not in such a block.
"""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120.0  # seconds for one block
PRELUDE = "set -Eeuo pipefail; trap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n"

HEADING = re.compile(r"#+ (.+)")
FENCE = re.compile(r"```(\w+)")
EXCUSE = re.compile(r"<!-- not run: (.+) -->")
FILE_NAME = re.compile(r"# (\S+\.yaml)\n")
# What varies from run to run. The same digits in a document are the same digits in what is printed.
DIGITS = r"\b[0-9a-f]{10,64}\b"
PASSING = {DIGITS: DIGITS, r"\d{4}-\d\d-\d\dT[\d:]+Z": r"[\d:TZ-]+", r"(?<= )(?:\d+[smh])+(?= |$)": r"(?:\d+[smh])+"}


class GuideError(AssertionError):
    """A document that cannot be followed; the message says where and why."""


@dataclasses.dataclass
class Block:
    place: str
    section: str
    language: str
    text: str
    excuse: str | None


def read_blocks(text, name="guide"):
    """The fenced blocks of a document, in order; name: how faults call it."""
    blocks, section, lines = [], "", text.splitlines()
    rest = iter(enumerate(lines, start=1))
    for number, line in rest:
        place, above = f"{name}:{number}", lines[number - 2] if number > 1 else ""
        if heading := HEADING.fullmatch(line):
            section = heading[1]
        elif fence := FENCE.fullmatch(line):
            content = "".join(f"{inner}\n" for inner in until_fence(rest, place))
            excuse = EXCUSE.fullmatch(above)
            blocks.append(Block(place, section, fence[1], content, excuse and excuse[1]))
        elif "```" in line:
            raise GuideError(f"{place}: a block begins with ```LANGUAGE at the start of a line")
        elif line.startswith("    ") and not above:
            raise GuideError(f"{place}: code that is indented is not run; put it into a fenced block")
        elif EXCUSE.fullmatch(above):
            raise GuideError(f"{place}: the excuse above is not one of a block")
    return blocks


def examples():
    """The YAML of the kinds' own pages that is of whole objects: page and text, which may be of several."""
    for page in sorted((CHECKOUT / "docs" / "resources").glob("quantum*.md")):
        for block in read_blocks(page.read_text(encoding="utf-8"), page.name):
            if block.language == "yaml" and block.text.startswith("apiVersion:"):
                yield page, block.text


def until_fence(rest, place):
    for _, line in rest:
        if line == "```":
            return
        yield line
    raise GuideError(f"{place}: the block has no end")


@dataclasses.dataclass
class Reader:
    """Who follows documents, in a folder and with the environment of a shell.

    replace: what he puts in the place of words that the document tells him to replace.
    world: by section, what happens in the world before he reads it.
    handlers: by language, what he does with the text of such a block.
    """

    folder: pathlib.Path
    environment: dict
    replace: dict = dataclasses.field(default_factory=dict)
    world: dict = dataclasses.field(default_factory=dict)
    handlers: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        self.handlers = {"sh": self.run, "yaml": self.apply, "text": self.compare, **self.handlers}
        self.printed = []  # lines that have been printed and are not compared yet
        self.digits = {}  # by those of the document, those that were printed

    def follow(self, document):
        """Does what the file says, and raises GuideError at the first block that does not work."""
        self.follow_text(document.read_text(encoding="utf-8"), document.name)

    def follow_text(self, text, name="guide"):
        blocks = read_blocks(text, name)
        self.expect_used(name, self.world, [block.section for block in blocks])
        self.expect_used(name, self.replace, "".join(block.text for block in blocks if not block.excuse))
        section, excused = None, False
        for block in blocks:
            if block.section != section:
                section = block.section
                self.world.get(section, lambda: None)()
            if block.language != "text":  # what a block prints shares its excuse
                excused = block.excuse is not None
            if not excused:
                self.do(block)

    @staticmethod
    def expect_used(name, prepared, there):
        if unused := [one for one in prepared if one not in there]:
            raise GuideError(f"{name}: prepared for what no block has: {', '.join(unused)}")

    def do(self, block):
        if block.language not in self.handlers:
            raise GuideError(f"{block.place}: this block of {block.language} is neither run nor excused")
        try:
            self.handlers[block.language](self.with_replacements(block.text))
        except GuideError as error:
            raise GuideError(f"{block.place} ({block.section}): {error}") from None

    def with_replacements(self, text):
        for word, own in self.replace.items():
            text = re.sub(rf"(?<![A-Z]){re.escape(word)}(?![A-Z])", lambda _, own=own: own, text)
        return text

    def run(self, text):
        self.execute(["bash", "-c", PRELUDE + text])

    def apply(self, text):
        if name := FILE_NAME.match(text):
            file = self.folder / name[1]
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        else:
            self.execute(["kubectl", "apply", "--filename", "-"], text)

    def execute(self, command, given=""):
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, errors="replace", start_new_session=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            printed, _ = process.communicate(given, PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise GuideError(f"not within {PATIENCE:.0f} s:\n{process.communicate()[0]}") from None
        self.printed = printed.splitlines()
        if process.returncode != 0:
            raise GuideError(f"status {process.returncode}:\n{printed}")

    def compare(self, text):
        before = list(self.printed)
        for line in filter(None, text.splitlines()):
            while self.printed and not self.is_same(line, self.printed[0]):
                self.printed.pop(0)
            if not self.printed:
                raise GuideError(f"not printed, or not in this order: {line!r}; printed was\n" + "\n".join(before))
            self.printed.pop(0)

    def is_same(self, shown, printed):
        """Whether a line says what the document shows, but for what varies."""
        found = re.fullmatch(pattern_of(shown), printed)
        if found is None:
            return False
        pairs = list(zip(re.findall(DIGITS, shown), found.groups(), strict=True))
        known = dict(pairs) | self.digits
        if any(known[digits] != own for digits, own in pairs):
            return False
        self.digits = known
        return True


def pattern_of(line):
    """A regular expression of a line as a document shows it; its groups are the digits."""
    parts, end = [], 0
    for found in re.finditer("|".join(f"({one})" for one in PASSING), line):
        shape = list(PASSING.values())[found.lastindex - 1]
        parts += [literal(line[end : found.start()]), f"({shape})" if found.lastindex == 1 else shape]
        end = found.end()
    return "".join([*parts, literal(line[end:])])


def literal(text):
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))


def in_namespace(kubeconfig, namespace, target):
    """Writes a kubeconfig like the given one, whose kubectl works in that namespace; returns its path."""
    config = json.loads(pathlib.Path(kubeconfig).read_text())
    for context in config["contexts"]:
        context["context"]["namespace"] = namespace
    target.write_text(json.dumps(config))
    target.chmod(0o600)
    return target


def lay_checkout(folder):
    """What manifests need of the checkout, for a reader who is not to write into it."""
    for name in ("config", "charts"):
        shutil.copytree(CHECKOUT / name, folder / name)
