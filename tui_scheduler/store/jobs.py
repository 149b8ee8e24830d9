"""Jobs: stored, read, run by hand and purged; what changes them is in `edits`.

One method, one transaction (`create_many` and `purge_deleted` say how they differ). `now` is µs since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Row, TextClause, text

from tui_scheduler.domain.errors import Invalid, NotFound
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState
from tui_scheduler.domain.revision import Timer, first_timer
from tui_scheduler.store import edits
from tui_scheduler.store.codec import JOB_COLUMNS, SPEC_COLUMNS, job_of, spec_values
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import ExecutionRecord, read_executions
from tui_scheduler.store.hot import Values, rows, run, run_many
from tui_scheduler.store.ids import new_job_id

CHUNK: Final = 1_000
"""Jobs written in one transaction by `create_many`: some 50 ms, so that a running engine hardly notices."""

MOST_CHANGED: Final = 1_000
"""Edits returned by one `changed_since`."""

# uq_job_public_id.
BY_ID = f"SELECT {JOB_COLUMNS} FROM job WHERE public_id = ?"  # noqa: S608
KEY_OF = "SELECT id FROM job WHERE public_id = ?"
# Primary key.
BY_KEYS = f"SELECT {JOB_COLUMNS} FROM job WHERE id "  # noqa: S608
TIMERS = "SELECT job_id, planned_through, next_fire_at FROM timer WHERE job_id "
# Primary key, in its order; deleted jobs are stepped over.
PAGE = f"""
SELECT {JOB_COLUMNS} FROM job WHERE id > ? AND state NOT IN ('deleted', 'deleted paused') ORDER BY id LIMIT ?
"""  # noqa: S608
# ix_job_change_no: one range, already in order.
CHANGED = f"SELECT {JOB_COLUMNS}, change_no FROM job WHERE change_no > ? ORDER BY change_no LIMIT ?"  # noqa: S608
# Primary key of meta.
LAST_CHANGE_NO = "SELECT value FROM meta WHERE name = 'change_no'"

# `change_no` 0: created, never edited.
INSERT_JOB = f"""
INSERT INTO job ({", ".join(SPEC_COLUMNS)}, public_id, state, version, change_no, created_at, updated_at)
VALUES ({"?, " * len(SPEC_COLUMNS)}?, 'active', 1, 0, ?, ?)
"""  # noqa: S608
INSERT_TIMER = """
INSERT INTO timer (job_id, job_version, priority, planned_through, next_fire_at) VALUES (?, 1, ?, ?, ?)
"""

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
    "DELETE FROM attempt WHERE execution_id ",
    "DELETE FROM execution WHERE id ",
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
            found = [job_of(row) for row in rows(connection, BY_ID, job_id)]
        if not found or found[0].state is JobState.DELETED:
            raise NotFound("job", job_id)
        return found[0]

    def get_by_keys(self, connection: Connection, keys: Collection[int]) -> list[Job]:
        """The jobs with these keys that there are, deleted ones too, in no order; inside the caller's transaction."""
        if not keys:
            return []
        return [job_of(row) for row in self._by_keys(connection, BY_KEYS, keys)]

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
            return [job_of(row) for row in rows(connection, PAGE, start, limit)]

    def timers(self, keys: Collection[int]) -> dict[int, Timer]:
        """Where the planning of these jobs stands."""
        if not keys:
            return {}
        with self._database.read() as connection:
            found = self._by_keys(connection, TIMERS, keys)
        return {row.job_id: Timer(row.planned_through, row.next_fire_at) for row in found}

    def changed_since(self, change_no: int, limit: int = MOST_CHANGED) -> list[tuple[int, Job]]:
        """Jobs edited after that number, deleted ones too, each once and as it is now, in the order of the edits.

        New jobs are not among them (nobody can hold an old version of one); numbers are committed in order, so going
        on after the last one returned misses none.
        """
        with self._database.read() as connection:
            newest = rows(connection, LAST_CHANGE_NO)
            if not newest or newest[0].value <= change_no:
                return []  # engines ask ten times a second, mostly in vain
            found = rows(connection, CHANGED, max(change_no, 0), limit)
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
                connection.execute(_in_keys(statement, dialect.in_list("keys")), values)
            if len(keys) == batch:
                return len(keys)
            run(connection, PURGE_TIMER, job_key)
            run(connection, PURGE_JOB, job_key)
            return len(keys) + 1

    def _by_keys(self, connection: Connection, statement: str, keys: Collection[int]) -> Sequence[Row[Any]]:
        dialect = self._database.dialect
        values = {"keys": dialect.list_value(keys)}
        return connection.execute(_in_keys(statement, dialect.in_list("keys")), values).all()


@lru_cache(maxsize=16)
def _in_keys(statement: str, in_list: str) -> TextClause:
    return text(statement + in_list)


def _insert(connection: Connection, specs: Sequence[JobSpec], now: int, ids: Sequence[str]) -> list[Job]:
    """Three statements for any number of jobs."""
    run_many(
        connection,
        INSERT_JOB,
        [(*spec_values(spec), job_id, now, now) for spec, job_id in zip(specs, ids, strict=True)],
    )
    # uq_job_public_id.
    stored = f"SELECT public_id, id FROM job WHERE public_id IN ({', '.join('?' * len(ids))})"  # noqa: S608
    keys = dict(tuple(row) for row in rows(connection, stored, *ids))
    jobs = [
        Job(keys[job_id], job_id, spec, JobState.ACTIVE, 1, now, now) for job_id, spec in zip(ids, specs, strict=True)
    ]
    run_many(connection, INSERT_TIMER, [_timer_row(job, first_timer(job, now)) for job in jobs])
    return jobs


def _timer_row(job: Job, timer: Timer) -> Values:
    return (job.key, job.spec.priority, timer.planned_through, timer.next_fire_at)
