"""The processes of a trial: servers that are there to be killed, and the receiver that is not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LISTENING = "listening on "
START_SECONDS = 180.0
"""Far more than a start takes on a busy machine; a deadline, not a wait."""

STOP_SECONDS = 90.0


def now() -> int:
    """µs since the epoch."""
    return time.time_ns() // 1_000


class Unexpected(Exception):
    """A process did what it never should: it died by itself, or did not come up or go down in time."""


class Child:
    """One process of ours. Its output goes to a file; the line that says where it listens is the sign that it is up."""

    def __init__(
        self, name: str, module: str, arguments: Iterable[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self.started_at = now()
        self.listening_at: int | None = None
        self.url = ""
        self.was_ended = False
        self.is_frozen = False
        self._up = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self._reader = threading.Thread(target=self._read_output, name=f"output of {name}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_up(self) -> bool:
        """Whether it listens, and nobody ended it or keeps it from running."""
        return self._up.is_set() and bool(self.url) and not self.was_ended and not self.is_frozen

    @property
    def died(self) -> bool:
        """Whether it ended though nobody ended it."""
        return not self.was_ended and self._process.poll() is not None

    def wait_until_up(self) -> None:
        """Until it says that it listens."""
        if not self._up.wait(START_SECONDS):
            raise Unexpected(f"{self.name} did not listen within {START_SECONDS:.0f} s; see {self.log}")
        if not self.url and not self.was_ended:
            raise Unexpected(f"{self.name} ended with {self._process.wait()} before it listened; see {self.log}")

    def freeze(self) -> None:
        """SIGSTOP: it does nothing at all until `thaw`, and does not know it."""
        self.is_frozen = True
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._process.send_signal(signal.SIGCONT)
        self.is_frozen = False

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        self.was_ended = True
        self._process.kill()
        self._finish()

    def stop(self) -> int:
        """SIGTERM, and the code it exits with."""
        self.was_ended = True
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Unexpected(f"{self.name} did not stop within {STOP_SECONDS:.0f} s; see {self.log}") from None
        return self._finish()

    def _finish(self) -> int:
        code = self._process.wait()
        self._reader.join()
        return code

    def _read_output(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("a", encoding="utf-8") as log, self._process.stdout as output:
            for line in output:
                if not self.url and LISTENING in line:
                    self.url = line.partition(LISTENING)[2].split()[0]
                    self.listening_at = now()
                    self._up.set()
                log.write(line)
                log.flush()
        self._up.set()  # nobody is to wait for a process that is gone


def start_server(name: str, database_url: str, log: Path, timeout_s: float) -> Child:
    """The real program, headless, on a free port of loopback; others take it for dead after `timeout_s` of silence."""
    arguments = ["--serve", "--host", "127.0.0.1", "--port", "0", "--db", database_url]
    return Child(name, "tui_scheduler", arguments, log, {"TUI_SCHEDULER_NODE_TIMEOUT_S": str(timeout_s)})


def start_receiver(log: Path, output: Path) -> Child:
    """The target of all jobs, logging to `log`."""
    receiver = Child("receiver", "benchmarks.receiver", ["--port", "0", "--log", str(log)], output)
    receiver.wait_until_up()
    return receiver
