"""What the engine asks of whatever carries requests: the contract between firing and the wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from tui_scheduler.domain.execution import Outcome
from tui_scheduler.domain.job import Request


class Origin(NamedTuple):
    """Where connections go and how they are trusted; requests with an equal origin share connections."""

    scheme: str
    host: str
    port: int
    tls_verify: bool = True
    ca_file: str | None = None


class Shot:
    """One attempt, ready to be sent. Mutable and lean: the hot path makes thousands a second.

    Set by who arms: `request`, `headers` (ours: Idempotency-Key and so on), `timeout` µs from `fire` to the end of
    the response (looking up, connecting and waiting for a connection included), `may_reconnect` (at-least-once: a
    send on an idle connection that turns out closed may be made again, once, on a fresh one), and `done`, called
    exactly once with the outcome, on the engine's thread.
    Set by the transport: `origin` (None where there is nothing to warm), `payload` (all bytes of the request) and
    `started_at`, the µs at which the first byte left. `transport_state` is the transport's own.
    """

    __slots__ = (
        "done",
        "headers",
        "may_reconnect",
        "origin",
        "payload",
        "request",
        "started_at",
        "timeout",
        "transport_state",
    )

    def __init__(
        self,
        request: Request,
        headers: tuple[tuple[str, str], ...],
        timeout: int,
        *,
        may_reconnect: bool,
        done: Callable[[Outcome], None],
    ) -> None:
        self.request = request
        self.headers = headers
        self.timeout = timeout
        self.may_reconnect = may_reconnect
        self.done = done
        self.origin: Origin | None = None
        self.payload = b""
        self.started_at: int | None = None
        self.transport_state: object = None


class Transport(Protocol):
    """Carries shots. All methods are called on the engine's thread."""

    def arm(self, shot: Shot) -> None:
        """Do ahead of the instant whatever can be done without the network: render, choose the origin."""
        ...

    async def warm(self, origin: Origin, connections: int) -> None:
        """See to it that about this many idle connections to `origin` are open, as far as that is possible.

        Returns when they are, or when it has become clear that they cannot be had. Raises nothing for a dead target:
        the shot finds out.
        """
        ...

    def fire(self, shot: Shot) -> None:
        """Send now. Never blocks and never raises for anything the target or the network does; `shot.done` tells.

        `done` may be called before this returns: for a request that cannot be sent, or a connection refused at once.
        """
        ...

    def abort(self, shot: Shot) -> None:
        """Give up a shot that was fired; `done` is called with an `ABORTED` outcome unless it was called before."""
        ...
