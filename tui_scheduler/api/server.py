"""uvicorn, made to fit: it listens before anything else starts, and leaves signals to whoever runs it."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import uvicorn
from fastapi import FastAPI

from tui_scheduler.domain.errors import SchedulerError

BACKLOG: Final = 2_048
GRACE_S: Final = 3
"""How long answers under way may take once the server is to stop."""


class CannotListen(SchedulerError):
    """The address cannot be served on."""


class NotLoopback(SchedulerError):
    """Others could reach the address, and nothing was said that this is meant."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"{host} can be reached by others, and the API does not ask who they are; "
            "serve on 127.0.0.1, or add --insecure-no-auth if that is meant"
        )


def listen(host: str, port: int, *, anyone: bool = False) -> socket.socket:
    """A socket that already listens, so that a port in use is known before anything is started.

    Raises `NotLoopback` for an address others can reach unless `anyone` is allowed, `CannotListen` when the system
    refuses.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise CannotListen(f"there is no address for the host {host!r}") from None
    if not anyone and not ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback:
        raise NotLoopback(host)
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = (error.strerror or "unknown error").lower()
        raise CannotListen(f"cannot listen on {host} port {port}: {reason}") from None
    return listener


def address_of(listener: socket.socket) -> str:
    """`http://127.0.0.1:3000`, with the real port."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class ApiServer(uvicorn.Server):
    """Serves until `should_exit` is set or `has_ended()`, asked ten times a second, says so."""

    def __init__(
        self,
        app: FastAPI,
        *,
        on_started: Callable[[], None] = lambda: None,
        has_ended: Callable[[], bool] = lambda: False,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._on_started = on_started
        self._has_ended = has_ended

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()

    async def on_tick(self, counter: int) -> bool:
        return await super().on_tick(counter) or self._has_ended()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Not here: uvicorn would raise them again after its own end, and the engine still has to stop in order."""
        yield
