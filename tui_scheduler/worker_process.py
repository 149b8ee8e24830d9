"""A worker as the server sees it: a process that is handed its orders and listened to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import IO, cast

from tui_scheduler.worker_talk import WAKE, Word, heard


def _is_from_here() -> bool:
    """Whether this process takes modules from its working folder, as with `python -m`."""
    try:
        return os.getcwd() in sys.path
    except FileNotFoundError:
        return False


COMMAND = [sys.executable, *([] if _is_from_here() else ["-P"]), "-m", "tui_scheduler.worker"]


class WorkerProcess:
    """Started when it is made, fresh and not as a copy of this process, whose threads and connections it must not
    have. `orders` is the first line for it.

    It is in a process group of its own: Ctrl+C in a terminal is for the server, which then stops its workers in order.
    """

    def __init__(self, orders: bytes) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this program itself
            COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            process_group=0,
        )
        self._guard = threading.Lock()
        self._orders: IO[bytes] | None = self._process.stdin
        with suppress(BrokenPipeError):  # it has died already, which `listen` finds
            cast("IO[bytes]", self._orders).write(orders)
        os.set_blocking(cast("IO[bytes]", self._orders).fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    def listen(self, hear: Callable[[Word], None], show: Callable[[str], None]) -> int:
        """Call `hear` for each word and `show` for each other line, from two threads, until the process is gone.
        Returns its exit code, or the negative number of the signal that killed it.
        """
        aside = threading.Thread(target=_read, args=(self._process.stderr, show), name="worker log", daemon=True)
        aside.start()

        def take(line: str) -> None:
            word = heard(line)
            hear(word) if word is not None else show(line)

        _read(self._process.stdout, take)
        code = self._process.wait()
        aside.join()
        self.stop()
        return code

    def wake(self) -> None:
        """Have it look at the store at once. Never waits: a pipe that is full holds wakes enough."""
        with self._guard, suppress(BlockingIOError, BrokenPipeError):
            if self._orders is not None:
                self._orders.write(WAKE)

    def stop(self) -> None:
        """Have it stop in order; a second time does nothing."""
        with self._guard:
            orders, self._orders = self._orders, None
            if orders is not None:
                orders.close()

    def kill(self) -> None:
        """End it at once; others rescue what it had. Also from a signal handler."""
        self._process.kill()


def how_it_ended(code: int) -> str:
    """The rest of a sentence that begins with whose `code` it is."""
    if code >= 0:
        return "ended by itself" if code == 0 else f"ended with code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _read(stream: IO[bytes] | None, take: Callable[[str], None]) -> None:
    if stream is not None:
        with stream, open(stream.fileno(), encoding="utf-8", errors="replace", closefd=False) as lines:
            for line in lines:
                take(line.rstrip("\n"))
