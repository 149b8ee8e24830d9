"""On PostgreSQL a batch is one statement, and nobody can tell from what it writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, event

from tests import postgres
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.hot import rows, run_many
from tui_scheduler.store.sets import array_text, execute_as_set

INSERT = "INSERT INTO attempt (execution_id, attempt, node_id, finished_at, error) VALUES (?, ?, 1, ?, ?)"
INSERT_ONCE = """
INSERT INTO queue (name, concurrency, paused) VALUES (?, ?, ?)
ON CONFLICT (name) DO NOTHING
"""
COPY = "INSERT INTO attempt (execution_id, attempt, node_id, finished_at) SELECT id, ?, 1, ? FROM job WHERE id = ?"
UPDATE = "UPDATE attempt SET error = COALESCE(?, error), waits_us = ?\nWHERE execution_id = ? AND attempt = ?"
DELETE = "DELETE FROM attempt WHERE execution_id = ?"
NESTED = "DELETE FROM attempt WHERE execution_id = ? AND id IN (SELECT id FROM attempt WHERE attempt = ?)"

HOSTILE = [
    "",
    "NULL",
    "null",
    "{}",
    "a,b",
    'a "b"',
    "back\\slash",
    "'",
    "tab\tnew\nline",
    "ü€\u2028😀",
    " x ",
    "%s ? :a",
]


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        yield connection


def attempts(connection: Connection, columns: str = "execution_id, attempt, error") -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows(connection, f"SELECT {columns} FROM attempt ORDER BY id")]


def test_rows_are_written_in_their_order_with_whatever_text(connection: Connection) -> None:
    batch = [(number, 1, 5, text) for number, text in enumerate([*HOSTILE, None])]
    assert run_many(connection, INSERT, batch) == len(batch)
    assert attempts(connection) == [(number, 1, text) for number, text in enumerate([*HOSTILE, None])]


def test_what_is_there_already_is_not_counted(connection: Connection) -> None:
    assert run_many(connection, INSERT_ONCE, [("a", 1, False), ("b", None, True)]) == 2
    assert run_many(connection, INSERT_ONCE, [("b", 2, False), ("c", 3, True), ("c", 4, True)]) == 1
    found = [tuple(row) for row in rows(connection, "SELECT name, concurrency, paused FROM queue ORDER BY name")]
    assert found == [("a", 1, False), ("b", None, True), ("c", 3, True)]


def test_rows_that_are_not_found_are_not_counted(connection: Connection) -> None:
    run_many(connection, INSERT, [(key, 1, 5, "old") for key in range(6)])
    changes = [("new", 1, 2, 1), (None, 2, 3, 1), ("no such attempt", 3, 4, 2), ("no such row", 4, 9, 1)]
    assert run_many(connection, UPDATE, changes) == 2
    expected = [(0, None, "old"), (1, None, "old"), (2, 1, "new"), (3, 2, "old"), (4, None, "old"), (5, None, "old")]
    found = rows(connection, "SELECT execution_id, waits_us, error FROM attempt ORDER BY execution_id")
    assert [tuple(row) for row in found] == expected
    assert run_many(connection, DELETE, [(2,), (3,), (77,)]) == 2
    assert run_many(connection, DELETE, [(4,)]) == 1
    assert run_many(connection, DELETE, []) == 0
    assert len(attempts(connection)) == 3


def test_a_statement_with_another_inside_is_carried_out_row_by_row(connection: Connection) -> None:
    run_many(connection, INSERT, [(key, key % 2, 5, None) for key in range(6)])
    assert run_many(connection, NESTED, [(1, 1), (2, 1), (3, 1)]) == 2


@pytest.fixture
def server_connection() -> Iterator[Connection]:
    with postgres.clean_database() as url:
        database = open_database(url)
        with database.write() as connection:
            yield connection
        database.close()


@postgres.needs_postgres
@pytest.mark.parametrize("statement", [INSERT, INSERT_ONCE, COPY, UPDATE, DELETE])
def test_there_is_one_text_for_any_number_of_rows(server_connection: Connection, statement: str) -> None:
    sent: list[str] = []
    event.listen(server_connection, "before_cursor_execute", lambda *told: sent.append(told[2]))
    values: tuple[object, ...] = (None,) * statement.count("?")
    if statement in {INSERT, INSERT_ONCE}:
        values = (1, 1, 1, None) if statement == INSERT else ("a", 1, True)
    assert execute_as_set(server_connection, statement, [values] * 2) is not None
    del sent[:]
    for many in (2, 3, 700):
        assert execute_as_set(server_connection, statement, [values] * many) is not None
    assert len(sent) == 3
    assert len(set(sent)) == 1


@postgres.needs_postgres
def test_a_nested_statement_has_no_such_form(server_connection: Connection) -> None:
    assert execute_as_set(server_connection, NESTED, [(1, 1), (2, 2)]) is None


def test_numbers_are_written_bare_and_text_in_quotes() -> None:
    assert array_text([1, None, -2], "bigint") == "{1,NULL,-2}"
    assert array_text([True, None], "boolean") == "{True,NULL}"
    assert array_text(['a"b\\', None], "text") == '{"a\\"b\\\\",NULL}'
    assert array_text([], "text") == "{}"
