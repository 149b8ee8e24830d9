"""One engine: a node that plans, claims, fires and records until it is told to stop.

The order of shutdown is the indentation of `_live`: the recorder outlives the connections, which outlive the claimer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import trio

from tui_scheduler.domain.errors import Conflict, StoreUnavailable
from tui_scheduler.domain.execution import Outcome
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.engine.arming import Arming
from tui_scheduler.engine.claimer import Claimer
from tui_scheduler.engine.clearing import Clearing
from tui_scheduler.engine.counters import Counters
from tui_scheduler.engine.firing import Firing
from tui_scheduler.engine.follower import Follower
from tui_scheduler.engine.hand import Hand
from tui_scheduler.engine.keeper import Keeper
from tui_scheduler.engine.node import Node
from tui_scheduler.engine.origins import OriginLimits
from tui_scheduler.engine.pruner import Pruner
from tui_scheduler.engine.pulse import Pulse
from tui_scheduler.engine.recorder import Recorder
from tui_scheduler.engine.settling import Settling
from tui_scheduler.engine.transport import Transport
from tui_scheduler.engine.trial import GiveUp, try_once
from tui_scheduler.engine.trouble import Trouble
from tui_scheduler.engine.world import Lock, World
from tui_scheduler.store.nodes import NodeFenced

T = TypeVar("T")


class _StoppedBefore(Exception):
    """Told to stop while it waited for the store to let it begin."""


class Engine:
    """Runs on one trio loop. `wake` and `stop` are called on that loop's thread."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stopping = trio.Event()
        self._waiting = trio.CancelScope()
        self._claimer: Claimer | None = None
        self._follower: Follower | None = None
        self._transport: Transport | None = None
        self.counters = Counters()
        self.trouble = Trouble(world.log)
        self.node: int | None = None

    def wake(self) -> None:
        """Something changed in the store: look at once."""
        if self._claimer is not None and self._follower is not None:
            self._follower.wake()
            self._claimer.wake()

    def _look_for_work(self) -> None:
        if self._claimer is not None:
            self._claimer.wake()

    def stop(self) -> None:
        """End in order: claim nothing more, give back what was not sent, wait for answers, record, say goodbye."""
        self._stopping.set()
        self._waiting.cancel()
        self.wake()

    def try_request(self, spec: JobSpec, ended: Callable[[Outcome], None]) -> GiveUp:
        """Send the request of a job once, now; `ended` is called once, before or after this returns. What it returns
        gives the request up, called on this thread.

        Raises `Conflict` while there are no connections to send it over.
        """
        if self._transport is None:
            raise Conflict("the engine of this process is not ready to send yet; try again in a moment")
        return try_once(self._transport, spec, self._world.clock.now(), ended)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Live, and live again under a new id when others have declared this node dead. Returns once stopped."""
        while not self._stopping.is_set():
            try:
                await self._live(task_status if self.node is None else trio.TASK_STATUS_IGNORED)
            except* NodeFenced as fenced:
                self._world.log("node_fenced", reason=str(fenced.exceptions[0]))
            except* _StoppedBefore:
                self._world.log("stopped_before_beginning")
        if self.node is None:
            task_status.started()  # whoever waits for the beginning waits no longer

    async def _live(self, task_status: trio.TaskStatus[None]) -> None:
        world, options = self._world, self._world.options
        key = await self._when_possible(self._register)
        lock: Lock = await self._when_possible(partial(world.hop, world.locks.hold, key))
        try:
            pulse = Pulse(world.clock, options.hold_fire_after_s)
            node = Node(world, key, Hand(options.slots), pulse, self.counters, self.trouble)
            keeper, recorder = Keeper(node), Recorder(node, self._look_for_work)
            settling = Settling(world, self.counters, recorder.put)
            change_no = await self._when_possible(partial(world.hop, world.stores.jobs.last_change_no))
            rules = await self._when_possible(partial(world.hop, world.stores.rules.changed_since, -1))
            await self._when_possible(keeper.beat)
            self.node = key
            task_status.started()
            async with trio.open_nursery() as recording:
                recording.start_soon(recorder.run)
                recording.start_soon(keeper.keep_beating, lock)
                async with trio.open_nursery() as connecting:
                    self._transport = transport = world.open_transport(connecting)
                    firing = Firing(world.clock, transport, pulse, OriginLimits(options.per_origin, options.origins))
                    arming = Arming(transport, world.execution_id, settling.ended, firing.ended)
                    async with trio.open_nursery() as working:
                        follower = Follower(node, firing, arming, settling, transport, change_no, rules)
                        self._follower = follower
                        self._claimer = Claimer(node, firing, arming, follower, transport, connecting)
                        working.start_soon(follower.run)
                        working.start_soon(self._claimer.run)
                        working.start_soon(Clearing(node, firing).run)
                        working.start_soon(firing.run)
                        working.start_soon(keeper.keep_watch)
                        working.start_soon(Pruner(node).run)
                        await self._stopping.wait()
                        working.cancel_scope.cancel()
                    await self._drain(node, recorder)
                    connecting.cancel_scope.cancel()
                with trio.move_on_after(options.drain_s):
                    await recorder.flushed()
                recording.cancel_scope.cancel()
            await self._leave(key, keeper)
        finally:
            self._claimer = self._follower = self._transport = None
            lock.release()

    async def _register(self) -> int:
        world = self._world
        return await world.hop(
            world.stores.nodes.register, world.new_uuid(), world.host, world.pid, world.version, world.clock.now()
        )

    async def _when_possible(self, step: Callable[[], Awaitable[T]]) -> T:
        """Take a step of the beginning as soon as the store lets it; what can never be had is raised."""
        while True:
            try:
                taken = await step()
            except StoreUnavailable as unavailable:
                if not unavailable.transient:
                    raise
                with trio.CancelScope() as self._waiting:
                    await self.trouble.wait("starting", unavailable)
                if self._stopping.is_set():
                    raise _StoppedBefore from unavailable
            else:
                self.trouble.over("starting")
                return taken

    async def _drain(self, node: Node, recorder: Recorder) -> None:
        """Give back what was not sent and wait, up to the deadline, for the answers to what was."""
        unsent = node.hand.armed()
        for held in unsent:
            node.hand.drop(held)
        keys = [(held.execution.key, held.execution.claim_no) for held in unsent]
        with self._if_the_store_allows("give back"):
            await self._world.hop(self._world.stores.records.give_back, node.key, keys)
        with trio.move_on_after(self._world.options.drain_s):
            while node.hand.fired():
                await recorder.next_record()
        for held in node.hand.fired():
            node.hand.drop(held)  # the transport gives them up as it closes, which must not be taken for their end

    async def _leave(self, key: int, keeper: Keeper) -> None:
        """What had no answer by the deadline is taken from this node as from a dead one, and the node is stopped."""
        world = self._world
        with self._if_the_store_allows("leave"):
            await keeper.take_all(key)
            await world.hop(world.stores.nodes.stop, key, world.clock.now())

    @contextmanager
    def _if_the_store_allows(self, activity: str) -> Iterator[None]:
        """At the end there is no waiting for a store that is away: others will find this node dead, and rescue."""
        try:
            yield
        except StoreUnavailable as unavailable:
            self._world.log("left_to_rescue", activity=activity, reason=str(unavailable))
