"""Which occurrences a backfill is of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.backfill import RANKS, is_backfill, occurrences, rank_of
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import PRIORITIES, Job, JobSpec, JobState, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.revision import Timer

MINUTE = 60 * SECOND
T = 1_795_000_020 * SECOND
"""A full minute."""
MINUTELY = JobSpec("0 * * * * *", Request("http://localhost/"))
FREE = Timer(T, None)
"""Of a job that is paused or finished."""


def job_of(spec: JobSpec, created_at: int = T) -> Job:
    return Job(1, "a job", spec, JobState.ACTIVE, 1, created_at, created_at)


def minutes(*numbers: int) -> list[int]:
    return [T + number * MINUTE for number in numbers]


def test_both_ends_are_included_and_the_oldest_comes_first() -> None:
    assert occurrences(job_of(MINUTELY), FREE, T - 2 * MINUTE, T, T) == minutes(-2, -1, 0)
    assert occurrences(job_of(MINUTELY), FREE, T - 2 * MINUTE + 1, T - 1, T) == minutes(-1)


def test_a_schedule_has_occurrences_before_its_job_was_made_an_interval_has_not() -> None:
    assert len(occurrences(job_of(MINUTELY), FREE, T - 1440 * MINUTE, T, T)) == 1441
    every = job_of(replace(MINUTELY, schedule="@every 1m"), created_at=T - 2 * MINUTE)
    assert occurrences(every, FREE, T - 1440 * MINUTE, T, T) == minutes(-1, 0)


def test_the_start_and_the_end_of_a_job_bound_it() -> None:
    spec = replace(MINUTELY, starts_at=T - 5 * MINUTE, ends_at=T - 4 * MINUTE)
    assert occurrences(job_of(spec), FREE, T - 1440 * MINUTE, T, T) == minutes(-5, -4)


def test_what_an_active_job_has_still_to_plan_is_left_to_it() -> None:
    behind = Timer(T - 2 * MINUTE, T - MINUTE)
    assert occurrences(job_of(MINUTELY), behind, T - 3 * MINUTE, T, T) == minutes(-3, -2)


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (T, T - 1, "to: must not be before from"),
        (T, T + 1, "to: must not be in the future"),
        (T - 10_000 * MINUTE, T, "10,000 occurrences at the most; there are 10,001"),
        (-10 * 365 * 1440 * MINUTE, T, "there are 35,"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(first: int, last: int, reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        occurrences(job_of(MINUTELY), FREE, first, last, T)


def test_ten_thousand_are_not_too_many() -> None:
    assert len(occurrences(job_of(MINUTELY), FREE, T - 9_999 * MINUTE, T, T)) == 10_000


@given(st.integers(1, 300), st.integers(0, 300), st.sampled_from(["17 */7 * * * *", "@every 90s", "0 0 3 * * *"]))
def test_two_stretches_that_meet_have_what_the_whole_has(left: int, right: int, schedule: str) -> None:
    job = job_of(replace(MINUTELY, schedule=schedule, timezone="Europe/Berlin"), created_at=T - 1000 * MINUTE)
    first, middle, now = T - (left + right) * MINUTE, T - right * MINUTE, T
    halves = [*occurrences(job, FREE, first, middle - 1, now), *occurrences(job, FREE, middle, now, now)]
    assert halves == occurrences(job, FREE, first, now, now)
    assert halves == sorted(set(halves))


def test_a_backfill_comes_right_after_everything_of_its_priority() -> None:
    for priority in PRIORITIES:
        place = RANKS.index(rank_of(priority))
        assert RANKS[place - 1] == priority
    assert [rank for rank in RANKS if not is_backfill(rank)] == list(PRIORITIES)
    for priority in (0, 10):
        with pytest.raises(Invalid, match="priority: must be within 1"):
            rank_of(priority)
