"""The SQL that differs between SQLite and PostgreSQL. Everything else is written once."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Final, Literal

from sqlalchemy import Connection, text

from tui_scheduler.store.sets import array_text

Kind = Literal["sqlite", "postgresql"]

NEXT_CHANGE_NO: Final = "UPDATE meta SET value = value + 1 WHERE name = 'change_no' RETURNING value"
"""Primary key of `meta`. The row stays locked to the end of the transaction, so numbers follow the order of commits."""

_IN_LIKE: Final = re.compile(r"[%_\\]")
_IN_PATTERN: Final = re.compile(r"[^\w\s]", re.ASCII)
_ESCAPED: Final = r"\\\g<0>"
_BRACKETED: Final = r"[\g<0>]"


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
        return int(connection.exec_driver_sql(NEXT_CHANGE_NO).scalar_one())

    @abstractmethod
    def lock_timers(self, connection: Connection, job_keys: Collection[int]) -> None:
        """Wait until nobody else has the timers of these jobs in hand, in the order of their keys, and keep them."""

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
        """The value to bind for `in_list`, and for the `?` of `each_value`."""

    each_value: str
    """Stands in a FROM: the integers bound as `?`, each a row `k.value`."""
    by_bytes: str
    """Follows what texts are ordered by: the same order everywhere, whatever the language of the database."""
    extra_executions: str
    """Stands in a FROM: `execution`, where occurrence_key IS NULL is asked for with an order."""
    has_tag: str
    """Whether job `j` has the tag bound as `?`."""

    @abstractmethod
    def contains(self, value: str) -> tuple[str, str]:
        """SQL that follows a column and is true where it contains `value`, and the value to bind for its `?`.

        Letters are found in either case. What is more than one letter in the other case (ß, SS) is another text.
        """

    @abstractmethod
    def joined(self, column: str, source: str, order: str) -> str:
        """One SELECT of one value: the integers in `column`, as digits with commas between, in that order."""

    @abstractmethod
    def first_of_each(self, columns: str, source: str, condition: str, order: str, limit: int) -> str:
        """A SELECT from `execution e`: of each job bound for `each_value` the first `limit` rows of `source` in that
        order for which `condition` holds. `source` is `execution` or `extra_executions`, whose index has that order.
        """


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

    def lock_timers(self, connection: Connection, job_keys: Collection[int]) -> None:
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

    each_value = "json_each(?) AS k"
    by_bytes = ""
    # Left alone it looks for NULL in the unique index, and sorts all that it finds.
    extra_executions = "execution INDEXED BY ix_execution_extra"
    has_tag = "EXISTS (SELECT 1 FROM json_each(j.tags) AS tag WHERE tag.value = ?)"

    def contains(self, value: str) -> tuple[str, str]:
        # LIKE knows the two cases of ASCII letters only, and is several times faster than GLOB with its [xX].
        if value.isascii():
            return r"LIKE ? ESCAPE '\'", f"%{re.sub(_IN_LIKE, _ESCAPED, value)}%"
        return "GLOB ?", f"*{''.join(_either_case(char) or re.sub(r'[*?[]', _BRACKETED, char) for char in value)}*"

    def joined(self, column: str, source: str, order: str) -> str:
        # An ORDER BY of its own, group_concat has since 3.44 only.
        inner = f"SELECT {column} AS key FROM {source} ORDER BY {order}"  # noqa: S608 - SQL of ours
        return f"SELECT group_concat(key, ',') FROM ({inner})"  # noqa: S608

    def first_of_each(self, columns: str, source: str, condition: str, order: str, limit: int) -> str:
        first = f"SELECT id FROM {source} WHERE job_id = k.value AND {condition} ORDER BY {order} LIMIT {limit}"  # noqa: S608
        return f"SELECT {columns} FROM {self.each_value} CROSS JOIN execution AS e WHERE e.id IN ({first})"  # noqa: S608


class PostgresDialect(Dialect):
    kind: Kind = "postgresql"
    lock_rows = " FOR UPDATE SKIP LOCKED"
    lock_rows_waiting = " FOR UPDATE"

    # The sequence behind execution.id, so that rows inserted without an id agree.
    _NEXT_IDS: Final = text("SELECT nextval('execution_id_seq') FROM generate_series(1, :count)")
    # Primary key.
    _LOCK_EXECUTIONS: Final = text(
        "SELECT count(*) FROM"
        " (SELECT id FROM execution WHERE id = ANY(CAST(:keys AS bigint[])) ORDER BY id FOR UPDATE) AS locked"
    )
    _LOCK_TIMERS: Final = text(
        "SELECT count(*) FROM"
        " (SELECT job_id FROM timer WHERE job_id = ANY(CAST(:keys AS bigint[])) ORDER BY job_id FOR UPDATE) AS locked"
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
        if keys:
            connection.execute(self._LOCK_EXECUTIONS, {"keys": array_text(keys, "bigint")})

    def lock_timers(self, connection: Connection, job_keys: Collection[int]) -> None:
        connection.execute(self._LOCK_TIMERS, {"keys": array_text(job_keys, "bigint")})

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
        return array_text(values, "bigint")

    each_value = "unnest(CAST(? AS bigint[])) AS k (value)"
    by_bytes = ' COLLATE "C"'
    extra_executions = "execution"
    has_tag = "CAST(j.tags AS jsonb) @> to_jsonb(CAST(? AS text))"

    def contains(self, value: str) -> tuple[str, str]:
        # What ILIKE takes for the other case of a letter beyond ASCII depends on the database's locale.
        if value.isascii():
            return r"ILIKE ? ESCAPE '\'", f"%{re.sub(_IN_LIKE, _ESCAPED, value)}%"
        return "~ ?", "".join(_either_case(char) or re.sub(_IN_PATTERN, _ESCAPED, char) for char in value)

    def joined(self, column: str, source: str, order: str) -> str:
        return f"SELECT string_agg(CAST({column} AS text), ',' ORDER BY {order}) FROM {source}"  # noqa: S608

    def first_of_each(self, columns: str, source: str, condition: str, order: str, limit: int) -> str:
        first = f"SELECT * FROM {source} WHERE job_id = k.value AND {condition} ORDER BY {order} LIMIT {limit}"  # noqa: S608
        return f"SELECT {columns} FROM {self.each_value} CROSS JOIN LATERAL ({first}) AS e"  # noqa: S608


def _either_case(char: str) -> str | None:
    """A pattern for a letter in either case, the same for GLOB and regular expressions; None for what has no case."""
    cases = {case for case in (char, char.lower(), char.upper(), char.title()) if len(case) == 1}
    return f"[{''.join(sorted(cases))}]" if len(cases) > 1 else None
