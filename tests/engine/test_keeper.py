"""The node is kept alive in the eyes of others; the dead are rescued, once they are dead for certain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.engine.stage import ONCE, SECOND, START, Stage, held
from tui_scheduler.domain.execution import MAX_RESCUES
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.engine.keeper import Keeper
from tui_scheduler.engine.settling import Settling
from tui_scheduler.store.hot import run
from tui_scheduler.store.nodes import NodeFenced

DAY = 86_400 * SECOND


class Keeping(Stage):
    """A stage with this node, and another one that may die."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.keeper = Keeper(self.registered())
        self.lock = self.locks.hold(self.node.key)
        self.other = self.stores.nodes.register("other", "there", 2, "0", START)
        self.other_lock = self.locks.hold(self.other)

    def beat_of_other(self) -> None:
        self.stores.nodes.beat(self.other, START, {})

    def give_other(self, jobs: int, *, state: str = "claimed", rescues: int = 0, **spec: Any) -> None:
        """Executions that the other node has, due now."""
        for _ in range(jobs):
            self.job("0 0 0 1 1 *", **spec)
            job = self.jobs.page(10_000)[-1]
            self.jobs.run_now(job.id, START)
        with self.database.write() as connection:
            run(
                connection,
                "UPDATE execution SET state = ?, node_id = ?, claim_no = 1, attempt = 1, rescues = ?",
                *(state, self.other, rescues),
            )

    def give_here(self) -> list[Held]:
        """An execution that this node has."""
        self.job("@at 2026-05-28T20:26:41Z")
        return self.claimed(Settling(self.world, self.counters, lambda _record: None))


@asynccontextmanager
async def keeping(*, watch: bool = True, **options: Any) -> AsyncIterator[Keeping]:
    """A stage on which the keeper's loops run."""
    stage = Keeping(**options)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.keeper.keep_beating, stage.lock)
        if watch:
            nursery.start_soon(stage.keeper.keep_watch)
        yield stage
        nursery.cancel_scope.cancel()


async def test_a_heartbeat_every_second_with_what_this_node_counts(autojump_clock: MockClock) -> None:
    async with keeping() as stage:
        await trio.sleep(10.5)
        (pulse, _) = stage.stores.nodes.pulses()
        assert (pulse.node, pulse.heartbeat) == (stage.node.key, 10)
        assert stage.pulse.beats == 10
        assert stage.pulse.is_fresh


async def test_the_heartbeat_of_a_node_declared_dead_raises(autojump_clock: MockClock) -> None:
    stage = Keeping()
    await stage.keeper.beat()
    stage.stores.nodes.condemn(stage.node.key, 1, START)
    with pytest.raises(NodeFenced):
        await stage.keeper.beat()
    with pytest.raises(NodeFenced):
        await stage.keeper.keep_beating(stage.lock)


async def test_a_lost_lock_ends_this_life_without_another_heartbeat(autojump_clock: MockClock) -> None:
    stage = Keeping()
    stage.locks.held.discard(stage.node.key)
    with pytest.raises(NodeFenced):
        await stage.keeper.keep_beating(stage.lock)
    assert "beat" not in stage.calls


def is_fresh(stage: Stage) -> bool:
    return stage.pulse.is_fresh


async def test_a_node_that_cannot_write_is_not_fresh_and_beats_again_when_it_can(autojump_clock: MockClock) -> None:
    async with keeping() as stage:
        await trio.sleep(2.5)
        stage.away.add("beat")
        await trio.sleep(6.9)
        assert is_fresh(stage)
        await trio.sleep(0.2)
        assert not is_fresh(stage)
        assert "heartbeat: the store is away" in stage.node.trouble.reasons
        stage.away.clear()
        await trio.sleep(7)
        assert is_fresh(stage)
        assert not stage.node.trouble.reasons


async def test_a_node_that_stands_still_is_dead_only_after_the_patience_and_two_heartbeats_of_our_own(
    autojump_clock: MockClock,
) -> None:
    async with keeping(stale_after_s=15.0) as stage:
        stage.beat_of_other()
        await trio.sleep(14)
        assert stage.nodes()[stage.other] == "alive"
        await trio.sleep(2.5)
        assert stage.nodes()[stage.other] == "gone"


async def test_a_node_that_beats_is_never_dead_however_rarely(autojump_clock: MockClock) -> None:
    async with keeping(stale_after_s=15.0) as stage:
        for _ in range(10):
            stage.beat_of_other()
            await trio.sleep(14)
        assert stage.nodes()[stage.other] == "alive"


async def test_who_cannot_write_accuses_nobody_of_silence(autojump_clock: MockClock) -> None:
    async with keeping(stale_after_s=15.0) as stage:
        stage.away.add("beat")
        await trio.sleep(100)
        assert stage.nodes()[stage.other] == "alive"
        stage.away.clear()
        await trio.sleep(14)
        assert stage.nodes()[stage.other] == "alive", "the store was away for the other too: it may be back any moment"
        await trio.sleep(10)
        assert stage.nodes()[stage.other] == "gone", "it has had the whole patience since"


async def test_a_free_lock_means_dead_at_once(autojump_clock: MockClock) -> None:
    async with keeping() as stage:
        stage.beat_of_other()
        stage.give_other(1)
        await trio.sleep(3)
        stage.other_lock.release()
        await trio.sleep(1.1)
        assert stage.nodes()[stage.other] == "gone"
        assert stage.states() == ["pending"]
        assert stage.locks.buried == [stage.other]
        assert stage.counters.rescued == 1


async def test_a_free_lock_is_believed_only_after_the_grace(autojump_clock: MockClock) -> None:
    async with keeping(lock_grace_s=3.0) as stage:
        stage.beat_of_other()
        stage.other_lock.release()
        await trio.sleep(2.9)
        assert stage.nodes()[stage.other] == "alive"
        await trio.sleep(1.5)
        assert stage.nodes()[stage.other] == "gone"


async def test_a_node_before_its_first_heartbeat_needs_no_lock_yet(autojump_clock: MockClock) -> None:
    async with keeping(stale_after_s=15.0) as stage:
        stage.other_lock.release()
        await trio.sleep(14)
        assert stage.nodes()[stage.other] == "alive"
        await trio.sleep(3)
        assert stage.nodes()[stage.other] == "gone", "but it cannot take for ever to begin"


async def test_a_node_that_moves_in_the_last_moment_lives_on(autojump_clock: MockClock) -> None:
    async with keeping(watch=False) as stage:
        stage.beat_of_other()
        stage.give_other(1)
        condemn = stage.stores.nodes.condemn

        def too_late(node: int, heartbeat: int, now: int) -> bool:
            stage.beat_of_other()
            return condemn(node, heartbeat, now)

        too_late.__name__ = "condemn"
        stage.stores.nodes.condemn = too_late  # type: ignore[method-assign]
        stage.other_lock.release()
        await stage.keeper.watch()
        assert stage.nodes()[stage.other] == "alive"
        assert stage.states() == ["claimed"]


async def test_the_work_of_the_dead_is_taken_in_batches(autojump_clock: MockClock) -> None:
    async with keeping() as stage:
        stage.beat_of_other()
        stage.jobs.create_many([held(0).entry.job.spec] * 1_100, START)
        claimed = stage.stores.claims.claim(stage.other, START, START + SECOND, 2_000)
        assert len(claimed.claims) == 1_100
        stage.other_lock.release()
        await trio.sleep(1.1)
        assert stage.calls.count("rescue") == 3
        assert set(stage.states()) == {"pending"}
        assert stage.counters.rescued == 1_100


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"type": ONCE, "state": "running"}, "it may be sent only once"),
        ({"rescues": MAX_RESCUES}, "6 nodes ended while they had it"),
    ],
)
async def test_what_is_lost_with_its_node_is_told(
    given: dict[str, Any], reason: str, autojump_clock: MockClock
) -> None:
    async with keeping() as stage:
        stage.beat_of_other()
        stage.give_other(1, name="backup", **given)
        stage.other_lock.release()
        await trio.sleep(1.1)
        assert stage.states() == ["lost"]
        (alert,) = stage.alerts
        assert (alert.job_name, alert.state, alert.attempts, alert.scheduled_for) == ("backup", "lost", 1, START)
        assert reason in alert.message
        assert stage.counters.lost == 1


async def test_a_rescue_that_was_broken_off_is_finished_later(autojump_clock: MockClock) -> None:
    async with keeping() as stage:
        stage.beat_of_other()
        stage.give_other(1)
        stage.away.add("rescue")
        stage.other_lock.release()
        await trio.sleep(5)
        assert stage.nodes()[stage.other] == "dead"
        assert stage.states() == ["claimed"]
        stage.away.clear()
        await trio.sleep(6)
        assert stage.nodes()[stage.other] == "gone"
        assert stage.states() == ["pending"]


async def test_sends_that_take_long_are_shown_as_running_once(autojump_clock: MockClock) -> None:
    async with keeping() as stage:
        (one,) = stage.give_here()
        one.phase, one.shot.started_at = Phase.FIRED, stage.clock.now()
        await trio.sleep(1.1)
        assert stage.states() == ["claimed"]
        await trio.sleep(1)
        (row,) = stage.executions()
        assert (row.state, row.started_at) == ("running", START)
        await trio.sleep(10)
        assert stage.calls.count("show_running") == 1
