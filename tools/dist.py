#!/usr/bin/env python3
"""Writes what an installation is made from and what follows from other files: make dist.

  tools/dist.py           write it
  tools/dist.py --check   only say what is not up to date, and fail if anything is

- config/crd and the tables of fields in docs/resources, from the tables of fields that the decoders read by;
- the version of CMakeLists.txt, as the tag of the image in config/manager and as the version of the chart;
- charts/qubesec/files: the manifests of config that the chart takes as they are, since helm packages no file that is
  outside of the chart;
- dist/install.yaml: config/default, rendered by kubectl.
"""

import pathlib
import re
import subprocess
import sys

from crd import make, pages

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
CONFIG = CHECKOUT / "config"
CHART = CHECKOUT / "charts" / "qubesec"
COPIES = CHART / "files"
INSTALL = CHECKOUT / "dist" / "install.yaml"
# What the chart has templates of its own for, or leaves to `helm install --create-namespace`.
COPIED = (
    "crd/*.yaml", "rbac/*.yaml", "webhook/*.yaml", "policies/*/*.yaml", "manager/metrics_service.yaml",
    "components/monitoring/*.yaml", "monitoring/*.yaml", "monitoring/dashboard.json",
)  # fmt: skip
NOT_COPIED = {"kustomization.yaml", "namespace.yaml"}

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
    return make.definitions(tables) | pages.pages(tables)


def copies():
    found = sorted(path for pattern in COPIED for path in CONFIG.glob(pattern) if path.name not in NOT_COPIED)
    return {COPIES / path.relative_to(CONFIG): path.read_text() for path in found}


def install():
    where = [CHECKOUT / "tools" / "controlplane.sh", "bin"]
    programs = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    render = [f"{programs}/kubectl", "kustomize", CONFIG / "default"]
    rendered = subprocess.run(render, capture_output=True, text=True, check=True).stdout
    return {INSTALL: HEADER.format(version=version()) + rendered}


def stale(wanted):
    """The files that are not as they should be."""
    return [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]


def left_over(wanted):
    """Copies of what is no longer there."""
    return [path for path in COPIES.rglob("*") if path.is_file() and path not in wanted]


def write(wanted):
    for path in stale(wanted):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path])
        print(f"wrote {path.relative_to(CHECKOUT)}")


def main():
    match sys.argv[1:]:
        case []:
            write(stamps() | from_tables())  # first, since what is rendered holds them
            write(copies() | install())
            for path in left_over(copies()):
                path.unlink()
                print(f"removed {path.relative_to(CHECKOUT)}")
        case ["--check"]:
            files = copies()
            wrong = stale(stamps() | from_tables() | files | install()) + left_over(files)
            if wrong:
                sys.exit("run make dist; not up to date: " + ", ".join(str(path.relative_to(CHECKOUT)) for path in wrong))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
