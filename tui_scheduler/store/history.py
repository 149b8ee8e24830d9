"""What happened: executions, their attempts, the nodes, and counts. Only reads; nothing here scans a table.

Instants are µs since the epoch, durations µs.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row

from tui_scheduler.domain.job import PRIORITIES, JobState
from tui_scheduler.store.codec import DELETED_WHILE_PAUSED
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.hot import rows
from tui_scheduler.store.ids import execution_id, execution_key, id_ms


class ExecutionRecord(NamedTuple):
    """A row of `execution`, as far as it is shown, with the public id of its job and the uuid of its node."""

    key: int
    job_key: int
    job_version: int
    scheduled_for: int
    fire_at: int
    trigger: str
    state: str
    attempt: int
    rescues: int
    started_at: int | None
    finished_at: int | None
    duration: int | None
    http_status: int | None
    error: str | None
    response_excerpt: str | None
    next_attempt_at: int | None
    skip_reason: str | None
    skip_from: int | None
    skip_to: int | None
    skip_count: int | None
    job_id: str
    node: str | None


class AttemptRecord(NamedTuple):
    """A row of `attempt`."""

    attempt: int
    started_at: int | None
    finished_at: int
    duration: int | None
    http_status: int | None
    error: str | None
    response_headers: tuple[tuple[str, str], ...]
    response_excerpt: str | None
    waits: int | None
    waits_for: str | None


class NodeRecord(NamedTuple):
    """A row of `node`. `state` is alive, stopped, dead or gone."""

    id: str
    host: str
    pid: int
    version: str
    state: str
    started_at: int
    heartbeat_at: int
    counters: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Backlog:
    """`waiting` executions wait for their time; `late` occurrences, planned or not, are overdue by more than a
    second, the oldest since `oldest`. `held` are overdue too, but held back by a limited queue or a maintenance window,
    the oldest since `oldest_held`. The counts stop at a bound: `is_more` says that there are more.
    """

    waiting: int
    late: int
    oldest: int | None
    is_more: bool
    held: int = 0
    oldest_held: int | None = None


_COLUMNS: Final = """
e.id, e.job_id, e.job_version, e.scheduled_for, e.fire_at, e.trigger, e.state, e.attempt, e.rescues, e.started_at,
  e.finished_at, e.duration_us, e.http_status, e.error, e.response_excerpt, e.next_attempt_at, e.skip_reason,
  e.skip_from, e.skip_to, e.skip_count, j.public_id, n.uuid
"""
_JOINED: Final = "execution e JOIN job j ON j.id = e.job_id LEFT JOIN node n ON n.id = e.node_id"

# Primary keys, all three.
EXECUTION = f"SELECT {_COLUMNS} FROM {_JOINED} WHERE e.id = ?"  # noqa: S608

# What was claimed ahead is a plan until its instant has come: at most a look-ahead of rows to step over. What has begun
# or ended is history whatever the clock says: it may have been set back.
_IS_HISTORY: Final = "(e.fire_at <= ? OR e.started_at IS NOT NULL OR e.finished_at IS NOT NULL)"

# uq_execution_occurrence, read backwards; the other two by primary key.
PLANNED_OF_JOB = f"""
SELECT {_COLUMNS} FROM {_JOINED} WHERE e.job_id = ? AND e.occurrence_key IS NOT NULL AND {_IS_HISTORY}
ORDER BY e.occurrence_key DESC LIMIT ?
"""  # noqa: S608
_EXTRA_OF_JOB: Final = f"""
SELECT {_COLUMNS} FROM (
  SELECT * FROM EXECUTIONS WHERE job_id = ? AND occurrence_key IS NULL AND {_IS_HISTORY.replace("e.", "")}
  ORDER BY scheduled_for DESC LIMIT ?
) AS e JOIN job j ON j.id = e.job_id LEFT JOIN node n ON n.id = e.node_id ORDER BY e.scheduled_for DESC
"""  # noqa: S608


def extra_of_job(dialect: Dialect) -> str:
    """ix_execution_extra, read backwards."""
    return _EXTRA_OF_JOB.replace("EXECUTIONS", dialect.extra_executions)


# ix_attempt_execution.
ATTEMPTS = """
SELECT attempt, started_at, finished_at, duration_us, http_status, error, response_headers, response_excerpt,
  waits_us, waits_for
FROM attempt WHERE execution_id = ? ORDER BY attempt, id
"""

# A handful of rows: nodes that ended are forgotten after a while.
NODES = """
SELECT uuid, host, pid, version, state, started_at, heartbeat_at, counters FROM node ORDER BY id DESC LIMIT 1000
"""

# ix_job_state, the index alone.
JOBS_BY_STATE = "SELECT state, COUNT(*) AS number FROM job GROUP BY state"


def _each_priority(query: str) -> str:
    """One bounded range of an index for each priority, in one statement."""
    each = (query.replace("PRIORITY", str(priority)) for priority in PRIORITIES)
    return " UNION ALL ".join(f"SELECT * FROM ({one}) AS p{number}" for number, one in enumerate(each))  # noqa: S608


# ix_timer_due.
LATE_TIMERS: Final = _each_priority(
    "SELECT next_fire_at AS due FROM timer WHERE gate IS NULL AND priority = PRIORITY AND next_fire_at < ?"
    " ORDER BY next_fire_at LIMIT ?"
)
DUE_AT: Final = _each_priority(
    "SELECT job_id FROM timer WHERE gate IS NULL AND priority = PRIORITY AND next_fire_at = ? LIMIT ?"
)
NEXT_TIMERS: Final = _each_priority(
    "SELECT planned_through FROM timer WHERE gate IS NULL AND priority = PRIORITY AND next_fire_at IS NOT NULL"
    " ORDER BY next_fire_at LIMIT 20"
)
# ix_execution_waiting.
LATE_WAITING: Final = _each_priority(
    "SELECT next_attempt_at AS due FROM execution WHERE state IN ('pending', 'retrying') AND gate IS NULL"
    " AND priority = PRIORITY AND next_attempt_at < ? ORDER BY next_attempt_at LIMIT ?"
)
# ix_execution_waiting or ix_execution_waiting_job, up to the bound.
WAITING: Final = (
    "SELECT COUNT(*) AS number FROM (SELECT 1 FROM execution WHERE state IN ('pending', 'retrying') LIMIT ?) AS w"
)
# Primary key, read backwards.
NEWEST = """
SELECT MAX(scheduled_for) AS newest FROM (
  SELECT scheduled_for, trigger FROM execution ORDER BY id DESC LIMIT 200
) AS e WHERE trigger = 'schedule'
"""

SECOND: Final = 1_000_000
BOUND: Final = 10_000
"""Counting stops here, for each priority: enough to know that things are bad."""

_SHARE: Final = 20
"""Jobs are counted again after 20 times what the last count took: at most a twentieth of one core is spent on it."""


class History:
    """Reads of one database; safe to use from many threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._extra_of_job = extra_of_job(database.dialect)
        self._jobs: tuple[float, dict[JobState, int]] | None = None

    def id_of(self, record: ExecutionRecord) -> str:
        """The public id of an execution."""
        return execution_id(record.key, record.scheduled_for, self._database.salt)

    def of_job(self, job_key: int, now: int, limit: int) -> list[ExecutionRecord]:
        """The newest `limit` executions of a job by the instant they are for, newest first, unfinished ones too.

        What is merely planned for an instant after `now` (µs) is not among them.
        """
        with self._database.read() as connection:
            planned = [_execution(row) for row in rows(connection, PLANNED_OF_JOB, job_key, now, limit)]
            extra = [_execution(row) for row in rows(connection, self._extra_of_job, job_key, now, limit)]
        both = merge(planned, extra, key=lambda record: record.scheduled_for, reverse=True)
        return list(islice(both, limit))

    def find(self, public_id: str) -> ExecutionRecord | None:
        """The execution with this public id, if there is one (it may have been pruned)."""
        decoded = execution_key(public_id, self._database.salt)
        if decoded is None:
            return None
        key, ms = decoded
        record = self.execution(key)
        return record if record is not None and id_ms(record.scheduled_for) == ms else None

    def execution(self, key: int) -> ExecutionRecord | None:
        """The execution with this key."""
        with self._database.read() as connection:
            return next(iter(read_executions(connection, key)), None)

    def attempts(self, key: int) -> list[AttemptRecord]:
        """The attempts kept of an execution, first to last; none when it succeeded at once."""
        with self._database.read() as connection:
            return [_attempt(row) for row in rows(connection, ATTEMPTS, key)]

    def nodes(self) -> list[NodeRecord]:
        """The engines that live, and those that ended not long ago, newest first."""
        with self._database.read() as connection:
            return [_node(row) for row in rows(connection, NODES)]

    def jobs_by_state(self) -> dict[JobState, int]:
        """How many jobs there are in each state; with a million jobs it may be a second or two old."""
        began = time.perf_counter()
        if self._jobs is not None and began < self._jobs[0]:
            return dict(self._jobs[1])
        counts = dict.fromkeys(JobState, 0)
        with self._database.read() as connection:
            for row in rows(connection, JOBS_BY_STATE):
                state = JobState.DELETED if row.state == DELETED_WHILE_PAUSED else JobState(row.state)
                counts[state] += row.number
        ended = time.perf_counter()
        self._jobs = (ended + _SHARE * (ended - began), counts)
        return dict(counts)

    def backlog(self, now: int, bound: int = BOUND) -> Backlog:
        """What waits and what is late; the counts of each priority stop at `bound`."""
        each = (now - SECOND, bound) * len(PRIORITIES)
        with self._database.read() as connection:
            late = [row.due for row in rows(connection, LATE_TIMERS, *each)]
            late += [row.due for row in rows(connection, LATE_WAITING, *each)]
            waiting = rows(connection, WAITING, bound)[0].number
            held = held_back(connection, self._database.dialect, now - SECOND, bound)
        return Backlog(
            waiting,
            min(len(late), bound),
            min(late, default=None),
            len(late) >= bound or waiting >= bound,
            min(sum(number for number, _ in held.values()), bound),
            min((oldest for _, oldest in held.values() if oldest is not None), default=None),
        )

    def due_at(self, instant: int, bound: int) -> int:
        """How many jobs fire next at exactly this instant, counted up to `bound`."""
        with self._database.read() as connection:
            return min(len(rows(connection, DUE_AT, *(instant, bound) * len(PRIORITIES))), bound)

    def planned_ahead(self) -> int | None:
        """About the latest instant that has been planned; None when nothing has.

        Judged by the newest executions and by the jobs that are due next: no index leads to the maximum.
        """
        with self._database.read() as connection:
            newest = rows(connection, NEWEST)[0].newest
            timers = [row.planned_through for row in rows(connection, NEXT_TIMERS)]
        return max([*timers, *([] if newest is None else [newest])], default=None)


def held_of(dialect: Dialect) -> str:
    """ix_timer_gated and ix_execution_gated_waiting: of each gate bound as a list, what is overdue, up to a bound for
    each priority.
    """
    timers = "FROM timer WHERE gate = k.value AND priority = p.priority AND next_fire_at < ?"
    waiting = (
        "FROM execution WHERE state IN ('pending', 'retrying') AND gate = k.value AND priority = p.priority"
        " AND next_attempt_at < ?"
    )
    return f"""
WITH p (priority) AS (VALUES {", ".join(f"({priority})" for priority in PRIORITIES)})
SELECT k.value AS gate,
  (SELECT COUNT(*) FROM (SELECT 1 {timers} LIMIT ?) AS t)
    + (SELECT COUNT(*) FROM (SELECT 1 {waiting} LIMIT ?) AS e) AS number,
  (SELECT MIN(next_fire_at) {timers}) AS timer, (SELECT MIN(next_attempt_at) {waiting}) AS waiting
FROM {dialect.each_value} CROSS JOIN p
"""  # noqa: S608 - SQL of ours


# Both tables whole: a handful of rows.
GATES = "SELECT id FROM queue UNION ALL SELECT -id FROM maintenance_window"


def held_back(
    connection: Connection, dialect: Dialect, before: int, bound: int = BOUND
) -> dict[int, tuple[int, int | None]]:
    """For each gate how many timers and executions behind it were due before that instant, and the oldest instant."""
    keys = [row[0] for row in rows(connection, GATES)]
    held: dict[int, tuple[int, int | None]] = {}
    if not keys:
        return held
    values = (before, bound, before, bound, before, before, dialect.list_value(keys))
    for row in rows(connection, held_of(dialect), *values):
        number, oldest = held.get(row.gate, (0, None))
        known = [instant for instant in (oldest, row.timer, row.waiting) if instant is not None]
        held[row.gate] = (number + row.number, min(known, default=None))
    return held


def read_executions(connection: Connection, *keys: int) -> list[ExecutionRecord]:
    """The executions with these keys that there are, inside the caller's transaction."""
    return [_execution(row) for key in keys for row in rows(connection, EXECUTION, key)]


def _execution(row: Row[Any]) -> ExecutionRecord:
    return ExecutionRecord._make(row)


def _attempt(row: Row[Any]) -> AttemptRecord:
    headers = tuple((name, value) for name, value in _json(row.response_headers) or ())
    return AttemptRecord._make(row)._replace(response_headers=headers)


def _node(row: Row[Any]) -> NodeRecord:
    return NodeRecord._make(row)._replace(counters=_json(row.counters))


def _json(value: Any) -> Any:
    """SQLite gives JSON as its text, PostgreSQL's driver as what it says."""
    return json.loads(value) if isinstance(value, str | bytes) else value
