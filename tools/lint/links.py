"""Links of the documentation lead to a file that is there, and to a heading that it has."""

import re

import source

LINK = re.compile(r"\]\(([^)\s]+)\)")
TEXT_OF_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def faults(root):
    for page in [path for path in source.repository_files(root) if path.suffix == ".md"]:
        for link in LINK.findall(without_code(page.read_text(encoding="utf-8"))):
            if "://" in link or link.startswith("mailto:"):
                continue
            name, _, anchor = link.partition("#")
            there = (page.parent / name).resolve() if name else page
            if not there.exists():
                yield f"{page.relative_to(root)}: {link}: there is no such file"
            elif anchor and there.suffix == ".md" and anchor not in anchors(there):
                yield f"{page.relative_to(root)}: {link}: there is no such heading"


def without_code(text):
    """The page without its fenced blocks, whose # is a comment."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(page):
    headings = re.findall(r"^#+ +(.*)$", without_code(page.read_text(encoding="utf-8")), re.MULTILINE)
    return {anchor_of(heading) for heading in headings}


def anchor_of(heading):
    """As the usual viewers of Markdown name it."""
    plain = TEXT_OF_LINK.sub(r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
