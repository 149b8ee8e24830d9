"""Cancel and replay of one execution, each one transaction. `now` is µs since the epoch.

Whoever takes several rows takes timers first, then executions, so nobody waits in a circle (see `handover`).
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection

from tui_scheduler.domain.errors import Conflict, NotFound
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import JobState, Overlap
from tui_scheduler.store import edits
from tui_scheduler.store.admission import ASK_TO_CANCEL, CANCEL_WAITING, is_busy
from tui_scheduler.store.database import Database
from tui_scheduler.store.handover import LOCK_TIMER, free_job
from tui_scheduler.store.history import ExecutionRecord, read_executions
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.ids import execution_key, id_ms
from tui_scheduler.store.jobs import INSERT_MANUAL

# Primary key.
OVERLAP_OF: Final = "SELECT overlap FROM job WHERE id = ?"

ON_REQUEST: Final = "cancelled on request"


class RunStore:
    """The executions of one database, by their public ids. Raises `NotFound` for one that is not there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def cancel(self, public_id: str, now: int) -> ExecutionRecord:
        """End what waits at once; ask the owner of what is under way to end it. `Conflict` when it has ended."""
        with self._database.write() as connection:
            dialect = self._database.dialect
            found = self._find(connection, public_id)
            timers = rows(connection, LOCK_TIMER + dialect.lock_rows_waiting, found.job_key)
            dialect.lock_executions(connection, [found.key])
            locked = self._find(connection, public_id)  # it may have been pruned in between
            if State(locked.state).is_final:
                raise Conflict(f"there is nothing to cancel: the execution has ended ({locked.state})")
            if run(connection, CANCEL_WAITING, now, ON_REQUEST, locked.key):
                if timers and self._frees(connection, locked, timers[0].running_execution_id):
                    free_job(connection, locked.job_key, now)
            else:
                run(connection, ASK_TO_CANCEL, locked.key)
            (record,) = read_executions(connection, locked.key)
        return record

    def replay(self, public_id: str, now: int) -> ExecutionRecord:
        """Store an execution for the same instant, due at `now`, of the job as it is now (paused or finished ones
        too). `Conflict` when the first has not ended, `NotFound` when its job is deleted.
        """
        with self._database.write() as connection:
            found = self._find(connection, public_id)
            if not State(found.state).is_final:
                raise Conflict(f"it can be replayed once it has ended; it is {found.state}")
            job = edits.hold(connection, self._database.dialect, found.job_key).job
            if job.state is JobState.DELETED:
                raise NotFound("job", job.id)
            (key,) = self._database.dialect.reserve_execution_ids(connection, 1)
            made = (key, job.key, job.version, found.scheduled_for, now, Trigger.REPLAY.value, State.PENDING.value)
            run(connection, INSERT_MANUAL, *made, job.spec.priority, now)
            (record,) = read_executions(connection, key)
        return record

    def _frees(self, connection: Connection, ended: ExecutionRecord, running: int | None) -> bool:
        """Whether the end of what waited lets another one of its job go: its turn had come, or kept others waiting."""
        if ended.trigger != Trigger.BACKFILL or running == ended.key:
            return running == ended.key
        (job,) = rows(connection, OVERLAP_OF, ended.job_key)
        return job.overlap != Overlap.ALLOW and not is_busy(connection, running)

    def _find(self, connection: Connection, public_id: str) -> ExecutionRecord:
        """Read without a lock: it says which timer comes first."""
        decoded = execution_key(public_id, self._database.salt)
        found = read_executions(connection, decoded[0]) if decoded is not None else []
        if decoded is None or not found or id_ms(found[0].scheduled_for) != decoded[1]:
            raise NotFound("execution", public_id)
        return found[0]
