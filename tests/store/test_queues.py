"""Queues with limits: what claims take of them, over all nodes, and what users see."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.store.stage import EVERY_SECOND, MINUTE, MINUTELY, Stage, T, attempted, ended
from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import CatchUp, Overlap
from tui_scheduler.domain.queues import Limits, Rate
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.database import Database

SLOW = replace(EVERY_SECOND, queue="slow")


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


# ------------------------------------------------------------------------------------------------------ concurrency


def test_no_more_are_in_flight_than_the_queue_allows(stage: Stage) -> None:
    stage.limit("slow", concurrency=2)
    jobs = [stage.create(SLOW) for _ in range(5)]
    node = stage.node()
    first = stage.claim_all(node, T + SECOND)
    assert len(first) == 2
    assert stage.claim_all(node, T + 2 * SECOND) == []
    stage.records.record(node, [ended(first[0])])
    assert len(stage.claim_all(node, T + 2 * SECOND)) == 1
    assert len(jobs) == 5


def test_nothing_that_waits_for_its_queue_is_lost(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    stage.create(SLOW)
    stage.create(SLOW)
    node, went = stage.node(), []
    for now in range(T + 3 * SECOND, T + 30 * SECOND, SECOND // 2):
        for claim in stage.claim_all(node, min(now, T + 3 * SECOND)):
            went.append((claim.execution.job_key, claim.execution.scheduled_for))
            stage.records.record(node, [ended(claim)])
    assert Counter(at for _, at in went) == {T + SECOND: 2, T + 2 * SECOND: 2, T + 3 * SECOND: 2}


def test_other_queues_go_on_beside_a_full_one(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    stage.create(SLOW)
    stage.create(SLOW)
    free = stage.create(EVERY_SECOND)
    node = stage.node()
    assert len(stage.claim_all(node, T + SECOND)) == 2
    assert [claim.execution.job_key for claim in stage.claim_all(node, T + 2 * SECOND)] == [free.key]


def test_within_a_queue_priority_goes_first_and_then_the_earlier_instant(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    late = stage.create(replace(SLOW, schedule="1 * * * * *"))
    later = stage.create(replace(SLOW, schedule="2 * * * * *"))
    urgent = stage.create(replace(SLOW, schedule="3 * * * * *", priority=1))
    node, order = stage.node(), []
    for _ in range(3):
        (claim,) = stage.claim_all(node, T + 4 * SECOND)
        order.append(claim.execution.job_key)
        stage.records.record(node, [ended(claim)])
    assert order == [urgent.key, late.key, later.key]


def test_a_limited_queue_is_claimed_at_the_instant_and_not_ahead(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    stage.create(replace(MINUTELY, queue="slow"))
    node = stage.node()
    assert stage.claim_all(node, T + MINUTE - SECOND, ahead=2 * SECOND) == []
    assert [claim.due for claim in stage.claim_all(node, T + MINUTE, ahead=2 * SECOND)] == [T + MINUTE]


def test_what_is_late_by_its_queue_is_due_when_it_may_go(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    stage.create(replace(MINUTELY, queue="slow"))
    (claim,) = stage.claim_all(stage.node(), T + MINUTE + 7)
    assert (claim.execution.fire_at, claim.due) == (T + MINUTE, T + MINUTE + 7)


def test_retries_runs_by_hand_and_rescued_work_take_a_place_too(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    job = stage.create(replace(MINUTELY, queue="slow"))
    stage.jobs.run_now(job.id, T)
    stage.jobs.run_now(job.id, T)
    node = stage.node()
    (first,) = stage.claim_all(node, T)
    retry = ended(first, State.RETRYING, T + 1, next_attempt_at=T + SECOND, attempt=attempted(first, T))
    stage.records.record(node, [retry])
    (second,) = stage.claim_all(node, T + 2)
    assert stage.claim_all(node, T + SECOND) == []
    stage.rescues.rescue(node, T + SECOND)
    other = stage.node()
    (third,) = stage.claim_all(other, T + SECOND)
    assert third.execution.key == second.execution.key
    stage.records.record(other, [ended(third)])
    (fourth,) = stage.claim_all(other, T + SECOND)
    assert (fourth.execution.key, fourth.execution.attempt) == (first.execution.key, 2)


def test_jobs_that_do_not_allow_overlap_keep_their_policy_in_a_limited_queue(stage: Stage) -> None:
    stage.limit("slow", concurrency=5)
    stage.create(replace(SLOW, overlap=Overlap.SKIP))
    node = stage.node()
    assert len(stage.claim_all(node, T + SECOND)) == 1
    assert stage.claim_all(node, T + 3 * SECOND) == []
    assert stage.stories() == [(1, "claimed", None), (3, "skipped", "overlap")]


def together(*works: Callable[[], None]) -> None:
    start = threading.Barrier(len(works))

    def begin(work: Callable[[], None]) -> None:
        start.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(begin, work) for work in works]:
            future.result(timeout=120)


def test_nodes_that_claim_at_once_never_exceed_the_limit_together(database_url: str) -> None:
    databases = [Database(database_url) for _ in range(3)]
    stages = [Stage(database) for database in databases]
    stages[0].limit("slow", concurrency=3)
    for _ in range(12):
        stages[0].create(SLOW)
    seen, lock, flying = [], threading.Lock(), Counter[str]()

    def race(stage: Stage) -> None:
        node = stage.node()
        for round_no in range(25):
            claims = stage.claim(node, T + 2 * SECOND + round_no)
            with lock:
                flying["now"] += len(claims)
                seen.append(flying["now"])
            with lock:
                flying["now"] -= len(claims)  # before the record: from then on others may claim
            stage.records.record(node, [ended(claim) for claim in claims])

    try:
        together(*(lambda stage=stage: race(stage) for stage in stages))
        assert max(seen) <= 3
        assert len(stages[0].rows("id")) == 24
    finally:
        for database in databases:
            database.close()


# ----------------------------------------------------------------------------------------------- limits that change


def test_a_limit_that_is_set_counts_what_is_under_way_already(stage: Stage) -> None:
    stage.create(SLOW)
    stage.create(SLOW)
    node = stage.node()
    under_way = stage.claim_all(node, T + SECOND)
    assert len(under_way) == 2
    stage.limit("slow", concurrency=2)
    assert stage.claim_all(node, T + 2 * SECOND) == []
    stage.records.record(node, [ended(under_way[0])])
    assert len(stage.claim_all(node, T + 2 * SECOND)) == 1


def test_a_limit_that_is_lifted_lets_go_what_it_held_and_costs_nothing_any_more(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    for _ in range(3):
        stage.create(SLOW)
    node = stage.node()
    assert len(stage.claim_all(node, T + SECOND)) == 1
    assert None not in stage.gates()
    stage.limit("slow")
    assert len(stage.claim_all(node, T + SECOND)) == 2
    assert len(stage.claim_all(node, T + 2 * SECOND)) == 3
    assert stage.gates() == [None, None, None]


def test_a_job_that_moves_to_another_queue_leaves_what_held_it(stage: Stage) -> None:
    stage.limit("slow", concurrency=1, paused=True)
    job = stage.create(SLOW)
    stage.jobs.run_now(job.id, T)
    node = stage.node()
    assert stage.claim_all(node, T + SECOND) == []
    assert stage.gates() != [None]
    stage.update(job, T + SECOND + 1, queue="fast")
    assert len(stage.claim_all(node, T + SECOND + 1)) == 2
    assert stage.gates() == [None]


# ------------------------------------------------------------------------------------------------------------ pause


def test_a_paused_queue_claims_nothing_and_goes_on_when_it_is_resumed(stage: Stage) -> None:
    stage.create(SLOW)
    stage.queues.pause("slow")
    node = stage.node()
    assert stage.claim_all(node, T + 3 * SECOND) == []
    assert not stage.claims.has_due(T + 3 * SECOND, T + 3 * SECOND)
    stage.queues.resume("slow")
    assert len(stage.claim_all(node, T + 3 * SECOND)) == 3


@pytest.mark.parametrize(
    ("policy", "ran", "skipped"), [(CatchUp.ALL, 61, 0), (CatchUp.LATEST, 12, 49), (CatchUp.NONE, 11, 50)]
)
def test_what_a_pause_held_for_longer_than_the_grace_is_caught_up_as_its_job_says(
    stage: Stage, policy: CatchUp, ran: int, skipped: int
) -> None:
    stage.create(replace(SLOW, catch_up=policy, grace=10 * SECOND))
    stage.queues.pause("slow")
    node = stage.node()
    for second in range(61):
        assert stage.claim_all(node, T + second * SECOND) == []
    stage.queues.resume("slow")
    assert len(stage.claim_all(node, T + 61 * SECOND)) == ran
    assert sum(count or 0 for (count,) in stage.rows("skip_count")) == skipped


# ------------------------------------------------------------------------------------------------------------- rate


def test_no_period_has_more_sends_than_the_rate_of_the_queue(stage: Stage) -> None:
    stage.limit("slow", rate=Rate(3, 10 * SECOND))
    stage.create(SLOW)
    stage.create(SLOW)
    node, sent = stage.node(), []
    for tenth in range(10, 320):
        now = T + tenth * SECOND // 10
        for claim in stage.claim_all(node, now):
            sent.append(now)
            stage.records.record(node, [ended(claim)])
    assert len(sent) == 9
    assert all(later - earlier >= 10 * SECOND for earlier, later in zip(sent, sent[3:], strict=False))


def test_a_retry_counts_as_a_send(stage: Stage) -> None:
    stage.limit("slow", rate=Rate(1, 10 * SECOND))
    job = stage.create(replace(MINUTELY, queue="slow"))
    stage.jobs.run_now(job.id, T)
    node = stage.node()
    (first,) = stage.claim_all(node, T)
    retry = ended(first, State.RETRYING, T + 1, next_attempt_at=T + SECOND, attempt=attempted(first, T))
    stage.records.record(node, [retry])
    assert stage.claim_all(node, T + 9 * SECOND) == []
    assert len(stage.claim_all(node, T + 11 * SECOND)) == 1


def test_what_is_sent_is_counted_by_the_time_at_which_the_claim_had_its_turn(stage: Stage) -> None:
    stage.limit("slow", rate=Rate(1, 10 * SECOND))
    stage.create(SLOW)
    stage.claim_all(stage.node(), T)
    stage.claims.claim(stage.node(), T + SECOND, T + SECOND, 9)
    claimed = stage.claims.claim(stage.node(), T + SECOND, T + SECOND, 9, clock=lambda: T + 8 * SECOND).claims
    assert len(claimed) == 1
    assert not stage.claims.has_due(T + 17 * SECOND, T + 17 * SECOND)
    assert stage.claims.has_due(T + 19 * SECOND, T + 19 * SECOND)


def test_old_buckets_are_forgotten(stage: Stage) -> None:
    stage.limit("slow", rate=Rate(5, SECOND))
    stage.create(SLOW)
    node = stage.node()
    for second in range(1, 30):
        stage.records.record(node, [ended(claim) for claim in stage.claim_all(node, T + second * SECOND)])
    assert len(stage.rows("until", "queue_use", "until")) <= 3


# ------------------------------------------------------------------------------------------------- what users see


def test_queues_are_those_that_jobs_name_and_those_with_limits(stage: Stage) -> None:
    for name in ("b", "a", "b"):
        stage.create(replace(EVERY_SECOND, queue=name))
    stage.limit("z", concurrency=3, rate=Rate(10, SECOND))
    assert [(found.name, found.limits) for found in stage.queues.all(T)] == [
        ("a", Limits()),
        ("b", Limits()),
        ("z", Limits(3, Rate(10, SECOND))),
    ]
    stage.limit("z")
    assert [found.name for found in stage.queues.all(T)] == ["a", "b"]
    with pytest.raises(NotFound, match="no queue with id 'z'"):
        stage.queues.get("z", T)
    with pytest.raises(NotFound):
        stage.queues.pause("z")


def test_a_queue_says_what_is_in_flight_and_what_it_holds_back(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    for _ in range(3):
        stage.create(SLOW)
    (claim,) = stage.claim_all(stage.node(), T + SECOND)
    assert claim.gate is not None
    found = stage.queues.get("slow", T + 3 * SECOND)
    assert (found.in_flight, found.held, found.oldest_held) == (1, 3, T + SECOND)
    assert stage.queues.get("slow", T + SECOND).held == 0


def test_a_change_that_changes_nothing_is_no_edit(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    before = stage.jobs.last_change_no()
    stage.limit("slow", concurrency=1)
    assert stage.jobs.last_change_no() == before
    stage.limit("slow", concurrency=2)
    assert stage.jobs.last_change_no() == before + 1


def test_unlimited_jobs_have_no_gate(stage: Stage) -> None:
    stage.limit("slow", concurrency=1)
    stage.create(EVERY_SECOND)
    stage.claim_all(stage.node(), T + SECOND)
    assert (stage.gates(), stage.rows("gate")) == ([None], [(None,)])
