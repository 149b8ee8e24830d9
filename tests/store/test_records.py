"""The ends of claims are written by whoever has the claim, and by nobody else."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.store.stage import EVERY_SECOND, MINUTE, MINUTELY, Stage, T, attempted, ended
from tui_scheduler.domain.execution import SkipReason, State
from tui_scheduler.domain.job import JobState, Overlap
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.claims import Claim
from tui_scheduler.store.database import Database
from tui_scheduler.store.records import Record

SERIAL = replace(EVERY_SECOND, overlap=Overlap.QUEUE)


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def test_a_success_at_once_is_one_row_and_no_attempt(stage: Stage) -> None:
    stage.create(MINUTELY)
    node = stage.node()
    claim = stage.claim_one(node, T + MINUTE)
    record = ended(
        claim, at=T + MINUTE + 9, started_at=T + MINUTE + 2, duration=7, http_status=204, excerpt="ok", job_version=3
    )
    assert stage.records.record(node, [record]) == 0
    columns = "state, started_at, finished_at, duration_us, http_status, error, response_excerpt, job_version, node_id"
    assert stage.rows(columns) == [
        ("succeeded", T + MINUTE + 2, T + MINUTE + 9, 7, 204, None, "ok", 3, node),
    ]
    assert stage.rows("id", "attempt") == []


def test_every_attempt_is_kept_when_the_first_did_not_succeed(stage: Stage) -> None:
    stage.create(MINUTELY)
    node = stage.node()
    first = stage.claim_one(node, T + MINUTE)
    attempt = attempted(first, T + MINUTE, waits=SECOND, waits_for="backoff")
    again_at = T + MINUTE + SECOND
    failed = ended(first, State.RETRYING, error="HTTP 500", next_attempt_at=again_at, attempt=attempt)
    assert stage.records.record(node, [failed._replace(started_at=T + MINUTE)]) == 0
    assert stage.rows("state, started_at, finished_at, next_attempt_at, error") == [
        ("retrying", T + MINUTE, None, again_at, "HTTP 500"),
    ]
    second = stage.claim_one(node, again_at)
    nothing = attempted(
        second, again_at, started_at=None, duration=None, http_status=200, error=None, headers=(), excerpt=None
    )
    assert stage.records.record(node, [ended(second, started_at=again_at, attempt=nothing)]) == 0
    assert stage.rows("state, started_at, next_attempt_at") == [
        ("succeeded", T + MINUTE, None)
    ]  # the first one's start
    columns = (
        "execution_id, attempt, node_id, started_at, finished_at, duration_us, http_status, error, waits_us, waits_for"
    )
    key = first.execution.key
    assert stage.rows(columns, "attempt") == [
        (key, 1, node, T + MINUTE, T + MINUTE + 5, 5, 500, "HTTP 500", SECOND, "backoff"),
        (key, 2, node, None, again_at + 5, None, 200, None, None, None),
    ]
    (headers, excerpt), (no_headers, no_excerpt) = stage.rows(
        "CAST(response_headers AS TEXT), response_excerpt", "attempt"
    )
    assert (json.loads(headers), excerpt) == ([["server", "a\u2028b"]], "oh")
    assert (no_headers, no_excerpt) == (None, None)


def test_a_skip_is_recorded_with_its_reason(stage: Stage) -> None:
    stage.create(MINUTELY)
    node = stage.node()
    claim = stage.claim_one(node, T + MINUTE)
    assert stage.records.record(node, [ended(claim, State.SKIPPED, skip_reason=SkipReason.EDITED)]) == 0
    assert stage.rows("state, skip_reason, skip_from, skip_to, skip_count, finished_at") == [
        ("skipped", "edited", T + MINUTE, T + MINUTE, 1, T + MINUTE)
    ]


def _by_another_node(stage: Stage, claim: Claim) -> None:
    stage.set("execution", claim.execution.key, node_id=stage.node())


def _under_another_number(stage: Stage, claim: Claim) -> None:
    stage.set("execution", claim.execution.key, claim_no=2)


def _in_state(state: State) -> Callable[[Stage, Claim], None]:
    return lambda stage, claim: stage.set("execution", claim.execution.key, state=state.value)


@pytest.mark.parametrize(
    "lose",
    [
        _by_another_node,
        _under_another_number,
        *(_in_state(state) for state in sorted(set(State) - {State.CLAIMED, State.RUNNING})),
    ],
)
@pytest.mark.parametrize("serial", [False, True])
def test_a_late_result_of_a_lost_claim_changes_nothing_and_is_counted(
    stage: Stage, lose: Callable[[Stage, Claim], None], serial: bool
) -> None:
    stage.create(SERIAL if serial else MINUTELY)
    node = stage.node()
    (claim,) = stage.claim(node, T + MINUTE, slots=1)
    lose(stage, claim)
    before = stage.rows("*")
    late: list[Record] = [
        ended(claim, attempt=attempted(claim, T)),
        ended(claim, State.RETRYING, next_attempt_at=T, attempt=attempted(claim, T)),
        ended(claim, State.SKIPPED, skip_reason=SkipReason.PAUSED),
    ]
    for record in late:
        assert stage.records.record(node, [record]) == 1
    stage.records.give_back(node, [(claim.execution.key, 1)])
    stage.records.show_running(node, [(claim.execution.key, 1, T)])
    assert stage.rows("*") == before
    assert stage.rows("id", "attempt") == []


def test_in_a_mixed_batch_each_is_judged_by_itself(stage: Stage) -> None:
    for _ in range(3):
        stage.create(EVERY_SECOND)
    serial = stage.create(SERIAL)
    node = stage.node()
    claims = stage.claim(node, T + SECOND)
    _under_another_number(stage, claims[1])
    batch = [
        ended(claims[3], State.CANCELLED),
        ended(claims[2], State.SKIPPED, skip_reason=SkipReason.DELETED),
        ended(claims[1]),
        ended(claims[0], State.FAILED, attempt=attempted(claims[0], T)),
    ]
    assert stage.records.record(node, batch) == 1
    states = [stage.state(claim.execution.key) for claim in claims]
    assert states == ["failed", "claimed", "skipped", "cancelled"]
    assert stage.running(serial) is None


def test_recording_the_same_batch_twice_is_recording_it_once(stage: Stage) -> None:
    stage.create(SERIAL)
    node = stage.node()
    claim = stage.claim_one(node, T + SECOND)
    record = ended(claim, State.FAILED, attempt=attempted(claim, T))
    assert stage.records.record(node, [record]) == 0
    after = stage.rows("*")
    assert stage.records.record(node, [record]) == 1
    assert stage.rows("*") == after
    assert len(stage.rows("id", "attempt")) == 1


def test_a_lost_serial_claim_frees_nobody(stage: Stage) -> None:
    job, node, other = stage.create(SERIAL), stage.node(), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    stage.nodes.condemn(node, 0, T + SECOND)
    stage.rescues.rescue(node, T + SECOND)
    again = stage.claim_one(other, T + SECOND)
    assert stage.records.record(node, [ended(claim)]) == 1
    assert stage.running(job) == again.execution.key
    assert stage.records.record(other, [ended(again)]) == 0
    assert stage.running(job) is None


@pytest.mark.parametrize("running", [False, True])
def test_what_is_given_back_is_due_at_once_and_has_made_no_attempt(stage: Stage, running: bool) -> None:
    stage.create(MINUTELY)
    node, other = stage.node(), stage.node()
    claim = stage.claim_one(node, T + MINUTE)
    if running:
        stage.claims.start(node, [(claim.execution.key, 1)])
    stage.records.give_back(node, [(claim.execution.key, 1)])
    assert stage.rows("state, attempt, node_id, next_attempt_at") == [("pending", 0, None, T + MINUTE)]
    again = stage.claim_one(other, T + MINUTE)
    assert (again.execution.attempt, again.execution.claim_no) == (1, 2)


def test_a_send_that_takes_long_is_shown_and_ends_as_any_other(stage: Stage) -> None:
    stage.create(MINUTELY)
    node = stage.node()
    claim = stage.claim_one(node, T + MINUTE)
    stage.records.show_running(node, [(claim.execution.key, 1, T + MINUTE + 3)])
    stage.records.show_running(node, [(claim.execution.key, 1, T + MINUTE + 4)])
    assert stage.rows("state, started_at") == [("running", T + MINUTE + 3)]
    assert stage.records.record(node, [ended(claim, started_at=T + MINUTE + 5)]) == 0
    assert stage.rows("state, started_at") == [("succeeded", T + MINUTE + 3)]


def test_a_node_sees_the_cancellations_of_what_it_has(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node, other = stage.node(), stage.node()
    wanted, kept, ended_already = stage.claim(node, T + 3 * SECOND)
    foreign = stage.claim_one(other, T + 4 * SECOND)
    for claim in (wanted, ended_already, foreign):
        stage.set("execution", claim.execution.key, cancel_requested=True)
    stage.records.record(node, [ended(ended_already)])
    assert [request.key for request in stage.records.cancel_requests(node)] == [wanted.execution.key]
    stage.set("execution", kept.execution.key, state="running", cancel_requested=True)
    assert len(stage.records.cancel_requests(node)) == 2


# ---------------------------------------------------------------------------------------------------- a target gone


def test_a_job_whose_target_is_gone_is_paused_as_a_user_would(stage: Stage) -> None:
    job, node = stage.create(EVERY_SECOND), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    change_no = stage.jobs.last_change_no()
    stage.records.record(node, [ended(claim, State.FAILED, error="HTTP 410", pause_job=True)])
    paused = stage.jobs.get(job.id)
    assert (paused.state, paused.version) == (JobState.PAUSED, 2)
    assert [changed.key for _, changed in stage.jobs.changed_since(change_no)] == [job.key]
    assert not stage.claims.has_due(T + MINUTE, T + MINUTE)
    assert stage.stories() == [(1, "failed", None)]


@pytest.mark.parametrize("command", ["pause", "delete"])
def test_a_job_that_its_user_stopped_first_stays_so(stage: Stage, command: str) -> None:
    job, node = stage.create(EVERY_SECOND), stage.node()
    claim = stage.claim_one(node, T + SECOND)
    stopped = getattr(stage.jobs, command)(job.id, T + SECOND)
    assert stage.records.record(node, [ended(claim, State.FAILED, pause_job=True)]) == 0
    assert stage.rows("state, version", "job") == [(stopped.state.value, stopped.version)]


def test_many_pauses_beside_edits_and_claims_meet_no_deadlock(stage: Stage) -> None:
    jobs = [stage.create(replace(SERIAL if n % 2 else EVERY_SECOND, name=str(n))) for n in range(8)]
    node = stage.node()
    rounds = [stage.claim(node, T + second * SECOND) for second in (1, 2)]
    batches = [
        [ended(claim, State.FAILED, pause_job=True, attempt=attempted(claim, T)) for claim in claims[::step]]
        for claims in rounds
        for step in (1, -1)
    ]

    def edit(n: int) -> None:
        for turn in range(5):
            job = jobs[(n * 3 + turn) % len(jobs)]
            stage.jobs.update(job.id, lambda stored: replace(stored.spec, tags=(*stored.spec.tags, "x")), T + SECOND)

    with ThreadPoolExecutor(8) as pool:
        records = [pool.submit(stage.records.record, node, batch) for batch in batches]
        edits = [pool.submit(edit, n) for n in range(4)]
        assert sum(record.result(timeout=60) for record in records)  # of each claim one record was written
        for done in edits:
            done.result(timeout=60)
    assert {state for (state,) in stage.rows("state", "job")} == {"paused"}
    assert sum(len(job.spec.tags) for _, job in stage.jobs.changed_since(0)) == 20
    assert len(stage.rows("id", "attempt")) == len({claim.execution.key for claims in rounds for claim in claims})
