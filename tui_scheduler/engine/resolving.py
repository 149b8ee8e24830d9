"""Names to addresses, off the engine's thread and remembered."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import trio

from tui_scheduler.engine.clock import Clock

FRESH_S = 30.0
"""How long an answer is used without asking again."""

STALE_S = 300.0
"""How long it is used while a new answer is being asked for, so that a hanging name server harms nobody at once."""

_FORGIVEN_S = 1.0
"""A failed connect discards an answer older than this; a herd of failures asks once a second, not once each."""

_THREADS = 32
"""Look-ups at once. They have a limit of their own: hanging ones must not take the threads the store needs."""


@dataclass(frozen=True, slots=True)
class Address:
    """What `socket()` and `connect()` want."""

    family: int
    sockaddr: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A name has no address, or nobody could say; `reason` as the resolver put it."""

    reason: str


Answer = tuple[Address, ...] | Unresolved


class Spawn(Protocol):
    """Starts a task that ends with the wire."""

    def __call__(self, job: Callable[[], Any], /) -> None: ...


class Resolver:
    """Looks names up with the system's resolver. A look-up in progress is shared by all who ask."""

    def __init__(self, clock: Clock, spawn: Spawn) -> None:
        self._clock = clock
        self._spawn = spawn
        self._known: dict[tuple[str, int], tuple[float, tuple[Address, ...]]] = {}
        self._asking: dict[tuple[str, int], list[Callable[[Answer], None]]] = {}
        self._limiter = trio.CapacityLimiter(_THREADS)

    def lookup(self, host: str, port: int, then: Callable[[Answer], None]) -> None:
        """Call `then` with the answer: at once where it is known, otherwise from a task."""
        known = self._known.get((host, port))
        age = float("inf") if known is None else self._clock.monotonic() - known[0]
        if known is None or age > STALE_S:
            addresses = _numeric(host, port)
            if addresses is None:
                self._ask(host, port, then)
                return
            known = self._remember(host, port, addresses)
        elif age > FRESH_S:
            self._ask(host, port, None)
        then(known[1])

    def prefer(self, host: str, port: int, address: Address) -> None:
        """`address` answered: try it first from now on."""
        known = self._known.get((host, port))
        if known is not None and known[1][0] != address:
            rest = tuple(other for other in known[1] if other != address)
            self._known[host, port] = (known[0], (address, *rest))

    def forget(self, host: str, port: int) -> None:
        """No address of the answer could be connected to: ask again next time."""
        known = self._known.get((host, port))
        if known is not None and self._clock.monotonic() - known[0] > _FORGIVEN_S:
            del self._known[host, port]

    def _remember(self, host: str, port: int, addresses: tuple[Address, ...]) -> tuple[float, tuple[Address, ...]]:
        if len(self._known) > 10_000:
            self._known.clear()
        known = self._known[host, port] = (self._clock.monotonic(), addresses)
        return known

    def _ask(self, host: str, port: int, then: Callable[[Answer], None] | None) -> None:
        waiting = self._asking.get((host, port))
        if waiting is None:
            waiting = self._asking[host, port] = []
            self._spawn(partial(self._look_up, host, port))
        if then is not None:
            waiting.append(then)

    async def _look_up(self, host: str, port: int) -> None:
        answer: Answer = Unresolved("the look-up was given up")
        try:
            answer = await trio.to_thread.run_sync(
                _look_up_blocking, host, port, abandon_on_cancel=True, limiter=self._limiter
            )
        finally:
            waiting = self._asking.pop((host, port))
        if not isinstance(answer, Unresolved):
            self._remember(host, port, answer)
        for then in waiting:
            then(answer)


def _numeric(host: str, port: int) -> tuple[Address, ...] | None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        return None
    return _addresses(found)


def _look_up_blocking(host: str, port: int) -> Answer:
    try:
        return _addresses(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except UnicodeError:
        return Unresolved("not a valid name")
    except OSError as error:
        return Unresolved(error.strerror or str(error))


def _addresses(found: list[tuple[Any, ...]]) -> tuple[Address, ...]:
    return tuple(dict.fromkeys(Address(int(entry[0]), entry[4]) for entry in found))
