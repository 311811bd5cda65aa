"""The container image that `make image` has built: what is in it, what it says of itself, and that the operator works
from nothing else, confined as in a Pod."""

import dataclasses
import gzip
import hashlib
import importlib
import io
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import types
import urllib.parse

import pytest
import yaml
from api import QVS
from fixtures import CHECKOUT

FOLDER = CHECKOUT / ".local" / "image"
LAYOUT = FOLDER / "oci"
BUILDER = CHECKOUT / "tools" / "image" / "build.py"
SBOM = "usr/share/doc/qubesec/sbom.spdx.json"
SAMPLES = CHECKOUT / "config" / "samples"
POD = yaml.safe_load((CHECKOUT / "config" / "manager" / "deployment.yaml").read_text())["spec"]["template"]["spec"]
USER = POD["securityContext"]["runAsUser"]
EPOCH = 1_700_000_000
COMPRESSED_MAX, UNPACKED_MAX = 16_000_000, 40_000_000  # bytes; docs/image.md promises them


def read_blob(descriptor, layout=LAYOUT):
    """A blob, which must be what its descriptor says."""
    content = (layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes()
    assert descriptor["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert descriptor["size"] == len(content)
    return content


@dataclasses.dataclass
class Image:
    index: dict
    manifest: dict
    config: dict
    layer: bytes  # the tar file
    bundle: pathlib.Path  # unpacked by umoci

    @property
    def root(self):
        return self.bundle / "rootfs"

    def paths(self):
        """All that is in it, by its path."""
        return {str(path.relative_to(self.root)): path for path in self.root.rglob("*")}

    def files(self):
        return {name: path for name, path in self.paths().items() if stat.S_ISREG(path.lstat().st_mode)}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    assert LAYOUT.exists(), "make image"
    index = json.loads((LAYOUT / "index.json").read_text())
    manifest = json.loads(read_blob(index["manifests"][0]))
    bundle = tmp_path_factory.mktemp("image") / "bundle"
    rootless = [] if os.geteuid() == 0 else ["--rootless"]
    subprocess.run(["umoci", "unpack", *rootless, "--image", f"{LAYOUT}:latest", bundle], check=True)
    [layer] = manifest["layers"]
    return Image(index, manifest, json.loads(read_blob(manifest["config"])), gzip.decompress(read_blob(layer)), bundle)


@pytest.fixture(scope="module")
def sbom(image):
    return json.loads((image.root / SBOM).read_text())


# The form


def test_the_layout_is_whole(image):
    assert json.loads((LAYOUT / "oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    version = image.config["config"]["Labels"]["org.opencontainers.image.version"]
    tags = {one["annotations"]["org.opencontainers.image.ref.name"]: one["digest"] for one in image.index["manifests"]}
    assert set(tags) == {"latest", version} and len(set(tags.values())) == 1
    assert image.config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(image.layer).hexdigest()]
    blobs = {path.name for path in (LAYOUT / "blobs" / "sha256").iterdir()}
    named = [image.index["manifests"][0], image.manifest["config"], *image.manifest["layers"]]
    assert blobs == {one["digest"].removeprefix("sha256:") for one in named}


def test_the_archive_holds_the_layout(image):
    """Also under the names that a Pod with the image "qubesec" asks for."""
    with tarfile.open(FOLDER / "qubesec.tar") as archive:
        members = {one.name: archive.extractfile(one).read() for one in archive.getmembers() if one.isfile()}
    assert members == {
        str(path.relative_to(LAYOUT)): path.read_bytes() for path in LAYOUT.rglob("*") if path.is_file()
    }
    [docker] = json.loads(members["manifest.json"])
    assert hashlib.sha256(members[docker["Config"]]).hexdigest() in docker["Config"]
    assert docker["Layers"] == [f"blobs/{one['digest'].replace(':', '/')}" for one in image.manifest["layers"]]
    assert [one["annotations"]["io.containerd.image.name"] for one in image.index["manifests"]] == [
        f"docker.io/library/{name}" for name in docker["RepoTags"]
    ]


def test_it_starts_as_the_deployment_wants(image):
    """kubelet takes a number only for a user that is not root."""
    config = image.config["config"]
    [container] = POD["containers"]
    assert config["User"] == f"{USER}:{POD['securityContext']['runAsGroup']}"
    assert config["Entrypoint"] == ["/usr/bin/qubesec"] and config["Cmd"] == container["args"][:1]
    assert {f"{port['containerPort']}/tcp" for port in container["ports"]} <= set(config["ExposedPorts"])


def test_an_overlay_chooses_another_image(cluster, tmp_path):
    """What docs/image.md tells to do, and what `kustomize edit set image` writes."""
    digest = "sha256:" + "0" * 64
    overlay = {
        "resources": [os.path.relpath(CHECKOUT / "config" / "default", tmp_path)],
        "images": [{"name": "qubesec", "newName": "registry.example.com/team/qubesec", "digest": digest}],
    }
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    things = yaml.safe_load_all(cluster.kubectl("kustomize", str(tmp_path)))
    [deployment] = [one for one in things if one["kind"] == "Deployment"]
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"registry.example.com/team/qubesec@{digest}"


def build(program, folder, **environment):
    command = [sys.executable, BUILDER, "image", program, folder]
    subprocess.run(command, check=True, env={**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), **environment})
    return (folder / "qubesec.tar").read_bytes()


def test_the_same_again_is_the_same_to_the_byte(operators, tmp_path):
    again = tmp_path / "elsewhere" / "qubesec"
    again.parent.mkdir()
    shutil.copyfile(operators.binary, again)
    again.chmod(0o700)
    first = build(operators.binary, tmp_path / "first", TZ="Pacific/Auckland", LC_ALL="C")
    assert build(again, tmp_path / "second", TZ="UTC") == first
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        assert {one.mtime for one in archive} == {EPOCH}


def test_the_dockerfile_uses_the_one_list_of_packages():
    text = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ")
    [install] = re.findall(r"apt-get install (.*)", text)
    lists = re.findall(r"\$\(tools/toolbox\.sh packages (\w+)\)", install)
    assert sorted(lists) == ["build", "runtime"]
    rest = re.sub(r"\$\([^)]*\)", "", install).split()
    assert all(word.startswith("--") for word in rest), "only flags are left"
    assert f"{BUILDER.relative_to(CHECKOUT)} root " in text, "and fills the image as make image does"


# What is in it


def test_it_is_small(image):
    assert image.manifest["layers"][0]["size"] <= COMPRESSED_MAX
    assert sum(path.stat().st_size for path in image.files().values()) <= UNPACKED_MAX


def test_there_is_one_program_and_nothing_to_gain(image):
    """No shell, no package manager, no setuid, nothing that the operator's user could write."""
    programs = {name for name in image.paths() if re.match(r"(usr/)?(local/)?(s?bin|libexec)/", name)}
    assert programs == {"usr/bin/qubesec"}
    with tarfile.open(fileobj=io.BytesIO(image.layer)) as layer:
        for member in layer:
            assert (member.uid, member.gid) == (0, 0), member.name
            assert member.isreg() or member.isdir() or member.issym(), f"{member.name} is of an odd type"
            assert member.issym() or member.mode & ~0o755 == 0, f"{member.name}: {member.mode:o}"
            assert not [key for key in member.pax_headers if key.startswith("SCHILY.xattr")], member.name
            inherent = member.isdir() or re.search(r"/qubesec$|/lib[^/]*/.*\.so\.", member.name)
            assert member.issym() or member.mode & 0o111 == 0 or inherent, f"{member.name} may be executed"


def test_links_stay_inside(image):
    for name, path in image.paths().items():
        if path.is_symlink():
            assert path.resolve().is_relative_to(image.root) and path.exists(), name


def test_the_authorities_are_debians_alone(image):
    """Not those that this machine trusts besides."""
    mozilla = pathlib.Path("/usr/share/ca-certificates/mozilla")
    bundle = (image.root / "etc/ssl/certs/ca-certificates.crt").read_text()
    assert sorted(re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----", bundle, re.DOTALL)) == sorted(
        path.read_text().strip() for path in mozilla.glob("*.crt")
    )


def test_the_time_zones_are_debians_alone(image):
    """All of them, and nothing else: not this machine's own, none with leap seconds, no tables."""
    folder = image.root / "usr/share/zoneinfo"
    files = {path for path in folder.rglob("*") if not path.is_dir()}
    assert all(path.read_bytes().startswith(b"TZif") for path in files)
    names = {str(path.relative_to(folder)) for path in files}
    table = pathlib.Path("/usr/share/zoneinfo/zone.tab").read_text()
    assert names > {"UTC", *re.findall(r"^[A-Z]{2}\t\S+\t([^\s]+)", table, re.MULTILINE)}
    assert not [name for name in names if name.startswith("right/")] and "localtime" not in names


# What it says of itself


def test_the_bill_of_materials_is_spdx(sbom):
    """The fields that SPDX 2.3 requires, and only references to what there is."""
    assert sbom["spdxVersion"] == "SPDX-2.3" and sbom["dataLicense"] == "CC0-1.0" and sbom["name"]
    assert sbom["SPDXID"] == "SPDXRef-DOCUMENT" and sbom["documentNamespace"].startswith("https://")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", sbom["creationInfo"]["created"])
    assert all(re.match(r"(Tool|Organization): ", one) for one in sbom["creationInfo"]["creators"])
    things = [sbom, *sbom["packages"], *sbom["files"]]
    identifiers = {thing["SPDXID"] for thing in things}
    assert len(identifiers) == len(things)
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", one) for one in identifiers)
    for package in sbom["packages"]:
        assert {"name", "versionInfo", "downloadLocation", "supplier", "licenseDeclared"} <= set(package)
        assert not package["filesAnalyzed"] or package["packageVerificationCode"]["packageVerificationCodeValue"]
    for file in sbom["files"]:
        assert {one["algorithm"] for one in file["checksums"]} >= {"SHA1", "SHA256"}
    for relation in sbom["relationships"]:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= identifiers
    used = set(re.findall(r"LicenseRef-[A-Za-z0-9.-]+", " ".join(one["licenseDeclared"] for one in sbom["packages"])))
    assert used == {one["licenseId"] for one in sbom["hasExtractedLicensingInfos"]}
    assert all(one["extractedText"] for one in sbom["hasExtractedLicensingInfos"])


def test_every_file_is_in_the_bill_of_materials(image, sbom):
    assert (FOLDER / "sbom.spdx.json").read_bytes() == (image.root / SBOM).read_bytes()
    listed = {file["fileName"].removeprefix("./"): file for file in sbom["files"]}
    files = image.files()
    assert set(listed) == set(files) - {SBOM}
    for name, file in listed.items():
        sums = {one["algorithm"]: one["checksumValue"] for one in file["checksums"]}
        assert sums["SHA256"] == hashlib.sha256(files[name].read_bytes()).hexdigest(), name


def owners(sbom):
    """The package of each file, by the file's path."""
    packages = {one["SPDXID"]: one for one in sbom["packages"]}
    files = {one["SPDXID"]: one["fileName"].removeprefix("./") for one in sbom["files"]}
    return {
        files[one["relatedSpdxElement"]]: packages[one["spdxElementId"]]
        for one in sbom["relationships"]
        if one["relationshipType"] == "CONTAINS" and one["relatedSpdxElement"] in files
    }


def purl(package):
    """The package URL's path and what it says besides."""
    [reference] = package["externalRefs"]
    assert (reference["referenceCategory"], reference["referenceType"]) == ("PACKAGE-MANAGER", "purl")
    parts = urllib.parse.urlsplit(reference["referenceLocator"])
    assert parts.scheme == "pkg"
    return urllib.parse.unquote(parts.path), dict(urllib.parse.parse_qsl(parts.query))


def test_every_library_is_of_a_listed_package(image, sbom):
    """dpkg, asked here anew, names the same package in the same version."""
    owned = owners(sbom)
    binaries = {name for name, path in image.files().items() if path.read_bytes().startswith(b"\x7fELF")}
    assert owned["usr/bin/qubesec"]["name"] == "qubesec"
    libraries = binaries - {"usr/bin/qubesec"}
    assert len(libraries) > 20
    for name in libraries:
        package = owned[name]
        said = subprocess.run(["dpkg-query", "--search", f"/{name}"], capture_output=True, text=True, check=True).stdout
        assert said.startswith(f"{package['name']}:"), name
        show = ["dpkg-query", "--show", "--showformat=${Version} ${Architecture}", package["name"]]
        version, architecture = subprocess.run(show, capture_output=True, text=True, check=True).stdout.split()
        assert version == package["versionInfo"]
        path, more = purl(package)
        assert re.fullmatch(r"deb/\w+/" + re.escape(f"{package['name']}@{version}"), path)
        assert more["arch"] == architecture


def test_an_image_takes_no_openssl_without_the_fix(image, monkeypatch):
    monkeypatch.syspath_prepend(str(BUILDER.parent))
    rules = importlib.import_module("root")
    versions = {
        "3.5.5-1~deb13u2": False, "3.5.6-1~deb13u1": True, "3.5.9-1~deb13u1": True, "3.6.1-3": False, "3.6.2-1": True,
        "1:3.5.10-1": True, "4.0.0-1": True,
    }  # fmt: skip
    assert {version: rules.has_openssl_fix(version) for version in versions} == versions
    old = types.SimpleNamespace(name="libssl3t64", fields={"Version": "3.5.5-1~deb13u2"})
    with pytest.raises(Exception, match="libssl3t64 3.5.5-1~deb13u2 is without the fix of CVE-2026-31789"):
        rules.check_openssl(old)
    stanza = (image.root / "var/lib/dpkg/status.d/libssl3t64").read_text()
    assert rules.has_openssl_fix(re.search(r"^Version: (\S+)", stanza, re.MULTILINE)[1])


def test_scanners_and_lawyers_find_the_same_packages(image, sbom):
    """dpkg's record in the form that scanners read, and a copyright file for each."""
    packages = {one["name"]: one for one in sbom["packages"] if "externalRefs" in one}
    debian = {name for name, package in packages.items() if purl(package)[0].startswith("deb/")}
    status = image.root / "var/lib/dpkg/status.d"
    assert {path.name for path in status.iterdir()} == debian
    for name in debian:
        assert f"\nVersion: {packages[name]['versionInfo']}\n" in (status / name).read_text()
    documents = image.root / "usr/share/doc"
    assert {path.parent.name for path in documents.glob("*/copyright")} == {*debian, "qubesec"}
    texts = "".join(path.read_text(errors="replace") for path in documents.glob("*/copyright"))
    named = set(re.findall(r"/usr/share/common-licenses/([A-Z][A-Za-z0-9.-]*\w)", texts))
    assert named and all((image.root / "usr/share/common-licenses" / one).exists() for one in named)


# That it works


@pytest.fixture
def container(image, cluster, operators, tmp_path):
    """The operator, started from the image's root as kubelet would: its service account mounted, and nothing else."""
    if os.geteuid() != 0:
        pytest.skip("starts the operator as another user, in another root")
    bundle = tmp_path / "bundle"
    shutil.copytree(image.bundle, bundle, symlinks=True)
    kubeconfig = json.loads(cluster.operator_config.read_text())
    api_server = kubeconfig["clusters"][0]["cluster"]
    mount = bundle / "rootfs/var/run/secrets/kubernetes.io/serviceaccount"
    mount.mkdir(parents=True)
    for name, content in {
        "ca.crt": pathlib.Path(api_server["certificate-authority"]).read_text(),
        "token": pathlib.Path(kubeconfig["users"][0]["user"]["tokenFile"]).read_text(),
        "namespace": "qubesec-system",
    }.items():
        (mount / name).write_text(content)
        (mount / name).chmod(0o440)
        os.chown(mount / name, 0, USER)  # as a projected volume has it for a Pod with a group of its own
    spec = json.loads((bundle / "config.json").read_text())
    assert spec["process"]["user"] | {"additionalGids": []} == {"uid": USER, "gid": USER, "additionalGids": []}
    address = urllib.parse.urlsplit(api_server["server"])
    spec["process"]["args"] += ["--bind-address", "127.0.0.1:0", "--log-level", "debug"]
    spec["process"]["env"] += [
        f"KUBERNETES_SERVICE_HOST={address.hostname}",
        f"KUBERNETES_SERVICE_PORT={address.port}",
        "POD_NAMESPACE=qubesec-system",
        "POD_NAME=qubesec-operator-0",
    ]
    (bundle / "config.json").write_text(json.dumps(spec))
    operators.spawn([sys.executable, pathlib.Path(__file__).with_name("confine.py"), bundle]).wait_ready()
    yield operators.current
    operators.stop()


@pytest.mark.parametrize("sample", ["key-exchange.yaml", "complete-workflow.yaml"])
def test_a_sample_succeeds(api, container, namespace, sample):
    things = list(yaml.safe_load_all((SAMPLES / sample).read_text()))
    for one in things:
        one["metadata"]["namespace"] = namespace
        api.create(one)
    for one in things:
        api.wait_status(one["kind"], namespace, one["metadata"]["name"], "Valid" if one["kind"] == QVS else "Success")


def test_the_process_has_nothing_else(image, container):
    """Its user and no other, no privilege, no file that it may write, and its libraries come from the image."""
    process = pathlib.Path("/proc", str(container.pid))
    status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines() if ":\t" in line)
    assert status["Uid"].split() == status["Gid"].split() == [str(USER)] * 4 and not status["Groups"].split()
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert status["NoNewPrivs"] == "1"
    mounts = [line.split() for line in (process / "mountinfo").read_text().splitlines()]
    [root] = [fields for fields in mounts if fields[4] == "/"]
    assert "ro" in root[5].split(",")
    inside = process / "root"
    files = {(inside / name).lstat().st_ino: name.rpartition("/")[2] for name in image.files()}
    mappings = [line.split(None, 5) for line in (process / "maps").read_text().splitlines()]
    mapped = {int(fields[4]): fields[5].rpartition("/")[2] for fields in mappings if int(fields[4]) != 0}
    assert mapped.items() <= files.items()
    assert {"qubesec", "libc.so.6", "libcrypto.so.3"} <= set(mapped.values())


def test_no_path_is_writable(image, container):
    """Even if its root were not mounted read-only."""
    root = pathlib.Path("/proc", str(container.pid), "root")
    for path in [root, *root.rglob("*")]:
        facts = path.lstat()
        if not stat.S_ISLNK(facts.st_mode):
            assert facts.st_uid != USER and facts.st_mode & 0o022 == 0, path
