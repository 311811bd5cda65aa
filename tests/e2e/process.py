"""The operator as a process of the tests: started, watched, stopped, and looked at when it has ended."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from api import PATIENCE, wait_until

SANITIZER_WORDS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:")
STOP_PATIENCE = 10.0  # what SIGTERM promises


class Operator:
    """One process; its log is a file."""

    def __init__(self, command, log, environment=None, user=None):
        self.log = log
        with open(log, "wb") as stream:
            self.process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, user=user, group=user,
                extra_groups=None if user is None else [],
                env={**os.environ, **(environment or {})},
            )  # fmt: skip
        self.pid = self.process.pid
        self.expected = 0  # the status that it is to end with

    def memory(self, what):
        """KiB of it, by /proc: VmRSS now, VmHWM at most."""
        status = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{what}:"))

    # Life

    def wait_started(self):
        wait_until(lambda: f"started:\n{self.tail()}", lambda: self.said("started") or self.ended())
        assert not self.ended(), f"the operator ended with status {self.process.returncode}:\n{self.tail()}"
        return self

    def wait_serving(self):
        """Until it is ready in Kubernetes' eyes: its webhook can answer."""
        return self.wait_for("/readyz")

    def wait_ready(self):
        """Until it serves and hears of all that it watches."""
        return self.wait_serving().wait_for("/readyz/watches")

    def wait_for(self, page):
        self.wait_started()
        wait_until(lambda: f"{page}: {self.answer(page)}\n{self.tail()}", lambda: self.answer(page)[0] == 200)
        return self

    def ended(self):
        return self.process.poll() is not None

    def stop(self, number=signal.SIGTERM):
        """Asks it to end; returns how many seconds that took."""
        started = time.monotonic()
        self.process.send_signal(number)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return time.monotonic() - started

    def kill(self):
        self.expected = -signal.SIGKILL
        self.process.kill()
        self.process.wait()

    def freeze_at_work(self, work):
        """Suspends it (SIGSTOP) in the midst of work: when work() is not empty, which it returns."""

        def probe():
            self.process.send_signal(signal.SIGSTOP)
            if not (found := work()):
                self.process.send_signal(signal.SIGCONT)
            return found

        return wait_until(lambda: f"it is at work:\n{self.tail()}", probe)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def faults(self):
        """What was wrong with a process that has ended."""
        if self.process.returncode != self.expected:
            yield f"{self.log}: the operator ended with status {self.process.returncode}:\n{self.tail()}"
        text = self.log.read_text(errors="replace")
        for word in SANITIZER_WORDS:
            if word in text:
                yield f"{self.log}: {text[text.index(word) :][:4000]}"

    # What it says

    def lines(self, since=0):
        """The log from byte since on, each line decoded; the last one may not be whole yet."""
        whole, _, _ = self.log.read_bytes()[since:].rpartition(b"\n")
        return [json.loads(line) for line in whole.splitlines()]

    def said(self, message, since=0):
        return [line for line in self.lines(since) if line["message"] == message]

    def tail(self, since=0):
        return "\n".join(self.log.read_bytes()[since:].decode(errors="replace").splitlines()[-40:])

    def answer(self, path):
        """Status and body of one of its own pages; status 0: no answer."""
        port = self.said("started")[0]["port"]
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def metrics(self):
        """Every sample by name and labels, as they are written; a line that is not of the text format is an error."""
        status, text = self.answer("/metrics")
        assert status == 200, text
        samples = {}
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = re.fullmatch(r"([a-z_]+)(\{.*\})? (\S+)", line).groups(default="")
                samples[name + labels] = float(value)
        return samples

    def total(self, name, labels=""):
        """The sum over a metric's samples whose labels have labels in them."""
        return sum(value for key, value in self.metrics().items() if key.partition("{")[0] == name and labels in key)

    def wait_forgotten(self, api):
        """Waits until it has seen that objects were deleted, and has none of them in hand any more."""
        wait_until("it has seen what was deleted", lambda: self.total("qubesec_objects") == api.count_ours())
        wait_until("it has nothing in hand", lambda: self.total("controller_runtime_active_workers") == 0)

    def settle(self):
        """Waits until it has had nothing to do for a while, so that whatever was to happen has happened."""

        def state():
            busy = self.total("workqueue_depth") + self.total("controller_runtime_active_workers")
            return busy, self.total("controller_runtime_reconcile_total")

        def probe():
            before = state()
            time.sleep(0.6)
            return before[0] == 0 and before == state()

        wait_until("the operator has nothing to do", probe)


class Operators:
    """All processes of the operator in a run; only one of them serves at a time."""

    def __init__(self, binary, kubeconfig, folder):
        self.binary = binary
        self.kubeconfig = kubeconfig
        self.folder = folder
        self.all = []
        self.current = None
        self.kept = None  # the flags of default(), if it is that one

    @property
    def sanitized(self):
        program = self.binary.read_bytes()
        return b"__asan_init" in program or b"__tsan_init" in program

    def command(self, *flags, kubeconfig=None, program=None):
        return [
            *(program or [self.binary, "operator"]),
            "--kubeconfig", kubeconfig or self.kubeconfig,
            "--bind-address", "127.0.0.1:0",
            "--namespace", "qubesec-system",
            "--log-level", "debug",
            "--leader-elect=false",
            "--termination-grace-period=9s",
            *flags,
        ]  # fmt: skip

    def spawn(self, command, **options):
        """Starts a process in place of the one that runs."""
        self.stop()
        self.kept = None
        self.current = Operator(command, self.folder / f"operator-{len(self.all)}.log", **options)
        self.all.append(self.current)
        return self.current

    def start(self, *flags, kubeconfig=None, program=None, **options):
        return self.spawn(self.command(*flags, kubeconfig=kubeconfig, program=program), **options)

    def default(self, *flags):
        """The one with the usual flags and these, started if it does not run."""
        if self.current is None or self.kept != flags or self.current.ended():  # close() tells of one that broke off
            self.start(*flags).wait_ready()
            self.kept = flags
        return self.current

    def stop(self):
        current, self.current = self.current, None
        if current is not None and not current.ended():
            current.stop()

    def close(self):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.stop()
        found = [fault for one in self.all for fault in one.faults()]
        assert not found, "\n\n".join(found)
