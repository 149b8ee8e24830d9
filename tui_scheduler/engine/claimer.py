"""The engine's look ahead, ten times a second: claim what is due soon, arm it, open the connections it needs."""

from __future__ import annotations

import trio

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.engine.arming import Arming
from tui_scheduler.engine.firing import Firing
from tui_scheduler.engine.follower import Follower
from tui_scheduler.engine.node import Node
from tui_scheduler.engine.transport import Origin, Transport
from tui_scheduler.store.claims import Claim, Claimed

WARM_AHEAD = 300_000
"""µs before a firing at which its connection should be open."""

MOST_BACKFILLS = 100
"""Backfills in hand at once: thousands of them would be a herd of their own, for this node and for their target. They
leave the slots to what is due now, and a target that is slow sets their pace."""

_ARM_AT_ONCE = 32
"""Armed without letting other tasks run: about half a millisecond."""


class Claimer:
    """One tick after the other; `wake` makes the next one come at once."""

    def __init__(
        self,
        node: Node,
        firing: Firing,
        arming: Arming,
        follower: Follower,
        transport: Transport,
        nursery: trio.Nursery,
    ) -> None:
        self._node = node
        self._world = node.world
        self._firing = firing
        self._arming = arming
        self._follower = follower
        self._transport = transport
        self._nursery = nursery
        self._warming: set[Origin] = set()
        self._is_unsure = False
        self._awake = trio.Event()

    def wake(self) -> None:
        """Look at once."""
        self._awake.set()

    async def run(self) -> None:
        """Tick until cancelled. A store that is away is waited for."""
        while True:
            self._awake = trio.Event()
            try:
                more = await self._tick()
                self._node.trouble.over("claiming")
            except StoreUnavailable as unavailable:
                await self._node.trouble.wait("claiming", unavailable)
                continue
            if more:
                await trio.lowlevel.checkpoint()
                continue
            with trio.move_on_after(self._world.options.tick_s):
                await self._awake.wait()

    async def _tick(self) -> bool:
        """One look; True when more is due than was taken."""
        if self._is_unsure:
            await self._give_back_unknown()
        now = self._world.clock.now()
        horizon = now + self._world.options.look_ahead
        backfills = max(MOST_BACKFILLS - self._node.hand.backfills, 0)
        has_due: bool = await self._world.hop(self._world.stores.claims.has_due, now, horizon, backfills)
        more = False
        if has_due and self._node.hand.free and self._node.pulse.is_fresh:
            more = await self._claim(backfills)
        self._warm()
        self._firing.let_go()
        return more and self._node.hand.free > 0

    async def _claim(self, backfills: int) -> bool:
        options, now = self._world.options, self._world.clock.now()
        wanted = min(self._node.hand.free, options.claim_batch)
        self._follower.claim_begins()
        self._is_unsure = True
        claimed: Claimed = await self._world.hop(
            self._world.stores.claims.claim,
            self._node.key,
            now,
            now + options.look_ahead,
            wanted,
            backfills,
            self._world.clock.now,
        )
        self._is_unsure = False
        self._node.counters.skipped += claimed.skipped
        await self._arm(claimed.claims)
        return claimed.has_more or len(claimed.claims) == wanted

    async def _give_back_unknown(self) -> None:
        """A connection may break during a commit: the store then has work as this node's that is not in hand."""
        taken = await self._world.hop(self._world.stores.records.taken, self._node.key)
        hand = {held.execution.key: held.execution.claim_no for held in self._node.hand}
        unknown = [(key, claim_no) for key, claim_no in taken if hand.get(key) != claim_no]
        if unknown:
            await self._world.hop(self._world.stores.records.give_back, self._node.key, unknown)
        self._is_unsure = False

    async def _arm(self, claims: list[Claim]) -> None:
        for first in range(0, len(claims), _ARM_AT_ONCE):
            armed = [self._arming.arm(claim) for claim in claims[first : first + _ARM_AT_ONCE]]
            for held in armed:
                self._node.hand.take(held)
                self._firing.add(held)
            self._follower.follow_claimed(armed)
            await trio.lowlevel.checkpoint()
        self._firing.fire_due()

    def _warm(self) -> None:
        now = self._world.clock.now()
        for origin, connections in self._firing.connections_needed(now, now + WARM_AHEAD).items():
            if origin not in self._warming:
                self._warming.add(origin)
                self._nursery.start_soon(self._warm_one, origin, connections)

    async def _warm_one(self, origin: Origin, connections: int) -> None:
        await self._transport.warm(origin, connections)
        self._warming.discard(origin)
