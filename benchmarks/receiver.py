"""A cheap HTTP/1.1 target that logs when each request reached the kernel.

    python -m benchmarks.receiver --port 0 --log arrivals.log [--cpu 1] [--status 200]

Prints `listening on http://127.0.0.1:PORT` and serves until SIGTERM or SIGINT. Any method and path is answered at
once with `--status` and a small body, except that a path holding `/status/500` is answered with that status and one
holding `/delay/250` that many ms later; both may stand in one path. Answers leave in the order of the requests.

Requests are logged when read, not when answered. The log reaches the file within `FLUSH_SECONDS`, and the receiver is
not the process that gets killed. One thread, no framework: what the target costs, the measured program cannot have.
"""

from __future__ import annotations

import argparse
import gc
import os
import re
import selectors
import signal
import socket
import struct
import sys
import time
from collections.abc import Sequence
from heapq import heappop, heappush
from types import FrameType

from benchmarks.arrivals import MISSING, Arrival, read_log
from benchmarks.http import BadRequest, Head, answer, parse_head
from benchmarks.machine import pin, raise_open_files_limit

__all__ = ["Arrival", "Receiver", "read_log"]

SO_TIMESTAMPNS = 35 if sys.platform == "linux" else None
"""The socket module does not name it. Set on the listening socket it is inherited by what is accepted, and then even
a connection's first segment is stamped. Elsewhere TCP has no such stamp, and the read time must do."""
_TIMESPEC = struct.Struct("@ll")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)

READ_BYTES = 16_384
MAX_HEAD_BYTES = 65_536
FLUSH_SECONDS = 0.05
TICK_SECONDS = 0.1
"""The longest sleep, so that a signal is noticed soon."""
LOG_BUFFER_LINES = 1_000

_DELAY = re.compile(rb"/delay/(\d{1,7})\b")
_STATUS = re.compile(rb"/status/(\d{3})\b")


class Connection:
    """One accepted socket: what was read and not yet understood, what was answered and not yet sent."""

    __slots__ = ("body_left", "busy_until", "closing", "head", "owed", "received", "sock", "unsent")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.received = b""
        self.head: Head | None = None  # of a request whose body is not all here
        self.body_left = 0  # bytes of that body still to come
        self.unsent = bytearray()
        self.owed = 0  # delayed answers
        self.busy_until = 0.0  # monotonic: when the last of them is due; later ones must not overtake it
        self.closing = False  # once everything owed is sent


class Receiver:
    """Listens, logs, answers. `serve` runs until `stop`; `port` is known from the start."""

    def __init__(self, log: str, host: str = "127.0.0.1", port: int = 0, status: int = 200) -> None:
        self.requests = 0
        self._running = True
        self._lines: list[bytes] = []
        self._flush_at = 0.0
        self._delayed: list[tuple[float, int, Connection, bytes]] = []
        self._order = 0
        self._answers: dict[int, bytes] = {}
        self._usual = self._answer_with(status)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self._listener = listen(host, port)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)

    def stop(self) -> None:
        self._running = False

    def serve(self) -> None:
        try:
            while self._running:
                self._turn()
        finally:
            self._flush()
            os.close(self._log)
            for key in list(self._selector.get_map().values()):
                assert isinstance(key.fileobj, socket.socket)
                key.fileobj.close()
            self._selector.close()

    def _turn(self) -> None:
        """Wait for something to happen, then do all of it."""
        for key, events in self._selector.select(self._patience()):
            connection: Connection | None = key.data
            if connection is None:
                self._accept()
                continue
            if events & selectors.EVENT_WRITE:
                self._send_rest(connection)
            if events & selectors.EVENT_READ:
                self._read(connection)
        if self._delayed:
            self._answer_delayed()
        if self._lines and (len(self._lines) >= LOG_BUFFER_LINES or time.monotonic() >= self._flush_at):
            self._flush()

    def _patience(self) -> float:
        """Seconds to sleep at most: to the next delayed answer or the next flush."""
        wake_at = [self._delayed[0][0]] if self._delayed else []
        if self._lines:
            wake_at.append(self._flush_at)
        return max(0.0, min(wake_at) - time.monotonic()) if wake_at else TICK_SECONDS

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:  # gone before it was accepted; or too many open files
                print(f"receiver: cannot accept: {error}", file=sys.stderr)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(sock, selectors.EVENT_READ, Connection(sock))

    def _read(self, connection: Connection) -> None:
        """One read, whatever it brought: part of a request, one, or several. What is left wakes the selector again."""
        if connection.sock.fileno() < 0:
            return  # closed by the write just before
        try:
            data, ancillary, _, _ = connection.sock.recvmsg(READ_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data, ancillary = b"", []
        read_at = time.time_ns() // 1_000
        if not data:
            self._close(connection)
            return
        if connection.closing:
            return  # nothing after a bad request, or after `Connection: close`, is a request
        kernel_at = kernel_instant(ancillary)
        connection.received = connection.received + data if connection.received else data
        try:
            self._take_requests(connection, kernel_at, read_at)
        except BadRequest:
            connection.closing = True
            connection.head = None
            self._send_in_turn(connection, self._answer_with(400), 0.0)

    def _take_requests(self, connection: Connection, kernel_at: int | None, read_at: int) -> None:
        """Log and answer every request that is complete; bodies are counted and thrown away.

        All requests of one read share the stamp of its last segment.
        """
        buffer = connection.received
        while True:
            if connection.head is None:
                end = buffer.find(b"\r\n\r\n")
                if end < 0:
                    if len(buffer) > MAX_HEAD_BYTES:
                        raise BadRequest
                    break
                connection.head = parse_head(buffer[:end])
                connection.body_left = connection.head.body_bytes
                buffer = buffer[end + 4 :]
            if len(buffer) < connection.body_left:
                connection.body_left -= len(buffer)
                buffer = b""
                break
            buffer = buffer[connection.body_left :]
            head, connection.head = connection.head, None
            self._note(head, kernel_at, read_at)
            self._answer(connection, head)
            if not buffer or connection.closing:
                break
        connection.received = buffer

    def _note(self, head: Head, kernel_at: int | None, read_at: int) -> None:
        if not self._lines:
            self._flush_at = time.monotonic() + FLUSH_SECONDS
        self._lines.append(log_line(head, kernel_at, read_at))
        self.requests += 1

    def _flush(self) -> None:
        """One write: `O_APPEND` makes it whole for whoever reads meanwhile, but for a last line on a full disk."""
        unwritten = memoryview(b"".join(self._lines))
        self._lines.clear()
        while unwritten:
            unwritten = unwritten[os.write(self._log, unwritten) :]

    def _answer(self, connection: Connection, head: Head) -> None:
        connection.closing = head.last
        response, delay = self._usual, 0.0
        if b"/" in head.target[1:]:  # most targets are `/` or `/name`, and need no search
            status, milliseconds = _STATUS.search(head.target), _DELAY.search(head.target)
            response = self._answer_with(int(status[1])) if status else response
            delay = int(milliseconds[1]) / 1_000 if milliseconds else 0.0
        self._send_in_turn(connection, response, delay)

    def _answer_with(self, status: int) -> bytes:
        response = self._answers.get(status)
        if response is None:
            response = self._answers[status] = answer(status)
        return response

    def _send_in_turn(self, connection: Connection, response: bytes, delay: float) -> None:
        """Send after `delay` seconds, and after whatever is owed to this connection already."""
        if not delay and not connection.owed:
            self._send(connection, response)
            return
        connection.busy_until = max(connection.busy_until, time.monotonic() + delay)
        connection.owed += 1
        self._order += 1
        heappush(self._delayed, (connection.busy_until, self._order, connection, response))

    def _answer_delayed(self) -> None:
        now = time.monotonic()
        while self._delayed and self._delayed[0][0] <= now:
            _, _, connection, response = heappop(self._delayed)
            connection.owed -= 1
            self._send(connection, response)

    def _send(self, connection: Connection, response: bytes) -> None:
        """Send at once what the socket takes, behind what it did not take before."""
        if connection.sock.fileno() < 0:
            return  # hung up before it was answered
        if connection.unsent:
            connection.unsent += response
            return
        sent = self._send_some(connection, response)
        if sent < len(response):
            connection.unsent += response[sent:]
            self._selector.modify(connection.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, connection)
        self._close_if_done(connection)

    def _send_rest(self, connection: Connection) -> None:
        del connection.unsent[: self._send_some(connection, connection.unsent)]
        if not connection.unsent:
            self._selector.modify(connection.sock, selectors.EVENT_READ, connection)
        self._close_if_done(connection)

    def _send_some(self, connection: Connection, data: bytes | bytearray) -> int:
        """How many bytes went. Those for a peer that is gone went nowhere; reading will tell that it is."""
        try:
            return connection.sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)

    def _close_if_done(self, connection: Connection) -> None:
        if connection.closing and not connection.owed and not connection.unsent:
            self._close(connection)

    def _close(self, connection: Connection) -> None:
        self._selector.unregister(connection.sock)
        connection.sock.close()


def listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if SO_TIMESTAMPNS is not None:
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    listener.bind((host, port))
    listener.listen(4_096)
    listener.setblocking(False)
    return listener


def kernel_instant(ancillary: Sequence[tuple[int, int, bytes]]) -> int | None:
    """µs since the epoch at which the last segment of a read reached the kernel, if the kernel said so."""
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(data) == _TIMESPEC.size:
            seconds, nanoseconds = _TIMESPEC.unpack(data)
            return int(seconds) * 1_000_000 + int(nanoseconds) // 1_000
    return None


def log_line(head: Head, kernel_at: int | None, read_at: int) -> bytes:
    """See `arrivals` for the format."""
    header = head.headers.get
    return b"%b\t%d\t%b\t%b\t%b\t%b\t%b\t%b\n" % (
        MISSING if kernel_at is None else b"%d" % kernel_at,
        read_at,
        header(b"x-scheduled-at") or MISSING,
        header(b"x-fire-at") or MISSING,
        header(b"idempotency-key") or MISSING,
        header(b"x-job-id") or MISSING,
        header(b"x-attempt") or MISSING,
        head.target,
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.receiver", description="Log when each request came in.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--log", required=True, help="appended to; see benchmarks/arrivals.py for the format")
    parser.add_argument("--cpu", type=int, help="stay on this core")
    parser.add_argument("--status", type=int, default=200, help="of the usual answer")
    options = parser.parse_args(arguments)
    pin(options.cpu)
    raise_open_files_limit()
    receiver = Receiver(options.log, options.host, options.port, options.status)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        receiver.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print(f"listening on http://{options.host}:{receiver.port}", flush=True)
    gc.freeze()
    gc.disable()  # nothing here makes cycles, and a collection would look like drift
    receiver.serve()


if __name__ == "__main__":
    main()
