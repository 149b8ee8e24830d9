from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

import pytest
from sqlalchemy import Connection, event

from tests.store.plans import assert_bounded
from tests.store.stage import EVERY_SECOND, MINUTE, Stage, T, attempted, ended
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import SkipReason, State
from tui_scheduler.domain.job import Job, JobType, Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import failing
from tui_scheduler.store.claims import Claim
from tui_scheduler.store.database import Database
from tui_scheduler.store.failing import tally
from tui_scheduler.store.records import Record, RecordStore

FAILED, SUCCEEDED, LOST, RETRYING = State.FAILED, State.SUCCEEDED, State.LOST, State.RETRYING


class World(Stage):
    """One node, and second after second."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.key = self.node()
        self.now = T

    def fire(self) -> Claim:
        self.now += SECOND
        return self.claim_one(self.key, self.now)

    def end(self, *states: State, records: RecordStore | None = None) -> None:
        """Fire once for each state and record it."""
        for state in states:
            claim = self.fire()
            (records or self.records).record(self.key, [self.record(claim, state)])

    def record(self, claim: Claim, state: State, **values: Any) -> Record:
        attempt = None if state is SUCCEEDED else attempted(claim, self.now)
        following = self.now + MINUTE if state is RETRYING else None
        return ended(claim, state, **{"attempt": attempt, "next_attempt_at": following, **values})

    def failures(self, job: Job) -> int:
        return int(dict(self.rows("job_id, failures", "timer", "job_id"))[job.key])


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.mark.parametrize(
    ("states", "number"),
    [
        ([], 0),
        ([SUCCEEDED], 0),
        ([FAILED], 1),
        ([FAILED, FAILED, FAILED], 3),
        ([FAILED, FAILED, SUCCEEDED], 0),
        ([FAILED, SUCCEEDED, FAILED], 1),
        ([FAILED, RETRYING], 1),
        ([FAILED, State.CANCELLED, FAILED], 2),
        ([RETRYING], 0),
    ],
)
def test_failures_are_counted_since_the_last_success(world: World, states: list[State], number: int) -> None:
    job = world.create()
    world.end(*states)
    assert world.failures(job) == number


def test_a_skipped_execution_says_nothing_about_its_job(world: World) -> None:
    job = world.create()
    world.end(FAILED)
    claim = world.fire()
    world.records.record(world.key, [ended(claim, State.SKIPPED, skip_reason=SkipReason.EDITED)])
    assert world.failures(job) == 1


def test_a_batch_counts_in_the_order_in_which_executions_ended(world: World) -> None:
    job = world.create()
    first, second, third = world.fire(), world.fire(), world.fire()
    ends = [(first, FAILED, 3), (second, SUCCEEDED, 2), (third, FAILED, 1)]
    batch = [world.record(claim, state)._replace(finished_at=world.now + at) for claim, state, at in ends]
    world.records.record(world.key, batch)
    assert world.failures(job) == 1


def test_what_is_no_longer_this_nodes_to_write_is_not_counted(world: World) -> None:
    job = world.create()
    claim = world.fire()
    stale = world.record(claim, FAILED)._replace(claim_no=7)
    assert world.records.record(world.key, [stale]) == 1
    assert world.failures(job) == 0


def test_a_record_that_is_written_again_counts_once(world: World) -> None:
    """The answer to a commit may be lost, and the batch is recorded again."""
    job = world.create()
    record = world.record(world.fire(), FAILED)
    world.records.record(world.key, [record])
    world.records.record(world.key, [record])
    assert world.failures(job) == 1


def test_a_success_after_a_restart_forgets_what_was_counted_before(world: World, database: Database) -> None:
    job = world.create()
    world.end(FAILED, FAILED)
    restarted = RecordStore(database)
    restarted.failing.refresh()
    world.end(SUCCEEDED, records=restarted)
    assert world.failures(job) == 0


def test_a_success_forgets_what_another_node_counted_once_this_one_has_looked(world: World, database: Database) -> None:
    job = world.create()
    other = RecordStore(database)
    world.end(FAILED)
    world.end(SUCCEEDED, records=other)
    assert world.failures(job) == 1
    other.failing.refresh()
    world.end(SUCCEEDED, records=other)
    assert world.failures(job) == 0


def test_a_failure_recorded_while_the_store_is_looked_at_is_remembered(world: World) -> None:
    job = world.create()
    world.records.failing.concerned(None, world.database.dialect, [world.record(world.fire(), FAILED)])  # type: ignore[arg-type]
    world.records.failing.refresh()  # finds nothing: the record is not committed yet
    world.set("timer", job.key, failures=1)
    world.end(SUCCEEDED)
    assert world.failures(job) == 0


def test_a_success_while_the_store_is_looked_at_forgets_what_this_node_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = world.create()
    world.end(FAILED)
    looked_at = world.database.read

    @contextmanager
    def meanwhile() -> Iterator[Connection]:
        with looked_at() as connection:
            yield connection
        monkeypatch.undo()
        world.end(SUCCEEDED)

    monkeypatch.setattr(world.database, "read", meanwhile)
    world.records.failing.refresh()
    assert world.failures(job) == 0


def test_a_look_that_fails_forgets_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world.create()
    world.end(FAILED)

    def unavailable() -> NoReturn:
        raise StoreUnavailable("down", transient=True)

    with monkeypatch.context() as patch:
        patch.setattr(world.database, "read", unavailable)
        with pytest.raises(StoreUnavailable):
            world.records.failing.refresh()
    world.end(SUCCEEDED)
    assert world.failures(job) == 0


def test_with_very_many_failing_jobs_the_store_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failing, "REMEMBERED", 2)
    jobs = [world.create() for _ in range(6)]
    for job in jobs[:5]:
        world.set("timer", job.key, failures=4)
    world.records.failing.refresh()
    world.now += SECOND
    claims = world.claim(world.key, world.now)
    world.records.record(world.key, [world.record(claim, SUCCEEDED) for claim in claims])
    assert [world.failures(job) for job in jobs] == [0] * 6


def test_healthy_jobs_cost_no_statement(world: World) -> None:
    world.create()
    ill = world.create(replace(EVERY_SECOND, schedule="@every 1h"))
    world.set("timer", ill.key, failures=1)
    world.records.failing.refresh()
    claim = world.fire()
    said: list[str] = []

    def listen(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    with world.database.write() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", listen)
    world.records.record(world.key, [world.record(claim, SUCCEEDED)])
    event.remove(engine, "before_cursor_execute", listen)
    assert [statement for statement in said if "execution" not in statement] == []
    assert len([statement for statement in said if "UPDATE execution" in statement]) == 1


def test_a_lost_execution_counts_as_a_failure(world: World) -> None:
    job = world.create(replace(EVERY_SECOND, type=JobType.ATMOST_ONCE))
    claim = world.fire()
    assert world.claims.start(world.key, [(claim.execution.key, claim.execution.claim_no)])
    rescued = world.rescues.rescue(world.key, world.now)
    assert len(rescued.lost) == 1
    assert world.failures(job) == 1


def test_what_is_rescued_to_be_sent_again_has_not_failed(world: World) -> None:
    job = world.create()
    world.fire()
    assert world.rescues.rescue(world.key, world.now).pending == 1
    assert world.failures(job) == 0


def test_the_count_stops_at_a_million(world: World) -> None:
    job = world.create()
    world.set("timer", job.key, failures=1_000_000)
    world.end(FAILED)
    assert world.failures(job) == 1_000_000


def test_edits_pauses_and_a_restoration_keep_the_count(world: World) -> None:
    job = world.create()
    world.end(FAILED, FAILED)
    world.update(job, world.now, schedule="*/2 * * * * *")
    world.jobs.pause(job.id, world.now)
    world.jobs.resume(job.id, world.now)
    world.jobs.delete(job.id, world.now)
    world.jobs.restore(job.id, world.now)
    assert world.failures(job) == 2


def test_a_failure_that_pauses_its_job_is_counted(world: World) -> None:
    job = world.create(replace(EVERY_SECOND, overlap=Overlap.SKIP))
    claim = world.fire()
    world.records.record(world.key, [world.record(claim, FAILED, pause_job=True)])
    assert (world.failures(job), world.rows("state", "job")) == (1, [("paused",)])


def test_two_nodes_that_record_the_same_jobs_at_once_lose_no_failure(world: World, database: Database) -> None:
    """Each takes the timers in the order of their keys, so neither waits for the other for ever."""
    jobs = [world.create() for _ in range(20)]
    other = world.node()
    claims: dict[int, list[Claim]] = {world.key: [], other: []}
    for second in range(1, 11):
        node = world.key if second % 2 else other
        claims[node] += world.claim(node, T + second * SECOND)
    world.now = T + 10 * SECOND
    failed: list[BaseException] = []

    def record(node: int) -> None:
        store = RecordStore(database)
        try:
            for start in range(0, 100, 10):
                store.record(node, [world.record(claim, FAILED) for claim in claims[node][start : start + 10][::-1]])
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=record, args=(node,)) for node in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [world.failures(job) for job in jobs] == [10] * 20


def test_the_counts_are_found_by_indexes(database: Database) -> None:
    assert_bounded(database, failing.ADD, 1, 5)
    assert_bounded(database, failing.SET, 0, 5, 0)
    assert_bounded(
        database,
        failing.among(database.dialect),
        ("[1]" if database.kind == "sqlite" else "{1}"),
        whole={"ix_timer_failing"},
    )
    assert_bounded(database, failing.which(database.dialect), 10, whole={"ix_timer_failing"})


def test_a_tally_of_many_jobs_keeps_them_apart() -> None:
    def record(job_key: int, state: State, at: int) -> Record:
        return Record(at, 1, job_key, state, at)

    batch = [
        record(1, FAILED, 1),
        record(1, LOST, 2),
        record(2, FAILED, 3),
        record(2, SUCCEEDED, 4),
        record(2, FAILED, 5),
    ]
    assert tally(batch) == ({1: 2}, {2: 1})
    assert tally([]) == ({}, {})
