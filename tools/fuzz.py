#!/usr/bin/env python3
"""make fuzz: runs each fuzz target of tests/fuzz for a while and says how far it got; fails where one found something.

  tools/fuzz.py              all targets, FUZZ_SECONDS (60) seconds each, as many at once as there are cores
  FUZZ_TARGETS="json san"    only these

What a target starts from is its folder in tests/fuzz/corpus, and what it finds on the way is kept in .local/fuzz for the
next time. The targets are built already (make build-fuzz). Run it through tools/toolbox.sh.
"""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parent.parent
BUILD = CHECKOUT / ".local" / "build" / "fuzz"
FOUND = CHECKOUT / ".local" / "fuzz"
SOURCES = CHECKOUT / "tests" / "fuzz"
LENGTH_MAX = 4096  # bytes of an input, where the table below has no other
LENGTHS = {"certificate": 16384, "identity": 16384, "private_key": 8192, "public_key": 8192,
           "duration": 64, "timestamp": 64, "cron": 128, "time_zone": 1024, "san": 2200, "ciphertext": 3200, "signature": 17088, "slh_dsa_key": 1024,
           "check": 16384, "webhook_secret": 8192, "state": 49152}  # fmt: skip
DICTIONARIES = {"spec": "spec", "admission": "spec", "watch": "watch", "kubeconfig": "kubeconfig",
                "http_server": "http", "https_server": "http", **dict.fromkeys((
                    "access_review", "check", "input_entry", "lease", "list_page", "output", "provenance", "secret_metadata", "state",
                    "status_error", "webhook_configuration", "webhook_secret",
                ), "objects")}  # fmt: skip
INPUT_SECONDS, MEMORY_MB = 25, 1024  # of one input, on a busy machine; of one process
SHOWN_LINES = 60
TELLING = re.compile(r"this does not hold|ERROR: |runtime error: ")
# addr2line comes with gcc, and tells the lines as well as LLVM's own symbolizer, which is a package of its own.
SANITIZERS = {
    "ASAN_OPTIONS": f"quarantine_size_mb=64:external_symbolizer_path={shutil.which('addr2line') or ''}",
    "UBSAN_OPTIONS": "print_stacktrace=1",
}


@dataclasses.dataclass
class Result:
    name: str
    seconds: int = 0
    runs: int = 0
    coverage: int = 0
    features: int = 0
    inputs: int = 0
    found: tuple = ()
    ended: int = 0
    log: pathlib.Path = None

    @property
    def good(self):
        """It ended well, and did run: a target that did nothing has found nothing either."""
        return self.ended == 0 and not self.found and self.runs > self.inputs > 0


def command(name, seconds):
    kept, crashes = FOUND / "corpus" / name, FOUND / "crashes" / name
    kept.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    words = [f"-dict={SOURCES / 'dictionaries' / DICTIONARIES[name]}.dict"] if name in DICTIONARIES else []
    return [
        BUILD / f"fuzz_{name}", f"-max_total_time={seconds}", f"-max_len={LENGTHS.get(name, LENGTH_MAX)}",
        f"-timeout={INPUT_SECONDS}", f"-report_slow_units={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}",
        f"-artifact_prefix={crashes}/", "-print_final_stats=1", *words, kept, SOURCES / "corpus" / name,
    ]  # fmt: skip


def last_number(pattern, text):
    numbers = re.findall(pattern, text)
    return int(numbers[-1]) if numbers else 0


def run(name, seconds):
    """Runs one target; what it found before, and nobody has looked at yet, counts again."""
    log = FOUND / f"{name}.log"
    with open(log, "w", encoding="utf-8") as file:
        words = [str(word) for word in command(name, seconds)]
        ended = subprocess.run(
            words, cwd=FOUND, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False,
            env={**os.environ, **SANITIZERS},
        )  # fmt: skip
    text = log.read_text(encoding="utf-8", errors="replace")
    result = Result(
        name, seconds, last_number(r"stat::number_of_executed_units:\s*(\d+)", text), last_number(r"cov: (\d+)", text),
        last_number(r"ft: (\d+)", text), last_number(r"corp: (\d+)", text),
        tuple(sorted((FOUND / "crashes" / name).iterdir())), ended.returncode, log,
    )  # fmt: skip
    print(
        f"{name:<21} {result.runs / max(seconds, 1):>9.0f} runs/s {result.coverage:>6} edges {result.features:>6} features "
        f"{result.inputs:>5} inputs  {'good' if result.good else 'FAILED'}", flush=True,
    )  # fmt: skip
    return result


def explain(result):
    lines = result.log.read_text(encoding="utf-8", errors="replace").splitlines()
    telling = (number for number, line in enumerate(lines) if TELLING.search(line))
    first = next(telling, max(len(lines) - SHOWN_LINES, 0))
    print(f"\n== {result.name} ended with {result.ended}; from {result.log.relative_to(CHECKOUT)}:")
    print("\n".join(lines[first : first + SHOWN_LINES]))
    for path in result.found:
        file = path.relative_to(CHECKOUT)
        program = f"tools/toolbox.sh run .local/build/fuzz/fuzz_{result.name}"
        print(
            f"\nto see it again:  {program} {file}\n"
            f"to make it small: {program} -minimize_crash=1 -runs=100000 -exact_artifact_path={file}.small {file}\n"
            f"to keep it:       mv {file} tests/fuzz/corpus/{result.name}/WHAT_IT_IS\n"
            "and mend what it shows; make test runs it from then on"
        )


def main():
    seconds = int(os.environ.get("FUZZ_SECONDS") or 60)
    names = sorted(path.stem.removeprefix("fuzz_") for path in SOURCES.glob("fuzz_*.c"))
    wanted = (os.environ.get("FUZZ_TARGETS") or " ".join(names)).split()
    if not set(wanted) <= set(names):
        sys.exit(f"there are these targets: {' '.join(names)}")
    FOUND.mkdir(parents=True, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda name: run(name, seconds), wanted))
    failed = [result for result in results if not result.good]
    for result in failed:
        explain(result)
    print(f"{len(results) - len(failed)} passed, {len(failed)} failed, 0 skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
