"""The table of jobs: which there are, in which order, and what a line of it shows.

A listing is keys alone, made by one statement that gives one value: SQLite's driver lets go of the interpreter at
every row, and a hundred thousand of them, each waiting its turn again beside a busy engine, would take seconds.
"""

from __future__ import annotations

import json
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from enum import Enum
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from tui_scheduler.domain.filtering import Column, JobFilter, Term
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.hot import rows

RESULTS: Final = 12
"""Past executions in a line."""

BOUND: Final = 10_000
"""Counting of failing jobs stops here."""

_MAX_KEY: Final = 2**63 - 1
_AT_ONCE: Final = 4_096
"""Keys read from text before other threads get a chance."""

# ix_job_state, its three ranges; the job by its primary key where a condition or the order asks for more.
_THERE: Final = "j.state IN ('active', 'paused', 'finished')"
# ix_job_state alone.
TOTAL: Final = f"SELECT COUNT(*) AS number FROM job j WHERE {_THERE}"  # noqa: S608 - constants of ours
# ix_timer_failing; the job by its primary key. The subquery repeats the index's predicate word for word.
FAILING: Final = """
SELECT COUNT(*) AS number FROM (
  SELECT 1 FROM (SELECT job_id FROM timer WHERE failures > 0) AS t CROSS JOIN job AS j
  WHERE j.id = t.job_id AND j.state = 'active' LIMIT ?
) AS f
"""
_IS_FAILING: Final = "j.state = 'active' AND j.id IN (SELECT job_id FROM timer WHERE failures > 0)"

_LINE: Final = """
j.id AS key, j.public_id, j.name, j.method, j.url, j.schedule, j.timezone, j.queue, CAST(j.tags AS TEXT) AS tags,
  j.state, j.version, t.failures, t.next_fire_at
"""
_RESULT: Final = """
e.job_id, e.scheduled_for, e.id AS key, e.state, e.fire_at, e.started_at, e.finished_at, e.duration_us AS duration,
  e.http_status, e.error
"""
_HAS_BEGUN: Final = "(started_at IS NOT NULL OR finished_at IS NOT NULL)"


class Order(Enum):
    """What jobs are ordered by; equal ones, and what is planned for no instant, as `_order` says."""

    CREATED = "j.id"
    NAME = "lower(CASE WHEN j.name = '' THEN j.url ELSE j.name END)"
    STATE = "j.state"
    SCHEDULE = "j.schedule"
    NEXT_RUN = "t.next_fire_at"
    FAILURES = "t.failures"
    QUEUE = "j.queue"
    PRIORITY = "j.priority"


_TEXTS: Final = frozenset({Order.NAME, Order.STATE, Order.SCHEDULE, Order.QUEUE})


class JobLine(NamedTuple):
    """What the table shows of a job. `tags` is JSON."""

    key: int
    id: str
    name: str
    method: str
    url: str
    schedule: str
    timezone: str
    queue: str
    tags: tuple[str, ...]
    state: str
    version: int
    failures: int
    next_fire_at: int | None
    results: tuple[ResultRecord, ...] = ()


class ResultRecord(NamedTuple):
    """An execution that has begun or ended. Instants µs since the epoch, durations µs."""

    job_key: int
    scheduled_for: int
    key: int
    state: str
    fire_at: int
    started_at: int | None
    finished_at: int | None
    duration: int | None
    http_status: int | None
    error: str | None


class Listing:
    """Reads of one database; one method, one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, wanted: JobFilter, order: Order, *, descending: bool = False) -> tuple[array[int], int]:
        """The keys of the jobs that are not deleted and for which every term holds, in order, and the number of those
        that are not deleted.

        Equal ones come oldest first, those without a next run last, either way. Texts are ordered by their bytes,
        names without regard to the case of ASCII letters (on PostgreSQL, of those that its locale knows).
        """
        dialect = self._database.dialect
        conditions, values = _conditions(wanted.terms, dialect)
        by = _order(order, descending, dialect)
        # The planner leaves alone what is named in neither.
        source = "job j JOIN timer t ON t.job_id = j.id" if "t." in by else "job j"
        statement = dialect.joined("j.id", f"{source} WHERE {conditions}", by)
        with self._database.read() as connection:
            keys = _keys(rows(connection, statement, *values)[0][0])
            total = len(keys) if not wanted.terms else int(rows(connection, TOTAL)[0].number)
        return keys, total

    def lines(self, keys: Sequence[int]) -> list[JobLine]:
        """The lines of these jobs in the order asked for, without those that are deleted; each with its latest
        executions that have begun or ended, by the instant they are for, newest first.
        """
        asked = [key for key in keys if 0 < key <= _MAX_KEY]
        if not asked:
            return []
        dialect = self._database.dialect
        bound = dialect.list_value(asked)
        with self._database.read() as connection:
            found = {row.key: row for row in rows(connection, lines_of(dialect), bound)}
            results = _results(connection, dialect, bound)
        return [_line(found[key], results[key]) for key in asked if key in found]

    def failing(self, bound: int = BOUND) -> int:
        """How many active jobs failed when they last ended, counted up to `bound`."""
        with self._database.read() as connection:
            return int(rows(connection, FAILING, bound)[0].number)


def lines_of(dialect: Dialect) -> str:
    """Primary keys of both."""
    tables = f"{dialect.each_value} CROSS JOIN job AS j JOIN timer t ON t.job_id = j.id"
    return f"SELECT {_LINE} FROM {tables} WHERE j.id = k.value AND {_THERE}"  # noqa: S608


def planned_of(dialect: Dialect) -> str:
    """uq_execution_occurrence, read backwards: steps over what was claimed ahead, and what waits."""
    condition = f"occurrence_key IS NOT NULL AND {_HAS_BEGUN}"
    return dialect.first_of_each(_RESULT, "execution", condition, "occurrence_key DESC", RESULTS)


def extra_of(dialect: Dialect) -> str:
    """ix_execution_extra, read backwards."""
    condition = f"occurrence_key IS NULL AND {_HAS_BEGUN}"
    return dialect.first_of_each(_RESULT, dialect.extra_executions, condition, "scheduled_for DESC", RESULTS)


def _results(connection: Connection, dialect: Dialect, bound: object) -> dict[int, tuple[ResultRecord, ...]]:
    statement = f"{planned_of(dialect)} UNION ALL {extra_of(dialect)}"
    each: defaultdict[int, list[ResultRecord]] = defaultdict(list)
    for row in rows(connection, statement, bound, bound):
        each[row[0]].append(ResultRecord._make(row))
    newest = {job_key: sorted(found, key=_newness, reverse=True) for job_key, found in each.items()}
    return defaultdict(tuple, {job_key: tuple(found[:RESULTS]) for job_key, found in newest.items()})


def _newness(result: ResultRecord) -> tuple[int, int]:
    return result.scheduled_for, result.key


def _line(row: Any, results: tuple[ResultRecord, ...]) -> JobLine:
    return JobLine._make((*row, results))._replace(tags=tuple(json.loads(row.tags)))


def _conditions(terms: Iterable[Term], dialect: Dialect) -> tuple[str, list[str]]:
    conditions, values = [_THERE], []
    for term in terms:
        condition, bound = _condition(term, dialect)
        conditions.append(f"NOT ({condition})" if term.inverse else condition)
        values += bound
    return " AND ".join(conditions), values


def _condition(term: Term, dialect: Dialect) -> tuple[str, list[str]]:
    match term.column:
        case Column.TEXT:
            has, pattern = dialect.contains(term.value)
            return f"(j.name {has} OR j.url {has} OR j.schedule {has})", [pattern] * 3
        case Column.TAG:
            return dialect.has_tag, [term.value]
        case Column.QUEUE:
            return "j.queue = ?", [term.value]
        case Column.STATE if term.value == "failing":
            return _IS_FAILING, []
        case Column.STATE:
            return "j.state = ?", [term.value]


def _order(order: Order, descending: bool, dialect: Dialect) -> str:
    by = order.value + (dialect.by_bytes if order in _TEXTS else "") + (" DESC" if descending else "")
    if order is Order.CREATED:
        return by
    return f"{by}{' NULLS LAST' if order is Order.NEXT_RUN else ''}, j.id"


def _keys(joined: str | None) -> array[int]:
    keys = array("q")
    parts = iter(joined.split(",") if joined else ())
    while some := list(islice(parts, _AT_ONCE)):
        keys.extend(map(int, some))
    return keys
