#!/usr/bin/env python3
"""Builds the container image without a container engine. Run it through tools/toolbox.sh.

  tools/image/build.py image PROGRAM FOLDER   make FOLDER: oci (an OCI layout), qubesec.tar (the same, to be loaded into
                                              Docker, podman, containerd or kind) and sbom.spdx.json
  tools/image/build.py root PROGRAM FOLDER    only the image's root, as a folder; what the Dockerfile does

PROGRAM is the built program. What starts in the image, and as whom, is what the last stage of the Dockerfile says. The
same program and packages give the same image, to the byte; its time is $SOURCE_DATE_EPOCH, else that of the last commit.
"""

import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import debian
import oci
import root as image_root
import sbom

CHECKOUT = image_root.CHECKOUT


def git(*arguments):
    """What git says of the checkout, or nothing where it cannot."""
    command = ["git", "-c", f"safe.directory={CHECKOUT}", "-C", CHECKOUT, *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""


def source_epoch():
    return int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct") or 0)


def version_of(program):
    text = subprocess.run([program, "version"], capture_output=True, text=True, check=True).stdout
    return re.match(r"qubesec (\S+)", text)[1]


def settings():
    """What the Dockerfile's last stage says, as an image's config has it."""
    text = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    found = {}
    for word, _, value in (line.partition(" ") for line in stage.splitlines()[1:]):
        match word:
            case "USER":
                found["User"] = value
            case "EXPOSE":
                found["ExposedPorts"] = {f"{port}/tcp": {} for port in value.split()}
            case "LABEL":
                found["Labels"] = dict(label.split("=", 1) for label in shlex.split(value))
            case "ENTRYPOINT" | "CMD":
                found[word.capitalize()] = json.loads(value)
            case "COPY":
                pass  # the root
            case _:
                raise debian.ImageError(f"tools/image/build.py does not know {word} in the Dockerfile's last stage")
    return found


def labels(version, created):
    """What is not the same in every image."""
    revision = git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    named = {"version": version, "created": created, "revision": revision}
    return {f"org.opencontainers.image.{name}": value for name, value in named.items() if value}


def lay(program, folder):
    """The finished root with its bill of materials."""
    root = image_root.lay(program, folder)
    sbom.add(root, version_of(program), source_epoch())
    image_root.finish(root, source_epoch())
    return root


def build(program, folder):
    root = lay(program, folder / "root")
    version, epoch = version_of(program), source_epoch()
    created = datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = settings()
    config["Labels"].update(labels(version, created))
    layout = oci.Layout(folder / "oci")
    layout.fill(root.folder, debian.go_architecture(), config, ["latest", version], created, epoch)
    (folder / "qubesec.tar").write_bytes(oci.pack(layout.folder, epoch))
    (folder / "sbom.spdx.json").write_bytes(root.inside(sbom.PATH).read_bytes())
    print(
        f"qubesec: {folder}: {layout.layer['size'] / 1e6:.1f} MB compressed, {root.size() / 1e6:.1f} MB unpacked, "
        f"{len(root.packages())} Debian packages, {layout.manifest['digest']}",
        file=sys.stderr,
    )
    shutil.rmtree(root.folder)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("image", "root"):
        sys.exit(__doc__)
    program, folder = (pathlib.Path(word).absolute() for word in sys.argv[2:])
    os.umask(0o022)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        (lay if sys.argv[1] == "root" else build)(program, folder)
    except debian.ImageError as error:
        sys.exit(f"qubesec: {error}")


if __name__ == "__main__":
    main()
