"""Requests over HTTP/1.1, plain and TLS: armed ahead of time, sent by one system call, answered to a callback.

`Wire` is the engine's `Transport`. A poller task watches all sockets, a sweeper task ends what takes too long; no
task belongs to a single firing or connection, except for followed redirects, which httpx carries.
"""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from functools import partial
from types import ModuleType

import structlog
import trio

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.execution import OutcomeKind
from tui_scheduler.engine.clock import Clock
from tui_scheduler.engine.connection import Connection
from tui_scheduler.engine.deadlines import Deadlines
from tui_scheduler.engine.failures import Failure, in_seconds
from tui_scheduler.engine.flight import Counts, Flight, Holder, Surroundings
from tui_scheduler.engine.poller import Poller, Watched
from tui_scheduler.engine.pool import Budget, Pool
from tui_scheduler.engine.render import USER_AGENT, render
from tui_scheduler.engine.resolving import Resolver
from tui_scheduler.engine.response import Limits
from tui_scheduler.engine.tls import Contexts
from tui_scheduler.engine.transport import Origin, Shot

_TRIM_EVERY_S = 5.0
_SHUTTING_DOWN = Failure(OutcomeKind.ABORTED, "the scheduler is shutting down")

log = structlog.get_logger()


class Wire:
    """Carries shots over pooled connections. Use it from the thread of the nursery's trio loop only.

    `max_connections` bounds sockets, idle ones included. `excerpt_limit` bytes of a body are kept, `body_limit` read,
    `header_limit` read of everything before it. An idle connection is closed after `idle_timeout` seconds; the default
    lets jobs of every minute keep theirs.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        clock: Clock,
        *,
        max_connections: int,
        user_agent: str = USER_AGENT,
        excerpt_limit: int = 4_096,
        body_limit: int = 10 * 1_048_576,
        header_limit: int = 65_536,
        idle_timeout: float = 65.0,
    ) -> None:
        self._nursery = nursery
        self._clock = clock
        self._user_agent = user_agent
        self._idle_timeout = idle_timeout
        self._budget = Budget(max_connections)
        self._pools = self._budget.pools
        self._scopes: set[trio.CancelScope] = set()
        self._all_ended = trio.Event()
        self._is_closed = False
        self.counts = Counts()
        self._poller = Poller(self._bug)
        self._surroundings = Surroundings(
            clock,
            self._poller,
            Deadlines(clock),
            Resolver(clock, self._spawn),
            Contexts(),
            self._spawn,
            Limits(excerpt_limit, body_limit, header_limit),
            self.counts,
        )
        self._spawn(self._poll)
        self._spawn(self._surroundings.deadlines.run)
        self._spawn(self._trim)

    @property
    def open_connections(self) -> int:
        """Sockets in use, idle, or being opened."""
        return self._budget.open

    @property
    def in_flight(self) -> int:
        """Shots fired whose outcome is not known."""
        return self.counts.in_flight

    def arm(self, shot: Shot) -> None:
        """Render the request and choose its origin. Needs no network and does not raise.

        What cannot be sent (a URL that is none) has its outcome `NOT_SENT` when it is fired. `origin` stays None
        where there is nothing to warm: then, and for requests that follow redirects.
        """
        try:
            template, payload = render(shot.request, shot.headers, self._user_agent)
        except Invalid as invalid:
            shot.transport_state = Failure(OutcomeKind.NOT_SENT, str(invalid))
            return
        shot.payload = payload
        flight = Flight(shot, self._surroundings, is_head=template.is_head)
        shot.transport_state = flight
        if not shot.request.follow_redirects:
            shot.origin = template.origin

    async def warm(self, origin: Origin, connections: int) -> None:
        """See to it that `connections` idle ones to `origin` are open, or return as soon as one could not be had.

        After a failure nothing is tried for a second, then two, up to half a minute, until a connection succeeds.
        """
        if not self._is_closed:
            await self._pool(origin).warm(connections)

    def fire(self, shot: Shot) -> None:
        """Send now. `shot.done` may be called before this returns, for what cannot be sent at all."""
        flight = shot.transport_state
        if not isinstance(flight, Flight):
            failure = flight if isinstance(flight, Failure) else Failure(OutcomeKind.NOT_SENT, "it was not armed")
            flight = Flight(shot, self._surroundings, is_head=False)
            flight.take_off()
            flight.fail(failure)
            return
        flight.take_off()
        if self._is_closed:
            flight.fail(_SHUTTING_DOWN)
        elif shot.origin is None:
            scope = trio.CancelScope()
            flight.holder = _Task(scope)
            self._spawn(partial(self._follow, flight, scope))
        else:
            pool = self._pools.get(shot.origin)
            if pool is None:
                pool = self._pool(shot.origin)
            pool.send(flight)

    def abort(self, shot: Shot) -> None:
        """Give up a shot that was fired; its connection is closed. Nothing happens before that, or after its end."""
        flight = shot.transport_state
        if isinstance(flight, Flight) and flight.holder is not None:
            flight.drop(Failure(OutcomeKind.ABORTED, "given up on request"))

    async def aclose(self) -> None:
        """Close every connection, abort what is in flight, and end all tasks of the wire."""
        self._shut()
        for scope in self._scopes:
            scope.cancel()
        await self._all_ended.wait()

    # Inside.

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = Pool(origin, self._budget, self._surroundings)
        return pool

    def _spawn(self, job: Callable[[], Awaitable[None]]) -> None:
        scope = trio.CancelScope()
        self._scopes.add(scope)
        self._nursery.start_soon(self._within, scope, job)

    async def _within(self, scope: trio.CancelScope, job: Callable[[], Awaitable[None]]) -> None:
        try:
            with scope:
                await job()
        finally:
            self._scopes.discard(scope)
            if not self._scopes:
                self._all_ended.set()

    async def _poll(self) -> None:
        try:
            await self._poller.run()
        finally:
            self._shut()
            self._poller.close()

    async def _trim(self) -> None:
        every = min(_TRIM_EVERY_S, max(self._idle_timeout / 4, 0.05))
        while True:
            await trio.sleep(every)
            idle_before = self._clock.monotonic() - self._idle_timeout
            for origin, pool in list(self._pools.items()):
                pool.trim(idle_before)
                if pool.is_unused():
                    del self._pools[origin]

    async def _follow(self, flight: Flight, scope: trio.CancelScope) -> None:
        """The one path with a task for each shot: httpx follows the redirects, and keeps the time itself."""
        shot = flight.shot
        try:
            with scope:
                client = await _client_module()
                self._surroundings.deadlines.discard(flight)
                flight.sent = True  # who ends it from outside cannot know how far it came
                outcome = await client.send_following(
                    shot.request,
                    shot.headers,
                    shot.timeout / 1_000_000,
                    self._clock,
                    contexts=self._surroundings.contexts,
                    limits=self._surroundings.limits,
                    user_agent=self._user_agent,
                )
                flight.land(outcome)
        finally:
            flight.fail(_SHUTTING_DOWN)  # unless it has ended

    def _shut(self) -> None:
        self._is_closed = True
        pools = list(self._pools.values())
        for flight in [flight for pool in pools for flight in pool.waiting()]:
            flight.drop(_SHUTTING_DOWN)
        for pool in pools:
            pool.shut()
        for owner in self._poller.owners():
            if isinstance(owner, Connection):
                if owner.flight is not None:
                    owner.flight.drop(_SHUTTING_DOWN)
                owner.close()

    def _bug(self, owner: Watched, bug: Exception) -> None:
        self.counts.bugs += 1
        log.error("connection_bug", exc_info=bug)
        if isinstance(owner, Connection):
            owner.bug()


class _Task(Holder):
    """A flight in the hands of a task of its own."""

    __slots__ = ("_scope",)

    def __init__(self, scope: trio.CancelScope) -> None:
        self._scope = scope

    def let_go(self, flight: Flight) -> Failure:
        """End the task."""
        self._scope.cancel()
        return Failure(OutcomeKind.TIMEOUT, f"no answer within {in_seconds(flight.shot.timeout)}")


async def _client_module() -> ModuleType:
    """Import httpx on a thread: it takes a tenth of a second, which would make a herd late."""
    return await trio.to_thread.run_sync(importlib.import_module, "tui_scheduler.engine.client")
