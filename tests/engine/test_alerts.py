"""Alert lines: one each, harmless for a terminal, and few."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.engine.stage import MS, SECOND, START
from tui_scheduler.engine.alerts import LINES_A_SECOND, ConsoleAlerts, alert_line
from tui_scheduler.engine.world import Alert

ALERT = Alert(START + 1_500 * MS, "job-1", "backup", START + SECOND, "failed", 3, "HTTP 500")


class Console:
    """Lines written, and what is to be called later."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.later: list[Callable[[], None]] = []
        self.alerts = ConsoleAlerts(self.lines.append, lambda _seconds, call: self.later.append(call))

    def alert(self, count: int, at: int = START) -> None:
        for _ in range(count):
            self.alerts(replace(ALERT, at=at))


@pytest.mark.parametrize(
    ("alert", "line"),
    [
        (
            ALERT,
            (
                "ALERT 2026-05-28T20:26:41.500Z job job-1 'backup' failed after 3 attempts: HTTP 500"
                " (scheduled for 2026-05-28T20:26:41.000Z)"
            ),
        ),
        (
            replace(ALERT, job_name="", state="lost", attempts=1, message="lost: 6 nodes ended while they had it"),
            (
                "ALERT 2026-05-28T20:26:41.500Z job job-1 lost after 1 attempt: lost: 6 nodes ended while they had it"
                " (scheduled for 2026-05-28T20:26:41.000Z)"
            ),
        ),
    ],
)
def test_a_line_says_what_failed_when_why_and_after_how_many_attempts(alert: Alert, line: str) -> None:
    assert alert_line(alert) == line


@pytest.mark.parametrize(
    "hostile",
    ["\x1b[2J\x1b]0;owned\x07", "a\nALERT a forged line", "a\rb", "\x9b31m", "\u202egnp.exe", "\0", "\u2028", "\x7f"],
)
@pytest.mark.parametrize("where", ["message", "job_name"])
def test_what_others_wrote_cannot_steer_a_terminal(hostile: str, where: str) -> None:
    alert = replace(ALERT, message=hostile) if where == "message" else replace(ALERT, job_name=hostile)
    line = alert_line(alert)
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_twenty_lines_a_second_and_then_how_many_were_left_out() -> None:
    console = Console()
    console.alert(1_520)
    assert len(console.lines) == LINES_A_SECOND == 20
    console.alert(1, START + SECOND)
    assert console.lines[20] == "ALERT 1,500 more failures within a second"
    assert len(console.lines) == 22
    console.alert(19, START + SECOND)
    console.alert(20, START + 2 * SECOND)
    assert len(console.lines) == 61, "a second of exactly twenty leaves nothing out"


def test_several_that_share_a_console_share_its_lines() -> None:
    lines: list[str] = []
    alerts = ConsoleAlerts(lines.append, lambda _seconds, _call: None, lines_a_second=3)
    for _ in range(5):
        alerts(ALERT)
    alerts.close_second()
    assert len(lines) == 4
    assert lines[3] == "ALERT 2 more failures within a second"


def test_what_was_left_out_is_said_also_when_nothing_follows() -> None:
    console = Console()
    console.alert(25)
    (close,) = console.later
    close()
    assert console.lines[20:] == ["ALERT 5 more failures within a second"]
    close()
    console.alerts.close_second()
    assert len(console.lines) == 21


def test_a_late_reminder_does_not_touch_the_second_that_follows() -> None:
    console = Console()
    console.alert(21)
    console.alert(22, START + SECOND)
    assert len(console.lines) == 20 + 1 + 20
    first, second = console.later
    first()
    assert len(console.lines) == 41
    second()
    assert console.lines[41:] == ["ALERT 2 more failures within a second"]


def test_the_reminder_comes_by_itself() -> None:
    said = threading.Event()
    alerts = ConsoleAlerts(lambda line: said.set() if "more failures" in line else None)
    for _ in range(21):
        alerts(ALERT)
    assert said.wait(30)


def test_a_console_that_is_gone_ends_nothing() -> None:
    def write_line(line: str) -> None:
        raise BrokenPipeError

    ConsoleAlerts(write_line)(ALERT)
