"""Log, cancel, replay and test requests over a real store."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from tests import sqlite
from tests.store.stage import MINUTELY, Stage, T
from tui_scheduler.control.local import LocalControl
from tui_scheduler.control.views import LogQuery, Trial
from tui_scheduler.domain.errors import Conflict, Invalid, NotFound
from tui_scheduler.domain.execution import Outcome, OutcomeKind, State, Trigger
from tui_scheduler.domain.job import JobSpec, Request, SuccessRule
from tui_scheduler.store.database import Database, open_database

OK = Outcome(OutcomeKind.RESPONSE, T + 9, T, 200, excerpt=b"ok\xff\x1b", headers=((b"server", b"a\xff"),))
ANSWER = ((("server", "a\ufffd"),), "ok\ufffd\x1b")
"""Its headers and its body as text."""


class Scene:
    """A control over a store of its own, with a clock and an engine played by hand."""

    def __init__(self, database: Database) -> None:
        self.stage = Stage(database)
        self.now = T
        self.wakes = 0
        self.outcome = OK
        self.sent: list[JobSpec] = []
        self.unwanted: Future[None] | None = None
        self.control = LocalControl(database, now=lambda: self.now, wake=self._wake, try_request=self._try)
        self.without_engine = LocalControl(database, now=lambda: self.now)

    def _wake(self) -> None:
        self.wakes += 1

    def _try(self, spec: JobSpec, unwanted: Future[None] | None) -> Outcome:
        self.sent.append(spec)
        self.unwanted = unwanted
        return self.outcome


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    database = open_database(sqlite.clean_file(tmp_path))
    yield Scene(database)
    database.close()


def test_the_log_goes_on_where_its_cursor_stands(scene: Scene) -> None:
    job = scene.stage.create(replace(MINUTELY, name="nightly"))
    first = scene.stage.put(job, State.RUNNING, T, started_at=T)
    page = scene.control.log(LogQuery())
    (row,) = page.rows
    assert (row.key, row.job_name, row.state, row.trigger) == (first, "nightly", State.RUNNING, Trigger.SCHEDULE)
    assert scene.control.execution(row.id)[0].id == row.id
    scene.now += 60_000_000
    for _ in range(2):  # so that there is a mark that is old enough
        page = scene.control.log(LogQuery(), page.cursor)
        scene.now += 60_000_000
    scene.stage.set("execution", first, state="succeeded", finished_at=scene.now)
    assert scene.control.log(LogQuery(), page.cursor).rows == ()
    (row,) = scene.control.log(LogQuery(), page.cursor, again=[first]).rows
    assert row.state is State.SUCCEEDED


def test_the_log_of_one_job_has_no_other(scene: Scene) -> None:
    one, other = scene.stage.create(), scene.stage.create()
    keys = [scene.stage.put(job, State.SUCCEEDED, T, finished_at=T) for job in (one, other)]
    assert [row.key for row in scene.control.log(LogQuery(job_id=one.id)).rows] == keys[:1]


def test_the_log_of_a_job_that_is_not_there_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound):
        scene.control.log(LogQuery(job_id="nonsense"))


def test_cancel_and_replay_wake_the_engine_and_give_back_what_became_of_it(scene: Scene) -> None:
    job = scene.stage.create()
    scene.stage.put(job, State.PENDING, T)
    (row,) = scene.control.log(LogQuery()).rows
    cancelled = scene.control.cancel(row.id)
    assert (cancelled.id, cancelled.state, scene.wakes) == (row.id, State.CANCELLED, 1)
    again = scene.control.replay(row.id)
    assert (again.state, again.trigger, again.scheduled_for, scene.wakes) == (State.PENDING, Trigger.REPLAY, T, 2)
    with pytest.raises(Conflict):
        scene.control.cancel(row.id)


@pytest.mark.parametrize(
    ("outcome", "rule", "trial"),
    [
        (OK, SuccessRule(), Trial(True, "HTTP 200, which is a success", T, 9, 200, *ANSWER)),
        (OK._replace(status=500), SuccessRule(), Trial(False, "HTTP 500", T, 9, 500, *ANSWER)),
        (
            OK,
            SuccessRule(body_pattern="good"),
            Trial(False, "HTTP 200, but the body does not match 'good'", T, 9, 200, *ANSWER),
        ),
        (
            Outcome(OutcomeKind.REFUSED, T, message="x:1 refused the connection", sent=False),
            SuccessRule(),
            Trial(False, "x:1 refused the connection", None, None, None),
        ),
    ],
)
def test_a_test_request_is_judged_as_the_engine_would(
    scene: Scene, outcome: Outcome, rule: SuccessRule, trial: Trial
) -> None:
    scene.outcome = outcome
    spec = replace(MINUTELY, success=rule)
    assert scene.control.test_request(spec) == trial
    assert scene.sent == [spec]
    assert scene.stage.rows("id") == []


@pytest.mark.parametrize(
    "spec",
    [
        replace(MINUTELY, request=Request("nonsense")),
        replace(MINUTELY, timeout=0),
        replace(MINUTELY, success=SuccessRule(body_pattern="(")),
    ],
)
def test_what_cannot_be_sent_or_judged_is_refused_unsent(scene: Scene, spec: JobSpec) -> None:
    with pytest.raises(Invalid):
        scene.control.test_request(spec)
    assert scene.sent == []


def test_a_schedule_need_not_be_ready_to_try_the_request(scene: Scene) -> None:
    assert scene.control.test_request(replace(MINUTELY, schedule="")).succeeded


def test_the_engine_hears_when_nobody_wants_the_answer_any_more(scene: Scene) -> None:
    unwanted: Future[None] = Future()
    scene.control.test_request(MINUTELY, unwanted=unwanted)
    assert scene.unwanted is unwanted


def test_without_an_engine_there_is_no_test_request(scene: Scene) -> None:
    with pytest.raises(Conflict, match="no engine runs in this process"):
        scene.without_engine.test_request(MINUTELY)
