"""A yardstick: the technique alone, without a scheduler around it.

    python -m benchmarks.reference --target-port 8080 --scenario herd:1000 --start SECOND --db FILE

Claims ahead and renders to bytes, fires by one `socket.send` at the instant, reads answers in one task per
connection, records in batches: durable (SQLite, WAL, synchronous=FULL), but with no retries, no rescue, no edits,
no API, a schema of two small tables and an empty history. Figures hold within one run on one machine only; the
ratio to this one, measured beside, says more. Prints `ready`; runs until SIGTERM.
"""

from __future__ import annotations

import argparse
import gc
import heapq
import signal
import socket
import sqlite3
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import httptools
import trio
from sqlalchemy import (
    Column,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    update,
)

from benchmarks.machine import raise_open_files_limit
from benchmarks.offers import offered
from benchmarks.scenarios import SECOND, Scenario, Shape, parse

LOOK_AHEAD = 600_000
CLAIM_EVERY_S = 0.1
RECORD_EVERY_S = 0.05
RECORD_AT_MOST = 1_000
SPREAD_CONNECTIONS = 512
DRAIN_S = 2.0

METADATA = MetaData()
TIMER = Table("timer", METADATA, Column("id", Integer, primary_key=True), Column("next_at", Integer, index=True))
RUN = Table(
    "run",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("job", Integer),
    Column("at", Integer),
    Column("state", String),
    Column("started", Integer),
    Column("duration", Integer),
    Column("status", Integer),
    Column("excerpt", String),
    Index("ix_run_occurrence", "job", "at", unique=True),
    Index("ix_run_unfinished", "at", sqlite_where=Column("state") == "claimed"),
)
DUE = select(TIMER.c.id, TIMER.c.next_at).where(TIMER.c.next_at < bindparam("horizon")).order_by(TIMER.c.next_at)
MOVE = update(TIMER).where(TIMER.c.id == bindparam("job")).values(next_at=bindparam("then"))
CLAIM = insert(RUN)
FINISH = (
    update(RUN)
    .where(RUN.c.id == bindparam("run"), RUN.c.state == "claimed")
    .values(
        state="succeeded",
        started=bindparam("began"),
        duration=bindparam("took"),
        status=bindparam("answered"),
        excerpt=bindparam("kept"),
    )
)


def microseconds() -> int:
    return time.time_ns() // 1_000


def job_name(number: int) -> str:
    """The `X-Job-Id` of the reference's jobs, which have no more than a number."""
    return f"job-{number}"


class Armed:
    """One occurrence, rendered, waiting for its instant."""

    __slots__ = ("at", "payload", "run", "started")

    def __init__(self, run: int, at: int, payload: bytes) -> None:
        self.run = run
        self.at = at
        self.payload = payload
        self.started = 0

    def __lt__(self, other: Armed) -> bool:
        return self.at < other.at


class Ledger:
    """The durable part. Used by one thread at a time (two writers wait for each other in SQLite)."""

    def __init__(self, path: str, scenario: Scenario, start: int, port: int) -> None:
        self._engine = open_engine(path)
        self._last_run = 0
        self._port = port
        METADATA.create_all(self._engine)
        with self._engine.begin() as connection:
            timers = [{"id": i, "next_at": start + job.phase} for i, job in enumerate(offered(scenario))]
            connection.execute(insert(TIMER), timers)

    def claim(self, horizon: int) -> list[Armed]:
        """Commit as claimed, with their timers moved on, all occurrences before the horizon; then render them."""
        with self._engine.begin() as connection:
            due = connection.execute(DUE, {"horizon": horizon}).all()
            if not due:
                return []
            connection.execute(MOVE, [{"job": job, "then": at + SECOND} for job, at in due])
            first = self._last_run + 1
            self._last_run += len(due)
            claims = [{"id": first + i, "job": job, "at": at, "state": "claimed"} for i, (job, at) in enumerate(due)]
            connection.execute(CLAIM, claims)
        return [Armed(claim["id"], claim["at"], self._render(claim)) for claim in claims]

    def record(self, finished: Sequence[dict[str, Any]]) -> None:
        with self._engine.begin() as connection:
            connection.execute(FINISH, finished)

    def _render(self, claim: dict[str, Any]) -> bytes:
        at = datetime.fromtimestamp(claim["at"] // SECOND, UTC).replace(microsecond=claim["at"] % SECOND)
        return (
            f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nUser-Agent: reference/0\r\nX-Attempt: 1\r\n"
            f"X-Job-Id: {job_name(claim['job'])}\r\nIdempotency-Key: run-{claim['id']}\r\n"
            f"X-Scheduled-At: {at.isoformat(timespec='microseconds')}\r\nContent-Length: 0\r\n\r\n"
        ).encode()


class Line:
    """One warm connection: carries one request at a time, and tells when its answer is whole."""

    def __init__(self, port: int, gun: Gun) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setblocking(False)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.carrying: Armed | None = None
        self._gun = gun
        self._body = b""
        self._parser = httptools.HttpResponseParser(self)

    def send(self, armed: Armed) -> None:
        armed.started = microseconds()
        self.carrying = armed
        self.sock.send(armed.payload)

    async def read(self) -> None:
        while True:
            await trio.lowlevel.wait_readable(self.sock)
            data = self.sock.recv(65_536)
            if not data:
                raise ConnectionError("the target hung up")
            self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        assert self.carrying is not None
        self._gun.answered(self, self.carrying, self._parser.get_status_code(), self._body.decode())
        self.carrying, self._body = None, b""


class Gun:
    """Holds what is armed and the idle lines; fires, and collects what is to be recorded."""

    def __init__(self, ledger: Ledger, port: int, lines: int) -> None:
        self._ledger = ledger
        self._port = port
        self._wanted = lines
        self._armed: list[Armed] = []
        self._idle: list[Line] = []
        self._finished: list[dict[str, Any]] = []

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            await self._connect(nursery)
            nursery.start_soon(self._record)
            with trio.CancelScope() as until_stopped:
                nursery.start_soon(stop_on_signal, until_stopped)
                async with trio.open_nursery() as firing:
                    firing.start_soon(self._claim)
                    firing.start_soon(self._fire)
            await trio.sleep(DRAIN_S)
            nursery.cancel_scope.cancel()

    async def _connect(self, nursery: trio.Nursery) -> None:
        for _ in range(self._wanted):
            line = Line(self._port, self)
            self._idle.append(line)
            nursery.start_soon(line.read)
        print("ready", flush=True)
        gc.freeze()

    async def _claim(self) -> None:
        while True:
            for armed in await trio.to_thread.run_sync(self._ledger.claim, microseconds() + LOOK_AHEAD):
                heapq.heappush(self._armed, armed)
            await trio.sleep(CLAIM_EVERY_S)

    async def _fire(self) -> None:
        """Sleep to a millisecond before the next instant, then only give way, then send all that is due."""
        while True:
            wait = self._armed[0].at - microseconds() if self._armed else SECOND
            if wait > 1_500:
                await trio.sleep(min(wait - 1_000, 50_000) / SECOND)
                continue
            now = microseconds()
            while self._armed and self._idle and self._armed[0].at <= now:
                self._idle.pop().send(heapq.heappop(self._armed))
            await trio.lowlevel.checkpoint()

    def answered(self, line: Line, armed: Armed, status: int, body: str) -> None:
        took = microseconds() - armed.started
        outcome = {"run": armed.run, "began": armed.started, "took": took, "answered": status, "kept": body}
        self._finished.append(outcome)
        self._idle.append(line)

    async def _record(self) -> None:
        while True:
            batch, self._finished = self._finished[:RECORD_AT_MOST], self._finished[RECORD_AT_MOST:]
            if batch:
                await trio.to_thread.run_sync(self._ledger.record, batch)
            if len(self._finished) < RECORD_AT_MOST:
                await trio.sleep(RECORD_EVERY_S)


def open_engine(path: str) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    @event.listens_for(engine, "connect")
    def durable(connection: sqlite3.Connection, _record: object) -> None:
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}")

    return engine


async def stop_on_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            scope.cancel()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reference", description="The technique alone.")
    parser.add_argument("--target-port", type=int, required=True)
    parser.add_argument("--scenario", type=parse, required=True)
    parser.add_argument("--start", type=int, required=True, help="µs since the epoch: the first full second to fire in")
    parser.add_argument("--db", required=True)
    options = parser.parse_args(arguments)
    raise_open_files_limit()
    ledger = Ledger(options.db, options.scenario, options.start, options.target_port)
    lines = options.scenario.count if options.scenario.shape is Shape.HERD else SPREAD_CONNECTIONS
    trio.run(Gun(ledger, options.target_port, lines).run)


if __name__ == "__main__":
    main()
