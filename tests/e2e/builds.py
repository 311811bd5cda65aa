"""Which tests of this folder run in which build, and why.

There are three builds: release; asan, with AddressSanitizer and UndefinedBehaviorSanitizer; and tsan, with ThreadSanitizer. A test
runs in all of them unless a row below says otherwise. A row is for a file or for one test of it ("FILE::TEST"), which wins over its
file's. POSSIBLE says where a test can run at all, and holds always. SHORT says where `make test` runs it: a test that would only do
again under a sanitizer what another one does there is left out. `make test-all` runs every test wherever it can run, and so does
pytest by itself; tools/test.py asks for the short form with QUBESEC_TESTS=short.

What a build does not run is deselected, not skipped: pytest counts it.
"""

import os
import pathlib
import re

import pytest

RELEASE, ASAN, TSAN = "release", "asan", "tsan"
ALL = (RELEASE, ASAN, TSAN)
SHORT_FORM = os.environ.get("QUBESEC_TESTS") == "short"
FOLDER = pathlib.Path(__file__).parent

FREED = ((RELEASE,), "a sanitizer keeps what was freed")
MEASURED = ((RELEASE,), "a sanitizer's memory is another one")
ELSEWHERE = ((RELEASE,), "it has a control plane of its own, and its operator is the release build's")

POSSIBLE = {
    "test_budgets.py": ((RELEASE,), "valgrind and sanitizers exclude each other"),
    "test_failpoints.py": ((ASAN, TSAN), "only builds with a sanitizer have failpoints"),
    "test_guides.py::test_installing": ELSEWHERE,
    "test_guides.py::test_the_first_steps": ELSEWHERE,
    "test_image.py": ((RELEASE,), "the image has the program of the release build"),
    "test_lists.py": MEASURED,
    "test_memory.py::test_memory_image_holds_no_key": FREED,
    "test_memory.py::test_memory_image_holds_no_version_of_a_rotated_key": FREED,
    "test_memory.py::test_memory_image_holds_only_the_webhook_key_in_use": FREED,
    "test_playground.py": ELSEWHERE,
    "test_toy_kind.py::test_a_leak_would_be_found": ((ASAN,), "only AddressSanitizer looks for leaks"),
}

NO_OPERATOR = ((RELEASE,), "no operator takes part, or only to be there")
SAME_CODE = ((RELEASE,), "other tests take the same code through both sanitizers; here it is looked at from outside")
MEMORY = ((RELEASE, ASAN), "one object after the other, by what comes in and goes out: of memory, not of threads")
THREADS = ((RELEASE, TSAN), "many at once, starts and ends: of threads, and what is read and written is that of other tests")
LONG = ((), "it takes a minute, and a unit test has the same list, on a server that is none")
EVERYWHERE = (ALL, "in its file it is the one with the threads")

SHORT = {
    "test_admission_schema.py": NO_OPERATOR,
    "test_agreement.py": MEMORY,
    "test_agreement.py::test_the_schema_refuses_what_it_must": NO_OPERATOR,
    "test_audit.py": SAME_CODE,
    "test_audit.py::test_nothing_secret_is_told": MEMORY,
    "test_audit.py::test_what_is_made_at_once_costs_no_more": EVERYWHERE,
    "test_certificates.py": MEMORY,
    "test_check.py": MEMORY,
    "test_check.py::test_the_webhook_of_the_operator": EVERYWHERE,
    "test_cli.py": ((RELEASE, ASAN), "it has one thread"),
    "test_crash.py": THREADS,
    "test_describe.py": MEMORY,
    "test_desk.py": ((RELEASE, ASAN), "it has one thread"),
    "test_failpoints.py": ((ASAN,), "what a crash leaves does not depend on the sanitizer"),
    "test_gitops.py": SAME_CODE,
    "test_guides.py": SAME_CODE,
    "test_handshakes.py": SAME_CODE,
    "test_inputs.py": MEMORY,
    "test_install.py": NO_OPERATOR,
    "test_leader.py": THREADS,
    "test_lifecycle.py": MEMORY,
    "test_lists.py::test_trap_20_two_hundred_thousand_of_others_do_not_raise_the_peak": LONG,
    "test_memory.py": SAME_CODE,
    "test_monitoring.py": SAME_CODE,
    "test_outputs.py": MEMORY,
    "test_policies.py": NO_OPERATOR,
    "test_promises.py": MEMORY,
    "test_render.py": ((RELEASE, ASAN), "it has one thread"),
    "test_request.py": MEMORY,
    "test_restores.py": SAME_CODE,
    "test_rollover.py": SAME_CODE,
    "test_rotation.py": SAME_CODE,
    "test_scale.py": THREADS,
    "test_signatures.py": MEMORY,
    "test_signatures.py::test_slow_work_holds_up_nothing_else": EVERYWHERE,
    "test_tenants.py": MEMORY,
    "test_tenants.py::test_many_objects_hold_up_no_other_namespace": EVERYWHERE,
    "test_tenants.py::test_use_lends_every_kind_and_shows_nothing": EVERYWHERE,
    "test_tls.py": SAME_CODE,
    "test_trust_bundle.py": MEMORY,
    "test_upgrade.py": MEMORY,
    "test_webhook_certificate.py": THREADS,
    "test_webhook_certificate.py::test_trap_23_mounted_certificate_is_followed": SAME_CODE,
}


def build_of(binary):
    """Of the program itself, wherever it lies."""
    if not binary.is_file():
        raise pytest.UsageError(f"there is no {binary}: make build")
    program = binary.read_bytes()
    return ASAN if b"__asan_init" in program else TSAN if b"__tsan_init" in program else RELEASE


def runs(file, test, build, short):
    """Whether the build runs that test."""
    tables = (POSSIBLE, SHORT) if short else (POSSIBLE,)
    rows = (table.get(f"{file}::{test}", table.get(file, (ALL, ""))) for table in tables)
    return all(build in builds for builds, _ in rows)


def unknown_rows():
    """The rows that name no test: it has gone, or has another name."""
    for row in {**POSSIBLE, **SHORT}:
        file, _, test = row.partition("::")
        path = FOLDER / file
        tests = re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE) if path.exists() else []
        if not tests or (test and test not in tests):
            yield row


def deselect(config, items, binary):
    """Leaves out of a run of this folder's tests what the build does not run; all others stay."""
    build = build_of(binary)
    kept, left = [], []
    for item in items:
        own = item.path.parent != FOLDER or runs(item.path.name, item.originalname, build, SHORT_FORM)
        (kept if own else left).append(item)
    items[:] = kept
    if left:
        config.hook.pytest_deselected(items=left)
