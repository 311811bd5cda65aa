"""The CRDs, made from the tables of fields that the decoders read by.

Facts about fields come from the program crd_tables (tables.c), which is linked with the kinds. What a CRD says besides
is beside each kind, in src/kinds/NAME.yaml, and for all kinds in common.yaml:

  description    what the kind is
  spec           what its spec is; optional: true, where nothing in it is needed
  shortNames     further ones
  another        how the description of onKeyLoss goes on: "a new key pair is"
  deletionPolicy its default, where that is not always Delete
  columns        what kubectl get shows: the name of a common column, or a column
  selectable     what a field selector may name
  rules          CEL rules between fields; at: the field that one is of
  status         fields of the status, by common forms or as schemas; what it says of a common field comes in its place

What kinds have whose output has versions is in common.yaml, under versions: columns before the last one, and the status;
what those of them have besides that are rotatable, under rotation, with rules.

tools/dist.py writes what is made here; its --check fails where a file is not as it is made.
"""

import copy
import json
import pathlib
import re
import subprocess

import yaml

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
TABLES = CHECKOUT / ".local" / "build" / "release" / "crd_tables"
COMMON = yaml.safe_load((pathlib.Path(__file__).parent / "common.yaml").read_text())
INT32_MAX = 2**31 - 1
NAME_MAX = 253
DURATION = "^([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?$"
HEXADECIMAL = "self.matches('^([0-9a-fA-F]{2})*$')"
SECRET_NAME = "outputSecretName"
LOSS = "keep it as it was, or create a resource of another name; to delete this one is to lose what it has made"


class Dumper(yaml.SafeDumper):
    def increase_indent(self, flow=False, indentless=False):
        return super().increase_indent(flow, False)

    def ignore_aliases(self, data):
        return True


def read_tables():
    return json.loads(subprocess.run([TABLES], capture_output=True, text=True, check=True).stdout)


def source_of(kind):
    """src/kinds/NAME.yaml."""
    words = re.findall(r"KEM|[A-Z][a-z]+", kind["kind"].removeprefix("Quantum"))
    return CHECKOUT / "src" / "kinds" / f"{'_'.join(words).lower()}.yaml"


def and_list(words, last="and"):
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


def quoted(values):
    return "[" + ", ".join(f"'{value}'" for value in values) + "]"


def rule(text, message, reason="FieldValueInvalid", field=None):
    return {"rule": text, "message": message, **({"fieldPath": f".{field}"} if field else {}), "reason": reason}


# What is said of a field


def default_of(field, kind, about):
    """The default that the API server fills in, or None."""
    match field["type"]:
        case "choice" if field["name"] != "deletionPolicy" or "deletionPolicy" not in about:
            return field["choices"][0] or None
        case "integer" if field["min"] <= field["fallback"] <= field["max"] and "alias" not in field:
            return field["fallback"]
        case "algorithm":
            return field.get("textFallback")
    return None


def own_description(field, kind, about):
    suffix = kind.get("secretSuffix")
    words = {
        "{suffix}": f" with {suffix} behind it" if suffix else "",
        "{precious}": kind.get("precious", ""),
        "{another}": about.get("another", ""),
    }
    text = field["description"]
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def described_default(field, kind, about):
    """What people are told of the default; "" where the field's own description has it, or there is none."""
    if field["name"] == "deletionPolicy" and "deletionPolicy" in about:
        return about["deletionPolicy"]
    filled_in = default_of(field, kind, about)
    if filled_in is None and field["type"] == "integer" and field["min"] <= field["fallback"] <= field["max"]:
        filled_in = field["fallback"]
    value = filled_in if filled_in is not None else field.get("textFallback")
    return "" if value is None else f"Default: {value}."


def description(field, kind, about):
    immutable = ""
    if "across" in field:
        immutable = f"{field['across']} cannot be edited to another, nor another to {field['across']}."
    elif field["immutable"]:
        immutable = "Immutable; another name of the same algorithm may be written." if "algorithms" in field else "Immutable."
    names = family_of(field)["names"] if "algorithms" in field else ""
    parts = (names, own_description(field, kind, about), described_default(field, kind, about), immutable)
    return " ".join(part for part in parts if part)


# Schemas of fields, by type


def family_of(field):
    return COMMON["algorithms"][next(iter(field["algorithms"]))]


def algorithm_names(field):
    return [*field["algorithms"], *(name for others in field["algorithms"].values() for name in others)]


def algorithm_schema(field):
    """No enum: the API server would answer with all names, of which most are other ones of the same algorithms."""
    usual = [name for name in field["algorithms"] if name not in family_of(field).get("withProvider", [])]
    others = ", or another name of one of them in the documentation" if any(field["algorithms"].values()) else ""
    message = f"spec.{field['name']} must be {and_list(usual, 'or')}{others}"
    rules = [rule(f"self in {quoted(algorithm_names(field))}", message)]
    return {"type": "string", "maxLength": 63, "x-kubernetes-validations": rules}


def form_rule(field, pattern, message):
    """In the place of a pattern, of which the API server would show nothing but the pattern."""
    return rule(f"self.matches(r'{pattern}')", f"spec.{field['name']} {message}")


def text_schema(field):
    made = {"type": "string", "maxLength": field["maxCharacters"]}
    rules = []
    if field["min"]:
        made["minLength"] = field["min"]
    if "pattern" in field:
        rules.append(form_rule(field, field["pattern"], field.get("refusal", f"must be {field['form']}".replace("`", ""))))
    if field["countsBytes"]:
        message = f"spec.{field['name']} must have at most {field['max']} bytes in UTF-8: shorten it"
        rules.append(rule(f"bytes(self).size() <= {field['max']}", message))
    return made | ({"x-kubernetes-validations": rules} if rules else {})


def duration_text(seconds):
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def duration_schema(field):
    message = "must be a length of time in hours, minutes and seconds, such as 2160h, 90m or 1h30m: a day is 24h"
    rules = [form_rule(field, DURATION, message)]
    if field["countsSeconds"]:  # of what has that form
        low, high = duration_text(field["min"]), duration_text(field["max"])
        within = f"duration(self) >= duration('{low}') && duration(self) <= duration('{high}')"
        rules.append(rule(f"!self.matches(r'{DURATION}') || ({within})", f"spec.{field['name']} must be from {low} to {high}"))
    return {"type": "string", "minLength": 2, "maxLength": 32, "x-kubernetes-validations": rules}


def hex_schema(field):
    message = f"spec.{field['name']} must be hexadecimal: an even number of digits 0-9, a-f or A-F, and nothing else"
    return {
        "type": "string",
        **({"minLength": 2 * field["min"]} if field["min"] else {}),
        "maxLength": 2 * field["max"],
        "x-kubernetes-validations": [rule(HEXADECIMAL, message)],
    }


def integer_schema(field):
    return {"type": "integer", "format": "int64", "minimum": field["min"], "maximum": field["max"]}


def choice_rules(field):
    """In the place of an enum, with the reason for what people try in vain."""
    name, choices, unfit = field["name"], field["choices"], field.get("unfitChoices", [])
    message = f"spec.{name} has another text than {and_list(choices, 'or')}"
    yield rule(f"self.all(one, one in {quoted(choices + unfit)})", message)
    if unfit:
        yield rule(f"!self.exists(one, one in {quoted(unfit)})", f"spec.{name}: {and_list(unfit, 'or')} {field['unfitReason']}")


def list_schema(field):
    item = {"description": "One of them.", "type": "string", "maxLength": field["max"]}
    if "choices" in field:
        kind_of_list, rules = "set", {"x-kubernetes-validations": list(choice_rules(field))}
    else:
        kind_of_list, rules = "atomic", {}
        item["minLength"] = 1
    return {"type": "array", "maxItems": field["maxCount"], "x-kubernetes-list-type": kind_of_list, "items": item, **rules}


def template_schema(field):
    member = field["name"].split(".")[-1]
    rules = [{**one, "message": one["message"].replace("{field}", f"spec.{field['name']}")} for one in COMMON["template"]["rules"]]
    return {
        "type": "object",
        "maxProperties": field["maxCount"],
        **copy.deepcopy(COMMON["template"][member]),
        "x-kubernetes-validations": rules,
    }


def kind_schema(sources):
    usual = [one["kind"] for one in sources if one["byDefault"]]
    text = f"Default: {usual[0]}." if len(usual) == 1 else f"Absent: the first that exists of {and_list(usual)}."
    made = {"description": f"Its kind. {text}", "type": "string", "enum": [one["kind"] for one in sources]}
    return made | ({"default": usual[0]} if len(usual) == 1 else {})


def key_schema(sources):
    """The key of a reference; None where no source has one."""
    keyed = [one for one in sources if one["takesKey"]]
    if not keyed:
        return None
    kinds = and_list([one["kind"] for one in keyed], "or")
    usual = keyed[0].get("usualKeys")
    text = "The entry that is read." if usual else f"The entry of the {kinds} that is read."
    if len(keyed) < len(sources):
        text += f" {'Only' if usual else 'Required'} with kind {kinds}{'' if usual else ', refused with any other'}."
    if usual:
        text += f" Default: {', or '.join(usual)}, or the only entry that there is."
    return {"description": text, **COMMON["reference"]["key"]}


def key_rules(field):
    sources = field["sources"]
    name = f"spec.{field['name']}"
    needy = [one["kind"] for one in sources if one["takesKey"] and "usualKeys" not in one]
    usual = [one for one in sources if one["byDefault"]]
    has_default = len(usual) == 1
    given = "" if has_default else "has(self.kind) && "
    made = []
    if needy:
        entry = f"that holds {field['entry']}" if "entry" in field else "that is read"
        message = f"{name}.key is required with kind {and_list(needy, 'or')}: name the entry {entry}"
        made.append(rule(f"!({given}self.kind in {quoted(needy)}) || has(self.key)", message, "FieldValueRequired", "key"))
    return made + only_with_kinds(field, "key", "takesKey")


def version_schema(field):
    """The version of a reference; None where no source has versions."""
    kinds = [one["kind"] for one in field["sources"] if one["hasVersions"]]
    if not kinds:
        return None
    text = "The version that is read, one that status.version or status.versions of the resource names. Absent: the one in use."
    if len(kinds) < len(field["sources"]):
        text += f" Only with kind {and_list(kinds, 'or')}."
    return {"description": text, **COMMON["reference"]["version"], "maximum": field["versionMax"]}


def only_with_kinds(field, member, mark):
    """The rule that a member of a reference goes only with the sources that have that mark, if there are others."""
    sources = field["sources"]
    name = f"spec.{field['name']}"
    kinds = [one["kind"] for one in sources if one[mark]]
    usual = [one for one in sources if one["byDefault"]]
    if not kinds or len(kinds) == len(sources):
        return []
    has_default = len(usual) == 1
    absent = "!has(self.kind) || " if not has_default and any(one[mark] for one in usual) else ""
    allowed = f"self.kind in {quoted(kinds)}"
    if not has_default and not absent:
        allowed = f"(has(self.kind) && {allowed})"
    message = f"{name}.{member} is only for kind {and_list(kinds, 'or')}: remove it, or set {name}.kind"
    return [rule(f"{absent}{allowed} || !has(self.{member})", message, "FieldValueForbidden", member)]


def reference_schema(field):
    properties = {name: dict(COMMON["reference"][name]) for name in ("name", "namespace")}
    properties["kind"] = kind_schema(field["sources"])
    key = key_schema(field["sources"])
    if key:
        properties["key"] = key
    version = version_schema(field)
    if version:
        properties["version"] = version
    rules = key_rules(field) + only_with_kinds(field, "version", "hasVersions")
    made = {"type": "object", "required": ["name"], "properties": properties}
    return made | ({"x-kubernetes-validations": rules} if rules else {})


SCHEMAS = {
    "text": text_schema,
    "choice": lambda field: {"type": "string", "enum": [one for one in field["choices"] if one]},
    "integer": integer_schema,
    "hex": hex_schema,
    "duration": duration_schema,
    "algorithm": algorithm_schema,
    "reference": reference_schema,
    "reference key": lambda field: {"type": "string", **COMMON["reference"]["key"]},
    "list": list_schema,
    "labels": template_schema,
    "annotations": template_schema,
}


def another_name(field, of):
    immutable = " Immutable." if field["immutable"] else ""
    return f"Another name of {of}. Give one of them, or the same value twice.{immutable}"


def add_property(properties, field, kind, about):
    """The field's property, in those of its objects, and its alias's."""
    filled_in = default_of(field, kind, about)
    schema = SCHEMAS[field["type"]](field)
    own = another_name(field, f"{field['keyOf']}.key") if "keyOf" in field else description(field, kind, about)
    *outer, name = field["name"].split(".")
    target = properties
    for one, text in zip(outer, field.get("objectDescriptions", ()), strict=True):
        target = target.setdefault(one, {"description": text, "type": "object", "properties": {}})["properties"]
    rules = {"x-kubernetes-validations": schema.pop("x-kubernetes-validations")} if "x-kubernetes-validations" in schema else {}
    target[name] = {"description": own, **schema, **({} if filled_in is None else {"default": filled_in}), **rules}
    if "alias" in field:
        alias = SCHEMAS[field["type"]]({**field, "name": field["alias"]})
        properties[field["alias"]] = {"description": another_name(field, field["name"]), **alias}


# Names from elsewhere

FOREIGN = {
    "texts": {"type": "array", "maxItems": 1000, "items": {"description": "One of them.", "type": "string", "maxLength": 4096}},
    "objects": {
        "type": "array",
        "maxItems": 1000,
        "items": {"description": "One of them.", "type": "object", "x-kubernetes-preserve-unknown-fields": True},
    },
    "object": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    "text": {"type": "string", "maxLength": 4096},
    "integer": {"type": "integer", "format": "int64", "maximum": 2**53 - 1},
    "boolean": {"type": "boolean"},
}


def refused(one):
    return f"is not a field here: {one['advice']}"


def add_foreign(properties, one):
    """A name that would be dropped unseen, where validation is not strict, if the CRD did not know it."""
    *outer, name = one["name"].split(".")
    target = properties
    for member in outer:
        target = target[member]["properties"]
    target[name] = {"description": f"Refused. It {refused(one)}.", **FOREIGN[one["type"]]}


def foreign_rule(one):
    members = one["name"].split(".")
    absent = " || ".join(f"!has(self.{'.'.join(members[: i + 1])})" for i in range(len(members)))
    return rule(absent, f"spec.{one['name']} {refused(one)}", "FieldValueForbidden", one["name"])


# Rules between fields



def value_of(field, this):
    """CEL for the field's value in an object, in its canonical form. A field with a default may be absent, too: the default
    of a whole spec, {}, is judged before those of its fields are put in."""
    absent = str(field["fallback"]) if field["type"] == "integer" else "''"
    names = [name for name in (field["name"], field.get("alias")) if name]
    text = "(" + "".join(f"has({this}.{name}) ? {this}.{name} : " for name in names) + absent + ")"
    if field["type"] == "hex":
        text += ".lowerAscii()"
    for old, new in family_of(field)["canonical"] if "algorithms" in field else ():
        text += f".replace('{old}', '{new}')"
    return text


def immutable_rule(field):
    same = " == ".join(value_of(field, this) for this in ("self", "oldSelf"))
    name, alias = field["name"], field.get("alias")
    if alias is None:
        return rule(same, f"spec.{name} is immutable: {LOSS}", "FieldValueForbidden", name)
    which = f"(has(self.{alias}) || has(oldSelf.{alias}) ? 'spec.{alias}' : 'spec.{name}')"
    return {"rule": same, "messageExpression": f"{which} + ' is immutable: {LOSS}'", "reason": "FieldValueForbidden"}


def rules_of(kind, about):
    for field in kind["fields"]:
        name = field["name"]
        if "alias" in field:
            alias = field["alias"]
            message = f"spec.{name} and spec.{alias} are two names of one field and differ: remove one of them"
            yield rule(f"!has(self.{name}) || !has(self.{alias}) || self.{name} == self.{alias}", message, field=alias)
        if "keyOf" in field:
            key = f"{field['keyOf']}.key"
            message = f"spec.{name} and spec.{key} are two names of one field and differ: remove one of them"
            yield rule(f"!has(self.{name}) || !has(self.{key}) || self.{name} == self.{key}", message, field=name)
        if field["immutable"] and "across" not in field and name != SECRET_NAME:
            yield immutable_rule(field)
    yield from map(foreign_rule, kind["foreignFields"])
    yield from (one for one in about.get("rules", ()) if "at" not in one)


def is_named(this, name):
    return f"has({this}.spec) && has({this}.spec.{name})"


def secret_name_rule(kind):
    """The Secret's name stays; its default, which only a rule for the whole object knows, may be written out."""
    alias = next(field["alias"] for field in kind["fields"] if field["name"] == SECRET_NAME)

    def name_of(this):
        given = "".join(f"{is_named(this, name)} ? {this}.spec.{name} : " for name in (SECRET_NAME, alias))
        suffix = f" + '{kind['secretSuffix']}'" if kind["secretSuffix"] else ""
        return f"({given}{this}.metadata.name{suffix})"

    which = f"({is_named('self', alias)} || {is_named('oldSelf', alias)} ? 'spec.{alias}' : 'spec.{SECRET_NAME}')"
    return {
        "rule": f"{name_of('self')} == {name_of('oldSelf')}",
        "messageExpression": f"{which} + ' is immutable: {LOSS}'",
        "fieldPath": ".spec",
        "reason": "FieldValueForbidden",
    }


def rules_of_object(kind):
    """What the Secret is called, by default after the object."""
    suffix = kind.get("secretSuffix")
    if not kind["hasSecret"]:
        return {}
    rules = [secret_name_rule(kind)]
    if suffix:
        most = NAME_MAX - len(suffix)
        message = (
            f"metadata.name has more than {most} characters, so that the Secret's default name, which ends in {suffix}, "
            "would be too long: set spec.outputSecretName"
        )
        named = "(has(self.spec) && (has(self.spec.outputSecretName) || has(self.spec.secretName)))"
        rules.append(rule(f"{named} || size(self.metadata.name) <= {most}", message, field="spec"))
    return {"x-kubernetes-validations": rules}


# The definition


def check_canonical_names(field):
    """The rule that takes an algorithm's names for the same must know them all."""
    for name, others in field["algorithms"].items():
        for other in (name, *others):
            canonical = other
            for old, new in family_of(field)["canonical"]:
                canonical = canonical.replace(old, new)
            assert canonical == name, f"common.yaml: {other} becomes {canonical} and not {name}"


def spec_schema(kind, about):
    properties = {}
    for field in kind["fields"]:
        if "algorithms" in field:
            check_canonical_names(field)
        add_property(properties, field, kind, about)
    for one in kind["foreignFields"]:
        add_foreign(properties, one)
    for one in (*about.get("rules", ()), *(COMMON["rotation"]["rules"] if kind["isRotatable"] else ())):
        if "at" in one:
            own = {name: value for name, value in one.items() if name != "at"}
            properties[one["at"]].setdefault("x-kubernetes-validations", []).append(own)
    required = [field["name"] for field in kind["fields"] if field["required"]]
    optional = about.get("optional", False)
    return {
        "description": about["spec"] + (" All of it is optional." if optional else ""),
        "type": "object",
        **({"default": {}} if optional else {}),
        **({"required": required} if required else {}),
        "properties": properties,
        "x-kubernetes-validations": list(rules_of(kind, about)),
    }


def expanded(schema):
    """A schema in which the common forms are put in for their names."""
    if isinstance(schema, list):
        return [expanded(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: expanded(value) for name, value in schema.items() if name != "form" or not isinstance(value, str)}
    return made | COMMON["forms"][schema["form"]] if isinstance(schema.get("form"), str) else made


def versions_status(kind):
    """The fields of the status of a kind whose output has versions."""
    fields = copy.deepcopy(COMMON["versions"]["status"])
    properties = fields["versions"]["items"]["properties"]
    if not kind["isPublic"]:
        del properties["digest"]
    if not kind["isMadeForKey"]:
        del properties["publicKeyDigest"]
    if kind["isRotatable"]:
        properties["expiryTime"] = COMMON["rotation"]["expiryTime"]
        fields |= COMMON["rotation"]["status"]
    return fields


def columns_of(kind, about):
    columns = {one["name"]: one for one in COMMON["columns"]}
    made = [columns[one] if isinstance(one, str) else one for one in about["columns"]]
    versions = COMMON["versions"]["columns"] if kind["hasVersions"] else []
    rotation = COMMON["rotation"]["columns"] if kind["isRotatable"] else []
    return [*made[:-1], *versions, *rotation, made[-1]]


def status_schema(kind, about):
    fields = copy.deepcopy(COMMON["status"])
    if not kind["hasSecret"]:
        del fields["secretRef"]
    elif kind["namesEntry"]:
        fields["secretRef"]["properties"]["key"] = COMMON["secretRefKey"]
    for name, schema in about["status"].items():
        fields[name] = fields.get(name, {}) | schema
    if kind["hasVersions"]:
        fields |= versions_status(kind)
    assert kind["isPublic"] == ("digest" in fields), f"{kind['kind']}: status.digest is for kinds with something public"
    return {
        "description": "What the operator did. Written by the operator only.",
        "type": "object",
        "default": {},  # so that the default of its conditions is there from the first moment on
        "properties": expanded(fields),
    }


def definition(kind, about):
    optional = about.get("optional", False)
    schema = {
        "description": about["description"],
        "type": "object",
        **({} if optional else {"required": ["spec"]}),
        "properties": {
            "apiVersion": {"description": f"{kind['group']}/{kind['version']}.", "type": "string"},
            "kind": {"description": f"{kind['kind']}.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": spec_schema(kind, about),
            "status": status_schema(kind, about),
        },
        **rules_of_object(kind),
    }
    version = {
        "name": kind["version"],
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": columns_of(kind, about),
        "selectableFields": [{"jsonPath": path} for path in about["selectable"]],
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{kind['plural']}.{kind['group']}", "labels": {"app.kubernetes.io/name": "qubesec"}},
        "spec": {
            "group": kind["group"],
            "scope": "Namespaced",
            "names": {
                "kind": kind["kind"],
                "listKind": f"{kind['kind']}List",
                "plural": kind["plural"],
                "singular": kind["kind"].lower(),
                "shortNames": [kind["shortName"], *about.get("shortNames", ())],
                "categories": ["qubesec"],
            },
            "versions": [version],
        },
    }


def definitions(tables):
    """The files of config/crd, by their paths."""
    made = {}
    for kind in tables:
        source = source_of(kind)
        head = (
            f"# Made by make dist from the table of fields in src/kinds/{source.stem}*.c and from {source.name} beside it.\n"
            f"# docs/resources/{kind['kind'].lower()}.md explains the fields.\n"
        )
        text = yaml.dump(
            definition(kind, yaml.safe_load(source.read_text())), Dumper=Dumper, sort_keys=False, width=110, allow_unicode=True
        )
        made[CHECKOUT / "config" / "crd" / f"{kind['plural']}.yaml"] = head + text
    return made
