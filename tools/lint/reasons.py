"""The reasons of conditions and Events: those of src/*/reasons.h are used, explained, and the only ones.

docs/reference/conditions.md has a row for each, and for no other. Code names them by their macros. What the page quotes of a
message the code says in these words.
"""

import re

import links
import source

DOCUMENT = "docs/reference/conditions.md"
DEFINED = re.compile(r'^#define (REASON_\w+) "([^"]*)"', re.MULTILINE)
EXPLAINED = re.compile(r"^\| `([A-Z][\w<>]*)` \|", re.MULTILINE)
# A literal in place of a macro: x->reason = "A", .reason = c ? "A" : "B", {true, "A", ...} of struct event_content.
QUOTED = re.compile(r"`([A-Za-z(][^`]* [^`]*)`")
NO_MESSAGE = re.compile(r"(kubectl|helm) |[\w.]+: \w+$")  # a command, a setting
OF_OTHERS = ("(x5 over 3m)", "tls: failed to parse private key")
LITERAL = re.compile(r'(?:reason\s*=(?!=)[^;,]*?|event_content\s*\w*\)?\s*=?\s*\{[^,".]+,\s*)"([A-Z]\w+)"')


def faults(root):
    reasons, code = {}, ""
    for path in source.c_files(root, "src"):
        text = path.read_text(encoding="utf-8")
        if path.name == "reasons.h":
            reasons |= {macro: value.replace("%s", "<Kind>") for macro, value in DEFINED.findall(text)}
            continue
        code += text
        for match in LITERAL.finditer(text):
            line = text[: match.end()].count("\n") + 1
            yield f'{path.relative_to(root)}:{line}: "{match.group(1)}": name it in reasons.h'
    page = (root / DOCUMENT).read_text(encoding="utf-8") if (root / DOCUMENT).exists() else ""
    said = re.sub(r'"\s*"', "", code)  # literals that are continued in the next line
    for quote in QUOTED.findall(" ".join(links.without_code(page).split())):
        words = re.sub(r"[A-Z]{4,}", "%s", quote).strip("()")  # FIELD, NAME
        if quote not in OF_OTHERS and not NO_MESSAGE.match(quote) and words not in said:
            yield f"{DOCUMENT}: {quote}: no message says so"
    for macro in sorted(set(reasons) - set(re.findall(r"\bREASON_\w+", code))):
        yield f"reasons.h: {macro} is not used"
    explained = set(EXPLAINED.findall(page))
    for value in sorted(set(reasons.values()) - explained):
        yield f"{DOCUMENT}: {value} is missing"
    for value in sorted(explained - set(reasons.values())):
        yield f"{DOCUMENT}: {value} is given by nobody"
