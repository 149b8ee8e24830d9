"""Edits, pauses and deletions: what becomes of the job, of its timer, and of what was planned already."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from tests.store.plans import assert_bounded
from tui_scheduler.domain.errors import Conflict, NotFound
from tui_scheduler.domain.job import Job, JobSpec, JobState, Overlap, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.revision import Timer
from tui_scheduler.store import edits
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.jobs import JobStore

MINUTE = 60 * SECOND
T = 1_795_000_020 * SECOND
"""A full minute."""
MINUTELY = JobSpec("0 * * * * *", Request("http://localhost/"))
EVERY_SECOND = replace(MINUTELY, schedule="* * * * * *")
HALF_PAST = replace(MINUTELY, schedule="30 * * * * *")

INSERT = """
INSERT INTO execution (job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt, claim_no,
  rescues, priority, next_attempt_at, cancel_requested)
VALUES (?, 1, ?, ?, ?, ?, ?, ?, 0, 0, 5, ?, FALSE) RETURNING id
"""


class Stage:
    """One job on a database, and what an engine may have made of it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.jobs = JobStore(database)

    def create(self, spec: JobSpec, now: int = T) -> Job:
        self.job = self.jobs.create(spec, now)
        return self.job

    def set_timer(self, planned_through: int, next_fire_at: int | None, running: int | None = None) -> None:
        with self.database.write() as connection:
            statement = "UPDATE timer SET planned_through = ?, next_fire_at = ?, running_execution_id = ?"
            run(connection, statement, planned_through, next_fire_at, running)

    def execution(
        self,
        state: str,
        at: int,
        *,
        trigger: str = "schedule",
        attempt: int = 0,
        fire_at: int | None = None,
        waits: bool = False,
    ) -> int:
        key = at if trigger == "schedule" else None
        fire_at = at if fire_at is None else fire_at
        due = None if waits or state not in ("pending", "retrying") else fire_at
        with self.database.write() as connection:
            values = (self.job.key, at, fire_at, key, trigger, state, attempt, due)
            return int(rows(connection, INSERT, *values)[0].id)

    @property
    def timer(self) -> Timer:
        return self.jobs.timers([self.job.key])[self.job.key]

    @property
    def running(self) -> int | None:
        with self.database.read() as connection:
            found: int | None = rows(connection, "SELECT running_execution_id FROM timer")[0][0]
            return found

    def executions(self, columns: str = "scheduled_for, state, skip_reason") -> list[tuple[Any, ...]]:
        with self.database.read() as connection:
            statement = f"SELECT {columns} FROM execution ORDER BY scheduled_for, id"
            return [tuple(row) for row in rows(connection, statement)]

    def update(self, now: int, **values: Any) -> Job:
        return self.jobs.update(self.job.id, lambda job: replace(job.spec, **values), now)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


# ---------------------------------------------------------------------------------------------------- versions


def test_an_edit_is_the_next_version_for_the_job_and_its_timer(stage: Stage) -> None:
    stage.create(MINUTELY)
    edited = stage.update(T + 5, name="new", priority=2)
    assert (edited.version, edited.updated_at, edited.created_at) == (2, T + 5, T)
    assert (edited.spec.name, edited.state) == ("new", JobState.ACTIVE)
    assert stage.jobs.get(edited.id) == edited
    with stage.database.read() as connection:
        assert tuple(rows(connection, "SELECT job_version, priority FROM timer")[0]) == (2, 2)


def test_an_edit_of_nothing_changes_nothing(stage: Stage) -> None:
    created = stage.create(MINUTELY)
    assert stage.update(T + 5) == created
    assert stage.jobs.last_change_no() == 0


def test_an_edit_of_another_version_is_a_conflict(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    stage.update(T, name="theirs")
    with pytest.raises(Conflict, match="version 2, not 1"):
        stage.jobs.update(job.id, lambda job: replace(job.spec, name="mine"), T, 1)
    assert stage.jobs.update(job.id, lambda job: replace(job.spec, name="mine"), T, 2).version == 3


def test_a_change_that_is_refused_leaves_everything_as_it_was(stage: Stage) -> None:
    created = stage.create(MINUTELY)

    def refuse(job: Job) -> JobSpec:
        raise Conflict("not like this")

    with pytest.raises(Conflict, match="not like this"):
        stage.jobs.update(created.id, refuse, T)
    assert stage.jobs.get(created.id) == created


def test_edits_from_many_threads_are_all_kept(stage: Stage) -> None:
    job = stage.create(MINUTELY)

    def add_tag(number: int) -> None:
        stage.jobs.update(job.id, lambda job: replace(job.spec, tags=(*job.spec.tags, str(number))), T)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add_tag, range(20)))
    edited = stage.jobs.get(job.id)
    assert sorted(edited.spec.tags, key=int) == [str(number) for number in range(20)]
    assert edited.version == 21


# ---------------------------------------------------------------------------------------------------- the timer


def test_an_edit_of_the_request_leaves_the_plan_alone(stage: Stage) -> None:
    stage.create(MINUTELY)
    planned = stage.execution("pending", T + MINUTE)
    stage.set_timer(T - 5, T + 7)
    stage.update(T + 1, request=Request("http://localhost/other"), timeout=SECOND)
    assert stage.timer == Timer(T - 5, T + 7)
    assert stage.executions("id, state") == [(planned, "pending")]


def test_a_new_schedule_holds_from_the_edit_on(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.update(T + 10 * SECOND, schedule="30 * * * * *")
    assert stage.timer == Timer(T + 10 * SECOND, T + 30 * SECOND)
    assert stage.executions() == []


def test_planning_never_moves_back(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.set_timer(T + 10 * MINUTE, T + 11 * MINUTE)
    stage.update(T, schedule="30 * * * * *")
    assert stage.timer == Timer(T + 10 * MINUTE, T + 10 * MINUTE + 30 * SECOND)
    stage.jobs.pause(stage.job.id, T)
    stage.jobs.resume(stage.job.id, T)
    assert stage.timer == Timer(T + 10 * MINUTE, T + 10 * MINUTE + 30 * SECOND)


def test_a_schedule_without_a_further_occurrence_finishes_the_job_and_an_edit_revives_it(stage: Stage) -> None:
    stage.create(MINUTELY)
    edited = stage.update(T + 1, ends_at=T + 30 * SECOND)
    assert (edited.state, stage.timer.next_fire_at) == (JobState.FINISHED, None)
    for command in (stage.jobs.pause, stage.jobs.resume):
        with pytest.raises(Conflict, match="finished"):
            command(stage.job.id, T + 2)
    assert stage.update(T + 2, name="still over").state is JobState.FINISHED
    revived = stage.update(T + 3 * MINUTE + 1, ends_at=None)
    assert (revived.state, stage.timer.next_fire_at) == (JobState.ACTIVE, T + 4 * MINUTE)
    assert stage.executions() == []  # what would have been between the end and the edit was never promised


def test_a_paused_job_is_edited_without_waking(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.jobs.pause(stage.job.id, T + 1)
    assert stage.update(T + 2, schedule="30 * * * * *").state is JobState.PAUSED
    assert stage.timer == Timer(T + 1, None)
    assert stage.jobs.resume(stage.job.id, T + 3).state is JobState.ACTIVE
    assert stage.timer == Timer(T + 3, T + 30 * SECOND)


# ------------------------------------------------------------------------- occurrences between the edit and the plan


def test_what_the_new_schedule_has_before_the_end_of_the_look_ahead_is_added(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.execution("claimed", T + MINUTE, attempt=1)
    stage.set_timer(T + MINUTE, T + 2 * MINUTE)
    at = T + MINUTE - 3 * SECOND
    stage.update(at, schedule="* * * * * *", priority=2)
    assert stage.executions("scheduled_for - ?".replace("?", str(T)) + ", state, trigger, job_version, priority") == [
        (MINUTE - 2 * SECOND, "pending", "schedule", 2, 2),
        (MINUTE - 1 * SECOND, "pending", "schedule", 2, 2),
        (MINUTE, "claimed", "schedule", 1, 5),  # there already, and its owner looks at it again
    ]
    assert stage.executions("fire_at - occurrence_key, next_attempt_at - fire_at")[:2] == [(0, 0), (0, 0)]
    assert stage.timer == Timer(T + MINUTE, T + MINUTE + SECOND)


def test_nothing_is_added_when_the_clock_was_set_back(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.set_timer(T + MINUTE, T + 2 * MINUTE)
    stage.update(T + MINUTE - 6 * SECOND, schedule="* * * * * *")
    assert stage.executions() == []
    assert stage.timer == Timer(T + MINUTE, T + MINUTE + SECOND)


def test_a_resume_within_the_look_ahead_misses_nothing_and_repeats_nothing(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    stage.execution("pending", T + SECOND)
    stage.set_timer(T + SECOND, T + 2 * SECOND)
    stage.jobs.pause(stage.job.id, T + 100_000)
    assert stage.executions() == [(T + SECOND, "skipped", "paused")]
    stage.jobs.resume(stage.job.id, T + 200_000)
    assert stage.executions() == [(T + SECOND, "skipped", "paused")]
    assert stage.timer == Timer(T + SECOND, T + 2 * SECOND)


def test_what_only_the_old_schedule_had_is_skipped_unless_somebody_has_it(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    for second, state in enumerate(("succeeded", "pending", "claimed", "pending", "running"), start=1):
        stage.execution(state, T + second * SECOND)
    stage.set_timer(T + 5 * SECOND, T + 6 * SECOND)
    stage.update(T + SECOND, schedule="0,4 * * * * *")
    assert stage.executions("scheduled_for - ?".replace("?", str(T)) + ", state, skip_reason, skip_count") == [
        (1 * SECOND, "succeeded", None, None),
        (2 * SECOND, "skipped", "edited", 1),
        (3 * SECOND, "claimed", None, None),
        (4 * SECOND, "pending", None, None),  # both have it
        (5 * SECOND, "running", None, None),
    ]


def test_an_edit_leaves_alone_what_is_due_what_was_tried_and_what_nobody_scheduled(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    stage.execution("pending", T)
    stage.execution("pending", T + 2 * SECOND, attempt=1)
    stage.execution("retrying", T + 3 * SECOND, attempt=1)
    stage.execution("pending", T + 4 * SECOND, trigger="manual")
    stage.set_timer(T + 4 * SECOND, T + 5 * SECOND)
    stage.update(T, schedule="30 0 0 1 1 *")
    stage.jobs.pause(stage.job.id, T)
    assert [state for _, state, _ in stage.executions()] == ["pending", "pending", "retrying", "pending"]


def test_a_changed_jitter_moves_what_is_planned(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.execution("pending", T + MINUTE)
    stage.set_timer(T + MINUTE, T + 2 * MINUTE)
    edited = stage.update(T + MINUTE - SECOND, jitter=30 * SECOND)
    assert edited.offset
    assert stage.executions("fire_at, next_attempt_at, job_version") == [
        (T + MINUTE + edited.offset, T + MINUTE + edited.offset, 2)
    ]
    assert stage.timer == Timer(T + MINUTE, T + 2 * MINUTE + edited.offset)


# ------------------------------------------------------------------------- occurrences that were due before the edit


def test_recent_occurrences_that_both_schedules_have_are_still_run(stage: Stage) -> None:
    stage.create(EVERY_SECOND)  # planned through T, and the engine is late
    stage.update(T + 3 * SECOND, schedule="*/2 * * * * *")
    assert stage.executions() == [
        (T + SECOND, "skipped", "edited"),
        (T + 2 * SECOND, "pending", None),
        (T + 3 * SECOND, "skipped", "edited"),
    ]
    assert stage.timer == Timer(T + 3 * SECOND, T + 4 * SECOND)


def test_a_jittered_occurrence_whose_instant_has_passed_survives_an_edit_of_the_jitter(stage: Stage) -> None:
    job = stage.create(replace(MINUTELY, schedule="0 0 * * * *", jitter=1800 * SECOND))
    hour = stage.timer.next_fire_at
    assert hour is not None
    nominal = hour - job.offset
    edited = stage.update(nominal + 1, jitter=900 * SECOND)
    assert stage.executions("scheduled_for, fire_at, state") == [(nominal, nominal + edited.offset, "pending")]


def test_a_long_backlog_of_the_old_schedule_is_one_skipped_stretch(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.update(T + 10 * MINUTE + SECOND, schedule="30 * * * * *")
    columns = "scheduled_for, state, skip_reason, skip_from, skip_to, skip_count, occurrence_key, finished_at"
    assert stage.executions(columns) == [
        (
            T + 9 * MINUTE,
            "skipped",
            "edited",
            T + MINUTE,
            T + 9 * MINUTE,
            9,
            None,
            T + 10 * MINUTE + SECOND,
        ),
        (
            T + 10 * MINUTE,
            "skipped",
            "edited",
            T + 10 * MINUTE,
            T + 10 * MINUTE,
            1,
            T + 10 * MINUTE,
            T + 10 * MINUTE + SECOND,
        ),
    ]


@pytest.mark.parametrize(("command", "reason"), [("pause", "paused"), ("delete", "deleted")])
def test_what_was_owed_before_the_job_was_stopped_is_recorded(stage: Stage, command: str, reason: str) -> None:
    stage.create(MINUTELY)
    getattr(stage.jobs, command)(stage.job.id, T + 10 * MINUTE)
    assert stage.executions("state, skip_reason, skip_from, skip_to, skip_count") == [
        ("skipped", reason, T + MINUTE, T + 10 * MINUTE, 10)
    ]
    assert stage.timer == Timer(T + 10 * MINUTE, None)


def test_what_fell_into_a_pause_is_nobodys(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.jobs.pause(stage.job.id, T + 1)
    stage.jobs.resume(stage.job.id, T + 10 * MINUTE)
    assert stage.executions() == []
    assert stage.timer == Timer(T + 10 * MINUTE, T + 11 * MINUTE)


# ---------------------------------------------------------------------------------------------------- pause, delete


def test_pausing_twice_and_resuming_twice_change_nothing(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    assert stage.jobs.resume(job.id, T) == job
    paused = stage.jobs.pause(job.id, T + 1)
    assert (paused.state, paused.version) == (JobState.PAUSED, 2)
    assert stage.jobs.pause(job.id, T + 2) == paused
    resumed = stage.jobs.resume(job.id, T + 3)
    assert (resumed.state, resumed.version) == (JobState.ACTIVE, 3)
    assert stage.jobs.resume(job.id, T + 4) == resumed


def test_a_job_may_be_paused_by_its_key(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    with stage.database.write() as connection:
        assert edits.pause(connection, stage.database.dialect, job.key, T).state is JobState.PAUSED
    with stage.database.write() as connection, pytest.raises(NotFound):
        edits.pause(connection, stage.database.dialect, job.key + 1, T)


def test_a_resume_after_the_last_occurrence_finishes_the_job(stage: Stage) -> None:
    stage.create(replace(MINUTELY, ends_at=T + MINUTE))
    stage.jobs.pause(stage.job.id, T + 1)
    assert stage.jobs.resume(stage.job.id, T + 2 * MINUTE).state is JobState.FINISHED


def test_a_deletion_ends_all_that_waits(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    stage.execution("pending", T - SECOND)
    stage.execution("pending", T + SECOND)
    stage.execution("pending", T + 2 * SECOND, attempt=1)
    stage.execution("retrying", T + 3 * SECOND, attempt=1)
    stage.execution("pending", T + 4 * SECOND, trigger="manual")
    stage.execution("claimed", T + 5 * SECOND)
    stage.execution("running", T + 6 * SECOND)
    stage.execution("succeeded", T + 7 * SECOND)
    stage.set_timer(T + 7 * SECOND, T + 8 * SECOND)
    deleted = stage.jobs.delete(stage.job.id, T)
    assert (deleted.state, stage.timer.next_fire_at) == (JobState.DELETED, None)
    assert [(state, reason) for _, state, reason in stage.executions()] == [
        ("cancelled", None),
        ("skipped", "deleted"),
        ("cancelled", None),
        ("cancelled", None),
        ("cancelled", None),
        ("claimed", None),
        ("running", None),
        ("succeeded", None),
    ]
    ended = stage.executions("finished_at, next_attempt_at")[:5]
    assert ended == [(T, None)] * 5


def test_a_deleted_job_is_there_for_nothing_but_its_restoration(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    stage.jobs.delete(job.id, T)
    commands: list[Callable[[str], object]] = [
        stage.jobs.get,
        lambda job_id: stage.jobs.pause(job_id, T),
        lambda job_id: stage.jobs.resume(job_id, T),
        lambda job_id: stage.jobs.delete(job_id, T),
        lambda job_id: stage.jobs.update(job_id, lambda job: job.spec, T),
    ]
    for command in commands:
        with pytest.raises(NotFound):
            command(job.id)
    restored = stage.jobs.restore(job.id, T + 10 * MINUTE)
    assert (restored.state, restored.version) == (JobState.ACTIVE, 3)
    assert stage.timer == Timer(T + 10 * MINUTE, T + 11 * MINUTE)
    assert stage.jobs.get(job.id) == restored
    assert stage.jobs.restore(job.id, T + 11 * MINUTE) == restored


def test_a_job_deleted_while_paused_comes_back_paused(stage: Stage) -> None:
    job = stage.create(MINUTELY)
    stage.jobs.pause(job.id, T)
    assert stage.jobs.delete(job.id, T + 1).state is JobState.DELETED
    assert stage.jobs.restore(job.id, T + 2).state is JobState.PAUSED
    assert stage.timer.next_fire_at is None
    assert stage.jobs.resume(job.id, T + 3).state is JobState.ACTIVE


# ---------------------------------------------------------------------------------------------------- overlap


def test_skipping_the_one_under_way_lets_the_waiter_go(stage: Stage) -> None:
    stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE))
    returned = stage.execution("pending", T + 2 * SECOND)
    waiter = stage.execution("pending", T, waits=True)
    stage.set_timer(T + 2 * SECOND, T + 3 * SECOND, running=returned)
    stage.update(T + SECOND, schedule="0 * * * * *")
    assert stage.executions("id, state, next_attempt_at") == [
        (waiter, "pending", T + SECOND),
        (returned, "skipped", None),
    ]
    assert stage.running == waiter


def test_deleting_the_one_under_way_lets_nobody_go(stage: Stage) -> None:
    stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE))
    running = stage.execution("retrying", T - SECOND, attempt=1)
    stage.execution("pending", T, waits=True)
    stage.set_timer(T, T + SECOND, running=running)
    stage.jobs.delete(stage.job.id, T)
    assert [state for _, state, _ in stage.executions()] == ["cancelled", "cancelled"]
    assert stage.running is None


def test_a_pause_leaves_the_one_under_way_and_its_waiter(stage: Stage) -> None:
    stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE))
    running = stage.execution("retrying", T - SECOND, attempt=1)
    stage.execution("pending", T, waits=True)
    stage.set_timer(T, T + SECOND, running=running)
    stage.jobs.pause(stage.job.id, T)
    assert [state for _, state, _ in stage.executions()] == ["retrying", "pending"]
    assert stage.running == running


def test_allowing_overlap_lets_the_waiter_go(stage: Stage) -> None:
    stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE))
    running = stage.execution("running", T - SECOND, attempt=1)
    stage.execution("pending", T, waits=True)
    stage.set_timer(T, T + SECOND, running=running)
    stage.update(T + 1, overlap=Overlap.ALLOW)
    assert stage.executions("state, next_attempt_at") == [("running", None), ("pending", T + 1)]
    assert stage.running is None


def test_a_new_priority_counts_for_what_waits_already(stage: Stage) -> None:
    stage.create(MINUTELY)
    stage.execution("pending", T, trigger="manual")
    stage.execution("retrying", T + 1, attempt=1)
    stage.execution("succeeded", T + 2)
    stage.update(T, priority=1)
    assert stage.executions("priority") == [(1,), (1,), (5,)]


# ---------------------------------------------------------------------------------------------------- races


def test_an_edit_does_not_wait_for_an_execution_that_somebody_has_in_hand(stage: Stage) -> None:
    if stage.database.kind == "sqlite":
        pytest.skip("a write transaction has the whole file")
    stage.create(EVERY_SECOND)
    taken = stage.execution("pending", T + 2 * SECOND)
    stage.execution("pending", T + 3 * SECOND)
    stage.set_timer(T + 3 * SECOND, T + 4 * SECOND)
    with stage.database.write() as claimer:
        rows(claimer, "SELECT id FROM execution WHERE id = ? FOR UPDATE", taken)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(stage.jobs.pause, stage.job.id, T).result(timeout=20)
        run(claimer, "UPDATE execution SET state = 'claimed', claim_no = 1 WHERE id = ?", taken)
    assert [state for _, state, _ in stage.executions()] == ["claimed", "skipped"]


def test_edits_of_different_jobs_are_numbered_in_the_order_they_commit(stage: Stage) -> None:
    made = [stage.jobs.create(MINUTELY, T) for _ in range(6)]
    seen: list[tuple[int, int]] = []
    finished = threading.Event()

    def follow() -> None:
        last = 0
        while True:
            is_last = finished.is_set()
            for number, job in stage.jobs.changed_since(last):
                assert number > last
                last = number
                seen.append((number, job.key))
            if is_last:
                return

    follower = ThreadPoolExecutor(1)
    following = follower.submit(follow)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda job: stage.jobs.pause(job.id, T), made))
    finished.set()
    following.result(timeout=60)
    follower.shutdown()
    assert {key for _, key in seen} == {job.key for job in made}


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (edits.KEY_OF, ("x",)),
        (edits.TIMER_OF, (1,)),
        (edits.JOB_OF, (1,)),
        (edits.PLANNED_OF, (1, T)),
        (edits.WAITING_OF, (1,)),
        (edits.WAITERS_OF, (1,)),
        (edits.WRITE_TIMER, (1, 1, 1, 1, 1)),
        (edits.RELEASE_TIMER, (1,)),
        (edits.WAKE, (1, 1, 1)),
        (edits.SKIP, ("edited", 1, 1)),
        (edits.CANCEL, ("why", 1, 1)),
        (edits.MOVE, (1, 1, 1, 1)),
        (edits.REPRIORITIZE, (1, 1, 1)),
    ],
)
def test_statements_use_an_index(database: Database, statement: Any, values: tuple[Any, ...]) -> None:
    assert_bounded(database, statement, *values)


def test_reading_the_waiting_of_a_job_uses_the_index_of_what_waits(database: Database) -> None:
    with database.read() as connection:
        if database.kind == "sqlite":
            plan = connection.execute(text(f"EXPLAIN QUERY PLAN {edits.WAITING_OF.replace('?', '1')}")).all()
            assert "ix_execution_waiting_job" in plan[0].detail
