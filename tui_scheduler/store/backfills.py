"""Backfills: old occurrences of a job stored to be run, some hundred a transaction, and cancelled while they wait.

Those of a job that allows overlap are due at once, one after the other by a microsecond, so the oldest goes first;
those of any other wait for their turn (see `handover`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.job import Job, JobState, Overlap
from tui_scheduler.domain.revision import Timer
from tui_scheduler.store import edits
from tui_scheduler.store.admission import is_busy
from tui_scheduler.store.codec import job_of
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.handover import LOCK_TIMER, free_job
from tui_scheduler.store.hot import rows, run_many

CHUNK: Final = 500
"""Occurrences stored, or cancelled, in one transaction: some 10 ms."""

# uq_execution_occurrence: an occurrence that somebody planned meanwhile stays as it is.
INSERT_BACKFILL: Final = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, priority, next_attempt_at, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, 'backfill', 'pending', 0, 0, 0, ?, ?, FALSE)
ON CONFLICT (job_id, occurrence_key) DO NOTHING
"""
# Primary key, guarded by the state. By what it was skipped stays with it.
TAKE_OVER: Final = """
UPDATE execution SET trigger = 'backfill', state = 'pending', job_version = ?, fire_at = ?, priority = ?,
  next_attempt_at = ?, finished_at = NULL
WHERE id = ? AND state = 'skipped'
"""
# ix_execution_waiting_job.
WAITING_BACKFILLS: Final = """
SELECT id FROM execution WHERE job_id = ? AND state IN ('pending', 'retrying') AND trigger = 'backfill'
ORDER BY id LIMIT ?
"""


def there_of(dialect: Dialect) -> str:
    """uq_execution_occurrence, one step an occurrence."""
    there = "e.job_id = ? AND e.occurrence_key = k.value"
    columns = "e.id, e.occurrence_key, e.state"
    return f"SELECT {columns} FROM {dialect.each_value} CROSS JOIN execution AS e WHERE {there}"  # noqa: S608


class Added(NamedTuple):
    """Of some occurrences: how many are run by this, and how many of those had been skipped."""

    to_run: int
    taken_over: int


class BackfillStore:
    """One method, one transaction. `now` is µs since the epoch. Raises `NotFound` for a job that is deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def standing(self, job_id: str) -> tuple[Job, Timer]:
        """The job, and where its planning stands."""
        with self._database.read() as connection:
            found = rows(connection, edits.KEY_OF, job_id)
            held = rows(connection, edits.held_of(self._database.dialect), self._bound([row.id for row in found]))
            if not held:
                raise NotFound("job", job_id)
            job = job_of(held[0])
        if job.state is JobState.DELETED:
            raise NotFound("job", job_id)
        return job, Timer(held[0].planned_through, held[0].next_fire_at)

    def look(self, job_key: int, instants: Sequence[int]) -> Added:
        """What `add` would do about these occurrences."""
        with self._database.read() as connection:
            found = self._there(connection, job_key, instants)
        taken_over = sum(row.state == "skipped" for row in found)
        return Added(len(instants) - len(found) + taken_over, taken_over)

    def add(self, job_id: str, instants: Sequence[int], now: int, rank: int) -> Added:
        """Store these occurrences (at most 500, rising) to be run; what there is of one stays as it is, apart from the
        record that it alone was skipped, which is taken over. Doing it twice does nothing the second time.
        """
        dialect = self._database.dialect
        with self._database.write() as connection:
            held = edits.hold(connection, dialect, job_id)
            job = held.job
            if job.state is JobState.DELETED:
                raise NotFound("job", job_id)
            there = {row.occurrence_key: row for row in self._there(connection, job.key, instants)}
            is_serial = job.spec.overlap is not Overlap.ALLOW
            due = {at: None if is_serial else now + place for place, at in enumerate(instants)}
            skipped = sorted((row.id, at) for at, row in there.items() if row.state == "skipped")
            taken_over = run_many(
                connection, TAKE_OVER, [(job.version, now, rank, due[at], key) for key, at in skipped]
            )
            new = [at for at in instants if at not in there]
            keys = dialect.reserve_execution_ids(connection, len(new)) if new else ()
            made = [(key, job.key, job.version, at, now, at, rank, due[at]) for key, at in zip(keys, new, strict=True)]
            added = run_many(connection, INSERT_BACKFILL, made)
            if is_serial and not is_busy(connection, held.running):
                free_job(connection, job.key, now)
        return Added(added + taken_over, taken_over)

    def cancel(self, job_key: int, now: int, why: str) -> int:
        """End up to 500 backfills of the job that wait; how many there were (0: none waits any more)."""
        dialect = self._database.dialect
        with self._database.write() as connection:
            timers = rows(connection, LOCK_TIMER + dialect.lock_rows_waiting, job_key)
            keys = [row.id for row in rows(connection, WAITING_BACKFILLS, job_key, CHUNK)]
            if not keys:
                return 0
            dialect.lock_executions(connection, keys)
            cancelled = run_many(connection, edits.CANCEL, [(why, now, key) for key in keys])
            if timers and timers[0].running_execution_id in keys:
                free_job(connection, job_key, now)
        return cancelled

    def _there(self, connection: Connection, job_key: int, instants: Sequence[int]) -> Sequence[Any]:
        return rows(connection, there_of(self._database.dialect), self._bound(instants), job_key)

    def _bound(self, values: Sequence[int]) -> object:
        return self._database.dialect.list_value(values)
