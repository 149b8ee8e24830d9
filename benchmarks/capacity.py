"""How much the receiver itself carries: `python -m benchmarks.capacity [--connections 256] [--seconds 5]`.

Every connection sends its next request when the last one is answered, so the receiver is never idle; its capacity is
then requests a second of its own CPU time, and what a target would have to spare beside a scheduler.
"""

from __future__ import annotations

import argparse
import selectors
import socket
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from benchmarks.machine import cores_for_measuring, pin, raise_open_files_limit
from benchmarks.processes import Target, running_receiver
from benchmarks.usage import Usage, usage_of


class Capacity(NamedTuple):
    """`cpu_us`: of the receiver, per request."""

    connections: int
    answered: int
    logged: int
    seconds: float
    cpu_us: float
    stamped: int


def example_request(port: int) -> bytes:
    """Of the size a scheduler sends, with the headers it sends."""
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return (
        f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: tui-scheduler/0\r\nAccept: */*\r\n"
        f"Content-Type: application/json\r\nX-Scheduled-At: {now}\r\nX-Job-Id: 0190a8b2-7c64-7d5e-9f00-0123456789ab\r\n"
        f"X-Attempt: 1\r\nIdempotency-Key: 0190a8b2-7c64-7d5e-9f00-0123456789ab-1764000000000000\r\n"
        f'Content-Length: 7\r\n\r\n{{"a":1}}'
    ).encode()


def keep_busy(port: int, connections: int, seconds: float) -> int:
    """Closed loop over that many connections; returns the number of answers."""
    request = example_request(port)
    answered = 0
    with selectors.DefaultSelector() as selector:
        sockets = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(connections)]
        for sock in sockets:
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(sock, selectors.EVENT_READ, sock)
            sock.send(request)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in selector.select(1):
                sock = key.data
                if not sock.recv(4_096):
                    raise ConnectionError("the receiver hung up")
                answered += 1
                sock.send(request)
        for sock in sockets:
            sock.close()
    return answered


def measure(connections: int, seconds: float) -> Capacity:
    sender_core, receiver_core = cores_for_measuring()
    with tempfile.TemporaryDirectory(prefix="tui-scheduler-bench-") as folder:
        with running_receiver(Path(folder) / "arrivals.log", cpu=receiver_core) as target:
            pin(sender_core)
            before, began = usage_of(target.pid), time.monotonic()
            answered = keep_busy(target.port, connections, seconds)
            took, after = time.monotonic() - began, usage_of(target.pid)
        return summed_up(target, connections, answered, took, before, after)


def summed_up(target: Target, connections: int, answered: int, seconds: float, before: Usage, after: Usage) -> Capacity:
    arrivals = target.arrivals()
    stamped = sum(arrival.kernel_at is not None for arrival in arrivals)
    cpu_us = (after.cpu_seconds - before.cpu_seconds) / max(1, answered) * 1e6
    return Capacity(connections, answered, len(arrivals), seconds, cpu_us, stamped)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description="What the receiver carries.")
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 1_000, 5_000])
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args(arguments)
    raise_open_files_limit()
    for connections in options.connections:
        found = measure(connections, options.seconds)
        print(
            f"{found.connections:6,} connections: {found.answered / found.seconds:7,.0f} requests/s,"
            f" {found.cpu_us:.1f} µs CPU each = {1e6 / found.cpu_us if found.cpu_us else 0:,.0f}/s on one core;"
            f" {found.answered:,} answered, {found.logged:,} logged, {found.stamped:,} with the kernel's time"
        )


if __name__ == "__main__":
    main()
