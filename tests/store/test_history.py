"""What happened, read back on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from tests.store.plans import assert_bounded, assert_ordered
from tui_scheduler.domain.job import PRIORITIES, JobSpec, JobState, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import history as statements
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import Backlog, History
from tui_scheduler.store.hot import run_many
from tui_scheduler.store.ids import execution_id
from tui_scheduler.store.jobs import JobStore

T = 1_795_000_020 * SECOND
LATER = T + 3600 * SECOND
SPEC = JobSpec("0 * * * * *", Request("http://localhost/"))

INSERT = """
INSERT INTO execution (job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt, claim_no,
  rescues, priority, node_id, next_attempt_at, cancel_requested)
VALUES (?, 1, ?, ?, ?, ?, ?, 0, 0, 0, ?, ?, ?, FALSE)
"""


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


@pytest.fixture
def job(database: Database) -> int:
    return JobStore(database).create(SPEC, T).key


def insert(database: Database, job: int, *offsets: int, state: str = "succeeded", **values: Any) -> None:
    """Executions at T plus so many seconds; `priority`, `node` and `trigger` may be given."""
    trigger = values.get("trigger", "schedule")
    batch: list[tuple[Any, ...]] = []
    for offset in offsets:
        at = T + offset * SECOND
        key = at if trigger == "schedule" else None
        due = at if state in ("pending", "retrying") else None
        batch.append((job, at, at, key, trigger, state, values.get("priority", 5), values.get("node"), due))
    with database.write() as connection:
        run_many(connection, INSERT, batch)


def test_a_history_is_newest_first_planned_and_other_executions_merged(
    database: Database, history: History, job: int
) -> None:
    insert(database, job, 1, 3, 5, 7)
    insert(database, job, 2, 3, 6, trigger="manual")
    other = JobStore(database).create(SPEC, T).key
    insert(database, other, 4)
    found = [((record.scheduled_for - T) // SECOND, record.trigger) for record in history.of_job(job, LATER, 100)]
    assert found == [
        (7, "schedule"),
        (6, "manual"),
        (5, "schedule"),
        (3, "schedule"),
        (3, "manual"),
        (2, "manual"),
        (1, "schedule"),
    ]
    assert history.of_job(job, LATER, 3) == history.of_job(job, LATER, 100)[:3]
    assert history.of_job(other + 1, LATER, 10) == []


def test_unfinished_and_skipped_executions_are_shown_too(database: Database, history: History, job: int) -> None:
    states = ["pending", "claimed", "running", "retrying", "skipped", "lost"]
    for offset, state in enumerate(states):
        insert(database, job, offset, state=state)
    assert [record.state for record in history.of_job(job, LATER, 10)] == states[::-1]


def test_what_is_merely_planned_is_no_history_yet(database: Database, history: History, job: int) -> None:
    insert(database, job, 1, 2, 3, state="claimed")
    insert(database, job, 4, state="pending")
    insert(database, job, 2, 3, state="pending", trigger="manual")

    def seen(seconds: int) -> list[tuple[int, str]]:
        found = history.of_job(job, T + seconds * SECOND, 100)
        return [((record.scheduled_for - T) // SECOND, record.trigger) for record in found]

    assert seen(0) == []
    assert seen(2) == [(2, "schedule"), (2, "manual"), (1, "schedule")]
    assert len(seen(4)) == 6
    assert [record.scheduled_for for record in history.of_job(job, T + 2 * SECOND, 1)] == [T + 2 * SECOND]


def test_what_has_begun_or_ended_stays_history_when_the_clock_is_set_back(
    database: Database, history: History, job: int
) -> None:
    insert(database, job, 1, 2, 3)
    with database.write() as connection:
        run_many(connection, "UPDATE execution SET finished_at = ? WHERE scheduled_for = ?", [(T, T + 2 * SECOND)])
        run_many(connection, "UPDATE execution SET started_at = ? WHERE scheduled_for = ?", [(T, T + 3 * SECOND)])
    assert [record.scheduled_for for record in history.of_job(job, T, 10)] == [T + 3 * SECOND, T + 2 * SECOND]


def test_an_execution_is_found_by_its_public_id_alone(database: Database, history: History, job: int) -> None:
    insert(database, job, 1)
    (record,) = history.of_job(job, LATER, 1)
    public_id = history.id_of(record)
    assert public_id == execution_id(record.key, T + SECOND, database.salt)
    assert history.find(public_id) == history.find(public_id.upper()) == record


@pytest.mark.parametrize(("key", "scheduled_for", "salt"), [(1, 2 * SECOND, 0), (2, SECOND, 0), (1, SECOND, 1)])
def test_an_id_that_is_nearly_right_finds_nothing(
    database: Database, history: History, job: int, key: int, scheduled_for: int, salt: int
) -> None:
    insert(database, job, 1)
    (record,) = history.of_job(job, LATER, 1)
    assert history.find(execution_id(record.key + key - 1, T + scheduled_for, database.salt ^ salt)) is None
    assert history.find("nonsense") is None


def test_an_execution_names_its_job_and_its_node(database: Database, history: History, job: int) -> None:
    with database.write() as connection:
        row = ("0" * 32, "host", 1, "1.0", "alive", T, 1, T, "{}")
        run_many(
            connection,
            "INSERT INTO node (uuid, host, pid, version, state, started_at, heartbeat, heartbeat_at, counters)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [row],
        )
    (node,) = history.nodes()
    insert(database, job, 1, node=1)
    (record,) = history.of_job(job, LATER, 1)
    assert record.node == node.id == "0" * 32
    assert record.job_id == JobStore(database).page(1)[0].id


def test_attempts_are_kept_in_order_with_their_headers(database: Database, history: History) -> None:
    with database.write() as connection:
        run_many(
            connection,
            "INSERT INTO attempt (execution_id, attempt, node_id, finished_at, http_status, response_headers, waits_us)"
            " VALUES (?, ?, 1, ?, ?, ?, ?)",
            [
                (7, 2, T + 2, 503, None, None),
                (7, 1, T + 1, 500, '[["Retry-After", "3"], ["X", ""]]', 3 * SECOND),
                (8, 1, T, 500, None, None),
            ],
        )
    first, second = history.attempts(7)
    assert (first.attempt, first.http_status, first.waits) == (1, 500, 3 * SECOND)
    assert first.response_headers == (("Retry-After", "3"), ("X", ""))
    assert (second.attempt, second.response_headers, second.waits) == (2, (), None)
    assert history.attempts(9) == []


def test_nodes_come_newest_first_with_their_counters(database: Database, history: History) -> None:
    assert history.nodes() == []
    with database.write() as connection:
        run_many(
            connection,
            "INSERT INTO node (uuid, host, pid, version, state, started_at, heartbeat, heartbeat_at, counters)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                ("a", "h", 1, "1.0", "dead", T, 1, T, '{"fired": 3, "driftP99": null}'),
                ("b", "h", 2, "1.1", "alive", T + 1, 1, T + 2, '{"fired": 4, "driftP99": 1500}'),
            ],
        )
    newest, oldest = history.nodes()
    assert (newest.id, newest.state, newest.heartbeat_at) == ("b", "alive", T + 2)
    assert newest.counters == {"fired": 4, "driftP99": 1500}
    assert oldest.counters == {"fired": 3, "driftP99": None}


def test_jobs_are_counted_by_state(database: Database, history: History) -> None:
    store = JobStore(database)
    active, paused, deleted, deleted_while_paused = (store.create(SPEC, T) for _ in range(4))
    for job in (paused, deleted_while_paused):
        store.pause(job.id, T)
    for job in (deleted, deleted_while_paused):
        store.delete(job.id, T)
    assert active.state is JobState.ACTIVE
    assert history.jobs_by_state() == {
        JobState.ACTIVE: 1,
        JobState.PAUSED: 1,
        JobState.FINISHED: 0,
        JobState.DELETED: 2,
    }


def test_a_count_is_not_repeated_at_once(database: Database, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 20.9, 21.1, 21.2])
    monkeypatch.setattr("tui_scheduler.store.history.time.perf_counter", lambda: next(seconds))
    assert history.jobs_by_state()[JobState.ACTIVE] == 0  # took a second, so it holds for twenty
    JobStore(database).create(SPEC, T)
    assert history.jobs_by_state()[JobState.ACTIVE] == 0
    assert history.jobs_by_state()[JobState.ACTIVE] == 1


def test_an_idle_store_has_no_backlog(database: Database, history: History, job: int) -> None:
    insert(database, job, 1, 2, 3)
    assert history.backlog(T + 10 * SECOND) == Backlog(0, 0, None, is_more=False)


def test_the_backlog_counts_what_waits_and_what_is_late_of_every_priority(
    database: Database, history: History, job: int
) -> None:
    for priority in PRIORITIES:
        insert(database, job, priority, state="pending", priority=priority)
    insert(database, job, 100, 200, state="retrying")
    now = T + 61 * SECOND  # the job itself was due at T + 60 s, and a second is not yet late
    assert history.backlog(now) == Backlog(11, 9, T + SECOND, is_more=False)
    assert history.backlog(now + 1) == Backlog(11, 10, T + SECOND, is_more=False)


def test_the_backlog_is_counted_up_to_a_bound(database: Database, history: History, job: int) -> None:
    insert(database, job, *range(20), state="pending")
    assert history.backlog(T + 1000 * SECOND, bound=5) == Backlog(5, 5, T, is_more=True)


def test_an_execution_that_waits_for_another_is_not_late(database: Database, history: History, job: int) -> None:
    insert(database, job, 0, state="pending")
    with database.write() as connection:
        run_many(connection, "UPDATE execution SET next_attempt_at = NULL WHERE job_id = ?", [(job,)])
    assert history.backlog(T + 50 * SECOND) == Backlog(1, 0, None, is_more=False)


def test_jobs_on_one_instant_are_counted_up_to_a_bound(database: Database, history: History) -> None:
    specs = [JobSpec("0 * * * * *", Request("http://localhost/"), priority=priority) for priority in (1, 5, 9)]
    JobStore(database).create_many(specs * 2, T)
    assert history.due_at(T + 60 * SECOND, 100) == 6
    assert history.due_at(T + 60 * SECOND, 4) == 4
    assert history.due_at(T + 61 * SECOND, 100) == 0


def test_the_planned_instants_are_seen_in_executions_and_timers(database: Database, history: History) -> None:
    assert history.planned_ahead() is None
    job = JobStore(database).create(SPEC, T).key
    assert history.planned_ahead() == T
    insert(database, job, 3600)
    insert(database, job, 9999, trigger="manual")
    assert history.planned_ahead() == T + 3600 * SECOND


EACH = len(PRIORITIES)


@pytest.mark.parametrize(
    ("statement", "values", "whole"),
    [
        (statements.EXECUTION, (1,), ()),
        (statements.PLANNED_OF_JOB, (1, T, 10), ()),
        (statements.ATTEMPTS, (1,), ()),
        (statements.JOBS_BY_STATE, (), ("ix_job_state",)),
        (statements.LATE_TIMERS, (T, 10) * EACH, ()),
        (statements.LATE_WAITING, (T, 10) * EACH, ()),
        (statements.WAITING, (10,), ("ix_execution_waiting", "ix_execution_waiting_job")),
        (statements.DUE_AT, (T, 10) * EACH, ()),
        (statements.NEXT_TIMERS, (), ()),
    ],
)
def test_statements_use_an_index(
    database: Database, statement: str, values: tuple[Any, ...], whole: tuple[str, ...]
) -> None:
    assert_bounded(database, statement, *values, whole=whole)


def test_extra_runs_of_a_job_are_read_in_the_order_of_their_own_index(database: Database) -> None:
    assert_ordered(database, statements.extra_of_job(database.dialect), 1, T, 10, by="ix_execution_extra")
