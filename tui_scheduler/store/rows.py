"""Rows of `execution` that several writers make or read alike."""

from __future__ import annotations

from typing import Any, Final

from tui_scheduler.domain.decisions import Stretch
from tui_scheduler.domain.execution import Execution, State, Trigger
from tui_scheduler.domain.job import Job
from tui_scheduler.store.hot import Values

# Primary key; uq_execution_occurrence: an occurrence that somebody planned already stays as it is.
INSERT_SKIPPED: Final = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, priority, finished_at, skip_reason, skip_from, skip_to, skip_count, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, 'schedule', 'skipped', 0, 0, 0, ?, ?, ?, ?, ?, ?, FALSE)
ON CONFLICT (job_id, occurrence_key) DO NOTHING
"""


def skipped_row(key: int, job: Job, stretch: Stretch, now: int) -> Values:
    """One row a stretch; only a single occurrence takes the place in the plan that its key is."""
    at = stretch.last
    occurrence_key = at if stretch.count == 1 else None
    head = (key, job.key, job.version, at, at + job.offset, occurrence_key, job.spec.priority, now)
    return (*head, stretch.reason.value, stretch.first, stretch.last, stretch.count)


def execution_of(row: Any) -> Execution:
    """What decisions are made on, of a row that has these columns under their own names."""
    return Execution(
        key=row.id,
        job_key=row.job_id,
        scheduled_for=row.scheduled_for,
        fire_at=row.fire_at,
        trigger=Trigger(row.trigger),
        state=State(row.state),
        attempt=row.attempt,
        claim_no=row.claim_no,
        rescues=row.rescues,
        first_started_at=row.started_at,
    )
