"""What changes a job: update, pause, resume, delete and restore, each inside the caller's write transaction.

The domain decides (`revision`), this writes. Two locks make it safe on PostgreSQL: the edit lock puts the edits of all
jobs in one order, the lock of the job's timer keeps planners away. Rows of executions are taken only while nobody has
them in hand (SKIP LOCKED): one that a node is claiming right now is its owner's business, who re-checks it against
the edit. So an edit never waits for an execution, and cannot be part of a deadlock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from tui_scheduler.domain.decisions import Occurrence, Stretch
from tui_scheduler.domain.errors import Conflict, NotFound
from tui_scheduler.domain.job import Job, JobSpec, JobState, Overlap
from tui_scheduler.domain.revision import Planned, Revision, Timer, fires_differently, reschedule, start, stop
from tui_scheduler.store.codec import DELETED_WHILE_PAUSED, JOB_COLUMNS, SPEC_COLUMNS, job_of, spec_values
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.handover import free_job
from tui_scheduler.store.hot import Values, rows, run, run_many
from tui_scheduler.store.rows import INSERT_SKIPPED, skipped_row

# uq_job_public_id.
KEY_OF = "SELECT id FROM job WHERE public_id = ?"
# Primary keys.
_TIMER = "planned_through, next_fire_at, running_execution_id"
TIMER_OF = f"SELECT {_TIMER} FROM timer WHERE job_id = ?"  # noqa: S608 - columns of ours
JOB_OF = f"SELECT {JOB_COLUMNS}, state AS stored_state FROM job WHERE id = ?"  # noqa: S608
WRITE_JOB = f"""
UPDATE job SET {", ".join(f"{name} = ?" for name in SPEC_COLUMNS)}, version = ?, updated_at = ?, change_no = ?,
  state = ?, deleted_at = ? WHERE id = ?
"""  # noqa: S608
WRITE_STATE = """
UPDATE job SET version = ?, updated_at = ?, change_no = ?, state = ?, deleted_at = ? WHERE id = ?
"""
WRITE_TIMER = """
UPDATE timer SET job_version = ?, priority = ?, planned_through = ?, next_fire_at = ? WHERE job_id = ?
"""
UNGATE_TIMER = "UPDATE timer SET gate = NULL WHERE job_id = ? AND gate IS NOT NULL"
RELEASE_TIMER = "UPDATE timer SET running_execution_id = NULL WHERE job_id = ?"

# ix_execution_waiting_job: what waits of one job, a handful apart from its backfills.
PLANNED_OF = """
SELECT id, scheduled_for, fire_at FROM execution
WHERE job_id = ? AND state IN ('pending', 'retrying') AND state = 'pending' AND trigger = 'schedule' AND attempt = 0
  AND fire_at > ?
"""
PRESENT_OF = """
SELECT id FROM execution
WHERE job_id = ? AND state IN ('pending', 'retrying') AND trigger IN ('schedule', 'manual', 'replay')
"""
WAITING_OF = "SELECT id FROM execution WHERE job_id = ? AND state IN ('pending', 'retrying')"
REPRIORITIZE = (
    "UPDATE execution SET priority = ? WHERE id = ? AND state || '' IN ('pending', 'retrying') AND priority <> ?"
)
UNGATE = """
UPDATE execution SET gate = NULL
WHERE id = ? AND state || '' IN ('pending', 'retrying') AND gate IS NOT NULL
"""
WAITERS_OF = """
SELECT id FROM execution WHERE job_id = ? AND state IN ('pending', 'retrying') AND next_attempt_at IS NULL
"""

# Primary key (why `state || ''`: see `tables.WAITING`), guarded by the state: legal from there (see `LEGAL`) and
# taken by nobody.
WAKE = """
UPDATE execution SET next_attempt_at = CASE WHEN fire_at > ? THEN fire_at ELSE ? END
WHERE id = ? AND state || '' IN ('pending', 'retrying') AND next_attempt_at IS NULL
"""
SKIP = """
UPDATE execution SET state = 'skipped', skip_reason = ?, skip_from = scheduled_for, skip_to = scheduled_for,
  skip_count = 1, finished_at = ?, next_attempt_at = NULL
WHERE id = ? AND state || '' = 'pending'
"""
CANCEL = """
UPDATE execution SET state = 'cancelled', error = ?, finished_at = ?, next_attempt_at = NULL
WHERE id = ? AND state || '' IN ('pending', 'retrying')
"""
MOVE = """
UPDATE execution SET fire_at = ?, next_attempt_at = ?, job_version = ? WHERE id = ? AND state || '' = 'pending'
"""

# uq_execution_occurrence: an occurrence that somebody planned already stays as it is.
INSERT_PENDING = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, priority, next_attempt_at, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, 'schedule', 'pending', 0, 0, 0, ?, ?, FALSE)
ON CONFLICT (job_id, occurrence_key) DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A job whose timer is locked to the end of the transaction, as it stands."""

    job: Job
    stored_state: str
    timer: Timer
    running: int | None


def hold(connection: Connection, dialect: Dialect, job_id: str | int) -> Held:
    """Lock the timer of a job, deleted or not, then read it. Raises `NotFound`."""
    key = job_id if isinstance(job_id, int) else next(iter(rows(connection, KEY_OF, job_id)), (None,))[0]
    timers = rows(connection, TIMER_OF + dialect.lock_rows_waiting, key)
    found = rows(connection, JOB_OF, key)
    if not found or not timers:
        raise NotFound("job", str(job_id))
    timer = Timer(timers[0].planned_through, timers[0].next_fire_at)
    return Held(job_of(found[0]), found[0].stored_state, timer, timers[0].running_execution_id)


def held_of(dialect: Dialect) -> str:
    """Primary keys of both: what `hold` reads, of many jobs."""
    tables = f"{dialect.each_value} CROSS JOIN job AS j CROSS JOIN timer AS t"
    there = f"SELECT j.*, {_TIMER} FROM {tables} WHERE j.id = k.value AND t.job_id = k.value"  # noqa: S608
    return f"SELECT {JOB_COLUMNS}, state AS stored_state, {_TIMER} FROM ({there}) AS held"  # noqa: S608


def hold_many(connection: Connection, dialect: Dialect, job_keys: Collection[int]) -> dict[int, Held]:
    """`hold` of those of these jobs that there are, after `serialize_edits`: three statements for any number."""
    dialect.lock_timers(connection, job_keys)
    found = rows(connection, held_of(dialect), dialect.list_value(job_keys))
    held = [
        Held(job_of(row), row.stored_state, Timer(row.planned_through, row.next_fire_at), row.running_execution_id)
        for row in found
    ]
    return {each.job.key: each for each in held}


def update(
    connection: Connection,
    dialect: Dialect,
    job_id: str,
    change: Callable[[Job], JobSpec],
    now: int,
    expected_version: int | None,
) -> Job:
    """Replace what a user decides. `Conflict` when the version is another, `NotFound` for a deleted job."""
    edit = _Edit(connection, dialect, job_id, now)
    job = edit.job
    edit.refuse_deleted()
    if expected_version is not None and expected_version != job.version:
        raise Conflict(f"the job was changed meanwhile: it is at version {job.version}, not {expected_version}")
    spec = change(job)
    if spec == job.spec:
        return job
    edited = replace(job, spec=spec)
    if job.state is JobState.PAUSED or not fires_differently(job, edited):
        return edit.write(edited, edit.held.timer)
    return edit.revise(edited, reschedule(job, edited, edit.held.timer, edit.planned(), now))


def pause(connection: Connection, dialect: Dialect, job_id: str | int | Held, now: int) -> Job:
    """Stop planning, and skip what was planned but is not due. Retries go on.

    Here and below the job may be named by its key, too, or be held already.
    """
    edit = _Edit(connection, dialect, job_id, now)
    edit.refuse_deleted()
    if edit.job.state is JobState.PAUSED:
        return edit.job
    edit.refuse_finished("paused")
    return edit.revise(edit.job, stop(edit.job, edit.held.timer, edit.planned(), now, JobState.PAUSED))


def pause_if_active(connection: Connection, dialect: Dialect, job_key: int, now: int) -> None:
    """The engine's own pause: of a job that a user paused, ended or deleted meanwhile there is nothing to be said."""
    try:
        pause(connection, dialect, job_key, now)
    except (Conflict, NotFound):
        return


def resume(connection: Connection, dialect: Dialect, job_id: str | int | Held, now: int) -> Job:
    """Plan again, from `now`."""
    edit = _Edit(connection, dialect, job_id, now)
    edit.refuse_deleted()
    if edit.job.state is JobState.ACTIVE:
        return edit.job
    edit.refuse_finished("resumed")
    return edit.revise(edit.job, start(edit.job, edit.held.timer, now))


def delete(connection: Connection, dialect: Dialect, job_id: str | int | Held, now: int) -> Job:
    """Hide the job, and end everything of it that waits."""
    edit = _Edit(connection, dialect, job_id, now)
    edit.refuse_deleted()
    was_paused = edit.job.state is JobState.PAUSED
    revision = stop(edit.job, edit.held.timer, edit.planned(), now, JobState.DELETED)
    deleted = edit.revise(edit.job, revision, DELETED_WHILE_PAUSED if was_paused else None)
    edit.cancel_waiting("the job was deleted")
    return deleted


def restore(connection: Connection, dialect: Dialect, job_id: str | int | Held, now: int) -> Job:
    """Undo a deletion. What was cancelled by it stays so."""
    edit = _Edit(connection, dialect, job_id, now)
    if edit.job.state is not JobState.DELETED:
        return edit.job
    if edit.held.stored_state == DELETED_WHILE_PAUSED:
        return edit.write(replace(edit.job, state=JobState.PAUSED), edit.held.timer)
    return edit.revise(edit.job, start(edit.job, edit.held.timer, now))


class _Edit:
    """One edit under way: the job as it was, locked, and what it takes to write what becomes of it."""

    def __init__(self, connection: Connection, dialect: Dialect, job_id: str | int | Held, now: int) -> None:
        self._connection = connection
        self._dialect = dialect
        self._now = now
        if isinstance(job_id, Held):
            self.held = job_id
        else:
            dialect.serialize_edits(connection)
            self.held = hold(connection, dialect, job_id)
        self.job = self.held.job
        self._job_id = self.job.id if isinstance(job_id, Held) else job_id

    def refuse_deleted(self) -> None:
        if self.job.state is JobState.DELETED:
            raise NotFound("job", str(self._job_id))

    def refuse_finished(self, wanted: str) -> None:
        if self.job.state is JobState.FINISHED:
            raise Conflict(f"the job has finished, so it cannot be {wanted}: its schedule has no further occurrence")

    def planned(self) -> list[Planned]:
        """What the schedule has planned, that is not due and nobody has taken."""
        found = rows(self._connection, PLANNED_OF + self._dialect.lock_rows, self.job.key, self._now)
        return [Planned(row.id, row.scheduled_for, row.fire_at) for row in found]

    def revise(self, edited: Job, revision: Revision, stored_state: str | None = None) -> Job:
        """Write a decision: the job, its timer, and the executions that follow from it."""
        written = self.write(replace(edited, state=revision.state), revision.timer, stored_state)
        self._plan(written, revision.add)
        self._record(written, revision.skips)
        dropped = [(revision.reason.value, self._now, execution.key) for execution in revision.drop]
        run_many(self._connection, SKIP, dropped)
        moved = [(fire_at, fire_at, written.version, key) for key, fire_at in revision.move.items()]
        run_many(self._connection, MOVE, moved)
        if self.held.running in {execution.key for execution in revision.drop}:
            if written.state is JobState.DELETED:
                run(self._connection, RELEASE_TIMER, written.key)
            else:
                free_job(self._connection, written.key, self._now)
        return written

    def write(self, edited: Job, timer: Timer, stored_state: str | None = None) -> Job:
        """Write the job as its next version, and its timer; `stored_state` where the column says more."""
        written = replace(edited, version=self.job.version + 1, updated_at=self._now)
        change_no = self._dialect.next_change_no(self._connection)
        state = stored_state or written.state.value
        deleted_at = self._now if written.state is JobState.DELETED else None
        numbers = (written.version, self._now, change_no, state, deleted_at)
        if written.spec is self.job.spec:
            run(self._connection, WRITE_STATE, *numbers, written.key)
        else:
            run(self._connection, WRITE_JOB, *spec_values(written.spec), *numbers, written.key)
        priority = written.spec.priority
        position = (timer.planned_through, timer.next_fire_at)
        run(self._connection, WRITE_TIMER, written.version, priority, *position, written.key)
        if priority != self.job.spec.priority:
            waiting = [(priority, key, priority) for key in self._waiting(PRESENT_OF)]
            run_many(self._connection, REPRIORITIZE, waiting)
        if written.spec.queue != self.job.spec.queue:
            # Claims find out what holds it now; what held it may be closed, and then nobody would look.
            run(self._connection, UNGATE_TIMER, written.key)
            run_many(self._connection, UNGATE, [(key,) for key in self._waiting(WAITING_OF)])
        if written.spec.overlap is Overlap.ALLOW and self.job.spec.overlap is not Overlap.ALLOW:
            # Nobody looks at the end of the one under way any more.
            run(self._connection, RELEASE_TIMER, written.key)
            run_many(self._connection, WAKE, [(self._now, self._now, key) for key in self._waiting(WAITERS_OF)])
        return written

    def cancel_waiting(self, why: str) -> None:
        """End whatever waits, of any trigger."""
        cancelled = self._waiting(WAITING_OF)
        run_many(self._connection, CANCEL, [(why, self._now, key) for key in cancelled])
        if self.held.running in cancelled:
            run(self._connection, RELEASE_TIMER, self.job.key)

    def _waiting(self, statement: str) -> list[int]:
        return [row.id for row in rows(self._connection, statement + self._dialect.lock_rows, self.job.key)]

    def _plan(self, job: Job, occurrences: list[Occurrence]) -> None:
        keys = self._dialect.reserve_execution_ids(self._connection, len(occurrences)) if occurrences else ()
        run_many(self._connection, INSERT_PENDING, list(_pending_rows(job, occurrences, keys)))

    def _record(self, job: Job, skips: list[Stretch]) -> None:
        keys = self._dialect.reserve_execution_ids(self._connection, len(skips)) if skips else ()
        old = replace(self.job, version=job.version)  # with the offset of the schedule that had them
        batch = [skipped_row(key, old, stretch, self._now) for key, stretch in zip(keys, skips, strict=True)]
        run_many(self._connection, INSERT_SKIPPED, batch)


def _pending_rows(job: Job, occurrences: Iterable[Occurrence], keys: Iterable[int]) -> Iterable[Values]:
    for key, occurrence in zip(keys, occurrences, strict=True):
        at, fire_at = occurrence.scheduled_for, occurrence.fire_at
        yield (key, job.key, job.version, at, fire_at, at, job.spec.priority, fire_at)
