"""What every `Control` promises, kept by the real one and by the one in memory that screens are tested with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import sqlite
from tests.tui.fake import FakeControl
from tui_scheduler.control.control import Control
from tui_scheduler.control.local import LocalControl
from tui_scheduler.control.views import Backfilled, Change, JobQuery, LogQuery, SortBy
from tui_scheduler.domain.errors import Conflict, Invalid, NotFound
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.filtering import parse_filter
from tui_scheduler.domain.job import JobSpec, JobState, Request
from tui_scheduler.domain.queues import Limits, Rate
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.hot import run

T = 1_795_449_600 * SECOND
SPEC = JobSpec("0 * * * * *", Request("http://localhost/hook"))
NOBODY = "01a1ee56-5e00-7000-8661-11ad9f793b37"


class World:
    """A control whose clock is set by hand: over a database, or in memory."""

    def __init__(self, database: Database | None) -> None:
        self.now = T
        self.database = database
        self.control: Control = FakeControl(T) if database is None else LocalControl(database, now=lambda: self.now)

    def pass_time(self, span: int) -> None:
        self.now += span
        if isinstance(self.control, FakeControl):
            self.control.clock = self.now

    def make(self, name: str = "", **values: object) -> int:
        return self.control.create_job(replace(SPEC, name=name, **values)).job.key  # type: ignore[arg-type]

    def id(self, key: int) -> str:
        return next(view.job.id for view in self.control.jobs() if view.job.key == key)

    def state(self, key: int) -> JobState:
        return self.control.job_rows([key])[0].state

    def fail(self, key: int) -> None:
        """The latest run of a job has failed."""
        if isinstance(self.control, FakeControl):
            self.control.happened(self.control.stored[key], State.FAILED)
        else:
            assert self.database is not None
            with self.database.write() as connection:
                run(connection, "UPDATE timer SET failures = 1 WHERE job_id = ?", key)

    def finish(self, key: int) -> None:
        """A job comes to its end."""
        if isinstance(self.control, FakeControl):
            self.control.stored[key] = replace(self.control.stored[key], state=JobState.FINISHED)
        else:
            assert self.database is not None
            with self.database.write() as connection:
                run(connection, "UPDATE job SET state = 'finished' WHERE id = ?", key)

    def keys(self, text: str = "", sort: SortBy = SortBy.CREATED, *, descending: bool = False) -> list[int]:
        return list(self.control.list_jobs(JobQuery(parse_filter(text), sort, descending)).keys)


@pytest.fixture(params=["real", "in memory"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    if request.param == "in memory":
        yield World(None)
        return
    database = open_database(sqlite.clean_file(tmp_path))
    yield World(database)
    database.close()


# --- one job


def test_a_job_starts_active_with_its_next_run(world: World) -> None:
    view = world.control.create_job(SPEC)
    assert (view.job.state, view.job.version, view.next_run) == (JobState.ACTIVE, 1, T + 60 * SECOND)
    assert world.control.job(view.job.id) == view


def test_an_edit_makes_a_new_version_and_one_that_changes_nothing_none(world: World) -> None:
    job = world.control.create_job(SPEC).job
    assert world.control.update_job(job.id, lambda spec: spec).job.version == 1
    assert world.control.update_job(job.id, lambda spec: replace(spec, name="x"), expected_version=1).job.version == 2
    with pytest.raises(Conflict, match="it is at version 2, not 1"):
        world.control.update_job(job.id, lambda spec: replace(spec, name="y"), expected_version=1)
    with pytest.raises(Invalid, match="timeoutMs"):
        world.control.update_job(job.id, lambda spec: replace(spec, timeout=0))


def test_a_schedule_that_has_ended_is_no_reason_to_refuse_another_name(world: World) -> None:
    job = world.control.create_job(replace(SPEC, schedule="@at 2026-11-23T16:00:10Z")).job
    world.pass_time(60 * SECOND)
    assert world.control.check(replace(job.spec, name="x"), job_id=job.id) == ()
    assert world.control.update_job(job.id, lambda spec: replace(spec, name="x")).job.spec.name == "x"
    with pytest.raises(Invalid, match="has passed"):
        world.control.check(replace(job.spec, schedule="@at 2026-11-23T16:00:20Z"), job_id=job.id)


def test_jobs_come_in_pages_oldest_first_without_the_deleted(world: World) -> None:
    first, second, third, fourth = (world.make(name) for name in "abcd")
    world.control.change_jobs(Change.DELETE, [third])
    page = world.control.jobs(limit=2)
    assert [view.job.key for view in page] == [first, second]
    assert [view.job.key for view in world.control.jobs(after=page[-1].job.id)] == [fourth]
    with pytest.raises(Invalid, match="after"):
        world.control.jobs(after=NOBODY)


def test_paging_goes_on_after_a_job_that_is_deleted_meanwhile(world: World) -> None:
    first, second = world.make(), world.make()
    after = world.id(first)
    world.control.delete_job(after)
    assert [view.job.key for view in world.control.jobs(after=after)] == [second]


def test_pausing_a_paused_job_changes_nothing_and_resuming_an_active_one_neither(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    assert world.control.resume_job(job_id).job.version == 1
    paused = world.control.pause_job(job_id)
    assert (paused.job.state, paused.job.version, paused.next_run) == (JobState.PAUSED, 2, None)
    assert world.control.pause_job(job_id).job.version == 2


def test_a_job_deleted_while_paused_is_restored_paused(world: World) -> None:
    paused, active = world.control.create_job(SPEC).job.id, world.control.create_job(SPEC).job.id
    world.control.pause_job(paused)
    for job_id in (paused, active):
        world.control.delete_job(job_id)
        with pytest.raises(NotFound):
            world.control.delete_job(job_id)
    assert world.control.restore_job(paused).job.state is JobState.PAUSED
    assert world.control.restore_job(active).job.state is JobState.ACTIVE
    version = world.control.job(active).job.version
    assert world.control.restore_job(active).job.version == version


def test_a_finished_job_is_neither_paused_nor_resumed(world: World) -> None:
    key = world.make()
    world.finish(key)
    with pytest.raises(Conflict, match="has finished, so it cannot be paused"):
        world.control.pause_job(world.id(key))
    with pytest.raises(Conflict, match="has finished, so it cannot be resumed"):
        world.control.resume_job(world.id(key))


# --- many jobs


@pytest.mark.parametrize(
    ("change", "before", "after"),
    [
        (Change.PAUSE, (), JobState.PAUSED),
        (Change.RESUME, (Change.PAUSE,), JobState.ACTIVE),
        (Change.RESTORE, (Change.DELETE,), JobState.ACTIVE),
        (Change.RESTORE, (Change.PAUSE, Change.DELETE), JobState.PAUSED),
    ],
)
def test_a_change_of_many_tells_which_were_otherwise_before(
    world: World, change: Change, before: tuple[Change, ...], after: JobState
) -> None:
    key, so_already = world.make(), world.make()
    for earlier in before:
        world.control.change_jobs(earlier, [key])
    if change is Change.PAUSE:
        world.control.change_jobs(change, [so_already])
    changed = world.control.change_jobs(change, [so_already, key, key, 999])
    assert (changed.done, changed.changed) == ((so_already, key), (key,))
    assert changed.refused == ((999, "there is no such job"),)
    assert world.state(key) is after


def test_what_is_deleted_is_deleted_again_without_a_change_and_nothing_else_is_done_to_it(world: World) -> None:
    key, other = world.make(), world.make()
    world.control.change_jobs(Change.DELETE, [key])
    changed = world.control.change_jobs(Change.DELETE, [key, other])
    assert (changed.done, changed.changed, changed.refused) == ((key, other), (other,), ())
    for change in (Change.PAUSE, Change.RESUME, Change.RUN, Change.CANCEL):
        changed = world.control.change_jobs(change, [key])
        assert (changed.done, changed.changed, changed.refused) == ((), (), ((key, "the job is deleted"),))


def test_finished_jobs_refuse_a_pause_and_run_all_the_same(world: World) -> None:
    key = world.make()
    world.finish(key)
    ((refused, why),) = world.control.change_jobs(Change.PAUSE, [key]).refused
    assert (refused, why.partition(":")[0]) == (key, "the job has finished, so it cannot be paused")
    assert world.control.change_jobs(Change.RUN, [key]).changed == (key,)


def test_runs_of_many_are_one_for_each_and_can_be_cancelled(world: World) -> None:
    keys = [world.make(), world.make()]
    assert world.control.change_jobs(Change.RUN, keys).changed == tuple(keys)
    for key in keys:
        (run,) = world.control.executions(world.id(key))
        assert (run.state, run.trigger, run.fire_at) == (State.PENDING, Trigger.MANUAL, T)
    assert world.control.change_jobs(Change.CANCEL, keys[:1]).changed == (keys[0],)
    (run,) = world.control.executions(world.id(keys[0]))
    assert (run.state, run.finished_at, run.error) == (State.CANCELLED, T, "cancelled on request")
    (run,) = world.control.executions(world.id(keys[1]))
    assert run.state is State.PENDING


def test_a_deletion_ends_what_waits(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    run = world.control.run_now(job_id)
    world.control.delete_job(job_id)
    assert world.control.execution(run.id)[0].state is State.CANCELLED
    with pytest.raises(NotFound):
        world.control.executions(job_id)


# --- the list


def test_equal_jobs_are_listed_oldest_first_either_way_and_what_never_runs_last(world: World) -> None:
    b, a, b_too = world.make("b", priority=1), world.make("A"), world.make("B", priority=1)
    world.control.change_jobs(Change.PAUSE, [b])
    assert world.keys(sort=SortBy.NAME) == [a, b, b_too]
    assert world.keys(sort=SortBy.NAME, descending=True) == [b, b_too, a]
    assert world.keys(sort=SortBy.PRIORITY) == [b, b_too, a]
    assert world.keys(sort=SortBy.STATE) == [a, b_too, b]
    assert world.keys(sort=SortBy.NEXT_RUN) == [a, b_too, b]
    assert world.keys(sort=SortBy.NEXT_RUN, descending=True) == [a, b_too, b]
    assert world.keys(descending=True) == [b_too, a, b]


def test_a_filter_looks_at_name_url_schedule_tag_queue_and_state(world: World) -> None:
    nightly, other = world.make("Nightly", tags=("prod",)), world.make("x", queue="q", schedule="@every 77s")
    assert world.keys("nightly") == world.keys("tag:prod") == world.keys("!queue:q") == [nightly]
    assert world.keys("77s") == world.keys("!nightly") == world.keys("queue:q") == [other]
    assert world.keys("HOOK") == [nightly, other]
    assert world.keys("tag:Prod") == []
    world.control.change_jobs(Change.DELETE, [nightly])
    listing = world.control.list_jobs(JobQuery(parse_filter("nightly")))
    assert (list(listing.keys), listing.total) == ([], 1)


def test_only_active_jobs_are_failing_in_the_filter_and_in_the_count(world: World) -> None:
    failing, paused, finished, fine = (world.make() for _ in range(4))
    for key in (failing, paused, finished):
        world.fail(key)
    world.control.change_jobs(Change.PAUSE, [paused])
    world.finish(finished)
    assert world.keys("state:failing") == [failing]
    assert world.keys("!state:failing") == [paused, finished, fine]
    assert world.control.metrics().failing == 1


def test_rows_come_in_the_order_asked_for_without_the_deleted(world: World) -> None:
    first, deleted, last = (world.make() for _ in range(3))
    world.control.change_jobs(Change.DELETE, [deleted])
    assert [row.key for row in world.control.job_rows([last, deleted, 999, first])] == [last, first]


# --- executions


def test_the_log_has_the_newest_in_their_order_and_then_what_is_new_or_asked_for_again(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    runs = []
    for _ in range(3):
        runs.append(world.control.run_now(job_id))
        world.pass_time(SECOND)
    page = world.control.log(LogQuery(limit=2))
    assert [row.id for row in page.rows] == [run.id for run in runs[1:]]
    world.pass_time(10 * SECOND)
    world.control.cancel(runs[1].id)
    new = world.control.run_now(job_id)
    later = world.control.log(LogQuery(), page.cursor, again=[page.rows[0].key])
    found = {row.id: row.state for row in later.rows}
    assert found[new.id] is State.PENDING
    assert found[runs[1].id] is State.CANCELLED
    assert [row.fire_at for row in later.rows] == sorted(row.fire_at for row in later.rows)


def test_the_log_can_be_of_one_job_of_some_states_and_since_an_instant(world: World) -> None:
    one, other = (world.control.create_job(SPEC).job.id for _ in range(2))
    cancelled = world.control.run_now(one)
    world.control.cancel(cancelled.id)
    world.pass_time(SECOND)
    waiting, elsewhere = world.control.run_now(one), world.control.run_now(other)

    def found(query: LogQuery) -> list[str]:
        return [row.id for row in world.control.log(query).rows]

    assert found(LogQuery(job_id=one)) == [cancelled.id, waiting.id]
    assert found(LogQuery(states=frozenset({State.CANCELLED}))) == [cancelled.id]
    assert found(LogQuery(since=T + 1)) == [waiting.id, elsewhere.id]
    with pytest.raises(NotFound):
        world.control.log(LogQuery(job_id=NOBODY))


def test_what_has_ended_cannot_be_cancelled_and_what_has_not_cannot_be_replayed(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    execution = world.control.run_now(job_id)
    with pytest.raises(Conflict, match="it can be replayed once it has ended; it is pending"):
        world.control.replay(execution.id)
    assert world.control.cancel(execution.id).state is State.CANCELLED
    with pytest.raises(Conflict, match="the execution has ended"):
        world.control.cancel(execution.id)
    world.pass_time(SECOND)
    again = world.control.replay(execution.id)
    assert (again.state, again.trigger) == (State.PENDING, Trigger.REPLAY)
    assert (again.scheduled_for, again.fire_at) == (execution.scheduled_for, T + SECOND)


def test_an_execution_of_a_deleted_job_cannot_be_replayed(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    execution = world.control.run_now(job_id)
    world.control.delete_job(job_id)
    with pytest.raises(NotFound):
        world.control.replay(execution.id)


def test_a_stretch_of_the_past_is_run_once_and_counted_before_by_a_dry_run(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    hour = (job_id, T - 3599 * SECOND, T)
    assert world.control.backfill(*hour, dry_run=True) == Backfilled(60, 60, 0, 0)
    assert world.control.executions(job_id) == []
    assert world.control.backfill(job_id, T - 119 * SECOND, T) == Backfilled(2, 2, 0, 0)
    newest, oldest = world.control.executions(job_id)
    assert (newest.scheduled_for, oldest.scheduled_for) == (T, T - 60 * SECOND)
    assert {(view.trigger, view.state, view.fire_at) for view in (newest, oldest)} == {
        (Trigger.BACKFILL, State.PENDING, T)
    }
    assert world.control.backfill(*hour) == Backfilled(60, 58, 0, 2)
    assert world.control.backfill(*hour) == Backfilled(60, 0, 0, 60)


def test_what_waits_of_a_backfill_is_cancelled_and_stays_so(world: World) -> None:
    job_id, other = (world.control.create_job(SPEC).job.id for _ in range(2))
    run = world.control.run_now(job_id)
    for each in (job_id, other):
        world.control.backfill(each, T - 3599 * SECOND, T)
    assert world.control.cancel_backfill(job_id) == 60
    assert world.control.cancel_backfill(job_id) == 0
    assert world.control.execution(run.id)[0].state is State.PENDING
    assert world.control.backfill(job_id, T - 3599 * SECOND, T) == Backfilled(60, 0, 0, 60)
    assert world.control.cancel_backfill(other) == 60


def test_a_paused_job_is_backfilled_and_a_deleted_one_is_not(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    world.control.pause_job(job_id)
    world.pass_time(600 * SECOND)
    assert world.control.backfill(job_id, T + 1, world.now) == Backfilled(10, 10, 0, 0)
    world.control.delete_job(job_id)
    with pytest.raises(NotFound):
        world.control.backfill(job_id, T, T)
    with pytest.raises(NotFound):
        world.control.cancel_backfill(job_id)


@pytest.mark.parametrize(
    ("first", "last", "priority", "field"),
    [(T, T + SECOND, 9, "to"), (T, T - 1, 9, "to"), (0, T, 9, "from"), (T, T, 0, "priority"), (T, T, 10, "priority")],
)
def test_a_backfill_that_cannot_be_names_what_is_wrong(
    world: World, first: int, last: int, priority: int, field: str
) -> None:
    job_id = world.control.create_job(SPEC).job.id
    with pytest.raises(Invalid) as caught:
        world.control.backfill(job_id, first, last, priority=priority)
    assert caught.value.field == field


@pytest.mark.parametrize("method", ["job", "delete_job", "restore_job", "pause_job", "resume_job", "run_now"])
def test_who_names_a_job_that_is_not_there_is_told_so(world: World, method: str) -> None:
    with pytest.raises(NotFound):
        getattr(world.control, method)(NOBODY)


@pytest.mark.parametrize("method", ["execution", "cancel", "replay"])
def test_who_names_an_execution_that_is_not_there_is_told_so(world: World, method: str) -> None:
    with pytest.raises(NotFound):
        getattr(world.control, method)(NOBODY)


# --- what holds work back


def test_queues_are_those_that_jobs_name_and_those_with_limits(world: World) -> None:
    world.make(queue="b")
    world.make(queue="a")
    assert [view.name for view in world.control.queues()] == ["a", "b"]
    assert world.control.limit_queue("z", lambda limits: replace(limits, concurrency=2)).limits == Limits(2)
    assert [view.name for view in world.control.queues()] == ["a", "b", "z"]
    world.control.limit_queue("z", lambda _: Limits())
    with pytest.raises(NotFound, match="no queue with id 'z'"):
        world.control.queue("z")


def test_limits_are_replaced_and_checked(world: World) -> None:
    world.control.limit_queue("a", lambda _: Limits(2, Rate(10, SECOND)))
    changed = world.control.limit_queue("a", lambda limits: replace(limits, concurrency=None))
    assert changed.limits == world.control.queue("a").limits == Limits(None, Rate(10, SECOND))
    with pytest.raises(Invalid, match="concurrency"):
        world.control.limit_queue("a", lambda limits: replace(limits, concurrency=0))
    with pytest.raises(Invalid, match="letters"):
        world.control.limit_queue("no queue", lambda limits: limits)


def test_a_queue_is_paused_and_resumed(world: World) -> None:
    world.make(queue="a")
    assert world.control.pause_queue("a").limits.paused
    assert world.control.queue("a").limits.paused
    assert not world.control.resume_queue("a").limits.paused
    with pytest.raises(NotFound):
        world.control.pause_queue("b")


def test_a_window_says_when_it_is_open_and_when_it_begins(world: World) -> None:
    made = world.control.create_window(WindowSpec("x", None, T + 10 * SECOND, T + 20 * SECOND))
    assert (made.open_until, made.next_start) == (None, T + 10 * SECOND)
    world.pass_time(15 * SECOND)
    assert [(view.id, view.open_until, view.next_start) for view in world.control.windows()] == [
        (made.id, T + 20 * SECOND, None)
    ]
    off = world.control.update_window(made.id, lambda spec: replace(spec, enabled=False))
    assert (off.open_until, off.next_start) == (None, None)
    world.control.delete_window(made.id)
    assert world.control.windows() == []


def test_a_window_that_cannot_be_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="durationMs"):
        world.control.create_window(WindowSpec(schedule="@daily"))
    made = world.control.create_window(WindowSpec(schedule="@daily", duration=SECOND))
    with pytest.raises(Invalid, match="it would never end"):
        world.control.update_window(made.id, lambda spec: replace(spec, schedule="* * * * * *"))
    with pytest.raises(NotFound, match="no window"):
        world.control.update_window(NOBODY, lambda spec: spec)
    with pytest.raises(NotFound, match="no window"):
        world.control.delete_window(NOBODY)
