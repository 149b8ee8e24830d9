"""The walk in UTC, against croniter, against cronsim, and against dates counted by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from croniter import croniter
from cronsim import CronSim
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.expression import COLUMNS, DAY_OF_MONTH, DAY_OF_WEEK, Field, read
from tui_scheduler.domain.schedule import CronSchedule, Schedule, parse_schedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000

starts = st.datetimes(datetime(1999, 1, 1), datetime(2060, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))  # noqa: DTZ001


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def moment(instant: int | None) -> datetime:
    assert instant is not None
    return EPOCH + timedelta(microseconds=instant)


def following(schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    runs: list[datetime] = []
    for _ in range(count):
        after = moment(schedule.next_after(micros(after)))
        runs.append(after)
    return runs


def named(column: Field, value: int) -> st.SearchStrategy[str]:
    names = [name for name, number in column.names.items() if number == value]
    spellings = [str(value), f"{value:02}", *names, *(name.lower() for name in names)]
    return st.sampled_from(spellings)


@st.composite
def items(draw: st.DrawFn, column: Field) -> str:
    """One item that croniter, cronsim and we read alike; ranges run upwards and have two ends."""
    low = draw(st.integers(column.low, column.high - 1))
    high = draw(st.integers(low + 1, column.high))
    step = draw(st.integers(1, column.size + 3))
    from_low, to_high = draw(named(column, low)), draw(named(column, high))
    # Not "v/s" for weekdays: cronsim counts on to 7, which is Sunday again.
    shapes = [to_high, f"{from_low}-{to_high}", f"{from_low}-{to_high}/{step}"]
    return draw(st.sampled_from(shapes if column is DAY_OF_WEEK else [*shapes, f"{from_low}/{step}"]))


def texts(column: Field) -> st.SearchStrategy[str]:
    lists = st.lists(items(column), min_size=1, max_size=3).map(",".join)
    if column is DAY_OF_MONTH:
        return st.just("*") | lists | st.just("L")
    if column is DAY_OF_WEEK:
        nth = st.builds("{}#{}".format, st.sampled_from(["0", "1", "MON", "wed", "6"]), st.integers(1, 5))
        last = st.integers(0, 6).map("L{}".format)
        return st.just("*") | lists | st.lists(nth | last, min_size=1, max_size=2).map(",".join)
    return st.just("*") | st.integers(1, column.size).map("*/{}".format) | lists


six_fields = st.tuples(*(texts(column) for column in COLUMNS)).map(" ".join)


def exists(text: str) -> bool:
    """False for February 30 and the like, which are refused."""
    try:
        return read(text).can_match
    except Invalid:
        return False


five_fields = six_fields.map(lambda text: text.partition(" ")[2])
expressions = (six_fields | five_fields | st.sampled_from(["@weekly", "@hourly"])).filter(exists)


def is_spelled_out(text: str) -> bool:
    """A day field that is full but has no star: croniter and cronsim then take it for a restriction, we do not."""
    if text.startswith("@"):
        return False
    fields, (*_, day, _month, weekday) = read(text), text.split()
    return (not fields.restricts_days and day != "*") or (not fields.restricts_weekdays and weekday != "*")


@settings(max_examples=150)
@given(text=expressions, start=starts)
@example(text="0 0 12 31 * *", start=datetime(2026, 1, 31, 12, tzinfo=UTC))
@example(text="0 0 0 29 2 *", start=datetime(2096, 3, 1, tzinfo=UTC))
def test_in_utc_the_runs_are_those_of_croniter(text: str, start: datetime) -> None:
    fields = read(text)
    assume(not is_spelled_out(text))
    # "L or the first Sunday": croniter asks for both at once there, and finds none.
    assume(not (fields.restricts_days and fields.nth))
    oracle = croniter(text, start, ret_type=datetime, second_at_beginning=True)
    assert following(parse_schedule(text), start, 4) == [oracle.get_next() for _ in range(4)]


@settings(max_examples=150)
@given(text=expressions, start=starts)
def test_in_utc_the_runs_are_those_of_cronsim(text: str, start: datetime) -> None:
    assume(not text.startswith("@") and not is_spelled_out(text))
    # cronsim writes the last Friday 5L.
    *others, weekday = text.split()
    spelled = ",".join(item[1:] + "L" if item.startswith("L") else item for item in weekday.split(","))
    oracle = CronSim(" ".join([*others, spelled]), start)
    assert following(parse_schedule(text), start, 4) == [next(oracle) for _ in range(4)]


@given(text=expressions, instant=st.integers(-(10**17), 10**17))
@settings(max_examples=150)
def test_the_next_run_is_later_matches_and_nothing_before_it_is_left_out(text: str, instant: int) -> None:
    schedule = parse_schedule(text)
    found = schedule.next_after(instant)
    assert found is not None
    assert found > instant
    assert found % SECOND == 0
    assert schedule.next_after(found - 1) == found
    middle = (instant + found) // 2
    assert schedule.next_after(middle) == (found if middle < found else schedule.next_after(found))


@given(text=expressions, start=starts)
@settings(max_examples=100)
def test_no_two_runs_are_closer_than_the_shortest_gap(text: str, start: datetime) -> None:
    schedule = parse_schedule(text)
    gap = schedule.shortest_gap()
    assert gap is not None
    assert all(
        later - earlier >= timedelta(microseconds=gap) for earlier, later in pairwise(following(schedule, start, 8))
    )


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("* * * * * *", "2026-12-31T23:59:59.999999", "2027-01-01T00:00:00"),
        ("* * * * * *", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("* * * * * *", "2026-12-31T23:59:58.999999", "2026-12-31T23:59:59"),
        ("31 10-15 1 * * MON-FRI", "2026-06-05T01:15:31", "2026-06-08T01:10:31"),
        ("30 9 * * *", "2026-06-05T09:29:59.5", "2026-06-05T09:30:00"),
        ("0 0 29 2 *", "2096-03-01T00:00:00", "2104-02-29T00:00:00"),  # 2100 is no leap year
        ("0 0 * 2 SUN#5", "2032-03-01T00:00:00", "2060-02-29T00:00:00"),
        ("0 0 * 2 FRI#5", "2092-03-01T00:00:00", "2104-02-29T00:00:00"),
        ("0 0 * 2 TUE#5", "2084-03-01T00:00:00", "2124-02-29T00:00:00"),  # forty years, across 2100
        ("0 0 L * *", "2028-02-01T00:00:00", "2028-02-29T00:00:00"),
        ("0 0 L 2 *", "2026-02-01T00:00:00", "2026-02-28T00:00:00"),
        ("0 0 15,L * *", "2026-04-15T00:00:00", "2026-04-30T00:00:00"),
        ("0 0 * * L5", "2026-05-01T00:00:00", "2026-05-29T00:00:00"),
        ("0 0 1 * MON", "2026-05-31T00:00:00", "2026-06-01T00:00:00"),  # both
        ("0 0 13 * FRI", "2026-06-12T00:00:00", "2026-06-13T00:00:00"),  # either: a Saturday the 13th …
        ("0 0 13 * FRI", "2026-06-13T00:00:00", "2026-06-19T00:00:00"),  # … and any Friday
        ("0 0 */2 * MON", "2026-06-01T00:00:00", "2026-06-03T00:00:00"),  # a leading star restricts all the same
        ("0 0 1 * 0-6", "2026-06-01T00:00:00", "2026-07-01T00:00:00"),  # all weekdays are no restriction
        ("0 0 1-31 * MON", "2026-06-02T00:00:00", "2026-06-08T00:00:00"),  # nor are all days
        ("0 0 30 2 MON", "2026-02-01T00:00:00", "2026-02-02T00:00:00"),
        ("0 12 * * *", "1969-12-31T11:59:59", "1969-12-31T12:00:00"),
        ("0 12 * * *", "0900-01-01T00:00:00", "0900-01-01T12:00:00"),
    ],
)
def test_dates_counted_by_hand(text: str, after: str, expected: str) -> None:
    run = parse_schedule(text).next_after(micros(datetime.fromisoformat(after + "+00:00")))
    assert moment(run) == datetime.fromisoformat(expected + "+00:00")


@pytest.mark.parametrize("text", ["* * * * * *", "0 0 29 2 *", "0 0 * 2 TUE#5", "0 0 L * *"])
@pytest.mark.parametrize("zone", ["UTC", "America/New_York"])
def test_the_ends_of_the_calendar_are_reached_without_a_fault(text: str, zone: str) -> None:
    schedule = parse_schedule(text, zone)
    assert schedule.next_after(10**30) is None
    assert schedule.next_after(micros(datetime(9999, 12, 31, tzinfo=UTC))) is None
    assert schedule.next_after(-(10**30)) is not None
    last = schedule.next_after(micros(datetime(9998, 1, 1, tzinfo=UTC)))
    assert last is None or last < micros(datetime(9999, 1, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("* * * * * *", 1),
        ("*/7 * * * * *", 4),  # from 56 to the next minute's 0
        ("0 0,59 * * * *", 60),
        ("30 * * * * *", 60),
        ("0,50 10 * * * *", 50),
        ("0 */20 * * * *", 1200),
        ("0 50 9 * * *", 86_400),
        ("0 0 0,23 * * *", 3600),
        ("0 9-17 * * *", 3600),
        ("59 23,0 * * *", 3600),
    ],
)
def test_the_shortest_gap_goes_around_midnight(text: str, seconds: int) -> None:
    assert parse_schedule(text).shortest_gap() == seconds * SECOND


def test_a_cron_schedule_is_equal_by_text_and_timezone() -> None:
    one = parse_schedule("0 0 * * *", "Europe/Berlin")
    assert isinstance(one, CronSchedule)
    assert one == parse_schedule("0 0 * * *", "Europe/Berlin")
    assert one != parse_schedule("0 0 * * *", "Europe/Paris")
    assert "Walk" not in repr(one)
