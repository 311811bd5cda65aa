"""Shows each check a small repository with one fault in it, and the same without: it must find the one and only that."""

import pathlib
import subprocess
import tempfile

import banned
import layers
import portable
import sizes

LONG = "int f(void) {\n" + "    g();\n" * sizes.FUNCTION_LINES + "}\n"
TANGLED = "int f(int x) {\n" + "    if (x) x--;\n" * sizes.COMPLEXITY + "    return x;\n}\n"

# check, file, text, is it a fault?
CASES = [
    (layers, "src/base/a.c", '#include "kube/store.h"\n', True),
    (layers, "src/kube/a.c", '#include "kinds/kind.h"\n', True),
    (layers, "src/net/a.c", "#include <crypto/random.h>\n", True),
    (layers, "src/new/a.c", "int x;\n", True),
    (layers, "src/operator/a.c", '#include "kube/store.h"\n#include "kinds/kind.h"\n#include <openssl/evp.h>\n', False),
    (banned, "src/base/a.c", "void f(char *a) { strcpy(a, b); }\n", True),
    (banned, "src/base/a.c", "void *f(void) { return malloc(1); }\n", True),
    (banned, "tests/unit/a.c", "int f(void) { return system (x); }\n", True),
    (banned, "src/base/memory.c", "void *f(void) { return malloc(1); }\n", False),
    (banned, "src/base/a.c", '// strcpy(a, b)\nconst char *s = "free(x)"; /* malloc(1) */ void f(void) { my_free(x); }\n', False),
    (sizes, "src/base/a.c", "int x;\n" * (sizes.FILE_LINES + 1), True),
    (sizes, "src/base/a.c", LONG, True),
    (sizes, "src/base/a.c", TANGLED, True),
    (sizes, "src/base/a.c", "int f(int x) {\n    return x;\n}\n", False),
    (portable, "README.md", "cd /" + "home/me\n", True),
    (portable, "Dockerfile", "deb http://deb." + "debian.org/debian\n", True),
    (portable, "README.md", "FROM debian:13, /usr/bin/env, ./" + "work/x\n", False),
]


def faults():
    for check, name, text, bad in CASES:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            subprocess.run(["git", "init", "--quiet", root], check=True)
            found = list(check.faults(root))
        if bad != bool(found):
            yield f"{check.__name__} on {name}: {text[:60]!r}: {found or 'found nothing'}"
