"""The local `Control`: what people and programs get to see, over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tui_scheduler.control.control import Control
from tui_scheduler.control.local import LocalControl
from tui_scheduler.control.views import JobView
from tui_scheduler.domain.errors import Conflict, Invalid, NotFound
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import JobSpec, JobState, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.claims import ClaimStore
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.hot import run
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.nodes import NodeStore

T = 1_795_000_020 * SECOND
SPEC = JobSpec("0 * * * * *", Request("http://localhost/hook"))
NOBODY = "01a1ee56-5e00-7000-8661-11ad9f793b37"


class World:
    """A control whose clock is set by hand and that remembers being woken."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = T
        self.woken = 0
        self.trouble: str | None = None
        self.details: dict[str, str] = {}
        self.control = LocalControl(
            database,
            now=lambda: self.now,
            wake=self._wake,
            engine_trouble=lambda: self.trouble,
            engine_details=lambda: self.details,
        )

    def _wake(self) -> None:
        self.woken += 1

    def beat(self, counters: dict[str, Any] | None = None, uuid: str = "n") -> int:
        nodes = NodeStore(self.database)
        node = nodes.register(uuid, "host", 1, "1.0", self.now)
        nodes.beat(node, self.now, counters or {})
        return node


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = open_database(str(tmp_path / "jobs.db"))
    yield opened
    opened.close()


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_it_is_a_control(world: World) -> None:
    control: Control = world.control
    assert control.jobs() == []


def test_a_created_job_is_shown_with_its_next_run_in_words(world: World) -> None:
    view = world.control.create_job(SPEC)
    assert (view.next_run, view.planned_through) == (T + 60 * SECOND, T)
    assert view.in_words == "every minute"
    assert view.notices == ()
    assert world.control.job(view.job.id) == view
    assert world.control.jobs() == [view]
    assert world.woken == 1


def test_a_job_that_cannot_be_taken_is_refused_and_wakes_nobody(world: World) -> None:
    with pytest.raises(Invalid, match="timeoutMs"):
        world.control.create_job(replace(SPEC, timeout=0))
    with pytest.raises(Invalid, match="schedule"):
        world.control.create_job(replace(SPEC, schedule="@at 2020-01-01T00:00:00Z"))
    assert world.control.jobs() == []
    assert world.woken == 0


def test_a_surprising_schedule_comes_with_a_notice(world: World) -> None:
    view = world.control.create_job(replace(SPEC, schedule="0 0 0 31 * *"))
    assert [notice.code for notice in view.notices] == ["rare"]
    assert world.control.job(view.job.id).notices == view.notices


def test_a_herd_is_pointed_out_and_jitter_offered(world: World) -> None:
    JobStore(world.database).create_many([SPEC] * 499, T)
    view = world.control.create_job(SPEC)
    assert [notice.code for notice in view.notices] == ["herd"]
    assert "jitterMs" in view.notices[0].message
    elsewhere = world.control.create_job(replace(SPEC, schedule="30 * * * * *"))
    assert elsewhere.notices == ()
    spread = world.control.update_job(view.job.id, lambda spec: replace(spec, jitter=SECOND))
    assert spread.notices == ()


def test_an_update_replaces_what_a_user_decides(world: World) -> None:
    created = world.control.create_job(SPEC)
    view = world.control.update_job(created.job.id, lambda spec: replace(spec, schedule="30 * * * * *"))
    assert (view.job.version, view.next_run) == (2, T + 30 * SECOND)
    assert world.woken == 2


def test_an_update_is_checked_like_a_new_job(world: World) -> None:
    created = world.control.create_job(SPEC)
    with pytest.raises(Invalid, match="never fire"):
        world.control.update_job(created.job.id, lambda spec: replace(spec, schedule="0 0 0 30 2 *"))
    with pytest.raises(Invalid, match="priority"):
        world.control.update_job(created.job.id, lambda spec: replace(spec, priority=0))
    with pytest.raises(Conflict):
        world.control.update_job(created.job.id, lambda spec: spec, expected_version=7)
    assert world.control.job(created.job.id) == created


def test_a_finished_job_may_be_edited_but_not_to_another_schedule_that_is_over(world: World) -> None:
    created = world.control.create_job(replace(SPEC, schedule="@at 2026-11-18T12:00:00Z"))
    job_id = created.job.id
    assert created.next_run is not None
    world.now = created.next_run + 1
    with world.database.write() as connection:
        run(connection, "UPDATE timer SET next_fire_at = NULL, planned_through = ?", created.next_run)
        run(connection, "UPDATE job SET state = 'finished'")
    assert world.control.update_job(job_id, lambda spec: replace(spec, name="x")).job.state is JobState.FINISHED
    with pytest.raises(Invalid, match="has passed"):
        world.control.update_job(job_id, lambda spec: replace(spec, schedule="@at 2026-11-18T11:59:00Z"))
    with pytest.raises(Conflict):
        world.control.pause_job(job_id)
    with pytest.raises(Conflict):
        world.control.resume_job(job_id)
    revived = world.control.update_job(job_id, lambda spec: replace(spec, schedule="0 * * * * *"))
    assert revived.job.state is JobState.ACTIVE


def test_pause_resume_delete_and_restore_follow_each_other(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id

    def shown(view: JobView) -> tuple[JobState, int | None]:
        return view.job.state, view.next_run

    assert shown(world.control.pause_job(job_id)) == (JobState.PAUSED, None)
    world.now += 600 * SECOND
    assert shown(world.control.resume_job(job_id)) == (JobState.ACTIVE, world.now + 60 * SECOND)
    world.control.delete_job(job_id)
    assert world.control.jobs() == []
    with pytest.raises(NotFound):
        world.control.job(job_id)
    assert shown(world.control.restore_job(job_id)) == (JobState.ACTIVE, world.now + 60 * SECOND)
    assert world.woken == 5


def test_a_run_by_hand_is_an_execution_at_once(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    world.control.pause_job(job_id)
    view = world.control.run_now(job_id)
    assert (view.job_id, view.trigger, view.state) == (job_id, Trigger.MANUAL, State.PENDING)
    assert view.scheduled_for == view.fire_at == view.next_attempt_at == T
    assert view.drift is None
    assert world.control.executions(job_id) == [view]
    assert world.control.execution(view.id) == (view, [])
    assert world.woken == 3


def test_what_is_claimed_ahead_is_in_the_history_from_its_instant_on(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    node, due = world.beat(), T + 60 * SECOND
    assert ClaimStore(world.database).claim(node, due - SECOND, due, 10).claims
    world.now = due - 1
    assert world.control.executions(job_id) == []
    world.now = due
    (view,) = world.control.executions(job_id)
    assert (view.scheduled_for, view.state) == (due, State.CLAIMED)


def test_an_execution_comes_with_its_attempts(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    view = world.control.run_now(job_id)
    with world.database.write() as connection:
        run(
            connection,
            "INSERT INTO attempt (execution_id, attempt, node_id, finished_at, http_status, waits_us, waits_for)"
            " VALUES (1, 1, 1, ?, 503, 1000, 'backoff')",
            T,
        )
    _, (attempt,) = world.control.execution(view.id)
    assert (attempt.attempt, attempt.http_status, attempt.waits, attempt.waits_for) == (1, 503, 1000, "backoff")
    assert attempt.response_headers == ()


@pytest.mark.parametrize("execution_id", [NOBODY, "x", ""])
def test_an_unknown_execution_is_not_found(world: World, execution_id: str) -> None:
    with pytest.raises(NotFound):
        world.control.execution(execution_id)


def test_the_executions_of_an_unknown_job_are_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        world.control.executions(NOBODY)


def test_pages_of_jobs_go_on_after_the_last_one_seen(world: World) -> None:
    made = [world.control.create_job(replace(SPEC, name=str(number))).job.id for number in range(3)]
    assert [view.job.id for view in world.control.jobs(limit=2)] == made[:2]
    assert [view.job.id for view in world.control.jobs(limit=2, after=made[1])] == made[2:]


def test_metrics_add_up_the_nodes_that_live(world: World) -> None:
    job_id = world.control.create_job(SPEC).job.id
    world.control.run_now(job_id)
    world.beat({"fired": 3, "succeeded": 2, "failed": 1, "inFlight": 4, "driftP50": 100, "driftP99": 900}, "a")
    world.beat({"fired": 10, "retried": 5, "skipped": 6, "lost": 7, "driftP50": 300, "driftP99": None}, "b")
    stopped = world.beat({"fired": 1000, "driftP99": 10**9}, "c")
    NodeStore(world.database).stop(stopped, T)
    metrics = world.control.metrics()
    assert metrics.jobs == {"active": 1, "paused": 0, "finished": 0}
    assert (metrics.fired, metrics.succeeded, metrics.failed) == (13, 2, 1)
    assert (metrics.retried, metrics.skipped, metrics.lost, metrics.in_flight) == (5, 6, 7, 4)
    assert (metrics.drift_p50, metrics.drift_p99) == (300, 900)
    assert (metrics.waiting, metrics.late, metrics.oldest_late) == (1, 0, None)
    assert [node.id for node in metrics.nodes] == ["c", "b", "a"]
    assert metrics.nodes[1].counters["fired"] == 10
    assert "driftP99" not in metrics.nodes[1].counters


def test_metrics_tell_what_is_late_and_since_when(world: World) -> None:
    world.control.create_job(SPEC)
    world.now = T + 90 * SECOND
    metrics = world.control.metrics()
    assert (metrics.late, metrics.oldest_late) == (1, T + 60 * SECOND)


def test_a_store_with_a_beating_engine_is_healthy(world: World) -> None:
    world.beat()
    world.now += 5 * SECOND
    health = world.control.health()
    assert (health.ok, health.reasons, health.nodes, health.uptime) == (True, (), 1, 5 * SECOND)
    assert health.details == {"waiting": "0", "late": "0"}
    world.details = {"workers": "2 of 2 up"}
    assert world.control.health().details == {"waiting": "0", "late": "0", "workers": "2 of 2 up"}


def test_without_an_engine_nothing_is_run(world: World) -> None:
    assert not world.control.health().ok
    world.beat()
    world.now += 31 * SECOND
    health = world.control.health()
    assert (health.ok, health.nodes) == (False, 0)
    assert "no engine" in health.reasons[0]


def test_trouble_of_the_engine_is_a_reason(world: World) -> None:
    world.beat()
    world.trouble = "the engine stopped and is being started again"
    assert world.control.health().reasons == (world.trouble,)


def test_a_clock_set_back_is_a_reason_until_it_has_caught_up(world: World) -> None:
    world.control.create_job(SPEC)
    world.beat()
    world.now = T - 3600 * SECOND
    (reason,) = world.control.health().reasons
    assert "set back" in reason
    assert "3600 s" in reason
    world.now = T - SECOND
    assert world.control.health().ok


def test_a_backlog_is_a_reason(world: World) -> None:
    world.control.create_job(SPEC)
    world.now = T + 71 * SECOND
    world.beat()
    (reason,) = world.control.health().reasons
    assert reason == "1 late occurrence, due 11 s ago"
    world.control.create_job(SPEC)
    world.now += 100 * SECOND
    (reason, *_) = world.control.health().reasons[::-1]
    assert reason == "2 late occurrences, the oldest due 111 s ago"


def test_a_store_that_cannot_be_used_is_a_reason_and_no_exception(tmp_path: Path) -> None:
    control = LocalControl(Database(str(tmp_path / "nowhere" / "jobs.db")), now=lambda: T)
    health = control.health()
    assert not health.ok
    assert len(health.reasons) == 1
