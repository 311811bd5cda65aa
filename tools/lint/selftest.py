"""Shows each check a small repository with one fault in it, and the same without: it must find the one and only that.

The same for tools/test.py: its sums must not call a test passed that crashed or did not start, nor skipped that must not be. And clang-tidy has to look again
at a file whenever what its verdict follows from is another.
"""

import importlib.util
import os
import pathlib
import subprocess
import tempfile
from unittest import mock

import banned
import circles
import layers
import links
import portable
import reasons
import sizes
import tidy
import traps

LONG = "int f(void) {\n" + "    g();\n" * sizes.FUNCTION_LINES + "}\n"
TANGLED = "int f(int x) {\n" + "    if (x) x--;\n" * sizes.COMPLEXITY + "    return x;\n}\n"
ROWS = "".join(f"| {number} | does not apply | |\n" for number in traps.NUMBERS)

CALL_BACK = {"src/base/a.c": "void a(void) {\n    b();\n}\n", "src/base/b.c": "void b(void) {\n    c();\n}\n"}

# check, file, text, is it a fault? In the place of a text: the texts of several files.
CASES = [
    (layers, "src/base/a.c", '#include "runtime/store.h"\n', True),
    (layers, "src/kube/a.c", '#include "engine/kind.h"\n', True),
    (layers, "src/net/a.c", "#include <crypto/random.h>\n", True),
    (layers, "src/new/a.c", "int x;\n", True),
    (layers, "src/kube/a.h", "// such as qubesec.io/v1\n", True),
    (layers, "src/runtime/a.c", 'const char *kind = "QuantumCertificate";\n', True),
    (layers, "src/engine/a.c", 'const char *group = "qubesec.io"; // QUBESEC_VERSION of qubesec\n', False),
    (layers, "src/operator/a.c", '#include "runtime/store.h"\n#include "engine/kind.h"\n#include <openssl/evp.h>\n', False),
    (circles, "headers", {"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": '#include "base/a.h"\n'}, True),
    (circles, "headers", {"src/base/a.h": '#include "base/b.h"\n', "src/base/b.h": "#include <a.h>\n"}, False),
    (circles, "calls", CALL_BACK | {"src/base/c.c": "static const int of = 1;\nint c(struct x *x) {\n    a();\n}\n"}, True),
    (circles, "a table", CALL_BACK | {"src/base/c.c": "const struct row c[SIZE] = {\n    {1, a},\n};\n"}, True),
    (circles, "names of its own", CALL_BACK | {"src/base/c.c": "static void a(void) {\n}\nvoid c(void) {\n    a();\n}\n"}, False),
    (circles, "a member, a comment", CALL_BACK | {"src/base/c.c": 'void c(void) {\n    x->a("a()"); // a()\n}\n'}, False),
    (banned, "src/base/a.c", "void f(char *a) { strcpy(a, b); }\n", True),
    (banned, "src/base/a.c", "void *f(void) { return malloc(1); }\n", True),
    (banned, "tests/unit/a.c", "int f(void) { return system (x); }\n", True),
    (banned, "src/base/memory.c", "void *f(void) { return malloc(1); }\n", False),
    (banned, "src/base/a.c", '// strcpy(a, b)\nconst char *s = "free(x)"; /* malloc(1) */ void f(void) { my_free(x); }\n', False),
    (banned, "src/operator/a.c", "void f(void) { execve(a, b, c); }\n", True),
    (banned, "src/base/file.c", "bool f(void) { return posix_spawn(a, b); }\n", True),
    (banned, "tests/unit/a.c", "void f(void) { fork(); fopen(a, b); }\n", False),
    (banned, "src/webhook/a.c", "int f(void) { return open(a, O_WRONLY); }\n", True),
    (banned, "src/base/file.c", "int f(void) { return open(a, O_WRONLY) + rename(a, b); }\n", False),
    (banned, "src/operator/a.c", "bool f(void) { return file_replace(a, b, c, e); }\n", True),
    (banned, "src/render/a.c", "bool f(void) { return file_replace(a, b, c, e); }\n", False),
    (banned, "src/crypto/a.c", "bool f(void) { return memcmp(a, b, 32) == 0; }\n", True),
    (banned, "src/base/clock.c", "bool f(void) { return memcmp(a, b, 32) == 0; }\n", False),
    (banned, "tests/unit/a.c", "bool f(void) { return memcmp(a, b, 32) == 0; }\n", False),
    (links, "docs/a.md", "[b](b.md)\n", True),
    (links, "page", {"docs/a.md": "[b](b.md#a-head)\n", "docs/b.md": "## Another\n"}, True),
    (links, "page", {"docs/a.md": "[b](b.md#a-head) [c](#c)\n# `C`\n", "docs/b.md": "## A head\n"}, False),
    (links, "comment", {"docs/a.md": "[b](b.md#x)\n", "docs/b.md": "```sh\n# x\n```\n"}, True),
    (sizes, "src/base/a.c", "int x;\n" * (sizes.FILE_LINES + 1), True),
    (sizes, "src/base/a.c", LONG, True),
    (sizes, "src/base/a.c", TANGLED, True),
    (sizes, "src/base/a.c", "int f(int x) {\n    return x;\n}\n", False),
    (portable, "README.md", "cd /" + "home/me\n", True),
    (portable, "Dockerfile", "deb http://deb." + "debian.org/debian\n", True),
    (reasons, "src/kinds/reasons.h", '#define REASON_USED_BY_NOBODY "UsedByNobody"\n', True),
    (reasons, reasons.DOCUMENT, "| `GivenByNobody` | x |\n", True),
    (reasons, reasons.DOCUMENT, "It says `spec.FIELD is not what it was`.\n", True),
    (reasons, "a quote", {reasons.DOCUMENT: "`spec.FIELD is as it was`, `kubectl get x`, `a.b: Fail`\n", "src/kinds/a.c": 'e("spec.%s is "\n "as it was");\n'}, False),
    (reasons, "src/kinds/a.c", 'void f(void) { report->reason = valid ? "SignatureValid" : other; }\n', True),
    (reasons, "src/operator/a.c", 'const struct event_content words = {true, "SecretLost", "Make", note, id};\n', True),
    (reasons, "src/operator/a.c", 'bool f(void) { return reason == "A" && {.action = "Make"}; }\n', False),
    (traps, traps.DOCUMENT, ROWS, False),
    (traps, traps.DOCUMENT, ROWS.replace("| 7 |", "| 77 |"), True),
    (traps, traps.DOCUMENT, ROWS.replace("does not apply", "so", 1), True),
    (traps, traps.DOCUMENT, ROWS.replace("| |", "| `test_trap_01_absent` |", 1), True),
    (portable, "README.md", "FROM debian:13, /usr/bin/env, ./" + "work/x\n", False),
]

# What ctest reports of one program, and what it counts for: passed, failed, skipped.
PROGRAMS = [
    ("run", "[ RUN      ] a\n[       OK ] a\n[ RUN      ] b\n[  SKIPPED ] b\n[==========]", (1, 0, 1)),
    ("fail", "[ RUN      ] a\n[  FAILED  ] a\n[==========]\n[  FAILED  ] group: 1 test(s)\n[  FAILED  ] a", (0, 1, 0)),
    ("fail", "[ RUN      ] a\n[       OK ] a\n[ RUN      ] crashes", (1, 1, 0)),
    ("fail", "[ RUN      ] a\n[       OK ] a\n[==========]\nLeakSanitizer", (1, 1, 0)),
    ("fail", "", (0, 1, 0)),
    ("notrun", "", (0, 1, 0)),
    ("run", "not of cmocka", (1, 0, 0)),
]


def faults():
    yield from check_faults()
    yield from counting_faults()
    yield from keeping_faults()


def check_faults():
    for check, name, text, bad in CASES:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder).resolve()
            for file, content in (text if isinstance(text, dict) else {name: text}).items():
                path = root / file
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
            subprocess.run(["git", "init", "--quiet", root], check=True)
            found = list(check.faults(root))
        if bad != bool(found):
            yield f"{check.__name__} on {name}: {str(text)[:60]!r}: {found or 'found nothing'}"


def counting_faults():
    path = pathlib.Path(__file__).resolve().parent.parent / "test.py"
    spec = importlib.util.spec_from_file_location("qubesec_test", path)
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.xml"
        for status, output, expected in PROGRAMS:
            report.write_text(
                f'<testsuite><testcase status="{status}"><system-out>{output}</system-out></testcase></testsuite>',
                encoding="utf-8",
            )
            counts = runner.read_ctest(report)
            if counts != runner.Counts(*expected):
                yield f"tools/test.py counts {counts} for {status}, {output!r}"
        yield from skipping_faults(runner, report)


SKIPPED = """<testsuite><testcase name="base/test_memory" status="run"><system-out>
[ RUN      ] a_freed_block_is_cleansed
[  SKIPPED ] a_freed_block_is_cleansed
[==========] heap: 1 test(s) run.
[  SKIPPED ] heap: 1 test(s), listed below:
[  SKIPPED ] a_freed_block_is_cleansed
</system-out></testcase>
<testcase name="test_one[a]" classname="tests.e2e.test_memory"><skipped/></testcase>
<testcase name="test_two" classname="tests.e2e.test_memory"/></testsuite>"""
HEAP, FOREIGN = "base/test_memory: a_freed_block_is_cleansed", "test_memory.py::test_one"


def skipping_faults(runner, report):
    report.write_text(SKIPPED, encoding="utf-8")
    names = list(runner.skipped_tests(report))
    if names != [HEAP, FOREIGN]:
        yield f"tools/test.py finds {names} skipped"
    for suite, expected in {"unit": [HEAP, FOREIGN], "unit-asan": [FOREIGN]}.items():
        allowed, unexpected = runner.skips.sort(names, suite)
        if unexpected != expected or allowed.total() + len(unexpected) != len(names):
            yield f"tools/skips.py refuses {unexpected} in {suite}"


# What changes before clang-tidy runs again, what it finds then, and whether it has to look at the file.
RUNS = [
    ("", "", ["a fault"], True),
    ("", "", [], True),
    ("", "", [], False),
    ("src/base/deep.h", "int y;\n", [], True),
    ("src/base/other.h", "int z;\n", [], False),
    (".clang-tidy", "Checks: -*\n", [], True),
]


def keeping_faults():
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, QUBESEC_CACHE=f"{folder}/cache"):
        root = pathlib.Path(folder).resolve() / "root"
        for name in (*tidy.SETTINGS, "src/base/deep.h", "src/base/other.h", "compile_commands.json"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("int x;\n", encoding="utf-8")
        (root / "src/base/a.h").write_text('#include "base/deep.h"\n', encoding="utf-8")
        (root / "src/base/a.c").write_text('#include "a.h"\n', encoding="utf-8")
        subprocess.run(["git", "init", "--quiet", root], check=True)
        for number, (name, text, found, looks) in enumerate(RUNS):
            if name:
                (root / name).write_text(text, encoding="utf-8")
            tool = mock.Mock(return_value=found)
            if tidy.faults(root, tool, "1", root) != found or tool.called != looks:
                yield f"clang-tidy, run {number + 1}: {'not looked at' if looks else 'looked at'}"
