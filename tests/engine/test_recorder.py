"""Ends are written in batches, kept until they are committed, and slots are free only after that."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.engine.stage import SECOND, START, Stage, held
from tui_scheduler.domain.execution import State
from tui_scheduler.engine.recorder import Recorder
from tui_scheduler.store.records import Record


@asynccontextmanager
async def recording(**options: Any) -> AsyncIterator[tuple[Stage, Recorder, list[int]]]:
    """A stage on which the recorder runs, and the sizes of the batches it wrote."""
    stage = Stage(**options)
    recorder = Recorder(stage.registered())
    sizes: list[int] = []

    def record(node: int, batch: list[Record]) -> int:
        sizes.append(len(batch))
        return 0

    stage.stores.records.record = record  # type: ignore[method-assign]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(recorder.run)
        yield stage, recorder, sizes
        nursery.cancel_scope.cancel()


def end(key: int, claim_no: int = 1) -> Record:
    return Record(key, claim_no, 1, State.SUCCEEDED, START)


async def test_what_ends_within_a_moment_is_one_batch(autojump_clock: MockClock) -> None:
    async with recording(record_every_s=0.05) as (stage, recorder, sizes):
        recorder.put(end(1))
        await trio.sleep(0.03)
        recorder.put(end(2))
        await trio.sleep(0.015)
        assert sizes == []
        await trio.sleep(0.01)
        assert sizes == [2]
        await trio.sleep(10)
        assert stage.calls == ["record"], "nothing to write, nothing written"


async def test_a_full_batch_is_written_at_once_and_what_is_more_follows_without_delay(
    autojump_clock: MockClock,
) -> None:
    async with recording(record_batch=10, record_every_s=60.0) as (_, recorder, sizes):
        for key in range(25):
            recorder.put(end(key))
        await wait_all_tasks_blocked()
        assert sizes == [10, 10]
        assert trio.current_time() == 0
        for key in range(25, 30):
            recorder.put(end(key))
        await wait_all_tasks_blocked()
        assert sizes == [10, 10, 10]


async def test_a_store_that_is_away_loses_nothing_and_is_asked_less_and_less_often(autojump_clock: MockClock) -> None:
    async with recording(record_batch=10) as (stage, recorder, sizes):
        stage.away.add("record")
        for key in range(35):
            recorder.put(end(key))
        await trio.sleep(60)
        assert sizes == []
        assert 10 < len(stage.calls) < 20
        assert "recording: the store is away" in stage.node.trouble.reasons
        stage.away.clear()
        await trio.sleep(6)
        assert sum(sizes) == 35
        assert not stage.node.trouble.reasons
        stage.away.add("record")
        recorder.put(end(99))
        before = len(stage.calls)
        await trio.sleep(1)
        assert len(stage.calls) - before > 2, "the next trouble begins with short waits again"


async def test_slots_are_free_only_after_the_commit(autojump_clock: MockClock) -> None:
    async with recording() as (stage, recorder, _):
        stage.node.hand.take(held(0, key=1))
        gate = stage.gates["record"] = trio.Event()
        stage.away.add("record")
        recorder.put(end(1))
        await trio.sleep(1)
        assert len(stage.node.hand) == 1
        stage.away.clear()
        await stage.called("record")
        assert len(stage.node.hand) == 1, "the answer is not here yet"
        gate.set()
        await wait_all_tasks_blocked()
        assert len(stage.node.hand) == 0


async def test_a_newer_claim_of_the_same_execution_keeps_its_slot(autojump_clock: MockClock) -> None:
    async with recording() as (stage, recorder, _):
        newer = held(0, key=1)
        newer.execution = newer.execution.retry().claim()
        stage.node.hand.take(newer)
        recorder.put(end(1, claim_no=1))
        await trio.sleep(1)
        assert stage.node.hand.get(1) is newer
        recorder.put(end(1, claim_no=2))
        await trio.sleep(1)
        assert stage.node.hand.get(1) is None


async def test_what_was_no_longer_ours_to_write_is_counted(autojump_clock: MockClock) -> None:
    async with recording() as (stage, recorder, _):

        def record(node: int, batch: list[Record]) -> int:
            return 2

        stage.stores.records.record = record  # type: ignore[method-assign]
        recorder.put(end(1))
        await trio.sleep(1)
        assert stage.counters.fenced == 2


async def test_flushed_returns_when_all_that_was_handed_over_is_committed(autojump_clock: MockClock) -> None:
    async with recording(record_batch=2) as (_, recorder, sizes):
        await recorder.flushed()
        for key in range(5):
            recorder.put(end(key))
        await recorder.flushed()
        assert sum(sizes) == 5
        await recorder.flushed()


@pytest.mark.parametrize("more", [1, 3])
async def test_flushed_returns_also_when_more_comes_during_the_last_write(more: int, autojump_clock: MockClock) -> None:
    async with recording(record_batch=2) as (stage, recorder, sizes):
        gate = stage.gates["record"] = trio.Event()
        recorder.put(end(1))
        await stage.called("record")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.flushed)
            await wait_all_tasks_blocked()
            for key in range(more):
                recorder.put(end(2 + key))
            gate.set()
            with trio.fail_after(10):
                await recorder.flushed()
            await wait_all_tasks_blocked()
            assert not nursery.child_tasks, "both who waited were told"
            nursery.cancel_scope.cancel()
        assert sum(sizes) == 1 + more


async def test_the_next_record_wakes_who_waits_for_it(autojump_clock: MockClock) -> None:
    async with recording(record_every_s=60.0) as (_, recorder, _sizes):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(recorder.next_record)
            await wait_all_tasks_blocked()
            recorder.put(end(1))
        assert trio.current_time() < 60 * SECOND
