"""Cancel and replay of one execution."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.store.stage import EVERY_SECOND, MINUTELY, Stage, T, ended
from tui_scheduler.domain.errors import Conflict, NotFound
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import History
from tui_scheduler.store.runs import RunStore


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def runs(database: Database) -> RunStore:
    return RunStore(database)


def id_of(stage: Stage, key: int) -> str:
    history = History(stage.database)
    record = history.execution(key)
    assert record is not None
    return history.id_of(record)


@pytest.mark.parametrize("state", [State.PENDING, State.RETRYING])
def test_what_waits_is_cancelled_at_once(stage: Stage, runs: RunStore, state: State) -> None:
    key = stage.put(stage.create(), state, T + SECOND)
    cancelled = runs.cancel(id_of(stage, key), T + 5)
    assert (cancelled.state, cancelled.error, cancelled.finished_at) == ("cancelled", "cancelled on request", T + 5)
    assert stage.row(key, "next_attempt_at, cancel_requested") == (None, False)


@pytest.mark.parametrize("state", [State.CLAIMED, State.RUNNING])
def test_the_owner_of_what_is_under_way_is_asked_to_end_it(stage: Stage, runs: RunStore, state: State) -> None:
    node = stage.node()
    key = stage.put(stage.create(), state, T, node_id=node, claim_no=3)
    assert runs.cancel(id_of(stage, key), T + 5).state == state
    assert [(one.key, one.claim_no) for one in stage.records.cancel_requests(node)] == [(key, 3)]


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_what_has_ended_cannot_be_cancelled(stage: Stage, runs: RunStore, state: State) -> None:
    key = stage.put(stage.create(), state, T)
    with pytest.raises(Conflict, match=f"has ended \\({state.value}\\)"):
        runs.cancel(id_of(stage, key), T + 5)
    assert stage.state(key) == state


def test_a_retry_that_keeps_its_job_busy_frees_it_when_cancelled(stage: Stage, runs: RunStore) -> None:
    node = stage.node()
    job = stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE))
    first = stage.claim_one(node, T + SECOND)
    stage.records.record(node, [ended(first, State.RETRYING, next_attempt_at=T + 60 * SECOND)])
    stage.claim(node, T + 2 * SECOND)
    waiter = next(row[0] for row in stage.rows("id, state") if row[1] == "pending")
    runs.cancel(id_of(stage, first.execution.key), T + 3 * SECOND)
    assert stage.running(job) == waiter
    assert stage.row(waiter, "state, next_attempt_at") == ("pending", T + 3 * SECOND)


def test_a_waiter_that_is_cancelled_leaves_the_job_to_who_has_it(stage: Stage, runs: RunStore) -> None:
    node = stage.node()
    job = stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE))
    first = stage.claim_one(node, T + SECOND)
    stage.claim(node, T + 2 * SECOND)
    waiter = next(row[0] for row in stage.rows("id, state") if row[1] == "pending")
    runs.cancel(id_of(stage, waiter), T + 3 * SECOND)
    assert stage.running(job) == first.execution.key
    assert stage.state(waiter) == "cancelled"


@pytest.mark.parametrize("state", [state for state in State if state.is_final])
def test_what_has_ended_is_replayed_for_the_same_instant(stage: Stage, runs: RunStore, state: State) -> None:
    job = stage.create()
    key = stage.put(job, state, T - 60 * SECOND, job_version=1)
    job = stage.update(job, T, priority=2)
    again = runs.replay(id_of(stage, key), T + 5)
    assert (again.state, again.trigger, again.scheduled_for, again.fire_at) == (
        "pending", "replay", T - 60 * SECOND, T + 5,
    )  # fmt: skip
    row = stage.row(again.key, "job_version, occurrence_key, priority, next_attempt_at, attempt, claim_no")
    assert row == (job.version, None, 2, T + 5, 0, 0)
    assert stage.state(key) == state


def test_a_replay_is_claimed_like_any_other_work_and_any_number_of_times(stage: Stage, runs: RunStore) -> None:
    key = stage.put(stage.create(MINUTELY), State.FAILED, T - 60 * SECOND)
    made = {runs.replay(id_of(stage, key), T + 5).key for _ in range(2)}
    assert {claim.execution.key for claim in stage.claim(stage.node(), T + 6)} == made


def test_a_paused_job_can_be_replayed_and_an_edit_afterwards_does_not_drop_it(stage: Stage, runs: RunStore) -> None:
    job = stage.create(MINUTELY)
    key = stage.put(job, State.FAILED, T - 61 * SECOND)
    stage.jobs.pause(job.id, T)
    again = runs.replay(id_of(stage, key), T + 5)
    stage.update(job, T + 6, schedule="30 * * * * *")
    assert [claim.execution.key for claim in stage.claim(stage.node(), T + 7)] == [again.key]


@pytest.mark.parametrize("state", [state for state in State if not state.is_final])
def test_what_has_not_ended_cannot_be_replayed(stage: Stage, runs: RunStore, state: State) -> None:
    key = stage.put(stage.create(), state, T)
    with pytest.raises(Conflict, match=f"it is {state.value}"):
        runs.replay(id_of(stage, key), T + 5)


def test_a_deleted_job_cannot_be_replayed(stage: Stage, runs: RunStore) -> None:
    job = stage.create()
    key = stage.put(job, State.FAILED, T)
    stage.jobs.delete(job.id, T + 1)
    with pytest.raises(NotFound, match=job.id):
        runs.replay(id_of(stage, key), T + 5)


@pytest.mark.parametrize("wrong", ["", "nonsense", "0197b2c4-0000-7000-8000-000000000001"])
def test_an_execution_that_is_not_there_is_not_found(runs: RunStore, wrong: str) -> None:
    for ask in (runs.cancel, runs.replay):
        with pytest.raises(NotFound):
            ask(wrong, T)


def test_an_id_that_is_wrong_by_its_time_is_not_found(stage: Stage, runs: RunStore) -> None:
    key = stage.put(stage.create(), State.PENDING, T)
    right = id_of(stage, key)
    wrong = f"{int(right[0], 16) ^ 1:x}{right[1:]}"
    with pytest.raises(NotFound):
        runs.cancel(wrong, T)
    assert stage.state(key) == "pending"
