"""The software bill of materials: SPDX 2.3 in JSON, https://spdx.github.io/spdx-spec/v2.3/."""

import datetime
import hashlib
import json
import re
import urllib.parse

import debian
from root import PROGRAM

PATH = "/usr/share/doc/qubesec/sbom.spdx.json"
UNKNOWN = "NOASSERTION"

# Debian's names of licences that are SPDX's, in any case, and those that SPDX calls otherwise.
SPDX_NAMES = (
    "0BSD Apache-2.0 Beerware BSD-2-Clause BSD-3-Clause BSD-3-Clause-Attribution BSD-4-Clause-UC BSL-1.0 curl FSFAP "
    "FSFUL FSFULLR ISC Latex2e MIT MPL-1.1 MPL-2.0 OLDAP-2.8 Unicode-DFS-2016 X11 Zlib"
).split()
OTHER_NAMES = {"apache-2": "Apache-2.0", "bsd3": "BSD-3-Clause", "expat": "MIT", "openldap-2.8": "OLDAP-2.8"}
KNOWN = {**{name.lower(): name for name in SPDX_NAMES}, **OTHER_NAMES}


def spdx_name(licence):
    """SPDX's name of one licence, or None."""
    gnu = re.fullmatch(r"(GPL|LGPL|GFDL)-(\d)(\.\d)?(\+?)", licence, re.IGNORECASE)
    if gnu:
        return f"{gnu[1].upper()}-{gnu[2]}{gnu[3] or '.0'}-{'or-later' if gnu[4] else 'only'}"
    return KNOWN.get(licence.lower())


def reference(licence):
    """A name of the document's own, for a licence that SPDX has none for."""
    return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.]+", "-", licence.replace("+", "-or-later")).strip("-")


def alternatives(package):
    """What holds for a package all at once: lists of licences, of each of which one may be chosen."""
    terms = [term for name in package.licences() for term in re.split(r",? and |, ", name)]
    return sorted({tuple(term.split(" or ")) for term in terms})


def declared(package):
    """What its copyright file says, for all of its source."""
    groups = [[spdx_name(name) or reference(name) for name in choice] for choice in alternatives(package)]
    terms = sorted({f"({' OR '.join(names)})" if len(names) > 1 else names[0] for names in groups})
    return " AND ".join(terms) or UNKNOWN


def identifier(*words):
    # GMT+1 and GMT-1 are two files.
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", "-".join(words).replace("+", "plus"))


def checksums(content):
    return [
        {"algorithm": "SHA1", "checksumValue": hashlib.sha1(content, usedforsecurity=False).hexdigest()},
        {"algorithm": "SHA256", "checksumValue": hashlib.sha256(content).hexdigest()},
    ]


def package_entry(name, version, purpose, **more):
    return {
        "SPDXID": identifier("Package", name),
        "name": name,
        "versionInfo": version,
        "primaryPackagePurpose": purpose,
        "downloadLocation": UNKNOWN,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
        **more,
    }


def package_url(kind, version, **more):
    """https://github.com/package-url/purl-spec"""
    locator = f"pkg:{kind}@{urllib.parse.quote(version, safe='~.')}{'?' if more else ''}{urllib.parse.urlencode(more)}"
    return [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}]


def of_distribution(package):
    """The entry of a Debian package."""
    fields, system = package.fields, debian.distribution()
    distribution = f"{system['ID']}-{system['VERSION_ID']}"
    name, address = re.fullmatch(r"(.*?)\s*<(.*)>", fields["Maintainer"]).groups()
    return package_entry(
        package.name,
        fields["Version"],
        "LIBRARY" if fields["Section"] == "libs" else "OTHER",
        supplier=f"Organization: {system['NAME']}",
        originator=f"Organization: {name} ({address})",
        licenseDeclared=declared(package),
        sourceInfo=f"source package {fields.get('Source', package.name)}, architecture {fields['Architecture']}",
        comment="Of the package only the files that are listed here are in the image.",
        externalRefs=package_url(
            f"deb/{system['ID']}/{package.name}",
            fields["Version"],
            arch=fields["Architecture"],
            distro=distribution,
        ),
        **({"homepage": fields["Homepage"]} if fields.get("Homepage") else {}),
    )


def of_program(version, content):
    return package_entry(
        "qubesec",
        version,
        "APPLICATION",
        supplier="Organization: QubeSec",
        licenseDeclared="Apache-2.0",
        checksums=checksums(content),
        externalRefs=package_url("generic/qubesec", version),
    )


def file_entry(path, content):
    return {
        "SPDXID": identifier("File", str(path).strip("/")),
        "fileName": f".{path}",
        "fileTypes": ["BINARY" if content.startswith((b"\x7fELF", b"TZif")) else "TEXT"],
        "checksums": checksums(content),
        "licenseConcluded": UNKNOWN,
        "copyrightText": UNKNOWN,
    }


def verification_code(files):
    """SPDX 2.3, 7.9: SHA-1 over the sorted SHA-1s of the files."""
    digests = sorted(file["checksums"][0]["checksumValue"] for file in files)
    return {"packageVerificationCodeValue": hashlib.sha1("".join(digests).encode(), usedforsecurity=False).hexdigest()}


def relation(one, kind, other):
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def own_licences(packages):
    """Where the licences are that SPDX has no name for."""
    uses = {}
    for package in packages:
        for name in {name for choice in alternatives(package) for name in choice if not spdx_name(name)}:
            uses.setdefault(reference(name), (name, []))[1].append(f"/usr/share/doc/{package.name}/copyright")
    return [
        {"licenseId": one, "name": name, "extractedText": f"The text is in {', '.join(files)}"}
        for one, (name, files) in sorted(uses.items())
    ]


def document(root, version, epoch):
    """All that is in the image but the document itself: its packages, and each file with its package."""
    files = {path: file_entry(path, root.inside(path).read_bytes()) for path in sorted(root.owners)}
    program = of_program(version, root.inside(PROGRAM).read_bytes())
    entries = {None: program, **{package: of_distribution(package) for package in root.packages()}}
    image = package_entry("qubesec-image", version, "CONTAINER", supplier="Organization: QubeSec", filesAnalyzed=False)
    relations = [relation("SPDXRef-DOCUMENT", "DESCRIBES", image["SPDXID"])]
    for package, entry in entries.items():
        own = [files[path] for path, owner in sorted(root.owners.items()) if owner == package]
        entry.update(filesAnalyzed=True, packageVerificationCode=verification_code(own))
        relations.append(relation(image["SPDXID"], "CONTAINS", entry["SPDXID"]))
        relations += [relation(entry["SPDXID"], "CONTAINS", file["SPDXID"]) for file in own]
    direct = [entries[package] for package in sorted(root.direct)]
    relations += [relation(program["SPDXID"], "DEPENDS_ON", entry["SPDXID"]) for entry in direct]
    content = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"qubesec-image-{version}",
        "creationInfo": {
            "created": datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "creators": ["Organization: QubeSec", "Tool: tools/image/sbom.py"],
        },
        "packages": [image, *entries.values()],
        "files": list(files.values()),
        "relationships": relations,
        "hasExtractedLicensingInfos": own_licences(root.packages()),
    }
    # Unique to what it describes, and the same in every build of that.
    unique = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:32]
    return {**content, "documentNamespace": f"https://qubesec.io/spdx/qubesec-image-{version}-{unique}"}


def add(root, version, epoch):
    root.write(PATH, (json.dumps(document(root, version, epoch), indent=1) + "\n").encode())
