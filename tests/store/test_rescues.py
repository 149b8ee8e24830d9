"""The work of a dead node goes on elsewhere, or is given up where a second send is forbidden."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from tests.store.stage import EVERY_SECOND, MINUTELY, Stage, T, ended
from tui_scheduler.domain.execution import MAX_RESCUES, State
from tui_scheduler.domain.job import JobType, Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import rescues
from tui_scheduler.store.claims import INSERT_CLAIMED
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows
from tui_scheduler.store.nodes import NodeFenced, guard_node

LEAST, MOST = JobType.ATLEAST_ONCE, JobType.ATMOST_ONCE


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.mark.parametrize(
    ("kind", "state", "cancel", "rescued_before", "is_due", "becomes", "rescues_after"),
    [
        (LEAST, "claimed", False, 0, True, "pending", 1),
        (LEAST, "running", False, 0, True, "pending", 1),
        (MOST, "claimed", False, 0, True, "pending", 1),
        (MOST, "running", False, 0, True, "lost", 0),
        (LEAST, "claimed", False, 0, False, "pending", 0),  # merely in hand: it cannot have harmed its node
        (LEAST, "claimed", False, MAX_RESCUES - 1, True, "pending", MAX_RESCUES),
        (LEAST, "claimed", False, MAX_RESCUES, True, "lost", MAX_RESCUES),
        (LEAST, "claimed", False, MAX_RESCUES, False, "pending", MAX_RESCUES),
        (LEAST, "claimed", True, 0, True, "cancelled", 0),
        (LEAST, "running", True, 0, True, "cancelled", 0),
        (MOST, "running", True, 0, True, "cancelled", 0),
    ],
)
def test_what_a_dead_node_had_goes_on_or_is_given_up(
    stage: Stage,
    kind: JobType,
    state: str,
    cancel: bool,
    rescued_before: int,
    is_due: bool,
    becomes: str,
    rescues_after: int,
) -> None:
    job, node = stage.create(replace(MINUTELY, type=kind, name="bell")), stage.node()
    key = stage.put(
        job,
        State(state),
        T,
        node_id=node,
        attempt=2,
        claim_no=4,
        rescues=rescued_before,
        cancel_requested=cancel,
    )
    now = T if is_due else T - 1
    rescued = stage.rescues.rescue(node, now)
    assert rescued.is_last
    assert (rescued.pending, rescued.cancelled, len(rescued.lost)) == (
        *(int(becomes == "pending"), int(becomes == "cancelled"), int(becomes == "lost")),
    )
    columns = "state, attempt, claim_no, rescues, node_id, next_attempt_at, finished_at"
    if becomes == "pending":
        assert stage.row(key, columns) == ("pending", 1, 4, rescues_after, None, T, None)
    else:
        assert stage.row(key, columns) == (becomes, 2, 4, rescues_after, node, None, now)
    for lost in rescued.lost:
        assert (lost.key, lost.job_id, lost.job_name, lost.scheduled_for, lost.attempt) == (key, job.id, "bell", T, 2)
        assert stage.row(key, "error") == (lost.reason,)
        assert lost.reason.startswith("lost: its node ended" if kind is MOST else "lost: 6 nodes ended")


def test_only_what_is_unfinished_and_of_that_node_is_taken(stage: Stage) -> None:
    job, dead, alive = stage.create(MINUTELY), stage.node(), stage.node()
    for n, state in enumerate(State):
        stage.put(job, state, T + n, node_id=dead)
        stage.put(job, state, T + 100 + n, node_id=alive)
    before = stage.rows("id, state")
    assert stage.rescues.rescue(dead, T + 1000).pending == 2
    changed = set(stage.rows("id, state")) - set(before)
    assert len(changed) == 2
    assert {state for _, state in changed} == {"pending"}
    assert stage.rows("COUNT(*)", "execution WHERE state IN ('claimed', 'running') GROUP BY node_id", "1") == [(2,)]


def test_what_belongs_to_a_purged_job_is_ended(stage: Stage) -> None:
    job, node = stage.create(MINUTELY), stage.node()
    key = stage.put(replace(job, key=job.key + 1), State.CLAIMED, T, node_id=node)
    assert stage.rescues.rescue(node, T).cancelled == 1
    assert stage.state(key) == "cancelled"


def test_more_than_a_batch_is_taken_batch_by_batch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rescues, "BATCH", 3)
    job, node = stage.create(MINUTELY), stage.node()
    for n in range(7):
        stage.put(job, State.CLAIMED, T + n, node_id=node)
    found = [stage.rescues.rescue(node, T + 100) for _ in range(3)]
    assert [(rescued.pending, rescued.is_last) for rescued in found] == [(3, False), (3, False), (1, True)]
    assert stage.rescues.rescue(node, T + 100) == rescues.Rescued(is_last=True)


@pytest.mark.parametrize(("kind", "frees"), [(LEAST, False), (MOST, True)])
def test_a_job_is_kept_busy_by_what_goes_on_and_freed_by_what_is_lost(stage: Stage, kind: JobType, frees: bool) -> None:
    job, dead, node = stage.create(replace(EVERY_SECOND, type=kind, overlap=Overlap.QUEUE)), stage.node(), stage.node()
    claim = stage.claim_one(dead, T + SECOND)
    if kind is MOST:
        stage.claims.start(dead, [(claim.execution.key, 1)])
    else:
        stage.records.show_running(dead, [(claim.execution.key, 1, T + SECOND)])
    assert stage.claim(node, T + 2 * SECOND) == []  # it waits
    stage.nodes.condemn(dead, 0, T + 2 * SECOND)
    stage.rescues.rescue(dead, T + 2 * SECOND)
    following = stage.claim_one(node, T + 2 * SECOND)
    assert stage.running(job) == following.execution.key
    assert (following.execution.key == claim.execution.key) is not frees
    assert stage.state(claim.execution.key) == ("lost" if frees else "claimed")
    stage.records.record(node, [ended(following, at=T + 2 * SECOND)])
    assert (stage.running(job) is None) is frees


@pytest.mark.parametrize(
    ("kind", "edited", "was_marked", "state"),
    [
        (MOST, LEAST, True, "lost"),  # sent under at most once: never again, whatever the job has become
        (LEAST, MOST, False, "lost"),  # may have been sent before the job became at most once
        (LEAST, LEAST, False, "pending"),
        (MOST, MOST, True, "lost"),
    ],
)
def test_both_guarantees_outlive_an_edit_of_the_type(
    stage: Stage, kind: JobType, edited: JobType, was_marked: bool, state: str
) -> None:
    job, dead = stage.create(replace(EVERY_SECOND, type=kind)), stage.node()
    claim = stage.claim_one(dead, T + SECOND)
    if was_marked:
        stage.claims.start(dead, [(claim.execution.key, 1)])
    stage.jobs.update(job.id, lambda stored: replace(stored.spec, type=edited, name="edited"), T + 2 * SECOND)
    stage.nodes.condemn(dead, 0, T + 3 * SECOND)
    stage.rescues.rescue(dead, T + 3 * SECOND)
    assert stage.state(claim.execution.key) == state


@pytest.mark.parametrize("is_paused_first", [True, False])
def test_what_was_sent_before_the_clock_was_set_back_is_rescued_as_sent_and_a_pause_does_not_skip_it(
    stage: Stage, is_paused_first: bool
) -> None:
    job, dead = stage.create(MINUTELY), stage.node()
    (claim,) = stage.claim(dead, T + 60 * SECOND)
    stage.nodes.beat(dead, T + 61 * SECOND, {})
    stage.nodes.condemn(dead, 1, T)
    if is_paused_first:
        stage.jobs.pause(job.id, T + SECOND)
    stage.rescues.rescue(dead, T + 2 * SECOND)
    stage.jobs.pause(job.id, T + 3 * SECOND)
    (again,) = stage.claim(stage.node(), T + 4 * SECOND)
    assert again.execution.key == claim.execution.key


def test_a_retry_that_is_rescued_keeps_its_wait(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    dead = stage.node()
    first = stage.claim_one(dead, T + SECOND)
    again_at = T + 60 * SECOND
    stage.records.record(dead, [ended(first, at=T + SECOND)._replace(state=State.RETRYING, next_attempt_at=again_at)])
    (second,) = [c for c in stage.claim(dead, again_at) if c.execution.key == first.execution.key]
    stage.nodes.condemn(dead, 0, again_at)
    stage.rescues.rescue(dead, again_at)
    assert stage.row(second.execution.key, "state, attempt, next_attempt_at") == ("pending", 1, again_at)


def test_a_claim_under_way_is_found_by_the_rescue_of_its_node(stage: Stage) -> None:
    """The death sentence waits for the claim (FOR SHARE on PostgreSQL), so the rescue after it sees what was taken."""
    job, node = stage.create(MINUTELY), stage.node()
    with ThreadPoolExecutor(1) as pool:
        with stage.database.write() as claim:
            guard_node(claim, node, stage.database.kind)
            sentence = pool.submit(stage.nodes.condemn, node, 0, T)
            _until_it_waits(stage.database, sentence)
            assert not sentence.done()
            rows(claim, INSERT_CLAIMED + "RETURNING id", 1, job.key, 1, T, T, T, node, 5, None)
        assert sentence.result(timeout=60)
    assert stage.rescues.rescue(node, T).pending == 1


def test_a_claim_that_comes_after_the_sentence_is_refused(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node = stage.node()
    if stage.database.kind == "sqlite":
        pytest.skip("write transactions come one after another")
    with ThreadPoolExecutor(1) as pool:
        with stage.database.write() as sentence:
            rows(sentence, "UPDATE node SET state = 'dead' WHERE id = ? RETURNING id", node)
            claim = pool.submit(stage.claim, node, T + SECOND)
            _until_it_waits(stage.database, claim)
        with pytest.raises(NodeFenced):
            claim.result(timeout=60)
    assert stage.rows("id") == []


def test_a_late_record_and_the_rescue_of_its_node_meet_no_deadlock(stage: Stage) -> None:
    for n in range(12):
        stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE if n % 2 else Overlap.ALLOW))
    dead = stage.node()
    for turn in range(1, 6):
        now = T + turn * SECOND
        claims = stage.claim(dead, now)
        batch = [ended(claim, State.FAILED if n % 3 else State.CANCELLED) for n, claim in enumerate(claims)][::-1]
        with ThreadPoolExecutor(3) as pool:
            late = [pool.submit(stage.records.record, dead, part) for part in (batch[::2], batch[1::2])]
            rescue = pool.submit(stage.rescues.rescue, dead, now)
            refused = sum(future.result(timeout=60) for future in late)
            assert rescue.result(timeout=60).pending == refused
        stage.records.record(dead, [ended(claim) for claim in stage.claim(dead, now)])


def _until_it_waits(database: Database, future: Future[Any]) -> None:
    """Until the other transaction stands at a lock; SQLite's waits for its turn and shows nothing."""
    deadline = time.monotonic() + 60
    while database.kind == "postgresql" and not future.done():
        with database.read() as connection:
            if rows(connection, "SELECT 1 FROM pg_locks WHERE NOT granted"):
                return
        assert time.monotonic() < deadline
