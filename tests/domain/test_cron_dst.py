"""What changes of the clock do: tables checked by hand, and every second around a change by brute force."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tui_scheduler.domain.expression import LAST, Fields
from tui_scheduler.domain.schedule import CronSchedule, parse_schedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def local_runs(text: str, zone: str, after: str, count: int) -> list[str]:
    """The runs strictly after an instant given as ISO 8601 with offset, each as local time with offset."""
    schedule = parse_schedule(text, zone)
    instant = micros(datetime.fromisoformat(after))
    runs: list[str] = []
    for _ in range(count):
        found = schedule.next_after(instant)
        assert found is not None
        instant = found
        at = (EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone))
        runs.append(at.isoformat().replace(":00-", "-").replace(":00+", "+") if not at.second else at.isoformat())
    return runs


# zone, an instant shortly before the change, expression, the runs that follow
GAPS = [
    # New York 2026-03-08: 02:00 EST becomes 03:00 EDT.
    ("America/New_York", "2026-03-08T00:00-05:00", "30 2 * * *", ["2026-03-08T03:00-04:00", "2026-03-09T02:30-04:00"]),
    ("America/New_York", "2026-03-08T00:00-05:00", "0 2 * * *", ["2026-03-08T03:00-04:00", "2026-03-09T02:00-04:00"]),
    ("America/New_York", "2026-03-08T00:00-05:00", "0 3 * * *", ["2026-03-08T03:00-04:00", "2026-03-09T03:00-04:00"]),
    (  # many local times inside the gap are one run, and so is the gap's end itself
        "America/New_York",
        "2026-03-08T01:50-05:00",
        "*/10 2-3 * * *",
        ["2026-03-08T03:00-04:00", "2026-03-08T03:10-04:00"],
    ),
    (
        "America/New_York",
        "2026-03-08T01:50-05:00",
        "*/20 * * * *",
        ["2026-03-08T03:00-04:00", "2026-03-08T03:20-04:00"],
    ),
    ("America/New_York", "2026-03-08T00:40-05:00", "30 * * * *", ["2026-03-08T01:30-05:00", "2026-03-08T03:30-04:00"]),
    ("America/New_York", "2027-03-14T00:00-05:00", "30 2 * * *", ["2027-03-14T03:00-04:00"]),
    ("America/New_York", "2026-03-08T00:00-05:00", "30 2 8 3 *", ["2026-03-08T03:00-04:00", "2027-03-08T02:30-05:00"]),
    ("America/New_York", "2026-03-01T00:00-05:00", "30 2 * * SUN#2", ["2026-03-08T03:00-04:00"]),
    # London 2026-03-29: 01:00 GMT becomes 02:00 BST.
    ("Europe/London", "2026-03-29T00:00+00:00", "15,45 1 * * *", ["2026-03-29T02:00+01:00", "2026-03-30T01:15+01:00"]),
    ("Europe/London", "2027-03-28T00:00+00:00", "0 1 * * *", ["2027-03-28T02:00+01:00"]),
    # Dublin: the same instants, although its winter is the one with the (negative) DST.
    ("Europe/Dublin", "2026-03-29T00:00+00:00", "15,45 1 * * *", ["2026-03-29T02:00+01:00", "2026-03-30T01:15+01:00"]),
    # Lord Howe 2026-10-04: 02:00 becomes 02:30.
    ("Australia/Lord_Howe", "2026-10-04T01:00+10:30", "15 2 * * *", ["2026-10-04T02:30+11:00"]),
    (
        "Australia/Lord_Howe",
        "2026-10-04T01:00+10:30",
        "15,45 2 * * *",
        ["2026-10-04T02:30+11:00", "2026-10-04T02:45+11:00"],
    ),
    # Gaps at midnight. Beirut 2026-03-29 and Cairo 2026-04-24: 00:00 becomes 01:00; Santiago 2026-09-06 likewise.
    ("Asia/Beirut", "2026-03-28T12:00+02:00", "0 0 * * *", ["2026-03-29T01:00+03:00", "2026-03-30T00:00+03:00"]),
    ("Africa/Cairo", "2026-04-23T12:00+02:00", "30 0 * * *", ["2026-04-24T01:00+03:00", "2026-04-25T00:30+03:00"]),
    ("Africa/Cairo", "2026-04-23T12:00+02:00", "0 0 24 4 *", ["2026-04-24T01:00+03:00", "2027-04-24T00:00+02:00"]),
    ("America/Santiago", "2026-09-05T12:00-04:00", "@daily", ["2026-09-06T01:00-03:00", "2026-09-07T00:00-03:00"]),
    ("America/Santiago", "2026-09-05T12:00-04:00", "@weekly", ["2026-09-06T01:00-03:00", "2026-09-13T00:00-03:00"]),
    # Nuuk 2026-03-28: 23:00 becomes 00:00, so the run of one day falls on the next.
    ("America/Nuuk", "2026-03-28T12:00-02:00", "45 23 * * *", ["2026-03-29T00:00-01:00", "2026-03-29T23:45-01:00"]),
    # Apia had no 30 December 2011: the whole day is one gap.
    ("Pacific/Apia", "2011-12-29T12:00-10:00", "0 12 * * *", ["2011-12-31T00:00+14:00", "2011-12-31T12:00+14:00"]),
    ("Pacific/Apia", "2011-12-29T12:00-10:00", "0 0 * * *", ["2011-12-31T00:00+14:00", "2012-01-01T00:00+14:00"]),
    ("Pacific/Apia", "2011-12-29T22:10-10:00", "0 * * * *", ["2011-12-29T23:00-10:00", "2011-12-31T00:00+14:00"]),
    # Monrovia 1972-01-07: 00:00 becomes 00:44:30.
    ("Africa/Monrovia", "1972-01-06T23:00-00:44:30", "30 0 * * *", ["1972-01-07T00:44:30+00:00"]),
]

OVERLAPS = [
    # New York 2026-11-01: 02:00 EDT becomes 01:00 EST.
    ("America/New_York", "2026-11-01T00:00-04:00", "30 1 * * *", ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
    ("America/New_York", "2026-11-01T00:00-04:00", "0 1 * * *", ["2026-11-01T01:00-04:00", "2026-11-02T01:00-05:00"]),
    ("America/New_York", "2026-11-01T00:00-04:00", "0 2 * * *", ["2026-11-01T02:00-05:00", "2026-11-02T02:00-05:00"]),
    (
        "America/New_York",
        "2026-11-01T01:10-05:00",
        "30 1 * * *",
        ["2026-11-02T01:30-05:00"],
    ),  # asked in the second hour
    (
        "America/New_York",
        "2026-11-01T01:40-04:00",
        "*/30 1-2 * * *",
        ["2026-11-01T02:00-05:00", "2026-11-01T02:30-05:00"],
    ),
    (  # all 24 hours: every real instant, the second hour too
        "America/New_York",
        "2026-11-01T00:40-04:00",
        "30 * * * *",
        ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-01T02:30-05:00"],
    ),
    ("America/New_York", "2026-11-01T01:40-04:00", "30 * 1 11 *", ["2026-11-01T01:30-05:00", "2026-11-01T02:30-05:00"]),
    ("Europe/London", "2026-10-25T00:00+01:00", "30 1 * * *", ["2026-10-25T01:30+01:00", "2026-10-26T01:30+00:00"]),
    ("Europe/London", "2025-10-26T00:00+01:00", "30 1 * * *", ["2025-10-26T01:30+01:00", "2025-10-27T01:30+00:00"]),
    ("Europe/Dublin", "2026-10-25T00:00+01:00", "30 1 * * *", ["2026-10-25T01:30+01:00", "2026-10-26T01:30+00:00"]),
    # Lord Howe 2026-04-05: 02:00 becomes 01:30.
    (
        "Australia/Lord_Howe",
        "2026-04-05T01:00+11:00",
        "45 1 * * *",
        ["2026-04-05T01:45+11:00", "2026-04-06T01:45+10:30"],
    ),
    (
        "Australia/Lord_Howe",
        "2026-04-05T01:00+11:00",
        "*/15 * * * *",
        [f"2026-04-05T01:{m}+11:00" for m in (15, 30, 45)]
        + [f"2026-04-05T{t}+10:30" for t in ("01:30", "01:45", "02:00")],
    ),
    # At midnight, when the last hour of the day before comes twice.
    ("Asia/Beirut", "2026-10-24T12:00+03:00", "30 23 * * *", ["2026-10-24T23:30+03:00", "2026-10-25T23:30+02:00"]),
    ("Asia/Beirut", "2026-10-24T12:00+03:00", "0 0 * * *", ["2026-10-25T00:00+02:00", "2026-10-26T00:00+02:00"]),
    ("Africa/Cairo", "2026-10-29T12:00+03:00", "30 23 * * *", ["2026-10-29T23:30+03:00", "2026-10-30T23:30+02:00"]),
    ("America/Santiago", "2026-04-04T12:00-03:00", "30 23 * * *", ["2026-04-04T23:30-03:00", "2026-04-05T23:30-04:00"]),
    ("America/Santiago", "2026-04-04T22:45-03:00", "30 * 4 4 *", ["2026-04-04T23:30-03:00", "2026-04-04T23:30-04:00"]),
]


@pytest.mark.parametrize(("zone", "after", "text", "expected"), GAPS)
def test_local_times_inside_a_gap_become_one_run_at_its_end(
    zone: str, after: str, text: str, expected: list[str]
) -> None:
    assert local_runs(text, zone, after, len(expected)) == expected


@pytest.mark.parametrize(("zone", "after", "text", "expected"), OVERLAPS)
def test_a_fixed_local_time_that_comes_twice_fires_the_first_time(
    zone: str, after: str, text: str, expected: list[str]
) -> None:
    assert local_runs(text, zone, after, len(expected)) == expected


@pytest.mark.parametrize("year", [2025, 2026, 2027])
@pytest.mark.parametrize(
    "zone",
    [
        *("America/New_York", "Europe/London", "Europe/Dublin", "Australia/Lord_Howe", "Asia/Beirut", "Africa/Cairo"),
        *("America/Santiago", "Asia/Gaza", "Africa/Casablanca", "Asia/Kolkata", "UTC"),
    ],
)
@pytest.mark.parametrize("text", ["0 0 * * *", "30 1 * * *", "15 2 * * *", "45 23 * * *"])
def test_a_daily_time_runs_once_for_every_day_of_the_year(text: str, zone: str, year: int) -> None:
    schedule, runs = parse_schedule(text, zone), set[date]()
    instant = micros(datetime(year, 1, 1, tzinfo=ZoneInfo(zone))) - SECOND
    for count in range(1, 366):
        found = schedule.next_after(instant)
        assert found is not None
        instant = found
        runs.add((EPOCH + timedelta(microseconds=instant)).astimezone(ZoneInfo(zone)).date())
        assert len(runs) == count


@pytest.mark.parametrize("text", ["0 * * * *", "*/15 * * * *", "*/20 */30 * * * *"])
@pytest.mark.parametrize("zone", ["America/New_York", "Europe/London", "Asia/Beirut", "Pacific/Apia"])
def test_a_repeating_schedule_keeps_its_real_rhythm_through_whole_hour_changes(text: str, zone: str) -> None:
    there, in_utc = parse_schedule(text, zone), parse_schedule(text)
    instant = micros(datetime(2011, 12, 25, tzinfo=UTC))
    for _ in range(4000):
        found = there.next_after(instant)
        assert found == in_utc.next_after(instant)
        assert found is not None
        instant = found


@pytest.mark.parametrize(
    "spellings",
    [
        ("30 * * * *", "30 0-23 * * *", "30 */1 * * *", "30 0-11,12-23 * * *", "30 12-11 * * *", "0 30 * * * ?"),
        ("30 1 * * *", "30 1-1 * * *", "30 01 * * *", "0 30 1 ? * 0-7", "30 1 1-31 JAN-DEC *"),
        ("*/30 1-3 * * *", "0,30 1,2,3 * * *", "0-30/30 1-3/1 * * *"),
    ],
)
@pytest.mark.parametrize("zone", ["America/New_York", "Australia/Lord_Howe", "Asia/Beirut"])
def test_equivalent_spellings_agree_through_every_change(spellings: tuple[str, ...], zone: str) -> None:
    starts = [f"2026-{month:02}-{day:02}T00:00+00:00" for month in (3, 4, 9, 10, 11) for day in (1, 8, 24, 28)]
    for start in starts:
        assert len({tuple(local_runs(text, zone, start, 60)) for text in spellings}) == 1


# Each the first second after a change of offset.
CHANGES = [
    ("America/New_York", "2026-03-08T07:00:00"),
    ("America/New_York", "2026-11-01T06:00:00"),
    ("Europe/Dublin", "2026-03-29T01:00:00"),
    ("Europe/Dublin", "2026-10-25T01:00:00"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00"),
    ("Asia/Beirut", "2026-03-28T22:00:00"),
    ("Asia/Beirut", "2026-10-24T21:00:00"),
    ("Africa/Cairo", "2026-04-23T22:00:00"),
    ("America/Santiago", "2026-04-05T03:00:00"),
    ("Africa/Monrovia", "1972-01-07T00:44:30"),
    ("Asia/Kathmandu", "1985-12-31T18:30:00"),
    ("Antarctica/Troll", "2026-03-29T01:00:00"),  # two hours
]
BEFORE, BEHIND = 3600, 2 * 3600 + 1800


@lru_cache
def wall_clock(zone: str, change: str) -> tuple[int, list[datetime], list[bool], dict[int, list[datetime]]]:
    """The seconds around a change: the first, each one's local time and whether it is that time's second coming, and
    the local times left out just before one of them."""
    first = micros(datetime.fromisoformat(change + "+00:00")) // SECOND - BEFORE
    there = ZoneInfo(zone)
    shown = [(EPOCH + timedelta(seconds=first + n)).astimezone(there) for n in range(BEFORE + BEHIND)]
    clocks = [at.replace(tzinfo=None, fold=0) for at in shown]
    left_out = {
        n: [earlier + timedelta(seconds=s) for s in range(1, int((later - earlier).total_seconds()))]
        for n, (earlier, later) in enumerate(pairwise(clocks), start=1)
        if later - earlier > timedelta(seconds=1)
    }
    return first, clocks, [bool(at.fold) for at in shown], left_out


def matches(fields: Fields, at: datetime) -> bool:
    """The meaning of an expression, said once more without tables."""
    if at.second not in fields.seconds or at.minute not in fields.minutes or at.hour not in fields.hours:
        return False
    if at.month not in fields.months:
        return False
    is_last_day = (at + timedelta(days=1)).month != at.month
    weekday, nth = at.isoweekday() % 7, (at.day - 1) // 7 + 1
    is_last_of_its_kind = (at + timedelta(days=7)).month != at.month
    by_day = at.day in fields.days or (fields.last_day and is_last_day)
    by_weekday = weekday in fields.weekdays or (weekday, nth) in fields.nth
    by_weekday = by_weekday or (is_last_of_its_kind and (weekday, LAST) in fields.nth)
    both = len(fields.days) < 31 and len(fields.weekdays) < 7
    return (by_day or by_weekday) if both else (by_day and by_weekday)


def by_brute_force(fields: Fields, zone: str, change: str) -> list[int]:
    """Every firing second around a change, by looking at each in turn."""
    first, clocks, again, left_out = wall_clock(zone, change)
    if len(fields.hours) == 24:
        return [first + n for n in range(1, len(clocks)) if matches(fields, clocks[n])]
    return [
        first + n
        for n in range(1, len(clocks))
        if (matches(fields, clocks[n]) and not again[n]) or any(matches(fields, at) for at in left_out.get(n, ()))
    ]


near_hours = st.lists(st.sampled_from([0, 1, 2, 3, 4, 22, 23]), min_size=1, max_size=4, unique=True)
hours = st.just("*") | near_hours.map(lambda values: ",".join(map(str, values)))
minutes = st.lists(st.integers(0, 59), min_size=1, max_size=3).map(lambda values: ",".join(map(str, values)))
rhythms = st.sampled_from(["*/5", "*/15", "29-31", "*/7", "44,45"]) | minutes
days = st.sampled_from(["* * *", "* * SUN", "28-31 * *", "L * *", "1-8 * *", "* * SUN#2", "* * L6", "1 * SAT"])
around_a_change = st.builds("{} {} {} {}".format, st.sampled_from(["0", "*/20", "31"]), rhythms, hours, days)


@settings(max_examples=100)
@given(text=around_a_change, place=st.sampled_from(CHANGES))
def test_around_a_change_the_runs_are_those_found_second_by_second(text: str, place: tuple[str, str]) -> None:
    zone, change = place
    schedule = parse_schedule(text, zone)
    assert isinstance(schedule, CronSchedule)
    first, clocks, *_ = wall_clock(zone, change)
    runs, instant = [], first * SECOND
    while (found := schedule.next_after(instant)) is not None and found // SECOND < first + len(clocks):
        assert found > instant
        runs.append(found // SECOND)
        instant = found
    assert runs == by_brute_force(schedule.fields, zone, change)
    gap = schedule.shortest_gap()
    assert gap is not None
    # Changes before 2000 do not count for it: they would make jobs of today keep a distance they never need.
    assert change < "2000" or all((later - earlier) * SECOND >= gap for earlier, later in pairwise(runs))


@settings(max_examples=120)
@given(
    text=around_a_change,
    zone=st.sampled_from(
        ["Pacific/Apia", "Asia/Gaza", "America/Juneau", "Africa/Monrovia", "Europe/Amsterdam", "Asia/Manila"]
    ),
    start=st.datetimes(datetime(1840, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001
)
def test_runs_go_on_and_on_in_zones_with_a_history(text: str, zone: str, start: datetime) -> None:
    schedule = parse_schedule(text, zone)
    instant = micros(start.replace(tzinfo=UTC))
    for _ in range(20):
        found = schedule.next_after(instant)
        assert found is not None
        assert instant < found < instant + 40 * 366 * 86_400 * SECOND
        assert schedule.next_after(found - 1) == found
        instant = found
