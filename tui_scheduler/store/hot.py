"""Statements that run thousands of times a second go to the driver as they are.

They are written with `?` for each value (and hold no other `?` or `%`); values are tuples in that order. Going past
SQLAlchemy's parameter processing halves the cost of a batch of a thousand rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection

Values = tuple[Any, ...]


def rows(connection: Connection, sql: str, *values: Any) -> Sequence[Any]:
    """All rows of one SELECT."""
    return connection.exec_driver_sql(_for_driver(sql, connection.dialect.paramstyle), values).all()


def run(connection: Connection, sql: str, *values: Any) -> int:
    """Execute once; the number of rows it touched."""
    return connection.exec_driver_sql(_for_driver(sql, connection.dialect.paramstyle), values).rowcount


def run_many(connection: Connection, sql: str, batch: list[Values]) -> int:
    """Execute once for each tuple of `batch`; the number of rows touched in all."""
    if not batch:
        return 0
    return connection.exec_driver_sql(_for_driver(sql, connection.dialect.paramstyle), batch).rowcount


@lru_cache(maxsize=256)
def _for_driver(sql: str, paramstyle: str) -> str:
    return sql if paramstyle == "qmark" else sql.replace("?", "%s")
