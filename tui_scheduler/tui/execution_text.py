"""An execution in full, as lines of text: what, when, each attempt, the responses. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Final

from tui_scheduler.control.views import AttemptView, ExecutionView, JobView
from tui_scheduler.domain.decisions import beyond_status
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.formatting import EXECUTION_LOOKS, SECOND, clock_time, count, drift, duration, full_time, inert
from tui_scheduler.tui.log_lines import Part
from tui_scheduler.tui.response_text import body_text, kept_note

_LABEL: Final = 15
_HEADLINE: Final = "line--accent"
_MUTED: Final = "line--muted"

Text = list[Part]
"""One line; it may have line breaks of its own."""

_NO_HEADERS: Final = "headers are kept of attempts that did not succeed at once"

_SKIPPED: Final = {
    "overlap": "the run before it had not ended",
    "too late": "it was older than the job's grace when its time was planned",
    "paused": "the job was paused",
    "deleted": "the job was deleted",
    "edited": "the job was changed",
}


def execution_lines(
    view: ExecutionView, attempts: Sequence[AttemptView], job: JobView | None, zone: tzinfo
) -> list[Text]:
    """All of it. `job` is None once it is deleted."""
    lines = [_summary(view), []]
    lines += [[Part(label.ljust(_LABEL), _MUTED), Part(text)] for label, text in _facts(view, job, zone)]
    if attempts:
        lines += [[], [Part("Attempts", _HEADLINE)], *(_attempt(attempt, view, zone) for attempt in attempts)]
    for number, shown in enumerate(sorted(attempts, key=lambda attempt: -attempt.attempt)):
        lines += [[], *_response_of(shown, view, is_last=number == 0)]
    if not attempts and view.state is not State.SKIPPED and view.state.is_final:
        note = kept_note(view.response_excerpt, (), succeeded=view.state is State.SUCCEEDED)
        lines += [[], *_response("Response", (), view.response_excerpt, note)]
        if view.state is State.SUCCEEDED:
            lines.append([Part(f"({_NO_HEADERS})", _MUTED)])
    return lines


def response_of(view: ExecutionView, attempts: Sequence[AttemptView]) -> str | None:
    """What was kept of the latest response, as it came."""
    if attempts:
        latest = max(attempts, key=lambda attempt: attempt.attempt)
        return latest.response_excerpt or view.response_excerpt
    return view.response_excerpt


def request_copied(now: int, ran: int) -> str:
    """What a copy of the job's request is, by the job's version now and the one that ran: the history keeps none."""
    if now == ran:
        return "the request as curl"
    return f"the request as curl, as the job is now, version {now}; this ran version {ran}"


def job_title(job: JobView | None) -> str:
    """What to call its job."""
    if job is None:
        return "a deleted job"
    return inert(job.job.spec.name or job.job.spec.request.url)


def both_times(instant: int, zone: tzinfo) -> str:
    """In the user's zone and in UTC, once where they are the same."""
    here = datetime.fromtimestamp(instant // SECOND, zone)
    there = here.astimezone(UTC)
    if here.replace(tzinfo=None) == there.replace(tzinfo=None):
        return full_time(instant, UTC)
    utc = f"{clock_time(instant, UTC)} UTC" if here.date() == there.date() else full_time(instant, UTC)
    return f"{full_time(instant, zone)} · {utc}"


def _summary(view: ExecutionView) -> Text:
    look = EXECUTION_LOOKS[view.state]
    said = [
        f"status {view.http_status}" if view.http_status is not None else "",
        inert(beyond_status(view.error, view.http_status)),
    ]
    return [Part(f"{look.glyph} {look.word}", look.style), *(Part(f" · {word}") for word in said if word)]


def _facts(view: ExecutionView, job: JobView | None, zone: tzinfo) -> Iterator[tuple[str, str]]:
    version = f"version {view.job_version}"
    if job is not None and job.job.version != view.job_version:
        version += f" (now {job.job.version})"
    yield "Job", f"{job_title(job)}, {version}"
    yield "Trigger", view.trigger.value
    if view.state is State.SKIPPED:
        yield from _skip_facts(view, zone)
        return
    yield "Scheduled for", both_times(view.scheduled_for, zone)
    if view.fire_at != view.scheduled_for:
        yield "To fire at", both_times(view.fire_at, zone)
    if view.started_at is not None:
        yield "Fired at", both_times(view.started_at, zone)
        yield "Drift", drift(view.drift)
    if view.finished_at is not None:
        yield ("Finished" if view.state.is_final else "Last answer"), both_times(view.finished_at, zone)
    if view.duration is not None:
        yield "Duration", duration(view.duration)
    if view.state is State.RETRYING and view.next_attempt_at is not None:
        yield "Next attempt", both_times(view.next_attempt_at, zone)
    yield "Attempt", str(view.attempt) if view.attempt else "none yet"
    if view.node is not None:
        yield "Node", inert(view.node)
    if view.rescues:
        yield "Rescues", f"{view.rescues}: taken over from nodes that died"


def _skip_facts(view: ExecutionView, zone: tzinfo) -> Iterator[tuple[str, str]]:
    reason = view.skip_reason or "unknown"
    yield "Skipped", f"{inert(reason)}: {_SKIPPED[reason]}" if reason in _SKIPPED else inert(reason)
    first, last = view.skip_from or view.scheduled_for, view.skip_to or view.scheduled_for
    if first == last:
        yield "Scheduled for", both_times(first, zone)
        return
    yield "From", both_times(first, zone)
    yield "To", both_times(last, zone)
    yield "Occurrences", count(view.skip_count or 1)


def _attempt(attempt: AttemptView, view: ExecutionView, zone: tzinfo) -> Text:
    look = EXECUTION_LOOKS[State.SUCCEEDED if _succeeded(attempt, view) else State.FAILED]
    at = attempt.started_at if attempt.started_at is not None else attempt.finished_at
    status = "" if attempt.http_status is None else f"status {attempt.http_status}"
    error = inert(beyond_status(attempt.error, attempt.http_status))
    words = [word for word in (status, error, "" if attempt.duration is None else duration(attempt.duration)) if word]
    line = [
        Part(f"#{attempt.attempt}".ljust(4)),
        Part(look.glyph, look.style),
        Part(f" {clock_time(at, zone)}  {' · '.join(words)}"),
    ]
    if attempt.waits is not None:
        why = f": {inert(attempt.waits_for)}" if attempt.waits_for else ""
        line.append(Part(f"\n      then a wait of {duration(attempt.waits)}{why}", _MUTED))
    return line


def _succeeded(attempt: AttemptView, view: ExecutionView) -> bool:
    return view.state is State.SUCCEEDED and attempt.attempt == view.attempt


def _response_of(attempt: AttemptView, view: ExecutionView, *, is_last: bool) -> list[Text]:
    excerpt = attempt.response_excerpt or (view.response_excerpt if is_last else None)
    if attempt.http_status is None and not excerpt and not attempt.response_headers:
        return [[Part(f"No response to attempt {attempt.attempt}", _HEADLINE)]]
    note = kept_note(excerpt, attempt.response_headers, succeeded=_succeeded(attempt, view))
    return _response(f"Response to attempt {attempt.attempt}", attempt.response_headers, excerpt, note)


def _response(headline: str, headers: tuple[tuple[str, str], ...], excerpt: str | None, note: str) -> list[Text]:
    lines: list[Text] = [[Part(headline, _HEADLINE)]]
    lines += [[Part(f"{inert(name)}: ", _MUTED), Part(inert(value))] for name, value in headers]
    if excerpt:
        lines += [[], [Part(body_text(excerpt))]] if headers else [[Part(body_text(excerpt))]]
    if note:
        lines.append([Part(f"({note})", _MUTED)])
    return lines
