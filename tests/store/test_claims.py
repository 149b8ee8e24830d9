"""What a claim takes, in which order, and what becomes of the jobs and rows it came from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.store.stage import EVERY_SECOND, MINUTE, MINUTELY, Stage, T, ended
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import CatchUp, JobState, Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.database import Database
from tui_scheduler.store.nodes import NodeFenced


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


# ---------------------------------------------------------------------------------------------------- the schedule's


def test_what_is_due_is_claimed_and_its_job_planned_on(stage: Stage) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    (claim,) = stage.claim(node, T + MINUTE)
    execution = claim.execution
    assert (claim.entry.job, claim.due) == (job, T + MINUTE)
    assert (execution.trigger, execution.state) == (Trigger.SCHEDULE, State.CLAIMED)
    assert (execution.attempt, execution.claim_no, execution.scheduled_for) == (1, 1, T + MINUTE)
    columns = "id, job_id, job_version, scheduled_for, fire_at, occurrence_key, state, attempt, claim_no, node_id"
    assert stage.rows(columns) == [
        (execution.key, job.key, 1, T + MINUTE, T + MINUTE, T + MINUTE, "claimed", 1, 1, node)
    ]
    assert stage.rows("planned_through, next_fire_at, running_execution_id", "timer", "job_id") == [
        (T + MINUTE, T + 2 * MINUTE, None)
    ]


def test_only_what_the_look_ahead_reaches_is_seen_and_taken(stage: Stage) -> None:
    stage.create(MINUTELY)
    node, now = stage.node(), T + MINUTE - SECOND
    assert not stage.claims.has_due(now - 1, now + SECOND - 1)
    assert stage.claim(node, now - 1, ahead=SECOND) == []
    assert stage.claims.has_due(now, now + SECOND)
    assert [claim.due for claim in stage.claim(node, now, ahead=SECOND)] == [T + MINUTE]
    assert not stage.claims.has_due(now, now + SECOND)


def test_priority_goes_first_and_then_the_earlier_instant(stage: Stage) -> None:
    made = [
        stage.create(replace(MINUTELY, schedule=f"{second} * * * * *", priority=priority)).key
        for priority, second in ((9, 1), (5, 3), (1, 5), (5, 2), (1, 4))
    ]
    manual = stage.create(replace(MINUTELY, priority=5))
    stage.jobs.run_now(manual.id, T + 2 * SECOND + 1)
    order = [claim.entry.job.key for claim in stage.claim(stage.node(), T + 6 * SECOND, slots=5)]
    fresh_then_waiting = [made[4], made[2], made[3], made[1], manual.key]  # one priority's own order is by instant
    assert sorted(order[:2]) == sorted(fresh_then_waiting[:2])
    assert sorted(order[2:]) == sorted(fresh_then_waiting[2:])
    assert stage.rows("next_fire_at", "timer", "job_id")[0] == (T + SECOND,)  # priority 9 found no slot


@pytest.mark.parametrize("slots", [0, 1, 2, 7])
def test_no_more_is_taken_than_there_are_slots(stage: Stage, slots: int) -> None:
    for _ in range(3):
        stage.create(EVERY_SECOND)
    stage.jobs.run_now(stage.create(MINUTELY).id, T)
    node, taken = stage.node(), 0
    while claims := stage.claim(node, T + 4 * SECOND, slots=slots):
        assert len(claims) <= slots
        taken += len(claims)
    assert taken == (13 if slots else 0)


def test_a_backlog_is_taken_oldest_first_by_whoever_comes(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    dues = [
        (claim.due - T) // SECOND
        for node in (stage.node(), stage.node(), stage.node())
        for claim in stage.claim(node, T + 6 * SECOND, slots=2)
    ]
    assert dues == [1, 2, 3, 4, 5, 6]


def test_what_was_missed_by_more_than_the_grace_is_one_row(stage: Stage) -> None:
    stage.create(replace(EVERY_SECOND, catch_up=CatchUp.LATEST, grace=2 * SECOND))
    claimed = stage.claims.claim(stage.node(), T + 3600 * SECOND, T + 3600 * SECOND, 100)
    assert (len(claimed.claims), claimed.skipped) == (4, 3596)
    skipped = stage.rows("skip_reason, skip_from, skip_to, skip_count, occurrence_key, finished_at")[-1]
    assert skipped == ("too late", T + SECOND, T + 3596 * SECOND, 3596, None, T + 3600 * SECOND)


def test_a_job_without_a_further_occurrence_is_finished(stage: Stage) -> None:
    job, node = stage.create(replace(MINUTELY, ends_at=T + MINUTE)), stage.node()
    stage.claim_one(node, T + MINUTE)
    assert stage.jobs.get(job.id).state is JobState.FINISHED
    assert stage.rows("next_fire_at", "timer", "job_id") == [(None,)]
    assert not stage.claims.has_due(T + 10 * MINUTE, T + 10 * MINUTE)


def test_an_occurrence_that_is_there_already_is_not_claimed_again(stage: Stage) -> None:
    job, node = stage.create(EVERY_SECOND), stage.node()
    there = stage.put(job, State.SUCCEEDED, T + 2 * SECOND, trigger="backfill")
    claims = stage.claim(node, T + 3 * SECOND)
    assert [(claim.due - T) // SECOND for claim in claims] == [1, 3]
    assert stage.row(there, "state, trigger, claim_no, node_id") == ("succeeded", "backfill", 0, None)
    assert [key for (key,) in stage.rows("node_id") if key is not None] == [node, node]


@pytest.mark.parametrize("overlap", [Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL])
def test_an_occurrence_that_is_there_already_keeps_no_job_busy(stage: Stage, overlap: Overlap) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=overlap)), stage.node()
    stage.put(job, State.SUCCEEDED, T + SECOND, trigger="backfill")
    assert stage.claim(node, T + SECOND) == []
    assert stage.running(job) is None
    assert [claim.due for claim in stage.claim(node, T + SECOND, ahead=SECOND)] == [T + 2 * SECOND]


def test_a_fenced_node_claims_nothing(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    fenced, stopped = stage.node(), stage.node()
    assert stage.nodes.condemn(fenced, 0, T)
    stage.nodes.stop(stopped, T)
    for node in (fenced, stopped, stopped + 1):
        with pytest.raises(NodeFenced):
            stage.claim(node, T + SECOND)
        with pytest.raises(NodeFenced):
            stage.claims.start(node, [])
    assert stage.rows("id") == []
    assert stage.rows("planned_through", "timer", "job_id") == [(T,)]


# ---------------------------------------------------------------------------------------------------- what waits


def test_a_run_by_hand_is_taken_at_once_also_of_a_paused_job(stage: Stage) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    stage.jobs.pause(job.id, T)
    record = stage.jobs.run_now(job.id, T + 5)
    claim = stage.claim_one(node, T + 5)
    assert (claim.execution.key, claim.due, claim.execution.trigger) == (record.key, T + 5, Trigger.MANUAL)
    assert stage.row(record.key, "state, attempt, claim_no, node_id, next_attempt_at, job_version") == (
        *("claimed", 1, 1, node, T + 5, 2),
    )


def test_a_retry_is_taken_when_it_is_due_with_the_next_numbers(stage: Stage) -> None:
    job, node, other = stage.create(MINUTELY), stage.node(), stage.node()
    first = stage.claim_one(node, T + MINUTE)
    retry_at = T + MINUTE + 7 * SECOND
    retrying = ended(first, State.RETRYING, T + MINUTE + 9, started_at=T + MINUTE + 1, next_attempt_at=retry_at)
    assert stage.records.record(node, [retrying]) == 0
    assert stage.claim(other, retry_at - 1) == []
    again = stage.claim_one(other, retry_at)
    assert (again.due, again.entry.job) == (retry_at, job)
    assert again.execution == replace(first.execution, attempt=2, claim_no=2, first_started_at=T + MINUTE + 1)
    assert stage.row(again.execution.key, "state, attempt, claim_no, node_id") == ("claimed", 2, 2, other)


def test_a_rescued_one_is_taken_with_a_new_claim_and_the_same_attempt(stage: Stage) -> None:
    stage.create(MINUTELY)
    dead, node = stage.node(), stage.node()
    first = stage.claim_one(dead, T + MINUTE)
    assert stage.nodes.condemn(dead, 0, T + MINUTE)
    stage.rescues.rescue(dead, T + MINUTE + 5)
    again = stage.claim_one(node, T + MINUTE + 5)
    assert again.execution == replace(first.execution, claim_no=2, rescues=1)
    assert again.due == T + MINUTE


@pytest.mark.parametrize("state", [State.PENDING, State.RETRYING])
def test_what_waits_of_a_job_that_is_no_more_is_cancelled(stage: Stage, state: State) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    orphan = stage.put(replace(job, key=job.key + 1), state, T)
    assert stage.claim(node, T) == []
    assert stage.row(orphan, "state, finished_at, error") == ("cancelled", T, "the job was purged")
    assert not stage.claims.has_due(T, T)


@pytest.mark.parametrize(
    ("command", "trigger", "attempt", "becomes"),
    [
        ("pause", "schedule", 0, ("skipped", "paused")),
        ("pause", "schedule", 1, ("claimed", None)),
        ("pause", "manual", 0, ("claimed", None)),
        ("edit", "schedule", 0, ("skipped", "edited")),
        ("edit", "schedule", 1, ("claimed", None)),
        ("edit", "backfill", 0, ("claimed", None)),
        ("delete", "schedule", 0, ("skipped", "deleted")),
        ("delete", "schedule", 1, ("cancelled", None)),
        ("delete", "manual", 0, ("cancelled", None)),
    ],
)
def test_what_was_planned_under_an_older_version_is_looked_at_again(
    stage: Stage, command: str, trigger: str, attempt: int, becomes: tuple[str, str | None]
) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    if command == "edit":
        stage.update(job, T, schedule="30 * * * * *")
    else:
        getattr(stage.jobs, command)(job.id, T)
    state = State.RETRYING if attempt else State.PENDING
    late = stage.put(job, state, T + MINUTE, trigger=trigger, attempt=attempt)  # given back after the edit
    claims = stage.claim(node, T + MINUTE)
    assert stage.row(late, "state, skip_reason") == becomes
    assert [claim.execution.key for claim in claims if claim.execution.key == late] == (
        [late] if becomes[0] == "claimed" else []
    )


def test_starting_at_most_once_work_tells_what_is_still_ones_own(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node, other = stage.node(), stage.node()
    mine, gone, cancelled = stage.claim(node, T + 3 * SECOND)
    stage.set("execution", gone.execution.key, node_id=other, claim_no=2)
    stage.set("execution", cancelled.execution.key, cancel_requested=True)
    held = [(claim.execution.key, 1) for claim in (mine, gone, cancelled)]
    assert stage.claims.start(node, held) == {mine.execution.key}
    assert [state for (state,) in stage.rows("state")] == ["running", "claimed", "claimed"]
    assert stage.claims.start(node, held) == {mine.execution.key}  # a commit that nobody heard of may be repeated
