"""Jobs that do not allow overlap, from claim to record: who keeps them busy, who waits, who is skipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.store.stage import EVERY_SECOND, MINUTE, Stage, T, ended
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.database import Database

SERIAL = (Overlap.SKIP, Overlap.QUEUE, Overlap.CANCEL)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


@pytest.mark.parametrize("overlap", SERIAL)
def test_a_claim_keeps_the_job_busy_until_its_end_is_recorded(stage: Stage, overlap: Overlap) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=overlap)), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    assert stage.running(job) == claim.execution.key
    assert not stage.claims.has_due(T + SECOND, T + 2 * SECOND)  # decided at its instant only
    stage.records.record(node, [ended(claim)])
    assert stage.running(job) is None
    assert stage.claims.has_due(T + SECOND, T + 2 * SECOND)


def test_skip_records_what_overlaps(stage: Stage) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.SKIP)), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    assert stage.claim(node, T + 2 * SECOND) == []
    assert stage.claims.claim(node, T + 4 * SECOND, T + 4 * SECOND, 10).skipped == 2
    stage.records.record(node, [ended(claim, at=T + 4 * SECOND)])
    following = stage.claim_one(node, T + 5 * SECOND)
    assert stage.running(job) == following.execution.key
    assert stage.stories() == [
        (1, "succeeded", None),
        (2, "skipped", "overlap"),
        (4, "skipped", "overlap"),
        (5, "claimed", None),
    ]
    assert [count for (count,) in stage.rows("skip_count") if count] == [1, 2]


def test_queue_keeps_one_waiting_and_wakes_it_at_the_end(stage: Stage) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE)), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    for second in (2, 3, 4):
        assert stage.claim(node, T + second * SECOND) == []
    assert not stage.claims.has_due(T + 4 * SECOND, T + 4 * SECOND)
    end = T + 4 * SECOND + 5
    stage.records.record(node, [ended(claim, State.FAILED, end)])
    waiter = stage.claim_one(node, end)
    assert ((waiter.execution.scheduled_for - T) // SECOND, waiter.due) == (2, end)
    assert stage.running(job) == waiter.execution.key
    assert [story[1:] for story in stage.stories()] == [
        ("failed", None),
        ("claimed", None),
        ("skipped", "overlap"),
        ("skipped", "overlap"),
    ]


def test_cancel_asks_for_the_end_and_keeps_the_newest_waiting(stage: Stage) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.CANCEL)), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    for second in (2, 3):
        assert stage.claim(node, T + second * SECOND) == []
    (request,) = stage.records.cancel_requests(node)
    assert (request.key, request.claim_no, request.job_key) == (claim.execution.key, 1, job.key)
    stage.records.record(node, [ended(claim, State.CANCELLED, T + 3 * SECOND + 5)])
    assert stage.records.cancel_requests(node) == []
    newest = stage.claim_one(node, T + 3 * SECOND + 5)
    assert stage.running(job) == newest.execution.key
    assert stage.stories() == [(1, "cancelled", None), (2, "skipped", "overlap"), (3, "claimed", None)]


@pytest.mark.parametrize("overlap", SERIAL)
def test_one_that_waits_for_its_retry_keeps_the_job_unless_it_is_to_be_cancelled(
    stage: Stage, overlap: Overlap
) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=overlap)), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    stage.records.record(node, [ended(claim, State.RETRYING, T + SECOND + 5, next_attempt_at=T + MINUTE)])
    assert stage.running(job) == claim.execution.key
    taken = stage.claim(node, T + 2 * SECOND)
    if overlap is Overlap.CANCEL:
        assert [c.due for c in taken] == [T + 2 * SECOND]
        assert stage.running(job) == taken[0].execution.key
        assert stage.state(claim.execution.key) == "cancelled"
    else:
        assert taken == []
        assert stage.running(job) == claim.execution.key


def test_a_waiter_gives_way_too_when_the_one_under_way_turned_out_to_wait(stage: Stage) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.CANCEL)), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    assert stage.claim(node, T + 2 * SECOND) == []  # waits for the end that was asked for
    stage.records.record(node, [ended(claim, State.RETRYING, T + 2 * SECOND + 5, next_attempt_at=T + MINUTE)])
    newest = stage.claim_one(node, T + 3 * SECOND)
    assert stage.running(job) == newest.execution.key
    assert stage.stories() == [(1, "cancelled", None), (2, "skipped", "overlap"), (3, "claimed", None)]


def test_a_retry_that_is_due_gives_way_to_what_is_planned_in_the_same_claim(stage: Stage) -> None:
    stage.create(replace(EVERY_SECOND, overlap=Overlap.CANCEL))
    node = stage.node()
    claim = stage.claim_one(node, T + SECOND)
    retry_at = T + 2 * SECOND
    stage.records.record(node, [ended(claim, State.RETRYING, T + SECOND + 5, next_attempt_at=retry_at)])
    assert len(stage.claim(node, retry_at)) == 1
    assert stage.stories() == [(1, "cancelled", None), (2, "claimed", None)]


@pytest.mark.parametrize(
    ("overlap", "busy", "has_waiter", "becomes"),
    [
        (Overlap.SKIP, False, False, "claimed"),
        (Overlap.SKIP, True, False, "skipped"),
        (Overlap.QUEUE, False, False, "claimed"),
        (Overlap.QUEUE, True, False, "pending"),
        (Overlap.QUEUE, True, True, "skipped"),
        (Overlap.CANCEL, False, False, "claimed"),
        (Overlap.CANCEL, True, False, "pending"),
    ],
)
def test_an_occurrence_that_an_edit_added_is_admitted_by_the_overlap_rule(
    stage: Stage, overlap: Overlap, busy: bool, has_waiter: bool, becomes: str
) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=overlap, ends_at=T + SECOND)), stage.node()
    under_way = stage.claim_one(node, T + SECOND)
    if has_waiter:
        stage.put(job, State.PENDING, T + 2 * SECOND, next_attempt_at=None)
    if not busy:
        stage.records.record(node, [ended(under_way)])
    added = stage.put(job, State.PENDING, T + 3 * SECOND)
    claims = stage.claim(node, T + 3 * SECOND)
    assert stage.state(added) == becomes
    assert [claim.execution.key for claim in claims] == ([added] if becomes == "claimed" else [])
    assert stage.running(job) == (under_way.execution.key if busy else added)
    if becomes == "pending":  # it waits for the end of the one under way, and gets it
        assert bool(stage.records.cancel_requests(node)) is (overlap is Overlap.CANCEL)
        assert stage.row(added, "next_attempt_at") == (None,)
        stage.records.record(node, [ended(under_way, at=T + 4 * SECOND)])
        assert stage.claim_one(node, T + 4 * SECOND).execution.key == added


@pytest.mark.parametrize("freed_by", ["its end", "an edit"])
def test_a_waiter_that_is_free_before_its_instant_waits_for_that(stage: Stage, freed_by: str) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.CANCEL, ends_at=T + SECOND)), stage.node()
    under_way = stage.claim_one(node, T + SECOND)
    added = stage.put(job, State.PENDING, T + 3 * SECOND)
    stage.claim(node, T + 3 * SECOND)
    assert stage.row(added, "next_attempt_at") == (None,)
    if freed_by == "its end":
        stage.records.record(node, [ended(under_way, at=T + 2 * SECOND)])
    else:
        stage.update(job, T + 2 * SECOND, overlap=Overlap.ALLOW, ends_at=None)
    assert stage.row(added, "next_attempt_at") == (T + 3 * SECOND,)
    assert stage.claim_one(node, T + 3 * SECOND).due == T + 3 * SECOND


def test_a_run_by_hand_overlaps_whatever_the_job_says(stage: Stage) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.SKIP)), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    stage.jobs.run_now(job.id, T + SECOND)
    manual = stage.claim_one(node, T + SECOND)
    assert stage.running(job) == claim.execution.key
    stage.records.record(node, [ended(manual)])
    assert stage.running(job) == claim.execution.key


def test_a_pause_meets_a_rescued_one_and_its_job_is_free(stage: Stage) -> None:
    job, dead, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE)), stage.node(), stage.node()
    (claim,) = stage.claim(dead, T, ahead=SECOND)
    stage.jobs.pause(job.id, T + 1)
    assert stage.nodes.condemn(dead, 0, T + 2)
    assert stage.rescues.rescue(dead, T + 2).pending == 1
    assert stage.running(job) == claim.execution.key
    assert stage.claim(node, T + SECOND) == []
    assert (stage.stories(), stage.running(job)) == ([(1, "skipped", "paused")], None)


def test_an_occurrence_that_is_there_already_lets_its_waiter_go(stage: Stage) -> None:
    job, node = stage.create(replace(EVERY_SECOND, overlap=Overlap.QUEUE)), stage.node()
    stage.put(job, State.SUCCEEDED, T + SECOND, trigger="backfill")
    assert stage.claim(node, T + 2 * SECOND) == []
    waiter = stage.claim_one(node, T + 2 * SECOND)
    assert waiter.execution.scheduled_for == T + 2 * SECOND
    assert stage.running(job) == waiter.execution.key
