"""Which jobs a scenario is made of, and what they are to do: what is judged is held against this."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.offers import (
    IDLE_A_SECOND,
    LIGHT_A_SECOND,
    URGENT,
    Offered,
    Timetable,
    missed_seconds,
    occurrences,
    offered,
    stored_jobs,
)
from benchmarks.program import create_jobs
from benchmarks.scenarios import SECOND, Planned, Shape, Window, parse
from tui_scheduler.store.database import open_database
from tui_scheduler.store.jobs import JobStore

START = 1_800_000_000 * SECOND


def seconds(*found: Planned) -> list[float]:
    return [(each.at - START) / SECOND for each in found]


@pytest.mark.parametrize("shape", list(Shape))
@pytest.mark.parametrize("quick", [False, True])
def test_every_shape_offers_something_to_judge(shape: Shape, quick: bool) -> None:
    jobs = offered(parse(f"{shape}:400"), quick=quick)
    assert any(job.judged for job in jobs)
    assert all(job.period >= SECOND and job.period % SECOND == 0 and job.phase >= 0 for job in jobs)


def test_that_many_slow_requests_are_under_way_at_any_time() -> None:
    """Each is due again when its answer comes: the rates of all, times how long each takes, is their number."""
    beside = [job for job in offered(parse("slow:300")) if not job.judged]
    taken = [int(job.path.removeprefix("delay/")) / 1_000 for job in beside]
    assert sum(took * SECOND / job.period for took, job in zip(taken, beside, strict=True)) == pytest.approx(300)
    assert {min(taken), max(taken)} == {1, 30}
    assert all(job.timeout > took * SECOND for took, job in zip(taken, beside, strict=True))


def test_half_of_the_failing_targets_fail_one_way_or_the_other() -> None:
    jobs = offered(parse("failing:100"))
    assert len(jobs) == 100
    assert sum(job.judged for job in jobs) == 50
    assert sum("status/500" in job.path for job in jobs) == sum("delay" in job.path for job in jobs) == 25


def test_what_is_urgent_in_a_backlog_has_missed_nothing() -> None:
    scenario = parse("backlog:10")
    urgent = [job for job in offered(scenario) if job.judged]
    assert missed_seconds(scenario, quick=False) == 60
    assert len(urgent) == LIGHT_A_SECOND
    assert all(job.priority == URGENT and job.phase > 60 * SECOND for job in urgent)


def test_idle_jobs_are_stored_beside_a_few_that_are_due() -> None:
    scenario = parse("idle:1000")
    assert (stored_jobs(scenario), len(offered(scenario))) == (1_000, IDLE_A_SECOND)
    assert stored_jobs(parse("herd:1000")) == 0


def test_occurrences_of_other_periods_that_began_before_and_end_within_the_window() -> None:
    window = Window(START, START + 10 * SECOND)
    table = [
        Timetable("began", START - 4 * SECOND, period=3 * SECOND),
        Timetable("ends", START + 500_000, period=4 * SECOND, until=START + 8 * SECOND),
        Timetable("later", START + 11 * SECOND),
    ]
    assert [each.job_id for each in occurrences(table, window)] == ["began"] * 3 + ["ends"] * 2
    assert seconds(*occurrences(table, window)) == [2, 5, 8, 0.5, 4.5]


def test_stored_jobs_are_due_when_their_timetable_says(tmp_path: Path) -> None:
    """The first and the second occurrence of each, as the program's own arithmetic has them."""
    database = open_database(str(tmp_path / "jobs.db"))
    try:
        jobs = [
            Offered(0),
            Offered(250_000),
            Offered(2_300_000, period=7 * SECOND, path="delay/1", priority=1, timeout=SECOND, attempts=1),
            Offered(62 * SECOND, until=64 * SECOND),
        ]
        timetables = create_jobs(database, jobs, "http://127.0.0.1:9/", START)
        store = JobStore(database)
        stored = {job.id: job for job in store.page(10)}
        timers = store.timers([job.key for job in stored.values()])
    finally:
        database.close()
    for offer, timetable in zip(jobs, timetables, strict=True):
        job = stored[timetable.job_id]
        assert timers[job.key].next_fire_at == timetable.first == START + offer.phase
        assert timers[job.key].planned_through < timetable.first
        assert job.spec.request.url == f"http://127.0.0.1:9/{offer.path}"
        assert (job.spec.priority, job.spec.timeout) == (offer.priority, offer.timeout)
        assert job.spec.retry.max_attempts == offer.attempts
        assert job.spec.ends_at == (START + offer.until - 1 if offer.until else None)
        if offer.schedule.startswith("@every"):
            assert (timetable.first - job.created_at) % offer.period == 0
