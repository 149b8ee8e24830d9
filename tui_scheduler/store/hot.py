"""Statements that run thousands of times a second go to the driver as they are.

They are written with `?` for each value (and hold no other `?` or `%`); values are tuples in that order. Going past
SQLAlchemy's parameter processing halves the cost of a batch of a thousand rows. What `run_many` is given becomes one
statement over arrays on PostgreSQL (see `sets`), and stays one for each row on SQLite, where that is no slower.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

from tui_scheduler.store.sets import execute_as_set

Values = tuple[Any, ...]


def rows(connection: Connection, sql: str, *values: Any) -> Sequence[Any]:
    """All rows of one SELECT."""
    return connection.exec_driver_sql(_for_driver(sql, connection.dialect.paramstyle), values).all()


def run(connection: Connection, sql: str, *values: Any) -> int:
    """Execute once; the number of rows it touched."""
    return connection.exec_driver_sql(_for_driver(sql, connection.dialect.paramstyle), values).rowcount


def run_many(connection: Connection, sql: str, batch: list[Values]) -> int:
    """Execute for each tuple of `batch`, which mean different rows; the number of rows touched in all.

    In no particular order on PostgreSQL: rows that others may wait for must be locked before.
    """
    if not batch:
        return 0
    if connection.dialect.name == "postgresql" and len(batch) > 1:
        touched = execute_as_set(connection, sql, batch)
        if touched is not None:
            return touched
    return connection.exec_driver_sql(_for_driver(sql, connection.dialect.paramstyle), batch).rowcount


@lru_cache(maxsize=256)
def _for_driver(sql: str, paramstyle: str) -> str:
    return sql if paramstyle == "qmark" else sql.replace("?", "%s")
