"""The engine's look ahead, ten times a second: follow what users changed, claim what is due soon, arm it."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from tui_scheduler.domain.decisions import KEEP, recheck
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Job
from tui_scheduler.engine.arming import Arming
from tui_scheduler.engine.firing import Firing
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.engine.node import Node
from tui_scheduler.engine.settling import Settling
from tui_scheduler.engine.transport import Origin, Transport
from tui_scheduler.store.catalog import Catalog, Entry
from tui_scheduler.store.claims import Claim, Claimed
from tui_scheduler.store.records import CancelRequest

WARM_AHEAD = 300_000
"""µs before a firing at which its connection should be open."""

CLEAR_AHEAD = 200_000
"""µs before a firing at which an at-most-once execution is marked as running. Less than the 250 ms within which an
edit may come too late, more than two ticks."""

_ARM_AT_ONCE = 32
"""Armed without letting other tasks run: about half a millisecond."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the store found."""

    edits: list[tuple[int, Job]]
    cancels: list[CancelRequest]
    has_due: bool


class Claimer:
    """One tick after the other; `wake` makes the next one come at once."""

    def __init__(
        self,
        node: Node,
        firing: Firing,
        arming: Arming,
        settling: Settling,
        transport: Transport,
        nursery: trio.Nursery,
        change_no: int,
    ) -> None:
        self._node = node
        self._world = node.world
        self._hand = node.hand
        self._firing = firing
        self._arming = arming
        self._settling = settling
        self._transport = transport
        self._nursery = nursery
        self._change_no = change_no
        self._edited = Catalog(1_024)
        self._warming: set[Origin] = set()
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
        seen = await self._world.hop(self._look)
        self._follow_edits(seen.edits)
        self._follow_cancels(seen.cancels)
        more = False
        if seen.has_due and self._hand.free and self._node.pulse.is_fresh:
            more = await self._claim()
        await self._clear()
        self._warm()
        return more and self._hand.free > 0

    def _look(self) -> _Seen:
        stores, now = self._world.stores, self._world.clock.now()
        return _Seen(
            stores.jobs.changed_since(self._change_no),
            stores.records.cancel_requests(self._node.key),
            stores.claims.has_due(now, now + self._world.options.look_ahead),
        )

    async def _claim(self) -> bool:
        options, now = self._world.options, self._world.clock.now()
        wanted = min(self._hand.free, options.claim_batch)
        claimed: Claimed = await self._world.hop(
            self._world.stores.claims.claim, self._node.key, now, now + options.look_ahead, wanted
        )
        self._node.counters.skipped += claimed.skipped
        await self._arm(claimed.claims)
        return len(claimed.claims) == wanted

    async def _arm(self, claims: list[Claim]) -> None:
        for number, claim in enumerate(claims, start=1):
            held = self._arming.arm(claim)
            self._hand.take(held)
            self._firing.add(held)
            if number % _ARM_AT_ONCE == 0:
                await trio.lowlevel.checkpoint()
        self._firing.fire_due()

    async def _clear(self) -> None:
        """Commit that at-most-once executions are being sent; only those that were still ours will be."""
        soon = self._firing.uncleared(self._world.clock.now() + CLEAR_AHEAD)
        if not soon:
            return
        wanted = [(held.execution.key, held.execution.claim_no) for held in soon]
        try:
            started = await self._world.hop(self._world.stores.claims.start, self._node.key, wanted)
        except StoreUnavailable:
            for held in soon:
                self._firing.hold_back(held)
            raise
        for held in soon:
            if held.execution.key in started and held.phase is Phase.ARMED:
                held.execution = held.execution.start()
                self._firing.clear(held)
            elif held.phase is Phase.ARMED:
                self._hand.drop(held)
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

    def _follow_edits(self, edits: list[tuple[int, Job]]) -> None:
        if not edits:
            return
        changed = {job.key: job for _, job in edits}
        self._change_no = edits[-1][0]
        for held in self._hand.armed():
            job = changed.get(held.execution.job_key)
            if job is not None and job.version != held.entry.job.version:
                self._follow_edit(held, job)

    def _follow_edit(self, held: Held, job: Job) -> None:
        """Only what is armed and not yet marked as being sent can follow an edit."""
        if held.execution.state is not State.CLAIMED:
            return
        entry = self._edited.get(job.key, job.version) or self._edited.put(job)
        verdict = recheck(held.execution, job, entry.timetable)
        if verdict is KEEP:
            self._arm_anew(held, entry)
        elif verdict.skip_reason is not None:
            self._settling.skip(held, verdict.skip_reason)
        else:
            self._settling.cancel(held, "the job was deleted")

    def _arm_anew(self, held: Held, entry: Entry) -> None:
        """Under a new object: the old one may stand in the wrong queue when the job's type has changed."""
        held.phase = Phase.DROPPED
        renewed = self._arming.arm(Claim(held.execution, entry, held.due))
        self._hand.take(renewed)
        self._firing.add(renewed)

    def _follow_cancels(self, cancels: list[CancelRequest]) -> None:
        for request in cancels:
            held = self._hand.get(request.key)
            if held is None:
                self._settling.cancel_unheld(request)
            elif held.execution.claim_no != request.claim_no:
                continue
            elif held.phase is Phase.ARMED:
                self._settling.cancel(held, "cancelled on request")
            elif held.phase is Phase.FIRED:
                self._transport.abort(held.shot)
