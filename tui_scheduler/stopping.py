"""Signals that ask this process to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

STOPPED_AT_ONCE: Final = 130
"""The exit code of a stop that waited for nothing."""

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def on_stop_signals(stop: Callable[[], object]) -> None:
    """Call `stop` at each of them, between any two instructions of the main thread."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop()

    for number in STOP_SIGNALS:
        # nohup ignores SIGHUP, and means it. A shell ignores SIGINT for what it starts with &, and means less by it.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)
