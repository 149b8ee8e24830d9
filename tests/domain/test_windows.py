"""Maintenance windows: when they are open, and what planning makes of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.decisions import Plan, Standing, Timetable, plan
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.execution import SkipReason
from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobState, Overlap, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.schedule import parse_schedule
from tui_scheduler.domain.window_checks import check_window, times_of
from tui_scheduler.domain.windows import Closures, Once, Recurring, Window, WindowSpec

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
T = 1_795_449_600 * SECOND
"""A full hour."""


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def recurring(schedule: str, duration: int, zone: str = "UTC", since: int = 0) -> Recurring:
    return Recurring(parse_schedule(schedule, zone, created_at=0), duration, since)


def closures(*times: Once | Recurring) -> Closures:
    return Closures(Window(key, None, each) for key, each in enumerate(times, start=1))


# ---------------------------------------------------------------------------------------------------- when it is open


def test_a_window_is_open_at_its_start_and_closed_at_its_end() -> None:
    once = Once(T, T + HOUR)
    assert [once.around(each) is not None for each in (T - 1, T, T + HOUR - 1, T + HOUR)] == [False, True, True, False]
    daily = recurring("0 0 2 * * *", HOUR)
    two = at("2026-11-24 02:00:00")
    assert daily.around(two) == daily.around(two + HOUR - 1) == (two, two + HOUR)
    assert daily.around(two - 1) is daily.around(two + HOUR) is None


def test_a_recurring_window_holds_from_when_it_was_made() -> None:
    two = at("2026-11-24 02:00:00")
    daily = recurring("0 0 2 * * *", HOUR, since=two + MINUTE)
    assert daily.around(two) is None
    assert daily.around(two + MINUTE) == (two + MINUTE, two + HOUR)
    assert daily.next_start(two) == two + MINUTE
    assert daily.next_start(two + MINUTE) == two + 24 * HOUR


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ("2026-03-28", "2026-03-28 01:30:00", "2026-03-28 02:30:00"),
        ("2026-03-29", "2026-03-29 01:00:00", "2026-03-29 02:00:00"),  # 02:30 is in the gap: at its end
        ("2026-10-25", "2026-10-25 00:30:00", "2026-10-25 01:30:00"),  # 02:30 comes twice: the first
        ("2026-10-26", "2026-10-26 01:30:00", "2026-10-26 02:30:00"),
    ],
)
def test_a_recurring_window_follows_its_zone_through_both_changes(day: str, start: str, end: str) -> None:
    nightly = recurring("0 30 2 * * *", HOUR, "Europe/Berlin")
    assert nightly.next_start(at(f"{day} 00:00:00")) == at(start)
    assert nightly.around(at(start)) == (at(start), at(end))


def test_of_windows_that_lie_over_each_other_the_one_that_ends_last_counts() -> None:
    both = closures(Once(T, T + HOUR), Once(T + MINUTE, T + 2 * HOUR))
    window = both.gate_at(T + MINUTE)
    assert both.around(T + MINUTE) == (T + MINUTE, T + 2 * HOUR)
    assert window is not None
    assert window.key == 2
    assert both.next_start(T) == T + MINUTE
    assert both.next_start(T + MINUTE) is None


@given(st.lists(st.integers(0, 400), min_size=1, max_size=40))
def test_what_is_remembered_of_windows_says_the_same(minutes: list[int]) -> None:
    times = (recurring("0 0 * * * *", 7 * MINUTE, since=T + 90 * MINUTE), Once(T + 30 * MINUTE, T + 65 * MINUTE))
    known = closures(*times)
    for minute in minutes:
        instant, fresh = T + minute * MINUTE, closures(*times)
        assert known.next_start(instant) == fresh.next_start(instant)
        assert known.gate_at(instant) == fresh.gate_at(instant)
        assert known.around(instant) == fresh.around(instant)
        assert known.next_start(instant) == fresh.next_start(instant)


# ----------------------------------------------------------------------------------------------------------- planning


def planned(
    closed: Closures, through: int, now: int, horizon: int | None = None, schedule: str = "0 * * * * *", **spec: object
) -> tuple[list[int], list[tuple[str, int, int, int]]]:
    """(minutes run, skipped stretches in minutes) of a job of every minute, planned as often as it takes."""
    job_spec = replace(JobSpec(schedule, Request("http://localhost/")), **spec)  # type: ignore[arg-type]
    job = Job(1, "a", job_spec, JobState.ACTIVE, 1, T, T)
    timetable: Timetable = parse_schedule(schedule, "UTC", created_at=T)
    ran: list[int] = []
    skips: list[tuple[str, int, int, int]] = []
    horizon = now if horizon is None else horizon
    for _ in range(100):
        decided: Plan = plan(job, timetable, Standing(through), now, horizon, 100, closed)
        ran += [(one.scheduled_for - T) // MINUTE for one in decided.run]
        skips += [(s.reason.value, (s.first - T) // MINUTE, (s.last - T) // MINUTE, s.count) for s in decided.skips]
        through = decided.planned_through
        if decided.next_fire_at is None or decided.next_fire_at > horizon:
            return ran, skips
    raise AssertionError("planning does not come to an end")


def test_what_fires_in_a_window_is_one_skipped_stretch() -> None:
    closed = closures(Once(T + 3 * MINUTE, T + 6 * MINUTE))
    ran, skips = planned(closed, T, T + 8 * MINUTE, grace=HOUR)
    assert ran == [1, 2, 6, 7, 8]
    assert skips == [("window", 3, 5, 3)]


def test_planning_ahead_stops_where_a_window_begins() -> None:
    closed = closures(Once(T + 3 * MINUTE, T + 6 * MINUTE))
    job_plan = planned(closed, T + MINUTE, T + 2 * MINUTE, horizon=T + 2 * MINUTE + 30 * SECOND)
    assert job_plan == ([2], [])


@pytest.mark.parametrize(
    ("policy", "ran", "skips"),
    [
        (CatchUp.ALL, [1, 2, 6, 7, 8, 9, 10], [("window", 3, 5, 3)]),
        (CatchUp.LATEST, [8, 9, 10], [("too late", 1, 2, 2), ("window", 3, 5, 3), ("too late", 6, 7, 2)]),
        (CatchUp.NONE, [9, 10], [("too late", 1, 2, 2), ("window", 3, 5, 3), ("too late", 6, 8, 3)]),
    ],
)
def test_what_was_missed_is_caught_up_around_a_window(
    policy: CatchUp, ran: list[int], skips: list[tuple[str, int, int, int]]
) -> None:
    closed = closures(Once(T + 3 * MINUTE, T + 6 * MINUTE))
    found = planned(closed, T, T + 10 * MINUTE + SECOND, grace=2 * MINUTE, catch_up=policy)
    assert found == (ran, skips)


def test_the_latest_that_is_run_is_the_newest_outside_of_windows() -> None:
    closed = closures(Once(T + 3 * MINUTE, T + 9 * MINUTE))
    ran, skips = planned(closed, T, T + 10 * MINUTE, grace=2 * MINUTE, catch_up=CatchUp.LATEST)
    assert ran == [2, 9, 10]
    assert skips == [("too late", 1, 1, 1), ("window", 3, 8, 6)]


def test_jobs_that_do_not_allow_overlap_are_skipped_in_a_window_too() -> None:
    closed = closures(Once(T + 3 * MINUTE, T + 6 * MINUTE))
    ran, skips = planned(closed, T + 2 * MINUTE, T + 6 * MINUTE, overlap=Overlap.SKIP, grace=HOUR)
    assert (ran, skips) == ([6], [("window", 3, 5, 3)])


def test_jitter_counts_where_it_carries_an_occurrence_into_a_window() -> None:
    job_spec = JobSpec("0 * * * * *", Request("http://localhost/"), jitter=30 * SECOND)
    job = Job(1, "a", job_spec, JobState.ACTIVE, 1, T, T)
    assert 2 * SECOND < job.offset < 30 * SECOND
    timetable = parse_schedule(job_spec.schedule, "UTC", created_at=T)
    closed = closures(Once(T + MINUTE + SECOND, T + 2 * MINUTE))
    (skip,) = plan(job, timetable, Standing(T), T + MINUTE, T + 2 * MINUTE, 100, closed).skips
    assert (skip.reason, skip.first, skip.count) == (SkipReason.WINDOW, T + MINUTE, 1)


# ------------------------------------------------------------------------------------------------ what a window may be


@pytest.mark.parametrize(
    ("spec", "field", "words"),
    [
        (WindowSpec(), "startsAt", "or a schedule and durationMs"),
        (WindowSpec(starts_at=T, ends_at=T + 1, schedule="@daily"), "schedule", "or a schedule and durationMs"),
        (WindowSpec(starts_at=T), "endsAt", "is required"),
        (WindowSpec(ends_at=T), "startsAt", "is required"),
        (WindowSpec(starts_at=T + 2, ends_at=T + 2), "endsAt", "must be later"),
        (WindowSpec(starts_at=T - 2, ends_at=T - 1), "endsAt", "has passed"),
        (WindowSpec(schedule="@daily"), "durationMs", "is required"),
        (WindowSpec(duration=HOUR), "schedule", "is required"),
        (WindowSpec(schedule="0 61 * * * *", duration=HOUR), "schedule", "61"),
        (WindowSpec(schedule="@daily", duration=8 * 24 * HOUR), "durationMs", "7 days"),
        (WindowSpec(schedule="@hourly", duration=HOUR), "durationMs", "it would never end"),
        (WindowSpec(schedule="@daily", duration=HOUR, timezone="Nowhere"), "timezone", "Nowhere"),
        (WindowSpec(queue="no queue", starts_at=T, ends_at=T + 1), "queue", "letters"),
        (WindowSpec(name="x" * 201, starts_at=T, ends_at=T + 1), "name", "200"),
    ],
)
def test_a_window_that_cannot_be_is_refused_in_a_sentence(spec: WindowSpec, field: str, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        check_window(spec, now=T, created_at=T)
    assert refused.value.field == field


def test_windows_that_can_be_are_taken() -> None:
    for spec in (WindowSpec(starts_at=T - 1, ends_at=T + 1), WindowSpec(schedule="@daily", duration=HOUR, queue="a")):
        check_window(spec, now=T, created_at=T)
    assert times_of(WindowSpec(starts_at=T - 1, ends_at=T + 1), since=T, created_at=T) == Once(T, T + 1)
