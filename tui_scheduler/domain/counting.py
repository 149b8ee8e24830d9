"""How many occurrences lie in a stretch of time, and which is the last, without walking through them.

After a long downtime a job of every second has missed millions: they are counted by months and days instead.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from tui_scheduler.domain.cron import Walk, days_of_month
from tui_scheduler.domain.zones import DAY, Timeline

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def last_between(next_after: Callable[[int], int | None], after: int, through: int) -> int | None:
    """The last occurrence in (after, through], any unit; None when there is none. About 50 steps of `next_after`.

    Something follows x by `through` exactly as long as x lies before the last occurrence, so it can be bisected.
    """
    found = next_after(after)
    if found is None or found > through:
        return None
    low, high = found - 1, through
    while high - low > 1:
        middle = (low + high) // 2
        following = next_after(middle)
        if following is not None and following <= through:
            low, found = following - 1, following
        else:
            high = middle
        if found == through:
            break
    return found


@dataclass(frozen=True, slots=True)
class DayCounts:
    """The allowed seconds, minutes and hours in order, to count the matches of part of a day."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]

    @property
    def whole_day(self) -> int:
        return len(self.seconds) * len(self.minutes) * len(self.hours)

    def before(self, second_of_day: int) -> int:
        """Matches before this second of a matching day."""
        rest, second = divmod(second_of_day, 60)
        hour, minute = divmod(rest, 60)
        return _mixed(self.hours, hour, len(self.minutes) * len(self.seconds)) + (
            _mixed(self.minutes, minute, len(self.seconds))
            + (_mixed(self.seconds, second, 1) if minute in self.minutes else 0)
            if hour in self.hours
            else 0
        )


def _mixed(allowed: tuple[int, ...], value: int, weight: int) -> int:
    return bisect_left(allowed, value) * weight


def count_between(walk: Walk, day: DayCounts, zone: Timeline, fixed: bool, after: int, through: int) -> int:
    """Occurrences in the UTC seconds (after, through], by the policy of `cron.next_second`."""
    total = 0
    second = after + 1
    while second <= through:
        start, end, offset, before = zone.stretch_at(second)
        local, until = second + offset, min(end, through + 1) + offset
        if fixed and before != offset:
            if second == start and before < offset:
                in_gap = walk.next_local(start + before)
                if in_gap is not None and in_gap <= local:
                    total += 1  # the gap's local times, and the one at its end if it matches: one run
                    local += 1
            elif local < start + before:
                local = start + before  # an overlap: these have been once already
        total += _count_local(walk, day, local, until)
        second = end
    return total


def _count_local(walk: Walk, day: DayCounts, low: int, high: int) -> int:
    """Matches among the wall-clock seconds [low, high), counted as if they were UTC."""
    if high <= low:
        return 0
    (first_day, first), (last_day, last) = divmod(low, DAY), divmod(high, DAY)
    total = _matching_days(walk, first_day, last_day) * day.whole_day
    if _matching_days(walk, first_day, first_day + 1):
        total -= day.before(first)
    if last and _matching_days(walk, last_day, last_day + 1):
        total += day.before(last)
    return total


def _matching_days(walk: Walk, first: int, end: int) -> int:
    """Matching days among [first, end), counted from the epoch."""
    if walk.every_day:
        return end - first
    total = 0
    while first < end:
        at = date.fromordinal(first + _EPOCH_ORDINAL)
        days, length = days_of_month(walk, at.year, at.month)
        here = min(length - at.day + 1, end - first)
        total += ((days >> at.day) & ((1 << here) - 1)).bit_count()
        first += here
    return total
