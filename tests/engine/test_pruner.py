"""Old history goes, bit by bit, at moments in which nobody is disturbed."""

from __future__ import annotations

from typing import Any

import trio
from trio.testing import MockClock

from tests.engine.stage import MS, SECOND, START, Stage
from tui_scheduler.domain.execution import State
from tui_scheduler.engine.pruner import Pruner
from tui_scheduler.store.hot import run

DAY = 86_400 * SECOND


class Pruning(Stage):
    """A stage on which history is pruned. `removed_at` has the µs of each removal."""

    def __init__(self, **options: Any) -> None:
        keep_nothing = {"keep_age": None, "keep_failed_age": None}
        super().__init__(**{"stale_after_s": 3_600.0, "prune_every_s": 5.0, **keep_nothing, **options})
        self.pruner = Pruner(self.registered())
        self.removed_at: list[int] = []

    async def hop(self, call: Any, /, *arguments: Any) -> Any:
        result = await super().hop(call, *arguments)
        if getattr(result, "deleted", 0):
            self.removed_at.append(self.clock.now() - START)
        return result


async def test_old_history_is_forgotten_in_batches_with_pauses(autojump_clock: MockClock) -> None:
    stage = Pruning(prune_batch=100, keep_age=1 * DAY)
    history(stage, 250, ended_at=START - 2 * DAY)
    history(stage, 10, ended_at=START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.pruner.run)
        await trio.sleep(4.9)
        assert len(stage.executions()) == 260
        await trio.sleep(3)
        assert len(stage.executions()) == 10
        assert stage.counters.pruned == 250
        assert len(stage.removed_at) >= 2
        assert all(150 * MS <= at % SECOND < 980 * MS for at in stage.removed_at), "never while the herd is sent"
        nursery.cancel_scope.cancel()


async def test_failures_are_kept_longer_and_go_in_their_turn(autojump_clock: MockClock) -> None:
    stage = Pruning(keep_age=1 * DAY, keep_failed_age=3 * DAY)
    for state in (State.SUCCEEDED, State.FAILED, State.LOST, State.SKIPPED):
        for age in (2, 4):
            history(stage, 5, ended_at=START - age * DAY, state=state)
    await stage.pruner.round()
    assert sorted(row.state for row in stage.executions()) == ["failed"] * 5 + ["lost"] * 5
    assert {row.finished_at for row in stage.executions()} == {START - 2 * DAY}


async def test_what_is_kept_longer_is_not_read_again_in_every_round(autojump_clock: MockClock) -> None:
    stage = Pruning(prune_batch=100, keep_age=1 * DAY)
    history(stage, 1_000, ended_at=START - 2 * DAY, state=State.FAILED)
    history(stage, 10, ended_at=START - 2 * DAY)
    await stage.pruner.round()
    assert (stage.calls.count("by_age"), len(stage.executions())) == (11, 1_000)
    await stage.pruner.round()
    assert stage.calls.count("by_age") == 12
    history(stage, 10, ended_at=START - 2 * DAY)
    await stage.pruner.round()
    assert (stage.calls.count("by_age"), len(stage.executions())) == (13, 1_000)


async def test_what_had_not_ended_when_it_was_passed_goes_within_an_hour(autojump_clock: MockClock) -> None:
    stage = Pruning(keep_age=1 * DAY)
    history(stage, 1, ended_at=START - 2 * DAY, state=State.RUNNING)
    history(stage, 1, ended_at=START - 2 * DAY)
    await stage.pruner.round()
    (passed,) = stage.executions()
    with stage.database.write() as connection:
        run(connection, "UPDATE execution SET state = 'succeeded' WHERE id = ?", passed.id)
    await stage.pruner.round()
    assert len(stage.executions()) == 1
    await trio.sleep(3_600)
    await stage.pruner.round()
    assert stage.executions() == []


async def test_pruning_goes_on_when_the_store_is_back_and_keeps_what_counts(autojump_clock: MockClock) -> None:
    stage = Pruning(keep_count=3)
    history(stage, 10, ended_at=START)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.pruner.run)
        stage.away.add("by_count")
        await trio.sleep(6)
        assert stage.node.trouble.reasons == ("pruning: the store is away",)
        stage.away.clear()
        await trio.sleep(7)
        assert [row.occurrence_key for row in stage.executions()] == [7, 8, 9]
        assert "by_age" not in stage.calls
        assert {"forget", "purge_deleted"} <= set(stage.calls)
        nursery.cancel_scope.cancel()


async def test_all_jobs_are_gone_through_once_and_after_that_those_with_new_rows(autojump_clock: MockClock) -> None:
    stage = Pruning(keep_count=3)
    history(stage, 5, ended_at=START)
    await stage.pruner.round()
    assert len(stage.executions()) == 3
    looks = stage.calls.count("over")
    await stage.pruner.round()
    assert stage.calls.count("over") == looks, "nothing new, nothing to look at"
    history(stage, 4, ended_at=START)
    await stage.pruner.round()
    assert (stage.calls.count("over"), len(stage.executions())) == (looks + 1, 6)


def history(stage: Stage, count: int, ended_at: int, state: State = State.SUCCEEDED) -> None:
    job = stage.job("0 0 0 1 1 *")
    with stage.database.write() as connection:
        for number in range(count):
            run(
                connection,
                "INSERT INTO execution (job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state,"
                " attempt, claim_no, rescues, priority, finished_at, cancel_requested)"
                " VALUES (?, 1, ?, ?, ?, 'schedule', ?, 1, 1, 0, 5, ?, FALSE)",
                *(job.key, ended_at, ended_at, number, state.value, ended_at),
            )
