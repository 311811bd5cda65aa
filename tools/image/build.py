#!/usr/bin/env python3
"""Builds the container image without a container engine. Run it through tools/toolbox.sh.

  tools/image/build.py image PROGRAM FOLDER   make FOLDER: oci (an OCI layout), qubesec.tar (the same to load into Docker,
                                              podman, containerd or kind) and sbom.spdx.json
  tools/image/build.py root PROGRAM FOLDER    only the image's root, as a folder; what the Dockerfile uses

PROGRAM is the built program. What starts in the image, as whom, is what the last stage of the Dockerfile says. The same
program and packages give the same image, to the byte; its time is $SOURCE_DATE_EPOCH, else that of the last commit.
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
import tarfile

import debian
import root as image_root
import sbom

CHECKOUT = image_root.CHECKOUT
REPOSITORY = "docker.io/library/qubesec"  # what "qubesec" stands for in a Pod


def git(*arguments):
    """What git says of the checkout, or nothing where there is none."""
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


def instructions():
    """Those of the Dockerfile's last stage: pairs of a word and its arguments."""
    text = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
    stage = re.split(r"^FROM ", text, flags=re.MULTILINE)[-1]
    return [line.split(None, 1) for line in stage.splitlines()[1:] if line.strip() and not line.startswith("#")]


def configuration():
    """umoci's flags for what the Dockerfile says."""
    for word, text in instructions():
        match word:
            case "USER":
                yield f"--config.user={text}"
            case "EXPOSE":
                yield from (f"--config.exposedports={port}/tcp" for port in text.split())
            case "LABEL":
                yield from (f"--config.label={label}" for label in shlex.split(text))
            case "ENTRYPOINT" | "CMD":
                yield from (f"--config.{word.lower()}={argument}" for argument in json.loads(text))
            case "COPY":
                pass  # the root
            case _:
                raise debian.ImageError(f"the Dockerfile's last stage has {word}, which tools/image/build.py does not know")


def labels(version, created):
    revision = git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    named = {"version": version, "created": created, "revision": revision}
    return [f"--config.label=org.opencontainers.image.{name}={value}" for name, value in named.items() if value]


def umoci(*arguments):
    done = subprocess.run(["umoci", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise debian.ImageError(f"umoci {arguments[0]}: {done.stdout}{done.stderr}")


def pack(root, layout, version, epoch):
    """Makes an OCI layout of the root, with the tags latest and version."""
    created = datetime.datetime.fromtimestamp(epoch, datetime.UTC).isoformat()
    image = f"--image={layout}:latest"
    mapping = [] if os.geteuid() == 0 else ["--rootless"]
    umoci("init", f"--layout={layout}")
    umoci("new", image)
    umoci("insert", image, *mapping, f"--history.created={created}", "--history.created_by=make image", root.folder, "/")
    umoci("config", image, "--no-history", f"--created={created}", *configuration(), *labels(version, created))
    umoci("tag", image, version)
    umoci("gc", f"--layout={layout}")


def read_blob(layout, descriptor):
    return json.loads((layout / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).read_text())


def name_images(layout):
    """Says under which names the images are to be loaded: containerd and kind read them in the index, Docker and podman
    in the file that `docker save` writes, which is returned."""
    index = json.loads((layout / "index.json").read_text())
    for entry in index["manifests"]:
        tag = entry["annotations"]["org.opencontainers.image.ref.name"]
        entry["annotations"]["io.containerd.image.name"] = f"{REPOSITORY}:{tag}"
    (layout / "index.json").write_text(json.dumps(index))
    names = [entry["annotations"]["io.containerd.image.name"] for entry in index["manifests"]]
    manifest = read_blob(layout, index["manifests"][0])
    config, *layers = [
        f"blobs/sha256/{one['digest'].removeprefix('sha256:')}" for one in (manifest["config"], *manifest["layers"])
    ]
    names = [name.removeprefix("docker.io/library/") for name in names]
    return json.dumps([{"Config": config, "RepoTags": names, "Layers": layers}])


def archive(layout, docker_manifest, file, epoch):
    (layout.parent / "manifest.json").write_text(docker_manifest)

    def same(member):
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = epoch
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    with tarfile.open(file, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(layout.rglob("*")):
            tar.add(path, path.relative_to(layout), recursive=False, filter=same)
        tar.add(layout.parent / "manifest.json", "manifest.json", filter=same)
    (layout.parent / "manifest.json").unlink()


def lay(program, folder):
    """The finished root with its bill of materials."""
    version, epoch = version_of(program), source_epoch()
    root = image_root.lay(program, folder)
    sbom.add(root, version, epoch)
    image_root.finish(root, epoch)
    return root, version, epoch


def report(root, layout):
    index = json.loads((layout / "index.json").read_text())
    compressed = sum(layer["size"] for layer in read_blob(layout, index["manifests"][0])["layers"])
    unpacked = sum(path.lstat().st_size for path in root.folder.rglob("*") if path.is_file() and not path.is_symlink())
    print(
        f"qubesec: {layout.parent}: {compressed / 1e6:.1f} MB compressed, {unpacked / 1e6:.1f} MB unpacked, "
        f"{len(root.packages())} Debian packages, {index['manifests'][0]['digest']}",
        file=sys.stderr,
    )


def build_image(program, folder):
    root, version, epoch = lay(program, folder / "root")
    layout = folder / "oci"
    pack(root, layout, version, epoch)
    archive(layout, name_images(layout), folder / "qubesec.tar", epoch)
    shutil.copy(root.inside(pathlib.Path(sbom.PATH)), folder / "sbom.spdx.json")
    report(root, layout)
    shutil.rmtree(root.folder)


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("image", "root"):
        sys.exit(__doc__)
    program, folder = (pathlib.Path(word).absolute() for word in sys.argv[2:])
    os.umask(0o022)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        if sys.argv[1] == "root":
            lay(program, folder)
        else:
            build_image(program, folder)
    except debian.ImageError as error:
        sys.exit(f"qubesec: {error}")


if __name__ == "__main__":
    main()
