"""Keeps the node alive in the eyes of others, and takes over from the dead."""

from __future__ import annotations

import trio

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.liveness import Sighting, is_stale, sight
from tui_scheduler.engine.node import Node
from tui_scheduler.engine.trouble import LONGEST_WAIT_S
from tui_scheduler.engine.world import Alert, Lock
from tui_scheduler.store.nodes import NodeFenced, Pulse
from tui_scheduler.store.rescues import Lost

SHOWN_AFTER = 1_000_000
"""µs after which a send still under way is shown as running in the store."""


class Keeper:
    """Two loops; each goes on when the store is back."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._world = node.world
        self._sightings: dict[int, Sighting] = {}
        # Others that are back sooner must not take this node for dead because it waits for its next try.
        self._longest_wait_s = min(self._world.options.hold_fire_after_s / 2, LONGEST_WAIT_S)

    async def beat(self) -> None:
        """One heartbeat now, and a look at which jobs fail. Raises `NodeFenced` when others have declared this node
        dead.
        """
        began, began_at = self._world.clock.monotonic(), self._world.clock.now()
        counters = self._node.counters.as_dict(len(self._node.hand), len(self._node.hand.fired()))
        await self._world.hop(self._world.stores.nodes.beat, self._node.key, began_at, counters)
        self._node.pulse.beat(began, began_at)
        await self._world.hop(self._world.stores.records.failing.refresh)

    async def keep_beating(self, lock: Lock) -> None:
        """A heartbeat every second, and the sends that take long shown as running.

        Raises `NodeFenced` when this node was declared dead, or may be at any moment because its lock is gone.
        """
        while True:
            await trio.sleep(self._world.options.heartbeat_s)
            try:
                if not await self._world.hop(lock.is_still_held):
                    raise NodeFenced(self._node.key, "its lock is gone, so others take it for dead")
                await self.beat()
                await self._show_long_sends()
                self._node.trouble.over("heartbeat")
            except StoreUnavailable as unavailable:
                await self._node.trouble.wait("heartbeat", unavailable, self._longest_wait_s)

    async def keep_watch(self) -> None:
        """Look at the other nodes about as often as they beat; rescue the work of those that are dead."""
        while True:
            try:
                await self.watch()
                self._node.trouble.over("watching nodes")
            except StoreUnavailable as unavailable:
                await self._node.trouble.wait("watching nodes", unavailable)
            await trio.sleep(self._world.options.heartbeat_s)

    async def watch(self) -> None:
        """One look at the other nodes."""
        nodes = self._world.stores.nodes
        seen = [pulse for pulse in await self._world.hop(nodes.pulses) if pulse.node != self._node.key]
        now, beats = self._world.clock.monotonic(), self._node.pulse.beats
        self._sightings = sight(self._sightings, [(pulse.node, pulse.heartbeat) for pulse in seen], now, beats)
        for pulse in seen:
            if pulse.is_dead or await self._is_gone(pulse):
                at = self._world.clock.now()
                if pulse.is_dead or await self._world.hop(nodes.condemn, pulse.node, pulse.heartbeat, at):
                    await self._rescue(pulse.node)

    async def _is_gone(self, pulse: Pulse) -> bool:
        """Dead at once when its lock is free, else when it has stood still for too long."""
        sighting, now = self._sightings[pulse.node], self._world.clock.monotonic()
        options, own = self._world.options, self._node.pulse
        if is_stale(sighting, now, own.beats, options.stale_after_s, own.returned_at):
            return True
        has_begun = pulse.heartbeat > 0  # before its first heartbeat a node has claimed nothing
        stood_still = now - sighting.since >= options.lock_grace_s
        return has_begun and stood_still and await self._world.hop(self._world.locks.is_free, pulse.node)

    async def _rescue(self, node: int) -> None:
        self._world.log("node_dead", node=node)
        await self.take_all(node)
        await self._world.hop(self._world.stores.nodes.bury, node)
        await self._world.hop(self._world.locks.bury, node)

    async def take_all(self, node: int) -> None:
        """Take everything unfinished from a node that is dead, or from this one as it ends."""
        while True:
            rescued = await self._world.hop(self._world.stores.rescues.rescue, node, self._world.clock.now())
            self._node.counters.rescued += rescued.pending
            for lost in rescued.lost:
                self._report_lost(lost)
            if rescued.is_last:
                return

    def _report_lost(self, lost: Lost) -> None:
        """An execution was given up: counted and told."""
        self._node.counters.lost += 1
        at = self._world.clock.now()
        state = State.LOST.value
        self._world.alert(Alert(at, lost.job_id, lost.job_name, lost.scheduled_for, state, lost.attempt, lost.reason))

    async def _show_long_sends(self) -> None:
        before = self._world.clock.now() - SHOWN_AFTER
        long = [
            held
            for held in self._node.hand.fired()
            if not held.is_shown and held.shot.started_at is not None and held.shot.started_at < before
        ]
        if not long:
            return
        shown = [(held.execution.key, held.execution.claim_no, held.shot.started_at) for held in long]
        await self._world.hop(self._world.stores.records.show_running, self._node.key, shown)
        for held in long:
            held.is_shown = True
