"""Writing down what became of claimed executions. Every write is guarded by node and claim number: a node that lost
an execution to rescue can write nothing about it any more.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from tui_scheduler.domain.execution import SkipReason, State
from tui_scheduler.store.admission import is_busy
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.edits import pause_if_active
from tui_scheduler.store.failing import Failing, count, counts
from tui_scheduler.store.handover import free_job
from tui_scheduler.store.hot import Values, rows, run_many

# All by primary key (why `state || ''`: see `tables.WAITING`).
_MINE = "id = ? AND claim_no = ? AND node_id = ? AND state || '' IN ('claimed', 'running')"
FINISH = f"""
UPDATE execution SET state = ?, started_at = COALESCE(started_at, ?), finished_at = ?, duration_us = ?,
  http_status = ?, error = ?, response_excerpt = ?, next_attempt_at = ?, job_version = COALESCE(?, job_version)
WHERE {_MINE}
"""  # noqa: S608 - constants of ours
SKIP = f"""
UPDATE execution SET state = 'skipped', finished_at = ?, skip_reason = ?, skip_from = scheduled_for,
  skip_to = scheduled_for, skip_count = 1, next_attempt_at = NULL
WHERE {_MINE}
"""  # noqa: S608
GIVE_BACK = f"""
UPDATE execution SET state = 'pending', attempt = attempt - 1, node_id = NULL,
  next_attempt_at = COALESCE(next_attempt_at, fire_at)
WHERE {_MINE}
"""  # noqa: S608
SHOW_RUNNING = f"UPDATE execution SET state = 'running', started_at = COALESCE(started_at, ?) WHERE {_MINE}"  # noqa: S608
INSERT_ATTEMPT = f"""
INSERT INTO attempt (execution_id, attempt, node_id, started_at, finished_at, duration_us, http_status, error,
  response_headers, response_excerpt, waits_us, waits_for)
SELECT id, ?, node_id, ?, ?, ?, ?, ?, ?, ?, ?, ? FROM execution WHERE {_MINE}
"""  # noqa: S608
# ix_execution_unfinished.
TAKEN = "SELECT id, claim_no FROM execution WHERE node_id = ? AND state IN ('claimed', 'running')"
# ix_execution_cancel.
CANCEL_REQUESTS = """
SELECT id, claim_no, job_id FROM execution WHERE cancel_requested AND node_id = ? AND state IN ('claimed', 'running')
"""


def mine_of(dialect: Dialect) -> str:
    """Primary key: those of the executions bound as a list that a node has."""
    mine = "e.id = k.value AND e.node_id = ? AND e.state || '' IN ('claimed', 'running')"
    return f"SELECT e.id, e.claim_no FROM {dialect.each_value} CROSS JOIN execution AS e WHERE {mine}"  # noqa: S608


def busy_of(dialect: Dialect) -> str:
    """Primary key: what keeps the jobs busy that are bound as a list."""
    timers = f"{dialect.each_value} CROSS JOIN timer AS t"
    return f"SELECT t.job_id, t.running_execution_id FROM {timers} WHERE t.job_id = k.value"  # noqa: S608


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt, kept when the first did not succeed. `waits` is µs."""

    attempt: int
    started_at: int | None
    finished_at: int
    duration: int | None
    http_status: int | None
    error: str | None
    headers: tuple[tuple[str, str], ...]
    excerpt: str | None
    waits: int | None = None
    waits_for: str | None = None


class Record(NamedTuple):
    """The end of a claim: the new state and what is known.

    `job_version` is the one it was sent with; `serial` says that the job does not allow overlap, `counted` that its
    queue has limits, so that another may go.

    Instants are µs since the epoch, `duration` µs.
    """

    key: int
    claim_no: int
    job_key: int
    state: State
    finished_at: int
    started_at: int | None = None
    duration: int | None = None
    http_status: int | None = None
    error: str | None = None
    excerpt: str | None = None
    next_attempt_at: int | None = None
    skip_reason: SkipReason | None = None
    attempt: AttemptRecord | None = None
    job_version: int | None = None
    serial: bool = False
    counted: bool = False
    pause_job: bool = False


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Someone wants this claim ended."""

    key: int
    claim_no: int
    job_key: int


class RecordStore:
    """One method, one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.failing = Failing(database)

    def record(self, node: int, batch: list[Record]) -> int:
        """Write the ends of claims; returns how many were no longer this node's to write and were left alone."""
        dialect = self._database.dialect
        batch = sorted(batch, key=lambda r: r.key)
        with self._database.write() as connection:
            if any(r.pause_job for r in batch):
                dialect.serialize_edits(connection)  # before any row, as every edit does
            concerned = self.failing.concerned(connection, dialect, batch)
            running = self._lock(connection, batch, concerned)
            run_many(connection, INSERT_ATTEMPT, [_attempt_row(r, node) for r in batch if r.attempt is not None])
            written = self._finish(connection, node, [r for r in batch if r.skip_reason is None], concerned)
            written += run_many(connection, SKIP, [_skip_row(r, node) for r in batch if r.skip_reason is not None])
            for r in batch:
                if r.serial and running.get(r.job_key) == r.key and not is_busy(connection, r.key):
                    free_job(connection, r.job_key, r.finished_at)
                if r.pause_job:
                    pause_if_active(connection, dialect, r.job_key, r.finished_at)
        return len(batch) - written

    def give_back(self, node: int, held: Collection[tuple[int, int]]) -> None:
        """Return the (key, claim_no) of executions that were not sent: due again at once, for any node."""
        with self._database.write() as connection:
            self._database.dialect.lock_executions(connection, [key for key, _ in held])
            run_many(connection, GIVE_BACK, [(key, claim_no, node) for key, claim_no in held])

    def taken(self, node: int) -> list[tuple[int, int]]:
        """The (key, claim_no) of all that the store has as this node's and unfinished."""
        with self._database.read() as connection:
            return [(row.id, row.claim_no) for row in rows(connection, TAKEN, node)]

    def show_running(self, node: int, held: Collection[tuple[int, int, int]]) -> None:
        """Show the (key, claim_no, started_at) of sends that take long as running."""
        batch: list[Values] = [(started_at, key, claim_no, node) for key, claim_no, started_at in held]
        with self._database.write() as connection:
            self._database.dialect.lock_executions(connection, [key for key, _, _ in held])
            run_many(connection, SHOW_RUNNING, batch)

    def cancel_requests(self, node: int) -> list[CancelRequest]:
        """The executions this node has that someone wants ended."""
        with self._database.read() as connection:
            found = rows(connection, CANCEL_REQUESTS, node)
        return [CancelRequest(row.id, row.claim_no, row.job_id) for row in found]

    def _finish(self, connection: Connection, node: int, batch: list[Record], concerned: set[int]) -> int:
        """Write the ends; how many were still this node's to write. What was no longer ours is not counted as a
        failure, nor as the end of a row of them.
        """
        telling = [r for r in batch if counts(r, concerned)]
        if telling:
            dialect = self._database.dialect
            found = rows(connection, mine_of(dialect), dialect.list_value([r.key for r in telling]), node)
            mine = {(row.id, row.claim_no) for row in found}
            count(connection, [r for r in telling if (r.key, r.claim_no) in mine])
        return run_many(connection, FINISH, [_finish_row(r, node) for r in batch])

    def _lock(self, connection: Connection, batch: list[Record], concerned: set[int]) -> dict[int, int | None]:
        """Lock the timers that may be written, then the executions; which execution keeps which job busy.

        Rescue may want the same executions, and what writes them takes them in no particular order.
        """
        dialect = self._database.dialect
        running: dict[int, int | None] = {}
        held = {r.job_key for r in batch if r.serial or r.pause_job}
        if held or concerned:
            dialect.lock_timers(connection, held | concerned)
        if held:
            for timer in rows(connection, busy_of(dialect), dialect.list_value(held)):
                running[timer.job_id] = timer.running_execution_id
        dialect.lock_executions(connection, [r.key for r in batch])
        return running


def _finish_row(r: Record, node: int) -> Values:
    outcome = (r.state.value, r.started_at, r.finished_at if r.state.is_final else None, r.duration, r.http_status)
    return (*outcome, r.error, r.excerpt, r.next_attempt_at, r.job_version, r.key, r.claim_no, node)


def _skip_row(r: Record, node: int) -> Values:
    return (r.finished_at, r.skip_reason and r.skip_reason.value, r.key, r.claim_no, node)


def _attempt_row(r: Record, node: int) -> Values:
    a = r.attempt
    if a is None:
        raise ValueError("a record without an attempt")
    headers = json.dumps(a.headers) if a.headers else None
    told = (a.attempt, a.started_at, a.finished_at, a.duration, a.http_status, a.error, headers, a.excerpt)
    return (*told, a.waits, a.waits_for, r.key, r.claim_no, node)
