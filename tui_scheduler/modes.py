"""The terminal's own state: how it was, what is shown until there is more to show, and how it gets back.

Light: it is all that is imported before something is on the screen.
"""

from __future__ import annotations

import os
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tui_scheduler.outline import outline

_ENTER: Final = "\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H\x1b[0m"
"""The alternate screen, no cursor, empty."""

_RESET: Final = (
    "\x1b[?2026l"  # no update is left half shown
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1016l"  # mouse
    "\x1b[?1004l\x1b[?2004l\x1b[?2048l"  # reports of focus, paste, size
    "\x1b[<u"  # keyboard, before the alternate screen is left: each screen has its own
    "\x1b[0m\x1b[?7h\x1b[?25h"
)
"""Everything that may have been switched on, off again; what is off already stays off."""

_LEAVE_ALTERNATE: Final = "\x1b[?1049l"
"""Not so this: where the alternate screen was left already, it takes the cursor back to where it was then."""

_PATIENCE_S: Final = 0.5


class TerminalModes:
    """The modes of the terminal on standard input, as they were when this was made."""

    def __init__(self) -> None:
        self._before = termios.tcgetattr(sys.stdin.fileno())
        self._is_alternate = False
        self._guard = threading.Lock()
        self._is_restored = False

    @contextmanager
    def writing(self) -> Iterator[bool]:
        """Everybody else writes within this, and only where it says True: not once the modes are restored."""
        with self._guard:
            yield not self._is_restored

    def now_alternate(self, is_on: bool) -> None:
        """Somebody else has switched the alternate screen on or off."""
        self._is_alternate = is_on

    def show_first(self, *, coloured: bool) -> None:
        """The first thing on the screen: see `outline`. Keys typed from now on are not shown, and kept for who reads
        them next.
        """
        with suppress(termios.error):
            quiet = termios.tcgetattr(sys.stdin.fileno())
            quiet[3] &= ~(termios.ECHO | termios.ICANON)
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, quiet)
        self._is_alternate = True
        columns, rows = os.terminal_size((0, 0))
        with suppress(OSError):
            columns, rows = os.get_terminal_size(sys.stdin.fileno())
        _write(f"{_ENTER}{outline(columns, rows, coloured=coloured)}\x1b[0m")

    def restore(self) -> None:
        """As it was. From any thread or a signal handler, any number of times; a terminal that is gone, or that takes
        nothing at the moment, is no trouble.
        """
        is_ours = self._guard.acquire(timeout=_PATIENCE_S)  # who writes may wait for a terminal that takes nothing
        self._is_restored = True
        if is_ours:
            self._guard.release()
        _write(_RESET + _LEAVE_ALTERNATE * self._is_alternate)
        self._is_alternate = False
        with suppress(termios.error):
            termios.tcsetattr(sys.stdin.fileno(), termios.TCSANOW, self._before)


def _write(text: str) -> None:
    """To the terminal of this process, never waiting for it: opened anew, because whether a write waits is a property
    of an open file, and those of standard output are shared with the shell.
    """
    with suppress(OSError):
        terminal = _open()
        try:
            os.write(terminal, text.encode())
        finally:
            os.close(terminal)


def _open() -> int:
    try:
        return os.open(os.ttyname(1), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # a container may have the terminal and no name for it
        return os.dup(1)
