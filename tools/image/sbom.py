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
    "0BSD Apache-2.0 Beerware BSD-2-Clause BSD-3-Clause BSD-3-Clause-Attribution BSD-4-Clause-UC BSL-1.0 curl FSFAP FSFUL "
    "FSFULLR ISC Latex2e MIT MPL-1.1 MPL-2.0 OLDAP-2.8 Unicode-DFS-2016 X11 Zlib"
).split()
OTHER_NAMES = {"apache-2": "Apache-2.0", "bsd3": "BSD-3-Clause", "expat": "MIT", "openldap-2.8": "OLDAP-2.8"}
KNOWN = {**{name.lower(): name for name in SPDX_NAMES}, **OTHER_NAMES}


def spdx_name(licence):
    """SPDX's name of one licence, or None."""
    gnu = re.fullmatch(r"(GPL|LGPL|GFDL)-(\d)(\.\d)?(\+?)", licence, re.IGNORECASE)
    if gnu:
        return f"{gnu[1].upper()}-{gnu[2]}{gnu[3] or '.0'}-{'or-later' if gnu[4] else 'only'}"
    return KNOWN.get(licence.lower())


def expression(licence):
    """One name of a copyright file, which may be several licences with "or" and "and", as an SPDX expression."""
    words = re.split(r" (or|and) ", licence)
    names = [spdx_name(word) for word in words[::2]]
    if not all(names):
        return "LicenseRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", licence).strip("-")
    words[::2] = names
    return f"({' '.join(words)})".replace(" or ", " OR ").replace(" and ", " AND ") if len(words) > 1 else names[0]


def identifier(*words):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", "-".join(words))


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


def of_distribution(package):
    """The entry of a Debian package."""
    fields, system = package.fields, debian.distribution()
    purl = "pkg:deb/{}/{}@{}?{}".format(
        system["ID"],
        package.name,
        urllib.parse.quote(fields["Version"], safe="~."),
        urllib.parse.urlencode({"arch": fields["Architecture"], "distro": f"{system['ID']}-{system['VERSION_ID']}"}),
    )
    name, address = re.fullmatch(r"(.*?)\s*<(.*)>", fields["Maintainer"]).groups()
    licences = [expression(licence) for licence in package.licences()]
    return package_entry(
        package.name,
        fields["Version"],
        "LIBRARY" if fields.get("Section") == "libs" else "OPERATING-SYSTEM" if package.name == "base-files" else "OTHER",
        supplier=f"Organization: {system['NAME']}",
        originator=f"Organization: {name} ({address})",
        licenseDeclared=" AND ".join(sorted(set(licences))) or UNKNOWN,
        sourceInfo=f"source package {fields.get('Source', package.name)}, architecture {fields['Architecture']}",
        comment="Of the package only the files that are listed here are in the image.",
        externalRefs=[
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl},
        ],
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
        externalRefs=[
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:generic/qubesec@{version}",
            }
        ],
    )


def file_entry(path, content):
    kinds = {b"\x7fELF": "BINARY"}
    return {
        "SPDXID": identifier("File", str(path).strip("/")),
        "fileName": f".{path}",
        "fileTypes": [kinds.get(content[:4], "TEXT")],
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
    """The licences that SPDX has no name for."""
    names = {}
    for package in packages:
        for licence in package.licences():
            names.setdefault(expression(licence), []).append((licence, package.name))
    return [
        {
            "licenseId": reference,
            "name": uses[0][0],
            "extractedText": "The text is in " + ", ".join(f"/usr/share/doc/{name}/copyright" for _, name in uses),
        }
        for reference, uses in sorted(names.items())
        if reference.startswith("LicenseRef-")
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
    relations += [relation(program["SPDXID"], "DEPENDS_ON", entries[package]["SPDXID"]) for package in sorted(root.direct)]
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
