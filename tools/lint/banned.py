"""Calls that have no place in this code, and what to use instead."""

import re

import source

BANNED = {
    "strcpy strcat sprintf vsprintf gets strtok": "a capped buffer (base/buffer.h) or snprintf",
    "atoi atol atoll atof sscanf": "strtol and its kin, which tell a bad number",
    "alloca": "base/memory.h",
    "system popen": "nothing: the program starts no other",
    "rand srand random drand48": "crypto/random.h or base/clock.h",
    "tmpnam tempnam mktemp": "mkstemp",
    "CRYPTO_secure_malloc_init": "base/secret.h: OpenSSL's secure heap has crashed with ML-DSA keys",
    "gmtime localtime asctime ctime": "the _r form, since threads share the plain one's buffer",
}
MEMORY = "malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf"
MEMORY_HOME = "src/base/memory.c"


def call_of(names):
    # Not a longer name, a member (x.free, x->free), or a declaration's own field.
    return re.compile(rf"(?<![\w.>])({'|'.join(names.split())})\s*\(")


def faults(root):
    rules = [(call_of(names), instead) for names, instead in BANNED.items()]
    memory = (call_of(MEMORY), f"base/memory.h (only {MEMORY_HOME} may call it)")
    for path in source.c_files(root):
        name = str(path.relative_to(root))
        here = rules + [memory] if name.startswith("src/") and name != MEMORY_HOME else rules
        for number, line in source.code_lines(path.read_text(encoding="utf-8")):
            for call, instead in here:
                for match in call.finditer(line):
                    yield f"{name}:{number}: {match.group(1)}: use {instead}"
