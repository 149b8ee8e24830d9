"""Whose turn it is to write to an SQLite file: among the threads of this process, and between processes.

SQLite's own lock is for whoever asks at the right moment: a process that ends one transaction and begins the next finds
it free, and one that waits sleeps between two tries. Between two busy processes single waits took 0.6 to 1 s that way,
measured; with a queue they take as long as the transactions of the others.
"""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from tui_scheduler.domain.errors import StoreUnavailable

PATIENCE_S: Final = 0.5
"""How long to queue, before asking SQLite out of turn: who is first in the queue may have been stopped there."""

DISTRUST_S: Final = 10.0
"""For how long not to queue then."""

_SHORTEST_WAIT_S: Final = 0.00025
_LONGEST_WAIT_S: Final = 0.004


class Turn:
    """The write lock of one database file within this process: its threads queue here, not at SQLite's file lock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None

    @contextmanager
    def taken(self, wait_s: float, where: str) -> Iterator[None]:
        if self._owner == threading.get_ident():
            raise RuntimeError("a transaction inside another one of the same thread would wait for itself")
        if not self._lock.acquire(timeout=wait_s):
            raise StoreUnavailable(f"{where} has been busy for {wait_s:g} s", transient=True)
        self._owner = threading.get_ident()
        try:
            yield
        finally:
            self._owner = None
            self._lock.release()


_turns: WeakValueDictionary[Path, Turn] = WeakValueDictionary()
_turns_lock = threading.Lock()


def turn_of(path: Path) -> Turn:
    """One for all `Database` objects on one file."""
    with _turns_lock:
        return _turns.setdefault(path, Turn())


class Queue:
    """The place of the one process that asks next for the lock of an SQLite file: an flock on a file beside it.

    A courtesy, no lock: who cannot have the place in time, or at all, asks all the same. For one thread at a time.
    """

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(f"{database.name}-queue")
        self._file: int | None = None
        self._distrusted_until = 0.0

    @contextmanager
    def first(self) -> Iterator[None]:
        """Within this nobody else who queues asks for the lock. Costs some 5 µs where nobody does."""
        is_ours = self._take()
        try:
            yield
        finally:
            if is_ours and self._file is not None:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave nothing behind; others who use the file make another."""
        if self._file is not None:
            self._forget()
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    def _take(self) -> bool:
        now = time.monotonic()
        if now < self._distrusted_until:
            return False
        deadline = now + PATIENCE_S
        longest_s = _SHORTEST_WAIT_S
        try:
            while not self._try():
                if time.monotonic() >= deadline:
                    self._distrusted_until = deadline + DISTRUST_S
                    return False
                time.sleep(random.uniform(longest_s / 2, longest_s))
                longest_s = min(2 * longest_s, _LONGEST_WAIT_S)
        except OSError:  # no room for the file, no right to make it, or no such locks on this disk
            self._distrusted_until = now + DISTRUST_S
            return False
        return True

    def _try(self) -> bool:
        if self._file is not None and os.fstat(self._file).st_nlink == 0:
            self._forget()  # another process has closed the database, and removed it
        if self._file is None:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _forget(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
