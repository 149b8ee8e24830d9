"""Maintenance windows: stretches of time in which nothing of a queue, or of all of them, is sent.

Instants are µs since the epoch, durations µs. A window is open at its start and closed at its end: [start, end).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

Span = tuple[int, int]
"""[start, end)"""


class Timetable(Protocol):
    """What a recurring window needs of a schedule."""

    def next_after(self, instant: int) -> int | None:
        """The first occurrence strictly after `instant`, or None when there is none."""
        ...

    def last_between(self, after: int, through: int) -> int | None:
        """The last occurrence in (after, through]."""
        ...


@dataclass(frozen=True, slots=True)
class Once:
    """A window from one instant to another."""

    start: int
    end: int

    def around(self, instant: int) -> Span | None:
        """The stretch that `instant` lies in, if it lies in one."""
        return (self.start, self.end) if self.start <= instant < self.end else None

    def next_start(self, after: int) -> int | None:
        """The first start strictly after `after`."""
        return self.start if self.start > after else None


@dataclass(frozen=True, slots=True)
class Recurring:
    """A window that begins at every instant of a schedule and lasts `duration`; it holds in [since, until)."""

    timetable: Timetable
    duration: int
    since: int
    until: int | None = None

    def around(self, instant: int) -> Span | None:
        """The stretch that `instant` lies in, if it lies in one."""
        if instant < self.since or (self.until is not None and instant >= self.until):
            return None
        start = self.timetable.last_between(instant - self.duration, instant)
        if start is None:
            return None
        end = start + self.duration
        return max(start, self.since), end if self.until is None else min(end, self.until)

    def next_start(self, after: int) -> int | None:
        """The first start strictly after `after`."""
        if after < self.since and self.around(self.since) is not None:
            return self.since
        start = self.timetable.next_after(max(after, self.since - 1))
        return None if start is None or (self.until is not None and start >= self.until) else start


@dataclass(frozen=True, slots=True)
class Window:
    """A stored window that is in force. `queue` None: it holds for all of them."""

    key: int
    queue: str | None
    times: Once | Recurring


_NEVER = 2**63


class Closures:
    """All the windows that hold for one queue. The stretch up to the next one is remembered: nearly all firings lie in
    it, and working it out takes longer than the rest of a claim.
    """

    def __init__(self, windows: Iterable[Window]) -> None:
        self.windows = tuple(windows)
        self._clear: Span = (0, 0)

    def gate_at(self, instant: int) -> Window | None:
        """The window that `instant` lies in; of several the one that ends last."""
        if self._is_clear(instant):
            return None
        found = [(span[1], w.key, w) for w in self.windows if (span := w.times.around(instant)) is not None]
        return max(found)[2] if found else None

    def around(self, instant: int) -> Span | None:
        """The stretch that `instant` lies in; of several the one that ends last."""
        return None if self._is_clear(instant) else self._around(instant)

    def next_start(self, after: int) -> int | None:
        """When the next window begins, strictly after `after`."""
        begin, end = self._clear
        start = end if begin <= after < end else self._next_start(after)
        return None if start == _NEVER else start

    def _is_clear(self, instant: int) -> bool:
        begin, end = self._clear
        if begin <= instant < end:
            return True
        if self._around(instant) is not None:
            return False
        self._clear = (instant, self._next_start(instant))
        return True

    def _around(self, instant: int) -> Span | None:
        spans = [span for window in self.windows if (span := window.times.around(instant)) is not None]
        return max(spans, key=lambda span: span[1], default=None)

    def _next_start(self, after: int) -> int:
        starts = [start for window in self.windows if (start := window.times.next_start(after)) is not None]
        return min(starts, default=_NEVER)


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """What a user decides about a window: from `starts_at` to `ends_at` once, or for `duration` from each instant of
    `schedule` in `timezone`. `queue` None: it holds for all queues.
    """

    name: str = ""
    queue: str | None = None
    starts_at: int | None = None
    ends_at: int | None = None
    schedule: str | None = None
    duration: int | None = None
    timezone: str = "UTC"
    enabled: bool = True
