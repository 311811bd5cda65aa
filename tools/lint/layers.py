"""A layer of src/ includes only the layers below it: the table of docs/architecture.md, read from the #include lines.

And those that any operator could use do not speak of ours.
"""

import re

import source

MAY_INCLUDE = {
    "base": set(),
    "json": {"base"},
    "net": {"base", "json"},
    "crypto": {"base", "json"},
    "kube": {"base", "json", "net", "crypto"},
    "runtime": {"base", "json", "net", "crypto", "kube"},
    "engine": {"base", "json", "crypto"},
    "kinds": {"base", "json", "crypto", "engine"},
    "reconcile": {"base", "json", "net", "crypto", "kube", "runtime", "engine"},
    "webhook": {"base", "json", "net", "crypto", "kube", "runtime", "engine"},
    "check": {"base", "json", "net", "crypto", "kube", "engine"},
    "render": {"base", "json", "net", "crypto", "kube", "runtime", "engine", "reconcile"},
    "operator": {"base", "json", "net", "crypto", "kube", "runtime", "engine", "reconcile", "webhook"},
    "cli": {"base", "json", "net", "crypto", "kube", "engine", "kinds", "operator", "check", "render"},
}
GENERAL = ("base", "json", "net", "crypto", "kube", "runtime")
OURS = re.compile(r"qubesec\.io|Quantum")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([a-z_]+)/', re.MULTILINE)


def faults(root):
    for path in source.c_files(root, "src"):
        name = path.relative_to(root)
        layer = name.parts[1]
        if layer not in MAY_INCLUDE:
            yield f"{name}: {layer} is no layer; the layers are {', '.join(MAY_INCLUDE)}"
            continue
        text = path.read_text(encoding="utf-8")
        for match in OURS.finditer(text if layer in GENERAL else ""):
            yield f"{name}:{text[: match.start()].count(chr(10)) + 1}: {layer} must not know {match.group()}"
        for match in INCLUDE.finditer(text):
            other = match.group(1)
            if other in MAY_INCLUDE and other != layer and other not in MAY_INCLUDE[layer]:
                yield f"{name}: {layer} must not know {other}, but includes {match.group().strip()}..."
