"""Alerts on the console: what failed, when, with which status, after how many attempts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from tui_scheduler.engine.world import Alert

LINES_A_SECOND = 20
"""More than this is summed up: a target that fails thousands of times a second must not flood a terminal."""


def _later(seconds: float, call: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()


class ConsoleAlerts:
    """Writes alert lines by `write_line`, at most `lines_a_second`, and one that says how many were left out.

    From any thread. A console that is gone (`OSError`) must not end what the alert is about. `later` calls a function
    after some seconds, so that what was left out is said also when nothing follows.
    """

    def __init__(
        self,
        write_line: Callable[[str], None],
        later: Callable[[float, Callable[[], None]], None] = _later,
        *,
        lines_a_second: int = LINES_A_SECOND,
    ) -> None:
        self._write_line = write_line
        self._later = later
        self._lines_a_second = lines_a_second
        self._guard = threading.Lock()
        self._second = 0
        self._written = 0
        self._left_out = 0

    def __call__(self, alert: Alert) -> None:
        with self._guard:
            self._tell(alert)

    def close_second(self, second: int | None = None) -> None:
        """Say what was left out of that second, unless that was said before; None: of the latest."""
        with self._guard:
            if second is None or second == self._second:
                self._close()

    def _tell(self, alert: Alert) -> None:
        second = alert.at // 1_000_000
        if second != self._second:
            self._close()
            self._second = second
        if self._written < self._lines_a_second:
            self._written += 1
            self._write(alert_line(alert))
            return
        self._left_out += 1
        if self._left_out == 1:
            self._later(1.0, lambda: self.close_second(second))

    def _close(self) -> None:
        if self._left_out:
            self._write(f"ALERT {self._left_out:,} more failures within a second")
        self._written = self._left_out = 0

    def _write(self, line: str) -> None:
        with suppress(OSError):
            self._write_line(line)


def alert_line(alert: Alert) -> str:
    """One line of an alert; what came from a target is made harmless for a terminal."""
    name = f" {alert.job_name!r}" if alert.job_name else ""
    attempts = f"{alert.attempts} attempt{'s' if alert.attempts != 1 else ''}"
    message = "".join(char if char.isprintable() else " " for char in alert.message)
    when, due = _moment(alert.at), _moment(alert.scheduled_for)
    return f"ALERT {when} job {alert.job_id}{name} {alert.state} after {attempts}: {message} (scheduled for {due})"


def _moment(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1_000_000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
