"""Each outcome becomes one record, counted, and told where someone must know."""

from __future__ import annotations

from typing import Any

import pytest
from trio.testing import MockClock

from tests.engine.stage import MS, ONCE, SECOND, START, Stage, held
from tests.postgres import clean_database, needs_postgres
from tests.sqlite import clean_memory
from tui_scheduler.domain.execution import Outcome, OutcomeKind, SkipReason, State
from tui_scheduler.domain.job import Overlap, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.engine.settling import EXCERPT_OF_FAILURE, EXCERPT_OF_SUCCESS, Settling
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.hot import rows
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.records import CancelRequest, Record, RecordStore

RESPONSE = OutcomeKind.RESPONSE
ONE = RetryPolicy(max_attempts=1)
TWO = RetryPolicy(max_attempts=2, base=SECOND, cap=SECOND)


class Ended:
    """A settling, and what it handed over."""

    def __init__(self) -> None:
        self.stage = Stage()
        self.records: list[Record] = []
        self.settling = Settling(self.stage.world, self.stage.counters, self.records.append)

    def end(self, outcome: Outcome, *, attempt: int = 1, **spec: Any) -> Record:
        one = held(0, **spec)
        for _ in range(attempt - 1):
            one.execution = one.execution.retry().claim()
        self.fire(one)
        one.is_to_end = outcome.kind is OutcomeKind.ABORTED
        self.settling.ended(one, outcome)
        assert one.phase is Phase.ENDED
        return self.records[-1]

    def fire(self, one: Held) -> None:
        one.phase = Phase.FIRED


def outcome(kind: OutcomeKind = RESPONSE, status: int | None = 200, **details: Any) -> Outcome:
    return Outcome(kind, START + 30 * MS, START + 10 * MS, status if kind is RESPONSE else None, **details)


@pytest.mark.parametrize(
    ("came", "spec", "state", "error"),
    [
        (outcome(), {}, State.SUCCEEDED, None),
        (outcome(status=404), {"retry": TWO}, State.FAILED, "HTTP 404"),
        (outcome(status=500), {"retry": ONE}, State.FAILED, "HTTP 500"),
        (outcome(status=500), {"retry": TWO}, State.RETRYING, "HTTP 500"),
        (outcome(status=500), {"retry": TWO, "type": ONCE}, State.FAILED, "HTTP 500"),
        (outcome(OutcomeKind.REFUSED, sent=False), {"retry": TWO, "type": ONCE}, State.RETRYING, "connection refused"),
        (outcome(OutcomeKind.ABORTED, message="given up"), {"retry": TWO}, State.CANCELLED, "given up"),
        *[
            (outcome(kind, message="it says"), {"retry": ONE}, State.FAILED, "it says")
            for kind in OutcomeKind
            if kind not in (RESPONSE, OutcomeKind.ABORTED)
        ],
    ],
)
async def test_an_outcome_becomes_a_record_and_only_a_failure_for_good_an_alert(
    came: Outcome, spec: dict[str, Any], state: State, error: str | None, autojump_clock: MockClock
) -> None:
    ended = Ended()
    record = ended.end(came, **spec)
    assert (record.state, record.error) == (state, error)
    assert (record.started_at, record.finished_at, record.duration) == (START + 10 * MS, START + 30 * MS, 20 * MS)
    assert (record.attempt is None) == (state is State.SUCCEEDED)
    assert [alert.message for alert in ended.stage.alerts] == ([error] if state is State.FAILED else [])
    counted = ended.stage.counters.as_dict(0, 0)
    name = {State.RETRYING: "retried"}.get(state, state.value)
    assert {key: counted[key] for key in ("succeeded", "failed", "retried", "cancelled")} == {
        "succeeded": 0,
        "failed": 0,
        "retried": 0,
        "cancelled": 0,
    } | {name: 1}


async def test_an_abort_that_nobody_asked_for_is_left_to_rescue(autojump_clock: MockClock) -> None:
    """The wire closes with its node's life: what it gives up then may be sent again, and is not cancelled."""
    ended = Ended()
    one = held(0)
    ended.fire(one)
    ended.settling.ended(one, outcome(OutcomeKind.ABORTED, message="the scheduler is shutting down"))
    assert ended.records == []
    assert one.phase is Phase.FIRED


async def test_a_retry_says_when_and_what_it_waits_for(autojump_clock: MockClock) -> None:
    record = Ended().end(outcome(status=503, retry_after=7 * SECOND), retry=TWO)
    assert record.next_attempt_at == START + 7 * SECOND
    assert record.attempt is not None
    assert (record.attempt.waits, record.attempt.waits_for) == (7 * SECOND - 30 * MS, "Retry-After")
    record = Ended().end(outcome(status=503), retry=TWO)
    assert record.attempt is not None
    assert record.attempt.waits_for == "backoff"


async def test_the_success_of_a_later_attempt_keeps_that_attempt(autojump_clock: MockClock) -> None:
    record = Ended().end(outcome(), attempt=2, retry=TWO)
    assert record.attempt is not None
    assert (record.attempt.attempt, record.attempt.error, record.claim_no) == (2, None, 2)


@pytest.mark.parametrize(
    ("status", "limit", "body_limit"), [(200, EXCERPT_OF_SUCCESS, 1_024), (500, EXCERPT_OF_FAILURE, 4_096)]
)
async def test_an_excerpt_is_kept_longer_of_a_failure(
    status: int, limit: int, body_limit: int, autojump_clock: MockClock
) -> None:
    record = Ended().end(outcome(status=status, excerpt=b"x" * 10_000), retry=ONE)
    assert record.excerpt == "x" * limit
    assert limit == body_limit


async def test_bytes_cut_inside_a_character_and_nul_are_made_readable(autojump_clock: MockClock) -> None:
    body = b"\0" + b"x" * (EXCERPT_OF_SUCCESS - 2) + "\N{EURO SIGN}".encode()
    record = Ended().end(outcome(excerpt=body))
    assert record.excerpt is not None
    assert record.excerpt == "\N{SYMBOL FOR NULL}" + "x" * (EXCERPT_OF_SUCCESS - 2) + "\N{REPLACEMENT CHARACTER}"
    record = Ended().end(outcome(status=500, headers=((b"X-\xff", b"a\0b"),)))
    assert record.attempt is not None
    assert record.attempt.headers == (("X-\N{REPLACEMENT CHARACTER}", "a\N{SYMBOL FOR NULL}b"),)


async def test_a_success_rule_sees_more_of_the_body_than_is_kept(autojump_clock: MockClock) -> None:
    body = b" " * 2_000 + b"done"
    record = Ended().end(outcome(excerpt=body), success=SuccessRule(body_pattern="done"))
    assert record.state is State.SUCCEEDED
    assert len(record.excerpt or "") == EXCERPT_OF_SUCCESS


async def test_drift_is_counted_against_the_instant_it_was_due(autojump_clock: MockClock) -> None:
    ended = Ended()
    ended.end(outcome())
    counted = ended.stage.counters.as_dict(0, 0)
    assert (counted["fired"], counted["driftP50"], counted["driftP99"]) == (1, 10 * MS, 10 * MS)
    ended.end(Outcome(OutcomeKind.REFUSED, START, message="refused", sent=False), retry=ONE)
    counted = ended.stage.counters.as_dict(0, 0)
    assert (counted["fired"], counted["driftP50"]) == (1, 10 * MS), "no byte left: nothing was fired"


async def test_a_clock_set_back_during_the_send_makes_no_negative_duration(autojump_clock: MockClock) -> None:
    record = Ended().end(Outcome(RESPONSE, START - SECOND, START, 200))
    assert record.duration == 0


@pytest.mark.parametrize("phase", [Phase.ARMED, Phase.ENDED, Phase.DROPPED])
async def test_the_end_of_what_is_not_under_way_is_nobodys(phase: Phase, autojump_clock: MockClock) -> None:
    ended = Ended()
    one = held(0)
    one.phase = phase
    ended.settling.ended(one, outcome())
    assert ended.records == []
    assert one.phase is phase


async def test_410_pauses_a_job_that_asked_for_it(autojump_clock: MockClock) -> None:
    assert Ended().end(outcome(status=410), pause_on_gone=True, retry=TWO).pause_job
    assert not Ended().end(outcome(status=410), retry=TWO).pause_job


@pytest.mark.parametrize("overlap", list(Overlap))
async def test_a_record_says_whether_its_job_waits_for_it(overlap: Overlap, autojump_clock: MockClock) -> None:
    ended = Ended()
    assert ended.end(outcome(), overlap=overlap).serial is (overlap is not Overlap.ALLOW)
    ended.settling.skip(held(0, overlap=overlap), SkipReason.PAUSED)
    ended.settling.cancel(held(0, overlap=overlap), "why")
    assert [record.serial for record in ended.records[1:]] == [overlap is not Overlap.ALLOW] * 2


async def test_skips_and_cancellations_are_recorded_without_an_attempt_or_an_alert(autojump_clock: MockClock) -> None:
    ended = Ended()
    skipped, cancelled = held(0, key=1), held(0, key=2)
    ended.settling.skip(skipped, SkipReason.PAUSED)
    ended.settling.cancel(cancelled, "why")
    ended.settling.cancel_unheld(CancelRequest(3, 4, 5))
    found = [(r.key, r.claim_no, r.state, r.skip_reason, r.error, r.attempt) for r in ended.records]
    assert found == [
        (1, 1, State.SKIPPED, SkipReason.PAUSED, None, None),
        (2, 1, State.CANCELLED, None, "why", None),
        (3, 4, State.CANCELLED, None, "cancelled on request", None),
    ]
    assert skipped.phase is cancelled.phase is Phase.ENDED
    assert ended.stage.alerts == []


HOSTILE = outcome(
    OutcomeKind.GARBAGE,
    message="the answer says 'a\0b\ud800'",
    excerpt=b"\0\xff\xed\xa0\x80",
    headers=((b"\0", b"\xed\xa0\x80"),),
)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=needs_postgres)])
async def test_whatever_a_target_says_can_be_stored(kind: str, autojump_clock: MockClock) -> None:
    if kind == "sqlite":
        _store_hostile(clean_memory())
        return
    with clean_database() as url:
        database = open_database(url)
        _store_hostile(database)
        database.close()


def _store_hostile(database: Database) -> None:
    """Record the hostile outcome of an execution that is there."""
    ended, jobs = Ended(), JobStore(database)
    run = jobs.run_now(jobs.create(held(0).entry.job.spec, START).id, START)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE execution SET state = 'claimed', node_id = 1, claim_no = 1")
    one = held(0, key=run.key, retry=ONE)
    ended.fire(one)
    ended.settling.ended(one, HOSTILE)
    assert RecordStore(database).record(1, ended.records) == 0
    with database.read() as connection:
        ((error, excerpt),) = rows(connection, "SELECT error, response_excerpt FROM execution")
    assert error == "the answer says 'a\N{SYMBOL FOR NULL}b?'"
    assert excerpt == "\N{SYMBOL FOR NULL}" + "\N{REPLACEMENT CHARACTER}" * 4
