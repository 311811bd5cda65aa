"""What is in the program, and what is not."""

from failpoints import NAMES, VARIABLE
from fixtures import BINARY

SANITIZERS = (b"__asan_init", b"__tsan_init")


def test_only_a_build_for_tests_has_failpoints():
    content = BINARY.read_bytes()
    expected = {VARIABLE, *NAMES} if any(mark in content for mark in SANITIZERS) else set()
    assert {name for name in (VARIABLE, *NAMES) if name.encode() in content} == expected
    assert len(NAMES) == 7, "they are read from the header"
