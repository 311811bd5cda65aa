"""What is in the program, and what is not; and which tests run in which build."""

import builds
from failpoints import NAMES, VARIABLE
from fixtures import BINARY

SANITIZERS = (b"__asan_init", b"__tsan_init")


def test_only_a_build_for_tests_has_failpoints():
    content = BINARY.read_bytes()
    expected = {VARIABLE, *NAMES} if any(mark in content for mark in SANITIZERS) else set()
    assert {name for name in (VARIABLE, *NAMES) if name.encode() in content} == expected
    assert len(NAMES) == 9, "they are read from the header"


def test_every_row_of_the_builds_names_a_test():
    assert list(builds.unknown_rows()) == []


def test_a_row_of_a_test_wins_over_its_files_and_without_one_all_run():
    def where(*test, short=True):
        return tuple(build for build in builds.ALL if builds.runs(*test, build, short))

    assert where("test_new.py", "test_new") == builds.ALL
    assert where("test_crash.py", "test_new") == (builds.RELEASE, builds.TSAN)
    assert where("test_crash.py", "test_new", short=False) == builds.ALL
    assert where("test_audit.py", "test_nothing_secret_is_told") == (builds.RELEASE, builds.ASAN)
    assert where("test_failpoints.py", "test_new") == (builds.ASAN,)
    assert where("test_failpoints.py", "test_new", short=False) == (builds.ASAN, builds.TSAN)
    assert where("test_guides.py", "test_installing", short=False) == (builds.RELEASE,)
