"""The entry point: which kind of schedule a text is, intervals, single instants, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.schedule import (
    AtSchedule,
    CronSchedule,
    EverySchedule,
    check_can_fire,
    parse_schedule,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SECOND = 1_000_000
NOW = 1_790_000_000 * SECOND + 123_456  # 2026-09-21T14:13:20.123456Z


def micros(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("*/5 * * * *", CronSchedule),
        ("@daily", CronSchedule),
        ("@every 90s", EverySchedule),
        ("  @EVERY\t90S ", EverySchedule),
        ("@at 2026-12-01T09:00:00+01:00", AtSchedule),
        ("@At 2026-12-01 09:00", AtSchedule),
    ],
)
def test_the_first_word_says_which_kind_it_is(text: str, kind: type) -> None:
    schedule = parse_schedule(text, "Europe/Berlin")
    assert isinstance(schedule, kind)
    assert schedule.text == text.strip()
    assert schedule.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("1s", SECOND),
        ("90s", 90 * SECOND),
        ("1m30s", 90 * SECOND),
        ("2h", 7200 * SECOND),
        ("1d", 86_400 * SECOND),
        ("1500ms", 1_500_000),
        ("1s500ms", 1_500_000),
        ("1D2H3M4S5MS", 93_784_005_000),
        ("3650d", 3650 * 86_400 * SECOND),
    ],
)
def test_an_interval_is_the_sum_of_its_units(text: str, period: int) -> None:
    schedule = parse_schedule(f"@every {text}")
    assert schedule.shortest_gap() == period
    assert schedule.next_after(0) == period


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("@every", 6),
        ("@every  ", 8),
        ("@every 5", 7),
        ("@every  1.5s", 8),
        ("@every -5s", 7),
        ("@every 1s 1m", 7),
        ("@every 1s1m", 7),
        ("@every 1s1s", 7),
        ("@every 1w", 7),
        ("@every 0s", 7),
        ("@every 999ms", 7),
        ("@every 3651d", 7),
        ("@every 99999999999999999999s", 7),
        ("@every \u0665s", 7),
    ],
)
def test_an_interval_that_cannot_be_kept_is_refused_with_its_place(text: str, position: int) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_schedule(text)
    assert refusal.value.field == "schedule"
    assert refusal.value.position == position
    assert refusal.value.example is not None
    assert parse_schedule(refusal.value.example).shortest_gap() == 90 * SECOND


def test_an_interval_counts_from_the_millisecond_of_creation() -> None:
    schedule = parse_schedule("@every 10s", created_at=NOW)
    anchor = NOW - NOW % 1000
    assert schedule.next_after(NOW) == anchor + 10 * SECOND
    assert schedule.next_after(anchor) == anchor + 10 * SECOND
    assert schedule.next_after(anchor + 10 * SECOND) == anchor + 20 * SECOND
    assert schedule.next_after(anchor + 10 * SECOND - 1) == anchor + 10 * SECOND


def test_an_interval_has_no_run_before_the_first_period_is_over() -> None:
    schedule = parse_schedule("@every 10s", created_at=NOW)
    assert schedule.next_after(0) == NOW - NOW % 1000 + 10 * SECOND


@given(st.integers(1, 10**7), st.integers(0, 2 * 10**15), st.integers(-(10**15), 4 * 10**15))
def test_runs_of_an_interval_are_whole_periods_from_its_anchor(seconds: int, created_at: int, instant: int) -> None:
    schedule = parse_schedule(f"@every {seconds}s", created_at=created_at)
    found = schedule.next_after(instant)
    assert found is not None
    assert found > instant
    assert (found - created_at // 1000 * 1000) % (seconds * SECOND) == 0
    assert found - seconds * SECOND <= max(instant, created_at)


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("2026-12-01T09:00:00+01:00", "UTC", "2026-12-01T08:00+00:00"),
        ("2026-12-01t09:00:00z", "Asia/Tokyo", "2026-12-01T09:00+00:00"),
        ("2026-12-01T09:00:00.250-05:30", "UTC", "2026-12-01T14:30:00.25+00:00"),
        ("2026-12-01T09:00", "Europe/Berlin", "2026-12-01T08:00+00:00"),
        ("2026-07-01 09:00:30", "Europe/Berlin", "2026-07-01T07:00:30+00:00"),
        ("2026-03-08T02:30:00", "America/New_York", "2026-03-08T07:00+00:00"),  # in the gap: its end
        ("2026-03-08T02:00:00", "America/New_York", "2026-03-08T07:00+00:00"),
        ("2026-03-08T03:00:00", "America/New_York", "2026-03-08T07:00+00:00"),
        ("2026-03-08T01:59:59.9", "America/New_York", "2026-03-08T06:59:59.9+00:00"),
        ("2026-11-01T01:30:00", "America/New_York", "2026-11-01T05:30+00:00"),  # twice: the first
        ("2026-11-01T02:00:00", "America/New_York", "2026-11-01T07:00+00:00"),
        ("2026-10-04T02:15:00", "Australia/Lord_Howe", "2026-10-03T15:30+00:00"),
        ("2011-12-30T12:00:00", "Pacific/Apia", "2011-12-30T10:00+00:00"),  # a day that never was
        ("1970-01-01T00:00:00", "Africa/Monrovia", "1970-01-01T00:44:30+00:00"),
        ("2026-03-08T02:30:00-05:00", "America/New_York", "2026-03-08T07:30+00:00"),  # an offset leaves no doubt
    ],
)
def test_an_instant_is_read_with_its_offset_or_as_local_time(text: str, zone: str, instant: str) -> None:
    schedule = parse_schedule(f"@at {text}", zone)
    assert schedule.next_after(0) == micros(instant)
    assert schedule.next_after(micros(instant) - 1) == micros(instant)
    assert schedule.next_after(micros(instant)) is None
    assert schedule.shortest_gap() is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "tomorrow", "2026-12-01", "09:00", "2026-13-01T09:00", "2026-02-29T09:00", "2026-12-01T24:30"),
        *(
            "2026-12-01T09:00:60",
            "2026-W49-2T09:00",
            "20261201T0900",
            "2026-12-01T09:00+0100",
            "2026-12-01T09:00+25:00",
        ),
        *("2026-12-01T09:00:00,5", "2026-12-01T09:00 +01:00", "0001-01-01T00:00", "9999-12-31T23:59", "1764576000"),
    ],
)
def test_what_is_no_instant_is_refused_with_its_place(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_schedule(f"@at {text}", "America/New_York")
    assert refusal.value.field == "schedule"
    assert refusal.value.position == 4
    assert refusal.value.example == "@at 2026-12-01T09:00:00+01:00"


@pytest.mark.parametrize("text", ["* * * * *", "@every 90s", "@at 2026-12-01T09:00"])
def test_a_wrong_timezone_is_refused_for_every_kind(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_schedule(text, "Europe/Berln")
    assert refusal.value.field == "timezone"
    assert refusal.value.example == "Europe/Berlin"


def test_a_schedule_that_has_no_run_left_cannot_fire() -> None:
    check_can_fire(parse_schedule("0 0 29 2 *"), NOW)
    check_can_fire(parse_schedule("@at 2026-12-01T09:00Z"), NOW)
    with pytest.raises(Invalid, match="this instant has passed, so it can never fire"):
        check_can_fire(parse_schedule("@at 2026-09-21T14:13:20Z"), NOW)
    with pytest.raises(Invalid, match="can never fire"):
        check_can_fire(parse_schedule("0 0 29 2 *"), micros("9998-12-31T00:00+00:00"))


def test_equal_arguments_give_the_same_value_from_the_cache() -> None:
    assert parse_schedule("0 0 * * *", created_at=1) is parse_schedule("0 0 * * *", created_at=2)
    assert parse_schedule("@every 5s", created_at=1) is parse_schedule("@every 5s", created_at=1)
    assert parse_schedule("@every 5s", created_at=10**6) != parse_schedule("@every 5s", created_at=0)


@pytest.mark.parametrize("text", ["@everyday", "@at2026-12-01T09:00", "every 5s", "@ every 5s"])
def test_a_near_miss_of_an_alias_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_schedule(text)
