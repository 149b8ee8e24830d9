"""What users change is followed: by what is armed, by what a claim is about to bring, by what is under way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from tests.engine.stage import MS, ONCE, SECOND, START, Stage
from tui_scheduler.domain.execution import SkipReason, State
from tui_scheduler.domain.job import Job
from tui_scheduler.engine.clearing import Clearing
from tui_scheduler.engine.follower import Follower
from tui_scheduler.engine.hand import Held
from tui_scheduler.engine.settling import Settling
from tui_scheduler.store.records import Record

AT_1 = "1-59/5 * * * * *"
"""Due a second after the start, and every five seconds."""
ASK = "UPDATE execution SET cancel_requested = TRUE"


class Following(Stage):
    """A stage on which firing, clearing and following run; ends are kept in `recorded`, not in the store."""

    def __init__(self) -> None:
        super().__init__()
        self.registered()
        self.recorded: list[Record] = []
        self.settling = Settling(self.world, self.counters, self.recorded.append)
        self.follower = Follower(
            self.node,
            self.firing,
            self.arming(self.settling),
            self.settling,
            self.transport,
            self.jobs.last_change_no(),
        )

    def claim(self, until: int = SECOND) -> list[Held]:
        held = self.claimed(self.settling, until)
        for one in held:
            self.firing.add(one)
        return held

    def ask_to_cancel(self) -> None:
        with self.database.write() as connection:
            connection.exec_driver_sql(ASK)

    @property
    def ends(self) -> list[tuple[State, SkipReason | None, str | None]]:
        return [(record.state, record.skip_reason, record.error) for record in self.recorded]


@asynccontextmanager
async def following() -> AsyncIterator[Following]:
    stage = Following()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stage.follower.run)
        nursery.start_soon(stage.firing.run)
        nursery.start_soon(Clearing(stage.node, stage.firing).run)
        yield stage
        nursery.cancel_scope.cancel()


async def test_an_edited_job_is_sent_as_edited_and_recorded_with_its_new_version(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job(AT_1)
        stage.claim()
        await trio.sleep(0.3)
        stage.edit(job, "v2")
        await trio.sleep(0.2)
        stage.edit(job, "v3")
        await trio.sleep(1)
        assert stage.transport.bodies == ["v3"]
        stage.transport.answer(stage.transport.fired[0])
        assert [(record.state, record.job_version) for record in stage.recorded] == [(State.SUCCEEDED, 3)]


@pytest.mark.parametrize("kind", [{}, {"type": ONCE}])
@pytest.mark.parametrize("before", [250, 260, 300, 340])
async def test_an_edit_binds_what_is_due_250_ms_after_its_commit(
    kind: dict[str, Any], before: int, autojump_clock: MockClock
) -> None:
    async with following() as stage:
        job = stage.job(AT_1, **kind)
        stage.claim()
        await trio.sleep(1 - before / 1_000)
        stage.edit(job, "v2")
        await trio.sleep(0.5)
        assert stage.transport.bodies == ["v2"]
        assert stage.transport.fired_at == [SECOND]


def pause(stage: Stage, job: Job) -> None:
    stage.jobs.pause(job.id, stage.clock.now())


def delete(stage: Stage, job: Job) -> None:
    stage.jobs.delete(job.id, stage.clock.now())


def reschedule(stage: Stage, job: Job) -> None:
    stage.edit(job, schedule="0 0 0 1 1 *")


@pytest.mark.parametrize(
    ("change", "reason"),
    [(pause, SkipReason.PAUSED), (delete, SkipReason.DELETED), (reschedule, SkipReason.EDITED)],
)
async def test_what_the_schedule_planned_and_no_longer_wants_is_skipped_with_the_reason(
    change: Callable[[Stage, Job], None], reason: SkipReason, autojump_clock: MockClock
) -> None:
    async with following() as stage:
        job = stage.job(AT_1)
        (held,) = stage.claim()
        change(stage, job)
        await trio.sleep(2)
        assert stage.transport.fired == []
        assert stage.ends == [(State.SKIPPED, reason, None)]
        assert stage.counters.skipped == 1
        assert stage.stores.records.record(stage.node.key, stage.recorded) == 0
        (row,) = stage.executions()
        assert (row.state, row.skip_reason, row.skip_from) == ("skipped", reason.value, held.due)


@pytest.mark.parametrize("change", [pause, reschedule])
async def test_a_run_by_hand_goes_on_through_a_pause_and_another_schedule(
    change: Callable[[Stage, Job], None], autojump_clock: MockClock
) -> None:
    async with following() as stage:
        job = stage.job("0 0 0 1 1 *")
        stage.jobs.run_now(job.id, START + SECOND)
        stage.claim()
        change(stage, job)
        await trio.sleep(2)
        assert stage.transport.fired_at == [SECOND]


async def test_a_run_by_hand_of_a_job_that_was_deleted_is_cancelled(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job("0 0 0 1 1 *")
        stage.jobs.run_now(job.id, START + SECOND)
        stage.claim()
        delete(stage, job)
        await trio.sleep(2)
        assert stage.transport.fired == []
        assert stage.ends == [(State.CANCELLED, None, "the job was deleted")]
        assert stage.counters.cancelled == 1


async def test_the_retry_of_a_job_that_was_deleted_is_cancelled(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job(AT_1)
        (held,) = stage.claim()
        held.execution = held.execution.retry().claim()
        delete(stage, job)
        await trio.sleep(2)
        assert stage.ends == [(State.CANCELLED, None, "the job was deleted")]


async def test_what_is_marked_as_being_sent_follows_no_edit(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job(AT_1, type=ONCE)
        stage.claim()
        await trio.sleep(0.93)
        assert stage.states() == ["running"]
        stage.edit(job, "v2")
        await trio.sleep(1)
        assert stage.transport.bodies == ["v1"]


async def test_a_changed_delivery_guarantee_is_followed(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job(AT_1)
        stage.claim()
        stage.edit(job, "v2", type=ONCE)
        await trio.sleep(0.95)
        assert stage.states() == ["running"]
        await trio.sleep(1)
        assert stage.transport.bodies == ["v2"]


async def test_cancelling_what_is_armed_ends_it_unsent(autojump_clock: MockClock) -> None:
    async with following() as stage:
        stage.job(AT_1)
        stage.claim()
        stage.ask_to_cancel()
        await trio.sleep(2)
        assert stage.transport.fired == []
        assert stage.ends == [(State.CANCELLED, None, "cancelled on request")]


async def test_cancelling_what_was_sent_aborts_it(autojump_clock: MockClock) -> None:
    async with following() as stage:
        stage.job(AT_1)
        stage.claim()
        await trio.sleep(1.5)
        stage.ask_to_cancel()
        await trio.sleep(0.15)
        assert len(stage.transport.aborted) == 1
        assert stage.ends == [(State.CANCELLED, None, "given up on request")]
        await trio.sleep(2)
        assert len(stage.recorded) == 1, "asking again changes nothing"


async def test_cancelling_what_this_node_let_go_of_is_recorded_once(autojump_clock: MockClock) -> None:
    async with following() as stage:
        stage.job(AT_1)
        (held,) = stage.claim()
        stage.node.hand.drop(held)
        stage.ask_to_cancel()
        await trio.sleep(60)
        assert stage.ends == [(State.CANCELLED, None, "cancelled on request")]
        assert stage.stores.records.record(stage.node.key, stage.recorded) == 0
        assert stage.states() == ["cancelled"]


async def test_a_request_that_means_an_older_claim_changes_nothing(autojump_clock: MockClock) -> None:
    async with following() as stage:
        stage.job(AT_1)
        (held,) = stage.claim()
        held.execution = held.execution.retry().claim()
        stage.ask_to_cancel()
        await trio.sleep(0.5)
        assert stage.recorded == []


@pytest.mark.parametrize(
    ("change", "bodies", "states"),
    [
        (lambda stage, job: stage.edit(job, "v2"), ["v2"], []),
        (pause, [], [State.SKIPPED]),
        (lambda stage, job: stage.ask_to_cancel(), [], [State.CANCELLED]),
    ],
)
async def test_what_changes_while_a_claim_is_under_way_is_applied_to_what_it_brings(
    change: Callable[[Stage, Job], object], bodies: list[str], states: list[State], autojump_clock: MockClock
) -> None:
    async with following() as stage:
        job = stage.job(AT_1)
        stage.follower.claim_begins()
        claimed = stage.stores.claims.claim(stage.node.key, START, START + SECOND, 10)
        change(stage, job)
        await trio.sleep(0.35)
        held = [stage.arming(stage.settling).arm(claim) for claim in claimed.claims]
        for one in held:
            stage.node.hand.take(one)
            stage.firing.add(one)
        stage.follower.follow_claimed(held)
        await trio.sleep(2)
        assert stage.transport.bodies == bodies
        assert [record.state for record in stage.recorded] == states


async def test_what_was_changed_before_a_claim_began_does_not_burden_it(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job("* * * * * *")
        stage.edit(job, "v2")
        await trio.sleep(0.15)
        stage.follower.claim_begins()
        (held, *_) = stage.claimed(stage.settling)
        stage.follower.follow_claimed([held])
        assert stage.node.hand.get(held.execution.key) is held


async def test_more_edits_than_one_look_returns_are_all_seen_before_fire_goes_on(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui_scheduler.engine.follower.MOST_CHANGED", 2)
    async with following() as stage:
        job = stage.job(AT_1)
        others = [stage.job("0 0 0 1 1 *") for _ in range(5)]
        changed_since = stage.jobs.changed_since

        def two(change_no: int, limit: int = 2) -> list[tuple[int, Job]]:
            return changed_since(change_no, 2)

        stage.jobs.changed_since = two  # type: ignore[method-assign]
        stage.claim()
        await trio.sleep(0.65)
        for other in others:
            stage.edit(other)
        stage.edit(job, "v2")
        await trio.sleep(0.1)
        assert stage.calls[-4:] == ["_read"] * 4
        await trio.sleep(1)
        assert stage.transport.bodies == ["v2"]


async def test_wake_makes_it_look_at_once(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job(AT_1, type=ONCE)
        stage.claim()
        await trio.sleep(0.819)
        stage.edit(job, "v2")
        stage.follower.wake()
        await trio.sleep(1)
        assert stage.transport.bodies == ["v2"]


async def test_a_store_that_cannot_be_read_holds_no_fire_and_is_followed_again_later(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job("*/5 * * * * *")
        stage.claim(10 * SECOND)
        stage.away.add("_read")
        await trio.sleep(5.5)
        assert stage.transport.fired_at == [0, 5 * SECOND]
        assert stage.node.trouble.reasons == ("following edits: the store is away",)
        stage.away.clear()
        stage.edit(job, "v2")
        stage.pulse.beat(stage.clock.monotonic())
        await trio.sleep(5)
        assert stage.transport.bodies == ["v1", "v1", "v2"]
        assert stage.calls.count("_read") < 130  # no more often than when all is well
        assert stage.transport.fired_at[-1] - 10 * SECOND < MS


async def test_once_the_store_is_back_an_edit_binds_at_once(autojump_clock: MockClock) -> None:
    async with following() as stage:
        job = stage.job("*/5 * * * * *")
        stage.claim(10 * SECOND)
        stage.away.add("_read")
        await trio.sleep(9.6)
        stage.away.clear()
        await trio.sleep(0.1)
        pause(stage, job)
        stage.pulse.beat(stage.clock.monotonic())
        await trio.sleep(2)
        assert stage.transport.fired_at == [0, 5 * SECOND]
        assert [record.skip_reason for record in stage.recorded] == [SkipReason.PAUSED]
