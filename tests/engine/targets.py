"""Targets on real sockets that behave as badly as targets do.

A behaviour is an async function of one accepted connection; `start` serves it on a port of its own until the nursery
ends. Behaviours read and write bytes, so that each test sees exactly what went over the wire.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Target:
    """A running target: where it is and what it has seen. `seen` are whole requests, in the order of arrival."""

    port: int
    scheme: str = "http"
    host: str = "127.0.0.1"
    accepted: int = 0
    seen: list[bytes] = field(default_factory=list)
    closed: trio.Event = field(default_factory=trio.Event)
    """Set when a connection was closed, by either side and seen here; tests may put a new one in its place."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/"


class Client:
    """One accepted connection, from the target's side."""

    def __init__(self, stream: trio.SocketStream | trio.SSLStream[trio.SocketStream], target: Target) -> None:
        self.stream = stream
        self.target = target
        self._received = b""

    async def request(self) -> bytes | None:
        """The next whole request (body by Content-Length), or None when the connection has ended."""
        head = await self._until(b"\r\n\r\n")
        if head is None:
            return None
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        while len(self._received) < length:
            more = await self.stream.receive_some(65_536)
            if not more:
                return None
            self._received += more
        body, self._received = self._received[:length], self._received[length:]
        self.target.seen.append(head + body)
        return head + body

    async def _until(self, mark: bytes) -> bytes | None:
        while mark not in self._received:
            more = await self.stream.receive_some(65_536)
            if not more:
                return None
            self._received += more
        head, _, self._received = self._received.partition(mark)
        return head + mark

    async def send(self, data: bytes) -> None:
        await self.stream.send_all(data)

    def reset(self) -> None:
        """End the connection with an RST instead of a FIN, as a crashing process or a firewall does."""
        transport = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.socket.close()


Behaviour = Callable[[Client], Awaitable[None]]


async def start(
    nursery: trio.Nursery, behaviour: Behaviour, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> Target:
    """Serve `behaviour` until the nursery ends."""
    listeners = await trio.open_tcp_listeners(0, host="::1" if host == "[::1]" else "127.0.0.1")
    target = Target(listeners[0].socket.getsockname()[1], "http" if tls is None else "https", host)

    async def serve(plain: trio.SocketStream) -> None:
        target.accepted += 1
        stream = plain if tls is None else trio.SSLStream(plain, tls, server_side=True, https_compatible=True)
        try:
            await behaviour(Client(stream, target))
            await stream.aclose()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        finally:
            target.closed.set()
            plain.socket.close()

    nursery.start_soon(trio.serve_listeners, serve, listeners)
    return target


def unused_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def full_backlog() -> tuple[list[socket.socket], int]:
    """A port where connecting hangs: it listens, and accepts nobody. Close the sockets at the end."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    sockets = [listener]
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        sockets.append(filler)
    return sockets, int(listener.getsockname()[1])


def response(body: bytes = b"ok", status: str = "200 OK", **headers: str) -> bytes:
    """A response with a length; underscores in names of headers stand for hyphens."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


def answers(*responses: bytes) -> Behaviour:
    """Answers each request, with the responses in turn over and over; keeps the connection."""

    async def behave(client: Client) -> None:
        while await client.request() is not None:
            await client.send(responses[(len(client.target.seen) - 1) % len(responses)])

    return behave


def answers_once(data: bytes) -> Behaviour:
    """Answers one request and closes without a word about it."""

    async def behave(client: Client) -> None:
        if await client.request() is not None:
            await client.send(data)

    return behave


def says(data: bytes) -> Behaviour:
    """Sends these bytes for an answer, and then nothing, ever."""

    async def behave(client: Client) -> None:
        await client.request()
        await client.send(data)
        await trio.sleep_forever()

    return behave


async def hangs(client: Client) -> None:
    """Takes the request and never answers."""
    await client.request()
    await trio.sleep_forever()


async def resets(client: Client) -> None:
    """Takes the request and breaks off."""
    await client.request()
    client.reset()


async def closes(client: Client) -> None:
    """Takes the request and closes without an answer."""
    await client.request()


async def drips(client: Client) -> None:
    """Promises a hundred bytes and sends one a second."""
    await client.request()
    await client.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    while True:
        await client.send(b".")
        await trio.sleep(1)


async def never_ends(client: Client) -> None:
    """Sends a body as fast as it can, for ever."""
    await client.request()
    await client.send(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await client.send(b"x" * 65_536)


def redirects_to(location: str, status: str = "302 Found") -> Behaviour:
    """Sends everybody elsewhere; "" is back to itself."""

    async def behave(client: Client) -> None:
        while await client.request() is not None:
            await client.send(response(b"", status, Location=location or client.target.url))

    return behave
