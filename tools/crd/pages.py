"""The tables of fields in docs/resources, and that of cert-manager's fields in a guide, made from the tables of fields that
the decoders read by: see make.py.

A page has one between two comments; what is around it is written by hand.
"""

import re

import yaml

from crd.make import CHECKOUT, described_default, own_description, source_of

BEGIN, END = "<!-- fields: made by make dist -->", "<!-- /fields -->"
HEAD = "| field | type | default | bounds | may be edited | meaning |\n|---|---|---|---|---|---|\n"
PAGES = CHECKOUT / "docs" / "resources"
FOREIGN = CHECKOUT / "docs" / "guides" / "coming-from-cert-manager.md"
# What is said in README.md, where no kind is meant, in the places that a kind fills.
ANY_KIND = {"precious": "output"}
ABOUT_ANY_KIND = {
    "another": "another one is",
    "deletionPolicy": "Default: `Delete`; of a QuantumCertificate with certType ca `Retain`.",
}


def code(values):
    return ", ".join(f"`{value}`" for value in values)


def type_of(field):
    match field["type"]:
        case "choice":
            return code(one for one in field["choices"] if one)
        case "algorithm":
            page = "quantumkemkeypair" if "ML-KEM-512" in field["algorithms"] else "quantumsignaturekeypair"
            return f"an [algorithm's name]({page}.md#fields-of-spec)"
        case "reference":
            return "[reference](README.md#references)"
    names = {
        "hex": "hexadecimal",
        "duration": "`10m`, `1h30m`, `2160h`",
        "reference key": "text",
        "list": "list of texts",
        "labels": "map of texts",
        "annotations": "map of texts",
    }
    return names.get(field["type"], field["type"])


def text_bounds(field):
    counted = "bytes in UTF-8" if field["maxCharacters"] == field["max"] else "characters"
    return field.get("form", f"up to {field['maxCharacters']} {counted}")


def reference_bounds(field):
    usual = [one["kind"] for one in field["sources"] if one["byDefault"]]
    kinds = [f"`{one['kind']}`{' (default)' if usual == [one['kind']] else ''}" for one in field["sources"]]
    return f"kind {kinds[0]}" if len(kinds) == 1 else f"kind {', '.join(kinds[:-1])} or {kinds[-1]}"


def bounds_of(field):
    low, high = field["min"], field["max"]
    match field["type"]:
        case "text":
            return text_bounds(field)
        case "integer":
            return f"{low} to {high}"
        case "hex":
            return f"{low} to {high} bytes" if low else f"up to {high} bytes"
        case "duration":
            return f"{low} s to {high // 86400} days"
        case "reference":
            return reference_bounds(field)
        case "reference key":
            return f"as `{field['keyOf']}.key`, of which it is another name"
        case "list":
            return code(field["choices"]) if "choices" in field else f"up to {field['maxCount']}"
        case "labels" | "annotations":
            return f"up to {field['maxCount']}, with values of up to {high} bytes"
    return ""


def editable(field):
    if "across" in field:
        return f"not from or to `{field['across']}`"
    if field["immutable"]:
        return "no, but to another name of the same" if "algorithms" in field else "no"
    return "yes"


def default_and_meaning(field, kind, about):
    """The default comes from the description where the table does not have it."""
    meaning = own_description(field, kind, about)
    found = re.search(r" ?Default: ([^.]*)\.", meaning)
    if found:
        return found[1], (meaning[: found.start()] + meaning[found.end() :]).strip()
    default = described_default(field, kind, about).removeprefix("Default: ").removesuffix(".")
    if default and " " not in default:
        default = f"`{default}`"
    return "required" if field["required"] else default or "none", meaning


def row(field, kind, about):
    names = f"`{field['name']}`" + (f", also written `{field['alias']}`" if "alias" in field else "")
    default, meaning = default_and_meaning(field, kind, about)
    cells = (names, type_of(field), default, bounds_of(field), editable(field), meaning.replace("*", r"\*"))
    return f"| {' | '.join(cells)} |".replace("|  |", "| |") + "\n"


def table(fields, kind, about):
    return HEAD + "".join(row(field, kind, about) for field in fields)


def common_fields(tables):
    """Those that several kinds have as they are, in the order of the kind that has most."""
    full = next(kind for kind in tables if kind["kind"] == "QuantumEncapsulateSecret")
    names = [field["name"] for field in full["fields"]]
    return full["fields"][names.index("serviceAccountName") :]


def foreign_fields(tables):
    (kind,) = (one for one in tables if one["foreignFields"])
    rows = (f"| `{one['name']}` | {one['advice']} |\n" for one in kind["foreignFields"])
    return "| cert-manager | QuantumCertificate |\n|---|---|\n" + "".join(rows)


def put(path, made):
    text = path.read_text()
    assert text.count(BEGIN) == text.count(END) == 1, f"{path} has not one place between {BEGIN} and {END}"
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{made}{END}{rest.partition(END)[2]}"


def pages(tables):
    """The files, by their paths."""
    made = {}
    for kind in tables:
        path = PAGES / f"{kind['kind'].lower()}.md"
        made[path] = put(path, table(kind["fields"], kind, yaml.safe_load(source_of(kind).read_text())))
    common = PAGES / "README.md"
    made[common] = put(common, table(common_fields(tables), ANY_KIND, ABOUT_ANY_KIND))
    made[FOREIGN] = put(FOREIGN, foreign_fields(tables))
    return made
