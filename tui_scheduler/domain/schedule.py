"""When a job runs: a cron expression, an interval, or one instant, each in a timezone.

Instants are whole microseconds since the Unix epoch, UTC. Occurrences of a cron expression fall on whole seconds,
those of `@every` on the millisecond of the job's creation.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from tui_scheduler.domain.counting import DayCounts, count_between, last_between
from tui_scheduler.domain.cron import Walk, next_second, shortest_gap, walk_of
from tui_scheduler.domain.durations import LONGEST, whole_units
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.expression import Fields, read
from tui_scheduler.domain.zones import EARLIEST, EPOCH, LATEST, Timeline, nearest_timezones, timeline

__all__ = [
    "AtSchedule",
    "CronSchedule",
    "EverySchedule",
    "Schedule",
    "check_can_fire",
    "nearest_timezones",
    "parse_schedule",
]

SECOND: Final = 1_000_000  # µs
SHORTEST_INTERVAL: Final = 1 * SECOND
LONGEST_INTERVAL: Final = LONGEST

_INSTANT: Final = re.compile(
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)
_CRON_EXAMPLE: Final = "0 30 9 * * MON-FRI"
_EVERY_EXAMPLE: Final = "@every 90s"
_AT_EXAMPLE: Final = "@at 2026-12-01T09:00:00+01:00"


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """Fires at the wall-clock times of a cron expression."""

    text: str
    timezone: str
    fields: Fields = field(compare=False, repr=False)
    walk: Walk = field(compare=False, repr=False)
    zone: Timeline = field(compare=False, repr=False)
    is_fixed: bool = field(compare=False, repr=False)

    def next_after(self, instant: int) -> int | None:
        """The first occurrence strictly after `instant`; None when there is none within 40 years or before 9999."""
        after = instant // SECOND
        if not EARLIEST < after < LATEST:
            if after >= LATEST:
                return None
            after = EARLIEST
        found = next_second(self.walk, self.zone, self.is_fixed, after)
        return None if found is None else found * SECOND

    def count_between(self, after: int, through: int) -> int:
        """The number of occurrences in (after, through]; costs the months between, not the occurrences."""
        first, last = max(after // SECOND, EARLIEST), min(through // SECOND, LATEST - 1)
        fields = self.fields
        day = DayCounts(*(tuple(sorted(allowed)) for allowed in (fields.seconds, fields.minutes, fields.hours)))
        return count_between(self.walk, day, self.zone, self.is_fixed, first, last)

    def last_between(self, after: int, through: int) -> int | None:
        """The last occurrence in (after, through], or None."""
        return last_between(self.next_after, after, through)

    def shortest_gap(self) -> int | None:
        """No two occurrences are closer than this many µs, changes of the clock since 2000 included."""
        return shortest_gap(self.fields, self.zone, self.is_fixed) * SECOND


@dataclass(frozen=True, slots=True)
class EverySchedule:
    """Fires every `period` µs, counted from `anchor`, which is itself no occurrence."""

    text: str
    timezone: str
    anchor: int
    period: int

    def next_after(self, instant: int) -> int | None:
        """The first occurrence strictly after `instant`; None from year 9999 on."""
        found = self.anchor + max((instant - self.anchor) // self.period + 1, 1) * self.period
        return found if found < LATEST * SECOND else None

    def count_between(self, after: int, through: int) -> int:
        """The number of occurrences in (after, through]."""
        return max(self._number(through) - self._number(after), 0)

    def last_between(self, after: int, through: int) -> int | None:
        """The last occurrence in (after, through], or None."""
        return last_between(self.next_after, after, through)

    def shortest_gap(self) -> int | None:
        return self.period

    def _number(self, instant: int) -> int:
        """The occurrences up to and with this instant."""
        return max((min(instant, LATEST * SECOND - 1) - self.anchor) // self.period, 0)


@dataclass(frozen=True, slots=True)
class AtSchedule:
    """Fires once, at `instant`. `wall_clock` is the local time as written when it was written without an offset."""

    text: str
    timezone: str
    instant: int
    zone: Timeline = field(compare=False, repr=False)
    wall_clock: datetime | None = None

    def next_after(self, instant: int) -> int | None:
        return self.instant if instant < self.instant else None

    def count_between(self, after: int, through: int) -> int:
        """1 when the instant lies in (after, through], else 0."""
        return int(after < self.instant <= through)

    def last_between(self, after: int, through: int) -> int | None:
        """The instant when it lies in (after, through], or None."""
        return self.instant if after < self.instant <= through else None

    def shortest_gap(self) -> int | None:
        return None


Schedule = CronSchedule | EverySchedule | AtSchedule


def parse_schedule(text: str, timezone: str = "UTC", *, created_at: int = 0) -> Schedule:
    """The schedule a user wrote; raises `Invalid` for `schedule` or `timezone`, with the position where one is known.

    `created_at` (µs) matters to `@every` only. Equal arguments give the same value again, from a bounded cache.
    """
    if re.match(r"\s*@every(\s|$)", text, re.IGNORECASE):
        return _parse_every(text, timezone, created_at)
    if re.match(r"\s*@at(\s|$)", text, re.IGNORECASE):
        return _parse_at(text, timezone)
    return _parse_cron(text, timezone)


def check_can_fire(schedule: Schedule, now: int) -> None:
    """Raise `Invalid` for a schedule without an occurrence after `now`: a promise that cannot be kept."""
    if schedule.next_after(now) is not None:
        return
    if isinstance(schedule, AtSchedule):
        raise Invalid("schedule", "this instant has passed, so it can never fire", example=_AT_EXAMPLE)
    raise Invalid("schedule", "it can never fire", example=_CRON_EXAMPLE)


@lru_cache(maxsize=16_384)
def _parse_cron(text: str, timezone: str) -> CronSchedule:
    fields = read(text)
    zone = timeline(timezone)
    # Where the clock never changes there is nothing to decide, and the plain walk is the right one either way.
    return CronSchedule(text.strip(), timezone, fields, walk_of(fields), zone, fields.restricts_hours)


@lru_cache(maxsize=16_384)
def _parse_every(text: str, timezone: str, created_at: int) -> EverySchedule:
    timeline(timezone)  # refuses an unknown one; an interval is the same everywhere
    position, argument = _argument(text)
    period = whole_units(argument)
    if period is None:
        reason = "@every needs whole numbers with units, largest first: d, h, m, s, ms"
        raise Invalid("schedule", reason, position=position, example="@every 1m30s")
    if not SHORTEST_INTERVAL <= period <= LONGEST_INTERVAL:
        _refuse_interval(position)
    return EverySchedule(text.strip(), timezone, created_at // 1000 * 1000, period)


@lru_cache(maxsize=4096)
def _parse_at(text: str, timezone: str) -> AtSchedule:
    zone = timeline(timezone)
    position, argument = _argument(text)
    match = _INSTANT.fullmatch(argument)
    try:
        at = datetime.fromisoformat(argument.upper()) if match else None
    except ValueError as error:
        raise Invalid("schedule", f"@at: {error}", position=position, example=_AT_EXAMPLE) from None
    if match is None or at is None:
        reason = "@at needs a date and a time as in RFC 3339; without an offset it is local to the timezone"
        raise Invalid("schedule", reason, position=position, example=_AT_EXAMPLE)
    wall_clock = at.replace(tzinfo=None)
    if not 1 < wall_clock.year < 9999:
        raise Invalid("schedule", "@at: the year must be within 2 to 9998", position=position, example=_AT_EXAMPLE)
    local = (wall_clock - EPOCH) // timedelta(microseconds=1)
    offset = at.utcoffset()
    if offset is None:
        return AtSchedule(text.strip(), timezone, _instant_of_local(zone, local), zone, wall_clock)
    return AtSchedule(text.strip(), timezone, local - offset // timedelta(microseconds=1), zone)


def _argument(text: str) -> tuple[int, str]:
    """What follows `@every` or `@at`, and where it starts."""
    argument = text.strip().removeprefix(text.split(maxsplit=1)[0]).strip()
    return (text.rindex(argument) if argument else len(text)), argument


def _refuse_interval(position: int) -> None:
    reason = "an interval lasts at least 1s and at most 3650d"
    raise Invalid("schedule", reason, position=position, example=_EVERY_EXAMPLE)


def _instant_of_local(zone: Timeline, local: int) -> int:
    """The instant (µs) of a wall clock (µs, as if UTC): the first of two, and a gap's end for one inside the gap."""
    second = local // SECOND
    # No offset exceeds a day, so whatever stretch contains this wall clock touches the two days around it.
    for stretch in zone.stretches(second - 86_400, second + 86_400):
        if second < stretch.start + stretch.offset:
            return stretch.start * SECOND
        if second < stretch.end + stretch.offset:
            break
    return local - stretch.offset * SECOND
