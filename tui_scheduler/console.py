"""Standard error that nobody has to wait for: a terminal stopped with Ctrl+S or a pipe that nobody reads holds up a
thread of its own and nothing else. Lines that find no room are left out and counted.
"""

from __future__ import annotations

import atexit
import queue
import sys
import threading
from typing import Final, TextIO

ROOM: Final = 1_000
"""Texts that may wait to be written."""

_LAST_WAIT_S: Final = 1.0


class PatientStream:
    """Takes text at once and writes it later, in order, to `stream`. From any thread."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._texts: queue.Queue[str | None] = queue.Queue(ROOM)
        self._left_out = 0
        self._thread = threading.Thread(target=self._write_all, name="console", daemon=True)
        self._thread.start()
        atexit.register(self.drain)

    def write(self, text: str) -> int:
        """Never blocks; what finds no room is left out, and a later line says how much."""
        try:
            self._texts.put_nowait(text)
        except queue.Full:
            self._left_out += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back here; see `drain`."""

    def isatty(self) -> bool:
        return self._stream.isatty()

    def drain(self) -> None:
        """At the end: wait up to a second until everything is written."""
        try:
            self._texts.put(None, timeout=_LAST_WAIT_S)
        except queue.Full:
            return
        self._thread.join(_LAST_WAIT_S)

    def _write_all(self) -> None:
        while (text := self._texts.get()) is not None:
            left_out, self._left_out = self._left_out, 0
            try:
                self._stream.write(f"{left_out:,} lines were left out here\n" if left_out else "")
                self._stream.write(text)
                self._stream.flush()
            except (OSError, ValueError):
                return  # the terminal is gone; nobody is left to be told


def patient_stderr() -> PatientStream:
    """The one for this process's standard error."""
    global _stderr  # noqa: PLW0603 - one stream, one thread
    if _stderr is None:
        _stderr = PatientStream(sys.stderr)
    return _stderr


_stderr: PatientStream | None = None
