from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.store.plans import assert_bounded
from tests.store.stage import EVERY_SECOND, MINUTELY, Stage, T
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.filtering import JobFilter, parse_filter
from tui_scheduler.domain.job import Job, Request
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import listing
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.listing import RESULTS, Listing, Order

Make = Callable[..., Job]


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.fixture
def jobs(database: Database) -> Listing:
    return Listing(database)


@pytest.fixture
def make(stage: Stage) -> Make:
    def made(name: str = "", url: str = "http://localhost/", **values: Any) -> Job:
        return stage.create(replace(MINUTELY, name=name, request=Request(url), **values))

    return made


def found(jobs: Listing, text: str) -> list[int]:
    return list(jobs.find(parse_filter(text), Order.CREATED)[0])


def ordered(jobs: Listing, order: Order, *, descending: bool = False) -> list[int]:
    return list(jobs.find(JobFilter(), order, descending=descending)[0])


def test_an_empty_store_lists_nothing(jobs: Listing) -> None:
    assert jobs.find(JobFilter(), Order.CREATED)[1] == 0
    assert found(jobs, "") == found(jobs, "x") == []
    assert jobs.lines([]) == []
    assert jobs.failing() == 0


def test_all_jobs_but_the_deleted_are_found_and_counted(jobs: Listing, stage: Stage, make: Make) -> None:
    kept, deleted, deleted_paused = make(), make(), make()
    stage.jobs.delete(deleted.id, T)
    stage.jobs.pause(deleted_paused.id, T)
    stage.jobs.delete(deleted_paused.id, T)
    keys, total = jobs.find(JobFilter(), Order.CREATED)
    assert (list(keys), total) == ([kept.key], 1)


def test_the_total_counts_what_was_not_found_too(jobs: Listing, make: Make) -> None:
    make("one")
    make("another")
    keys, total = jobs.find(parse_filter("one"), Order.CREATED)
    assert (len(keys), total) == (1, 2)


def test_a_word_is_looked_for_in_name_url_and_schedule(jobs: Listing, make: Make) -> None:
    by_name = make("Nightly report")
    by_url = make(url="http://localhost/nightly")
    by_schedule = make(schedule="@every 77s")
    assert found(jobs, "nightly") == [by_name.key, by_url.key]
    assert found(jobs, "77s") == [by_schedule.key]
    assert found(jobs, "!nightly") == [by_schedule.key]
    assert found(jobs, "nightly report") == [by_name.key]
    assert found(jobs, "http://localhost/nightly") == [by_url.key]


@pytest.mark.parametrize(
    ("name", "text", "is_found"),
    [
        ("NIGHTLY", "nightly", True),
        ("nightly", "NightLY", True),
        ("Émile", "émile", True),
        ("émile", "ÉMILE", True),
        ("ОТЧЁТ", "отчёт", True),
        ("emile", "émile", False),
        ("100% sure", "0%", True),
        ("100 sure", "0%", False),
        ("a_b", "a_b", True),
        ("axb", "a_b", False),
        ("a\\b", "a\\b", True),
        ("a*b", "a*b", True),
        ("axb", "a*b", False),
        ("é [x] (y) ?", '"é [x] (y) ?"', True),
        ("é x y z", '"é [x]"', False),
        ("é.*", "é.*", True),
        ("é12", "é.*", False),
        ("it's", "it's", True),
        ("日本語", "本", True),
        ("straße", "strasse", False),
        ("ǆ", "ǅ", True),
        ("é\\d", "é\\d", True),
        ("é5", "é\\d", False),
    ],
)
def test_a_word_is_found_in_any_case_and_has_no_wildcards(
    jobs: Listing, make: Make, name: str, text: str, is_found: bool
) -> None:
    make(name)
    assert bool(found(jobs, text)) is is_found


def test_a_tag_and_a_queue_are_asked_for_exactly(jobs: Listing, make: Make) -> None:
    prod = make(tags=("prod", "team é"), queue="reports")
    odd = make(tags=('x"prod', "production"))
    assert found(jobs, "tag:prod") == [prod.key]
    assert found(jobs, 'tag:"team é"') == [prod.key]
    assert found(jobs, "!tag:prod") == [odd.key]
    assert found(jobs, "tag:Prod") == []
    assert found(jobs, "queue:reports") == [prod.key]
    assert found(jobs, "queue:report") == []
    assert found(jobs, "tag:prod tag:production") == []


def test_a_state_is_one_of_the_job_or_that_it_fails_while_it_is_active(jobs: Listing, stage: Stage, make: Make) -> None:
    active, paused, finished, failing = make(), make(), make(), make()
    stage.jobs.pause(paused.id, T)
    stage.set("job", finished.key, state="finished")
    for job in (paused, finished, failing):
        stage.set("timer", job.key, failures=2)
    assert found(jobs, "state:active") == [active.key, failing.key]
    assert found(jobs, "state:paused") == [paused.key]
    assert found(jobs, "state:finished") == [finished.key]
    assert found(jobs, "state:failing") == [failing.key]
    assert found(jobs, "!state:failing") == [active.key, paused.key, finished.key]
    assert found(jobs, "!state:active state:failing") == []


def test_orders_with_equal_ones_oldest_first_either_way(jobs: Listing, stage: Stage, make: Make) -> None:
    a = make("beta", priority=3, queue="b", schedule="2 * * * * *")
    b = make("Alpha", priority=1, queue="a", schedule="1 * * * * *")
    c = make("beta", priority=3, queue="b", schedule="2 * * * * *")
    d = make("", url="http://a/", priority=9, queue="c", schedule="30 * * * * *")
    stage.jobs.pause(b.id, T)
    stage.set("timer", c.key, failures=4)
    assert ordered(jobs, Order.CREATED) == [a.key, b.key, c.key, d.key]
    assert ordered(jobs, Order.CREATED, descending=True) == [d.key, c.key, b.key, a.key]
    assert ordered(jobs, Order.NAME) == [b.key, a.key, c.key, d.key]
    assert ordered(jobs, Order.NAME, descending=True) == [d.key, a.key, c.key, b.key]
    assert ordered(jobs, Order.STATE) == [a.key, c.key, d.key, b.key]
    assert ordered(jobs, Order.SCHEDULE) == [b.key, a.key, c.key, d.key]
    assert ordered(jobs, Order.FAILURES, descending=True) == [c.key, a.key, b.key, d.key]
    assert ordered(jobs, Order.QUEUE) == [b.key, a.key, c.key, d.key]
    assert ordered(jobs, Order.PRIORITY, descending=True) == [d.key, a.key, c.key, b.key]


def test_what_has_no_next_run_comes_last_either_way(jobs: Listing, stage: Stage, make: Make) -> None:
    paused = make()
    late, soon = make(schedule="30 * * * * *"), make(schedule="1 * * * * *")
    stage.jobs.pause(paused.id, T)
    assert ordered(jobs, Order.NEXT_RUN) == [soon.key, late.key, paused.key]
    assert ordered(jobs, Order.NEXT_RUN, descending=True) == [late.key, soon.key, paused.key]


def test_many_keys_keep_their_order(jobs: Listing, stage: Stage) -> None:
    keys = stage.jobs.create_many([EVERY_SECOND] * 5_000, T)
    assert ordered(jobs, Order.CREATED, descending=True) == keys[::-1]


def test_lines_come_in_the_order_asked_for_without_the_deleted(jobs: Listing, stage: Stage, make: Make) -> None:
    a, b, gone = make("a"), make("b", tags=("x", "é"), queue="q"), make("c")
    stage.jobs.delete(gone.id, T)
    stage.set("timer", b.key, failures=3)
    lines = jobs.lines([b.key, gone.key, a.key, 999_999, -1, 2**70])
    assert [line.key for line in lines] == [b.key, a.key]
    line = lines[0]
    assert (line.id, line.name, line.tags, line.queue, line.state) == (b.id, "b", ("x", "é"), "q", "active")
    assert (line.failures, line.next_fire_at, line.version, line.results) == (3, T + 60 * SECOND, 1, ())


def test_a_line_has_the_latest_results_of_every_kind_newest_first(jobs: Listing, stage: Stage, make: Make) -> None:
    job, other = make(), make()
    for second in range(1, 20):
        stage.put(job, State.SUCCEEDED, T + second * SECOND, started_at=T, finished_at=T + second)
    manual = stage.put(
        job, State.FAILED, T + 5 * SECOND, trigger="manual", started_at=T, finished_at=T, http_status=500
    )
    latest = stage.put(job, State.FAILED, T + 30 * SECOND, trigger="manual", started_at=T, finished_at=T, error="no")
    for ahead in (State.CLAIMED, State.PENDING):
        stage.put(job, ahead, T + (40 if ahead is State.CLAIMED else 41) * SECOND)
    running = stage.put(job, State.RUNNING, T + 25 * SECOND, started_at=T + 25 * SECOND)
    skipped = stage.put(job, State.SKIPPED, T + 24 * SECOND, finished_at=T)
    elsewhere = stage.put(other, State.FAILED, T, finished_at=T)
    one, two = jobs.lines([job.key, other.key])
    assert len(one.results) == RESULTS
    assert [result.key for result in one.results[:3]] == [latest, running, skipped]
    assert [result.scheduled_for for result in one.results[3:]] == [T + s * SECOND for s in range(19, 10, -1)]
    assert one.results[0].error == "no"
    assert manual not in {result.key for result in one.results}
    assert [result.key for result in two.results] == [elsewhere]


def test_active_failing_jobs_are_counted_up_to_a_bound(jobs: Listing, stage: Stage, make: Make) -> None:
    made = [make() for _ in range(6)]
    for job in made[:5]:
        stage.set("timer", job.key, failures=1)
    assert jobs.failing() == 5
    assert jobs.failing(bound=2) == 2
    stage.jobs.delete(made[0].id, T)
    stage.jobs.pause(made[1].id, T)
    stage.set("job", made[2].key, state="finished")
    assert jobs.failing() == 2


def test_failing_jobs_are_found_by_their_index(database: Database) -> None:
    with database.read() as connection:
        if database.kind == "sqlite":
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {listing.FAILING}", (10,)).all()
            assert any("ix_timer_failing" in row.detail for row in plan)


@pytest.mark.parametrize("statement", [listing.lines_of, listing.planned_of, listing.extra_of])
def test_a_screenful_is_read_by_indexes(database: Database, statement: Callable[[Dialect], str]) -> None:
    bound = "[1,2]" if database.kind == "sqlite" else "{1,2}"
    assert_bounded(database, statement(database.dialect), bound)


def test_the_results_of_a_line_are_read_in_the_order_of_their_index(database: Database) -> None:
    if database.kind != "sqlite":
        return
    with database.read() as connection:
        for statement in (listing.planned_of(database.dialect), listing.extra_of(database.dialect)):
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("[1]",)).all()
            assert not [row.detail for row in plan if "TEMP B-TREE" in row.detail]
