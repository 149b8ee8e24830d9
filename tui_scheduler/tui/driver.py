"""Textual's driver, for a terminal that may go away."""

from __future__ import annotations

import os
import select
import sys
from codecs import getincrementaldecoder
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, Final, Protocol, TextIO, cast

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver

from tui_scheduler.tui.pasting import PasteGuard

_TAKE = "\x1b[?1049h"
_GIVE_BACK = "\x1b[?1049l"

_CHUNK: Final = 65_536
_LOOK_S: Final = 0.1
"""How long a key that may be the beginning of another waits at most, and the end of the program for its reader."""


class Screen(Protocol):
    """Who keeps the terminal's modes."""

    def now_alternate(self, is_on: bool) -> None:
        """The alternate screen is taken, or given back."""
        ...

    def writing(self) -> AbstractContextManager[bool]:
        """Whether anything may still be written; that stays so until it is left."""
        ...


class LastingStream:
    """Writes to `stream` for as long as that can be written to, and takes what comes after that for written."""

    def __init__(self, stream: TextIO, screen: Screen) -> None:
        self._stream = stream
        self._screen = screen
        self.is_gone = False

    def write(self, text: str) -> int:
        self._attempt(partial(self._write, text))
        return len(text)

    def _write(self, text: str) -> None:
        self._stream.write(text)
        if _TAKE in text or _GIVE_BACK in text:
            self._stream.flush()  # from here on it is so
            self._screen.now_alternate(text.rfind(_TAKE) > text.rfind(_GIVE_BACK))

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, call: Callable[[], object]) -> None:
        with self._screen.writing() as may_write:
            if may_write and not self.is_gone:
                try:
                    call()
                except OSError:
                    self.is_gone = True

    def fileno(self) -> int:
        return self._stream.fileno()


class LastingDriver(LinuxDriver):
    """Textual writes in a thread, which ends at the first error, and from then on waits for that thread for ever: a
    closed terminal window would keep the program from stopping in order. And it writes to standard error; this writes
    to standard output, in UTF-8 whatever the locale, so that `2>file` takes what has gone wrong and nothing else.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
        screen: Screen,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        terminal = os.dup((sys.__stdout__ or sys.stdout).fileno())
        stream = open(terminal, "w", encoding="utf-8", errors="replace")  # noqa: SIM115 - open as long as the driver is used
        self._file = cast("Any", LastingStream(stream, screen))

    def run_input_thread(self) -> None:
        """Read keys until the driver ends. Unlike Textual's own: what is pasted presses none, and bytes that are no
        UTF-8 end nothing.
        """
        parser, guard = XTermParser(self._debug), PasteGuard()
        decode = getincrementaldecoder("utf-8")("replace").decode
        while not self.exit_event.is_set():
            if select.select([self.fileno], [], [], _LOOK_S)[0]:
                data = self._read()
                if not data:  # the terminal is gone: the signal that says so ends the program
                    self.exit_event.wait()
                    return
                if text := guard.feed(decode(data)):
                    for message in parser.feed(text):
                        self.process_message(message)
            for message in parser.tick():
                self.process_message(message)

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _CHUNK)
        except OSError:
            return b""

    def stop_application_mode(self) -> None:
        self.write("\x1b[?1016l")  # mouse in pixels, which Textual switches on and not off
        super().stop_application_mode()


def lasting_driver(screen: Screen) -> type[Driver]:
    """What an app has as its `driver_class`: it makes a `LastingDriver` on that screen."""
    return cast("type[Driver]", partial(LastingDriver, screen=screen))
