"""Shots through a real wire, awaited one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import trio

from tui_scheduler.domain.execution import Outcome
from tui_scheduler.domain.job import Request
from tui_scheduler.engine.clock import SystemClock
from tui_scheduler.engine.flight import Flight
from tui_scheduler.engine.transport import Origin, Shot
from tui_scheduler.engine.wire import Wire

OURS = (("Idempotency-Key", "key-1"), ("X-Attempt", "1"))


class JumpingClock(SystemClock):
    """The machine's clocks, and a way to be later at once: timeouts are tested without waiting for them."""

    def __init__(self) -> None:
        self._ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def jump(self, seconds: float) -> None:
        self._ahead += seconds


class Flown:
    """A shot that was fired, and its outcome when that is known."""

    def __init__(self, wire: Wire, request: Request, within: float, may_reconnect: bool) -> None:
        self._outcomes: list[Outcome] = []
        self._ended = trio.Event()
        self.shot = Shot(request, OURS, round(within * 1_000_000), may_reconnect=may_reconnect, done=self._done)
        wire.arm(self.shot)

    def _done(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._ended.set()

    @property
    def received(self) -> int:
        """The bytes of the response that the wire has taken so far."""
        flight = self.shot.transport_state
        reader = flight.holder.reader if isinstance(flight, Flight) and flight.holder is not None else None
        return 0 if reader is None else reader.taken

    async def outcome(self) -> Outcome:
        await self._ended.wait()
        assert len(self._outcomes) == 1
        return self._outcomes[0]


class Shooter:
    """Makes and fires shots."""

    def __init__(self, wire: Wire, clock: JumpingClock) -> None:
        self.wire = wire
        self.clock = clock

    def fire(self, request: str | Request, within: float = 10.0, *, may_reconnect: bool = True) -> Flown:
        flown = self.arm(request, within, may_reconnect=may_reconnect)
        self.wire.fire(flown.shot)
        return flown

    def arm(self, request: str | Request, within: float = 10.0, *, may_reconnect: bool = True) -> Flown:
        if isinstance(request, str):
            request = Request(request)
        return Flown(self.wire, request, within, may_reconnect)

    async def shoot(self, request: str | Request, within: float = 10.0, *, may_reconnect: bool = True) -> Outcome:
        return await self.fire(request, within, may_reconnect=may_reconnect).outcome()

    async def overdue(self, flown: Flown) -> Outcome:
        """The outcome once the time of a shot (10 s unless said otherwise) is up, which is now."""
        self.clock.jump(10.0)
        return await flown.outcome()

    def origin(self, url: str) -> Origin:
        origin = self.arm(url).shot.origin
        assert origin is not None
        return origin

    async def until(self, is_so: Callable[[Wire], bool]) -> None:
        """Wait for a state of the wire that has no signal, at most half a minute."""
        with trio.fail_after(30):
            while not is_so(self.wire):  # noqa: ASYNC110
                await trio.sleep(0.001)


@asynccontextmanager
async def shooting(*, max_connections: int = 1_000, **limits: Any) -> AsyncIterator[Shooter]:
    """A wire that is closed at the end, with nothing left open and no exception swallowed."""
    async with trio.open_nursery() as nursery:
        clock = JumpingClock()
        wire = Wire(nursery, clock, max_connections=max_connections, **limits)
        yield Shooter(wire, clock)
        await wire.aclose()
        assert wire.counts.bugs == 0
        assert wire.in_flight == 0
        assert wire.open_connections == 0
