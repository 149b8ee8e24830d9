from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from tests.store.plans import assert_bounded
from tests.store.stage import EVERY_SECOND, MINUTELY, Stage, T, ended
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import bulk, edits
from tui_scheduler.store.bulk import CANCELLED, CHUNK, DELETED, MISSING, Bulk, Deed
from tui_scheduler.store.database import Database


class World(Stage):
    """Many jobs, and what is done to them at `now`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.bulk = Bulk(database)
        self.now = T + SECOND // 2

    def do(self, deed: Deed, *keys: int) -> tuple[list[int], list[tuple[int, str]]]:
        done, refused, _changed = self.bulk.change(deed, keys, lambda: self.now)
        return done, refused

    def states(self) -> list[str]:
        return [row[0] for row in self.rows("state", "job")]


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


def test_nothing_is_done_to_no_jobs(world: World) -> None:
    assert world.do(Deed.DELETE) == ([], [])


def test_jobs_beyond_one_transaction_are_all_changed(world: World) -> None:
    keys = world.jobs.create_many([EVERY_SECOND] * (CHUNK + 3), T)
    assert world.do(Deed.PAUSE, *reversed(keys)) == (keys[::-1], [])
    assert set(world.states()) == {"paused"}


@pytest.mark.parametrize(
    ("deed", "state"),
    [(Deed.PAUSE, "paused"), (Deed.RESUME, "active"), (Deed.DELETE, "deleted"), (Deed.RESTORE, "active")],
)
def test_what_is_so_already_counts_as_done_and_stays(world: World, deed: Deed, state: str) -> None:
    job = world.create()
    assert world.do(deed, job.key) == ([job.key], [])
    before = world.rows("state, version, change_no, deleted_at", "job")
    assert before[0][0] == state
    world.now += SECOND
    assert world.do(deed, job.key) == ([job.key], [])
    assert world.rows("state, version, change_no, deleted_at", "job") == before


def test_a_change_is_the_same_as_that_of_one_job(world: World) -> None:
    by_hand, in_bulk = world.create(), world.create()
    world.jobs.pause(by_hand.id, world.now)
    world.do(Deed.PAUSE, in_bulk.key)
    one, other = world.rows("state, version, updated_at", "job")
    assert one == other
    one, other = world.rows("planned_through, next_fire_at, job_version", "timer", "job_id")
    assert one == other


def test_a_paused_job_is_paused_again_after_delete_and_restore(world: World) -> None:
    paused, active = world.create(), world.create()
    for deed, keys in [(Deed.PAUSE, [paused.key]), (Deed.DELETE, [paused.key, active.key])]:
        world.do(deed, *keys)
    world.do(Deed.RESTORE, paused.key, active.key)
    assert world.states() == ["paused", "active"]


def test_what_cannot_be_done_is_refused_with_a_sentence_and_the_rest_is_done(world: World) -> None:
    kept, deleted, finished = world.create(), world.create(), world.create()
    world.jobs.delete(deleted.id, T)
    world.set("job", finished.key, state="finished")
    done, refused = world.do(Deed.PAUSE, kept.key, deleted.key, finished.key, 99_999, 0, 2**80, kept.key)
    assert done == [kept.key]
    assert [key for key, _ in refused] == [deleted.key, finished.key, 99_999, 0, 2**80]
    reasons = dict(refused)
    assert reasons[deleted.key] == DELETED
    assert reasons[finished.key].startswith("the job has finished, so it cannot be paused")
    assert {reasons[key] for key in (99_999, 0, 2**80)} == {MISSING}
    assert world.states() == ["paused", "deleted", "finished"]


@pytest.mark.parametrize(
    ("deed", "so_already"),
    [(Deed.PAUSE, Deed.PAUSE), (Deed.RESUME, None), (Deed.DELETE, Deed.DELETE), (Deed.RESTORE, None)],
)
def test_what_is_so_already_is_done_but_not_changed(world: World, deed: Deed, so_already: Deed | None) -> None:
    kept, other = world.create(), world.create()
    if so_already is not None:
        world.do(so_already, kept.key)
    else:
        world.do(Deed.PAUSE if deed is Deed.RESUME else Deed.DELETE, other.key)
    tally = world.bulk.change(deed, [other.key, kept.key, 99_999], lambda: world.now)
    assert (tally.done, tally.changed) == ([other.key, kept.key], [other.key])


def test_a_store_that_fails_half_way_refuses_the_rest_and_what_was_committed_is_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = world.jobs.create_many([EVERY_SECOND] * (CHUNK * 3), T)
    fail_at(world, 2, monkeypatch)
    tally = world.bulk.change(Deed.PAUSE, keys, lambda: world.now)
    assert tally.done == tally.changed == keys[:CHUNK]
    assert tally.refused == [(key, "the disk is full") for key in keys[CHUNK:]]
    assert world.states().count("paused") == CHUNK


def test_a_store_that_fails_before_anything_was_changed_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    job = world.create()
    fail_at(world, 1, monkeypatch)
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        world.bulk.change(Deed.PAUSE, [job.key], lambda: world.now)


def fail_at(world: World, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the transaction of this number on the store cannot be written."""
    write = world.database.write
    begun: list[None] = []

    @contextmanager
    def failing() -> Iterator[Connection]:
        begun.append(None)
        if len(begun) >= number:
            raise StoreUnavailable("the disk is full", transient=True)
        with write() as connection:
            yield connection

    monkeypatch.setattr(world.database, "write", failing)


def test_run_makes_one_manual_execution_of_each_also_of_a_paused_job(world: World) -> None:
    active, paused, deleted = world.create(replace(EVERY_SECOND, priority=2)), world.create(), world.create()
    world.jobs.pause(paused.id, T)
    world.jobs.delete(deleted.id, T)
    assert world.do(Deed.RUN, active.key, paused.key, deleted.key) == (
        [active.key, paused.key],
        [(deleted.key, DELETED)],
    )
    now = world.now
    assert world.rows("job_id, job_version, trigger, state, priority, scheduled_for, fire_at, next_attempt_at") == [
        (active.key, 1, "manual", "pending", 2, now, now, now),
        (paused.key, 2, "manual", "pending", 5, now, now, now),
    ]


def test_cancel_ends_what_waits_and_asks_for_the_end_of_what_is_under_way(world: World) -> None:
    job, other = world.create(), world.create()
    waiting = [world.put(job, State.PENDING, T), world.put(job, State.RETRYING, T + 1, started_at=T)]
    held = [world.put(job, State.CLAIMED, T + 2, node_id=1), world.put(job, State.RUNNING, T + 3, node_id=1)]
    over = world.put(job, State.SUCCEEDED, T + 4, finished_at=T)
    untouched = world.put(other, State.PENDING, T)
    assert world.do(Deed.CANCEL, job.key) == ([job.key], [])
    for key in waiting:
        assert world.row(key, "state, error, finished_at, next_attempt_at") == ("cancelled", CANCELLED, world.now, None)
    assert [bool(world.row(key, "cancel_requested")[0]) for key in held] == [True, True]
    assert [world.state(key) for key in (*held, over, untouched)] == ["claimed", "running", "succeeded", "pending"]


def test_cancel_frees_a_job_that_a_retry_kept_busy(world: World) -> None:
    job = world.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE))
    node = world.node()
    claim = world.claim_one(node, T + SECOND)
    retry = ended(claim, State.RETRYING, next_attempt_at=T + 60 * SECOND)
    world.records.record(node, [retry])
    assert world.running(job) == claim.execution.key
    world.do(Deed.CANCEL, job.key)
    assert world.running(job) is None
    assert world.state(claim.execution.key) == "cancelled"


def test_cancel_of_a_job_with_nothing_to_end_is_done(world: World) -> None:
    job = world.create()
    assert world.do(Deed.CANCEL, job.key) == ([job.key], [])


def test_changes_of_the_same_jobs_at_once_do_not_stand_in_each_others_way(world: World) -> None:
    """On PostgreSQL each order of locks but one ends in a deadlock."""
    serial = replace(EVERY_SECOND, overlap=Overlap.SKIP)
    keys = world.jobs.create_many([serial] * 40, T)
    node = world.node()
    claims = world.claim(node, T + SECOND)
    assert len(claims) == 40
    failed: list[BaseException] = []

    def apart(work: object, *arguments: object) -> None:
        try:
            work(*arguments)  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    def records() -> None:
        for start in range(0, 40, 4):
            world.records.record(node, [ended(claim, State.FAILED) for claim in claims[start : start + 4]])

    threads = [
        threading.Thread(target=apart, args=(world.do, Deed.CANCEL, *keys)),
        threading.Thread(target=apart, args=(world.do, Deed.PAUSE, *reversed(keys))),
        threading.Thread(target=apart, args=(world.do, Deed.RUN, *keys)),
        threading.Thread(target=apart, args=(records,)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert set(world.states()) == {"paused"}


def test_it_is_all_found_by_indexes(database: Database) -> None:
    bound = "[1,2]" if database.kind == "sqlite" else "{1,2}"
    # Partial indexes that have nothing but what waits and what is under way.
    small = {"ix_execution_waiting_job", "ix_execution_unfinished"}
    for statement in (edits.held_of, bulk.waiting_of, bulk.under_way_of):
        assert_bounded(database, statement(database.dialect), bound, whole=small)


def test_a_minutely_job_that_is_resumed_goes_on_from_now(world: World) -> None:
    job = world.create(MINUTELY)
    world.do(Deed.PAUSE, job.key)
    world.now = T + 600 * SECOND + 1
    world.do(Deed.RESUME, job.key)
    assert world.rows("next_fire_at", "timer", "job_id") == [(T + 660 * SECOND,)]
