"""Taking the work of a node that is dead (or ends now) so that others go on with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from tui_scheduler.domain.execution import Execution, State
from tui_scheduler.domain.job import JobType
from tui_scheduler.store.database import Database
from tui_scheduler.store.failing import ADD
from tui_scheduler.store.handover import LOCK_TIMER, free_job
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.rows import execution_of

BATCH = 500

# ix_execution_unfinished; the job by its primary key. Batches keep the write lock short.
UNFINISHED_OF = """
SELECT e.id, e.job_id, e.scheduled_for, e.fire_at, e.trigger, e.state, e.attempt, e.claim_no, e.rescues, e.started_at,
  e.sent_once, e.job_version, j.version, j.type, j.public_id, j.name
FROM execution e LEFT JOIN job j ON j.id = e.job_id
WHERE e.node_id = ? AND e.state IN ('claimed', 'running') ORDER BY e.id LIMIT ?
"""
# Primary key (why `state || ''`: see `tables.WAITING`).
TO_PENDING = """
UPDATE execution SET state = 'pending', attempt = ?, rescues = ?, node_id = NULL,
  next_attempt_at = COALESCE(next_attempt_at, fire_at)
WHERE id = ? AND claim_no = ? AND state || '' IN ('claimed', 'running')
"""
TO_LOST = """
UPDATE execution SET state = 'lost', finished_at = ?, error = ? WHERE id = ? AND claim_no = ?
  AND state || '' IN ('claimed', 'running')
"""
TO_CANCELLED = """
UPDATE execution SET state = 'cancelled', finished_at = ?, error = ? WHERE id = ? AND claim_no = ?
  AND state || '' IN ('claimed', 'running')
"""
CANCEL_REQUESTED = "SELECT cancel_requested FROM execution WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Lost:
    """An execution that will not be made: it may have been sent once already, or it outlived too many nodes."""

    key: int
    job_id: str
    job_name: str
    scheduled_for: int
    attempt: int
    reason: str


@dataclass(slots=True)
class Rescued:
    """What one batch came to. `is_last` says that the node had no more."""

    pending: int = 0
    cancelled: int = 0
    lost: list[Lost] = field(default_factory=list)
    is_last: bool = False


class RescueStore:
    """One method, one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rescue(self, node: int, now: int) -> Rescued:
        """Take up to 500 unfinished executions from `node`, which must be dead or be the caller itself.

        At-least-once work and what was not sent is pending again, due at its own instant and so at once; at-most-once
        work that may have been sent is lost; work that someone wanted ended is.
        """
        rescued = Rescued()
        lock = self._database.dialect.lock_rows_waiting.replace("UPDATE", "UPDATE OF e")
        with self._database.write() as connection:
            # All of them: what is lost counts as a failure of its job, and is known only once its row is locked.
            seen = {row.id: row.job_id for row in rows(connection, UNFINISHED_OF, node, BATCH)}
            if seen:
                self._database.dialect.lock_timers(connection, set(seen.values()))
            found = rows(connection, UNFINISHED_OF + lock, node, BATCH)
            mine = [row for row in found if row.id in seen]  # another's timer is not locked: the next batch has it
            for row in mine:
                self._take(connection, row, now, rescued)
            rescued.is_last = len(found) < BATCH and len(mine) == len(found)
        return rescued

    def _take(self, connection: Connection, row: Any, now: int, rescued: Rescued) -> None:
        after = _after_death(row, now)
        if row.type is None or rows(connection, CANCEL_REQUESTED, row.id)[0].cancel_requested:
            rescued.cancelled += run(connection, TO_CANCELLED, now, "cancelled on request", row.id, row.claim_no)
            _free(connection, row, now)
        elif after.state is State.PENDING:
            rescued.pending += run(connection, TO_PENDING, after.attempt, after.rescues, row.id, row.claim_no)
        else:
            reason = _why_lost(row)
            if run(connection, TO_LOST, now, reason, row.id, row.claim_no):
                lost = Lost(row.id, row.public_id, row.name, row.scheduled_for, row.attempt, reason)
                rescued.lost.append(lost)
                run(connection, ADD, 1, row.job_id)
            _free(connection, row, now)


def _after_death(row: Any, now: int) -> Execution:
    """What rescue makes of a row. The job's type may have been edited since: both guarantees hold, so a send under at
    most once is never repeated, and nor is one that may have been made before the job became so.
    """
    execution = execution_of(row)
    is_once = bool(row.sent_once) or row.type == JobType.ATMOST_ONCE
    was_edited = row.job_version != row.version
    has_come = row.fire_at <= now
    if is_once and was_edited and has_come and execution.state is State.CLAIMED:
        execution = execution.start()
    return execution.rescue(may_send_again=not is_once, may_have_been_sent=has_come)


def _free(connection: Connection, row: Any, now: int) -> None:
    held = rows(connection, LOCK_TIMER, row.job_id)
    if held and held[0].running_execution_id == row.id:
        free_job(connection, row.job_id, now)


def _why_lost(row: Any) -> str:
    if row.sent_once or row.type == JobType.ATMOST_ONCE:
        return "lost: its node ended while it was being sent, and it may be sent only once"
    return f"lost: {row.rescues + 1} nodes ended while they had it"
