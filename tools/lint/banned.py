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
    "yyjson_obj_foreach": "yyjson_obj_iter_with: the macro adds to a null pointer where there is no object",
    "CRYPTO_secure_malloc_init": "base/secret.h: OpenSSL's secure heap has crashed with ML-DSA keys",
    "gmtime localtime asctime ctime": "the _r form, since threads share the plain one's buffer",
}
# Comparing bytes tells by its time how many are alike.
COMPARE = "memcmp bcmp CRYPTO_memcmp timingsafe_bcmp"
COMPARE_PUBLIC = {  # where nothing secret is compared, and what is
    "src/base/clock.c": "dates",
    "src/crypto/certificate.c": "serial numbers and key identifiers",
    "src/json/read.c": "keys and values of specs",
    "src/net/http_crowd.c": "addresses of clients",
    "src/runtime/list_items.c": "a key",
    "src/kube/server_words_alike.c": "what is shown",
    "src/reconcile/secret_metadata.c": "names of labels and annotations",
    "src/webhook/certificate.c": "certificates",
}
# What only some of src/ may call (files, or folders with all in them), and what the others do instead.
CONFINED = [
    (
        "malloc calloc realloc reallocarray free strdup strndup asprintf vasprintf",
        ("src/base/memory.c",),
        "base/memory.h",
    ),
    (
        "fork _Fork vfork clone clone3 syscall execl execle execlp execv execve execvp execvpe execveat fexecve "
        "posix_spawn posix_spawnp",
        ("src/cli/plugin.c",),  # which the operator is never given
        "nothing: the program starts no other, but for credential plug-ins in src/cli/plugin.c",
    ),
    (
        "open open64 openat creat fopen fdopen freopen tmpfile mkstemp mkostemp mkdtemp mkdir mkdirat mknod mkfifo "
        "rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat rmdir remove truncate shm_open "
        "memfd_create BIO_new_file BIO_new_fp",
        ("src/base/file.c", "src/render/state.c"),  # the latter opens a folder, to lock it
        "base/file.h",
    ),
    (
        "plugin_runner_create kube_config_load_with kube_session_open",
        ("src/cli/plugin", "src/cli/check.c", "src/cli/request.c", "src/check/check.c", "src/kube/config", "src/kube/session"),
        "kube_config_load: only what people call at a desk starts credential plug-ins",
    ),
    (
        "file_replace file_make_folder",
        ("src/base/file.c", "src/base/file.h", "src/render/"),
        "nothing: only qubesec render writes files",
    ),
]


def call_of(names):
    # Not a longer name, a member (x.free, x->free), or a declaration's own field.
    return re.compile(rf"(?<![\w.>])({'|'.join(names.split())})\s*\(")


def faults(root):
    rules = [(call_of(names), instead) for names, instead in BANNED.items()]
    confined = [(call_of(names), homes, instead) for names, homes, instead in CONFINED]
    compare = (call_of(COMPARE), "secret_equals (base/secret.h), or COMPARE_PUBLIC in tools/lint/banned.py")
    for path in source.c_files(root):
        name = str(path.relative_to(root))
        here = list(rules)
        if name.startswith("src/"):
            here += [(call, instead) for call, homes, instead in confined if not name.startswith(homes)]
            here += [compare] if name not in COMPARE_PUBLIC else []
        for number, line in source.code_lines(path.read_text(encoding="utf-8")):
            for call, instead in here:
                for match in call.finditer(line):
                    yield f"{name}:{number}: {match.group(1)}: use {instead}"
