"""Writes an image in the form of the OCI Image Format Specification 1.1, to the byte the same from the same files.

umoci would do it, but Debian 13's (0.4.7) writes layers without the end of the archive, which tar refuses.
"""

import gzip
import hashlib
import io
import json
import tarfile

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
REPOSITORY = "docker.io/library/qubesec"  # what "qubesec" stands for in a Pod


def pack(folder, epoch):
    """A tar file of all that is in a folder: sorted, owned by root, of one time."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for path in sorted(folder.rglob("*")):
            member = tar.gettarinfo(path, path.relative_to(folder))
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = epoch
            if member.isreg():
                tar.addfile(member, io.BytesIO(path.read_bytes()))
            else:
                tar.addfile(member)
    return stream.getvalue()


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


class Layout:
    """A folder with the blobs of one image, which has some tags."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)

    def path(self, descriptor):
        return "blobs/" + descriptor["digest"].replace(":", "/")

    def add(self, media_type, content):
        """A blob; returns its descriptor."""
        content = content if isinstance(content, bytes) else json.dumps(content).encode()
        descriptor = {"mediaType": media_type, "digest": digest(content), "size": len(content)}
        (self.folder / self.path(descriptor)).write_bytes(content)
        return descriptor

    def write(self, name, document):
        (self.folder / name).write_text(json.dumps(document) + "\n")

    def tagged(self, tag):
        """The image under a tag; containerd and kind load it under the second name."""
        names = {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": f"{REPOSITORY}:{tag}"}
        return {**self.manifest, "annotations": names}

    def fill(self, root, machine, settings, tags, created, epoch):
        """The image of the folder root. settings: the config's own, as the specification names them."""
        files = pack(root, epoch)
        self.layer = self.add(LAYER, gzip.compress(files, compresslevel=6, mtime=0))
        config = self.add(
            CONFIG,
            {
                "created": created,
                "architecture": machine,
                "os": "linux",
                "config": settings,
                "rootfs": {"type": "layers", "diff_ids": [digest(files)]},
                "history": [{"created": created, "created_by": "make image"}],
            },
        )
        self.manifest = self.add(
            MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [self.layer]}
        )
        self.write("oci-layout", {"imageLayoutVersion": "1.0.0"})
        self.write("index.json", {"schemaVersion": 2, "manifests": [self.tagged(tag) for tag in tags]})
        # Not of the specification: where podman, and Docker before version 25, look.
        names = [f"{REPOSITORY.rpartition('/')[2]}:{tag}" for tag in tags]
        docker = {"Config": self.path(config), "RepoTags": names, "Layers": [self.path(self.layer)]}
        self.write("manifest.json", [docker])
