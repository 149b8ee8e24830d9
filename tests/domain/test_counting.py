"""Counting a stretch gives what walking through it gives, clock changes included."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.schedule import Schedule, parse_schedule

SECOND = 1_000_000
START = int(datetime(2025, 9, 1, tzinfo=UTC).timestamp()) * SECOND
YEAR = 366 * 86_400 * SECOND

SCHEDULES = [
    "0 30 2 * * *",
    "0 */20 * * * *",
    "15 10,40 1-3 * * MON-FRI",
    "0 0 0 31 * *",
    "0 0 12 1 * MON",
    "0 0 1 * * SUN#L",
    "30 59 23 L * *",
    "@every 7h",
    "@at 2026-03-29T02:30:00",
    "0 0 0 29 2 *",
]
ZONES = ["UTC", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago"]


def walked(schedule: Schedule, after: int, through: int) -> list[int]:
    found = []
    instant = schedule.next_after(after)
    while instant is not None and instant <= through:
        found.append(instant)
        instant = schedule.next_after(instant)
    return found


def parsed(text: str, zone: str) -> Schedule:
    return parse_schedule(text.replace("SUN#L", "SUN#1"), zone, created_at=START)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", SCHEDULES)
def test_a_year_is_counted_as_it_is_walked(text: str, zone: str) -> None:
    schedule = parsed(text, zone)
    occurrences = walked(schedule, START, START + YEAR)
    assert schedule.count_between(START, START + YEAR) == len(occurrences)
    assert schedule.last_between(START, START + YEAR) == (occurrences[-1] if occurrences else None)


@given(
    st.sampled_from(SCHEDULES),
    st.sampled_from(ZONES),
    st.integers(0, YEAR),
    st.integers(0, 5 * 86_400 * SECOND),
)
def test_any_stretch_is_counted_as_it_is_walked(text: str, zone: str, begin: int, length: int) -> None:
    schedule = parsed(text, zone)
    after, through = START + begin, START + begin + length
    occurrences = walked(schedule, after, through)
    assert schedule.count_between(after, through) == len(occurrences)
    assert schedule.last_between(after, through) == (occurrences[-1] if occurrences else None)


def test_ten_years_of_every_second_are_counted_at_once() -> None:
    schedule = parse_schedule("* * * * * *")
    assert schedule.count_between(START, START + 10 * YEAR) == 10 * YEAR // SECOND
    assert schedule.last_between(START, START + 10 * YEAR) == START + 10 * YEAR
