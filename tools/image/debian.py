"""What dpkg knows about the packages that are installed here."""

import dataclasses
import email.parser
import functools
import hashlib
import pathlib
import re
import subprocess

LIST = pathlib.Path(__file__).resolve().parents[1] / "packages.txt"
LICENCES = "/usr/share/common-licenses"


class ImageError(Exception):
    """Something a person has to see; the message says what to do."""


def listed(purpose):
    """The packages of tools/packages.txt that are for that."""
    return {words[1] for words in map(str.split, LIST.read_text().splitlines()) if words[:1] == [purpose]}


def query(*arguments):
    done = subprocess.run(["dpkg-query", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ImageError(f"dpkg-query {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


@dataclasses.dataclass(frozen=True, order=True)
class Package:
    name: str

    @functools.cached_property
    def stanza(self):
        """Its paragraph in dpkg's database, as scanners read it."""
        return query("--status", self.name)

    @functools.cached_property
    def fields(self):
        return email.parser.Parser().parsestr(self.stanza, headersonly=True)

    @functools.cached_property
    def digests(self):
        """MD5 of its files as they were packaged, by path."""
        pairs = (line.split("  ", 1) for line in query("--control-show", self.name, "md5sums").splitlines())
        return {pathlib.Path("/", path): digest for digest, path in pairs}

    def read(self, path):
        """A file of it, which must be as it was packaged."""
        content = path.read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != self.digests.get(path):
            raise ImageError(f"{path} is not as package {self.name} brought it: reinstall that package")
        return content

    def copyright(self):
        try:
            return pathlib.Path("/usr/share/doc", self.name, "copyright").read_bytes()
        except FileNotFoundError:
            raise ImageError(f"the copyright file of {self.name} is missing here: reinstall that package") from None

    def licences(self):
        """The names that its copyright file gives to licences; none if that is not in the machine-readable form."""
        text = self.copyright().decode(errors="replace")
        if not re.match(r"Format: \S*/copyright-format/1\.0", text):
            return []
        return sorted(set(re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)))

    def paths(self):
        return [pathlib.Path(line) for line in query("--listfiles", self.name).splitlines()]


def owner(path):
    for line in query("--search", str(path)).splitlines():
        names, _, found = line.rpartition(": ")
        if found == str(path) and not names.startswith("diversion "):
            return Package(names.split(",")[0].split(":")[0])
    raise ImageError(f"{path} is of no package")


def distribution():
    """ID, NAME and so on of /etc/os-release."""
    pairs = (line.partition("=") for line in pathlib.Path("/etc/os-release").read_text().splitlines())
    return {name: value.strip('"') for name, _, value in pairs}


def go_architecture():
    """This machine's architecture as OCI has it, which is Go's name; Debian's is the same for most."""
    name = subprocess.run(["dpkg", "--print-architecture"], capture_output=True, text=True, check=True).stdout.strip()
    return {"i386": "386", "armhf": "arm", "ppc64el": "ppc64le"}.get(name, name)
