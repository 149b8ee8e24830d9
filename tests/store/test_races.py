"""Nodes and users at once on one database: nothing is claimed twice, nothing is lost, nobody meets a deadlock."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest

from tests.store.stage import EVERY_SECOND, Stage, T, attempted, ended
from tui_scheduler.domain.backfill import rank_of
from tui_scheduler.domain.errors import Conflict, NotFound
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Job, JobType, Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.schedule import parse_schedule
from tui_scheduler.store.backfills import BackfillStore
from tui_scheduler.store.claims import Claim
from tui_scheduler.store.database import Database
from tui_scheduler.store.nodes import NodeFenced
from tui_scheduler.store.records import Record

NODES = 3
SECONDS = int(os.environ.get("STORM_SECONDS", "20"))
"""Of the storm's own clock; 20 take about 3 s."""


@contextmanager
def stages(url: str, count: int) -> Iterator[list[Stage]]:
    """Each with a `Database` of its own, as processes have."""
    databases = [Database(url) for _ in range(count)]
    try:
        yield [Stage(database) for database in databases]
    finally:
        for database in databases:
            database.close()


def together(*works: Callable[[], object]) -> None:
    """All at once; fails with the first failure."""
    start = threading.Barrier(len(works))

    def begin(work: Callable[[], object]) -> None:
        start.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(begin, work) for work in works]:
            future.result(timeout=120)


@pytest.mark.parametrize("overlap", [Overlap.ALLOW, Overlap.QUEUE])
def test_nodes_that_race_never_claim_the_same_execution(database_url: str, overlap: Overlap) -> None:
    with stages(database_url, NODES) as nodes:
        jobs = [nodes[0].create(replace(EVERY_SECOND, overlap=overlap)) for _ in range(20)]
        for job in jobs:
            nodes[0].jobs.run_now(job.id, T)
        now, took = T + 10 * SECOND, Counter[int]()

        def race(stage: Stage) -> None:
            node, mine = stage.node(), Counter[int]()
            while claims := stage.claim(node, now, slots=7):
                mine.update(claim.execution.key for claim in claims)
            took.update(mine)

        together(*(partial(race, stage) for stage in nodes))
        nodes[0].claim(nodes[0].node(), now)  # what each left to the others, because they had it locked
        assert set(took.values()) == {1}
        by_state = Counter(state for (state,) in nodes[0].rows("state"))
        if overlap is Overlap.ALLOW:
            assert by_state == {"claimed": 11 * len(jobs)}
        else:
            assert by_state.keys() == {"claimed", "pending", "skipped"}
            assert (by_state["claimed"], by_state["pending"]) == (2 * len(jobs), len(jobs))  # one by hand, one runs
            assert sum(count or 0 for (count,) in nodes[0].rows("skip_count")) == 8 * len(jobs)
        assert len(set(nodes[0].rows("job_id, occurrence_key, id"))) == len(nodes[0].rows("id"))


class Storm:
    """Nodes that claim, record and die, and users that edit, over a clock that all share."""

    def __init__(self, jobs: list[Job], seconds: int) -> None:
        self.jobs = jobs
        self.ends_at = T + seconds * SECOND
        self._now = T
        self._lock = threading.Lock()

    def tick(self) -> int | None:
        """A little later; None when it is over."""
        with self._lock:
            self._now += SECOND // 20
            return self._now if self._now < self.ends_at else None

    def engine(self, stage: Stage, draw: random.Random) -> None:
        """Lives of one node after the other; each ends condemned, its last records racing with its rescue."""
        node = stage.node()
        while (now := self.tick()) is not None:
            try:
                claims = stage.claim(node, now, ahead=SECOND, slots=draw.choice((3, 50)))
                once = [c for c in claims if c.entry.job.spec.type is JobType.ATMOST_ONCE]
                mine = stage.claims.start(node, [(c.execution.key, c.execution.claim_no) for c in once])
                held = [c for c in claims if c not in once or c.execution.key in mine]
                draw.shuffle(held)
                stage.records.show_running(node, [(c.execution.key, c.execution.claim_no, now) for c in held[:3]])
                if draw.random() < 0.2:
                    with ThreadPoolExecutor(1) as other:
                        assert stage.nodes.condemn(node, 0, now)
                        rescue = other.submit(stage.rescues.rescue, node, now)
                        self._record(stage, node, held, now, draw)
                        rescue.result(timeout=60)
                    stage.rescues.rescue(node, now)
                    node = stage.node()
                else:
                    back = held[:1]
                    stage.records.give_back(node, [(c.execution.key, c.execution.claim_no) for c in back])
                    self._record(stage, node, held[1:], now, draw)
                    wanted = stage.records.cancel_requests(node)  # at-most-once work that it was not let start
                    ends = [Record(r.key, r.claim_no, r.job_key, State.CANCELLED, now, serial=True) for r in wanted]
                    assert stage.records.record(node, ends) == 0
                stage.pruning.by_count(draw.choice(self.jobs).key, 5_000, 10)
            except NodeFenced:
                node = stage.node()
        stage.rescues.rescue(node, self.ends_at)

    def _record(self, stage: Stage, node: int, held: list[Claim], now: int, draw: random.Random) -> None:
        batch = []
        for claim in held:
            kind = draw.random()
            attempt = attempted(claim, now) if kind > 0.6 else None
            if kind < 0.7:
                batch.append(ended(claim, attempt=attempt))
            elif kind < 0.9:
                batch.append(ended(claim, State.RETRYING, now, next_attempt_at=now + SECOND, attempt=attempt))
            else:
                batch.append(ended(claim, State.FAILED, now, attempt=attempt, pause_job=kind > 0.98))
        stage.records.record(node, batch)

    def user(self, stage: Stage, draw: random.Random) -> None:
        while (now := self.tick()) is not None:
            job = draw.choice(self.jobs)
            try:
                match draw.randrange(8):
                    case 0:
                        stage.jobs.pause(job.id, now)
                    case 1 | 2:
                        stage.jobs.resume(job.id, now)
                    case 3:
                        stage.jobs.run_now(job.id, now)
                    case 4 | 5:
                        first = T - draw.randrange(2, 60) * SECOND
                        wanted = [first + number * SECOND for number in range(draw.randrange(1, 20))]
                        BackfillStore(stage.database).add(job.id, [at for at in wanted if at < T], now, rank_of(9))
                    case 6:
                        BackfillStore(stage.database).cancel(job.key, now, "cancelled on request")
                    case _:
                        stage.update(job, now, overlap=draw.choice(list(Overlap)), jitter=draw.choice((0, 900_000)))
            except (Conflict, NotFound):
                continue


@pytest.mark.slow
def test_a_storm_of_claims_records_rescues_and_edits_comes_to_rest_with_nothing_missing(database_url: str) -> None:
    with stages(database_url, NODES + 2) as all_stages:
        first = all_stages[0]
        overlaps = list(Overlap)
        jobs = [
            first.create(
                replace(
                    EVERY_SECOND,
                    overlap=overlaps[n % 4],
                    type=JobType.ATMOST_ONCE if n % 3 == 0 else JobType.ATLEAST_ONCE,
                    priority=1 + n % 2,
                )
            )
            for n in range(12)
        ]
        steady = [first.create(replace(EVERY_SECOND, overlap=overlap)) for overlap in overlaps]
        storm = Storm(jobs, seconds=SECONDS)
        engines = [partial(storm.engine, stage, random.Random(n)) for n, stage in enumerate(all_stages[:NODES])]
        users = [partial(storm.user, stage, random.Random(100 + n)) for n, stage in enumerate(all_stages[NODES:])]
        together(*engines, *users)
        _come_to_rest(first, storm.ends_at)
        unfinished = [state for (state,) in first.rows("state") if not State(state).is_final]
        assert unfinished == []
        for job in steady:
            _assert_nothing_missing(first, job)


def _come_to_rest(stage: Stage, now: int) -> None:
    """With one node and no more disturbance, everything ends."""
    node = stage.node()
    for job in stage.jobs.page(1000):
        if job.state == "active":
            _work_off(stage, node, now)
            stage.jobs.pause(job.id, now)
    for later in range(1, 8):
        _work_off(stage, node, now + later * SECOND)


def _work_off(stage: Stage, node: int, now: int) -> None:
    while claims := stage.claim(node, now):
        stage.records.record(node, [ended(claim, at=now) for claim in claims])


def _assert_nothing_missing(stage: Stage, job: Job) -> None:
    """Every occurrence of a job that nobody edited has exactly one place."""
    columns = "occurrence_key, skip_from, skip_to, skip_count"
    found = stage.rows(columns, f"execution WHERE job_id = {job.key}")
    places = Counter[int]()
    for key, skip_from, skip_to, count in found:
        if count and count > 1:
            places.update(range(skip_from, skip_to + 1, SECOND))
            assert (skip_to - skip_from) // SECOND + 1 == count
        else:
            places[key] += 1
    (through,) = stage.rows("planned_through", f"timer WHERE job_id = {job.key}", "1")[0]
    timetable = parse_schedule(job.spec.schedule, created_at=T)
    assert sorted(places) == list(range(T + SECOND, max(places) + 1, SECOND))
    assert set(places.values()) == {1}
    following = timetable.next_after(max(places))
    assert following is not None
    assert through < following


def test_a_record_beside_a_rescue_and_what_shows_the_same_rows_meets_no_deadlock(database_url: str) -> None:
    """All want the same rows at once, each in another order; the ends are written by one of them each."""
    rounds, jobs = 8, 60
    with stages(database_url, 3) as (recording, showing, rescuing):
        for _ in range(jobs):
            recording.create(EVERY_SECOND)
        for second in range(1, rounds + 1):
            now, node = T + second * SECOND, recording.node()
            claims = recording.claim(node, now, slots=jobs)
            assert len(claims) == jobs
            assert recording.nodes.condemn(node, 0, now)
            draw = random.Random(second)
            ends = [ended(claim) for claim in draw.sample(claims, jobs)]
            shown = [(claim.execution.key, claim.execution.claim_no, now) for claim in draw.sample(claims, jobs)]
            fenced: list[int] = []
            together(
                lambda node=node, ends=ends, fenced=fenced: fenced.append(recording.records.record(node, ends)),  # type: ignore[misc]
                partial(showing.records.show_running, node, shown),
                partial(rescuing.rescues.rescue, node, now),
            )
            by_state = Counter(state for (state,) in recording.rows("state", f"execution WHERE scheduled_for = {now}"))
            assert by_state["succeeded"] == jobs - fenced[0]
            assert by_state["pending"] == fenced[0]
            other = rescuing.node()
            rescuing.records.record(other, [ended(claim) for claim in rescuing.claim(other, now, slots=jobs)])


def test_nodes_that_prune_the_same_rows_meet_no_deadlock(database_url: str) -> None:
    with stages(database_url, NODES) as nodes:
        job = nodes[0].create(EVERY_SECOND)
        for second in range(300):
            nodes[0].put(job, State.SUCCEEDED, T + second * SECOND, finished_at=T + second * SECOND)
        later = T + 3_600 * SECOND
        deleted: list[int] = []
        together(*(lambda s=s: deleted.append(s.pruning.by_age(later, later, 0, 300).deleted) for s in nodes))
        assert sum(deleted) == 300
        assert nodes[0].rows("id") == []
