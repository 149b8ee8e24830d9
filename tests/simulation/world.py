"""A virtual world for real engines: nodes that crash, freeze and lose their store, each with clocks of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any, TypeVar

import trio

from tests.simulation.clocks import SECOND, VirtualTime
from tests.simulation.faults import Faults
from tests.simulation.target import SimulatedTransport, Target
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.engine.engine import Engine
from tui_scheduler.engine.world import Alert, Options, World, stores_of
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows
from tui_scheduler.store.pruning import Pruned

T = TypeVar("T")


@dataclass(slots=True)
class Weather:
    """What all nodes meet: a store that is away, for everybody."""

    store_is_away: bool = False


class NodeClock:
    """One node's clocks. Frozen, it lets nobody pass."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node

    def now(self) -> int:
        return self._node.time.now() + self._node.skew

    def monotonic(self) -> float:
        time = self._node.time
        return time.clock.current_time() + time.slept - self._node.stood_still

    async def sleep_until(self, instant: int) -> None:
        left = (instant - self.now()) / SECOND
        await self._node.time.clock.sleep(min(max(left, 0), 0.5))
        await self._node.thaw()


class SimulatedLocks:
    """Node locks of the virtual machine: free when the life of their holder is over."""

    def __init__(self, held: dict[int, SimulatedNode]) -> None:
        self._held = held
        self.node: SimulatedNode | None = None

    def hold(self, node: int) -> HeldLock:
        assert self.node is not None
        self._held[node] = self.node
        return HeldLock(self._held, node)

    def is_free(self, node: int) -> bool:
        return node not in self._held

    def drop(self, node: int) -> None:
        """The lock is lost, though its holder lives."""
        self._held.pop(node, None)

    def bury(self, node: int) -> None:
        """There is no file to clear away."""


@dataclass(frozen=True, slots=True)
class HeldLock:
    held: dict[int, SimulatedNode]
    node: int

    def release(self) -> None:
        self.held.pop(self.node, None)

    def is_still_held(self) -> bool:
        return self.node in self.held


class SimulatedNode:
    """One machine: starts engines, one after the other, and lets them crash, freeze and stop."""

    def __init__(
        self,
        number: int,
        database: Database,
        time: VirtualTime,
        target: Target,
        faults: Faults,
        random: Random,
        locks: dict[int, SimulatedNode],
        weather: Weather,
    ) -> None:
        self.number = number
        self.database = database
        self.time = time
        self.target = target
        self.faults = faults
        self.random = random
        self.weather = weather
        self.options = Options(slots=40, keep_age=None, keep_failed_age=None, drain_s=5.0, record_every_s=0.05)
        self.ticks: tuple[float, ...] = (0.1, 0.2, 0.2, 0.3)
        self.skew = 0
        self.stood_still = 0.0
        self.is_cut_off = False
        self.engine: Engine | None = None
        self.crashes = 0
        self.lost_answers = 0
        self.alerts: list[Alert] = []
        self.log: list[tuple[str, dict[str, Any]]] = []
        self._locks = SimulatedLocks(locks)
        self._locks.node = self
        self._scope = trio.CancelScope()
        self._frozen: trio.Event | None = None
        self.clock = NodeClock(self)

    async def run(self, *, until: trio.Event) -> None:
        """Run an engine, and another one a while after each crash, until told to stop in order."""
        while not until.is_set():
            self._scope = trio.CancelScope()
            self.engine = Engine(self._world())
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._stop_engine, until, nursery.cancel_scope)
                    await self.engine.run()
                    nursery.cancel_scope.cancel()
            self.engine = None
            if self._scope.cancelled_caught:
                self.crashes += 1
                with trio.move_on_after(self.random.choice((0.0, 0.5, 3.0, 12.0))):
                    await until.wait()

    async def _stop_engine(self, until: trio.Event, scope: trio.CancelScope) -> None:
        await until.wait()
        assert self.engine is not None
        self.engine.stop()

    def crash(self) -> None:
        """kill -9: nothing more of this life happens; its lock is free."""
        if self.engine is not None:
            self._scope.cancel()

    async def freeze(self, seconds: float, *, monotonic_goes_on: bool = True) -> None:
        """SIGSTOP, and SIGCONT after a while; or a machine that was suspended, whose monotonic clock may not count it.

        Its wall clock is right again when it wakes up.
        """
        if self._frozen is None:
            self._frozen = frozen = trio.Event()
            began = self.time.clock.current_time()
            try:
                await trio.sleep(seconds)
            finally:
                if not monotonic_goes_on:
                    self.stood_still += self.time.clock.current_time() - began
                self._frozen = None
                frozen.set()

    async def cut_off(self, seconds: float) -> None:
        """The store cannot be reached from this node, though it can from the others.

        Where a free lock is not believed at once, the lock is a session of the store's, and ends with it.
        """
        if not self.is_cut_off:
            self.is_cut_off = True
            if self.options.lock_grace_s and self.engine is not None and self.engine.node is not None:
                self._locks.drop(self.engine.node)
            try:
                await trio.sleep(seconds)
            finally:
                self.is_cut_off = False

    async def thaw(self) -> None:
        """Pass when the node is not frozen."""
        while (frozen := self._frozen) is not None:
            await frozen.wait()

    def owns(self, key: int) -> bool:
        """Whether the store has this execution as claimed by this life of this node."""
        with self.database.read() as connection:
            found = rows(connection, "SELECT node_id, state FROM execution WHERE id = ?", key)
        return bool(found) and self.engine is not None and found[0].node_id == self.engine.node

    async def hop(self, call: Callable[..., T], /, *arguments: Any) -> T:
        """One transaction, with what can befall it: see `Fault`. Raises `StoreUnavailable`."""
        fault = self.faults.next_step()
        sleep = self.time.clock.sleep
        if fault.before:
            await sleep(fault.before)
        await self.thaw()
        if fault.crash_before:
            self.crash()
            await trio.sleep_forever()
        if fault.is_refused or self.is_cut_off or self.weather.store_is_away:
            if not fault.before:
                await sleep(fault.after)
            raise StoreUnavailable("the store is away", transient=True)
        result = call(*arguments)
        if isinstance(result, Pruned):
            result = replace(result, took=1_000)  # µs; it says what it took by a real clock
        if fault.then is not None:
            fault.then()
        if fault.crash_after:
            self.crash()
            await trio.sleep_forever()
        if fault.after:
            await sleep(fault.after)
            await self.thaw()
        if fault.answer_is_lost:
            self.lost_answers += 1
            raise StoreUnavailable("the connection broke before the answer came", transient=True)
        return result

    def _world(self) -> World:
        database = self.database
        return World(
            clock=self.clock,
            stores=stores_of(database),
            locks=self._locks,
            hop=self.hop,
            open_transport=lambda nursery: SimulatedTransport(nursery, self),
            alert=self.alerts.append,
            log=lambda event, **details: self.log.append((event, details)),
            options=replace(self.options, tick_s=self.random.choice(self.ticks)),
            draw=self.random.random,
            host=f"node-{self.number}",
            version="simulated",
            new_uuid=lambda: f"{self.random.getrandbits(128):032x}",
            execution_id=lambda key, scheduled_for: f"{key}/{scheduled_for}",
        )
