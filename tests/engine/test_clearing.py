"""At-most-once work is sent only after the store has it as running, and only by who has it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock

from tests.engine.stage import MS, ONCE, SECOND, Stage
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.clearing import Clearing
from tui_scheduler.engine.follower import Follower
from tui_scheduler.engine.settling import Settling
from tui_scheduler.engine.transport import Shot
from tui_scheduler.store.records import Record


@asynccontextmanager
async def clearing(jobs: int = 1, **details: Any) -> AsyncIterator[Stage]:
    """A stage with at-most-once jobs claimed for second 1; firing, clearing and following run."""
    stage = Stage()
    node = stage.registered()
    for _ in range(jobs):
        stage.job("@at 2026-05-28T20:26:41Z", type=ONCE, **details)
    recorded: list[Record] = []
    settling = Settling(stage.world, stage.counters, recorded.append)
    for held in stage.claimed(settling):
        stage.firing.add(held)
    follower = Follower(node, stage.firing, stage.arming(settling), settling, stage.transport, 0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(follower.run)
        nursery.start_soon(stage.firing.run)
        nursery.start_soon(Clearing(node, stage.firing).run)
        yield stage
        nursery.cancel_scope.cancel()


async def test_it_is_sent_at_its_instant_after_it_is_stored_as_running(autojump_clock: MockClock) -> None:
    async with clearing() as stage:
        states: list[str] = []
        fire = stage.transport.fire

        def watched_fire(shot: Shot) -> None:
            states.extend(stage.states())
            fire(shot)

        stage.transport.fire = watched_fire  # type: ignore[method-assign]
        await trio.sleep(0.8)
        assert stage.states() == ["claimed"], "an edit may still come"
        await trio.sleep(0.4)
        assert states == ["running"]
        assert stage.transport.fired_at == [SECOND]


async def test_it_is_not_sent_while_the_commit_has_not_come_back(autojump_clock: MockClock) -> None:
    async with clearing() as stage:
        stage.gates["start"] = trio.Event()
        await trio.sleep(1.2)
        assert stage.transport.fired == []
        stage.gates["start"].set()
        await trio.sleep(0.01)
        assert stage.transport.fired_at == [1_200 * MS]


async def test_it_is_not_sent_when_somebody_else_has_it(autojump_clock: MockClock) -> None:
    async with clearing() as stage:
        stage.stores.rescues.rescue(stage.node.key, stage.clock.now())
        await trio.sleep(2)
        assert stage.transport.fired == []
        assert stage.states() == ["pending"]
        assert len(stage.node.hand) == 0, "its slot is free"


async def test_a_store_that_is_away_is_waited_for_and_the_execution_sent_later(autojump_clock: MockClock) -> None:
    async with clearing() as stage:
        stage.away.add("start")
        await trio.sleep(2)
        assert stage.transport.fired == []
        assert stage.calls.count("start") < 10, "with pauses"
        assert "marking as running: the store is away" in stage.node.trouble.reasons
        stage.away.clear()
        await trio.sleep(2)
        assert len(stage.transport.fired) == 1
        assert stage.node.trouble.reasons == ()


async def test_a_commit_whose_answer_was_lost_is_asked_for_again_and_the_execution_sent(
    autojump_clock: MockClock,
) -> None:
    async with clearing() as stage:
        stage.lost.add("start")
        await trio.sleep(2)
        assert len(stage.transport.fired) == 1
        assert stage.states() == ["running"]


async def test_an_edit_seen_during_the_commit_is_followed_and_the_execution_sent_once(
    autojump_clock: MockClock,
) -> None:
    async with clearing() as stage:
        gate = stage.gates["start"] = trio.Event()
        await stage.called("start")
        (job,) = stage.jobs.page(10)
        stage.edit(job, "v2")
        await trio.sleep(0.105)
        gate.set()
        await trio.sleep(1)
        assert stage.transport.bodies == ["v2"]
        assert stage.states() == ["running"]


async def test_a_job_deleted_during_the_commit_is_not_sent(autojump_clock: MockClock) -> None:
    async with clearing() as stage:
        gate = stage.gates["start"] = trio.Event()
        await stage.called("start")
        (job,) = stage.jobs.page(10)
        stage.jobs.delete(job.id, stage.clock.now())
        await trio.sleep(0.105)
        gate.set()
        await trio.sleep(1)
        assert stage.transport.fired == []


async def test_a_backlog_is_marked_in_portions_of_two_hundred(autojump_clock: MockClock) -> None:
    async with clearing(450, request=Request("http://target/")) as stage:
        portions: list[int] = []
        start = stage.stores.claims.start

        def counted(node: int, held: list[tuple[int, int]]) -> set[int]:
            portions.append(len(held))
            return start(node, held)

        counted.__name__ = "start"
        stage.stores.claims.start = counted  # type: ignore[method-assign,assignment]
        await trio.sleep(1.1)
        assert portions == [200, 200, 50]
        assert len(stage.transport.fired) == 450
