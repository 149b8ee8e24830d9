"""Maintenance windows as users make and change them.

One method, one transaction. Every change is an edit with a number, which engines follow. What a window was up to the
moment of a change is kept as a row of its own: what fired in it up to then was in maintenance, whatever comes now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection

from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.window_checks import times_of
from tui_scheduler.domain.windows import Once, Recurring, WindowSpec
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import Values, rows, run
from tui_scheduler.store.ids import new_job_id

KEPT_US: Final = 7 * 86_400 * 1_000_000
"""What is left of changed windows is kept for so long after their end: planning may be behind by a while."""

_COLUMNS: Final = "name, queue, starts_at, ends_at, schedule, duration_us, timezone, enabled"
# The whole table: a handful of rows.
ALL = f"SELECT id, public_id, {_COLUMNS}, created_at, since FROM maintenance_window WHERE NOT is_past ORDER BY id"  # noqa: S608
# uq_window_public_id.
BY_ID = f"""
SELECT id, public_id, {_COLUMNS}, created_at, since FROM maintenance_window WHERE public_id = ? AND NOT is_past
"""  # noqa: S608
INSERT = f"""
INSERT INTO maintenance_window ({_COLUMNS}, public_id, is_past, created_at, since)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""  # noqa: S608
WRITE = f"""
UPDATE maintenance_window SET {_COLUMNS.replace(",", " = ?,")} = ?, is_past = ?, since = ? WHERE id = ?
"""  # noqa: S608
# ix_timer_gated and ix_execution_gated_waiting, for each row that is past.
FORGET = """
DELETE FROM maintenance_window WHERE is_past AND since < ? AND (ends_at IS NULL OR ends_at < ?)
  AND NOT EXISTS (SELECT 1 FROM timer AS t WHERE t.gate = -maintenance_window.id)
  AND NOT EXISTS (
    SELECT 1 FROM execution AS e WHERE e.state IN ('pending', 'retrying') AND e.gate = -maintenance_window.id
  )
"""


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """A window as it is stored; it is in force from `since` (µs) on."""

    key: int
    id: str
    spec: WindowSpec
    created_at: int
    since: int

    @property
    def times(self) -> Once | Recurring:
        """When it is open, enabled or not."""
        return times_of(self.spec, since=self.since, created_at=self.created_at)


class WindowStore:
    """The windows of one database. Methods that name one raise `NotFound` when there is none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[WindowRecord]:
        """All of them, oldest first."""
        with self._database.read() as connection:
            return [_record(row) for row in rows(connection, ALL)]

    def create(self, spec: WindowSpec, now: int) -> WindowRecord:
        """Store a checked window. It holds what fires from now on."""
        with self._database.write() as connection:
            public_id = new_job_id(now)
            self._begin(connection, now)
            run(connection, INSERT, *_values(spec), public_id, False, now, now)
            self._database.dialect.next_change_no(connection)
            return _find(connection, public_id)

    def update(self, window_id: str, change: Callable[[WindowRecord], WindowSpec], now: int) -> WindowRecord:
        """Replace what a user decides by what `change` makes of it; it must be valid, and may raise to change nothing.

        It binds as the edit of a job does. What it held up to now stays held.
        """
        with self._database.write() as connection:
            self._begin(connection, now)
            before = _find(connection, window_id)
            spec = change(before)
            if spec == before.spec:
                return before
            is_other = replace(spec, name=before.spec.name) != before.spec
            since = self._end(connection, before, now) if is_other else before.since
            run(connection, WRITE, *_values(spec), False, since, before.key)
            self._database.dialect.next_change_no(connection)
            return _find(connection, window_id)

    def delete(self, window_id: str, now: int) -> None:
        """End it, now if it is open."""
        with self._database.write() as connection:
            self._begin(connection, now)
            before = _find(connection, window_id)
            since = self._end(connection, before, now)
            # The row stays until nothing is held by its gate any more.
            run(connection, WRITE, *_values(replace(before.spec, enabled=False)), True, since, before.key)
            self._database.dialect.next_change_no(connection)

    def _begin(self, connection: Connection, now: int) -> None:
        self._database.dialect.serialize_edits(connection)
        run(connection, FORGET, now - KEPT_US, now - KEPT_US)

    def _end(self, connection: Connection, window: WindowRecord, now: int) -> int:
        """Keep what the window was up to now, if it has begun; the instant from which on it is another.

        Planning may be behind, for want of nodes or because a queue is paused, and come to the past later.
        """
        begins = window.times.next_start(window.since - 1) if window.spec.enabled else None
        if begins is not None and begins < now:
            spec = replace(window.spec, ends_at=min(now, window.spec.ends_at or now))
            run(connection, INSERT, *_values(spec), new_job_id(now), True, window.created_at, window.since)
        return now


def _find(connection: Connection, window_id: str) -> WindowRecord:
    for row in rows(connection, BY_ID, window_id):
        return _record(row)
    raise NotFound("window", window_id)


def _record(row: Any) -> WindowRecord:
    spec = WindowSpec(
        row.name,
        row.queue,
        row.starts_at,
        row.ends_at,
        row.schedule,
        row.duration_us,
        row.timezone,
        bool(row.enabled),
    )
    return WindowRecord(row.id, row.public_id, spec, row.created_at, row.since)


def _values(spec: WindowSpec) -> Values:
    times = (spec.starts_at, spec.ends_at, spec.schedule, spec.duration)
    return (spec.name, spec.queue, *times, spec.timezone, spec.enabled)
