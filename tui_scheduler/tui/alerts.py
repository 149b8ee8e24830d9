"""Which alerts become toasts: a target that is down must not paper the screen. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tui_scheduler.control.views import AlertView
from tui_scheduler.tui.formatting import SECOND, inert
from tui_scheduler.tui.vitals import STALE, Badge

SHOWN_S: Final = 10
"""How long an alert stays on the screen."""

AT_ONCE: Final = 2
"""Toasts of alerts on the screen at a time; 80x24 has room for them beside the work."""

QUIET_S: Final = 5 * 60
"""For so long nothing more is said of a job that was told of, or counted: the table shows whether it still fails."""

COUNT_EVERY_S: Final = 60
"""The toast that counts the others comes no more often."""


@dataclass(frozen=True, slots=True)
class Toast:
    """What to show: neither text is markup."""

    title: str
    text: str


class AlertToasts:
    """Remembers which jobs were told of: each once in a while, and a few at once; the rest is counted."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}
        """When each job was told of or counted."""
        self._shown: list[int] = []
        """When those on the screen were put there."""
        self._counted = 0
        self._summed_up = 0
        """Failures that came too fast to be told apart."""
        self._counted_at: int | None = None

    def pick(self, alerts: Sequence[AlertView], now: int) -> list[Toast]:
        """The toasts to show at `now`; the count of those left out comes when the last such count is long ago."""
        self._told = {job: at for job, at in self._told.items() if now < at + QUIET_S * SECOND}
        self._shown = [at for at in self._shown if now < at + SHOWN_S * SECOND]
        toasts: list[Toast] = []
        for alert in alerts:
            if alert.number > 1:  # of which jobs is not known
                self._summed_up += alert.number
                continue
            if alert.job_id in self._told:
                continue
            self._told[alert.job_id] = now
            if len(self._shown) < AT_ONCE:
                self._shown.append(now)
                toasts.append(Toast(alert.job_name or alert.job_id, alert.message))
            else:
                self._counted += 1
        return [*toasts, *self._rest(now)]

    def _rest(self, now: int) -> list[Toast]:
        jobs, failures = self._counted, self._summed_up
        is_early = self._counted_at is not None and now < self._counted_at + COUNT_EVERY_S * SECOND
        if is_early or not (jobs or failures):
            return []
        self._counted, self._summed_up, self._counted_at = 0, 0, now
        others = [f"{jobs:,} other job{'s' * (jobs != 1)} failed too"] if jobs else []
        others += [f"{failures:,} failures came too fast to name their jobs"] if failures else []
        return [Toast(f"and {jobs + failures:,} more", f"{', '.join(others)}; filter the jobs by state:failing")]


class TroubleToasts:
    """Says in full what the badge at the top has room to begin; not again soon, though its figures change."""

    def __init__(self) -> None:
        self._quiet_until: dict[str, int] = {}
        """By the kind of trouble."""

    def pick(self, badge: Badge, reasons: Sequence[str], now: int) -> Toast | None:
        """The toast to show at `now`, if any; its lines are meant. `reasons` are all those of its health;
        the badge's own reason counts where it is of something else.
        """
        if not badge.reason or badge.word == STALE:  # that comes and goes, and has no more to say
            return None
        kind = re.sub(r"[\d.,]+", "", badge.text)
        if now < self._quiet_until.get(kind, now):
            return None
        self._quiet_until[kind] = now + QUIET_S * SECOND
        is_health = any(badge.reason.startswith(reason) for reason in reasons)
        return Toast(badge.word, "\n".join(map(inert, reasons if is_health else [badge.reason])))
