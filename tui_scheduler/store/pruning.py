"""Forgetting old history, in batches small enough that nothing else waits for them noticeably.

What is to go is looked up before the transaction that removes it: only ended executions go, which nobody writes to any
more, but a backfill to one that was skipped; so a batch looks at the state once more. Its commit does not wait for the
disk: what a power cut brings back is removed again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import TextClause, text

from tui_scheduler.domain.execution import State
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.hot import rows

_ENDED: Final = "state IN ('succeeded', 'failed', 'cancelled', 'lost', 'skipped')"

# Primary key, from the cursor on: history is written in the order of its keys, near enough.
OLDEST: Final = """
SELECT id, state, fire_at, finished_at, scheduled_for, attempt FROM execution WHERE id > ? ORDER BY id LIMIT ?
"""
# ix_execution_failed.
OLDEST_FAILED: Final = """
SELECT id, state, attempt FROM execution WHERE state IN ('failed', 'lost') AND finished_at < ?
ORDER BY finished_at LIMIT ?
"""
# Primary key; ix_attempt_execution.
DELETE_EXECUTIONS: Final = f"DELETE FROM execution WHERE {_ENDED} AND id "  # noqa: S608 - constants of ours
DELETE_ATTEMPTS: Final = "DELETE FROM attempt WHERE execution_id "

NEXT_JOBS: Final = "SELECT id FROM job WHERE id > ? ORDER BY id LIMIT ?"  # primary key
NEWEST: Final = "SELECT MAX(id) AS newest FROM execution WHERE id > ?"  # primary key, its end
# Primary key, a stretch of it.
NEW_ROWS: Final = "SELECT job_id, COUNT(*) AS number FROM execution WHERE id > ? AND id <= ? GROUP BY job_id"


def beyond_of(dialect: Dialect) -> str:
    """uq_execution_occurrence and ix_execution_extra, both backwards: the instant of a job's row so many steps back."""
    return f"""
SELECT occurrence_key AS at FROM execution WHERE job_id = ? AND occurrence_key IS NOT NULL UNION ALL
SELECT scheduled_for AS at FROM {dialect.extra_executions} WHERE job_id = ? AND occurrence_key IS NULL
ORDER BY at DESC LIMIT 1 OFFSET ?
"""  # noqa: S608


def excess_of(dialect: Dialect) -> tuple[str, str]:
    """uq_execution_occurrence; ix_execution_extra: the oldest ended rows of a job before an instant."""
    planned = f"""
SELECT id, state, attempt FROM execution WHERE job_id = ? AND occurrence_key < ? AND {_ENDED}
ORDER BY occurrence_key LIMIT ?
"""  # noqa: S608
    extra = f"""
SELECT id, state, attempt FROM {dialect.extra_executions} WHERE job_id = ? AND occurrence_key IS NULL
  AND scheduled_for < ? AND {_ENDED}
ORDER BY scheduled_for LIMIT ?
"""  # noqa: S608
    return planned, extra


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one batch did: how many executions it removed, where the next one goes on, whether nothing old is left
    there, and for how many µs it had the store to itself.
    """

    deleted: int
    cursor: int = 0
    is_through: bool = True
    took: int = 0


class PruneStore:
    """One method, at most one write transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._beyond = beyond_of(database.dialect)
        self._excess = excess_of(database.dialect)

    def by_age(self, before: int, now: int, cursor: int, batch: int) -> Pruned:
        """Remove what ended before `before` (µs) among the next `batch` rows after `cursor`, but what failed or was
        lost. The cursor stays before what is too young. It passes what is old and has not ended, or not as long ago:
        whoever wants that too begins anew at 0 once in a while.
        """
        with self._database.read() as connection:
            seen = list(rows(connection, OLDEST, cursor, batch))
        is_last = len(seen) < batch
        while seen and before <= seen[-1].fire_at <= now + _AHEAD:
            seen.pop()
            is_last = True
        old = [row for row in seen if State(row.state) in _ORDINARY and _ended_at(row) < before]
        deleted, took = self._delete(old)
        return Pruned(deleted, seen[-1].id if seen else cursor, is_last, took)

    def failures_by_age(self, before: int, batch: int) -> Pruned:
        """Remove what failed or was lost before `before` (µs), the oldest first, up to `batch`."""
        with self._database.read() as connection:
            old = rows(connection, OLDEST_FAILED, before, batch)
        deleted, took = self._delete(old)
        return Pruned(deleted, is_through=len(old) < batch or not deleted, took=took)

    def by_count(self, job: int, keep: int, batch: int) -> Pruned:
        """Remove up to `batch` of what lies beyond the newest `keep` executions of a job, of whatever trigger."""
        found: list[Any] = []
        with self._database.read() as connection:
            for beyond in rows(connection, self._beyond, job, job, keep - 1):
                for statement in self._excess:
                    found += rows(connection, statement, job, beyond.at, batch)
        deleted, took = self._delete(found[:batch])
        return Pruned(deleted, is_through=len(found) < batch or not deleted, took=took)

    def newest(self) -> int:
        """The key of the newest execution; 0 when there is none."""
        with self._database.read() as connection:
            return int(rows(connection, NEWEST, 0)[0].newest or 0)

    def new_rows(self, after: int, most: int) -> tuple[dict[int, int], int]:
        """Of the executions with keys beyond `after`, at most `most` of them, how many there are of each job; and the
        last key that was looked at.
        """
        with self._database.read() as connection:
            last = min(int(rows(connection, NEWEST, after)[0].newest or after), after + most)
            found = rows(connection, NEW_ROWS, after, last)
        return {row.job_id: row.number for row in found}, last

    def over(self, jobs: Iterable[int], keep: int) -> list[int]:
        """Those of these jobs that have more than `keep` executions."""
        with self._database.read() as connection:
            return [job for job in jobs if rows(connection, self._beyond, job, job, keep)]

    def jobs_after(self, job: int, most: int) -> list[int]:
        """The keys of the next jobs, deleted ones too."""
        with self._database.read() as connection:
            return [row.id for row in rows(connection, NEXT_JOBS, job, most)]

    def shrink(self) -> None:
        """A step of giving space that nothing needs any more back to the file system."""
        with self._database.explained():
            self._database.connections.shrink()

    def _delete(self, old: Sequence[Any]) -> tuple[int, int]:
        """How many went, and for how many µs the store was ours."""
        if not old:
            return 0, 0
        dialect = self._database.dialect
        ended = self._keys(row.id for row in old)
        tried = [row.id for row in old if row.attempt > 1 or row.state not in _WITHOUT_ATTEMPTS]
        with self._database.write(durable=False) as connection:
            began = time.perf_counter()
            dialect.lock_executions(connection, [row.id for row in old])  # another node may prune the same ones
            if tried:
                connection.execute(_in_keys(DELETE_ATTEMPTS, dialect.in_list("keys")), self._keys(tried))
            deleted = connection.execute(_in_keys(DELETE_EXECUTIONS, dialect.in_list("keys")), ended).rowcount
        return deleted, round((time.perf_counter() - began) * 1_000_000)

    def _keys(self, keys: Iterable[int]) -> dict[str, object]:
        """In their order, which is that in which everybody locks rows."""
        return {"keys": self._database.dialect.list_value(sorted(keys))}


_ORDINARY: Final = frozenset({State.SUCCEEDED, State.CANCELLED, State.SKIPPED})
_WITHOUT_ATTEMPTS: Final = frozenset({State.SUCCEEDED.value, State.SKIPPED.value})
"""The first attempt of those is no row of its own."""

_AHEAD: Final = 86_400 * 1_000_000
"""What is for later than this was made while the clock was wrong, and must not keep the cursor for as long."""


def _ended_at(row: Any) -> int:
    return int(row.scheduled_for if row.finished_at is None else row.finished_at)


@lru_cache(maxsize=8)
def _in_keys(statement: str, in_list: str) -> TextClause:
    return text(statement + in_list)
