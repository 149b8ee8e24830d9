"""Requests above the limit of an origin wait unsent, and go in their order when there is room."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import trio
from trio.testing import MockClock

from tests.engine.stage import ONCE, SECOND, START, Stage
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.engine import Engine
from tui_scheduler.store.hot import rows


@asynccontextmanager
async def running(**options: Any) -> AsyncIterator[tuple[Stage, Engine]]:
    stage = Stage(**options)
    engine = stage.engine()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        yield stage, engine
        engine.stop()


def at(second: int) -> str:
    """A schedule that fires that many seconds after the start, once a minute."""
    return f"{(START // SECOND + second) % 60} * * * * *"


def created(stage: Stage, number: int, **spec: Any) -> None:
    for _ in range(number):
        stage.job(at(1), **spec)


async def test_no_more_than_the_limit_are_under_way_and_the_next_goes_when_one_has_ended(
    autojump_clock: MockClock,
) -> None:
    async with running(per_origin=2) as (stage, _):
        created(stage, 5)
        await trio.sleep(1.5)
        assert len(stage.transport.fired) == 2
        for number in range(5):
            stage.transport.answer(stage.transport.fired[number])
            await trio.sleep(0.01)
            assert len(stage.transport.fired) == min(number + 3, 5)


async def test_other_origins_are_not_held_up(autojump_clock: MockClock) -> None:
    async with running(origins={"http://target:80": 1}) as (stage, _):
        created(stage, 3)
        await trio.sleep(1.5)
        assert len(stage.transport.fired) == 1
        stage.transport.answer(stage.transport.fired[0])
        await trio.sleep(0.1)
        stage.transport.answer(stage.transport.fired[1])
        await trio.sleep(0.1)
        stage.transport.answer(stage.transport.fired[2])


async def test_what_waits_goes_by_priority_and_then_by_instant(autojump_clock: MockClock) -> None:
    def named(body: str) -> Request:
        return Request("http://target/", body=body)

    async with running(per_origin=1) as (stage, _):
        for second, priority in ((1, 5), (3, 5), (2, 5), (4, 1), (1, 9)):
            stage.job(at(second), priority=priority, request=named(f"{priority} at {second}"))
        await trio.sleep(5)
        for number in range(5):
            stage.transport.answer(stage.transport.fired[number])
            await trio.sleep(0.01)
        assert stage.transport.bodies == ["5 at 1", "1 at 4", "5 at 2", "5 at 3", "9 at 1"]


async def test_at_most_once_work_is_not_marked_as_sent_while_it_waits(autojump_clock: MockClock) -> None:
    async with running(per_origin=1) as (stage, _):
        created(stage, 3, type=ONCE)
        await trio.sleep(1.5)
        assert sorted(stage.states()) == ["claimed", "claimed", "running"]
        for number in range(3):
            stage.transport.answer(stage.transport.fired[number])
            await trio.sleep(0.3)
        assert stage.states() == ["succeeded"] * 3


async def test_an_edit_reaches_what_waits(autojump_clock: MockClock) -> None:
    async with running(per_origin=1) as (stage, _):
        job = stage.job(at(1))
        other = stage.job(at(2))
        await trio.sleep(2.5)
        stage.edit(other, "v2")
        stage.jobs.pause(job.id, stage.clock.now())
        await trio.sleep(0.5)
        stage.transport.answer(stage.transport.fired[0])
        await trio.sleep(0.1)
        assert stage.transport.bodies == ["v1", "v2"]
        stage.transport.answer(stage.transport.fired[1])


async def test_a_place_that_is_given_up_unsent_goes_to_the_next(autojump_clock: MockClock) -> None:
    async with running(per_origin=1) as (stage, _):
        first, second = stage.job(at(2), type=ONCE), stage.job(at(2), type=ONCE)
        stage.gates["start"] = trio.Event()  # marked as running, and the answer is on its way
        await trio.sleep(1.9)
        with stage.database.write() as connection:
            connection.exec_driver_sql("UPDATE execution SET cancel_requested = TRUE WHERE state = 'running'")
        await trio.sleep(0.3)
        stage.gates.pop("start").set()
        await trio.sleep(1)
        assert len(stage.transport.fired) == 1
        assert first.key != second.key
        stage.transport.answer(stage.transport.fired[0])


async def test_a_stop_gives_back_what_waits(autojump_clock: MockClock) -> None:
    async with running(per_origin=1, drain_s=0.5) as (stage, engine):
        created(stage, 3)
        await trio.sleep(1.5)
        engine.stop()
        await trio.sleep(0.1)
        with stage.database.read() as connection:
            found = [row.state for row in rows(connection, "SELECT state FROM execution ORDER BY id")]
        assert sorted(found) == ["claimed", "pending", "pending"]
        stage.transport.answer(stage.transport.fired[0])
    assert State.SUCCEEDED.value in stage.states()
    assert stage.executions()[0].fire_at == START + SECOND
