"""The walk from one occurrence of a cron schedule to the next, and what daylight saving time does to it.

Two steps: `Walk` finds the next matching wall-clock time by table look-ups and knows no timezone; `next_second` and
`hits_gap` lay it over the stretches of constant offset of a `Timeline`. Whole seconds throughout, local or UTC as said.

The policy, decided on the expanded sets: a schedule of all 24 hours is *repeating* and fires at every matching real
instant. Any other is *fixed*: a local time that comes twice fires the first time only, and the local times a gap
leaves out become one run at the gap's end.
"""

from __future__ import annotations

import calendar
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Final

from tui_scheduler.domain.expression import LAST, Fields
from tui_scheduler.domain.zones import DAY, LATEST, Timeline

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_EPOCH_WEEKDAY: Final = 4  # a Thursday, counted from Sunday as cron does
_LENGTHS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)  # by month; February in a common year
_EVERY_WEEK: Final = 1 | 1 << 7 | 1 << 14 | 1 << 21 | 1 << 28  # times a week's bits: that week over and over

# A fifth weekday of February needs a leap year that begins on the right day: every 28 years, but 40 around 2100.
_HORIZON_YEARS: Final = 41


@dataclass(frozen=True, slots=True)
class Walk:
    """Tables made once per expression, so that a step is a handful of look-ups.

    `next_x[v]` is the first allowed value from v on, or the size of the field when there is none left.
    `month_days[first_weekday][length - 28]` has bit d set for each matching day d of a month of that shape.
    """

    next_second: tuple[int, ...]
    next_minute: tuple[int, ...]
    next_hour: tuple[int, ...]
    next_month: tuple[int, ...]
    first_in_minute: int
    first_in_hour: int
    first_in_day: int
    month_days: tuple[tuple[int, ...], ...]
    every_day: bool

    def next_local(self, local: int) -> int | None:
        """The first matching wall-clock second at or after `local`, counted as if it were UTC; None for never."""
        day, second_of_day = divmod(local, DAY)
        if self.every_day:
            found = self.next_in_day(second_of_day)
            return day * DAY + found if found >= 0 else (day + 1) * DAY + self.first_in_day
        at = date.fromordinal(day + _EPOCH_ORDINAL)
        year, month, of_month = at.year, at.month, at.day
        if self.next_month[month] == month:
            days = self._days_of(year, month, day - of_month) >> of_month
            if days & 1:
                found = self.next_in_day(second_of_day)
                if found >= 0:
                    return day * DAY + found
            days &= -2
            if days:
                return (day + (days & -days).bit_length() - 1) * DAY + self.first_in_day
        return self._next_month(year, month + 1)

    def next_in_day(self, second_of_day: int) -> int:
        """The first matching second of the day at or after this one, or -1."""
        rest, second = divmod(second_of_day, 60)
        hour, minute = divmod(rest, 60)
        found_hour = self.next_hour[hour]
        if found_hour == hour:
            found_minute = self.next_minute[minute]
            if found_minute == minute:
                found_second = self.next_second[second]
                if found_second < 60:
                    return second_of_day - second + found_second
                found_minute = self.next_minute[minute + 1]
            if found_minute < 60:
                return hour * 3600 + found_minute * 60 + self.first_in_minute
            found_hour = self.next_hour[hour + 1]
        return found_hour * 3600 + self.first_in_hour if found_hour < 24 else -1

    def _next_month(self, year: int, month: int) -> int | None:
        """The first occurrence from the first of a month on (month 13 is next year's January)."""
        last_year = min(year + _HORIZON_YEARS, 9998)
        while year <= last_year:
            month = self.next_month[month]
            if month > 12:
                year, month = year + 1, 1
                continue
            before = date(year, month, 1).toordinal() - _EPOCH_ORDINAL - 1
            days = self._days_of(year, month, before)
            if days:
                return (before + (days & -days).bit_length() - 1) * DAY + self.first_in_day
            month += 1
        return None

    def _days_of(self, year: int, month: int, before: int) -> int:
        """The matching days of a month as bits; `before` is the day before its first, counted from the epoch."""
        length = _LENGTHS[month] if month != 2 or not calendar.isleap(year) else 29
        return self.month_days[(before + 1 + _EPOCH_WEEKDAY) % 7][length - 28]


def days_of_month(walk: Walk, year: int, month: int) -> tuple[int, int]:
    """The matching days of a month as bits 1 to 31, and its length in days."""
    length = _LENGTHS[month] if month != 2 or not calendar.isleap(year) else 29
    if walk.next_month[month] != month:
        return 0, length
    first_weekday = (date(year, month, 1).toordinal() - _EPOCH_ORDINAL + _EPOCH_WEEKDAY) % 7
    return walk.month_days[first_weekday][length - 28], length


def walk_of(fields: Fields) -> Walk:
    """The tables of an expression."""
    first_in_minute = min(fields.seconds)
    first_in_hour = min(fields.minutes) * 60 + first_in_minute
    unrestricted = not fields.restricts_days and not fields.restricts_weekdays
    return Walk(
        next_second=_next_table(fields.seconds, 60),
        next_minute=_next_table(fields.minutes, 60),
        next_hour=_next_table(fields.hours, 24),
        next_month=_next_table(fields.months, 13),
        first_in_minute=first_in_minute,
        first_in_hour=first_in_hour,
        first_in_day=min(fields.hours) * 3600 + first_in_hour,
        month_days=tuple(tuple(_month_days(fields, first, length) for length in range(28, 32)) for first in range(7)),
        every_day=unrestricted and len(fields.months) == 12,
    )


def next_second(walk: Walk, zone: Timeline, fixed: bool, after: int) -> int | None:
    """The first UTC second after the UTC second `after` at which the schedule fires; None for never again."""
    second = after + 1
    while True:
        stretch = zone.latest
        if not stretch.start <= second < stretch.end:
            stretch = zone.stretch_at(second)
        start, end, offset, before = stretch
        local = second + offset
        if fixed and before != offset:
            if second == start and before < offset:
                local = start + before  # the gap's local times: what matches among them is clamped to `start` below
            elif local < start + before:
                local = start + before  # an overlap: these have been once already
        found = walk.next_local(local)
        if found is None:
            return None
        candidate = max(found - offset, second)
        if candidate < end:
            return candidate if candidate < LATEST else None
        # Nothing matches until `candidate`, so skip most of the way, unless the coming change could be an overlap that
        # brings back times before `local`. Two days are more than any two offsets differ.
        second = max(end, candidate - 2 * DAY) if end - second > 2 * DAY else end


def hits_gap(walk: Walk, zone: Timeline, second: int) -> int | None:
    """The first matching local second inside the gap that ends at this UTC second, if there is such a gap."""
    start, _, offset, before = zone.stretch_at(second)
    if start != second or before >= offset:
        return None
    found = walk.next_local(start + before)
    return found if found is not None and found < start + offset else None


def is_ambiguous(zone: Timeline, second: int) -> bool:
    """Whether the local time of a UTC second comes twice: then, shortly before, or shortly after."""
    start, end, offset, before = zone.stretch_at(second)
    if second + offset < start + before:
        return True
    after = zone.offset_at(end)
    return second + offset >= end + after


def shortest_gap(fields: Fields, zone: Timeline, fixed: bool) -> int:
    """A number of seconds no two occurrences are closer than, days taken as if every one matched.

    Beside the sets themselves, every kind of clock change of the zone since 2000 is tried: a run moved to a gap's end
    comes closer to its neighbours, and a half-hour overlap shifts a repeating schedule against itself.
    """
    daily = replace(fields, days=frozenset(range(1, 32)), last_day=False, months=frozenset(range(1, 13)))
    daily = replace(daily, weekdays=frozenset(range(7)), nth=frozenset())
    forward, backward = walk_of(daily), walk_of(_mirrored(daily))
    gaps = [_gap_on_plain_days(daily)]
    for change in zone.kinds_of_change():
        previous = _last_local_before(backward, change.start + change.before) - change.before
        at_change = next_second(forward, zone, fixed, change.start - 1)
        if at_change is not None:
            following = next_second(forward, zone, fixed, at_change)
            gaps += [at_change - previous] + ([following - at_change] if following is not None else [])
    return min(gaps)


def _gap_on_plain_days(fields: Fields) -> int:
    gaps: list[int] = []
    span = 0  # seconds from the first to the last occurrence within one unit of the level above
    for values, unit in ((fields.seconds, 1), (fields.minutes, 60), (fields.hours, 3600)):
        ordered = sorted(values)
        gaps += [(later - earlier) * unit - span for earlier, later in pairwise(ordered)]
        span += (ordered[-1] - ordered[0]) * unit
    return min([*gaps, DAY - span])


def _mirrored(fields: Fields) -> Fields:
    """The same times of day counted back from midnight."""
    return replace(
        fields,
        seconds=frozenset(59 - second for second in fields.seconds),
        minutes=frozenset(59 - minute for minute in fields.minutes),
        hours=frozenset(23 - hour for hour in fields.hours),
    )


def _last_local_before(mirrored: Walk, local: int) -> int:
    found = mirrored.next_local(-local)
    if found is None:
        raise ValueError("a walk over every day has no end")
    return -1 - found


def _next_table(allowed: Collection[int], size: int) -> tuple[int, ...]:
    table = [size] * (size + 1)
    for value in range(size - 1, -1, -1):
        table[value] = value if value in allowed else table[value + 1]
    return tuple(table)


def _month_days(fields: Fields, first_weekday: int, length: int) -> int:
    """The matching days of a month, as bits 1 to `length`, by the day fields alone."""
    whole_month = (2 << length) - 2
    by_day = (sum(1 << day for day in fields.days) | (1 << length if fields.last_day else 0)) & whole_month
    if not fields.restricts_weekdays:
        return by_day
    first_week = sum(2 << (weekday - first_weekday) % 7 for weekday in fields.weekdays)
    by_weekday = first_week * _EVERY_WEEK & whole_month
    for weekday, nth in fields.nth:
        first = 1 + (weekday - first_weekday) % 7
        day = first + (length - first) // 7 * 7 if nth == LAST else first + 7 * (nth - 1)
        by_weekday |= 1 << day & whole_month
    return by_day | by_weekday if fields.restricts_days else by_weekday
