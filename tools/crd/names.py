"""config/gitops/name_references.yaml: which fields of our kinds are names of other objects, for kustomize, which changes names.

Made from the same tables of fields as the CRDs: see make.py.
"""

import collections

import yaml

from crd.make import CHECKOUT, Dumper

PATH = CHECKOUT / "config" / "gitops" / "name_references.yaml"
HEAD = """# Made by make dist from the tables of fields in src/kinds/*.c.
# What kustomize has to change in our resources when it changes a name: docs/guides/gitops.md.
"""


def referred(field, namesakes):
    """The kinds whose objects the field may name, each with the path of the name. namesakes: those whose output Secret is
    called like the object, so that who names it names the object, too."""
    if field["name"] == "serviceAccountName":
        yield "ServiceAccount", "spec/serviceAccountName"
    kinds = [source["kind"] for source in field.get("sources", ())]
    for kind in dict.fromkeys([*kinds, *(namesakes if "Secret" in kinds else ())]):
        yield kind, f"spec/{field['name'].replace('.', '/')}/name"


def name_references(tables):
    """The file, by its path."""
    groups = {kind["kind"]: kind["group"] for kind in tables}
    namesakes = [kind["kind"] for kind in tables if kind["hasSecret"] and not kind.get("secretSuffix")]
    fields = collections.defaultdict(list)
    for kind in tables:
        for field in kind["fields"]:
            for target, path in referred(field, namesakes):
                fields[target].append({"group": kind["group"], "kind": kind["kind"], "path": path})
    made = [
        {**({"group": groups[target]} if target in groups else {"version": "v1"}), "kind": target, "fieldSpecs": places}
        for target, places in sorted(fields.items())
    ]
    return {PATH: HEAD + yaml.dump({"nameReference": made}, Dumper=Dumper, sort_keys=False, width=110)}
