"""The job table over a real store, as those who show it get it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import sqlite
from tests.store.stage import Stage, T
from tui_scheduler.control.control import Control
from tui_scheduler.control.local import HERD, LocalControl
from tui_scheduler.control.views import Change, JobQuery, Result, SortBy
from tui_scheduler.domain.errors import Invalid, NotFound
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.filtering import parse_filter
from tui_scheduler.domain.job import JobSpec, JobState, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.bulk import Deed
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.hot import run
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.listing import Order

SPEC = JobSpec("0 * * * * *", Request("http://localhost/hook"))


class World:
    """A control whose clock is set by hand and that remembers being woken."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = T
        self.woken = 0
        self.control: Control = LocalControl(database, now=lambda: self.now, wake=self._wake)

    def _wake(self) -> None:
        self.woken += 1

    def make(self, **values: object) -> int:
        return self.control.create_job(replace(SPEC, **values)).job.key  # type: ignore[arg-type]

    def keys(self, text: str = "", sort: SortBy = SortBy.CREATED, *, descending: bool = False) -> list[int]:
        return list(self.control.list_jobs(JobQuery(parse_filter(text), sort, descending)).keys)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_database(sqlite.clean_file(tmp_path))
    yield World(database)
    database.close()


def test_every_order_and_every_change_has_its_counterpart_in_the_store() -> None:
    assert {sort.name for sort in SortBy} == {order.name for order in Order}
    assert {change.name for change in Change} == {deed.name for deed in Deed}


@pytest.mark.parametrize("sort", SortBy)
def test_jobs_are_listed_in_every_order_both_ways(world: World, sort: SortBy) -> None:
    keys = [world.make(name=name) for name in ("b", "a")]
    assert sorted(world.keys(sort=sort)) == sorted(world.keys(sort=sort, descending=True)) == keys


def test_a_listing_has_keys_in_order_and_the_number_of_all(world: World) -> None:
    b, a = world.make(name="b"), world.make(name="a")
    world.make(name="zz")
    listing = world.control.list_jobs(JobQuery(parse_filter("!zz"), SortBy.NAME))
    assert (list(listing.keys), listing.total) == ([a, b], 3)


def test_a_row_shows_the_job_and_how_it_went(world: World) -> None:
    key = world.make(name="x", tags=("t",), queue="q")
    stage = Stage(world.database)
    (job,) = stage.jobs.page(1)
    stage.put(job, State.FAILED, T, started_at=T + 5, finished_at=T + 9, duration_us=4, http_status=500, error="no")
    stage.put(job, State.RUNNING, T + SECOND, started_at=T + SECOND + 7)
    (row,) = world.control.job_rows([key])
    assert (row.key, row.id, row.title, row.method, row.url) == (key, job.id, "x", "POST", "http://localhost/hook")
    assert (row.schedule, row.timezone, row.queue, row.tags, row.version) == ("0 * * * * *", "UTC", "q", ("t",), 1)
    assert (row.state, row.next_run, row.failures) == (JobState.ACTIVE, T + 60 * SECOND, 0)
    assert row.results == (
        Result(State.RUNNING, T + SECOND, None, None, 7, None),
        Result(State.FAILED, T + 9, 500, "no", 5, 4),
    )


def test_many_jobs_are_changed_with_one_call_to_the_engine(world: World) -> None:
    keys = [world.make() for _ in range(3)]
    woken = world.woken
    changed = world.control.change_jobs(Change.PAUSE, [*keys, 999])
    assert (changed.done, changed.refused) == (tuple(keys), ((999, "there is no such job"),))
    assert world.woken == woken + 1
    assert {row.state for row in world.control.job_rows(keys)} == {JobState.PAUSED}


@pytest.mark.parametrize("change", Change)
def test_every_change_can_be_made(world: World, change: Change) -> None:
    key = world.make()
    assert world.control.change_jobs(change, [key]).done == (key,)


def test_a_check_says_what_saving_would_and_saves_nothing(world: World) -> None:
    assert world.control.check(SPEC) == ()
    assert [notice.code for notice in world.control.check(replace(SPEC, schedule="0 0 0 31 * *"))] == ["rare"]
    with pytest.raises(Invalid, match="timeoutMs"):
        world.control.check(replace(SPEC, timeout=0))
    assert (world.keys(), world.woken) == ([], 0)


def test_a_check_of_an_edit_is_as_lenient_as_the_edit(world: World) -> None:
    view = world.control.create_job(replace(SPEC, schedule="@at 2026-11-18T12:00:00Z"))
    assert view.next_run is not None
    world.now = view.next_run + 1
    assert world.control.check(replace(view.job.spec, name="y"), job_id=view.job.id) == ()
    with pytest.raises(Invalid, match="has passed"):
        world.control.check(view.job.spec)
    with pytest.raises(Invalid, match="has passed"):
        world.control.check(replace(view.job.spec, schedule="@at 2026-11-18T11:00:00Z"), job_id=view.job.id)
    with pytest.raises(NotFound):
        world.control.check(SPEC, job_id="none")


def test_a_check_points_out_the_herd_that_saving_would(world: World) -> None:
    def codes(spec: JobSpec, job_id: str | None = None) -> list[str]:
        return [notice.code for notice in world.control.check(spec, job_id=job_id)]

    JobStore(world.database).create_many([SPEC] * (HERD - 2), T)
    assert codes(SPEC) == []
    view = world.control.create_job(SPEC)
    assert codes(SPEC) == ["herd"]
    assert codes(SPEC, view.job.id) == []
    other = world.control.create_job(replace(SPEC, schedule="30 * * * * *"))
    assert codes(SPEC, other.job.id) == ["herd"]
    assert codes(replace(SPEC, jitter=SECOND)) == []
    world.control.pause_job(other.job.id)
    assert codes(SPEC, other.job.id) == []


def test_the_metrics_count_the_jobs_that_fail(world: World) -> None:
    failing = world.make()
    world.make()
    assert world.control.metrics().failing == 0
    with world.database.write() as connection:
        run(connection, "UPDATE timer SET failures = 2 WHERE job_id = ?", failing)
    assert world.control.metrics().failing == 1
    assert world.keys("state:failing") == [failing]
    assert world.control.job_rows([failing])[0].failures == 2
