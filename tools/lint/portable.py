"""Nothing in the repository knows the machine it was written on: no such path, no package registry's host."""

import re

import source

# Put together here, so that this file does not find itself.
HOSTS = ("deb." + "debian.org", "proxy." + "golang.org", "sum." + "golang.org", "pypi." + "org", "registry." + "npmjs.org")
HOMES = ("/" + "root/", "/" + "home/", "/" + "Users/", "/" + "work/")
FOUND = re.compile("|".join([*map(re.escape, HOSTS), *(rf"(?<![\w.$}}/-]){re.escape(home)}" for home in HOMES)]))


def faults(root):
    for path in source.repository_files(root):
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # not text
        for number, line in enumerate(text.split("\n"), start=1):
            for match in FOUND.finditer(line):
                yield f"{path.relative_to(root)}:{number}: {match.group()}"
