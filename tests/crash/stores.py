"""The database of a trial, read by plain SQL: what the history says must not be told by the program under test."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.crash.disks import Disk, LimitedFiles, small_disk
from tests.crash.evidence import NodeRow, Record
from tests.postgres import empty_database, server

RECORDS = """
    SELECT job.public_id, execution.scheduled_for, execution.state, execution.trigger, execution.attempt,
           execution.rescues, execution.skip_reason, execution.skip_from, execution.skip_to, execution.skip_count,
           execution.finished_at, execution.node_id
    FROM execution LEFT JOIN job ON job.id = execution.job_id
    ORDER BY execution.id
"""
CREATED = "SELECT public_id, created_at FROM job"
UNFINISHED = """
    SELECT count(*) FROM execution WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'lost', 'skipped')
"""
NODES = "SELECT id, pid, state, started_at, stopped_at FROM node ORDER BY id"
NEXT_FIRE = "SELECT min(next_fire_at) FROM timer WHERE next_fire_at IS NOT NULL"


class Store(Protocol):
    """A fresh database, by its URL for the servers and by its rows for us, and what can be done to it.

    `faults` are those it knows.
    """

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    @property
    def faults(self) -> frozenset[str]: ...

    @property
    def disk(self) -> Disk | None: ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one query, on a connection of its own."""
        ...

    def is_held_by(self, pid: int) -> bool:
        """Whether this process, which is frozen, holds a lock that keeps others from declaring it dead."""
        ...


@dataclass(frozen=True)
class SqliteStore:
    path: Path
    disk: Disk | None
    name: str = "sqlite"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    @property
    def faults(self) -> frozenset[str]:
        return frozenset({"kill", "stop", "lock"} | ({"full"} if self.disk else set()))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=30)) as connection:
            return connection.execute(sql).fetchall()

    def is_held_by(self, pid: int) -> bool:
        try:
            with closing(sqlite3.connect(self.path, timeout=2, isolation_level=None)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return True
        return False

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep everybody from writing, as another process that has the file open."""
        with closing(sqlite3.connect(self.path, timeout=60, isolation_level=None)) as connection:
            connection.execute("BEGIN EXCLUSIVE")
            yield
            connection.execute("ROLLBACK")


@dataclass(frozen=True)
class PostgresStore:
    url: str
    disk: Disk | None
    name: str = "postgresql"

    @property
    def faults(self) -> frozenset[str]:
        return frozenset({"kill", "stop", "restart", "drop"} | ({"full"} if self.disk else set()))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, connect_timeout=30) as connection:
            return connection.execute(sql.encode()).fetchall()

    def is_held_by(self, pid: int) -> bool:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET lock_timeout = '2s'")
            try:
                connection.execute("SELECT id FROM node WHERE pid = %s FOR UPDATE", [pid])
            except psycopg.errors.LockNotAvailable:
                return True
        return False

    @contextmanager
    def restart(self, *, immediate: bool) -> Iterator[None]:
        """Stop the server, and start it again at the end."""
        server().stop(immediate=immediate)
        try:
            yield
        finally:
            server().start()

    def drop(self, *, everything: bool, draw: Callable[[], float]) -> int:
        """Cut the connections that are in the middle of a transaction, about every second one, or all there are."""
        busy = "" if everything else "AND xact_start IS NOT NULL"
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                f" AND backend_type = 'client backend' {busy}".encode()
            ).fetchall()
            chosen = [pid for (pid,) in found if everything or draw() < 0.5]
            for pid in chosen:
                connection.execute("SELECT pg_terminate_backend(%s)", [pid])
        return len(chosen)


def records(store: Store) -> tuple[Record, ...]:
    """The whole history; the columns are selected in the order of `Record`'s fields."""
    return tuple(
        Record(str(job), scheduled_for, state, *rest) for job, scheduled_for, state, *rest in store.rows(RECORDS)
    )


def created(store: Store) -> dict[str, int]:
    """The creation instant of every job there ever was, by its id."""
    return {str(job): int(at) for job, at in store.rows(CREATED)}


def unfinished(store: Store) -> int:
    """How many executions have not come to their end."""
    return int(store.rows(UNFINISHED)[0][0])


def next_fire(store: Store) -> int | None:
    """The earliest instant that is still to be planned; in the past while the engine is behind."""
    found = store.rows(NEXT_FIRE)[0][0]
    return None if found is None else int(found)


def nodes(store: Store) -> tuple[NodeRow, ...]:
    """Every node there was; the columns are selected in the order of `NodeRow`'s fields."""
    return tuple(NodeRow(*row) for row in store.rows(NODES))


@contextmanager
def fresh_store(kind: str, folder: Path, faults: Collection[str]) -> Iterator[Store]:
    """An empty database of that kind; a PostgreSQL is started for it and ended after it. It is on a small disk when
    that is to be full.
    """
    if kind == "sqlite":
        if "full" not in faults:
            yield SqliteStore(folder / "trial.db", None)
            return
        with small_disk(folder / "small") as disk:
            path = folder / "small" / "trial.db"
            yield SqliteStore(path, disk or LimitedFiles(path.with_name("trial.db-wal")))
        return
    if "full" not in faults:
        with empty_database() as url:
            yield PostgresStore(url, None)
        return
    # The tables alone: a server whose own log finds no room ends itself, and that is the fault "restart".
    space = Path(tempfile.mkdtemp(prefix="tui-space-", dir="/tmp"))
    space.chmod(0o755)
    with small_disk(space / "small", server().owner) as disk:
        if disk is None:
            with empty_database() as url:
                yield PostgresStore(url, None)
        else:
            with server().tablespace(space / "small" / "tables") as name, empty_database(name) as url:
                yield PostgresStore(url, disk)
    shutil.rmtree(space)
