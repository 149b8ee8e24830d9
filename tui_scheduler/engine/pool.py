"""The connections of one origin, and the budget that all origins share."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

import trio

from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.engine.connection import Connection
from tui_scheduler.engine.failures import Failure, in_seconds, where
from tui_scheduler.engine.flight import Flight, Holder, Surroundings
from tui_scheduler.engine.transport import Origin

_WARMING_AT_ONCE = 64
_DIALS_AT_ONCE = 64
"""Connections to one origin being opened for firings that wait. When thousands are due at once, opening one for each
cost more than waiting for those in use (and a target that cannot keep up is not helped by thousands more)."""

_FIRST_BACKOFF_S = 1.0
_LONGEST_BACKOFF_S = 30.0


class Budget:
    """How many connections there may be. Who finds none left waits, first come, first served, across origins."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.open = 0
        self.pools: dict[Origin, Pool] = {}
        self._starving: deque[Flight] = deque()
        self._is_granting = False

    def take(self, pool: Pool, *, may_evict: bool) -> bool:
        """Take one connection's place, if need be (and allowed) that of an idle connection to another origin."""
        if self.open >= self.limit and not (may_evict and self._evict(pool)):
            return False
        self.open += 1
        return True

    def wait(self, flight: Flight) -> None:
        """Dial for this flight once there is room."""
        self._starving.append(flight)

    def release(self) -> None:
        """A connection is gone: whoever waits longest gets its place."""
        self.open -= 1
        if self._is_granting:
            return  # a dial below failed at once; the loop sees the room
        self._is_granting = True
        try:
            while self.open < self.limit and (flight := self.longest_waiting()) is not None:
                self._starving.popleft()
                if isinstance(flight.holder, Pool):
                    flight.holder.dial()
        finally:
            self._is_granting = False

    def longest_waiting(self) -> Flight | None:
        """The flight that has waited longest for want of room, over all origins."""
        while self._starving:
            flight = self._starving[0]
            if isinstance(flight.holder, Pool):
                return flight
            self._starving.popleft()
        return None

    def _evict(self, pool: Pool) -> bool:
        return any(other is not pool and other.close_oldest_idle() for other in self.pools.values())


class Pool(Holder):
    """The connections to one origin: idle ones, those being opened, and the flights that wait for one."""

    __slots__ = (
        "_backoff",
        "_budget",
        "_changed",
        "_dialing",
        "_idle",
        "_open",
        "_retry_at",
        "_surroundings",
        "_waiting",
        "origin",
    )

    def __init__(self, origin: Origin, budget: Budget, surroundings: Surroundings) -> None:
        self.origin = origin
        self._budget = budget
        self._surroundings = surroundings
        self._idle: OrderedDict[Connection, None] = OrderedDict()  # used from the end, trimmed from the front
        self._dialing: dict[Connection, None] = {}
        self._waiting: OrderedDict[Flight, None] = OrderedDict()  # a dict's first key is slow to find after many went
        self._open = 0
        self._changed = trio.lowlevel.ParkingLot()
        self._backoff = 0.0
        self._retry_at = 0.0

    # Flights.

    def send(self, flight: Flight) -> None:
        """Send on an idle connection if there is one, otherwise on the first to become free."""
        while self._idle:
            connection, _ = self._idle.popitem()
            # Who may not be sent twice must not be sent into a connection that is closed already.
            if flight.shot.may_reconnect or connection.is_usable():
                connection.carry(flight, was_idle=True)
                return
        self._queue(flight)

    def resend(self, flight: Flight) -> None:
        """Send on a fresh connection: the idle one was closed."""
        flight.needs_fresh = True
        self._surroundings.counts.reconnects += 1
        self._queue(flight)

    def _queue(self, flight: Flight) -> None:
        flight.holder = self
        self._waiting[flight] = None
        self._dial_for(flight)

    def _dial_for(self, flight: Flight) -> None:
        """Open another connection for those waiting, unless enough are being opened: one in use may be free first."""
        wanted = min(len(self._waiting), _DIALS_AT_ONCE)
        if len(self._dialing) < wanted and not self.dial():
            self._budget.wait(flight)

    def let_go(self, flight: Flight) -> Failure:
        """The flight waits no longer; connections being opened for it stay for others."""
        self._waiting.pop(flight, None)
        timeout = flight.shot.timeout
        if self._dialing:
            return Failure(OutcomeKind.CONNECT_TIMEOUT, next(iter(self._dialing)).stuck_opening(timeout))
        wanted = f"no connection to {where(self.origin)} became free within {in_seconds(timeout)}"
        return Failure(OutcomeKind.CONNECT_TIMEOUT, f"{wanted}: all {self._budget.limit:,} are in use")

    # Connections, called by themselves.

    def opened(self, connection: Connection) -> None:
        """A fresh connection goes to whoever waits longest."""
        del self._dialing[connection]
        self._open += 1
        self._backoff = 0.0
        self._retry_at = 0.0
        flight = next(iter(self._waiting), None)
        if flight is None:
            self._rest(connection)
        else:
            del self._waiting[flight]
            connection.carry(flight, was_idle=False)
            self._dial_for_next()
        self._changed.unpark_all()

    def _dial_for_next(self) -> None:
        flight = next(iter(self._waiting), None)
        if flight is not None:
            self._dial_for(flight)

    def not_opened(self, connection: Connection, failure: Failure) -> None:
        """One of those waiting has its answer: no connection. A dial that hung for long ends nobody's wait."""
        del self._dialing[connection]
        self._backoff = min(max(self._backoff * 2, _FIRST_BACKOFF_S), _LONGEST_BACKOFF_S)
        self._retry_at = self._surroundings.clock.monotonic() + self._backoff
        self._budget.release()
        flight = next(iter(self._waiting), None)
        if flight is not None:
            if failure.kind is not OutcomeKind.CONNECT_TIMEOUT:
                del self._waiting[flight]
                flight.fail(failure)
            self._dial_for_next()
        self._changed.unpark_all()

    def returned(self, connection: Connection) -> None:
        """A connection is free again: for who waits longest, here or (by making room) elsewhere."""
        longest = self._budget.longest_waiting()
        if longest is not None and longest.holder is not self:
            connection.close()
            return
        for flight in self._waiting:
            if not flight.needs_fresh:
                del self._waiting[flight]
                connection.carry(flight, was_idle=True)
                return
        if longest is not None:
            connection.close()
        else:
            self._rest(connection)

    def closed(self, connection: Connection) -> None:
        """A connection that was open is gone."""
        self._open -= 1
        self._idle.pop(connection, None)
        self._budget.release()

    def _rest(self, connection: Connection) -> None:
        connection.idle_since = self._surroundings.clock.monotonic()
        self._idle[connection] = None

    # Opening ahead, and trimming.

    def dial(self, *, may_evict: bool = True) -> bool:
        """Begin to open one more connection; False when there is no room for it."""
        if not self._budget.take(self, may_evict=may_evict):
            return False
        connection = Connection(self, self._surroundings)
        self._dialing[connection] = None
        connection.open()
        return True

    async def warm(self, wanted: int) -> None:
        """Have `wanted` connections idle, as far as possible; returns when so, or at the first failure."""
        while True:
            missing = wanted - len(self._idle) - max(len(self._dialing) - len(self._waiting), 0)
            while missing > 0 and len(self._dialing) < _WARMING_AT_ONCE and self._may_warm():
                if not self.dial(may_evict=False):
                    break
                missing -= 1
            if not self._dialing or not self._may_warm() or len(self._idle) >= wanted:
                return
            await self._changed.park()

    def _may_warm(self) -> bool:
        return self._surroundings.clock.monotonic() >= self._retry_at

    def close_oldest_idle(self) -> bool:
        """Make room; False when nothing is idle."""
        for connection in self._idle:
            connection.close()
            return True
        return False

    def trim(self, idle_before: float) -> None:
        """Close what has been idle since before then (monotonic seconds)."""
        while self._idle and next(iter(self._idle)).idle_since < idle_before:
            self.close_oldest_idle()

    def is_unused(self) -> bool:
        """Whether there is nothing to remember: no connection, nobody waiting, no failure a moment ago."""
        return not (self._open or self._dialing or self._waiting) and self._may_warm()

    def shut(self) -> None:
        """Close what is idle or being opened."""
        while self.close_oldest_idle():
            pass
        for connection in self._dialing:
            connection.close()
            self._budget.open -= 1
        self._dialing.clear()
        self._changed.unpark_all()

    def waiting(self) -> Iterable[Flight]:
        """The flights that wait for a connection."""
        return list(self._waiting)
