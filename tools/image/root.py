"""The image's root as a folder: the program, the libraries that it is linked with, and the few files that those read.

All of it comes from the packages that are installed here, the ones that the program was built and tested with, and is
checked against their checksums. There is no shell, no package manager and no second program.
"""

import os
import pathlib
import re
import subprocess
import sysconfig

import debian

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = pathlib.Path("/usr/bin/qubesec")
DOCUMENTS = pathlib.Path("/usr/share/doc")
LIBRARIES = pathlib.Path("/usr/lib", sysconfig.get_config_var("MULTIARCH"))
ZONES = pathlib.Path("/usr/share/zoneinfo")
NO_ZONES = {"localtime", "posixrules", "right"}  # of the machine, of old libraries, and with leap seconds
LOADED_BY_GLIBC = "libgcc_s.so.1"  # when it has to end a thread; no program names it
USER = 65532

OWN_FILES = {
    "/etc/passwd": f"qubesec:x:{USER}:{USER}::/:/nonexistent\n",
    "/etc/group": f"qubesec:x:{USER}:\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
}


class Root:
    def __init__(self, folder):
        self.folder = folder
        self.owners = {}  # path of each file in the image -> its package; None: QubeSec's own
        self.direct = set()  # the packages of the libraries that the program itself names

    def inside(self, path):
        return self.folder / pathlib.Path(path).relative_to("/")

    def size(self):
        """Bytes of all files."""
        return sum(self.inside(path).stat().st_size for path in self.owners)

    def packages(self):
        return sorted({package for package in self.owners.values() if package})

    def write(self, path, content, package=None, mode=0o644):
        path = pathlib.Path(path)
        target = self.inside(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode)
        self.owners[path] = package

    def link(self, path, target):
        self.inside(path).parent.mkdir(parents=True, exist_ok=True)
        self.inside(path).symlink_to(target)

    def copy(self, path):
        """A packaged file, or a link with the file behind it. Returns the package."""
        path = path.parent.resolve() / path.name  # as dpkg has it: /usr/lib64, not /lib64
        if path.is_symlink():
            if not self.inside(path).is_symlink():
                self.link(path, path.readlink())
            return self.copy(path.parent / path.readlink())
        package = debian.owner(path)
        if path not in self.owners:
            self.write(path, package.read(path), package, 0o755 if os.access(path, os.X_OK) else 0o644)
        return package


def add_program(root, program):
    target = root.inside(PROGRAM)
    target.parent.mkdir(parents=True)
    subprocess.run(["strip", "-o", target, program], check=True)
    root.write(PROGRAM, target.read_bytes(), mode=0o755)
    root.write(DOCUMENTS / "qubesec" / "copyright", (CHECKOUT / "LICENSE").read_bytes())


def has_openssl_fix(version):
    """Whether a package of that version has the fix of CVE-2026-31789, as check_openssl_is_fixed in src/check has it."""
    number = tuple(int(word) for word in re.match(r"(?:\d+:)?(\d+)\.(\d+)\.(\d+)", version).groups())
    return (3, 5, 6) <= number < (3, 6) or number >= (3, 6, 2)


def check_openssl(package):
    version = package.fields["Version"]
    if not has_openssl_fix(version):
        raise debian.ImageError(
            f"{package.name} {version} is without the fix of CVE-2026-31789: an image takes OpenSSL 3.5.6, 3.6.2 or later; "
            "upgrade it, or have the toolbox laid anew (docs/image.md)"
        )


def read_elf(path):
    """The libraries that a program or library names, and its dynamic linker."""
    command = ["readelf", "--wide", "--dynamic", "--program-headers", path]
    text = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
    ).stdout
    return re.findall(r"\(NEEDED\).*\[(.+)\]", text), re.findall(r"program interpreter: (.+)\]", text)


def add_libraries(root, program):
    named, linkers = read_elf(program)
    root.direct = {debian.owner((LIBRARIES / name).resolve()) for name in named}
    unlisted = {package.name for package in root.direct} - debian.listed("runtime")
    if unlisted:
        raise debian.ImageError(f"tools/packages.txt does not list these for runtime: {', '.join(sorted(unlisted))}")
    for linker in map(pathlib.Path, linkers):
        root.copy(linker)
        root.link(pathlib.Path("/", linker.parts[1]), pathlib.Path("usr", linker.parts[1]))
    check_openssl(debian.owner((LIBRARIES / "libssl.so.3").resolve()))
    seen, todo = set(), [*named, LOADED_BY_GLIBC]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            root.copy(LIBRARIES / name)
            todo += read_elf(LIBRARIES / name)[0]


def add_authorities(root):
    """The public authorities in one file, as update-ca-certificates writes it; this machine's own are left out."""
    package = debian.Package("ca-certificates")
    paths = sorted(path for path in package.paths() if path.suffix == ".crt" and path.is_file())
    text = b"".join(package.read(path).rstrip(b"\n") + b"\n" for path in paths)
    root.write("/etc/ssl/certs/ca-certificates.crt", text, package)


def is_zone(path):
    inside = path.is_relative_to(ZONES) and path != ZONES and path.relative_to(ZONES).parts[0] not in NO_ZONES
    return inside and path.is_file() and path.read_bytes().startswith(b"TZif")


def add_time_zones(root):
    """All that Debian's tzdata has, without the tables beside them."""
    package = debian.Package("tzdata")
    for path in sorted(filter(is_zone, package.paths())):
        if path.is_symlink():
            root.link(path, path.readlink())
        else:
            root.write(path, package.read(path), package)


def add_distribution(root):
    """What it is made of, in the places where people, lawyers and scanners look for it."""
    root.copy(pathlib.Path("/etc/os-release"))
    for path in sorted(pathlib.Path(debian.LICENCES).iterdir()):
        root.copy(path)
    for package in root.packages():
        root.write(DOCUMENTS / package.name / "copyright", package.copyright(), package)
        root.write(f"/var/lib/dpkg/status.d/{package.name}", package.stanza.encode())


def lay(program, folder):
    root = Root(folder)
    add_program(root, program)
    add_libraries(root, program)
    add_authorities(root)
    add_time_zones(root)
    for path, text in OWN_FILES.items():
        root.write(path, text.encode())
    add_distribution(root)
    return root


def finish(root, epoch):
    """The same modes and times in every build."""
    for path in [root.folder, *root.folder.rglob("*")]:
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
        os.utime(path, (epoch, epoch), follow_symlinks=False)
