"""Queues as users see and limit them. A queue is there as long as a job names it or it has limits.

One method, one transaction. Every change is an edit with a number, which engines follow; what waits finds its gate by
itself (see `gates`), so a change writes the same few rows whatever the number of jobs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.queues import NO_LIMITS, Limits
from tui_scheduler.store.database import Database
from tui_scheduler.store.gates import QUEUES, limits_of
from tui_scheduler.store.history import BOUND, held_back
from tui_scheduler.store.hot import rows, run, run_many

SECOND: Final = 1_000_000

# uq_queue_name.
QUEUE_OF = "SELECT id, name, concurrency, rate_count, rate_period_us, paused FROM queue WHERE name = ?"
INSERT_QUEUE = "INSERT INTO queue (name, concurrency, rate_count, rate_period_us, paused) VALUES (?, ?, ?, ?, ?)"
WRITE_QUEUE = "UPDATE queue SET concurrency = ?, rate_count = ?, rate_period_us = ?, paused = ? WHERE name = ?"
# ix_job_queue, one step for each name that there is.
NAMES = """
WITH RECURSIVE names (name) AS (
  SELECT * FROM (SELECT queue FROM job ORDER BY queue LIMIT 1) AS first
  UNION ALL
  SELECT (SELECT queue FROM job WHERE queue > names.name ORDER BY queue LIMIT 1) FROM names WHERE names.name IS NOT NULL
) SELECT name FROM names WHERE name IS NOT NULL
"""
HAS_JOB = "SELECT id FROM job WHERE queue = ? LIMIT 1"
# ix_execution_unfinished: what all nodes have in hand; jobs by their primary key.
UNDER_WAY = """
SELECT j.queue, COUNT(*) AS number FROM (
  SELECT job_id FROM execution WHERE state IN ('claimed', 'running') AND fire_at <= ? LIMIT ?
) AS e CROSS JOIN job AS j WHERE j.id = e.job_id GROUP BY j.queue
"""
UNCOUNTED = """
SELECT e.id FROM execution AS e CROSS JOIN job AS j
WHERE e.state IN ('claimed', 'running') AND e.gate IS NULL AND j.id = e.job_id AND j.queue = ?
"""
# Primary key.
COUNT_IN = "UPDATE execution SET gate = ? WHERE id = ? AND state || '' IN ('claimed', 'running')"


@dataclass(frozen=True, slots=True)
class QueueRecord:
    """A queue: its limits, how many of it are in flight, how many it holds back and since when (µs).

    The counts stop at 10,000.
    """

    name: str
    limits: Limits
    in_flight: int
    held: int
    oldest_held: int | None


class QueueStore:
    """The queues of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self, now: int) -> list[QueueRecord]:
        """Every queue that a job names or that has limits, by name."""
        with self._database.read() as connection:
            stored = {row.name: (row.id, limits_of(row)) for row in rows(connection, QUEUES)}
            names = {row.name for row in rows(connection, NAMES)}
            names |= {name for name, (_, limits) in stored.items() if limits.is_limited}
            under_way = dict(tuple(row) for row in rows(connection, UNDER_WAY, now, BOUND))
            held = held_back(connection, self._database.dialect, now)
        found = []
        for name in sorted(names):
            key, limits = stored.get(name, (0, NO_LIMITS))
            found.append(QueueRecord(name, limits, under_way.get(name, 0), *held.get(key, (0, None))))
        return found

    def get(self, name: str, now: int) -> QueueRecord:
        """One queue; raises `NotFound` when no job names it and it has no limits."""
        for found in self.all(now):
            if found.name == name:
                return found
        raise NotFound("queue", name)

    def change(self, name: str, change: Callable[[Limits], Limits], *, must_exist: bool = False) -> Limits:
        """Replace the limits by what `change` makes of them. With `must_exist`, raises `NotFound` when no job names the
        queue and it has no limits.
        """
        with self._database.write() as connection:
            dialect = self._database.dialect
            dialect.serialize_edits(connection)
            stored = rows(connection, QUEUE_OF, name)
            before = limits_of(stored[0]) if stored else NO_LIMITS
            if must_exist and not before.is_limited and not rows(connection, HAS_JOB, name):
                raise NotFound("queue", name)
            after = change(before)
            if after == before:
                return before
            rate = (None, None) if after.rate is None else (after.rate.count, after.rate.period)
            if stored:
                run(connection, WRITE_QUEUE, after.concurrency, *rate, after.paused, name)
            else:
                run(connection, INSERT_QUEUE, name, after.concurrency, *rate, after.paused)
            if after.is_limited:
                self._count_in(connection, name)
            dialect.next_change_no(connection)
        return after

    def pause(self, name: str) -> Limits:
        """Hold everything of a queue; raises `NotFound` when there is none."""
        return self.change(name, lambda limits: replace(limits, paused=True), must_exist=True)

    def resume(self, name: str) -> Limits:
        """Let go what a pause held; raises `NotFound` when there is no such queue."""
        return self.change(name, lambda limits: replace(limits, paused=False), must_exist=True)

    def _count_in(self, connection: Connection, name: str) -> None:
        """What nodes have in hand counts from now on; what one of them is writing at this moment is about to end."""
        dialect = self._database.dialect
        lock = dialect.lock_rows.replace("UPDATE", "UPDATE OF e")
        keys = sorted(row.id for row in rows(connection, UNCOUNTED + lock, name))
        gate = rows(connection, QUEUE_OF, name)[0].id
        run_many(connection, COUNT_IN, [(gate, key) for key in keys])
