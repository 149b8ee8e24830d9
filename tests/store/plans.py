"""How a database would carry out a statement: tests hold the hot ones to their indexes.

PostgreSQL reads a small table whole whatever its indexes, so it is asked with that made expensive: what it still reads
whole, no index serves.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, text

from tui_scheduler.store.database import Database

_SQLITE_ACCESS = re.compile(r"(SEARCH|SCAN) (\w+)(?: USING (?:COVERING )?INDEX (\w+)| USING (INTEGER PRIMARY KEY))?")


@dataclass(frozen=True)
class Access:
    """One table read by a plan: by which index, and whether only a part of it."""

    table: str
    index: str | None
    is_bounded: bool

    def __str__(self) -> str:
        how = "a part of" if self.is_bounded else "the whole of"
        return f"{how} {self.table} by {self.index or 'no index'}"


def accesses(database: Database, statement: str | Select[Any], *values: Any, is_filled: bool = False) -> list[Access]:
    """The tables that `statement` reads, in the plan's order; `?` stand for `values`.

    With `is_filled` PostgreSQL is taken at its word: there are rows and statistics to choose a plan by.
    """
    with database.read() as connection:
        sql = _literal(connection, statement, values)
        if database.kind == "sqlite":
            return list(_sqlite(connection, sql))
        if not is_filled:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {sql}").scalar_one()
        return list(_postgresql(plan[0]["Plan"]))


def assert_bounded(database: Database, statement: str | Select[Any], *values: Any, whole: Collection[str] = ()) -> None:
    """No table or index is read whole, but those named in `whole`."""
    found = accesses(database, statement, *values)
    assert found, "the plan reads nothing"
    wrong = [str(a) for a in found if not a.is_bounded and a.table not in whole and a.index not in whole]
    assert not wrong, f"{wrong} in {statement}"


def assert_ordered(database: Database, statement: str, *values: Any, by: str) -> None:
    """A part of the executions is read by this index, and on SQLite nothing is sorted before it is bounded, which it
    is in a subquery named `e`.
    """
    found = [access for access in accesses(database, statement, *values) if access.table == "execution"]
    assert [(access.index, access.is_bounded) for access in found] == [(by, True)]
    if database.kind == "sqlite":
        with database.read() as connection:
            sql = _literal(connection, statement, values)
            plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}")]
        assert not [step for step in plan[: plan.index("SCAN e")] if "TEMP B-TREE" in step]


def _literal(connection: Connection, statement: str | Select[Any], values: tuple[Any, ...]) -> str:
    """Values in place: both explain statements without parameters."""
    if not isinstance(statement, str):
        return str(statement.compile(connection.engine, compile_kwargs={"literal_binds": True}))
    parts = statement.split("?")
    assert len(parts) == len(values) + 1
    literals = [f"'{value}'" if isinstance(value, str) else str(value) for value in values]
    return "".join(part + literal for part, literal in zip(parts, [*literals, ""], strict=True))


def _sqlite(connection: Connection, sql: str) -> Iterator[Access]:
    tables = {row[0] for row in connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    aliases = dict(re.findall(r"(?:FROM|JOIN) (\w+) (?:AS )?(\w+)", sql))
    names = tables | {alias: table for table, alias in aliases.items() if table in tables}.keys()
    for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}"):
        match = _SQLITE_ACCESS.match(row.detail)
        if match and match[2] in names:
            yield Access(match[2], match[3] or match[4], is_bounded=match[1] == "SEARCH")


def _postgresql(node: dict[str, Any]) -> Iterator[Access]:
    if "Relation Name" in node and node["Node Type"] not in ("Bitmap Heap Scan", "ModifyTable"):
        yield Access(node["Relation Name"], node.get("Index Name"), is_bounded="Index Cond" in node)
    elif node["Node Type"] == "Bitmap Index Scan":
        yield Access("", node["Index Name"], is_bounded="Index Cond" in node)
    for child in node.get("Plans", ()):
        yield from _postgresql(child)
