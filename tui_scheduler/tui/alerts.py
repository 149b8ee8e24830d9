"""Which alerts become toasts: a target that is down must not paper the screen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tui_scheduler.control.views import AlertView

SECOND: Final = 1_000_000
SHOWN_S: Final = 10
"""How long an alert stays on the screen."""

AT_ONCE: Final = 3
"""Toasts of alerts on the screen at a time; 80x24 has room for them beside the work."""


@dataclass(frozen=True, slots=True)
class Toast:
    """What to show: neither text is markup."""

    title: str
    text: str


class AlertToasts:
    """Remembers which jobs have a toast on the screen: one each, and a few in all; the rest is counted."""

    def __init__(self) -> None:
        self._until: dict[str, int] = {}
        self._counted: set[str] = set()
        self._told_at: int | None = None

    def pick(self, alerts: Sequence[AlertView], now: int) -> list[Toast]:
        """The toasts to show at `now`; the count of those left out comes once the last such count has gone."""
        self._until = {job: until for job, until in self._until.items() if now < until}
        toasts: list[Toast] = []
        for alert in alerts:
            if alert.job_id in self._until:
                continue
            if len(self._until) < AT_ONCE:
                self._until[alert.job_id] = now + SHOWN_S * SECOND
                toasts.append(Toast(alert.job_name or alert.job_id, alert.message))
            else:
                self._counted.add(alert.job_id)
        return [*toasts, *self._rest(now)]

    def _rest(self, now: int) -> list[Toast]:
        if not self._counted or (self._told_at is not None and now < self._told_at + SHOWN_S * SECOND):
            return []
        number = len(self._counted)
        self._counted.clear()
        self._told_at = now
        jobs = "job" if number == 1 else "jobs"
        return [Toast(f"and {number:,} more", f"{number:,} other {jobs} failed too; filter the jobs by state:failing")]
