"""Limits, pauses and windows that come while something is claimed ahead: it is not sent, and it is not lost."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.engine.stage import MS, ONCE, SECOND, START, Stage
from tests.engine.test_follower import AT_1, following
from tui_scheduler.domain.execution import SkipReason, State
from tui_scheduler.domain.queues import Limits, Rate
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.store.queues import QueueStore
from tui_scheduler.store.windows import WindowStore


def limit(stage: Stage, **limits: Any) -> None:
    QueueStore(stage.database).change("default", lambda _: Limits(**limits))


@pytest.mark.parametrize("kind", [{}, {"type": ONCE}])
@pytest.mark.parametrize("limits", [{"paused": True}, {"concurrency": 1}, {"rate": Rate(1, SECOND)}])
@pytest.mark.parametrize("before", [250, 340])
async def test_a_limit_binds_what_is_due_250_ms_after_its_commit(
    kind: dict[str, Any], limits: dict[str, Any], before: int, autojump_clock: MockClock
) -> None:
    async with following() as stage:
        stage.job(AT_1, **kind)
        stage.claim()
        await trio.sleep(1 - before / 1_000)
        limit(stage, **limits)
        await trio.sleep(0.5)
        assert stage.transport.fired == []
        assert stage.states() == ["pending"]
        assert len(stage.node.hand) == 0


async def test_a_limit_that_comes_during_a_claim_binds_what_the_claim_brings(autojump_clock: MockClock) -> None:
    async with following() as stage:
        stage.job(AT_1)
        stage.follower.claim_begins()
        held = stage.claim()
        limit(stage, paused=True)
        for one in held:
            stage.node.hand.release(one.execution.key, one.execution.claim_no)  # not in hand before the claim is over
        await trio.sleep(0.2)
        for one in held:
            stage.node.hand.take(one)
        stage.follower.follow_claimed(held)
        await trio.sleep(1)
        assert (stage.transport.fired, stage.states()) == ([], ["pending"])


async def test_what_is_to_be_given_back_is_when_the_store_returns(autojump_clock: MockClock) -> None:
    async with following() as stage:
        stage.job(AT_1)
        stage.claim()
        stage.away.add("give_back")
        limit(stage, paused=True)
        await trio.sleep(2)
        assert (stage.transport.fired, stage.states()) == ([], ["claimed"])
        stage.away.clear()
        await trio.sleep(6)
        assert stage.states() == ["pending"]


async def test_a_higher_limit_takes_nothing_back(autojump_clock: MockClock) -> None:
    async with following() as stage:
        limit(stage, concurrency=5)
        stage.job("* * * * * *", queue="default")
        await trio.sleep(1)
        stage.claim(1 * SECOND)
        limit(stage, concurrency=9)
        await trio.sleep(0.3)
        assert "pending" not in stage.states()


async def test_a_job_that_is_moved_to_a_limited_queue_waits_for_its_turn_there(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job(AT_1, queue="free")
        limit(stage, paused=True)
        await trio.sleep(0.2)
        stage.claim()
        stage.edit(job, queue="default")
        await trio.sleep(1)
        assert (stage.transport.fired, stage.states()) == ([], ["pending"])


@pytest.mark.parametrize("kind", [{}, {"type": ONCE}])
async def test_a_window_binds_what_is_due_250_ms_after_its_commit(
    kind: dict[str, Any], autojump_clock: MockClock
) -> None:
    async with following() as stage:
        stage.job(AT_1, **kind)
        stage.job(AT_1, queue="other", **kind)
        stage.claim()
        await trio.sleep(0.75)
        WindowStore(stage.database).create(WindowSpec("", "default", START, START + 60 * SECOND), stage.clock.now())
        await trio.sleep(0.5)
        assert stage.transport.bodies == ["v1"]
        assert stage.ends == [(State.SKIPPED, SkipReason.WINDOW, None)]


async def test_a_retry_that_is_armed_waits_for_the_end_of_a_new_window(autojump_clock: MockClock) -> None:
    async with following() as stage:
        stage.job(AT_1)
        with stage.database.write() as connection:
            connection.exec_driver_sql("UPDATE timer SET next_fire_at = NULL")
        job = stage.jobs.page(1)[0]
        stage.jobs.run_now(job.id, START + 1)
        with stage.database.write() as connection:
            connection.exec_driver_sql(
                "UPDATE execution SET trigger = 'schedule', state = 'retrying', attempt = 1, next_attempt_at ="
                f" {START + SECOND}"
            )
        stage.claim()
        WindowStore(stage.database).create(
            WindowSpec("", None, START + 500 * MS, START + 60 * SECOND), stage.clock.now()
        )
        await trio.sleep(1.5)
        (row,) = stage.executions()
        assert (stage.transport.fired, row.state, row.attempt) == ([], "pending", 1)


async def test_the_next_of_a_full_queue_goes_as_soon_as_one_has_ended(autojump_clock: MockClock) -> None:
    stage = Stage(tick_s=0.2)
    limit(stage, concurrency=1)
    first, second = stage.job(AT_1), stage.job(AT_1)
    assert first.key != second.key
    async with trio.open_nursery() as nursery:
        engine = stage.engine()
        nursery.start_soon(engine.run)
        await trio.sleep(1.5)
        assert len(stage.transport.fired) == 1
        await stage.called("has_due")
        stage.transport.answer(stage.transport.fired[0])
        await trio.sleep(0.1)
        assert len(stage.transport.fired) == 2
        stage.transport.answer(stage.transport.fired[1])
        engine.stop()
