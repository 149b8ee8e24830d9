"""What an edit means for an execution that a node holds unsent, or that is about to be claimed again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.decisions import BINDS_AFTER, KEEP, Recheck, recheck
from tui_scheduler.domain.execution import Execution, SkipReason, State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.schedule import Schedule, parse_schedule

MINUTE = 60 * SECOND
T = 1_795_000_020 * SECOND
"""A full minute."""
MINUTELY = JobSpec("0 * * * * *", Request("http://localhost/"))


def job_of(spec: JobSpec, state: JobState = JobState.ACTIVE) -> Job:
    return Job(1, "a job", spec, state, 2, T, T + MINUTE)


def timetable_of(spec: JobSpec) -> Schedule:
    return parse_schedule(spec.schedule, spec.timezone, created_at=T)


def _taken(trigger: Trigger = Trigger.SCHEDULE, attempt: int = 1, at: int = T + MINUTE, rescues: int = 0) -> Execution:
    return Execution(1, 1, at, at, trigger, State.CLAIMED, attempt=attempt, claim_no=attempt, rescues=rescues)


MANUAL, RETRY = _taken(Trigger.MANUAL), _taken(attempt=2)
BACKFILL, REPLAY = _taken(Trigger.BACKFILL), _taken(Trigger.REPLAY)
ELSEWHEN = replace(MINUTELY, schedule="30 * * * * *")
STARTS_LATER = replace(MINUTELY, starts_at=T + 2 * MINUTE)
RESCUED = _taken(rescues=1)
"""Its instant had come when its node died, and lay before the edit bound: it may have been sent."""


@pytest.mark.parametrize(
    ("execution", "state", "spec", "verdict"),
    [
        (_taken(), JobState.ACTIVE, MINUTELY, KEEP),
        (_taken(), JobState.ACTIVE, ELSEWHEN, Recheck(State.SKIPPED, SkipReason.EDITED)),
        (_taken(), JobState.ACTIVE, replace(MINUTELY, ends_at=T), Recheck(State.SKIPPED, SkipReason.EDITED)),
        (_taken(), JobState.ACTIVE, replace(MINUTELY, ends_at=T + MINUTE), KEEP),
        (_taken(), JobState.ACTIVE, STARTS_LATER, Recheck(State.SKIPPED, SkipReason.EDITED)),
        (_taken(), JobState.FINISHED, MINUTELY, KEEP),
        (_taken(), JobState.PAUSED, MINUTELY, Recheck(State.SKIPPED, SkipReason.PAUSED)),
        (_taken(), JobState.DELETED, MINUTELY, Recheck(State.SKIPPED, SkipReason.DELETED)),
        *((one, JobState.ACTIVE, ELSEWHEN, KEEP) for one in (MANUAL, RETRY, BACKFILL, REPLAY, RESCUED)),
        *((one, JobState.PAUSED, MINUTELY, KEEP) for one in (MANUAL, RETRY, BACKFILL, REPLAY, RESCUED)),
        *(
            (one, JobState.DELETED, MINUTELY, Recheck(State.CANCELLED))
            for one in (MANUAL, RETRY, BACKFILL, REPLAY, RESCUED)
        ),
    ],
)
def test_an_edit_binds_what_the_schedule_made_and_nobody_tried(
    execution: Execution, state: JobState, spec: JobSpec, verdict: Recheck
) -> None:
    assert recheck(execution, job_of(spec, state), timetable_of(spec)) == verdict


@pytest.mark.parametrize(("at", "kept"), [(BINDS_AFTER, True), (BINDS_AFTER + 1, False)])
def test_a_dead_node_knew_better_than_to_send_what_came_long_after_the_edit(at: int, kept: bool) -> None:
    paused = job_of(MINUTELY, JobState.PAUSED)
    rescued = replace(RESCUED, fire_at=paused.updated_at + at)
    assert (recheck(rescued, paused, timetable_of(MINUTELY)) is KEEP) is kept


@given(st.sampled_from(Trigger), st.integers(1, 3), st.sampled_from(JobState), st.sampled_from((MINUTELY, ELSEWHEN)))
def test_every_verdict_is_a_legal_step(trigger: Trigger, attempt: int, state: JobState, spec: JobSpec) -> None:
    verdict = recheck(_taken(trigger, attempt), job_of(spec, state), timetable_of(spec))
    steps: dict[State, Any] = {State.SKIPPED: Execution.skip, State.CANCELLED: Execution.cancel}
    assert verdict is KEEP or steps[verdict.state](_taken(trigger, attempt)).state is verdict.state
    assert (verdict.skip_reason is not None) == (verdict.state is State.SKIPPED)
