"""A virtual world for real engines: clocks that can be set, a network that fails, nodes that crash and freeze."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any, TypeVar

import trio

from tests.simulation.faults import Faults
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.engine.engine import Engine
from tui_scheduler.engine.transport import Origin, Shot
from tui_scheduler.engine.world import Alert, Options, World, stores_of
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows

T = TypeVar("T")
SECOND = 1_000_000
ORIGIN = Origin("http", "target", 80)


class VirtualTime:
    """The wall clock of the machine all nodes run on: trio's virtual time, plus what it was set by."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.set_by = 0
        self.latest = start

    def now(self) -> int:
        now = self.start + self.set_by + round(trio.current_time() * SECOND)
        self.latest = max(self.latest, now)
        return now


@dataclass(slots=True)
class Arrival:
    """A request that reached the target: from `at` to `until`, virtual seconds since the start of the history.

    `is_stale`: the store did not have the execution as this life's own when it was sent. `wall` is the sender's clock.
    """

    at: float
    key: int
    scheduled_for: int
    job_id: str
    attempt: int
    node: int
    is_stale: bool
    wall: int
    until: float = inf


@dataclass(slots=True)
class Target:
    """The receiver of all requests, and what it saw."""

    random: Random
    arrivals: list[Arrival] = field(default_factory=list)


class NodeClock:
    """One node's clocks. Frozen, it lets nobody pass."""

    def __init__(self, node: SimulatedNode) -> None:
        self._node = node

    def now(self) -> int:
        return self._node.time.now() + self._node.skew

    def monotonic(self) -> float:
        return trio.current_time()

    async def sleep_until(self, instant: int) -> None:
        left = (instant - self.now()) / SECOND
        await trio.sleep(min(max(left, 0), 0.5))
        await self._node.thaw()


class SimulatedTransport:
    """Sends to the target of the world. What is under way when the node dies never comes back."""

    def __init__(self, nursery: trio.Nursery, node: SimulatedNode) -> None:
        self._nursery = nursery
        self._node = node

    def arm(self, shot: Shot) -> None:
        shot.origin = ORIGIN

    async def warm(self, origin: Origin, connections: int) -> None:
        await trio.lowlevel.checkpoint()

    def fire(self, shot: Shot) -> None:
        node, target = self._node, self._node.target
        clock = node.clock
        shot.started_at = clock.now()
        headers = dict(shot.headers)
        key, scheduled_for = (int(part) for part in headers["Idempotency-Key"].split("/"))
        if target.random.random() < 0.03:
            refused = Outcome(OutcomeKind.REFUSED, clock.now(), message="refused", sent=False)
            shot.transport_state = scope = trio.CancelScope()
            self._nursery.start_soon(self._answer, shot, 0.001, refused, scope, None)
            return
        stale = not node.owns(key)
        attempt = int(headers["X-Attempt"])
        now = trio.current_time()
        arrival = Arrival(now, key, scheduled_for, headers["X-Job-Id"], attempt, node.number, stale, clock.now())
        target.arrivals.append(arrival)
        delay, outcome = self._outcome(shot, target.random)
        shot.transport_state = scope = trio.CancelScope()
        self._nursery.start_soon(self._answer, shot, delay, outcome, scope, arrival)

    def abort(self, shot: Shot) -> None:
        scope = shot.transport_state
        assert isinstance(scope, trio.CancelScope)
        scope.cancel()

    def _outcome(self, shot: Shot, random: Random) -> tuple[float, Outcome]:
        started_at = shot.started_at
        kind = random.random()
        delay = random.choice((0.001, 0.02, 0.3, 1.7))
        if kind < 0.75:
            return delay, Outcome(OutcomeKind.RESPONSE, 0, started_at, status=200)
        if kind < 0.88:
            return delay, Outcome(OutcomeKind.RESPONSE, 0, started_at, status=500)
        if kind < 0.92:
            return delay, Outcome(OutcomeKind.RESPONSE, 0, started_at, status=429, retry_after=2 * SECOND)
        if kind < 0.95:
            return delay, Outcome(OutcomeKind.RESET, 0, started_at, message="reset")
        return shot.timeout / SECOND, Outcome(OutcomeKind.TIMEOUT, 0, started_at, message="no response")

    async def _answer(
        self, shot: Shot, delay: float, outcome: Outcome, scope: trio.CancelScope, arrival: Arrival | None
    ) -> None:
        try:
            with scope:
                await trio.sleep(delay)
        finally:
            if arrival is not None:
                arrival.until = trio.current_time()
        await self._node.thaw()
        if scope.cancelled_caught:
            outcome = Outcome(OutcomeKind.ABORTED, 0, shot.started_at, message="cancelled on request")
        shot.done(outcome._replace(finished_at=self._node.clock.now()))


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
    ) -> None:
        self.number = number
        self.database = database
        self.time = time
        self.target = target
        self.faults = faults
        self.random = random
        self.skew = 0
        self.engine: Engine | None = None
        self.crashes = 0
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
                with trio.move_on_after(self.random.choice((0.0, 0.5, 3.0, 20.0))):
                    await until.wait()

    async def _stop_engine(self, until: trio.Event, scope: trio.CancelScope) -> None:
        await until.wait()
        assert self.engine is not None
        self.engine.stop()

    def crash(self) -> None:
        """kill -9: nothing more of this life happens; its lock is free."""
        if self.engine is not None:
            self._scope.cancel()

    async def freeze(self, seconds: float) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        if self._frozen is None:
            self._frozen = frozen = trio.Event()
            try:
                await trio.sleep(seconds)
            finally:
                self._frozen = None
                frozen.set()

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
        """One transaction, with what can befall it: slowness before or after, a crash before or after."""
        await trio.lowlevel.checkpoint()
        await self.thaw()
        fault = self.faults.next_step()
        await trio.sleep(fault.before)
        await self.thaw()
        if fault.crash_before:
            self.crash()
            await trio.sleep_forever()
        result = call(*arguments)
        if fault.crash_after:
            self.crash()
            await trio.sleep_forever()
        await trio.sleep(fault.after)
        await self.thaw()
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
            options=Options(
                slots=40,
                keep_age=None,
                drain_s=5.0,
                tick_s=self.random.choice((0.1, 0.2, 0.2, 0.2)),
                record_every_s=0.05,
            ),
            draw=self.random.random,
            host=f"node-{self.number}",
            version="simulated",
            new_uuid=lambda: f"{self.random.getrandbits(128):032x}",
            execution_id=lambda key, scheduled_for: f"{key}/{scheduled_for}",
        )
