"""What is due soon is claimed, armed and warmed up for; never more than there is room for, and never in vain."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.engine.stage import MS, ORIGIN, SECOND, Stage
from tui_scheduler.domain.backfill import rank_of
from tui_scheduler.engine.claimer import MOST_BACKFILLS, Claimer
from tui_scheduler.engine.follower import Follower
from tui_scheduler.engine.settling import Settling
from tui_scheduler.store.backfills import BackfillStore
from tui_scheduler.store.nodes import NodeFenced
from tui_scheduler.store.records import Record

AT_3 = "@at 2026-05-28T20:26:43Z"


class Claiming(Stage):
    """A stage on which the claimer runs, and nobody fires but it."""

    def __init__(self, nursery: trio.Nursery, **options: Any) -> None:
        super().__init__(**{"stale_after_s": 3_600.0, **options})
        node = self.registered()
        self.recorded: list[Record] = []
        settling = Settling(self.world, self.counters, self.recorded.append)
        arming = self.arming(settling)
        follower = Follower(node, self.firing, arming, settling, self.transport, 0)
        self.claimer = Claimer(node, self.firing, arming, follower, self.transport, nursery)
        self.pulse.looked(None)


@asynccontextmanager
async def claiming(**options: Any) -> AsyncIterator[Claiming]:
    async with trio.open_nursery() as nursery:
        stage = Claiming(nursery, **options)
        nursery.start_soon(stage.claimer.run)
        yield stage
        nursery.cancel_scope.cancel()


async def test_what_is_due_within_the_look_ahead_is_claimed_and_armed(autojump_clock: MockClock) -> None:
    async with claiming(look_ahead=SECOND) as stage:
        stage.job(AT_3)
        await trio.sleep(1.9)
        assert stage.states() == []
        await trio.sleep(0.2)
        assert stage.states() == ["claimed"]
        (held,) = stage.node.hand.armed()
        assert held.shot.payload == b"v1"


async def test_connections_are_opened_shortly_before_they_are_needed(autojump_clock: MockClock) -> None:
    async with claiming() as stage:
        for _ in range(3):
            stage.job(AT_3)
        await trio.sleep(2.6)
        assert stage.transport.warmed == []
        await trio.sleep(0.2)
        assert set(stage.transport.warmed) == {(ORIGIN, 3)}


async def test_a_slow_target_is_warmed_up_once_at_a_time(autojump_clock: MockClock) -> None:
    async with claiming() as stage:
        warmed = 0

        async def warm(origin: object, connections: int) -> None:
            nonlocal warmed
            warmed += 1
            await trio.sleep_forever()

        stage.transport.warm = warm  # type: ignore[method-assign]
        stage.job("* * * * * *")
        await trio.sleep(10)
        assert warmed == 1


async def test_what_is_overdue_is_sent_at_once(autojump_clock: MockClock) -> None:
    async with claiming() as stage:
        job = stage.job("0 0 0 1 1 *")
        await trio.sleep(1.05)
        stage.jobs.run_now(job.id, stage.clock.now() - SECOND)
        stage.claimer.wake()
        await wait_all_tasks_blocked()
        assert stage.transport.fired_at == [1_050 * MS]


async def test_a_backlog_is_claimed_batch_after_batch_without_pauses(autojump_clock: MockClock) -> None:
    async with claiming(claim_batch=10, tick_s=60.0) as stage:
        await wait_all_tasks_blocked()
        for _ in range(35):
            stage.job(AT_3)
        await trio.sleep(2.5)
        stage.claimer.wake()
        await trio.sleep(0.1)
        assert stage.calls.count("claim") == 4
        assert len(stage.node.hand) == 35


async def test_no_more_is_claimed_than_there_are_slots(autojump_clock: MockClock) -> None:
    async with claiming(slots=10, claim_batch=7) as stage:
        for _ in range(35):
            stage.job(AT_3)
        await trio.sleep(10)
        assert len(stage.node.hand) == 10
        assert stage.calls.count("claim") == 2, "with no slot free nothing is asked for"
        assert stage.calls.count("has_due") <= 105
        for held in stage.node.hand:
            stage.node.hand.release(held.execution.key, held.execution.claim_no)
        await trio.sleep(0.2)
        assert len(stage.node.hand) == 10


async def test_of_a_backfill_no_more_is_in_hand_than_leaves_room_for_the_present(autojump_clock: MockClock) -> None:
    async with claiming() as stage:
        job = stage.job("0 0 0 1 1 *")
        first = stage.clock.now() - 400 * SECOND
        instants = [first + number * SECOND for number in range(250)]
        BackfillStore(stage.database).add(job.id, instants, stage.clock.now(), rank_of(9))
        present = stage.job(AT_3)
        await trio.sleep(3.5)
        assert len(stage.node.hand) == MOST_BACKFILLS + 1
        assert present.key in {held.execution.job_key for held in stage.node.hand}
        for held in list(stage.node.hand):
            stage.node.hand.release(held.execution.key, held.execution.claim_no)
        await trio.sleep(0.2)
        assert stage.node.hand.backfills == len(stage.node.hand) == MOST_BACKFILLS


async def test_work_that_somebody_else_takes_first_is_not_asked_for_without_end(autojump_clock: MockClock) -> None:
    async with claiming() as stage:
        stage.stores.claims.has_due = has_due  # type: ignore[method-assign]
        await trio.sleep(10)
        assert 90 <= stage.calls.count("claim") <= 105


def has_due(now: int, horizon: int, backfills: int = 0) -> bool:
    return True


async def test_a_silent_node_claims_nothing(autojump_clock: MockClock) -> None:
    async with claiming(stale_after_s=4.0) as stage:
        await trio.sleep(3)
        stage.job("* * * * * *")
        await trio.sleep(3)
        assert stage.states() == []
        stage.pulse.beat(stage.clock.monotonic())
        await trio.sleep(0.2)
        assert "claimed" in stage.states()


async def test_a_store_that_is_away_is_waited_for(autojump_clock: MockClock) -> None:
    async with claiming() as stage:
        stage.job("* * * * * *")
        stage.away |= {"has_due"}
        await trio.sleep(5)
        assert "claiming: the store is away" in stage.node.trouble.reasons
        assert stage.calls.count("has_due") < 10
        stage.away.clear()
        await trio.sleep(4)
        assert not stage.node.trouble.reasons
        assert len(stage.transport.fired) >= 8


@pytest.mark.parametrize("failing", ["taken", "give_back"])
async def test_what_a_broken_commit_left_in_its_name_is_given_back_when_the_store_lets_it(
    failing: str, autojump_clock: MockClock
) -> None:
    async with claiming() as stage:
        stage.job(AT_3)
        job = stage.job(AT_3)
        await trio.sleep(2.1)
        assert len(stage.node.hand) == 2
        stage.jobs.run_now(job.id, stage.clock.now())
        stage.lost.add("claim")
        stage.away.add(failing)
        await trio.sleep(2)
        assert stage.states() == ["claimed"] * 3
        assert len(stage.transport.fired) == 0, "nobody fires on this stage before the claimer comes by again"
        stage.away.clear()
        await trio.sleep(5)
        assert len(stage.node.hand) == 3
        assert len({shot.headers for shot in stage.transport.fired}) == len(stage.transport.fired) == 3
        assert stage.node.trouble.reasons == ()


async def test_a_node_declared_dead_hears_of_it_when_it_claims(autojump_clock: MockClock) -> None:
    async with trio.open_nursery() as nursery:
        stage = Claiming(nursery)
        stage.stores.nodes.condemn(stage.node.key, 0, stage.clock.now())
        stage.job("* * * * * *")
        with pytest.raises(NodeFenced):
            await stage.claimer.run()
