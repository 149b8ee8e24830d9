"""A schedule in words, from its sets and never from its spelling: equivalent expressions read alike."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from itertools import product
from typing import Final

from tui_scheduler.domain.expression import LAST, Fields
from tui_scheduler.domain.schedule import AtSchedule, CronSchedule, EverySchedule, Schedule
from tui_scheduler.domain.zones import local_time

_WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_ORDINALS: Final = {1: "first", 2: "second", 3: "third", 4: "fourth", 5: "fifth", LAST: "last"}
_INTERVAL_UNITS: Final = (
    ("day", 86_400_000_000),
    ("hour", 3_600_000_000),
    ("minute", 60_000_000),
    ("second", 1_000_000),
)
_MOST_CLOCK_TIMES: Final = 4  # more than that are told by their fields: "minutes 0 through 9, hour 12"


def in_words(schedule: Schedule) -> str:
    """The schedule in plain English, without its timezone (except for a single instant, which names its offset)."""
    match schedule:
        case EverySchedule(period=period):
            return f"every {_interval(period)}"
        case AtSchedule():
            return _once(schedule)
        case CronSchedule(fields=fields):
            return _cron(fields)


def month_names(months: Collection[int]) -> str:
    """ "January, March and June through August"."""
    return _runs(months, lambda month: _MONTHS[month - 1])


def weekday_names(weekdays: Collection[int]) -> str:
    """ "Monday through Wednesday and Sunday": Monday first, so that a weekend is Saturday and Sunday."""
    return _runs({(day + 6) % 7 for day in weekdays}, lambda day: _WEEKDAYS[(day + 1) % 7])


def _interval(period: int) -> str:
    """The shortest exact way of saying it: 90 s is "90 seconds", 120 s "2 minutes", 5,400 s "90 minutes"."""
    for name, unit in _INTERVAL_UNITS:
        count, rest = divmod(period, unit)
        if rest:
            continue
        return name if count == 1 else f"{count} {name}s"
    return f"{period // 1_000_000}.{period % 1_000_000:06}".rstrip("0") + " seconds"


def _once(schedule: AtSchedule) -> str:
    second, micros = divmod(schedule.instant, 1_000_000)
    at = local_time(second, schedule.zone.offset_at(second)).replace(microsecond=micros)
    clock = at.strftime("%H:%M") if not at.second and not micros else at.strftime("%H:%M:%S")
    fraction = f".{micros:06}".rstrip("0") if micros else ""
    return f"once on {at:%Y-%m-%d} at {clock}{fraction} ({at.isoformat(timespec='seconds')[19:]})"


def _cron(fields: Fields) -> str:
    days = _days(fields)
    clock_times = _clock_times(fields)
    if clock_times:
        return f"at {clock_times}, {days}" if days else f"every day at {clock_times}"
    return ", ".join([*_frequency(fields), *([days] if days else [])])


def _clock_times(fields: Fields) -> str | None:
    """A handful of times of day, listed: "09:00 and 17:30"."""
    if len(fields.hours) * len(fields.minutes) * len(fields.seconds) > _MOST_CLOCK_TIMES:
        return None
    times = product(sorted(fields.hours), sorted(fields.minutes), sorted(fields.seconds))
    with_seconds = fields.seconds != {0}
    return _listed([_clock(time if with_seconds else time[:2]) for time in times])


def _frequency(fields: Fields) -> list[str]:
    """The part below the day, smallest unit first, leaving out what goes without saying."""
    seconds = _every(fields.seconds, 60, "second")
    minutes = _every(fields.minutes, 60, "minute")
    hours = _every(fields.hours, 24, "hour")
    on_the_minute, on_the_hour = fields.seconds == {0}, fields.minutes == {0} and fields.seconds == {0}
    stretch = _from_through(fields, bool(seconds), bool(minutes))
    within_hour = [] if hours == "every hour" else [hours or _named(fields.hours, "hour")]
    if seconds and stretch and minutes == "every minute":
        return [_without_start(seconds) + stretch]
    if seconds:
        within_minute = [] if minutes == "every minute" else [minutes or _named(fields.minutes, "minute")]
        return [seconds, *within_minute, *within_hour]
    at_second = "" if on_the_minute else f" at {_named(fields.seconds, 'second')}"
    if stretch and (minutes or len(fields.minutes) == 1):
        return [_without_start(minutes or "every hour") + stretch]
    if minutes:
        return [minutes + at_second, *within_hour]
    if hours:
        at_minute = "" if on_the_hour else f" at {_named(fields.minutes, 'minute')}"
        return [hours + at_minute + (f", {_named(fields.seconds, 'second')}" if at_second else "")]
    start = [f"at {_named(fields.seconds, 'second')}"] if at_second else []
    minute = _named(fields.minutes, "minute")
    return [*start, minute if start else f"at {minute}", *within_hour]


def _from_through(fields: Fields, seconds_go_on: bool, minutes_go_on: bool) -> str | None:
    """ " from 09:00 through 17:55", for a rhythm kept through hours in a row but not the whole day."""
    hours = sorted(fields.hours)
    in_a_row = hours[-1] - hours[0] == len(hours) - 1 < 23
    if not in_a_row or not (seconds_go_on or len(fields.seconds) == 1):
        return None
    if not minutes_go_on and len(hours) < 2:
        return None
    first = (hours[0], min(fields.minutes), min(fields.seconds))
    last = (hours[-1], max(fields.minutes), max(fields.seconds))
    shown = 2 if fields.seconds == {0} else 3
    return f" from {_clock(first[:shown])} through {_clock(last[:shown])}"


def _clock(parts: tuple[int, ...]) -> str:
    return ":".join(f"{part:02}" for part in parts)


def _without_start(rhythm: str) -> str:
    """A rhythm whose start is said by a clock time instead: "every 5 minutes from minute 2" without its tail."""
    return rhythm.partition(" from ")[0]


def _every(values: Collection[int], size: int, unit: str) -> str | None:
    """ "every 5 minutes" for an even rhythm that goes on around the clock; None for anything else."""
    ordered = sorted(values)
    count = len(ordered)
    if count < 2 or size % count:
        return None
    step = size // count
    if ordered != list(range(ordered[0], size, step)):
        return None
    if step == 1:
        return f"every {unit}"
    start = f" from {unit} {ordered[0]}" if ordered[0] else ""
    return f"every {step} {unit}s{start}"


def _named(values: Collection[int], unit: str) -> str:
    return f"{unit}{'s' if len(values) > 1 else ''} {_runs(values, str)}"


def _days(fields: Fields) -> str:
    """ "Monday through Friday, in July", "on day 1 of the month"; empty for every day of the year."""
    months = "" if len(fields.months) == 12 else month_names(fields.months)
    by_weekday = _weekdays(fields) if fields.restricts_weekdays else ""
    if not fields.restricts_days:
        by_weekday = by_weekday.removeprefix("on ") if " through " in by_weekday else by_weekday
        return ", ".join(filter(None, [by_weekday, f"in {months}" if months else ""]))
    if by_weekday and months:
        return f"in {months}, {_days_of_month(fields, 'of the month')} or {by_weekday}"
    by_day = _days_of_month(fields, f"of {months}" if months else "of the month")
    return f"{by_day} or {by_weekday}" if by_weekday else by_day


def _days_of_month(fields: Fields, month: str) -> str:
    # L includes the 31st, which is a last day wherever it exists.
    days = fields.days - {31} if fields.last_day else fields.days
    named = [f"{'days' if len(days) > 1 else 'day'} {_runs(days, str)}"] if days else []
    return f"on {_listed([*named, *(['the last day'] if fields.last_day else [])])} {month}"


def _weekdays(fields: Fields) -> str:
    plain = [weekday_names(fields.weekdays)] if fields.weekdays else []
    nth = [
        f"the {_listed([_ORDINALS[n] for n in ordinals])} {_listed([_WEEKDAYS[day] for day in days])}"
        for ordinals, days in _grouped(fields.nth)
    ]
    return f"on {_listed(plain + nth)}{' of the month' if nth else ''}"


def _grouped(nth: Collection[tuple[int, int]]) -> Iterator[tuple[tuple[int, ...], list[int]]]:
    """Weekdays that share their ordinals, said together: "the first and third Monday"."""
    groups: dict[tuple[int, ...], list[int]] = {}
    for weekday in sorted({weekday for weekday, _ in nth}):
        ordinals = tuple(sorted(n for day, n in nth if day == weekday))
        groups.setdefault(ordinals, []).append(weekday)
    yield from groups.items()


def _runs(values: Collection[int], name: Callable[[int], str]) -> str:
    """ "1, 3 and 5 through 9": three or more in a row are a range."""
    said: list[str] = []
    ordered = sorted(values)
    while ordered:
        first = ordered[0]
        length = next((n for n, value in enumerate(ordered) if value != first + n), len(ordered))
        run, ordered = ordered[:length], ordered[length:]
        said += [f"{name(run[0])} through {name(run[-1])}"] if length > 2 else [name(value) for value in run]
    return _listed(said)


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
