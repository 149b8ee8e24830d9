"""Jobs: stored, read, run by hand and purged; what changes them is in `edits`.

One method, one transaction (`create_many` and `purge_deleted` say how they differ). `now` is µs since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Integer, Table, bindparam, insert, select, text

from tui_scheduler.domain.errors import Invalid, NotFound
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState
from tui_scheduler.domain.revision import Timer, first_timer
from tui_scheduler.store import edits
from tui_scheduler.store.codec import DELETED_STATES, JOB, JOB_COLUMNS, job_of, spec_values
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import ExecutionRecord, read_executions
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.ids import new_job_id
from tui_scheduler.store.tables import TimerRow

TIMER: Final[Table] = TimerRow.__table__  # type: ignore[attr-defined]

CHUNK: Final = 1_000
"""Jobs written in one transaction by `create_many`: some 50 ms, so that a running engine hardly notices."""

# uq_job_public_id.
BY_ID: Final = select(*JOB_COLUMNS).where(JOB.c.public_id == bindparam("job_id"))
# Primary key. `expanding` makes it one statement for any number of keys.
BY_KEYS: Final = select(*JOB_COLUMNS).where(JOB.c.id.in_(bindparam("keys", expanding=True)))
# Primary key, in its order; deleted jobs are stepped over.
PAGE: Final = (
    select(*JOB_COLUMNS)
    .where(JOB.c.id > bindparam("after"), JOB.c.state.not_in(DELETED_STATES))
    .order_by(JOB.c.id)
    .limit(bindparam("count", type_=Integer))
)
# ix_job_change_no: one range, already in order.
CHANGED: Final = (
    select(*JOB_COLUMNS)
    .where(JOB.c.change_no > bindparam("after"))
    .order_by(JOB.c.change_no)
    .limit(bindparam("count", type_=Integer))
)
TIMERS: Final = select(TIMER.c.job_id, TIMER.c.planned_through, TIMER.c.next_fire_at).where(
    TIMER.c.job_id.in_(bindparam("keys", expanding=True))  # primary key
)

# uq_job_public_id.
KEY_OF = "SELECT id FROM job WHERE public_id = ?"
# Primary key of meta.
LAST_CHANGE_NO = "SELECT value FROM meta WHERE name = 'change_no'"

INSERT_MANUAL = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, trigger, state, attempt, claim_no, rescues,
  priority, next_attempt_at, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, FALSE)
"""

# ix_job_state, both states; deleted_at by the row.
DELETED_BEFORE = """
SELECT id FROM job WHERE state IN ('deleted', 'deleted paused') AND deleted_at < ? ORDER BY id LIMIT 1
"""
# uq_execution_occurrence (its first column).
SOME_EXECUTIONS = "SELECT id FROM execution WHERE job_id = ? LIMIT ?"
# ix_attempt_execution; primary keys.
PURGE: Final = (
    "DELETE FROM attempt WHERE execution_id {keys}",
    "DELETE FROM execution WHERE id {keys}",
)
PURGE_TIMER = "DELETE FROM timer WHERE job_id = ?"
PURGE_JOB = "DELETE FROM job WHERE id = ?"


class JobStore:
    """The jobs of one database. Methods that name a job raise `NotFound` when there is none or it is deleted."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, spec: JobSpec, now: int, *, job_id: str | None = None) -> Job:
        """Store a valid job. Its first occurrence is the first one after `now`."""
        with self._database.write() as connection:
            (job,) = _insert(connection, [spec], now, [job_id or new_job_id(now)])
        return job

    def create_many(self, specs: Iterable[JobSpec], now: int) -> list[int]:
        """Store valid jobs, a transaction for every 1,000 of them, without holding them all; their keys in order."""
        keys: list[int] = []
        remaining = iter(specs)
        while chunk := list(islice(remaining, CHUNK)):
            ids = [new_job_id(now) for _ in chunk]
            with self._database.write() as connection:
                keys += [job.key for job in _insert(connection, chunk, now, ids)]
        return keys

    def get(self, job_id: str) -> Job:
        """The job with this public id."""
        with self._database.read() as connection:
            row = connection.execute(BY_ID, {"job_id": job_id}).one_or_none()
        if row is None or row.state in DELETED_STATES:
            raise NotFound("job", job_id)
        return job_of(row)

    def get_by_keys(self, connection: Connection, keys: Collection[int]) -> list[Job]:
        """The jobs with these keys that there are, deleted ones too, in no order; inside the caller's transaction."""
        if not keys:
            return []
        return [job_of(row) for row in connection.execute(BY_KEYS, {"keys": list(keys)})]

    def page(self, limit: int, after: str | None = None) -> list[Job]:
        """Jobs that are not deleted, oldest first, after the one with the id `after` (which may be deleted by now).

        Raises `Invalid` when there never was such a job, or when it has been purged.
        """
        with self._database.read() as connection:
            start = 0
            if after is not None:
                found = rows(connection, KEY_OF, after)
                if not found:
                    raise Invalid("after", f"there is no job with id {after!r} to go on after")
                start = found[0].id
            return [job_of(row) for row in connection.execute(PAGE, {"after": start, "count": limit})]

    def timers(self, keys: Collection[int]) -> dict[int, Timer]:
        """Where the planning of these jobs stands."""
        if not keys:
            return {}
        with self._database.read() as connection:
            found = connection.execute(TIMERS, {"keys": list(keys)}).all()
        return {row.job_id: Timer(row.planned_through, row.next_fire_at) for row in found}

    def changed_since(self, change_no: int, limit: int = 1000) -> list[tuple[int, Job]]:
        """Jobs edited after that number, deleted ones too, each once and as it is now, in the order of the edits.

        New jobs are not among them (nobody can hold an old version of one); numbers are committed in order, so going
        on after the last one returned misses none.
        """
        with self._database.read() as connection:
            found = connection.execute(CHANGED, {"after": max(change_no, 0), "count": limit})
            return [(row.change_no, job_of(row)) for row in found]

    def last_change_no(self) -> int:
        """The number of the last edit that was committed; 0 when there was none."""
        with self._database.read() as connection:
            found = rows(connection, LAST_CHANGE_NO)
            return int(found[0].value) if found else 0

    def update(
        self, job_id: str, change: Callable[[Job], JobSpec], now: int, expected_version: int | None = None
    ) -> Job:
        """Replace what a user decides by what `change` makes of it; it must be valid, and may raise to change nothing.

        An edit that changes nothing is none: the version stays. Raises `Conflict` unless `expected_version` holds.
        """
        with self._database.write() as connection:
            return edits.update(connection, self._database.dialect, job_id, change, now, expected_version)

    def pause(self, job_id: str, now: int) -> Job:
        """No occurrence after `now` is run; retries of what was begun go on. Raises `Conflict` for a finished job."""
        with self._database.write() as connection:
            return edits.pause(connection, self._database.dialect, job_id, now)

    def resume(self, job_id: str, now: int) -> Job:
        """Go on with the first occurrence after `now`. Raises `Conflict` for a finished job."""
        with self._database.write() as connection:
            return edits.resume(connection, self._database.dialect, job_id, now)

    def delete(self, job_id: str, now: int) -> Job:
        """Stop the job and everything of it that waits, and hide it. Its history stays until it is purged."""
        with self._database.write() as connection:
            return edits.delete(connection, self._database.dialect, job_id, now)

    def restore(self, job_id: str, now: int) -> Job:
        """Undo a deletion: a job paused before is paused again, any other goes on with its first occurrence after
        `now`. A job that is not deleted stays as it is.
        """
        with self._database.write() as connection:
            return edits.restore(connection, self._database.dialect, job_id, now)

    def run_now(self, job_id: str, now: int) -> ExecutionRecord:
        """Store a manual execution that is due at `now`, also of a paused or finished job."""
        with self._database.write() as connection:
            held = edits.hold(connection, self._database.dialect, job_id)
            job = held.job
            if job.state is JobState.DELETED:
                raise NotFound("job", job_id)
            (key,) = self._database.dialect.reserve_execution_ids(connection, 1)
            made = (key, job.key, job.version, now, now, Trigger.MANUAL.value, State.PENDING.value)
            run(connection, INSERT_MANUAL, *made, job.spec.priority, now)
            (record,) = read_executions(connection, key)
        return record

    def purge_deleted(self, before: int, batch: int = 1_000) -> int:
        """Remove for good up to `batch` executions of one job deleted before that instant, with their attempts, and
        the job itself once it has no more. Returns the number of executions and jobs removed: 0 when all is done.
        """
        with self._database.write() as connection:
            dialect = self._database.dialect
            dialect.serialize_edits(connection)  # nobody restores it meanwhile
            doomed = rows(connection, DELETED_BEFORE, before)
            if not doomed:
                return 0
            job_key = doomed[0].id
            keys = [row.id for row in rows(connection, SOME_EXECUTIONS, job_key, batch)]
            values = {"keys": dialect.list_value(keys)}
            for statement in PURGE if keys else ():
                connection.execute(text(statement.format(keys=dialect.in_list("keys"))), values)
            if len(keys) == batch:
                return len(keys)
            run(connection, PURGE_TIMER, job_key)
            run(connection, PURGE_JOB, job_key)
            return len(keys) + 1


def _insert(connection: Connection, specs: Sequence[JobSpec], now: int, ids: Sequence[str]) -> list[Job]:
    """Two statements for any number of jobs. `change_no` 0: created, never edited."""
    common: dict[str, Any] = {
        "state": JobState.ACTIVE.value,
        "version": 1,
        "change_no": 0,
        "created_at": now,
        "updated_at": now,
    }
    values = [{**spec_values(spec), **common, "public_id": job_id} for spec, job_id in zip(specs, ids, strict=True)]
    keys = connection.execute(insert(JOB).returning(JOB.c.id, sort_by_parameter_order=True), values).scalars().all()
    jobs = [
        Job(key, job_id, spec, JobState.ACTIVE, 1, now, now) for key, job_id, spec in zip(keys, ids, specs, strict=True)
    ]
    connection.execute(insert(TIMER), [_timer_values(job, first_timer(job, now)) for job in jobs])
    return jobs


def _timer_values(job: Job, timer: Timer) -> dict[str, Any]:
    return {
        "job_id": job.key,
        "job_version": job.version,
        "priority": job.spec.priority,
        "next_fire_at": timer.next_fire_at,
        "planned_through": timer.planned_through,
    }
