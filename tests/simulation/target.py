"""The receiver of all requests, and a network that fails on the way there and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import TYPE_CHECKING

import trio

from tests.simulation.clocks import SECOND
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.engine.transport import Origin, Shot

if TYPE_CHECKING:
    from tests.simulation.world import SimulatedNode

ORIGIN = Origin("http", "target", 80)


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
                await self._node.time.clock.sleep(delay)
        finally:
            if arrival is not None:
                arrival.until = trio.current_time()
        await self._node.thaw()
        if scope.cancelled_caught:
            outcome = Outcome(OutcomeKind.ABORTED, 0, shot.started_at, message="cancelled on request")
        shot.done(outcome._replace(finished_at=self._node.clock.now()))
