"""A receiver to point jobs at: as `tui-scheduler echo`, which prints one line a request with how late it came, or in a
thread of this process, silently.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final, cast

import httptools

from tui_scheduler.domain.errors import SchedulerError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BODY_SHOWN: Final = 60
"""Characters of a request's body in its line."""

HOST: Final = "127.0.0.1"
PORT: Final = 3001


@dataclass(frozen=True, slots=True)
class Reply:
    """The bytes of an answer, the seconds to wait before it, and whether the connection ends with it."""

    content: bytes
    delay_s: float = 0.0
    hangs_up: bool = False


Respond = Callable[["Received"], Reply]


class CannotReceive(SchedulerError):
    """The address cannot be listened on."""


class Received:
    """A request as it came; `at` is the µs since the epoch when its last byte was there."""

    __slots__ = ("at", "body", "headers", "method", "path")

    def __init__(self) -> None:
        self.at = 0
        self.method = ""
        self.path = b""
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    def lateness(self) -> int | None:
        """µs after `X-Fire-At`, or else `X-Scheduled-At`; None when neither is there or readable."""
        try:
            due = datetime.fromisoformat(self.headers.get("x-fire-at") or self.headers["x-scheduled-at"])
            return self.at - (due - EPOCH) // timedelta(microseconds=1)
        except (KeyError, ValueError, TypeError):
            return None

    def line(self) -> str:
        """`09:00:00.001  POST /every-minute  +1.2 ms  attempt 1  {"a":1}`; control characters are escaped."""
        clock = (EPOCH + timedelta(microseconds=self.at)).isoformat(timespec="milliseconds")[11:23]
        late = self.lateness()
        shown = self.body[: BODY_SHOWN * 4].decode("utf-8", "replace")[:BODY_SHOWN]
        parts = [
            clock,
            f"{self.method} {self.path.decode('ascii', 'replace')}",
            "" if late is None else f"{late / 1_000:+.1f} ms",
            f"attempt {self.headers['x-attempt']}" if "x-attempt" in self.headers else "",
            shown,
        ]
        return json.dumps("  ".join(filter(None, parts)), ensure_ascii=False)[1:-1].replace('\\"', '"')


class EchoProtocol(asyncio.Protocol):
    """One connection: keep-alive, answers in the order of the requests. It is among `connections` while it is open."""

    def __init__(self, respond: Respond, connections: set[asyncio.Transport]) -> None:
        self._respond = respond
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._received = Received()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self._transport)

    def connection_lost(self, _reason: Exception | None) -> None:
        if self._transport is not None:
            self._connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._close()

    def on_url(self, url: bytes) -> None:
        self._received.path += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._received.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        room = BODY_SHOWN * 4 - len(self._received.body)
        self._received.body += body[: max(room, 0)]

    def on_message_complete(self) -> None:
        received, self._received = self._received, Received()
        received.at = time.time_ns() // 1_000
        received.method = self._parser.get_method().decode("ascii")
        reply = self._respond(received)
        keep = self._parser.should_keep_alive() and not reply.hangs_up
        if reply.delay_s:
            asyncio.get_running_loop().call_later(reply.delay_s, self._answer, reply.content, keep)
        else:
            self._answer(reply.content, keep)

    def _answer(self, content: bytes, keep: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(content)
        if not keep:
            self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def receive(host: str, port: int, *, status: int = 200, delay_s: float = 0.0, quiet: bool = False) -> int:
    """Receive until SIGINT or SIGTERM; raises `CannotReceive` when the address cannot be had."""
    try:
        count = asyncio.run(_receive(host, port, Reply(response(status), delay_s), quiet))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CannotReceive(f"cannot listen on {host} port {port}: {_reason(error)}") from None
    print(f"{count} requests received", file=sys.stderr)  # noqa: T201
    return 0


class ReceiverThread:
    """A receiver in a daemon thread. `respond` is called there for each request and must not wait."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)
        self._connections: set[asyncio.Transport] = set()
        self.url = ""

    def start(self, port: int = PORT, *, or_elsewhere: bool = True) -> str:
        """Listen on that port of loopback, or on a free one where it is taken; the URL. Raises `CannotReceive`."""
        self._loop = asyncio.new_event_loop()
        try:
            self._server = self._loop.run_until_complete(self._listen(self._loop, port, or_elsewhere))
        except OSError as error:
            self._loop.close()
            raise CannotReceive(f"cannot listen on {HOST}: {_reason(error)}") from None
        self.url = _address(self._server.sockets[0].getsockname())
        self._thread.start()
        return self.url

    def stop(self) -> None:
        """Answer nothing more."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _listen(self, loop: asyncio.AbstractEventLoop, port: int, or_elsewhere: bool) -> asyncio.Server:
        protocol = partial(EchoProtocol, self._respond, self._connections)
        try:
            return await loop.create_server(protocol, HOST, port, backlog=2_048)
        except OSError:  # most likely another receiver
            if not or_elsewhere:
                raise
            return await loop.create_server(protocol, HOST, 0, backlog=2_048)

    def _run(self) -> None:
        loop = self._loop
        assert loop is not None  # noqa: S101 - for the type checker: `start` makes it
        loop.run_forever()
        self._server.close()
        for connection in self._connections:
            connection.abort()
        loop.run_until_complete(asyncio.sleep(0))  # each is closed in a callback of the loop
        loop.close()


def response(status: int, body: bytes = b'{"received":true}\n', headers: str = "") -> bytes:
    """An answer as it goes over the wire. `headers` are further lines, each with its end."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    if status in {204, 304}:
        return f"HTTP/1.1 {status} {phrase}\r\n{headers}\r\n".encode()
    kind = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status} {phrase}\r\n{kind}{headers}\r\n".encode() + body


async def _receive(host: str, port: int, reply: Reply, quiet: bool) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    count = 0

    def respond(received: Received) -> Reply:
        nonlocal count
        count += 1
        if quiet:
            return reply
        try:
            print(received.line(), flush=True)  # noqa: T201
        except BrokenPipeError:  # nobody reads the lines any more
            stop.set()
        return reply

    server = await loop.create_server(partial(EchoProtocol, respond, set()), host, port, backlog=2_048)
    for listener in server.sockets:
        print(f"listening on {_address(listener.getsockname())}", flush=True)  # noqa: T201
    await stop.wait()
    server.close()
    return count


def _address(name: tuple[str, int]) -> str:
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).rpartition(": ")[2].lower()
