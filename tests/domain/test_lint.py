"""What is said of a schedule before it is trusted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest

from tui_scheduler.domain.lint import Run, lint, preview
from tui_scheduler.domain.schedule import parse_schedule

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(microseconds=1)


NOW = micros("2026-06-05T10:00:00+00:00")


@pytest.mark.parametrize(
    ("text", "zone", "code", "message"),
    [
        ("0 0 1 * MON", "UTC", "day-or-weekday", "fires when either matches"),
        ("0 0 */2 * MON", "UTC", "day-or-weekday", "fires when either matches"),
        ("0 0 L * L5", "UTC", "day-or-weekday", "fires when either matches"),
        (
            "0 0 31 * *",
            "UTC",
            "rare",
            "no day 31 in February, April, June, September and November: it skips those months",
        ),
        (
            "0 0 30 * *",
            "UTC",
            "rare",
            "no day 30 in February: it skips that month; for the last day of every month write L",
        ),
        ("0 0 29 * *", "UTC", "rare", "no day 29 in February except in leap years"),
        ("0 0 29 2 *", "UTC", "rare", "February 29 exists in leap years only"),
        ("0 0 31 4,5 *", "UTC", "rare", "no day 31 in April"),
        ("0 0 * * MON#5", "UTC", "rare", "most months have no fifth Monday: it skips them; for the last one write L1"),
        ("*/90 * * * *", "UTC", "rare", "the step 90 in the minute field is longer than the field (60 values)"),
        ("0 */24 * * *", "UTC", "rare", "the step 24 in the hour field is longer than the field"),
        (
            "30 2 * * *",
            "America/New_York",
            "dst-gap",
            "on 2027-03-14 the local time 02:30 is left out in America/New_York: it fires once at 2027-03-14 03:00-04",
        ),
        (
            "30 1 * * *",
            "America/New_York",
            "dst-overlap",
            "on 2026-11-01 the local time 01:30 comes twice in America/New_York: it fires the first time only",
        ),
        ("0 0 * * *", "Asia/Beirut", "dst-gap", "on 2027-03-28 the local time 00:00 is left out"),
        ("59 45 23 * * *", "Africa/Cairo", "dst-overlap", "on 2026-10-29 the local time 23:45:59 comes twice"),
        ("15 2 * * *", "Australia/Lord_Howe", "dst-gap", "fires once at 2026-10-04 02:30+11:00"),
        ("@at 2027-03-14T02:30", "America/New_York", "dst-gap", "it fires at 2027-03-14 03:00-04:00"),
        ("@at 2026-11-01T01:30", "America/New_York", "dst-overlap", "an offset says which is meant"),
    ],
)
def test_a_schedule_that_may_surprise_carries_a_warning(text: str, zone: str, code: str, message: str) -> None:
    warnings = lint(parse_schedule(text, zone), NOW)
    assert [warning.code for warning in warnings] == [code]
    assert message in warnings[0].message


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("0 0 * * *", "UTC"),
        ("0 0 1-31 * MON", "UTC"),
        ("0 0 28 * *", "UTC"),
        ("0 0 L * *", "UTC"),
        ("0 0 31,L * *", "UTC"),
        ("0 0 1,31 * *", "UTC"),
        ("0 0 31 1,3 *", "UTC"),
        ("0 0 * * MON#4", "UTC"),
        ("0 0 * * MON#5,MON#1", "UTC"),
        ("30 * * * *", "America/New_York"),  # repeating: nothing is moved
        ("0 12 * * *", "America/New_York"),
        ("0 3 * * *", "America/New_York"),  # the gap's end itself
        ("0 2 * * MON", "America/New_York"),  # changes are on Sundays
        ("30 2 1 7 *", "America/New_York"),
        ("30 2 * * *", "Asia/Kolkata"),
        ("@every 90s", "America/New_York"),
        ("@at 2027-03-14T02:30:00-05:00", "America/New_York"),
        ("@at 2026-12-01T09:00", "America/New_York"),
        ("@hourly", "America/New_York"),
    ],
)
def test_a_plain_schedule_carries_none(text: str, zone: str) -> None:
    assert lint(parse_schedule(text, zone), NOW) == ()


def test_both_changes_of_a_year_are_named() -> None:
    warnings = lint(parse_schedule("*/10 1-2 * * *", "America/New_York"), NOW)
    assert [warning.code for warning in warnings] == ["dst-overlap", "dst-gap"]


def test_a_warning_about_the_clock_looks_a_year_ahead_and_not_back() -> None:
    schedule = parse_schedule("30 2 8 3 *", "America/New_York")
    assert [warning.code for warning in lint(schedule, micros("2026-03-08T06:59:00+00:00"))] == ["dst-gap"]
    assert lint(schedule, micros("2026-03-08T07:00:01+00:00")) == ()


def test_a_preview_shows_what_the_clock_does_to_each_run() -> None:
    schedule = parse_schedule("30 1,2 * * *", "America/New_York")
    runs = preview(schedule, micros("2026-03-08T00:00:00-05:00"), 3)
    assert [(run.local, run.dst) for run in runs] == [
        ("2026-03-08T01:30:00-05:00", None),
        ("2026-03-08T03:00:00-04:00", "gap"),
        ("2026-03-09T01:30:00-04:00", None),
    ]
    runs = preview(schedule, micros("2026-11-01T00:00:00-04:00"), 2)
    assert [(run.local, run.dst) for run in runs] == [
        ("2026-11-01T01:30:00-04:00", "overlap"),
        ("2026-11-01T02:30:00-05:00", None),
    ]


def test_a_preview_of_a_repeating_schedule_marks_both_comings_of_a_local_time() -> None:
    runs = preview(parse_schedule("30 * * * *", "America/New_York"), micros("2026-11-01T00:00:00-04:00"), 4)
    assert [run.dst for run in runs] == [None, "overlap", "overlap", None]


def test_a_run_at_the_end_of_a_gap_that_was_asked_for_is_not_marked() -> None:
    runs = preview(parse_schedule("0 3 * * *", "America/New_York"), micros("2026-03-08T00:00:00-05:00"), 1)
    assert runs == (Run(micros("2026-03-08T07:00:00+00:00"), "2026-03-08T03:00:00-04:00", None),)


def test_a_preview_ends_with_the_schedule() -> None:
    once = parse_schedule("@at 2026-12-01T09:00:00.250+01:00", "Europe/Berlin")
    assert [run.local for run in preview(once, NOW)] == ["2026-12-01T09:00:00.250+01:00"]
    assert preview(once, once.next_after(0) or 0) == ()
    assert len(preview(parse_schedule("@every 90s"), NOW)) == 5
    assert preview(parse_schedule("* * * * *"), NOW, 0) == ()


def test_a_local_time_moved_to_a_gaps_end_is_marked_in_the_preview_of_a_single_run() -> None:
    assert [run.dst for run in preview(parse_schedule("@at 2027-03-14T02:30", "America/New_York"), NOW)] == ["gap"]


@pytest.mark.parametrize("text", ["* * * * * *", "30 2 * * *", "0 0 * 2 TUE#5", "0 0 31 * *", "@every 1s"])
def test_warnings_and_preview_are_quick_enough_for_every_key_stroke(text: str) -> None:
    preview(parse_schedule(text, "Europe/Paris"), NOW)
    started = perf_counter()
    for _ in range(10):
        schedule = parse_schedule(text, "Europe/Paris")
        lint(schedule, NOW)
        preview(schedule, NOW)
    assert perf_counter() - started < 10 * 0.02
