#!/usr/bin/env python3
"""Writes what follows from other files, and what an installation is made from: make dist.

  tools/dist.py                 write it
  tools/dist.py --check         only say what is not up to date in the repository, and fail if anything is
  tools/dist.py --install FILE  only write config/default, rendered by kubectl, there

- config/crd and the tables of fields in docs/resources, from the tables of fields that the decoders read by;
- the version of CMakeLists.txt, as the tag of the image in config/manager and as the version of the chart;
- dist/install.yaml, which is no part of the repository: config/default in one file.

The chart needs nothing: what it takes as it is from config are links in charts/qubesec/files, which helm follows.
"""

import pathlib
import re
import subprocess
import sys

from crd import make, names, pages

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
CONFIG = CHECKOUT / "config"
CHART = CHECKOUT / "charts" / "qubesec"
INSTALL = CHECKOUT / "dist" / "install.yaml"
HEADER = """\
# QubeSec {version}, made from config/default by make dist. Set the image before you apply it, as docs/install.md says.
"""


def version():
    return re.search(r"project\(qubesec VERSION (\S+)", (CHECKOUT / "CMakeLists.txt").read_text())[1]


def stamped(path, *fields):
    """The file's text, with the version as the value of these fields."""
    text, number = path.read_text(), version()
    for field in fields:
        text, count = re.subn(rf"(?m)^( *{field}: ).*$", rf"\g<1>{number}", text)
        assert count == 1, f"{path} has not one {field}"
    return text


def stamps():
    manager, chart = CONFIG / "manager" / "kustomization.yaml", CHART / "Chart.yaml"
    return {manager: stamped(manager, "newTag"), chart: stamped(chart, "version", "appVersion")}


def from_tables():
    tables = make.read_tables()
    return make.definitions(tables) | pages.pages(tables) | names.name_references(tables)


def install(path):
    where = [CHECKOUT / "tools" / "controlplane.sh", "bin"]
    programs = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    render = [f"{programs}/kubectl", "kustomize", CONFIG / "default"]
    rendered = subprocess.run(render, capture_output=True, text=True, check=True).stdout
    return {path: HEADER.format(version=version()) + rendered}


def stale(wanted):
    """The files that are not as they should be."""
    return [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]


def write(wanted):
    for path in stale(wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path}")


def main():
    match sys.argv[1:]:
        case []:
            write(stamps() | from_tables())  # first, since what is rendered holds them
            write(install(INSTALL))
        case ["--check"]:
            wrong = stale(stamps() | from_tables())
            if wrong:
                sys.exit("run make dist; not up to date: " + ", ".join(str(path.relative_to(CHECKOUT)) for path in wrong))
        case ["--install", path]:
            write(install(pathlib.Path(path)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
