"""Databases to measure on: fresh ones, and ones with millions of rows, filled once and copied for every run.

The filled ones lie in `.cache/benchmarks` of the checkout (`make clean` removes them), by what is in them and the
schema's revision. A PostgreSQL is a server of its own, from the wheel the tests use, on a Unix socket, and its commits
wait for the disk. It shares the target's core, as if on another machine: what it uses is told apart.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.history import fill_history
from benchmarks.scenarios import SECOND
from tests.postgres import IS_HERE, PostgresServer
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.store.database import open_database
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.migrate import HEAD

CACHE = Path(__file__).parent.parent / ".cache" / "benchmarks"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
KINDS = (SQLITE, POSTGRESQL) if IS_HERE else (SQLITE,)
PAST_S = 3_600
"""The history ends so long before it is written: a run that prunes keeps less."""
SERVER = (
    "listen_addresses=",
    "max_connections=200",
    "shared_buffers=256MB",
    "max_wal_size=4GB",
    "log_min_messages=fatal",
)
NAME = "bench"
NOT_DUE_FOR_LONG = "0 0 0 1 1 *"


@dataclass(frozen=True, slots=True)
class Filling:
    """What is in a database beforehand: finished executions of the first `jobs` jobs, and jobs that are not due."""

    kind: str = SQLITE
    history: int = 0
    jobs: int = 1
    stored: int = 0

    @property
    def is_empty(self) -> bool:
        return not self.history and not self.stored

    @property
    def place(self) -> Path:
        past = f"-{self.history}-of-{self.jobs}" if self.history else ""
        return CACHE / f"{self.kind}-{HEAD}{past}{f'-{self.stored}-jobs' if self.stored else ''}"


@dataclass(frozen=True, slots=True)
class Filled:
    """A database to use up. `pid`: of the process whose descendants serve it; None where there is none."""

    url: str
    pid: int | None = None


@contextmanager
def filled(filling: Filling, folder: Path) -> Iterator[Filled]:
    """A database with that in it; nothing is left of it afterwards but the prepared copy."""
    if not filling.is_empty and not filling.place.exists():
        prepare(filling, folder)
    if filling.kind == SQLITE:
        path = folder / "jobs.db"
        if not filling.is_empty:
            shutil.copyfile(filling.place, path)
        yield Filled(str(path))
        return
    server = PostgresServer(SERVER, None if filling.is_empty else filling.place)
    try:
        if filling.is_empty:
            server.execute(f"CREATE DATABASE {NAME}")
        yield Filled(server.url(NAME), server.pid)
    finally:
        server.end()


def prepare(filling: Filling, folder: Path) -> None:
    """Fill one, and put it in its place when it is whole."""
    began = time.monotonic()
    print(f"preparing {filling.place.name}, once", flush=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    unfinished = filling.place.with_name(f"{filling.place.name}.{os.getpid()}")
    if filling.kind == SQLITE:
        path = folder / "prepared.db"
        fill(filling, str(path))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.move(path, unfinished)
    else:
        server = PostgresServer(SERVER)
        try:
            server.execute(f"CREATE DATABASE {NAME}")
            fill(filling, server.url(NAME))
            server.execute("VACUUM ANALYZE", NAME)  # or the server would do it while it is measured
            server.stop()
            subprocess.run(["cp", "-a", str(server.data), str(unfinished)], check=True)  # with its owner
        finally:
            server.end()
    unfinished.replace(filling.place)
    print(f"prepared in {time.monotonic() - began:.0f} s", flush=True)


def fill(filling: Filling, url: str) -> None:
    database = open_database(url)
    try:
        now = time.time_ns() // 1_000
        request = Request("http://127.0.0.1:9/")
        specs = (JobSpec(NOT_DUE_FOR_LONG, request, name=f"idle {number:07}") for number in range(filling.stored))
        JobStore(database).create_many(specs, now)
        fill_history(database, filling.history, filling.jobs, before=now - PAST_S * SECOND)
    finally:
        database.close()
