"""What is armed is sent at its instant, in order, and only while this node may act."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from tests.engine.stage import MS, ONCE, ORIGIN, SECOND, START, Stage, held
from tui_scheduler.engine.hand import Phase
from tui_scheduler.engine.transport import Origin, Shot


@asynccontextmanager
async def firing(*, looks: bool = True, beats: bool = True, **options: Any) -> AsyncIterator[Stage]:
    """A stage on which the firing runs, on a node that looks at edits and beats as it should."""
    stage = Stage(**options)

    async def act() -> None:
        while True:
            if beats:
                stage.pulse.beat(stage.clock.monotonic())
            if looks:
                stage.pulse.looked(stage.clock.now())
            await trio.sleep(0.1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(act)
        nursery.start_soon(stage.firing.run)
        yield stage
        nursery.cancel_scope.cancel()


async def test_what_is_armed_is_sent_by_instant_then_priority_then_arrival(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        for key, due, priority in ((1, 300, 5), (2, 100, 9), (3, 100, 1), (4, 200, 5), (5, 100, 1)):
            stage.firing.add(held(due * MS, key=key, priority=priority))
        await trio.sleep(1)
        assert stage.transport.bodies == ["3", "5", "2", "4", "1"]
        assert stage.transport.fired_at == [100 * MS, 100 * MS, 100 * MS, 200 * MS, 300 * MS]


async def test_a_node_that_fell_behind_sends_what_matters_most_first(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        await trio.sleep(1)
        for key, due, priority in ((1, 300, 9), (2, 100, 5), (3, 990, 1), (4, 200, 5), (5, 995, 9), (6, 1_500, 1)):
            stage.firing.add(held(due * MS, key=key, priority=priority))
        await trio.sleep(1)
        assert stage.transport.bodies == ["3", "2", "4", "1", "5", "6"]


async def test_what_matters_most_goes_first_too_of_what_is_to_be_marked_late(autojump_clock: MockClock) -> None:
    stage = Stage()
    await trio.sleep(1)
    stage.pulse.beat(stage.clock.monotonic())
    stage.pulse.looked(stage.clock.now())
    for key, due, priority in ((1, 300, 9), (2, 1_100, 1), (3, 400, 1)):
        stage.firing.add(held(due * MS, key=key, priority=priority, type=ONCE))
    found = stage.firing.uncleared(START + 1_130 * MS, 2)
    assert [each.execution.key for each in found] == [3, 1]


async def test_nothing_is_sent_before_its_instant(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        stage.firing.add(held(500 * MS))
        await trio.sleep(0.499)
        stage.firing.fire_due()
        assert stage.transport.fired == []
        await trio.sleep(0.002)
        assert stage.transport.fired_at == [500 * MS]


async def test_what_comes_late_is_sent_at_once(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        await trio.sleep(1)
        stage.firing.add(held(900 * MS))
        await wait_all_tasks_blocked()
        assert stage.transport.fired_at == [SECOND]


async def test_what_comes_late_does_not_wait_for_what_was_there_before(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        stage.firing.add(held(60 * MS, key=1))
        await trio.sleep(0.011)
        stage.firing.add(held(15 * MS, key=2))
        await trio.sleep(1)
        assert stage.transport.bodies == ["2", "1"]
        assert stage.transport.fired_at == [15 * MS, 60 * MS]


async def test_fire_is_held_while_this_node_was_silent_and_goes_on_at_its_next_heartbeat(
    autojump_clock: MockClock,
) -> None:
    async with firing(beats=False, stale_after_s=2.0) as stage:
        stage.firing.add(held(1_500 * MS))
        await trio.sleep(3)
        assert stage.transport.fired == []
        stage.pulse.beat(stage.clock.monotonic())
        await wait_all_tasks_blocked()
        assert stage.transport.fired_at == [3 * SECOND]


async def test_fire_is_held_after_the_wall_clock_leapt_until_the_next_heartbeat(autojump_clock: MockClock) -> None:
    """The monotonic clock of a halted machine may have stood still meanwhile, and others may have its work."""
    async with firing(beats=False, stale_after_s=2.0) as stage:
        stage.firing.add(held(1_500 * MS))
        stage.clock.set_by = 30 * SECOND
        await trio.sleep(0.5)
        assert stage.transport.fired == []
        stage.pulse.beat(stage.clock.monotonic(), stage.clock.now() - 3 * SECOND)
        await wait_all_tasks_blocked()
        assert stage.transport.fired == [], "that one was begun too long ago"
        stage.pulse.looked(stage.clock.now())
        stage.pulse.beat(stage.clock.monotonic(), stage.clock.now())
        await wait_all_tasks_blocked()
        assert stage.transport.bodies == ["1"]


async def test_a_process_stopped_between_two_sends_sends_no_more_when_it_goes_on_too_late(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(stale_after_s=2.0)
    stage.pulse.looked(START + SECOND)
    for key in (1, 2, 3):
        stage.firing.add(held(0, key=key))
    fire = stage.transport.fire

    def fire_and_stand_still(shot: Shot) -> None:
        fire(shot)
        if len(stage.transport.fired) == 2:
            autojump_clock.jump(1.0)

    monkeypatch.setattr(stage.transport, "fire", fire_and_stand_still)
    stage.firing.fire_due()
    assert stage.transport.bodies == ["1", "2"], "after the second one others may have had all of it"


async def test_where_a_broken_connection_frees_the_lock_fire_is_held_before_others_believe_it(
    autojump_clock: MockClock,
) -> None:
    async with firing(beats=False, stale_after_s=15.0, lock_grace_s=3.0) as stage:
        stage.firing.add(held(2_900 * MS, key=1))
        stage.firing.add(held(3_100 * MS, key=2))
        await trio.sleep(6)
        assert stage.transport.bodies == ["1"]


async def test_a_heartbeat_counts_from_the_moment_it_was_begun(autojump_clock: MockClock) -> None:
    async with firing(beats=False, stale_after_s=2.0) as stage:
        stage.firing.add(held(1_500 * MS))
        await trio.sleep(3)
        stage.pulse.beat(stage.clock.monotonic() - 1.0)
        await trio.sleep(1)
        assert stage.transport.fired == []


async def test_fire_is_held_while_edits_that_bind_may_be_unseen_and_goes_on_at_the_next_look(
    autojump_clock: MockClock,
) -> None:
    async with firing(looks=False) as stage:
        stage.firing.add(held(250 * MS, key=1))
        stage.firing.add(held(251 * MS, key=2))
        await trio.sleep(1)
        assert stage.transport.bodies == ["1"], "edits within 250 ms bind nobody yet"
        stage.pulse.looked(START + 1 * MS)
        await wait_all_tasks_blocked()
        assert stage.transport.bodies == ["1", "2"]


async def test_a_store_that_cannot_be_read_cannot_be_edited_either_and_holds_nothing(autojump_clock: MockClock) -> None:
    async with firing(looks=False) as stage:
        stage.pulse.looked(None)
        stage.firing.add(held(2 * SECOND))
        await trio.sleep(3)
        assert stage.transport.fired_at == [2 * SECOND]


async def test_news_that_change_nothing_do_not_release_what_is_held(autojump_clock: MockClock) -> None:
    async with firing(looks=False) as stage:
        stage.firing.add(held(900 * MS))
        await trio.sleep(2)
        assert stage.transport.fired == [], "heartbeats came, but no look"


@pytest.mark.parametrize("phase", [Phase.DROPPED, Phase.ENDED])
async def test_what_is_no_longer_armed_is_passed_over(phase: Phase, autojump_clock: MockClock) -> None:
    async with firing() as stage:
        gone, kept = held(100 * MS, key=1), held(100 * MS, key=2)
        stage.firing.add(gone)
        stage.firing.add(kept)
        gone.phase = phase
        await trio.sleep(1)
        assert stage.transport.bodies == ["2"]
        assert gone.phase is phase
        assert kept.phase is Phase.FIRED


async def test_a_wall_clock_that_is_set_back_makes_nothing_fire_early(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        stage.firing.add(held(500 * MS))
        await trio.sleep(0.4)
        stage.clock.set_by = -10 * SECOND
        await trio.sleep(9)
        assert stage.transport.fired == []
        await trio.sleep(2)
        assert stage.transport.fired_at == [500 * MS], "by the wall clock as it is"


async def test_a_wall_clock_that_is_set_forward_makes_it_due_within_a_moment(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        stage.firing.add(held(30 * SECOND))
        await trio.sleep(1)
        stage.clock.set_by = 60 * SECOND
        await trio.sleep(0.25)
        assert len(stage.transport.fired) == 1


async def test_what_becomes_due_while_others_are_being_sent_does_not_wait_for_news(autojump_clock: MockClock) -> None:
    async with firing(looks=False, beats=False) as stage:
        fire = stage.transport.fire

        def slow_fire(shot: Shot) -> None:
            fire(shot)
            stage.clock.set_by = 40 * MS

        stage.transport.fire = slow_fire  # type: ignore[method-assign]
        stage.firing.add(held(100 * MS, key=1))
        stage.firing.add(held(130 * MS, key=2))
        await trio.sleep(0.11)
        assert stage.transport.bodies == ["1", "2"]


async def test_held_fire_waits_without_spinning(autojump_clock: MockClock) -> None:
    async with firing(looks=False) as stage:
        looks = 0
        now = stage.clock.now

        def counted() -> int:
            nonlocal looks
            looks += 1
            return now()

        stage.firing.add(held(900 * MS))
        await trio.sleep(1)
        stage.clock.now = counted  # type: ignore[method-assign]
        await trio.sleep(10)
        assert stage.transport.fired == []
        assert looks < 100 * 10, "a handful for each of the hundred heartbeats"


async def test_at_most_once_work_waits_apart_until_it_is_cleared(autojump_clock: MockClock) -> None:
    async with firing() as stage:
        once = held(100 * MS, type=ONCE)
        stage.firing.add(once)
        assert stage.firing.has_uncleared
        await trio.sleep(0.5)
        assert stage.transport.fired == []
        (found,) = stage.firing.uncleared(START + 200 * MS, 10)
        assert found is once
        assert stage.firing.uncleared(START + SECOND, 10) == []
        stage.firing.clear(once)
        await wait_all_tasks_blocked()
        assert stage.transport.fired_at == [500 * MS]


async def test_uncleared_gives_what_is_due_soon_in_portions_and_steps_over_what_was_dropped(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    items = [held(due * MS, key=due, type=ONCE) for due in (10, 20, 30, 40, 200)]
    for item in reversed(items):
        stage.firing.add(item)
    items[1].phase = Phase.DROPPED
    assert stage.firing.uncleared(START + 100 * MS, 2) == [items[0], items[2]]
    assert stage.firing.uncleared(START + 100 * MS, 2) == [items[3]]
    assert stage.firing.uncleared(START + 100 * MS, 2) == []
    assert stage.firing.has_uncleared


async def test_what_edits_may_have_changed_unseen_is_not_given_to_be_cleared(autojump_clock: MockClock) -> None:
    stage = Stage()
    stage.firing.add(held(400 * MS, type=ONCE))
    await trio.sleep(0.3)
    assert stage.firing.uncleared(stage.clock.now() + 130 * MS, 10) == []
    stage.pulse.looked(stage.clock.now())
    assert len(stage.firing.uncleared(stage.clock.now() + 130 * MS, 10)) == 1


async def test_connections_needed_are_the_most_firings_close_together_for_each_origin(
    autojump_clock: MockClock,
) -> None:
    stage = Stage()
    other = Origin("https", "elsewhere", 443)
    for key, due in enumerate((0, 1, 19, 20, 41, 45, 300, 301, 302, 303)):
        stage.firing.add(held(due * MS, key=key))
    for key in (20, 21):
        item = held(25 * MS, key=key)
        item.shot.origin = other
        stage.firing.add(item)
    unwarmed = held(1 * MS, key=30)
    unwarmed.shot.origin = None
    stage.firing.add(unwarmed)
    assert stage.firing.connections_needed(START, START + 100 * MS) == {ORIGIN: 3, other: 2}
    assert stage.firing.connections_needed(START, START + SECOND) == {ORIGIN: 4, other: 2}
    assert stage.firing.connections_needed(START + 60 * MS, START + 100 * MS) == {}, "what is past needs none"
    assert stage.firing.connections_needed(START, START + 100 * MS) == {}, "and is forgotten"
