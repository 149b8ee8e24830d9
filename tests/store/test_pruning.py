"""Old history goes, by age and by count; what has not ended stays, and no id comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.store.stage import EVERY_SECOND, MINUTELY, Stage, T, ended
from tui_scheduler.domain.execution import FINAL, State
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.backfills import BackfillStore
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import run
from tui_scheduler.store.pruning import Pruned, PruneStore

UNFINISHED = sorted(set(State) - FINAL)
FAILED = {State.FAILED, State.LOST}


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


def by_age(stage: Stage, before: int, cursor: int = 0, batch: int = 100) -> Pruned:
    """By a clock that shows a little more."""
    return stage.pruning.by_age(before, before + SECOND, cursor, batch)


@pytest.mark.parametrize("state", sorted(FINAL - FAILED))
def test_what_ended_before_that_instant_goes_with_its_attempts(stage: Stage, state: State) -> None:
    job = stage.create(MINUTELY)
    old, young = (stage.put(job, state, T + n, finished_at=T + 10 * n, attempt=2) for n in (1, 2))
    add_attempt(stage, old, young, young)
    assert by_age(stage, T + 20).deleted == 1
    assert (keys(stage), attempts(stage)) == ([young], [young, young])


@pytest.mark.parametrize("state", sorted(FAILED))
def test_what_failed_is_kept_by_age_and_has_an_age_of_its_own(stage: Stage, state: State) -> None:
    job = stage.create(MINUTELY)
    oldest, old, young = (stage.put(job, state, T + n, finished_at=T + 10 * n, attempt=1) for n in (1, 2, 3))
    fine = stage.put(job, State.SUCCEEDED, T + 4, finished_at=T + 10)
    add_attempt(stage, oldest, old, young)
    assert by_age(stage, T + 1000).deleted == 1
    assert keys(stage) == [oldest, old, young]
    first = stage.pruning.failures_by_age(T + 30, 1)
    assert (first.deleted, first.is_through, keys(stage)) == (1, False, [old, young])
    last = stage.pruning.failures_by_age(T + 30, 5)
    assert (last.deleted, last.is_through) == (1, True)
    assert (keys(stage), attempts(stage)) == ([young], [young])
    assert fine not in keys(stage)


@pytest.mark.parametrize("state", UNFINISHED)
def test_what_has_not_ended_is_never_touched_however_old(stage: Stage, state: State) -> None:
    job = stage.create(MINUTELY)
    old = stage.put(job, state, T)
    for n in range(1, 4):
        stage.put(job, State.SUCCEEDED, T + n, finished_at=T + n)
    add_attempt(stage, old)
    assert by_age(stage, T + 1000).deleted == 3
    stage.put(job, State.SUCCEEDED, T + 9)
    assert stage.pruning.by_count(job.key, 1, 100).deleted == 0
    assert stage.pruning.failures_by_age(T + 1000, 100).deleted == 0
    assert (keys(stage)[0], attempts(stage)) == (old, [old])


def test_what_a_backfill_takes_over_meanwhile_stays(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    key = stage.put(job, State.SKIPPED, T, skip_count=1, skip_reason="overlap", finished_at=T)
    pruning = PruneStore(stage.database)
    seen = pruning._delete

    def late(old: Sequence[Any]) -> tuple[int, int]:
        BackfillStore(stage.database).add(job.id, [T], T + SECOND, 19)
        return seen(old)

    pruning._delete = late  # type: ignore[method-assign]
    assert pruning.by_age(T + 1, T + SECOND, 0, 100).deleted == 0
    assert stage.state(key) == "pending"


def test_pruning_by_age_goes_on_where_it_stopped_and_stops_before_what_is_young(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    made = [stage.put(job, State.SUCCEEDED, T + n, finished_at=T + n) for n in range(10)]
    first = by_age(stage, T + 7, 0, 3)
    assert (first.deleted, first.cursor, first.is_through) == (3, made[2], False)
    second = by_age(stage, T + 7, first.cursor, 3)
    assert (second.deleted, second.cursor, second.is_through) == (3, made[5], False)
    third = by_age(stage, T + 7, second.cursor, 3)
    assert (third.deleted, third.cursor, third.is_through) == (1, made[6], True)
    assert (by_age(stage, T + 7, third.cursor, 3).cursor, keys(stage)) == (made[6], made[7:])
    assert by_age(stage, T + 9, third.cursor, 3).deleted == 2


def test_what_is_kept_does_not_keep_pruning_from_going_on(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    stuck = [stage.put(job, State.RETRYING, T + n) for n in range(2)]
    stuck += [stage.put(job, State.FAILED, T + n, finished_at=T + n) for n in range(2, 4)]
    stage.put(job, State.SUCCEEDED, T + 5, finished_at=T + 5)
    first = by_age(stage, T + 100, 0, 4)
    assert (first.deleted, first.cursor, first.is_through) == (0, stuck[-1], False)
    assert by_age(stage, T + 100, first.cursor, 4).deleted == 1


def test_what_was_made_by_a_clock_far_ahead_is_stepped_over(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    stage.put(job, State.SUCCEEDED, T + 400 * 86_400 * SECOND, finished_at=T + 400 * 86_400 * SECOND)
    stage.put(job, State.SUCCEEDED, T + 1, finished_at=T + 1)
    assert by_age(stage, T + 100).deleted == 1


def test_by_count_the_newest_of_a_job_stay_whatever_made_them(stage: Stage) -> None:
    busy, quiet = stage.create(EVERY_SECOND), stage.create(MINUTELY)
    triggers = ("schedule", "manual", "replay", "schedule", "manual", "backfill")
    made = [
        stage.put(busy, State.FAILED, T + n, trigger=trigger, attempt=1, finished_at=T + n)
        for n, trigger in enumerate(triggers)
    ]
    others = [stage.put(quiet, State.FAILED, T + n) for n in range(3)]
    add_attempt(stage, *made)
    assert stage.pruning.over([busy.key, quiet.key], 3) == [busy.key]
    assert stage.pruning.over([busy.key, quiet.key], 6) == []
    assert stage.pruning.by_count(busy.key, 3, 100).deleted == 3
    assert keys(stage) == made[3:] + others
    assert attempts(stage) == made[3:]
    assert stage.pruning.by_count(busy.key, 3, 100).deleted == 0
    assert stage.pruning.over([busy.key, quiet.key], 3) == []


def test_skipped_stretches_count_and_the_oldest_go_first(stage: Stage) -> None:
    job = stage.create(EVERY_SECOND)
    made = [
        stage.put(job, State.SKIPPED, T + n, occurrence_key=None if n % 2 else T + n, skip_count=1 + n % 2)
        for n in range(8)
    ]
    first = stage.pruning.by_count(job.key, 2, 3)
    assert (first.deleted, first.is_through) == (3, False)
    second = stage.pruning.by_count(job.key, 2, 4)
    assert second.deleted == 3
    assert keys(stage) == made[6:]


def test_new_rows_are_counted_by_job_from_a_key_on(stage: Stage) -> None:
    one, other = stage.create(MINUTELY), stage.create(MINUTELY)
    assert (stage.pruning.newest(), stage.pruning.new_rows(0, 10)) == (0, ({}, 0))
    made = [stage.put(job, State.SUCCEEDED, T + n) for n in range(3) for job in (one, other)]
    last = made[-1]
    assert stage.pruning.newest() == last
    assert stage.pruning.new_rows(0, 100) == ({one.key: 3, other.key: 3}, last)
    assert stage.pruning.new_rows(last - 2, 1) == ({one.key: 1}, last - 1)
    assert stage.pruning.jobs_after(0, 1) == [one.key]
    assert stage.pruning.jobs_after(one.key, 5) == [other.key]


def test_a_key_is_never_given_again_though_the_newest_row_went(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node = stage.node()
    claim = stage.claim_one(node, T + SECOND)
    stage.records.record(node, [ended(claim)])
    assert by_age(stage, T + 10 * SECOND).deleted == 1
    assert stage.claim_one(node, T + 2 * SECOND).execution.key > claim.execution.key


def test_what_was_pruned_is_not_planned_again(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node = stage.node()
    stage.records.record(node, [ended(claim) for claim in stage.claim(node, T + 3 * SECOND)])
    assert by_age(stage, T + 10 * SECOND).deleted == 3
    assert stage.claim(node, T + 3 * SECOND) == []
    assert stage.claim(node, T - 100 * SECOND) == []
