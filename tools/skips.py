"""Which tests may be skipped, where, and why. Any other skip fails its suite: what is not run shows nothing.

A row is for one test ("PROGRAM: TEST" of cmocka, "FILE::TEST" of pytest), or for all of a program or file, and says when they may.
"""

import collections
import dataclasses
import os
import pathlib
import resource
import sys
import typing

VECTORS = pathlib.Path(__file__).resolve().parent.parent.parent / "shared" / "vectors"  # where QUBESEC_VECTORS names no other
SANITIZERS = ("-asan", "-tsan")
FILES_NEEDED = 4100  # of a process that has both ends of a thousand connections


@dataclasses.dataclass(frozen=True)
class Row:
    tests: tuple
    when: typing.Callable  # of the suite's name
    why: str


def name_vectors():
    """Names the folder of test vectors to the tests, wherever these run; one that somebody named has to be there."""
    named = os.environ.get("QUBESEC_VECTORS") or (str(VECTORS) if VECTORS.is_dir() else None)
    if named and not os.path.isdir(named):
        sys.exit(f"QUBESEC_VECTORS: there is no folder {named}")
    if named:
        os.environ["QUBESEC_VECTORS"] = os.path.abspath(named)


def vectors_are_absent(_):
    return not os.environ.get("QUBESEC_VECTORS") and not VECTORS.is_dir()


def is_sanitized(suite):
    return suite.endswith(SANITIZERS)


def is_not_root(_):
    return os.geteuid() != 0


def has_no_maps(_):
    return not pathlib.Path("/proc/self/smaps").exists()


def has_few_files(_):
    return 0 <= resource.getrlimit(resource.RLIMIT_NOFILE)[1] < FILES_NEEDED


ALLOWED = (
    Row(("crypto/test_vectors",), vectors_are_absent, "there are no test vectors (QUBESEC_VECTORS)"),
    Row(
        (
            "base/test_memory: a_freed_block_is_cleansed",
            "base/test_memory: a_block_that_moves_is_cleansed",
            "base/test_memory: a_failure_is_remembered_once",
        ),
        is_sanitized,
        "the heap is the sanitizer's",
    ),
    Row(
        (
            "net/test_http_secrets: the_scan_finds_what_is_there",
            "net/test_http_secrets: what_was_received_is_gone",
            "net/test_http_secrets: what_was_sent_is_gone",
            "net/test_http_secrets: what_was_refused_is_gone",
        ),
        is_sanitized,
        "the memory of a sanitizer is too large to look through",
    ),
    Row(("base/test_secret: it_is_left_out_of_core_dumps",), has_no_maps, "the kernel tells nothing of mappings"),
    Row(("net/test_https_server: a_thousand_idle_connections_are_harmless",), has_few_files, "there are too few file descriptors"),
    Row(
        (
            "test_memory.py::test_memory_is_closed_to_the_operators_own_user",
            "test_image.py::test_a_sample_succeeds",
            "test_image.py::test_no_path_is_writable",
            "test_image.py::test_the_process_has_nothing_else",
        ),
        is_not_root,
        "only root starts the operator as another user",
    ),
    Row(("test_tls.py::test_trap_57_only_the_configured_ca_is_trusted",), is_not_root, "only root can mount a trust store of its own"),
)


def row_of(test, suite):
    """The row that allows the test to be skipped in that suite, or None."""
    whole = test.partition("::")[0] if "::" in test else test.partition(": ")[0]
    return next((row for row in ALLOWED if {test, whole} & set(row.tests) and row.when(suite)), None)


def sort(tests, suite):
    """How many of the skipped tests each reason allows, and which ones none does."""
    allowed, unexpected = collections.Counter(), []
    for test in tests:
        if row := row_of(test, suite):
            allowed[row.why] += 1
        else:
            unexpected.append(test)
    return allowed, unexpected
