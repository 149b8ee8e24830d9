"""Commits that at-most-once executions are being sent, just before they are."""

from __future__ import annotations

import trio

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.engine.firing import Firing
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.engine.node import Node

CLEAR_AHEAD = 130_000
"""µs before its instant at which an execution is marked as running: after that it follows no edit. Time enough for
the commit, and with one look at edits every 100 ms still within the 250 ms after which an edit binds."""

_EVERY_S = 0.05
_BATCH = 200
"""Marked in one transaction. What a crash finds marked is lost, so a backlog is marked in small portions."""


class Clearing:
    """One portion after the other; a store that is away is waited for, and the executions with it."""

    def __init__(self, node: Node, firing: Firing) -> None:
        self._node = node
        self._world = node.world
        self._firing = firing

    async def run(self) -> None:
        """Clear until cancelled."""
        while True:
            soon = self._firing.uncleared(self._world.clock.now() + CLEAR_AHEAD, _BATCH)
            if not soon:
                await self._wait()
                continue
            try:
                await self._clear(soon)
                self._node.trouble.over("marking as running")
            except StoreUnavailable as unavailable:
                for held in soon:
                    self._firing.hold_back(held)
                await self._node.trouble.wait("marking as running", unavailable)

    async def _wait(self) -> None:
        if self._firing.has_uncleared:
            await trio.sleep(_EVERY_S)
        else:
            await self._firing.some_uncleared.wait()

    async def _clear(self, soon: list[Held]) -> None:
        """Only those the store confirms as still this node's are sent; the others belong to somebody else by now."""
        wanted = [(held.execution.key, held.execution.claim_no) for held in soon]
        started = await self._world.hop(self._world.stores.claims.start, self._node.key, wanted)
        for held in soon:
            if held.phase is not Phase.ARMED:
                continue
            if held.execution.key in started:
                held.execution = held.execution.start()
                self._firing.clear(held)
            else:
                self._node.hand.drop(held)
        self._firing.fire_due()
