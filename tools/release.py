#!/usr/bin/env python3
"""Packs the program for people's machines. Run it through tools/toolbox.sh; make release does.

  tools/release.py PROGRAM FOLDER URL   make FOLDER: an archive with the program as a plug-in of kubectl, its manual page and
                                        completions, and qubesec.yaml, the krew manifest of that archive, which URL/ has

The same program gives the same archive, to the byte.
"""

import gzip
import hashlib
import io
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
MANIFEST = CHECKOUT / "tools" / "krew" / "qubesec.yaml"
SHELLS = ("bash", "zsh", "fish")


def said(*command):
    return subprocess.run(command, capture_output=True, check=True).stdout


def files(program):
    """What is in the archive: names, contents and modes."""
    with tempfile.TemporaryDirectory() as folder:
        stripped = pathlib.Path(folder, "program")
        subprocess.run(["strip", "-o", stripped, program], check=True)
        yield "kubectl-qubesec", stripped.read_bytes(), 0o755
    yield "LICENSE", (CHECKOUT / "LICENSE").read_bytes(), 0o644
    yield "qubesec.1", said(program, "manual"), 0o644
    for shell in SHELLS:
        yield f"completion.{shell}", said(program, "completion", shell), 0o644


def pack(program):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content, mode in files(program):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(archive.getvalue(), mtime=0)


def manifest(**values):
    text = MANIFEST.read_text().partition("\n")[2]
    for word, value in values.items():
        text, count = re.subn(rf"{word}\b", value, text)
        assert count == 1, f"{MANIFEST} has not one {word}"
    return text


def release(program, folder, url):
    version = re.match(r"qubesec (\S+)", said(program, "version").decode())[1]
    architecture = said("dpkg", "--print-architecture").decode().strip()
    content, name = pack(program), f"qubesec-{version}-linux-{architecture}.tar.gz"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / name).write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()
    words = {"VERSION": version, "ARCHITECTURE": architecture, "URL": url.rstrip("/"), "ARCHIVE": name, "SHA256": digest}
    (folder / "qubesec.yaml").write_text(manifest(**words))
    print(f"qubesec: {folder}: {name}, {len(content) / 1e6:.1f} MB, sha256 {digest}", file=sys.stderr)


def main():
    if len(sys.argv) != 4 or not sys.argv[3].startswith("https://"):
        sys.exit(__doc__)
    release(pathlib.Path(sys.argv[1]).absolute(), pathlib.Path(sys.argv[2]).absolute(), sys.argv[3])


if __name__ == "__main__":
    main()
