"""Forgetting old history, in batches small enough that nothing else waits for them noticeably."""

from __future__ import annotations

from dataclasses import dataclass

from tui_scheduler.domain.execution import State
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows, run_many

# Primary key, from the cursor on: history is written in the order of its keys, near enough.
OLDEST = """
SELECT id, state, COALESCE(finished_at, scheduled_for) AS ended_at, attempt FROM execution WHERE id > ?
ORDER BY id LIMIT ?
"""
DELETE_EXECUTION = """
DELETE FROM execution WHERE id = ? AND state IN ('succeeded', 'failed', 'cancelled', 'lost', 'skipped')
"""
DELETE_ATTEMPTS = "DELETE FROM attempt WHERE execution_id = ?"  # ix_attempt_execution

# uq_execution_occurrence: the newest `keep` of a job are stepped over.
EXCESS_OF = """
SELECT id, attempt FROM execution WHERE job_id = ? AND occurrence_key IS NOT NULL
  AND occurrence_key < COALESCE((
    SELECT occurrence_key FROM execution WHERE job_id = ? AND occurrence_key IS NOT NULL
    ORDER BY occurrence_key DESC LIMIT 1 OFFSET ?), 0)
  AND state IN ('succeeded', 'failed', 'cancelled', 'lost', 'skipped')
ORDER BY occurrence_key LIMIT ?
"""
NEXT_JOBS = "SELECT id FROM job WHERE id > ? ORDER BY id LIMIT ?"  # primary key


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one batch did: rows deleted, and where the next one goes on (0: from the start, later)."""

    deleted: int
    cursor: int


class PruneStore:
    """One method, one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def by_age(self, before: int, cursor: int, batch: int) -> Pruned:
        """Delete finished executions that ended before `before` (µs) among the next `batch` rows after `cursor`."""
        with self._database.write() as connection:
            seen = rows(connection, OLDEST, cursor, batch)
            old = [row for row in seen if row.ended_at < before]
            ended = [(row.id,) for row in old if State(row.state).is_final]
            self._database.dialect.lock_executions(connection, [key for (key,) in ended])
            run_many(connection, DELETE_ATTEMPTS, ended)
            deleted = run_many(connection, DELETE_EXECUTION, ended)
        is_through = len(seen) < batch or not old
        return Pruned(deleted, 0 if is_through else seen[-1].id)

    def by_count(self, keep: int, cursor: int, jobs: int, batch: int) -> Pruned:
        """Delete what lies beyond the newest `keep` occurrences of the next `jobs` jobs after job `cursor`."""
        deleted = 0
        with self._database.write() as connection:
            following = rows(connection, NEXT_JOBS, cursor, jobs)
            for job in following:
                excess = rows(connection, EXCESS_OF, job.id, job.id, keep - 1, batch)
                self._database.dialect.lock_executions(connection, [row.id for row in excess])
                run_many(connection, DELETE_ATTEMPTS, [(row.id,) for row in excess])
                deleted += run_many(connection, DELETE_EXECUTION, [(row.id,) for row in excess])
        return Pruned(deleted, following[-1].id if len(following) == jobs else 0)
