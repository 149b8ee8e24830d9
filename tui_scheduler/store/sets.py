"""On PostgreSQL a statement meant for many rows is one statement over arrays, a column each.

It is derived from the one that is written for a single row, so that there is one text of each:

    UPDATE t SET a = ? WHERE id = ?
    UPDATE t SET a = batch.p1 FROM unnest(CAST(? AS bigint[]), CAST(? AS bigint[])) AS batch (p1, p2)
    WHERE id = batch.p2

The text is the same for any number of rows, so the server prepares it once. What the types are is asked of the server,
once for each statement and process. Of what was measured (see docs/performance.md) this costs least; most of the gain
over psycopg's own lists is that the arrays are written as text here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection

_INSERT_VALUES: Final = re.compile(
    r"\s*(INSERT INTO .+?)\sVALUES \((.*?)\)(\s+ON CONFLICT [^?]* DO NOTHING)?\s*", re.DOTALL
)
_WITH_WHERE: Final = re.compile(r"\s*((INSERT|UPDATE|DELETE) .*?)(\sWHERE .*)", re.DOTALL)
_JOINED_BY: Final = {"INSERT": ",", "UPDATE": " FROM", "DELETE": " USING"}

_WRITTEN_PLAIN: Final = frozenset({"bigint", "integer", "smallint", "boolean"})
"""Types whose values need no quotes inside an array."""

_PREPARED: Final = "types_wanted"
_TYPES: Final = f"""
SELECT CAST(type AS text) FROM pg_prepared_statements CROSS JOIN unnest(parameter_types) WITH ORDINALITY AS p (type, n)
WHERE name = '{_PREPARED}' ORDER BY n
"""  # noqa: S608 - a name of ours


def execute_as_set(connection: Connection, sql: str, batch: Sequence[tuple[Any, ...]]) -> int | None:
    """Carry out `sql` (with `?`) for all rows of `batch` at once; the number of rows touched.

    None, and nothing done, when it has no such form.
    A row that two tuples mean is touched once, by either. Rows are locked in no particular order: where another
    transaction may want several of the same, lock them first.
    """
    if not _has_form(sql):
        return None
    types = _known.get(sql)
    if types is None:
        types = _known[sql] = _ask_types(connection, sql)
    arrays = tuple(map(array_text, zip(*batch, strict=True), types))
    return connection.exec_driver_sql(_form(sql, types), arrays).rowcount


def array_text(values: Iterable[Any], type_name: str) -> str:
    """An array as PostgreSQL reads it."""
    if type_name in _WRITTEN_PLAIN:
        return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"
    return "{" + ",".join(map(_quoted, values)) + "}"


_known: dict[str, tuple[str, ...]] = {}
"""The types of each statement: the same in every database of this program."""


def _quoted(value: Any) -> str:
    return "NULL" if value is None else '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


@lru_cache(maxsize=256)
def _has_form(sql: str) -> bool:
    """Only plain statements: one VALUES, or one WHERE and nothing nested. No DO UPDATE, which refuses a row that two
    tuples mean.
    """
    if "DO UPDATE" in sql:
        return False
    if _INSERT_VALUES.fullmatch(sql):
        return True
    return bool(_WITH_WHERE.fullmatch(sql)) and sql.count("WHERE") == 1


@lru_cache(maxsize=256)
def _form(sql: str, types: tuple[str, ...]) -> str:
    """`sql` over a table `batch` of arrays, for psycopg."""
    columns = ", ".join(f"p{number}" for number in range(1, len(types) + 1))
    arrays = ", ".join(f"CAST(%s AS {name}[])" for name in types)
    source = f"unnest({arrays}) AS batch ({columns})"
    if match := _INSERT_VALUES.fullmatch(sql):
        head, values, tail = match[1], _numbered(match[2], "batch.p"), match[3] or ""
        return f"{head} SELECT {values} FROM {source}{tail}"  # noqa: S608 - SQL of ours
    match = _WITH_WHERE.fullmatch(sql)
    if match is None:
        raise ValueError(sql)
    head, _, tail = _numbered(sql, "batch.p").partition(" WHERE " if " WHERE " in sql else "\nWHERE ")
    return f"{head}{_JOINED_BY[match[2]]} {source} WHERE {tail}"


def _ask_types(connection: Connection, sql: str) -> tuple[str, ...]:
    connection.exec_driver_sql(f"PREPARE {_PREPARED} AS {_numbered(sql, '$')}")
    types = tuple(connection.exec_driver_sql(_TYPES).scalars())
    connection.exec_driver_sql(f"DEALLOCATE {_PREPARED}")
    return types


def _numbered(sql: str, prefix: str) -> str:
    """Each `?` as `prefix` and its number, from 1."""
    parts = sql.split("?")
    return "".join(f"{part}{prefix}{number}" for number, part in enumerate(parts[:-1], 1)) + parts[-1]
