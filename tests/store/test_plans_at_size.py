"""How both databases carry out the hot statements on 100,000 jobs and 1,000,000 executions: by an index, in part.

Not the plans of an empty database: with rows and statistics PostgreSQL chooses, and may read a table whole. SQLite's
plans are those of a database that was never analyzed, which is what the program leaves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.store.plans import accesses
from tui_scheduler.domain.job import PRIORITIES
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import (
    admission,
    bulk,
    claims,
    edits,
    gates,
    handover,
    history,
    jobs,
    listing,
    pruning,
    queues,
    records,
    rescues,
    tail,
)
from tui_scheduler.store.database import Database
from tui_scheduler.store.tables import ExecutionRow

T = 1_795_000_020 * SECOND
JOBS = 100_000
EXECUTIONS = 1_000_000
BIG = frozenset({"job", "timer", "execution", "attempt"})
EACH = len(PRIORITIES)

JOB = """
INSERT INTO job (id, public_id, name, schedule, timezone, method, url, headers, tls_verify, follow_redirects, type,
  retry, timeout_us, priority, queue, tags, overlap, catch_up, grace_us, jitter_us, success, pause_on_gone, state,
  version, change_no, created_at, updated_at, deleted_at)
SELECT n, 'job-' || n, 'job', '0 * * * * *', 'UTC', 'POST', 'http://localhost/', '[]', TRUE, FALSE, 'ATLEAST_ONCE',
  '{}', 1, 5, 'default', '[]', 'allow', 'all', 1, 0, '{}', FALSE,
  CASE WHEN n % 100 = 0 THEN 'deleted' ELSE 'active' END, 1, CASE WHEN n % 50 = 0 THEN n ELSE 0 END, 1, 1,
  CASE WHEN n % 100 = 0 THEN n END
FROM numbers
"""
TIMER = f"""
INSERT INTO timer (job_id, job_version, priority, planned_through, next_fire_at, running_execution_id, gate)
SELECT n, 1, 1 + n % 9, {T}, CASE WHEN n % 100 <> 0 THEN {T} + n * 1000 END, CASE WHEN n % 10 = 0 THEN n END,
  CASE WHEN n % 7 = 0 THEN 1 + n % 5 END
FROM numbers
"""
EXECUTION = f"""
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, node_id, priority, next_attempt_at, started_at, finished_at, cancel_requested, gate)
SELECT n, 1 + n % {JOBS}, 1, {T} + n, {T} + n, CASE WHEN n % 20 = 0 THEN NULL ELSE {T} + n END, 'schedule',
  CASE WHEN n % 500 = 0 THEN 'pending' WHEN n % 500 = 1 THEN 'claimed' WHEN n % 1000 = 2 THEN 'retrying'
    ELSE 'succeeded' END,
  1, 1, 0, 1 + n % 3, 1 + n % 9, CASE WHEN n % 1000 IN (0, 2) THEN {T} + n END, {T} + n, {T} + n, n % 50001 = 1,
  CASE WHEN n % 7 = 0 THEN 1 + n % 5 END
FROM numbers
"""
ATTEMPT = f"INSERT INTO attempt (execution_id, attempt, node_id, finished_at) SELECT n * 10, 1, 1, {T} FROM numbers"
NODE = """
INSERT INTO node (id, uuid, host, pid, version, state, started_at, heartbeat, heartbeat_at, counters)
SELECT n, 'node-' || n, 'host', 1, '0', 'alive', 1, 1, 1, '{}' FROM numbers
"""
FILLED = ((JOB, JOBS), (TIMER, JOBS), (EXECUTION, EXECUTIONS), (ATTEMPT, EXECUTIONS // 10), (NODE, 3))


def _fill(database: Database) -> None:
    """Rows made inside the database; most indexes are built over what is there, which is faster."""
    indexes = ExecutionRow.metadata.tables["execution"].indexes
    with database.write() as connection:
        for index in indexes:
            index.drop(connection)
        for statement, count in FILLED:
            connection.exec_driver_sql(counting(database, statement, count))
        for index in indexes:
            index.create(connection)
        if database.kind == "postgresql":  # does it by itself; nobody does it for SQLite
            connection.exec_driver_sql("ANALYZE")


def counting(database: Database, statement: str, count: int) -> str:
    """The statement over `numbers` from 1 to `count`."""
    if database.kind == "postgresql":
        source = f"generate_series(1, {count}) AS numbers (n)"
        return statement.replace("%", "%%").replace("FROM numbers", f"FROM {source}")
    numbers = f"WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT {count})"
    return statement.replace("SELECT", f"{numbers} SELECT", 1)


@pytest.fixture
def big(database: Database) -> Database:
    _fill(database)
    return database


HOT: list[tuple[str, tuple[Any, ...]]] = [
    # claims
    (claims.PEEK, (T + SECOND, T, T + SECOND)),
    (claims.DUE_TIMERS, (5, T + SECOND, T, 500)),
    (claims.DUE_WAITING, (5, T + SECOND, 500)),
    # gates
    (gates.IN_FLIGHT, (5, 3)),
    (gates.GATED_TIMERS, (5, 5, T + SECOND, 500)),
    (gates.GATED_WAITING, (5, 5, T + SECOND, 500)),
    (gates.MOVE_TIMER, (5, 5)),
    (gates.MOVE_WAITING, (5, 5)),
    (queues.HAS_JOB, ("slow",)),
    (queues.COUNT_IN, (5, 5)),
    (edits.UNGATE_TIMER, (5,)),
    (edits.UNGATE, (5,)),
    (claims.STILL_TAKEN, (5, 1)),
    (claims.MOVE_TIMER, (T, T, 5)),
    (claims.FINISH_JOB, (T, 5)),
    (claims.CLAIM_WAITING, (1, 1, 5)),
    (claims.CANCEL_ORPHAN, (T, 5)),
    (claims.START, (5, 1, 1)),
    (admission.RUNNING_STATE, (5,)),
    (admission.ASK_TO_CANCEL, (5,)),
    (admission.CANCEL_WAITING, (T, "why", 5)),
    (admission.SKIP_WAITING, (T, "overlap", 5)),
    (admission.WAIT_ON, (5,)),
    (handover.LOCK_TIMER, (5,)),
    (handover.WAITER, (5,)),
    (handover.HAND_OVER, (5, 5)),
    (handover.WAKE_WAITER, (T, T, 5)),
    # records
    (records.FINISH, ("failed", T, T, 1, 500, "why", "x", T, 1, 5, 1, 1)),
    (records.SKIP, (T, "overlap", 5, 1, 1)),
    (records.GIVE_BACK, (5, 1, 1)),
    (records.SHOW_RUNNING, (T, 5, 1, 1)),
    (records.INSERT_ATTEMPT, (1, T, T, 1, 500, "why", "[]", "x", 1, "why", 5, 1, 1)),
    (records.CANCEL_REQUESTS, (1,)),
    # rescues
    (rescues.UNFINISHED_OF, (1, 500)),
    (rescues.TO_PENDING, (1, 1, 7, 7, 5, 1)),
    (rescues.TO_LOST, (T, "why", 5, 1)),
    (rescues.TO_CANCELLED, (T, "why", 5, 1)),
    (rescues.CANCEL_REQUESTED, (5,)),
    # pruning
    (pruning.OLDEST, (500_000, 1000)),
    (pruning.OLDEST_FAILED, (T, 100)),
    (pruning.NEW_ROWS, (500_000, 501_000)),
    (pruning.NEWEST, (500_000,)),
    (pruning.NEXT_JOBS, (50_000, 50)),
    # edits and jobs
    (edits.KEY_OF, ("job-5",)),
    (edits.TIMER_OF, (5,)),
    (edits.JOB_OF, (5,)),
    (edits.PLANNED_OF, (5, T)),
    (edits.WAITING_OF, (5,)),
    (edits.WAITERS_OF, (5,)),
    (edits.REPRIORITIZE, (1, 5, 1)),
    (edits.WAKE, (T, T, 5)),
    (edits.MOVE, (T, T, 1, 5)),
    (jobs.BY_ID, ("job-5",)),
    (jobs.BY_KEYS + "IN (?, ?, ?)", (1, 2, 3)),
    (jobs.TIMERS + "IN (?, ?, ?)", (1, 2, 3)),
    (jobs.PAGE, (50_000, 100)),
    (jobs.CHANGED, (99_000, 1000)),
    (jobs.DELETED_BEFORE, (5,)),
    (jobs.SOME_EXECUTIONS, (5, 1000)),
    # history
    (history.EXECUTION, (5,)),
    (history.PLANNED_OF_JOB, (5, T, 100)),
    (history.ATTEMPTS, (50,)),
    (history.LATE_TIMERS, (T, 10) * EACH),
    (history.LATE_WAITING, (T, 10) * EACH),
    (history.DUE_AT, (T, 10) * EACH),
    # the live log
    (tail.NEWEST, (950_000, 990_000, T, 0, 500)),
    (tail.FIRST_TO_COME, (950_000, T, T)),
    (tail.CAME_BETWEEN, (950_000, 990_000, T, 0, T, T)),
    (tail.NEWEST_IN_STATE.replace("STATES", "?"), (980_000, "running", T, 0, 5, T, T, T, 500)),
    (tail.NEWEST_FAILED.replace("STATES", "?, ?"), ("failed", "lost", T, 0, 500)),
    (tail.PLANNED_OF_JOB, (5, 500, T, 0, 5, T, T, T)),
    (tail.SHOWN + "IN (?, ?, ?)", (1, 2, 3)),
]


def _of_the_table(database: Database) -> Iterator[tuple[str, tuple[Any, ...]]]:
    keys = "[1, 2, 3]" if database.kind == "sqlite" else "{1, 2, 3}"
    for statement in (
        listing.lines_of,
        listing.planned_of,
        listing.extra_of,
        edits.held_of,
        bulk.waiting_of,
        records.busy_of,
    ):
        yield statement(database.dialect), (keys,)
    yield records.mine_of(database.dialect), (keys, 1)
    yield history.extra_of_job(database.dialect), (5, T, 100)
    yield gates.due_of(database.dialect), (T, T, keys)
    yield history.held_of(database.dialect), (T, 10, T, 10, T, T, keys)
    yield pruning.beyond_of(database.dialect), (5, 5, 3)
    for excess in pruning.excess_of(database.dialect):
        yield excess, (5, T, 100)
    yield tail.extra_of_job(database.dialect), (5, 500, T, 0, 5, T, T, T)


@pytest.mark.slow
def test_no_hot_statement_reads_a_table_or_an_index_whole(big: Database) -> None:
    """All of them in one test: the rows take longer than the plans."""
    wrong = [
        f"{access} in {statement}"
        for statement, values in (*HOT, *_of_the_table(big))
        for access in accesses(big, statement, *values, is_filled=True)
        if access.table in BIG and not access.is_bounded
    ]
    assert wrong == []
