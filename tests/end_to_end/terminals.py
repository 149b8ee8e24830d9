"""The program in a terminal of its own: what it shows, keys for it, and how it leaves the terminal behind."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyte

from tests.end_to_end.programs import CHECKOUT, PATIENCE_S, environment

WIDE: Final = (120, 36)
NARROW: Final = (80, 24)

UNKNOWN: Final = re.compile(r"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*\$p")
"""What pyte takes for something else: the keyboard protocol, questions about modes."""

HALF: Final = re.compile(r"\x1b(\[[<>=?0-9;$]*)?\Z")
"""A sequence whose end has not come yet."""

MODE: Final = re.compile(r"\x1b\[\?([0-9;]+)([hl])")
LEFT_BEHIND: Final = {
    25: "h",  # the cursor is on
    7: "h",  # lines wrap
    **dict.fromkeys([1000, 1002, 1003, 1004, 1006, 1015, 1016, 1049, 2004, 2026, 2048], "l"),
}
"""What the modes of a terminal have to be for a shell: `h` on, `l` off."""

# A session leader without a terminal takes the one it is told to; then it becomes the program.
ADOPT: Final = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)

KEYS: Final = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "f2": "\x1bOQ",
    "f10": "\x1b[21~",
    "ctrl+u": "\x15",
    "shift+tab": "\x1b[Z",
}


class Terminal:
    """A pseudo-terminal with the program in it, and the screen as a person would see it.

    `columns` by `rows`. Waiting is for what is on the screen, with a deadline, never for a time.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        folder: Path,
        *,
        size: tuple[int, int] = WIDE,
        program: Sequence[str] = ("-m", "tui_scheduler"),
        **settings: object,
    ) -> None:
        columns, rows = size
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._theirs = theirs
        """Kept open: on Linux the attributes are gone with the last that has it open."""
        self.attributes = termios.tcgetattr(theirs)
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self._news = threading.Condition()
        self._output = b""
        self._pending = ""
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self.painted_at: float | None = None
        extra = {f"TUI_SCHEDULER_{name.upper()}": str(value) for name, value in settings.items()}
        self.began_at = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", ADOPT, sys.executable, *program, *arguments],
            cwd=CHECKOUT,
            env={**_environment(folder), **extra},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        self._closing, self._close = os.pipe()
        self._reader = threading.Thread(target=self._read, name="terminal", daemon=True)
        self._reader.start()

    # --- looking

    @property
    def lines(self) -> list[str]:
        with self._news:
            return list(self._screen.display)

    @property
    def text(self) -> str:
        """The screen, a line each."""
        return "\n".join(self.lines)

    @property
    def output(self) -> bytes:
        """All it has written."""
        with self._news:
            return self._output

    def wait_for(self, *texts: str, seconds: float = PATIENCE_S) -> str:
        """The screen once all of these are on it."""
        return self.wait_until(lambda text: all(each in text for each in texts), f"{texts} on the screen", seconds)

    def wait_for_each(self, *texts: str, seconds: float = PATIENCE_S) -> None:
        """Until each of these was on the screen, perhaps one after the other."""
        missing = set(texts)

        def are_all_seen(text: str) -> bool:
            missing.difference_update([each for each in missing if each in text])
            return not missing

        self.wait_until(are_all_seen, f"{texts} on the screen, each for a moment", seconds)

    def wait_until(self, holds: Callable[[str], object], what: str, seconds: float = PATIENCE_S) -> str:
        """The screen once something holds of it; asked whenever something was written."""
        end = time.monotonic() + seconds
        with self._news:
            while not holds(text := "\n".join(self._screen.display)):
                left = end - time.monotonic()
                assert left > 0, f"not within {seconds} s: {what}\n{text}"
                assert self.process.poll() is None, f"it ended with {self.process.poll()} before: {what}\n{text}"
                self._news.wait(min(left, 0.2))
            return text

    # --- acting

    def press(self, *keys: str) -> None:
        """Each a character, or a name from `KEYS`."""
        for key in keys:
            self.type(KEYS.get(key, key))

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def hang_up(self) -> None:
        """Close the window: nobody reads any more, and the program is told by SIGHUP."""
        os.write(self._close, b"\0")  # a read that waits would keep our side open
        self._reader.join(PATIENCE_S)
        os.close(self._ours)
        self._ours = -1

    # --- ending

    def code(self, seconds: float = PATIENCE_S) -> int:
        """What it exits with."""
        return self.process.wait(seconds)

    def assert_as_before(self) -> None:
        """The terminal is as it was: attributes, and every mode of the screen."""
        assert self.process.poll() is not None
        self._drain()
        assert termios.tcgetattr(self._theirs) == self.attributes
        found: dict[int, str] = {}
        for match in MODE.finditer(self.output.decode("utf-8", "replace")):
            found.update({int(mode): match[2] for mode in match[1].split(";")})
        assert {mode: found[mode] for mode in found.keys() & LEFT_BEHIND} == {
            mode: LEFT_BEHIND[mode] for mode in found.keys() & LEFT_BEHIND
        }
        assert {25, 1000, 1049} <= found.keys()

    def end(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        if self._ours != -1:
            self.hang_up()
        for number in (self._theirs, self._closing, self._close):
            os.close(number)

    def _drain(self) -> None:
        """Wait until all that was written has been read: a mark of ours, behind it."""
        mark = "\x1b]mark\x07"
        os.write(self._theirs, mark.encode())
        end = time.monotonic() + PATIENCE_S
        with self._news:
            while mark.encode() not in self._output:
                assert self._news.wait(end - time.monotonic()), "its output does not end"

    def _read(self) -> None:
        while self._closing not in select.select([self._ours, self._closing], [], [])[0]:
            data = os.read(self._ours, 65_536)
            with self._news:
                if self.painted_at is None:
                    self.painted_at = time.monotonic()
                self._output += data
                self._feed(data)
                self._news.notify_all()

    def _feed(self, data: bytes) -> None:
        text = UNKNOWN.sub("", self._pending + self._decode(data))
        half = HALF.search(text)
        cut = half.start() if half else len(text)
        self._pending = text[cut:]
        self._stream.feed(text[:cut])


def _environment(folder: Path) -> dict[str, str]:
    """COLUMNS and LINES would be believed rather than the terminal."""
    kept = {name: value for name, value in environment(folder).items() if name not in {"COLUMNS", "LINES", "NO_COLOR"}}
    return {**kept, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


@contextmanager
def terminal(arguments: Sequence[str], folder: Path, **options: Any) -> Iterator[Terminal]:
    """Killed at the end, unless it has ended. Further `options` are settings, as in the environment."""
    started = Terminal(arguments, folder, **options)
    try:
        yield started
    finally:
        started.end()
