"""The processes a measurement starts: the target and what is measured. Each is ended by its pid, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from subprocess import PIPE

from benchmarks.arrivals import Arrival, read_log
from benchmarks.machine import Cores, pin

CHECKOUT = Path(__file__).parent.parent
LISTENING = "listening on http://"


class DidNotStart(Exception):
    """A process ended, or said nothing, before it was ready."""


class DidNotLast(Exception):
    """A process ended by itself, and before it was asked to."""


@dataclass(frozen=True, slots=True)
class Target:
    """A running receiver. `log` may be read at any time; what came in less than 0.1 s ago may be missing from it."""

    pid: int
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def arrivals(self) -> list[Arrival]:
        return read_log(self.log)


@contextmanager
def running_receiver(log: Path, *, cpu: Cores = None, status: int = 200, port: int = 0) -> Iterator[Target]:
    """A receiver in a process of its own, stopped (and its log complete) when the block ends."""
    arguments = ["--log", str(log), "--port", str(port), "--status", str(status)]
    with running([sys.executable, "-m", "benchmarks.receiver", *arguments], cpu=cpu) as process:
        line = wait_for_line(process, LISTENING, seconds=20)
        yield Target(process.pid, port_in(line), log)


@contextmanager
def running(
    command: Sequence[str],
    *,
    cpu: Cores = None,
    patience: float = 15,
    errors: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[str]]:
    """Start in the checkout; at the end SIGTERM, and SIGKILL for what is still there `patience` seconds later.

    Standard output is a pipe to be read with `wait_for_line`; standard error goes to `errors`, or to ours.
    `environment` comes on top of ours.
    """
    with errors.open("w") if errors else nullcontext() as stderr:
        process = subprocess.Popen(
            command, cwd=CHECKOUT, env={**os.environ, **(environment or {})}, stdout=PIPE, stderr=stderr, text=True
        )
    pin(cpu, process.pid)
    try:
        yield process
    finally:
        stop(process, patience)
        assert process.stdout is not None
        process.stdout.close()


def stop(process: subprocess.Popen[str], patience: float) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait(patience)


def wait_for_line(process: subprocess.Popen[str], containing: str, *, seconds: float) -> str:
    """The first line of standard output that holds `containing`. What follows is read and dropped, so that the
    process never waits for a full pipe."""
    found: SimpleQueue[str | None] = SimpleQueue()
    said: list[str] = []

    def read() -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                said[20:] = [line]
                if containing in line:
                    found.put(line)
        except ValueError:  # closed under us, when the process was stopped
            pass
        found.put(None)

    threading.Thread(target=read, daemon=True).start()
    try:
        line = found.get(timeout=seconds)
    except Empty:
        line = None
    if line is None:
        raise DidNotStart(f"{process.args!r} never said {containing!r}; it said {''.join(said)!r}")
    return line


def port_in(line: str) -> int:
    """The port of the last URL in a line such as `listening on http://127.0.0.1:8080`."""
    return int(line.rsplit(":", 1)[1].strip().rstrip("/"))
