"""SQLite in memory without SQLAlchemy in between: the same SQL, transactions and errors at a fifth of the price.

A history is a thousand small transactions, and the pool, the event hooks and the result objects of SQLAlchemy were
most of what they cost. What runs ten times a second goes to the driver as it is anyway (`store/hot.py`); the rest is
passed on to SQLAlchemy on the same connection. A test plays a history both ways and finds no difference.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import TextClause, create_engine
from sqlalchemy.engine import CursorResult
from sqlalchemy.pool import StaticPool

from tests.sqlite import fill_memory
from tui_scheduler.store.database import Database

Make = Callable[[Sequence[Any]], Any]


class Result:
    """What a statement gave: rows that can be read by position and by name, and how many it touched."""

    __slots__ = ("_cursor", "_make", "rowcount")

    def __init__(self, cursor: sqlite3.Cursor, make: Make | None) -> None:
        self._cursor = cursor
        self._make = make
        self.rowcount = cursor.rowcount

    def all(self) -> list[Any]:
        found = self._cursor.fetchall()
        return [self._make(row) for row in found] if found and self._make is not None else found

    def first(self) -> Any:
        return next(iter(self.all()), None)

    def scalar(self) -> Any:
        row = self.first()
        return None if row is None else row[0]

    def scalar_one(self) -> Any:
        ((value,),) = self.all()
        return value

    def scalars(self) -> list[Any]:
        return [row[0] for row in self.all()]


class DirectConnection:
    """As much of SQLAlchemy's `Connection` as the stores use."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._rows: dict[str, Make | None] = {}
        self._alchemy = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool).connect()
        self.dialect = self._alchemy.dialect

    def exec_driver_sql(self, sql: str, values: Any = ()) -> Result:
        if isinstance(values, list):
            return Result(self._raw.executemany(sql, values), None)
        cursor = self._raw.execute(sql, values)
        if sql not in self._rows:
            names = [column[0] for column in cursor.description or ()]
            self._rows[sql] = _maker(names) if names else None
        return Result(cursor, self._rows[sql])

    def close(self) -> None:
        self._alchemy.close()
        self._alchemy.engine.dispose()

    def execute(self, statement: TextClause, values: dict[str, Any] | None = None) -> CursorResult[Any]:
        return self._alchemy.execute(statement, values)


_row_of: Callable[..., Any] = namedtuple  # mypy wants the names to be known


def _maker(names: list[str]) -> Make:
    make: Make = _row_of("Row", names, rename=True)._make
    return make


class DirectMemory:
    """One connection, as `SqliteMemory`; and a disk that can be full: then what is written cannot be committed."""

    def __init__(self) -> None:
        self.disk_is_full = False
        self._raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, cached_statements=512)
        fill_memory(self._raw)
        self._connection = DirectConnection(self._raw)
        self._is_taken = False
        self._may_write: bool | None = None

    @contextmanager
    def read(self) -> Iterator[DirectConnection]:
        """Without BEGIN: nobody can write in between."""
        self._allow(writing=False)
        try:
            yield self._connection
        finally:
            self._is_taken = False

    @contextmanager
    def write(self, durable: bool = True) -> Iterator[DirectConnection]:
        raw = self._raw
        self._allow(writing=True)
        raw.execute("BEGIN")
        try:
            yield self._connection
            if self.disk_is_full:
                full = sqlite3.OperationalError("database or disk is full")
                full.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise full
        except BaseException:
            raw.execute("ROLLBACK")
            raise
        else:
            raw.execute("COMMIT")
        finally:
            self._is_taken = False

    def _allow(self, *, writing: bool) -> None:
        if self._is_taken:
            raise RuntimeError("a transaction inside another one of the same thread would wait for itself")
        self._is_taken = True
        if writing is not self._may_write:
            self._raw.execute(f"PRAGMA query_only = {'OFF' if writing else 'ON'}")
            self._may_write = writing

    def shrink(self) -> None:
        """It ends with the process."""

    def close(self) -> None:
        self._connection.close()


def open_memory() -> Database:
    """A database in memory, with our tables and nothing in them."""
    database = Database("sqlite://")
    database.connections = DirectMemory()
    return database
