"""How the scheduler is, from what was asked about it: firings a second, and in a word whether all is well. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tui_scheduler.control.views import Metrics
from tui_scheduler.tui.formatting import SECOND

WINDOW: Final = 60 * SECOND
"""How far back the sparkline goes."""

_RECENT: Final = 5 * SECOND
"""What "now" means for a rate: shorter, and jobs of every other second make it jump."""

_PATIENCE: Final = 3 * SECOND
"""A node that told nothing new for longer fires nothing: until then its next word is waited for."""


class _Count(NamedTuple):
    at: int
    fired: float
    heartbeat: int | None


@dataclass(frozen=True, slots=True)
class _Stretch:
    """So many firings, evenly spread over (begin, end]."""

    begin: int
    end: int
    fired: float

    def within(self, begin: int, end: int) -> float:
        shared = min(self.end, end) - max(self.begin, begin)
        return self.fired * shared / (self.end - self.begin) if shared > 0 else 0.0


class Firings:
    """Firings a second over the last minute, from the totals that nodes tell about once a second.

    A total that has not moved with its node's heartbeat says nothing yet: what it gains later is spread over the whole
    time between, so that asking out of step with the nodes, or not being answered for a while, makes no teeth. A node
    that starts (again) counts from zero, one that was there before counts from when it was first seen.
    """

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}
        self._stretches: list[_Stretch] = []
        self._begin: int | None = None
        self._told: int = 0

    def see(self, metrics: Metrics, now: int) -> None:
        """Take in what was answered at `now` (µs); a clock that was set back begins anew."""
        if self._begin is None or now < self._told:
            self._counts, self._stretches, self._begin, self._told = {}, [], now, now
        seen = _totals(metrics)
        for name, (fired, heartbeat, started) in seen.items():
            self._see_one(name, _Count(now, fired, heartbeat), started)
        self._counts = {name: count for name, count in self._counts.items() if name in seen}
        self._stretches = [stretch for stretch in self._stretches if stretch.end > now - 2 * WINDOW]

    def _see_one(self, name: str, new: _Count, started: int) -> None:
        old = self._counts.get(name)
        begin = self._begin if self._begin is not None else new.at
        if old is None:
            # It started while we were looking: all it has fired is news.
            old = _Count(started, 0, None) if begin < started < new.at else new
        elif new.heartbeat is not None and new.heartbeat == old.heartbeat and new.fired == old.fired:
            return
        if new.at > old.at:
            gained = new.fired - old.fired if new.fired >= old.fired else new.fired
            self._stretches.append(_Stretch(old.at, new.at, gained))
            self._told = max(self._told, new.at)
        self._counts[name] = new

    def rate(self, now: int) -> float | None:
        """Firings a second of late; None until two answers could be compared."""
        end = max(self._told, now - _PATIENCE)
        if self._begin is None or end <= self._begin:
            return None
        begin = max(end - _RECENT, self._begin)
        return self._fired(begin, end) * SECOND / (end - begin)

    def rates(self, now: int, bars: int) -> list[float]:
        """The last minute in that many steps, oldest first, fewer while less is known. Steps begin at round instants,
        so that a bar keeps its height while it moves to the left.
        """
        step = WINDOW // bars
        end = max(self._told, now - _PATIENCE)
        if self._begin is None or end <= self._begin:
            return []
        newest = (end - 1) // step
        oldest = max(newest - bars + 1, self._begin // step)
        found = []
        for number in range(oldest, newest + 1):
            begin, stop = max(number * step, self._begin), min((number + 1) * step, end)
            found.append(self._fired(begin, stop) * SECOND / (stop - begin))
        return found

    def _fired(self, begin: int, end: int) -> float:
        return sum(stretch.within(begin, end) for stretch in self._stretches)


def _totals(metrics: Metrics) -> dict[str, tuple[float, int | None, int]]:
    """What each node has fired since it started, its heartbeat and its start; one total where nodes tell none."""
    told: dict[str, tuple[float, int | None, int]] = {
        node.id: (node.counters["fired"], node.heartbeat_at, node.started_at)
        for node in metrics.nodes
        if "fired" in node.counters
    }
    return told or {"": (metrics.fired, None, 0)}


def per_second(rate: float | None) -> str:
    """`0.4/s`, `12.5/s`, `1,234/s`; `-/s` while it is not known."""
    if rate is None:
        return "-/s"
    return f"{rate:,.1f}/s" if 0 < rate < 100 else f"{rate:,.0f}/s"


STALE: Final = "STALE"


class Badge(NamedTuple):
    """Whether all is well: `glyph` and `word` always, `reason` when it is not; `style` is a variable of the theme."""

    glyph: str
    word: str
    style: str
    reason: str = ""

    @property
    def text(self) -> str:
        return f"{self.glyph} {self.word}" + (f": {self.reason}" if self.reason else "")


def badge(*, opened: bool, stale: str | None, trouble: str | None, reasons: Sequence[str]) -> Badge:
    """The worst that is known comes first. `reasons` are those of the scheduler's health."""
    if trouble is not None:
        return Badge("×", "ENGINE DEAD", "$error", trouble)
    if stale is not None:
        return Badge("▲", STALE, "$warning", stale)
    if not opened:
        return Badge("○", "opening…", "$foreground-muted")
    if reasons:
        more = f" (+{len(reasons) - 1})" if len(reasons) > 1 else ""
        return Badge("▲", "TROUBLE", "$warning", f"{reasons[0]}{more}")
    return Badge("●", "live", "$success")


def next_wait(failures: int) -> float:
    """Seconds until the next question, after so many in a row that nobody answered: 1, 2, 4, 8, then 15."""
    return min(2.0**failures, 15.0)
