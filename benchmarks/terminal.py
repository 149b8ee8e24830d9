"""A terminal that nobody looks at, for measuring the program with its UI open.

    python -m benchmarks.terminal --columns 120 --rows 36 -- python -m tui_scheduler --db jobs.db

Starts the command in a pseudo-terminal, reads what it draws and drops it, and says `painted` on standard output when
the first screen is there. SIGTERM is passed on.
"""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Sequence
from types import FrameType

PAINTED = "painted"
_CHUNK = 65_536


class Terminal:
    """A program in a pseudo-terminal. `pid` is the program's, `started` the `time.monotonic()` of its start."""

    def __init__(self, command: Sequence[str], *, columns: int = 120, rows: int = 36) -> None:
        self.started = time.monotonic()
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm-256color", COLORTERM="truecolor")
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execvp(command[0], list(command))

    def read(self, seconds: float) -> bytes | None:
        """What it drew, as soon as there is something; empty when nothing came in time, None when it has ended."""
        readable, _, _ = select.select([self.master], [], [], max(seconds, 0))
        if not readable:
            return b""
        try:
            return os.read(self.master, _CHUNK) or None
        except OSError as error:
            if error.errno == errno.EIO:  # how Linux says that the other side is closed
                return None
            raise

    def type(self, keys: str) -> None:
        """Press keys, given as the bytes a terminal sends for them."""
        os.write(self.master, keys.encode())

    def end(self, number: int = signal.SIGTERM, patience: float = 30) -> int:
        """Send a signal, read on until it has ended, killing it when patience is over; its exit code, or minus the
        signal that ended it.
        """
        deadline = time.monotonic() + patience
        os.kill(self.pid, number)
        while self.read(0.2) is not None:
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                break
        _, status = os.waitpid(self.pid, 0)
        os.close(self.master)
        return os.waitstatus_to_exitcode(status)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.terminal")
    parser.add_argument("--columns", type=int, default=120)
    parser.add_argument("--rows", type=int, default=36)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    terminal = Terminal(options.command, columns=options.columns, rows=options.rows)
    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        asked.append(number)

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    drawn = 0
    while not asked:
        chunk = terminal.read(0.5)
        if chunk is None:
            _, status = os.waitpid(terminal.pid, 0)
            return os.waitstatus_to_exitcode(status) or 1
        if drawn < 2_000 <= drawn + len(chunk):  # more than the few bytes that set the terminal up
            print(PAINTED, flush=True)
        drawn += len(chunk)
    return terminal.end()


if __name__ == "__main__":
    sys.exit(main())
