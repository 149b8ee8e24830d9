"""The database of a trial, read by plain SQL: what the history says must not be told by the program under test."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg

from tests.crash.evidence import Record
from tests.postgres import empty_database

RECORDS = """
    SELECT job.public_id, execution.scheduled_for, execution.state, execution.trigger, execution.attempt,
           execution.rescues, execution.skip_reason, execution.skip_from, execution.skip_to, execution.skip_count
    FROM execution LEFT JOIN job ON job.id = execution.job_id
    ORDER BY execution.id
"""
CREATED = "SELECT public_id, created_at FROM job"
UNFINISHED = """
    SELECT count(*) FROM execution WHERE state NOT IN ('succeeded', 'failed', 'cancelled', 'lost', 'skipped')
"""
NEXT_FIRE = "SELECT min(next_fire_at) FROM timer WHERE next_fire_at IS NOT NULL"


class Store(Protocol):
    """A fresh database, by its URL for the servers and by its rows for us."""

    @property
    def name(self) -> str: ...

    @property
    def url(self) -> str: ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of one query, on a connection of its own."""
        ...


@dataclass(frozen=True)
class SqliteStore:
    path: Path
    name: str = "sqlite"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.path}"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=30)) as connection:
            return connection.execute(sql).fetchall()


@dataclass(frozen=True)
class PostgresStore:
    url: str
    name: str = "postgresql"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, connect_timeout=30) as connection:
            return connection.execute(sql.encode()).fetchall()


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


@contextmanager
def fresh_store(kind: str, folder: Path) -> Iterator[Store]:
    """An empty database of that kind; a PostgreSQL is started for it and ended after it."""
    if kind == "sqlite":
        yield SqliteStore(folder / "trial.db")
        return
    with empty_database() as url:
        yield PostgresStore(url)
