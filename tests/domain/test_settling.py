"""What follows an attempt: success, a retry and when, or the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui_scheduler.domain.decisions import (
    LONGEST_RETRY_AFTER,
    SUCCEEDED,
    Settlement,
    beyond_status,
    path_steps,
    settle,
    why_failed,
)
from tui_scheduler.domain.execution import Execution, Outcome, OutcomeKind, State
from tui_scheduler.domain.job import JobSpec, JobType, Request, SuccessRule
from tui_scheduler.domain.retry import SECOND, RetryPolicy

T = 1_795_000_020 * SECOND
NOW = T + 3 * SECOND
SPEC = JobSpec("* * * * * *", Request("http://localhost/"), retry=RetryPolicy(max_attempts=3, base=10 * SECOND))
ONCE = replace(SPEC, type=JobType.ATMOST_ONCE)
UNANSWERED = sorted(set(OutcomeKind) - {OutcomeKind.RESPONSE, OutcomeKind.ABORTED})
NEVER_AGAIN = {OutcomeKind.TOO_LARGE, OutcomeKind.REDIRECTS}


def claim(attempt: int = 1, first_started_at: int | None = None) -> Execution:
    return Execution(
        1, 1, T, T, state=State.CLAIMED, attempt=attempt, claim_no=attempt, first_started_at=first_started_at
    )


def answer(status: int, body: bytes = b"", **values: Any) -> Outcome:
    return Outcome(OutcomeKind.RESPONSE, NOW, T, status, excerpt=body, **values)


def settled(outcome: Outcome, spec: JobSpec = SPEC, attempt: int = 1, draw: float = 0.5) -> Settlement:
    return settle(claim(attempt), spec, outcome, NOW, draw)


# ---------------------------------------------------------------------------------------------------- success


@pytest.mark.parametrize("status", [200, 204, 299])
def test_an_answer_in_the_two_hundreds_is_a_success(status: int) -> None:
    assert settled(answer(status)) is SUCCEEDED


@pytest.mark.parametrize(
    ("rule", "status", "body", "wrong"),
    [
        (SuccessRule(), 301, b"", "HTTP 301"),
        (SuccessRule(((200, 299), (404, 404))), 404, b"", None),
        (SuccessRule(((404, 404),)), 200, b"", "HTTP 200"),
        (SuccessRule(body_pattern="^ok$"), 200, b"ok", None),
        (SuccessRule(body_pattern="ok"), 200, b"not \xff ok", None),
        (SuccessRule(body_pattern="^ok$"), 200, b"ko", "HTTP 200, but the body does not match '^ok$'"),
        (SuccessRule(body_pattern="ok"), 500, b"ok", "HTTP 500"),
        (SuccessRule(json_path="$.a.b[1].c", json_equals="x"), 200, b'{"a": {"b": [0, {"c": "x"}]}}', None),
        (SuccessRule(json_path="a", json_equals=1), 200, b'{"a": 1.0}', None),
        (SuccessRule(json_path="a", json_equals=1), 200, b'{"a": true}', "HTTP 200, but a is true, not 1"),
        (SuccessRule(json_path="a", json_equals=True), 200, b'{"a": 1}', "HTTP 200, but a is 1, not true"),
        (SuccessRule(json_path="a", json_equals=None), 200, b'{"a": null}', None),
        (SuccessRule(json_path="a", json_equals="y"), 200, b'{"a": "x"}', 'HTTP 200, but a is "x", not "y"'),
        (SuccessRule(json_path="$", json_equals="x"), 200, b'"x"', None),
        (SuccessRule(json_path="a.b", json_equals=1), 200, b'{"a": {}}', "HTTP 200, but the body has no a.b"),
        (SuccessRule(json_path="a[3]", json_equals=1), 200, b'{"a": [1]}', "HTTP 200, but the body has no a[3]"),
        (SuccessRule(json_path="a[0]", json_equals="x"), 200, b'{"a": "xyz"}', "HTTP 200, but the body has no a[0]"),
        (SuccessRule(json_path="a[0]", json_equals=1), 200, b'{"a": {"0": 1}}', "HTTP 200, but the body has no a[0]"),
        (SuccessRule(json_path="a", json_equals=1), 200, b"[1]", "HTTP 200, but the body has no a"),
        (
            SuccessRule(json_path="a", json_equals=1),
            200,
            b'{"a": 1',
            "HTTP 200, but the body is not JSON or is longer than what is kept of it",
        ),
        (
            SuccessRule(json_path="a", json_equals=1),
            200,
            b"[" * 100_000,
            "HTTP 200, but the body is not JSON or is longer than what is kept of it",
        ),
        (
            SuccessRule(json_path="a", json_equals=1),
            200,
            b"1" * 5_000,
            "HTTP 200, but the body is not JSON or is longer than what is kept of it",
        ),
    ],
)
def test_the_success_rule_says_what_is_wrong(rule: SuccessRule, status: int, body: bytes, wrong: str | None) -> None:
    assert why_failed(rule, answer(status, body)) == wrong


def test_what_the_wire_says_is_what_is_told() -> None:
    assert why_failed(SuccessRule(), Outcome(OutcomeKind.REFUSED, NOW)) == "connection refused"
    assert why_failed(SuccessRule(), Outcome(OutcomeKind.REFUSED, NOW, message="nobody there")) == "nobody there"
    assert settled(answer(500, message="HTTP 500: overloaded")).error == "HTTP 500: overloaded"


@pytest.mark.parametrize(
    ("rule", "outcome", "beyond"),
    [
        (SuccessRule(), answer(503), ""),
        (SuccessRule(body_pattern="ok"), answer(200, b"no"), "but the body does not match 'ok'"),
        (SuccessRule(), Outcome(OutcomeKind.REFUSED, NOW), "connection refused"),
        (SuccessRule(), answer(500, message="HTTP 500: overloaded"), "overloaded"),
        (SuccessRule(), answer(200), ""),
    ],
)
def test_beside_the_status_an_error_says_only_the_rest(rule: SuccessRule, outcome: Outcome, beyond: str) -> None:
    assert beyond_status(why_failed(rule, outcome), outcome.status) == beyond


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("$", ()),
        ("a", ("a",)),
        ("$.items[0].state", ("items", 0, "state")),
        ("$[2][3]", (2, 3)),
        ("a.b[10].c", ("a", "b", 10, "c")),
    ],
)
def test_a_json_path_is_read(path: str, steps: tuple[str | int, ...]) -> None:
    assert path_steps(path) == steps


@pytest.mark.parametrize("path", ["a..b", "a.", "a[", "a[x]", "a[-1]", "a[0]b", "a]", f"a[{'9' * 10}]"])
def test_another_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        path_steps(path)


# ---------------------------------------------------------------------------------------------------- retries


@pytest.mark.parametrize(
    ("status", "again"),
    [
        *((status, True) for status in (408, 425, 429, 500, 503, 599)),
        *((status, False) for status in (302, 400, 401, 404, 410)),
    ],
)
def test_statuses_are_asked_again_when_they_speak_of_the_moment(status: int, again: bool) -> None:
    assert settled(answer(status)).state is (State.RETRYING if again else State.FAILED)


def test_the_job_may_name_the_statuses_to_be_asked_again() -> None:
    spec = replace(SPEC, retry=replace(SPEC.retry, statuses=frozenset({404})))
    assert settled(answer(404), spec).state is State.RETRYING
    assert settled(answer(500), spec).state is State.FAILED


def test_a_right_status_with_the_wrong_content_is_asked_again() -> None:
    spec = replace(SPEC, success=SuccessRule(body_pattern="done"))
    assert settled(answer(200, b"busy"), spec).state is State.RETRYING


@pytest.mark.parametrize("kind", UNANSWERED)
def test_what_never_became_an_answer_is_tried_again_unless_that_is_pointless(kind: OutcomeKind) -> None:
    after = settled(Outcome(kind, NOW, T))
    assert after.state is (State.FAILED if kind in NEVER_AGAIN else State.RETRYING)
    assert after.error == kind.value


@pytest.mark.parametrize(("attempt", "again"), [(1, True), (2, True), (3, False), (4, False)])
def test_the_last_attempt_is_the_last(attempt: int, again: bool) -> None:
    after = settled(answer(500), attempt=attempt)
    assert after.state is (State.RETRYING if again else State.FAILED)
    assert (after.next_attempt_at is not None) is again


@pytest.mark.parametrize(("attempt", "draw", "wait"), [(1, 0.0, 0), (1, 0.5, 5), (2, 0.5, 10)])
def test_the_wait_is_drawn_from_the_backoff(attempt: int, draw: float, wait: int) -> None:
    after = settled(answer(500), attempt=attempt, draw=draw)
    assert (after.next_attempt_at, after.waits_for) == (NOW + wait * SECOND, "backoff")


@pytest.mark.parametrize(
    ("asked", "wait", "waits_for"),
    [
        (0, 5 * SECOND, "backoff"),
        (5 * SECOND, 5 * SECOND, "backoff"),
        (20 * SECOND, 20 * SECOND, "Retry-After"),
        (10**15, LONGEST_RETRY_AFTER, "Retry-After"),
    ],
)
def test_a_target_may_ask_for_more_patience_than_the_backoff(asked: int, wait: int, waits_for: str) -> None:
    after = settled(answer(503, retry_after=asked))
    assert (after.next_attempt_at, after.waits_for) == (NOW + wait, waits_for)


@pytest.mark.parametrize(
    ("first_started_at", "started_at", "total", "again"),
    [
        (None, T, 8 * SECOND, True),  # now + 5 s of backoff is 8 s after the first
        (None, T, 8 * SECOND - 1, False),
        (T - 60 * SECOND, T, 60 * SECOND, False),
        (T - 60 * SECOND, T, 68 * SECOND, True),
        (None, None, 1, True),  # nothing was sent yet, so no time counts
    ],
)
def test_the_time_for_all_attempts_counts_from_the_first(
    first_started_at: int | None, started_at: int | None, total: int, again: bool
) -> None:
    spec = replace(SPEC, retry=replace(SPEC.retry, total=total))
    outcome = Outcome(OutcomeKind.RESET, NOW, started_at)
    after = settle(claim(first_started_at=first_started_at), spec, outcome, NOW, 0.5)
    assert after.state is (State.RETRYING if again else State.FAILED)


@pytest.mark.parametrize("kind", UNANSWERED)
@pytest.mark.parametrize("sent", [True, False])
def test_at_most_once_work_is_tried_again_only_when_no_byte_left(kind: OutcomeKind, sent: bool) -> None:
    after = settled(Outcome(kind, NOW, sent=sent), ONCE)
    assert after.state is (State.FAILED if sent or kind in NEVER_AGAIN else State.RETRYING)


def test_an_answer_to_at_most_once_work_is_the_end_of_it() -> None:
    assert settled(answer(503), ONCE).state is State.FAILED


@pytest.mark.parametrize(("asked", "status", "pauses"), [(True, 410, True), (False, 410, False), (True, 404, False)])
def test_a_target_that_is_gone_pauses_the_job_that_asks_for_it(asked: bool, status: int, pauses: bool) -> None:
    spec = replace(SPEC, pause_on_gone=asked, retry=replace(SPEC.retry, statuses=frozenset({404})))
    after = settled(answer(status), spec)
    assert after.pause_job is pauses
    if pauses:
        assert (after.state, after.error) == (State.FAILED, "HTTP 410; the job is paused")


def test_gone_may_be_what_the_job_hopes_for() -> None:
    spec = replace(SPEC, pause_on_gone=True, success=SuccessRule(((410, 410),)))
    assert settled(answer(410), spec) is SUCCEEDED


@pytest.mark.parametrize("spec", [SPEC, ONCE])
def test_what_was_broken_off_is_cancelled_and_never_tried_again(spec: JobSpec) -> None:
    assert settled(Outcome(OutcomeKind.ABORTED, NOW, T, message="why"), spec) == Settlement(State.CANCELLED, "why")


@given(
    st.sampled_from(OutcomeKind),
    st.integers(100, 599),
    st.integers(1, 5),
    st.floats(0, 1, exclude_max=True),
    st.booleans(),
    st.sampled_from((SPEC, ONCE)),
    st.none() | st.integers(0, 10**12),
)
def test_every_settlement_is_a_legal_step_and_only_a_retry_has_a_next_time(
    kind: OutcomeKind, status: int, attempt: int, draw: float, sent: bool, spec: JobSpec, retry_after: int | None
) -> None:
    outcome = Outcome(
        kind, NOW, T if sent else None, status if kind is OutcomeKind.RESPONSE else None,
        sent=sent, retry_after=retry_after,
    )  # fmt: skip
    after = settle(claim(attempt), spec, outcome, NOW, draw)
    steps: dict[State, Any] = {
        State.SUCCEEDED: Execution.succeed,
        State.FAILED: Execution.fail,
        State.RETRYING: Execution.retry,
        State.CANCELLED: Execution.cancel,
    }
    assert steps[after.state](claim(attempt)).state is after.state
    assert (after.next_attempt_at is not None) == (after.state is State.RETRYING)
    assert after.next_attempt_at is None or NOW <= after.next_attempt_at <= NOW + LONGEST_RETRY_AFTER
    assert not (after.state is State.RETRYING and spec is ONCE and sent)
