"""An engine's lives: it begins when the store lets it, ends in order, and lives again when it was declared dead."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.engine.stage import MS, ONCE, SECOND, START, Stage
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.engine.engine import Engine
from tui_scheduler.engine.transport import Shot

AT_1 = "@at 2026-05-28T20:26:41Z"
AT_2 = "@at 2026-05-28T20:26:42Z"


@asynccontextmanager
async def running(stage: Stage) -> AsyncIterator[Engine]:
    """An engine that has begun; it has ended at the end, within two minutes of virtual time."""
    engine = stage.engine()
    with trio.fail_after(600):
        async with trio.open_nursery() as nursery:
            await nursery.start(engine.run)
            yield engine
            engine.stop()


async def test_an_occurrence_is_sent_at_its_instant_and_recorded(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.transport.answers_with = 200
    async with running(stage) as engine:
        stage.job(AT_1)
        await trio.sleep(2)
        assert stage.transport.fired_at == [SECOND]
        assert stage.states() == ["succeeded"]
        assert engine.counters.succeeded == 1
    assert stage.nodes() == {1: "stopped"}
    assert stage.locks.held == set()


async def test_wake_makes_a_run_by_hand_immediate(autojump_clock: MockClock) -> None:
    stage = Stage(tick_s=30.0)
    job = stage.job("0 0 0 1 1 *")
    async with running(stage) as engine:
        await trio.sleep(1.0)
        stage.jobs.run_now(job.id, stage.clock.now())
        engine.wake()
        await trio.sleep(0.001)
        assert stage.transport.fired_at == [SECOND]
        stage.transport.answer(stage.transport.fired[0])


async def test_stop_gives_back_what_was_not_sent_and_waits_for_what_was(autojump_clock: MockClock) -> None:
    stage = Stage(drain_s=8.0)
    for kind in ({}, {"type": ONCE}):
        stage.job(AT_1, **kind)
        stage.job(AT_2, **kind)
    async with running(stage) as engine:
        await trio.sleep(1.9)
        assert len(stage.transport.fired) == 2
        assert len(stage.states()) == 4
        engine.stop()
        await trio.sleep(2)
        assert sorted(stage.states()) == ["pending", "pending", "running", "running"]
        assert [row.attempt for row in stage.executions() if row.state == "pending"] == [0, 0]
        assert stage.nodes() == {1: "alive"}, "it still waits"
        for shot in stage.transport.fired:
            stage.transport.answer(shot)
        await trio.sleep(0.1)
        assert sorted(stage.states()) == ["pending", "pending", "succeeded", "succeeded"]
        assert stage.nodes() == {1: "stopped"}
    assert len(stage.transport.fired) == 2
    assert trio.current_time() < 5


async def test_nothing_is_claimed_after_stop(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.job("* * * * * *")
    async with running(stage) as engine:
        await trio.sleep(1.5)
        engine.stop()
        await trio.sleep(0.001)
        claims, fired = stage.calls.count("claim"), len(stage.transport.fired)
        await trio.sleep(5)
        assert stage.calls.count("claim") == claims
        assert len(stage.transport.fired) == fired


async def test_what_has_no_answer_by_the_deadline_is_due_again_or_lost(autojump_clock: MockClock) -> None:
    stage = Stage(drain_s=3.0)
    stage.job(AT_1, name="again")
    stage.job(AT_1, name="once", type=ONCE)
    aborted: list[Shot] = []

    def closes_in_flight(nursery: trio.Nursery) -> Any:
        """As a wire does: when it is closed it says of each shot that it was given up."""

        async def close() -> None:
            try:
                await trio.sleep_forever()
            finally:
                for shot in stage.transport.fired:
                    aborted.append(shot)
                    shot.done(Outcome(OutcomeKind.ABORTED, stage.clock.now(), shot.started_at, message="shutting down"))

        nursery.start_soon(close)
        return stage.transport

    object.__setattr__(stage.world, "open_transport", closes_in_flight)
    async with running(stage) as engine:
        await trio.sleep(1.5)
        assert len(stage.transport.fired) == 2
        engine.stop()
        began = trio.current_time()
    assert 3 <= trio.current_time() - began < 4
    assert len(aborted) == 2
    again, once = sorted(stage.executions(), key=lambda row: row.job_id)
    assert (again.state, again.attempt) == ("pending", 0)
    assert once.state == "lost"
    assert [(alert.job_name, alert.state) for alert in stage.alerts] == [("once", "lost")]
    assert stage.nodes() == {1: "stopped"}


async def test_a_node_that_was_declared_dead_lives_again_under_a_new_id(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.transport.answers_with = 200
    stage.job("* * * * * *")
    async with running(stage) as engine:
        await trio.sleep(2.5)
        assert stage.stores.nodes.condemn(1, 3, stage.clock.now())
        await trio.sleep(5)
        assert engine.node == 2
        assert stage.nodes() == {1: "gone", 2: "alive"}, "it took its own former work"
        assert stage.locks.held == {2}
        await trio.sleep(1)
    assert set(stage.states()) <= {"succeeded", "pending"}
    assert stage.states().count("succeeded") >= 7


async def test_a_node_that_lost_its_lock_lives_again_under_a_new_id(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with running(stage) as engine:
        stage.locks.held.clear()
        await trio.sleep(1.5)
        assert engine.node == 2


@pytest.mark.parametrize("step", ["register", "hold", "last_change_no", "beat"])
async def test_a_store_that_is_away_at_the_start_is_waited_for(step: str, autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.away.add(step)
    engine = stage.engine()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(engine.run)
        await trio.sleep(7)
        assert "starting: the store is away" in engine.trouble.reasons
        assert stage.calls.count(step) < 12
        stage.away.clear()
        await trio.sleep(6)
        assert not engine.trouble.reasons
        stage.transport.answers_with = 200
        stage.jobs.run_now(stage.job().id, stage.clock.now())
        await trio.sleep(1)
        assert "succeeded" in stage.states()
        engine.stop()
    assert stage.locks.held == set()


@pytest.mark.parametrize("step", ["register", "hold", "last_change_no", "beat"])
async def test_it_can_be_stopped_while_it_waits_for_the_store_to_begin(step: str, autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.away.add(step)
    engine = stage.engine()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(engine.run)
            await trio.sleep(7)
            engine.stop()
    assert stage.locks.held == set()
    assert trio.current_time() < 8


async def test_who_waits_for_the_beginning_is_told_when_it_was_stopped_before(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.away.add("register")
    engine = stage.engine()
    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(nursery.start, engine.run)
            await trio.sleep(7)
            engine.stop()


async def test_who_waits_for_the_beginning_is_told_when_its_first_life_ended_before_it_began(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    register = stage.stores.nodes.register

    def dead_on_arrival(*arguments: Any) -> int:
        key = register(*arguments)
        if key == 1:
            stage.stores.nodes.condemn(key, 0, stage.clock.now())
        return key

    stage.stores.nodes.register = dead_on_arrival  # type: ignore[method-assign,assignment]
    async with running(stage) as engine:
        assert engine.node == 2


async def test_a_store_that_can_never_be_used_ends_the_engine_with_its_reason(autojump_clock: MockClock) -> None:
    stage = Stage()

    def register(*_arguments: Any) -> int:
        raise StoreUnavailable("the file is read-only", transient=False)

    stage.stores.nodes.register = register  # type: ignore[method-assign,assignment]
    with pytest.raises(StoreUnavailable, match="read-only"):
        await stage.engine().run()


async def test_a_store_that_goes_away_while_it_lives_again_is_waited_for(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with running(stage) as engine:
        stage.away |= {"register", "beat"}
        stage.locks.held.clear()
        await trio.sleep(10)
        stage.away.clear()
        await trio.sleep(6)
        assert engine.node == 2


async def test_a_store_that_is_away_at_the_end_leaves_the_rest_to_rescue(autojump_clock: MockClock) -> None:
    stage = Stage(drain_s=2.0)
    stage.job(AT_1)
    stage.job(AT_2)
    async with running(stage) as engine:
        await trio.sleep(1.5)
        stage.transport.answer(stage.transport.fired[0])
        stage.away |= {"record", "give_back", "rescue", "stop", "beat"}
        engine.stop()
    assert trio.current_time() < 6
    assert stage.nodes() == {1: "alive"}, "others will find it dead"
    assert stage.states() == ["claimed", "claimed"]
    assert {detail["activity"] for event, detail in stage.log if event == "left_to_rescue"} == {"give back", "leave"}


async def test_the_store_may_go_and_come_back_and_nothing_is_missing(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.transport.answers_with = 200
    stage.job("* * * * * *")
    everything = {"claim", "has_due", "record", "beat", "changed_since", "_read", "pulses", "rescue", "start"}
    async with running(stage) as engine:
        for away, back in ((1.0, 0.5), (4.0, 3.0), (12.0, 10.0)):
            stage.away |= everything
            await trio.sleep(away)
            stage.away.clear()
            await trio.sleep(back)
        assert engine.trouble.reasons == ()
        due = {START + second * SECOND for second in range(30)}
        assert due <= {row.scheduled_for for row in stage.executions() if row.state == "succeeded"}
        assert len(stage.transport.fired) == len({shot.headers for shot in stage.transport.fired})


async def test_what_was_claimed_by_a_commit_whose_answer_was_lost_is_not_forgotten(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.transport.answers_with = 200
    stage.job(AT_1)
    stage.lost.add("claim")
    async with running(stage):
        await trio.sleep(3)
        assert stage.states() == ["succeeded"]
    assert stage.transport.fired_at == [SECOND]


async def test_a_bug_surfaces_and_ends_the_engine(autojump_clock: MockClock) -> None:
    stage = Stage()

    def has_due(now: int, horizon: int, backfills: int = 0) -> bool:
        raise ZeroDivisionError

    stage.stores.claims.has_due = has_due  # type: ignore[method-assign]
    with pytest.raises(ExceptionGroup) as caught:
        await stage.engine().run()
    assert caught.group_contains(ZeroDivisionError)
    assert stage.locks.held == set()


async def test_an_engine_with_nothing_to_do_looks_ten_times_a_second_and_no_more(autojump_clock: MockClock) -> None:
    stage = Stage()
    async with running(stage):
        await trio.sleep(60)
        calls = {name: stage.calls.count(name) for name in set(stage.calls)}
        assert calls["has_due"] <= 620
        assert calls["_read"] <= 620
        assert "claim" not in calls
        assert "start" not in calls
        assert sum(calls.values()) < 1_600


async def test_work_beyond_the_slots_waits_in_the_store_without_being_asked_for(autojump_clock: MockClock) -> None:
    stage = Stage(slots=3)
    for _ in range(5):
        stage.job(AT_1)
    async with running(stage):
        await trio.sleep(10)
        assert len(stage.transport.fired) == 3
        assert stage.calls.count("claim") == 1
        assert stage.calls.count("has_due") < 110
        for shot in list(stage.transport.fired):
            stage.transport.answer(shot)
        await trio.sleep(0.3)
        assert stage.transport.fired_at[3] - 10 * SECOND < 200 * MS
        stage.transport.answers_with = 200
        for shot in stage.transport.fired[3:]:
            stage.transport.answer(shot)
