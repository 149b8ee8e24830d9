"""`tui-scheduler echo`: a receiver to point jobs at. One line a request, with how late it came."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Final, cast

import httptools

from tui_scheduler.domain.errors import SchedulerError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
BODY_SHOWN: Final = 60
"""Characters of a request's body in its line."""

Report = Callable[["Received"], None]


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
    """One connection: keep-alive, answers in the order of the requests."""

    def __init__(self, answer: bytes, delay_s: float, report: Report) -> None:
        self._answer = answer
        self._delay_s = delay_s
        self._report = report
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._received = Received()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

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
        keep = self._parser.should_keep_alive()
        self._report(received)
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._respond, keep)
        else:
            self._respond(keep)

    def _respond(self, keep: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(self._answer)
        if not keep:
            self._close()

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def receive(host: str, port: int, *, status: int = 200, delay_s: float = 0.0, quiet: bool = False) -> int:
    """Receive until SIGINT or SIGTERM; raises `CannotReceive` when the address cannot be had."""
    try:
        count = asyncio.run(_receive(host, port, response(status), delay_s, quiet))
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise CannotReceive(f"cannot listen on {host} port {port}: {_reason(error)}") from None
    print(f"{count} requests received", file=sys.stderr)  # noqa: T201
    return 0


def response(status: int) -> bytes:
    """What every request gets."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    bodiless = status in {204, 304}
    body = b"" if bodiless else b'{"received":true}\n'
    kind = "" if bodiless else f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"HTTP/1.1 {status} {phrase}\r\n{kind}\r\n".encode() + body


async def _receive(host: str, port: int, answer: bytes, delay_s: float, quiet: bool) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    count = 0

    def report(received: Received) -> None:
        nonlocal count
        count += 1
        if quiet:
            return
        try:
            print(received.line(), flush=True)  # noqa: T201
        except BrokenPipeError:  # nobody reads the lines any more
            stop.set()

    server = await loop.create_server(partial(EchoProtocol, answer, delay_s, report), host, port, backlog=2_048)
    for listener in server.sockets:
        name = listener.getsockname()
        shown = f"[{name[0]}]" if ":" in name[0] else name[0]
        print(f"listening on http://{shown}:{name[1]}", flush=True)  # noqa: T201
    await stop.wait()
    server.close()
    return count


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).rpartition(": ")[2].lower()
