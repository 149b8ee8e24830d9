"""Lines of the log, for tests."""

from __future__ import annotations

from dataclasses import replace

from tests.tui.fake import NOW
from tui_scheduler.control.views import LogCursor, LogPage, LogRow
from tui_scheduler.domain.execution import State, Trigger

SENT = {State.SUCCEEDED, State.FAILED, State.RETRYING, State.RUNNING}


def log_row(key: int, state: State = State.SUCCEEDED, **known: object) -> LogRow:
    """An execution that was to fire now."""
    sent = state in SENT
    row = LogRow(
        key=key,
        id=f"execution-{key}",
        claim_no=1,
        job_id="job-1",
        job_name="nightly report",
        state=state,
        trigger=Trigger.SCHEDULE,
        fire_at=NOW,
        attempt=1,
        started_at=NOW + 900 if sent else None,
        finished_at=NOW + 13_200 if state.is_final else None,
        duration=12_300 if sent else None,
        http_status=200 if state is State.SUCCEEDED else None,
        error=None,
        next_attempt_at=None,
        skip_reason=None,
        skip_count=None,
    )
    return replace(row, **known)  # type: ignore[arg-type]


def log_page(*rows: LogRow, left_out: int = 0, has_more: bool = False, has_older: bool = False) -> LogPage:
    return LogPage(rows, left_out, LogCursor(), has_more, has_older)
