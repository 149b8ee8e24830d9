"""Jobs on both databases: stored and read back, listed, followed, run by hand and purged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from tests.store.plans import assert_bounded
from tui_scheduler.domain.errors import Invalid, NotFound
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobState, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import SECOND, RetryPolicy
from tui_scheduler.store import jobs as statements
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import History
from tui_scheduler.store.jobs import JobStore

NOW = 1_795_000_000_000_000
NEXT_MINUTE = 1_795_000_020_000_000
NOBODY = "01a1ee56-5e00-7000-8661-11ad9f793b37"
SPEC = JobSpec("0 * * * * *", Request("http://localhost/hook"))
FULL = JobSpec(
    schedule="0 30 9 * * MON-FRI",
    request=Request(
        url="https://example.com/ü?x=%20",
        method="PUT",
        headers=(("X-A", "1"), ("X-A", "2"), ("Authorization", "Bearer ${secret:TOKEN}")),
        body='{"emoji": "🌙"}',
        tls_verify=False,
        ca_file="/etc/ssl/partner.pem",
        follow_redirects=True,
    ),
    name="Nightly 🌙 report",
    timezone="Europe/Berlin",
    type=JobType.ATMOST_ONCE,
    retry=RetryPolicy(7, 250_000, 1.5, 90 * SECOND, 3600 * SECOND, frozenset({500, 418})),
    timeout=12_345_678,
    priority=1,
    queue="slow",
    tags=("billing", "ärger"),
    overlap=Overlap.QUEUE,
    catch_up=CatchUp.LATEST,
    grace=5 * SECOND,
    jitter=30 * SECOND,
    starts_at=NOW - 1,
    ends_at=NOW + 10**15,
    success=SuccessRule(((200, 204), (404, 404)), "ok|fine", "a.b[0]", False),
    pause_on_gone=True,
)


@pytest.fixture
def jobs(database: Database) -> JobStore:
    return JobStore(database)


def mark_deleted(jobs: JobStore, job: Job, at: int = NOW) -> None:
    jobs.delete(job.id, at)


def count(database: Database, table: str) -> int:
    with database.read() as connection:
        return int(connection.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one())


@pytest.mark.parametrize("spec", [SPEC, FULL, replace(SPEC, success=SuccessRule(json_path="x", json_equals=2.5))])
def test_a_job_is_read_back_as_it_was_stored(jobs: JobStore, database: Database, spec: JobSpec) -> None:
    created = jobs.create(spec, NOW)
    assert jobs.get(created.id) == created
    assert created == Job(created.key, created.id, spec, JobState.ACTIVE, 1, NOW, NOW)
    with database.read() as connection:
        assert jobs.get_by_keys(connection, [created.key]) == [created]


def test_a_new_job_fires_first_at_the_first_occurrence_after_now(jobs: JobStore) -> None:
    job = jobs.create(SPEC, NOW)
    timer = jobs.timers([job.key])[job.key]
    assert (timer.planned_through, timer.next_fire_at) == (NOW, NEXT_MINUTE)


def test_the_first_firing_is_moved_by_the_jobs_share_of_the_jitter(jobs: JobStore) -> None:
    job = jobs.create(replace(SPEC, jitter=30 * SECOND), NOW)
    assert jobs.timers([job.key])[job.key].next_fire_at == NEXT_MINUTE + job.offset


def test_a_start_in_the_future_is_waited_for(jobs: JobStore) -> None:
    job = jobs.create(replace(SPEC, starts_at=NEXT_MINUTE + 1), NOW)
    assert jobs.timers([job.key])[job.key].next_fire_at == NEXT_MINUTE + 60 * SECOND


def test_the_timer_follows_the_priority(jobs: JobStore, database: Database) -> None:
    job = jobs.create(FULL, NOW)
    with database.read() as connection:
        row = connection.execute(text("SELECT job_version, priority, running_execution_id FROM timer")).one()
    assert tuple(row) == (1, FULL.priority, None)
    assert job.version == 1


def test_an_id_may_be_given(jobs: JobStore) -> None:
    assert jobs.create(SPEC, NOW, job_id=NOBODY).id == NOBODY


def test_many_jobs_are_stored_in_order(jobs: JobStore) -> None:
    keys = jobs.create_many((replace(SPEC, name=str(number)) for number in range(2_345)), NOW)
    assert len(keys) == 2_345
    assert keys == sorted(keys)
    first, second = jobs.page(2)
    assert (first.key, first.spec.name) == (keys[0], "0")
    assert (second.key, second.spec.name) == (keys[1], "1")
    assert len(jobs.timers(keys)) == 2_345
    assert jobs.timers(keys)[keys[-1]].next_fire_at == NEXT_MINUTE


def test_no_jobs_are_no_work(jobs: JobStore, database: Database) -> None:
    assert jobs.create_many([], NOW) == []
    assert jobs.timers([]) == {}
    with database.read() as connection:
        assert jobs.get_by_keys(connection, []) == []


def test_a_job_that_cannot_be_read_is_not_stored(jobs: JobStore, database: Database) -> None:
    with pytest.raises(Invalid):
        jobs.create(replace(SPEC, schedule="nonsense"), NOW)
    assert count(database, "job") == 0


@pytest.mark.parametrize("key", [NOBODY, "", "x", "'; DROP TABLE job; --", "é" * 500])
def test_an_unknown_job_is_not_found(jobs: JobStore, key: str) -> None:
    for ask in (
        jobs.get,
        lambda job_id: jobs.pause(job_id, NOW),
        lambda job_id: jobs.resume(job_id, NOW),
        lambda job_id: jobs.delete(job_id, NOW),
        lambda job_id: jobs.restore(job_id, NOW),
        lambda job_id: jobs.run_now(job_id, NOW),
        lambda job_id: jobs.update(job_id, lambda job: job.spec, NOW),
    ):
        with pytest.raises(NotFound):
            ask(key)


def test_pages_follow_each_other_oldest_first_without_the_deleted(jobs: JobStore) -> None:
    made = [jobs.create(replace(SPEC, name=str(number)), NOW) for number in range(7)]
    mark_deleted(jobs, made[3])
    names: list[str] = []
    after: str | None = None
    while page := jobs.page(2, after):
        names += [job.spec.name for job in page]
        after = page[-1].id
    assert names == ["0", "1", "2", "4", "5", "6"]
    assert [job.spec.name for job in jobs.page(1, made[3].id)] == ["4"]


def test_a_page_after_nobody_is_refused(jobs: JobStore) -> None:
    with pytest.raises(Invalid, match="after"):
        jobs.page(10, NOBODY)


def test_jobs_are_read_by_their_keys_deleted_ones_too(jobs: JobStore, database: Database) -> None:
    made = [jobs.create(SPEC, NOW) for _ in range(5)]
    mark_deleted(jobs, made[0])
    with database.read() as connection:
        found = jobs.get_by_keys(connection, [job.key for job in made[:3]] + [10**9])
    assert {job.key: job.state for job in found} == {
        made[0].key: JobState.DELETED,
        made[1].key: JobState.ACTIVE,
        made[2].key: JobState.ACTIVE,
    }


def test_followers_see_each_edited_job_once_as_it_is_now(jobs: JobStore) -> None:
    first, second, _ = (jobs.create(SPEC, NOW) for _ in range(3))
    assert jobs.changed_since(0) == []
    start = jobs.last_change_no()
    jobs.pause(first.id, NOW)
    jobs.pause(second.id, NOW)
    jobs.resume(first.id, NOW)
    changes = jobs.changed_since(start)
    assert [(job.key, job.state) for _, job in changes] == [
        (second.key, JobState.PAUSED),
        (first.key, JobState.ACTIVE),
    ]
    assert changes[-1][0] == jobs.last_change_no()
    assert jobs.changed_since(changes[0][0]) == changes[1:]
    assert jobs.changed_since(start, limit=1) == changes[:1]
    assert jobs.changed_since(jobs.last_change_no()) == []


def test_followers_hear_of_deletions(jobs: JobStore) -> None:
    job = jobs.create(SPEC, NOW)
    mark_deleted(jobs, job)
    ((_, seen),) = jobs.changed_since(0)
    assert (seen.key, seen.state) == (job.key, JobState.DELETED)


@pytest.mark.parametrize("state", [JobState.ACTIVE, JobState.PAUSED, JobState.FINISHED])
def test_a_job_is_run_by_hand_whatever_its_schedule(jobs: JobStore, database: Database, state: JobState) -> None:
    job = jobs.create(replace(FULL, starts_at=None, ends_at=None), NOW)
    if state is not JobState.ACTIVE:
        with database.write() as connection:
            connection.execute(text("UPDATE job SET state = :state"), {"state": state.value})
    record = jobs.run_now(job.id, NOW + 5)
    assert record.job_id == job.id
    assert (record.trigger, record.state) == (Trigger.MANUAL, State.PENDING)
    assert record.scheduled_for == record.fire_at == record.next_attempt_at == NOW + 5
    with database.read() as connection:
        row = connection.execute(
            text("SELECT occurrence_key, attempt, claim_no, rescues, priority, cancel_requested FROM execution")
        ).one()
    assert tuple(row) == (None, 0, 0, 0, FULL.priority, False)
    assert History(database).execution(record.key) == record


def test_a_deleted_job_is_not_run_by_hand(jobs: JobStore, database: Database) -> None:
    job = jobs.create(SPEC, NOW)
    mark_deleted(jobs, job)
    with pytest.raises(NotFound):
        jobs.run_now(job.id, NOW)
    assert count(database, "execution") == 0


def test_runs_by_hand_get_rising_keys(jobs: JobStore) -> None:
    job = jobs.create(SPEC, NOW)
    keys = [jobs.run_now(job.id, NOW).key for _ in range(5)]
    assert keys == sorted(set(keys))


def test_purging_removes_only_what_was_deleted_long_ago(jobs: JobStore, database: Database) -> None:
    long_ago, lately, kept = (jobs.create(SPEC, NOW) for _ in range(3))
    for job in (long_ago, lately, kept):
        for _ in range(5):
            record = jobs.run_now(job.id, NOW)
            with database.write() as connection:
                connection.execute(
                    text("INSERT INTO attempt (execution_id, attempt, node_id, finished_at) VALUES (:key, 1, 1, 1)"),
                    {"key": record.key},
                )
    mark_deleted(jobs, long_ago, NOW)
    mark_deleted(jobs, lately, NOW + 10)
    removed = []
    while number := jobs.purge_deleted(NOW + 10, batch=2):
        removed.append(number)
    assert removed == [2, 2, 2]
    assert [count(database, table) for table in ("job", "timer", "execution", "attempt")] == [2, 2, 10, 10]
    with pytest.raises(NotFound):
        jobs.restore(long_ago.id, NOW)
    assert jobs.restore(lately.id, NOW + 20).state is JobState.ACTIVE


def test_a_paused_job_that_was_deleted_is_purged_too(jobs: JobStore, database: Database) -> None:
    job = jobs.create(SPEC, NOW)
    jobs.pause(job.id, NOW)
    mark_deleted(jobs, job)
    assert jobs.purge_deleted(NOW + 1) == 1
    assert count(database, "job") == 0


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (statements.BY_ID, ("x",)),
        (statements.BY_KEYS + "IN (?, ?, ?)", (1, 2, 3)),
        (statements.TIMERS + "IN (?, ?, ?)", (1, 2, 3)),
        (statements.PAGE, (5, 10)),
        (statements.CHANGED, (5, 10)),
        (statements.KEY_OF, ("x",)),
        (statements.LAST_CHANGE_NO, ()),
        (statements.DELETED_BEFORE, (5,)),
        (statements.SOME_EXECUTIONS, (5, 10)),
    ],
)
def test_statements_use_an_index(database: Database, statement: Any, values: tuple[Any, ...]) -> None:
    assert_bounded(database, statement, *values)
