"""Rows named by their keys are found by their keys, though the index of unfinished work looks small.

PostgreSQL's statistics are minutes old: they were taken when hardly anything was unfinished, and now thousands are.
"""

from __future__ import annotations

import pytest

from tests.store.plans import accesses
from tests.store.test_plans_at_size import EXECUTION, T, counting
from tui_scheduler.store import admission, claims, edits, gates, handover, queues, records, rescues
from tui_scheduler.store.database import Database

KEYED = [
    (claims.STILL_TAKEN, (5, 1)),
    (claims.CLAIM_WAITING, (1, 1, 5)),
    (claims.CANCEL_ORPHAN, (T, 5)),
    (claims.START, (5, 1, 1)),
    (admission.ASK_TO_CANCEL, (5,)),
    (admission.CANCEL_WAITING, (T, "why", 5)),
    (admission.SKIP_WAITING, (T, "overlap", 5)),
    (admission.WAIT_ON, (5,)),
    (handover.WAKE_WAITER, (T, T, 5)),
    (records.FINISH, ("failed", T, T, 1, 500, "why", "x", T, 1, 5, 1, 1)),
    (records.SKIP, (T, "overlap", 5, 1, 1)),
    (records.GIVE_BACK, (5, 1, 1)),
    (records.SHOW_RUNNING, (T, 5, 1, 1)),
    (records.INSERT_ATTEMPT, (1, T, T, 1, 500, "why", "[]", "x", 1, "why", 5, 1, 1)),
    (rescues.TO_PENDING, (1, 1, 7, 7, 5, 1)),
    (rescues.TO_LOST, (T, "why", 5, 1)),
    (rescues.TO_CANCELLED, (T, "why", 5, 1)),
    (edits.REPRIORITIZE, (1, 5, 1)),
    (edits.UNGATE, (5,)),
    (gates.MOVE_WAITING, (1, 5)),
    (queues.COUNT_IN, (1, 5)),
    (edits.WAKE, (T, T, 5)),
    (edits.SKIP, ("overlap", T, 5)),
    (edits.CANCEL, ("why", T, 5)),
    (edits.MOVE, (T, T, 1, 5)),
]


@pytest.fixture
def database_with_history(database: Database) -> Database:
    """20,000 rows, all of them finished."""
    with database.write() as connection:
        connection.exec_driver_sql(counting(database, EXECUTION, 20_000))
        connection.exec_driver_sql("UPDATE execution SET state = 'succeeded', next_attempt_at = NULL")
        connection.exec_driver_sql("UPDATE execution SET cancel_requested = FALSE WHERE cancel_requested")
        if database.kind == "postgresql":
            connection.exec_driver_sql("ANALYZE")
    return database


def test_a_row_named_by_its_key_is_found_by_the_primary_key(database_with_history: Database) -> None:
    wrong = [
        f"{access} in {statement}"
        for statement, values in KEYED
        for access in accesses(database_with_history, statement, *values, is_filled=True)
        if access.index not in {"execution_pkey", "INTEGER PRIMARY KEY", "primary key"}
    ]
    assert wrong == []
