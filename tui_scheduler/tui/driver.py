"""Textual's driver, for a terminal that may go away."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, TextIO, cast

from textual.app import App
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver


class LastingStream:
    """Writes to `stream` for as long as that can be written to, and takes what comes after that for written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.is_gone = False

    def write(self, text: str) -> int:
        if not self.is_gone:
            try:
                self._stream.write(text)
            except OSError:
                self.is_gone = True
        return len(text)

    def flush(self) -> None:
        if not self.is_gone:
            try:
                self._stream.flush()
            except OSError:
                self.is_gone = True

    def fileno(self) -> int:
        return self._stream.fileno()


class LastingDriver(LinuxDriver):
    """Textual writes in a thread, which ends at the first error, and from then on waits for that thread for ever: a
    closed terminal window would keep the program from stopping in order. And it writes to standard error; this writes
    to standard output, in UTF-8 whatever the locale, so that `2>file` takes what has gone wrong and nothing else.

    `on_screen` is told when the alternate screen is taken and when it is given back.
    """

    def __init__(
        self,
        app: App[Any],
        *,
        debug: bool = False,
        mouse: bool = True,
        size: tuple[int, int] | None = None,
        on_screen: Callable[[bool], None] = lambda _is_ours: None,
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._on_screen = on_screen
        terminal = os.dup((sys.__stdout__ or sys.stdout).fileno())
        stream = open(terminal, "w", encoding="utf-8", errors="replace")  # noqa: SIM115 - open as long as the driver is used
        self._file = cast("Any", LastingStream(stream))

    def start_application_mode(self) -> None:
        self._on_screen(True)
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def stop_application_mode(self) -> None:
        super().stop_application_mode()
        self.write("\x1b[?1016l")  # mouse in pixels, which Textual switches on and not off
        self._on_screen(False)


def lasting_driver(on_screen: Callable[[bool], None]) -> type[Driver]:
    """What an app has as its `driver_class`: it makes a `LastingDriver` that tells `on_screen`."""
    return cast("type[Driver]", partial(LastingDriver, on_screen=on_screen))
