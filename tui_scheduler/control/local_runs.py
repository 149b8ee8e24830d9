"""The part of `LocalControl` that is about executions: the live log, cancel, replay, and a test request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final

from tui_scheduler.control.views import ExecutionView, LogCursor, LogPage, LogQuery, LogRow, Trial
from tui_scheduler.domain.decisions import why_failed
from tui_scheduler.domain.errors import Conflict
from tui_scheduler.domain.execution import Outcome, State, Trigger
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.domain.validation import check_sending
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import ExecutionRecord, History
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.runs import RunStore
from tui_scheduler.store.tail import LogEntry, Tail, Wanted

EXCERPT: Final = 16_384
"""Bytes of an answer that a trial shows."""

TryRequest = Callable[[JobSpec, Future[None] | None], Outcome]
"""Sends the request of a job once and waits; raises `Conflict` when it cannot, or the future is done before."""


class LocalRuns:
    """See `Control` for what each method promises."""

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], int],
        wake: Callable[[], None],
        try_request: TryRequest | None = None,
    ) -> None:
        self._jobs = JobStore(database)
        self._runs = RunStore(database)
        self._tail = Tail(database)
        self._history = History(database)
        self._now = now
        self._wake = wake
        self._try_request = try_request

    def log(self, query: LogQuery, cursor: LogCursor | None = None, *, again: Sequence[int] = ()) -> LogPage:
        """See `Control`."""
        job_key = None if query.job_id is None else self._jobs.get(query.job_id).key
        wanted = Wanted(job_key, query.states, query.since, max(query.limit, 1))
        page = self._tail.read(wanted, self._now(), cursor.marks if cursor is not None else (), again)
        shown = tuple(_log_row(entry) for entry in page.entries)
        return LogPage(shown, page.left_out, LogCursor(page.marks), page.has_more, page.has_older)

    def cancel(self, execution_id: str) -> ExecutionView:
        """See `Control`."""
        return self._changed(self._runs.cancel(execution_id, self._now()))

    def replay(self, execution_id: str) -> ExecutionView:
        """See `Control`."""
        return self._changed(self._runs.replay(execution_id, self._now()))

    def test_request(self, spec: JobSpec, *, unwanted: Future[None] | None = None) -> Trial:
        """See `Control`."""
        if self._try_request is None:
            raise Conflict("no engine runs in this process, so it cannot send a test request")
        check_sending(spec)
        return _trial(self._try_request(spec, unwanted), spec)

    def _changed(self, record: ExecutionRecord) -> ExecutionView:
        self._wake()
        return execution_view(record, self._history.id_of(record))


def execution_view(record: ExecutionRecord, public_id: str) -> ExecutionView:
    """A row of the history, ready to show."""
    return ExecutionView(
        id=public_id,
        job_id=record.job_id,
        job_version=record.job_version,
        scheduled_for=record.scheduled_for,
        fire_at=record.fire_at,
        trigger=Trigger(record.trigger),
        state=State(record.state),
        attempt=record.attempt,
        started_at=record.started_at,
        finished_at=record.finished_at,
        duration=record.duration,
        http_status=record.http_status,
        error=record.error,
        response_excerpt=record.response_excerpt,
        next_attempt_at=record.next_attempt_at,
        node=record.node,
        rescues=record.rescues,
        skip_reason=record.skip_reason,
        skip_from=record.skip_from,
        skip_to=record.skip_to,
        skip_count=record.skip_count,
    )


_STATES: Final = {state.value: state for state in State}
_TRIGGERS: Final = {trigger.value: trigger for trigger in Trigger}
"""Looked up, because calling an enumeration takes longer and a page has five hundred lines."""


def _log_row(entry: LogEntry) -> LogRow:
    return LogRow(
        key=entry.key,
        id=entry.id,
        claim_no=entry.claim_no,
        job_id=entry.job_id,
        job_name=entry.job_name,
        state=_STATES[entry.state],
        trigger=_TRIGGERS[entry.trigger],
        fire_at=entry.fire_at,
        attempt=entry.attempt,
        started_at=entry.started_at,
        finished_at=entry.finished_at,
        duration=entry.duration,
        http_status=entry.http_status,
        error=entry.error,
        next_attempt_at=entry.next_attempt_at,
        skip_reason=entry.skip_reason,
        skip_count=entry.skip_count,
    )


def _trial(outcome: Outcome, spec: JobSpec) -> Trial:
    """Judged as the engine would judge it."""
    why = why_failed(spec.success, outcome)
    started_at = outcome.started_at
    return Trial(
        succeeded=why is None,
        reason=why if why is not None else f"HTTP {outcome.status}, which is a success",
        started_at=started_at,
        duration=None if started_at is None else max(outcome.finished_at - started_at, 0),
        http_status=outcome.status,
        headers=tuple((_readable(name), _readable(value)) for name, value in outcome.headers),
        excerpt=_readable(outcome.excerpt[:EXCERPT]),
    )


def _readable(data: bytes) -> str:
    return data.decode("utf-8", "replace")
