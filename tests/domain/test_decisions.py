"""Which occurrences to run, decided from values alone. `settle` and `recheck` have files of their own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.decisions import (
    MAX_PLANNED,
    Occurrence,
    Plan,
    Standing,
    Stretch,
    next_occurrence,
    plan,
)
from tui_scheduler.domain.execution import SkipReason
from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobState, Overlap, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.schedule import Schedule, parse_schedule

MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
T = 1_795_000_020 * SECOND // HOUR * HOUR
"""A full hour."""
MINUTELY = JobSpec("0 * * * * *", Request("http://localhost/"))
EVERY_SECOND = replace(MINUTELY, schedule="* * * * * *")


def job_of(spec: JobSpec) -> Job:
    return Job(1, "a job", spec, JobState.ACTIVE, 1, T - DAY, T - DAY)


def timetable_of(spec: JobSpec) -> Schedule:
    return parse_schedule(spec.schedule, spec.timezone, created_at=T)


def decide(
    spec: JobSpec,
    now: int,
    *,
    through: int = T,
    ahead: int = SECOND,
    busy: bool = False,
    waiting: bool = False,
    limit: int = MAX_PLANNED,
) -> Plan:
    """`plan` for a job that was planned through `through` (T)."""
    return plan(job_of(spec), timetable_of(spec), Standing(through, busy, waiting), now, now + ahead, limit)


def run_of(decided: Plan) -> list[int]:
    """The nominal instants to be run, in seconds since T."""
    return [(occurrence.scheduled_for - T) // SECOND for occurrence in decided.run]


# ---------------------------------------------------------------------------------------------------- free planning


def test_nothing_is_due_before_the_look_ahead_reaches_it() -> None:
    decided = decide(MINUTELY, T + MINUTE - SECOND - 1)
    assert decided == Plan(T, T + MINUTE)


def test_what_the_look_ahead_reaches_is_to_be_run() -> None:
    decided = decide(MINUTELY, T + MINUTE - SECOND)
    assert decided == Plan(T + MINUTE, T + 2 * MINUTE, run=[Occurrence(T + MINUTE, T + MINUTE)])


def test_several_that_are_due_are_run_in_order() -> None:
    decided = decide(EVERY_SECOND, T + 4 * SECOND)
    assert run_of(decided) == [1, 2, 3, 4, 5]
    assert (decided.planned_through, decided.next_fire_at) == (T + 5 * SECOND, T + 6 * SECOND)


@pytest.mark.parametrize(("asked", "planned"), [(1, 1), (7, 7), (100, 100), (5_000, 100)])
def test_no_more_than_the_limit_are_run_and_the_next_call_goes_on(asked: int, planned: int) -> None:
    now = T + 150 * SECOND
    first = decide(EVERY_SECOND, now, limit=asked)
    assert run_of(first) == list(range(1, planned + 1))
    assert first.next_fire_at == T + (planned + 1) * SECOND <= now
    second = decide(EVERY_SECOND, now, through=first.planned_through, limit=asked)
    assert run_of(second)[0] == planned + 1


def test_jitter_moves_the_firing_and_not_the_occurrence() -> None:
    spec = replace(MINUTELY, jitter=30 * SECOND)
    offset = job_of(spec).offset
    assert 0 < offset < 30 * SECOND
    assert not decide(spec, T + MINUTE + offset - SECOND - 1).run
    decided = decide(spec, T + MINUTE + offset - SECOND)
    assert decided.run == [Occurrence(T + MINUTE, T + MINUTE + offset)]
    assert (decided.planned_through, decided.next_fire_at) == (T + MINUTE, T + 2 * MINUTE + offset)


@pytest.mark.parametrize(
    ("starts", "ends", "run"),
    [
        (None, None, [1, 2, 3, 4]),
        (2, None, [2, 3, 4]),
        (1.5, None, [2, 3, 4]),
        (None, 3, [1, 2, 3]),
        (None, 2.9, [1, 2]),
        (2, 2, [2]),
        (9, None, []),
        (None, 0, []),
    ],
)
def test_start_and_end_belong_to_the_job(starts: float | None, ends: float | None, run: list[int]) -> None:
    spec = replace(
        MINUTELY,
        starts_at=None if starts is None else T + int(starts * MINUTE),
        ends_at=None if ends is None else T + int(ends * MINUTE),
    )
    assert [second // 60 for second in run_of(decide(spec, T + 4 * MINUTE))] == run


@pytest.mark.parametrize("overlap", list(Overlap))
@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_after_the_last_occurrence_there_is_no_next(overlap: Overlap, catch_up: CatchUp) -> None:
    spec = replace(MINUTELY, overlap=overlap, catch_up=catch_up, ends_at=T + MINUTE)
    decided = decide(spec, T + MINUTE)
    assert (run_of(decided), decided.next_fire_at) == ([60], None)


def test_a_single_instant_is_run_once_and_ends_the_schedule() -> None:
    spec = replace(MINUTELY, schedule="@at 2100-01-01T00:00:00Z")
    instant = timetable_of(spec).next_after(T)
    assert instant is not None
    assert decide(spec, instant) == Plan(instant, None, run=[Occurrence(instant, instant)])


def test_a_clock_set_back_plans_nothing_again() -> None:
    decided = decide(EVERY_SECOND, T - 40 * SECOND)
    assert decided == Plan(T, T + SECOND)


# ---------------------------------------------------------------------------------------------------- catching up


@pytest.mark.parametrize("catch_up", list(CatchUp))
def test_what_is_not_older_than_the_grace_is_late_and_never_skipped(catch_up: CatchUp) -> None:
    decided = decide(replace(EVERY_SECOND, catch_up=catch_up, grace=5 * SECOND), T + 6 * SECOND)
    assert run_of(decided) == [1, 2, 3, 4, 5, 6, 7]
    assert not decided.skips


@pytest.mark.parametrize(
    ("catch_up", "run", "skipped"),
    [
        (CatchUp.ALL, [1, 2, 3, 4, 5, 6], None),
        (CatchUp.LATEST, [4, 5, 6], (1, 3, 3)),
        (CatchUp.NONE, [5, 6], (1, 4, 4)),
    ],
)
def test_what_is_older_than_the_grace_is_caught_up_as_the_job_says(
    catch_up: CatchUp, run: list[int], skipped: tuple[int, int, int] | None
) -> None:
    spec = replace(MINUTELY, catch_up=catch_up, grace=90 * SECOND)
    decided = decide(spec, T + 6 * MINUTE)
    assert [second // 60 for second in run_of(decided)] == run
    stretches = [((s.first - T) // MINUTE, (s.last - T) // MINUTE, s.count) for s in decided.skips]
    assert stretches == ([] if skipped is None else [skipped])
    assert {s.reason for s in decided.skips} <= {SkipReason.TOO_LATE}
    assert decided.planned_through == T + 6 * MINUTE


def test_the_grace_is_exact() -> None:
    spec = replace(MINUTELY, catch_up=CatchUp.NONE, grace=90 * SECOND)
    assert run_of(decide(spec, T + MINUTE + 90 * SECOND)) == [60, 120]
    assert run_of(decide(spec, T + MINUTE + 90 * SECOND + 1)) == [120]


def test_a_single_missed_one_is_run_as_the_latest_and_skips_nothing() -> None:
    decided = decide(replace(MINUTELY, schedule="0 0 * * * *", catch_up=CatchUp.LATEST), T + HOUR + 10 * MINUTE)
    assert (run_of(decided), decided.skips) == ([3600], [])


@pytest.mark.parametrize(("catch_up", "missing"), [(CatchUp.NONE, 0), (CatchUp.LATEST, 1)])
def test_a_year_of_seconds_is_one_stretch(catch_up: CatchUp, missing: int) -> None:
    spec = replace(EVERY_SECOND, catch_up=catch_up)
    now = T + 365 * DAY
    decided = decide(spec, now)
    last = now - 61 * SECOND
    (stretch,) = decided.skips
    assert stretch == Stretch(SkipReason.TOO_LATE, T + SECOND, last - missing * SECOND, (last - T) // SECOND - missing)
    assert run_of(decided)[0] * SECOND + T == last + SECOND - missing * SECOND


def test_what_lies_beyond_the_end_is_not_missed() -> None:
    spec = replace(MINUTELY, catch_up=CatchUp.NONE, ends_at=T + 3 * MINUTE)
    decided = decide(spec, T + DAY)
    assert decided.skips == [Stretch(SkipReason.TOO_LATE, T + MINUTE, T + 3 * MINUTE, 3)]
    assert (decided.run, decided.next_fire_at) == ([], None)


@pytest.mark.parametrize("catch_up", list(CatchUp))
@pytest.mark.parametrize("overlap", list(Overlap))
def test_a_jitter_longer_than_the_grace_makes_nothing_late(catch_up: CatchUp, overlap: Overlap) -> None:
    spec = replace(MINUTELY, schedule="0 0 * * * *", jitter=50 * MINUTE, catch_up=catch_up, overlap=overlap)
    offset = job_of(spec).offset
    assert offset > 2 * spec.grace
    early = decide(spec, T + HOUR + offset - MINUTE)
    assert early == Plan(T, T + HOUR + offset)
    decided = decide(spec, T + HOUR + offset)
    assert (decided.run, decided.skips) == ([Occurrence(T + HOUR, T + HOUR + offset)], [])


# ---------------------------------------------------------------------------------------------------- overlap

SERIAL = (Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL)


@pytest.mark.parametrize("overlap", SERIAL)
def test_an_idle_job_is_planned_one_ahead(overlap: Overlap) -> None:
    decided = decide(replace(EVERY_SECOND, overlap=overlap), T, ahead=3 * SECOND)
    assert run_of(decided) == [1]
    assert (decided.planned_through, decided.next_fire_at) == (T + SECOND, T + 2 * SECOND)


@pytest.mark.parametrize("overlap", SERIAL)
def test_whether_an_occurrence_overlaps_is_not_decided_before_its_instant(overlap: Overlap) -> None:
    spec = replace(EVERY_SECOND, overlap=overlap)
    assert decide(spec, T + SECOND - 1, busy=True) == Plan(T, T + SECOND)


@pytest.mark.parametrize(
    ("overlap", "busy", "waiting", "due", "run", "wait", "skipped", "makes_way"),
    [
        (Overlap.SKIP, False, False, 1, [1], None, None, (False, False)),
        (Overlap.SKIP, False, False, 3, [1], None, (2, 3, 2), (False, False)),
        (Overlap.SKIP, True, False, 1, [], None, (1, 1, 1), (False, False)),
        (Overlap.SKIP, True, False, 3, [], None, (1, 3, 3), (False, False)),
        (Overlap.QUEUE, False, False, 1, [1], None, None, (False, False)),
        (Overlap.QUEUE, False, False, 2, [1], 2, None, (False, False)),
        (Overlap.QUEUE, False, False, 4, [1], 2, (3, 4, 2), (False, False)),
        (Overlap.QUEUE, True, False, 1, [], 1, None, (False, False)),
        (Overlap.QUEUE, True, False, 3, [], 1, (2, 3, 2), (False, False)),
        (Overlap.QUEUE, True, True, 1, [], None, (1, 1, 1), (False, False)),
        (Overlap.QUEUE, True, True, 3, [], None, (1, 3, 3), (False, False)),
        (Overlap.CANCEL, False, False, 1, [1], None, None, (False, False)),
        (Overlap.CANCEL, False, False, 3, [3], None, (1, 2, 2), (False, False)),
        (Overlap.CANCEL, True, False, 1, [], 1, None, (True, False)),
        (Overlap.CANCEL, True, False, 3, [], 3, (1, 2, 2), (True, False)),
        (Overlap.CANCEL, True, True, 1, [], 1, None, (True, True)),
        (Overlap.CANCEL, True, True, 3, [], 3, (1, 2, 2), (True, True)),
        (Overlap.CANCEL, False, True, 1, [1], None, None, (False, True)),  # the other gave way while it waited itself
    ],
)
def test_what_overlaps_is_dealt_with_as_the_job_says(
    overlap: Overlap,
    busy: bool,
    waiting: bool,
    due: int,
    run: list[int],
    wait: int | None,
    skipped: tuple[int, int, int] | None,
    makes_way: tuple[bool, bool],
) -> None:
    decided = decide(replace(EVERY_SECOND, overlap=overlap), T + due * SECOND, ahead=0, busy=busy, waiting=waiting)
    at = None if wait is None else T + wait * SECOND
    stretches = [((s.first - T) // SECOND, (s.last - T) // SECOND, s.count) for s in decided.skips]
    assert run_of(decided) == run
    assert decided.wait == (None if at is None else Occurrence(at, at))
    assert stretches == ([] if skipped is None else [skipped])
    assert {s.reason for s in decided.skips} <= {SkipReason.OVERLAP}
    assert (decided.cancel_running, decided.replace_waiting) == makes_way
    assert decided.planned_through == T + due * SECOND


def test_what_is_too_late_is_not_said_to_overlap() -> None:
    spec = replace(MINUTELY, overlap=Overlap.SKIP, catch_up=CatchUp.LATEST, grace=90 * SECOND)
    decided = decide(spec, T + 6 * MINUTE, busy=True)
    assert decided.skips == [
        Stretch(SkipReason.TOO_LATE, T + MINUTE, T + 3 * MINUTE, 3),
        Stretch(SkipReason.OVERLAP, T + 4 * MINUTE, T + 6 * MINUTE, 3),
    ]


# ---------------------------------------------------------------------------------------------------- properties


def _instants(spec: JobSpec, after: int, through: int) -> list[int]:
    timetable = timetable_of(spec)
    found: list[int] = []
    instant = next_occurrence(timetable, spec, after)
    while instant is not None and instant <= through:
        found.append(instant)
        instant = next_occurrence(timetable, spec, instant)
    return found


def _accounted(spec: JobSpec, decided: Plan) -> list[int]:
    found = [occurrence.scheduled_for for occurrence in decided.run]
    found += [decided.wait.scheduled_for] if decided.wait else []
    for stretch in decided.skips:
        inside = _instants(spec, stretch.first - 1, stretch.last)
        assert (len(inside), inside[0], inside[-1]) == (stretch.count, stretch.first, stretch.last)
        found += inside
    return found


@st.composite
def specs(draw: st.DrawFn) -> JobSpec:
    schedule = draw(st.sampled_from(("* * * * * *", "*/7 * * * * *", "0 * * * * *", "15 */2 * * * *", "@every 11s")))
    bound = st.none() | st.integers(T - 100 * SECOND, T + 400 * SECOND)
    return replace(
        MINUTELY,
        schedule=schedule,
        overlap=draw(st.sampled_from(Overlap)),
        catch_up=draw(st.sampled_from(CatchUp)),
        grace=draw(st.sampled_from((0, 2 * SECOND, 60 * SECOND))),
        jitter=draw(st.sampled_from((0, 900_000))),
        starts_at=draw(bound),
        ends_at=draw(bound),
    )


@given(
    specs(),
    st.lists(
        st.tuples(
            st.integers(-20 * SECOND, 300 * SECOND),  # the clock may be set back
            st.booleans(),
            st.booleans(),
            st.integers(1, 120),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_every_occurrence_has_one_place_and_none_is_passed_over(
    spec: JobSpec, looks: list[tuple[int, bool, bool, int]]
) -> None:
    through, now = T, T
    for passed, busy, waiting, limit in looks:
        now += passed
        decided = decide(spec, now, through=through, busy=busy, waiting=waiting and busy, limit=limit)
        assert decided.planned_through >= through
        assert sorted(_accounted(spec, decided)) == _instants(spec, through, decided.planned_through)
        assert len(decided.run) <= min(limit, MAX_PLANNED)
        offset = job_of(spec).offset
        following = next_occurrence(timetable_of(spec), spec, decided.planned_through)
        assert decided.next_fire_at == (None if following is None else following + offset)
        assert all(o.fire_at == o.scheduled_for + offset <= now + SECOND for o in decided.run)
        through = decided.planned_through


@given(specs(), st.integers(0, 500 * SECOND))
def test_looking_often_enough_leaves_nothing_due(spec: JobSpec, passed: int) -> None:
    now = T + passed
    decided = decide(spec, now)
    for _ in range(10):
        decided = decide(spec, now, through=decided.planned_through)
    assert decided.next_fire_at is None or decided.next_fire_at > now
