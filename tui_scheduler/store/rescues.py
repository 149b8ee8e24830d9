"""Taking the work of a node that is dead (or ends now) so that others go on with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from tui_scheduler.domain.execution import Execution, State
from tui_scheduler.domain.job import JobType
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.database import Database
from tui_scheduler.store.failing import ADD
from tui_scheduler.store.handover import LOCK_TIMER, free_job
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.rows import execution_of

BATCH = 500

# ix_execution_unfinished; the job by its primary key. Batches keep the write lock short.
UNFINISHED_OF = """
SELECT e.id, e.job_id, e.scheduled_for, e.fire_at, e.trigger, e.state, e.attempt, e.claim_no, e.rescues, e.started_at,
  e.sent_once, e.job_version, j.version, j.updated_at, j.type, j.public_id, j.name
FROM execution e LEFT JOIN job j ON j.id = e.job_id
WHERE e.node_id = ? AND e.state IN ('claimed', 'running') ORDER BY e.id LIMIT ?
"""
# Primary key (why `state || ''`: see `tables.WAITING`).
TO_PENDING = """
UPDATE execution SET state = 'pending', attempt = ?, rescues = ?, node_id = NULL, fire_at = ?,
  next_attempt_at = COALESCE(next_attempt_at, ?)
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
# Primary key.
LAST_BEAT = "SELECT heartbeat_at FROM node WHERE id = ?"
CANCEL_REQUESTED = "SELECT cancel_requested FROM execution WHERE id = ?"


CLOCKS_DIFFER_BY = SECOND
"""µs. A heartbeat further in the future than that is from before the clock was set back."""
SENDS_ON_FOR = 8 * SECOND
"""µs for which a node may go on sending after its last heartbeat."""


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

        Where the clock was set back since the node's last heartbeat, what it may have sent is due now, and no later
        than the last edit: by the new time its instant may be hours away, and a pause would take it for work that was
        never sent.
        """
        rescued = Rescued()
        lock = self._database.dialect.lock_rows_waiting.replace("UPDATE", "UPDATE OF e")
        with self._database.write() as connection:
            # All of them: what is lost counts as a failure of its job, and is known only once its row is locked.
            seen = {row.id: row.job_id for row in rows(connection, UNFINISHED_OF, node, BATCH)}
            if seen:
                self._database.dialect.lock_timers(connection, set(seen.values()))
            found = rows(connection, UNFINISHED_OF + lock, node, BATCH)
            come_by = _come_by(connection, node, now) if found else now
            mine = [row for row in found if row.id in seen]  # another's timer is not locked: the next batch has it
            for row in mine:
                self._take(connection, row, now, come_by, rescued)
            rescued.is_last = len(found) < BATCH and len(mine) == len(found)
        return rescued

    def _take(self, connection: Connection, row: Any, now: int, come_by: int, rescued: Rescued) -> None:
        after = _after_death(row, come_by)
        if row.type is None or rows(connection, CANCEL_REQUESTED, row.id)[0].cancel_requested:
            rescued.cancelled += run(connection, TO_CANCELLED, now, "cancelled on request", row.id, row.claim_no)
            _free(connection, row, now)
        elif after.state is State.PENDING:
            has_come = row.fire_at <= come_by
            due = min(row.fire_at, now, row.updated_at) if has_come and come_by > now else row.fire_at
            rescued.pending += run(connection, TO_PENDING, after.attempt, after.rescues, due, due, row.id, row.claim_no)
        else:
            reason = _why_lost(row)
            if run(connection, TO_LOST, now, reason, row.id, row.claim_no):
                lost = Lost(row.id, row.public_id, row.name, row.scheduled_for, row.attempt, reason)
                rescued.lost.append(lost)
                run(connection, ADD, 1, row.job_id)
            _free(connection, row, now)


def _come_by(connection: Connection, node: int, now: int) -> int:
    """What is due at or before this (µs) may have been sent by the node."""
    beats = rows(connection, LAST_BEAT, node)
    was_set_back = bool(beats) and beats[0].heartbeat_at > now + CLOCKS_DIFFER_BY
    return int(beats[0].heartbeat_at) + SENDS_ON_FOR if was_set_back else now


def _after_death(row: Any, come_by: int) -> Execution:
    """What rescue makes of a row. The job's type may have been edited since: both guarantees hold, so a send under at
    most once is never repeated, and nor is one that may have been made before the job became so.
    """
    execution = execution_of(row)
    is_once = bool(row.sent_once) or row.type == JobType.ATMOST_ONCE
    was_edited = row.job_version != row.version
    has_come = row.fire_at <= come_by
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
