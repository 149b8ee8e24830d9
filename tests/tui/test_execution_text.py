"""An execution in full, as lines of text."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, timedelta, timezone, tzinfo

import pytest

from tests.tui.fake import NOW, SECOND, FakeControl
from tui_scheduler.control.views import AttemptView, ExecutionView
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.tui.execution_text import both_times, execution_lines, job_title, response_of

TOKYO = timezone(timedelta(hours=9), "JST")
CONTROL = FakeControl()
JOB = CONTROL.add(JobSpec("0 * * * * *", Request("http://127.0.0.1:3001/"), name="nightly"))


def an_execution(state: State = State.SUCCEEDED, **known: object) -> ExecutionView:
    return CONTROL.happened(JOB, state, **known)  # type: ignore[arg-type]


def an_attempt(number: int, **known: object) -> AttemptView:
    attempt = AttemptView(
        attempt=number,
        started_at=NOW + number * SECOND,
        finished_at=NOW + number * SECOND + 12_300,
        duration=12_300,
        http_status=503,
        error="HTTP 503",
        response_headers=(("Content-Type", "text/plain"),),
        response_excerpt=f"busy {number}",
        waits=2 * SECOND,
        waits_for="Retry-After",
    )
    return replace(attempt, **known)  # type: ignore[arg-type]


def told(view: ExecutionView, *attempts: AttemptView, zone: tzinfo = UTC, deleted: bool = False) -> str:
    job = None if deleted else CONTROL.job(JOB.id)
    return "\n".join("".join(part.text for part in line) for line in execution_lines(view, attempts, job, zone))


def test_one_that_succeeded_first_time() -> None:
    assert told(an_execution()) == (
        "✓ succeeded · status 200\n"
        "\n"
        "Job            nightly, version 1\n"
        "Trigger        schedule\n"
        "Scheduled for  2026-11-23 16:00:00.000 UTC\n"
        "Fired at       2026-11-23 16:00:00.000 UTC\n"
        "Drift          +900 µs\n"
        "Finished       2026-11-23 16:00:00.013 UTC\n"
        "Duration       12.3 ms\n"
        "Attempt        1\n"
        "Node           4f1c6d6e-0000-4000-8000-000000000001\n"
        "\n"
        "Response\n"
        "ok\n"
        "(headers are kept of attempts that did not succeed at once)"
    )


def test_one_that_failed_after_a_retry() -> None:
    view = an_execution(State.FAILED, attempt=2, rescues=1, trigger=Trigger.MANUAL)
    last = an_attempt(
        2, http_status=None, error="connection refused", response_headers=(), response_excerpt=None, waits=None
    )
    text = told(view, an_attempt(1), last)
    assert "Trigger        manual" in text
    assert "Rescues        1: taken over from nodes that died" in text
    assert (
        "Attempts\n"
        "#1  × 16:00:01.000  status 503 · 12.3 ms\n"
        "      then a wait of 2.0 s: Retry-After\n"
        "#2  × 16:00:02.000  connection refused · 12.3 ms\n"
        "\n"
        "No response to attempt 2\n"
        "\n"
        "Response to attempt 1\n"
        "Content-Type: text/plain\n"
        "\n"
        "busy 1"
    ) in text


def test_the_last_attempt_of_one_that_succeeded_is_no_failure() -> None:
    text = told(an_execution(attempt=2), an_attempt(1), an_attempt(2, http_status=200, error=None, waits=None))
    assert "#1  × " in text
    assert "#2  ✓ 16:00:02.000  status 200 · 12.3 ms" in text


@pytest.mark.parametrize(
    ("view", "said"),
    [
        (an_execution(State.PENDING), ["○ pending", "Attempt        1"]),
        (an_execution(State.PENDING, attempt=0), ["Attempt        none yet"]),
        (an_execution(State.CLAIMED), ["◇ claimed"]),
        (an_execution(State.RUNNING), ["▶ running", "Fired at       2026"]),
        (an_execution(State.RETRYING), ["◐ retrying · status 503", "Next attempt   2026-11-23 16:00:05.000 UTC"]),
        (an_execution(State.CANCELLED), ["□ cancelled", "no body was kept"]),
        (an_execution(State.LOST, error="its node died"), ["! lost · its node died"]),
        (
            an_execution(State.SKIPPED),
            ["» skipped", "Skipped        overlap: the run before it had not ended", "Scheduled for"],
        ),
        (
            an_execution(State.SKIPPED, skip_reason="too late", skip_to=NOW + 60 * SECOND, skip_count=1_200),
            ["From           2026-11-23 16:00:00", "To             2026-11-23 16:01:00", "Occurrences    1,200"],
        ),
        (an_execution(fire_at=NOW + 5 * SECOND), ["To fire at     2026-11-23 16:00:05"]),
        (an_execution(job_version=3), ["nightly, version 3 (now 1)"]),
        (an_execution(response_excerpt='{"a":1}'), ['Response\n{\n  "a": 1\n}']),
        (an_execution(response_excerpt="x" * 1_024), ["(cut after 1,024 bytes, no more is kept)"]),
        (an_execution(response_excerpt="a\x1b[2Jb"), ["a␛[2Jb"]),
    ],
)
def test_what_is_told(view: ExecutionView, said: list[str]) -> None:
    text = told(view)
    for words in said:
        assert words in text


def test_what_is_under_way_says_nothing_of_a_response() -> None:
    assert "Response" not in told(an_execution(State.RUNNING))
    assert "Response" not in told(an_execution(State.SKIPPED))


def test_a_deleted_job_has_no_name() -> None:
    assert "Job            a deleted job, version 1" in told(an_execution(), deleted=True)
    assert job_title(None) == "a deleted job"


@pytest.mark.parametrize(
    ("instant", "zone", "shown"),
    [
        (NOW, UTC, "2026-11-23 16:00:00.000 UTC"),
        (NOW, timezone(timedelta(0), "GMT"), "2026-11-23 16:00:00.000 UTC"),
        (NOW, timezone(timedelta(hours=1), "CET"), "2026-11-23 17:00:00.000 CET · 16:00:00.000 UTC"),
        (NOW, TOKYO, "2026-11-24 01:00:00.000 JST · 2026-11-23 16:00:00.000 UTC"),
    ],
)
def test_times_are_local_and_utc(instant: int, zone: tzinfo, shown: str) -> None:
    assert both_times(instant, zone) == shown


def test_lines_of_facts_fit_a_narrow_terminal() -> None:
    text = told(an_execution(State.RETRYING), zone=TOKYO)
    assert max(len(line) for line in text.splitlines()) <= 76


@pytest.mark.parametrize(
    ("view", "attempts", "response"),
    [
        (an_execution(), [], "ok"),
        (an_execution(State.RUNNING), [], None),
        (an_execution(State.FAILED), [an_attempt(2), an_attempt(1)], "busy 2"),
        (an_execution(attempt=2), [an_attempt(2, response_excerpt=None)], "ok"),
    ],
)
def test_the_latest_response_is_the_one_to_copy(
    view: ExecutionView, attempts: list[AttemptView], response: str | None
) -> None:
    assert response_of(view, attempts) == response
