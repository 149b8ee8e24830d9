"""Old history goes, by age and by count; what has not ended stays, and no id comes back."""

from __future__ import annotations

import pytest

from tests.store.stage import EVERY_SECOND, MINUTELY, Stage, T, ended
from tui_scheduler.domain.execution import FINAL, State
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import run

UNFINISHED = sorted(set(State) - FINAL)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def add_attempt(stage: Stage, *executions: int) -> None:
    with stage.database.write() as connection:
        for execution in executions:
            statement = "INSERT INTO attempt (execution_id, attempt, node_id, finished_at) VALUES (?, 1, 1, 1)"
            run(connection, statement, execution)


def keys(stage: Stage) -> list[int]:
    return [key for (key,) in stage.rows("id")]


def attempts(stage: Stage) -> list[int]:
    return [key for (key,) in stage.rows("execution_id", "attempt")]


@pytest.mark.parametrize("state", sorted(FINAL))
def test_what_ended_before_that_instant_goes_with_its_attempts(stage: Stage, state: State) -> None:
    job = stage.create(MINUTELY)
    old, young = (stage.put(job, state, T + n, finished_at=T + 10 * n) for n in (1, 2))
    add_attempt(stage, old, young, young)
    pruned = stage.pruning.by_age(T + 20, 0, 100)
    assert (pruned.deleted, pruned.cursor) == (1, 0)
    assert (keys(stage), attempts(stage)) == ([young], [young, young])


@pytest.mark.parametrize("state", UNFINISHED)
def test_what_has_not_ended_is_never_touched_however_old(stage: Stage, state: State) -> None:
    job = stage.create(MINUTELY)
    old = stage.put(job, state, T)
    for n in range(1, 4):
        stage.put(job, State.SUCCEEDED, T + n, finished_at=T + n)
    add_attempt(stage, old)
    assert stage.pruning.by_age(T + 1000, 0, 100).deleted == 3
    assert stage.pruning.by_count(1, 0, 10, 100).deleted == 0
    assert (keys(stage), attempts(stage)) == ([old], [old])


def test_pruning_by_age_goes_on_where_it_stopped(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    made = [stage.put(job, State.SUCCEEDED, T + n, finished_at=T + n) for n in range(10)]
    first = stage.pruning.by_age(T + 7, 0, 3)
    assert (first.deleted, first.cursor) == (3, made[2])
    second = stage.pruning.by_age(T + 7, first.cursor, 3)
    assert (second.deleted, second.cursor) == (3, made[5])
    third = stage.pruning.by_age(T + 7, second.cursor, 3)
    assert (third.deleted, third.cursor) == (1, made[8])
    assert stage.pruning.by_age(T + 7, third.cursor, 3).cursor == 0  # nothing old follows: from the start, later
    assert keys(stage) == made[7:]


def test_what_never_ends_does_not_keep_pruning_from_going_on(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    stuck = [stage.put(job, State.RETRYING, T + n) for n in range(4)]
    stage.put(job, State.SUCCEEDED, T + 5, finished_at=T + 5)
    first = stage.pruning.by_age(T + 100, 0, 4)
    assert (first.deleted, first.cursor) == (0, stuck[-1])
    assert stage.pruning.by_age(T + 100, first.cursor, 4).deleted == 1


def test_by_count_the_newest_of_each_job_stay(stage: Stage) -> None:
    busy, quiet = stage.create(EVERY_SECOND), stage.create(MINUTELY)
    made = [stage.put(busy, State.SUCCEEDED, T + n) for n in range(6)]
    others = [stage.put(quiet, State.FAILED, T + n) for n in range(3)]
    add_attempt(stage, *made)
    assert stage.pruning.by_count(3, 0, 10, 100).deleted == 3
    assert keys(stage) == made[3:] + others
    assert attempts(stage) == made[3:]
    assert stage.pruning.by_count(3, 0, 10, 100).deleted == 0


def test_by_count_the_oldest_go_first_and_jobs_take_turns(stage: Stage) -> None:
    jobs = [stage.create(EVERY_SECOND) for _ in range(3)]
    made = [[stage.put(job, State.SUCCEEDED, T + n) for n in range(5)] for job in jobs]
    first = stage.pruning.by_count(1, 0, 2, 3)
    assert (first.deleted, first.cursor) == (6, jobs[1].key)
    assert keys(stage) == made[0][3:] + made[1][3:] + made[2]
    second = stage.pruning.by_count(1, first.cursor, 2, 3)
    assert (second.deleted, second.cursor) == (3, 0)


def test_a_key_is_never_given_again_though_the_newest_row_went(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node = stage.node()
    claim = stage.claim_one(node, T + SECOND)
    stage.records.record(node, [ended(claim)])
    assert stage.pruning.by_age(T + 10 * SECOND, 0, 10).deleted == 1
    assert stage.claim_one(node, T + 2 * SECOND).execution.key > claim.execution.key


def test_what_was_pruned_is_not_planned_again(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node = stage.node()
    stage.records.record(node, [ended(claim) for claim in stage.claim(node, T + 3 * SECOND)])
    assert stage.pruning.by_age(T + 10 * SECOND, 0, 10).deleted == 3
    assert stage.claim(node, T + 3 * SECOND) == []
    assert stage.claim(node, T - 100 * SECOND) == []
