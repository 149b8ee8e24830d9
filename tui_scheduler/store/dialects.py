"""The SQL that differs between SQLite and PostgreSQL. Everything else is written once."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Final, Literal

from sqlalchemy import Connection, text

Kind = Literal["sqlite", "postgresql"]

NEXT_CHANGE_NO: Final = text("UPDATE meta SET value = value + 1 WHERE name = 'change_no' RETURNING value")
"""Primary key of `meta`. The row stays locked to the end of the transaction, so numbers follow the order of commits."""


class Dialect(ABC):
    """All methods are called inside a write transaction."""

    kind: Kind
    lock_rows: str
    """Ends a SELECT that claims rows: those another transaction has in hand are left out."""
    lock_rows_waiting: str
    """Ends a SELECT of rows that must be had: waits for those another transaction has in hand."""

    @abstractmethod
    def reserve_execution_ids(self, connection: Connection, count: int) -> Sequence[int]:
        """`count` ids for rows of `execution`, rising, never given before and never to be given again.

        A row is inserted with such an id; an id that is not used is lost, which is no harm. They need not be
        consecutive.
        """

    @abstractmethod
    def lock_executions(self, connection: Connection, keys: Sequence[int]) -> None:
        """Wait until nobody else has these rows of `execution` in hand, in the order of their keys, and keep them."""

    @abstractmethod
    def serialize_edits(self, connection: Connection) -> None:
        """From here to the end of the transaction no other transaction of any node is past this call."""

    def next_change_no(self, connection: Connection) -> int:
        """The number of an edit. A later number is always committed later. `serialize_edits` goes first."""
        return int(connection.execute(NEXT_CHANGE_NO).scalar_one())

    @abstractmethod
    def table_names(self, connection: Connection) -> set[str]:
        """The tables there are, anybody's; the database's own bookkeeping left out."""

    @abstractmethod
    def lock_for_migration(self, connection: Connection) -> None:
        """From here to the end of the transaction nobody else migrates, and nothing times out."""

    @abstractmethod
    def in_list(self, name: str) -> str:
        """SQL that ends "column ..." and is true when it is one of the integers bound as `name`.

        One statement text for any number of values, so it is prepared once. Bind with `list_value`.
        """

    @abstractmethod
    def list_value(self, values: Collection[int]) -> object:
        """The value to bind for `in_list`."""


class SqliteDialect(Dialect):
    kind: Kind = "sqlite"
    lock_rows = ""  # the write transaction has the whole file
    lock_rows_waiting = ""

    # sqlite_sequence holds AUTOINCREMENT's high-water mark: it survives the pruning of the newest rows. Raised here
    # too, so that two reservations in one transaction differ. One small table, no index.
    _RAISE_MARK: Final = text("UPDATE sqlite_sequence SET seq = seq + :count WHERE name = 'execution' RETURNING seq")
    _TABLES: Final = text(
        r"SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"
    )
    _FIRST_MARK: Final = text("INSERT INTO sqlite_sequence (name, seq) VALUES ('execution', :count)")

    def reserve_execution_ids(self, connection: Connection, count: int) -> Sequence[int]:
        if not count:
            return range(0)
        last = connection.execute(self._RAISE_MARK, {"count": count}).scalar()
        if last is None:  # SQLite makes the row at the first insert
            connection.execute(self._FIRST_MARK, {"count": count})
            last = count
        return range(last - count + 1, last + 1)

    def lock_executions(self, connection: Connection, keys: Sequence[int]) -> None:
        """The write transaction has the whole file."""

    def serialize_edits(self, connection: Connection) -> None:
        """Write transactions come one after another anyway."""

    def lock_for_migration(self, connection: Connection) -> None:
        """The write transaction has the whole file."""

    def table_names(self, connection: Connection) -> set[str]:
        return set(connection.execute(self._TABLES).scalars())

    def in_list(self, name: str) -> str:
        return f"IN (SELECT value FROM json_each(:{name}))"  # noqa: S608 - a name of ours, not a value

    def list_value(self, values: Collection[int]) -> object:
        return json.dumps(list(values))


class PostgresDialect(Dialect):
    kind: Kind = "postgresql"
    lock_rows = " FOR UPDATE SKIP LOCKED"
    lock_rows_waiting = " FOR UPDATE"

    # The sequence behind execution.id, so that rows inserted without an id agree.
    _NEXT_IDS: Final = text("SELECT nextval('execution_id_seq') FROM generate_series(1, :count)")
    # Primary key.
    _LOCK_EXECUTIONS: Final = text(
        "SELECT id FROM execution WHERE id = ANY(CAST(:keys AS bigint[])) ORDER BY id FOR UPDATE"
    )
    # Two constants, unlike each other and unlike those of other programs in the same database.
    _EDIT_LOCK: Final = text("SELECT pg_advisory_xact_lock(7205759403792794)")
    _MIGRATION_LOCK: Final = text("SELECT pg_advisory_xact_lock(7205759403792795)")
    _NO_TIMEOUTS: Final = text(
        "SELECT set_config('statement_timeout', '0', true), set_config('lock_timeout', '0', true),"
        " set_config('idle_in_transaction_session_timeout', '0', true)"
    )
    _TABLES: Final = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")

    def reserve_execution_ids(self, connection: Connection, count: int) -> Sequence[int]:
        return sorted(connection.execute(self._NEXT_IDS, {"count": count}).scalars())

    def lock_executions(self, connection: Connection, keys: Sequence[int]) -> None:
        connection.execute(self._LOCK_EXECUTIONS, {"keys": list(keys)})

    def serialize_edits(self, connection: Connection) -> None:
        connection.execute(self._EDIT_LOCK)

    def lock_for_migration(self, connection: Connection) -> None:
        connection.execute(self._NO_TIMEOUTS)
        connection.execute(self._MIGRATION_LOCK)

    def table_names(self, connection: Connection) -> set[str]:
        return set(connection.execute(self._TABLES).scalars())

    def in_list(self, name: str) -> str:
        return f"= ANY(CAST(:{name} AS bigint[]))"

    def list_value(self, values: Collection[int]) -> object:
        return list(values)
