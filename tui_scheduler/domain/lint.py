"""What a person should know before trusting a schedule: its next runs, and the ways in which it may surprise.

Fast enough to be asked on every key stroke: a few clock changes a year are looked at, never the occurrences between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tui_scheduler.domain.cron import hits_gap, is_ambiguous
from tui_scheduler.domain.expression import COLUMNS, Fields
from tui_scheduler.domain.schedule import AtSchedule, CronSchedule, Schedule
from tui_scheduler.domain.wording import month_names, weekday_names
from tui_scheduler.domain.zones import EARLIEST, LATEST, Stretch, local_time, timeline

Code = Literal["day-or-weekday", "rare", "dst-gap", "dst-overlap"]

_SECOND: Final = 1_000_000
_YEAR: Final = 366 * 86_400
_SHORTEST_MONTH: Final = {1: 31, 2: 28, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}


@dataclass(frozen=True, slots=True)
class ScheduleWarning:
    """One thing worth knowing: a code for programs, a sentence without a final full stop for people."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Run:
    """One occurrence: the instant (µs), its local time in ISO 8601 with offset, and what the clock does to it.

    `gap`: the local time asked for does not exist that day, and this is the gap's end instead. `overlap`: this local
    time comes twice that day.
    """

    instant: int
    local: str
    dst: Literal["gap", "overlap"] | None


def preview(schedule: Schedule, after: int, count: int = 5) -> tuple[Run, ...]:
    """The first `count` runs strictly after an instant (µs); fewer when there are no more."""
    return tuple(_runs(schedule, after, count))


def lint(schedule: Schedule, now: int) -> tuple[ScheduleWarning, ...]:
    """The warnings that apply to a schedule; those about clock changes look a year ahead of `now` (µs)."""
    match schedule:
        case CronSchedule():
            return (*_about_days(schedule.fields), *_about_steps(schedule), *_about_clock_changes(schedule, now))
        case AtSchedule():
            return tuple(_about_instant(schedule))
        case _:
            return ()


def _runs(schedule: Schedule, after: int, count: int) -> Iterator[Run]:
    zone = timeline(schedule.timezone)
    for _ in range(count):
        found = schedule.next_after(after)
        if found is None:
            return
        second, micros = divmod(found, _SECOND)
        local = local_time(second, zone.offset_at(second)).replace(microsecond=micros)
        timespec = "seconds" if not micros else "microseconds" if micros % 1000 else "milliseconds"
        yield Run(found, local.isoformat(timespec=timespec), _clock_effect(schedule, found))
        after = found


def _clock_effect(schedule: Schedule, instant: int) -> Literal["gap", "overlap"] | None:
    zone, second = timeline(schedule.timezone), instant // _SECOND
    match schedule:
        case CronSchedule(is_fixed=True, walk=walk) if hits_gap(walk, zone, second) is not None:
            return "gap"
        case AtSchedule() if _is_moved(schedule):
            return "gap"
        case _:
            return "overlap" if is_ambiguous(zone, second) else None


def _about_days(fields: Fields) -> Iterator[ScheduleWarning]:
    if fields.restricts_days and fields.restricts_weekdays:
        message = "day of month and day of week are both given: it fires when either matches, not only when both do"
        yield ScheduleWarning("day-or-weekday", message)
    elif fields.restricts_days and not fields.last_day:
        yield from _about_short_months(fields)
    elif fields.restricts_weekdays and fields.nth and not fields.weekdays:
        yield from _about_fifth_weekdays(fields)


def _about_short_months(fields: Fields) -> Iterator[ScheduleWarning]:
    first = min(fields.days)
    never = [m for m in sorted(fields.months) if first > _SHORTEST_MONTH[m] and not (m == 2 and first == 29)]
    if fields.months == {2} and first == 29:
        yield ScheduleWarning("rare", "February 29 exists in leap years only: it fires once in four years")
        return
    if never:
        instead = "; for the last day of every month write L" if first > 29 else ""
        yield ScheduleWarning(
            "rare", f"there is no day {first} in {month_names(never)}: it skips {_them(never)}{instead}"
        )
    if 2 in fields.months and first == 29:
        yield ScheduleWarning(
            "rare", "there is no day 29 in February except in leap years: it skips February in others"
        )


def _about_fifth_weekdays(fields: Fields) -> Iterator[ScheduleWarning]:
    if all(nth == 5 for _, nth in fields.nth):
        weekdays = {weekday for weekday, _ in fields.nth}
        instead = ",".join(f"L{weekday}" for weekday in sorted(weekdays))
        message = (
            f"most months have no fifth {weekday_names(weekdays)}: it skips them; for the last one write {instead}"
        )
        yield ScheduleWarning("rare", message)


def _about_steps(schedule: CronSchedule) -> Iterator[ScheduleWarning]:
    """A step longer than its field, as in `*/90`: it looks like every 90 minutes and is once an hour."""
    words = schedule.text.split()
    if words[0].startswith("@"):
        return
    for column, word in zip(COLUMNS[6 - len(words) :], words, strict=True):
        for step in re.findall(r"/(\d+)", word):
            if int(step) >= column.size:
                message = (
                    f"the step {int(step)} in the {column.name} field is longer than the field ({column.size} values): "
                    "the count starts again each time round; for a plain interval write @every"
                )
                yield ScheduleWarning("rare", message)


def _about_clock_changes(schedule: CronSchedule, now: int) -> Iterator[ScheduleWarning]:
    """The first gap and the first overlap within a year that move or double a local time of the schedule."""
    if not schedule.is_fixed:
        return  # it fires at every matching real instant: nothing is moved and nothing left out
    first = min(max(now // _SECOND, EARLIEST), LATEST)
    seen: set[str] = set()
    for stretch in schedule.zone.stretches(first, min(first + _YEAR, LATEST)):
        warning = _at_change(schedule, stretch) if stretch.start > first else None
        if warning and warning.code not in seen:
            seen.add(warning.code)
            yield warning


def _at_change(schedule: CronSchedule, change: Stretch) -> ScheduleWarning | None:
    start, _, offset, before = change
    if offset == before:
        return None
    at_change, after_change = sorted((start + before, start + offset))  # the local times left out, or doubled
    found = schedule.walk.next_local(at_change)
    if found is None or found >= after_change:
        return None
    when = f"on {local_time(found, 0):%Y-%m-%d} the local time {_clock(found)}"
    if before < offset:
        end = local_time(start, offset).isoformat(sep=" ", timespec="minutes")
        return ScheduleWarning("dst-gap", f"{when} is left out in {schedule.timezone}: it fires once at {end}")
    return ScheduleWarning("dst-overlap", f"{when} comes twice in {schedule.timezone}: it fires the first time only")


def _about_instant(schedule: AtSchedule) -> Iterator[ScheduleWarning]:
    if schedule.wall_clock is None:
        return  # written with its offset: one instant, whatever the clock does
    second = schedule.instant // _SECOND
    when = f"on {schedule.wall_clock:%Y-%m-%d} the local time {schedule.wall_clock:%H:%M}"
    if _is_moved(schedule):
        end = local_time(second, schedule.zone.offset_at(second)).isoformat(sep=" ", timespec="minutes")
        message = f"{when} is left out in {schedule.timezone}: it fires at {end}"
        yield ScheduleWarning("dst-gap", message)
    elif is_ambiguous(schedule.zone, second):
        message = f"{when} comes twice in {schedule.timezone}: it fires the first time; an offset says which is meant"
        yield ScheduleWarning("dst-overlap", message)


def _is_moved(schedule: AtSchedule) -> bool:
    if schedule.wall_clock is None:
        return False
    second, micros = divmod(schedule.instant, _SECOND)
    shown = local_time(second, schedule.zone.offset_at(second)).replace(microsecond=micros, tzinfo=None)
    return shown != schedule.wall_clock


def _clock(local: int) -> str:
    shown = local_time(local, 0)
    return f"{shown:%H:%M:%S}" if shown.second else f"{shown:%H:%M}"


def _them(months: list[int]) -> str:
    return "that month" if len(months) == 1 else "those months"
