"""Whether an execution that waits may go now: its job may have changed meanwhile, or be busy.

Most may, at no cost. The others are what an edit added, what a rescue gave back, and what belongs to jobs that do not
allow overlap.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from sqlalchemy import Connection

from tui_scheduler.domain.decisions import recheck
from tui_scheduler.domain.execution import SkipReason, State, Trigger
from tui_scheduler.domain.job import Overlap
from tui_scheduler.store.catalog import Entry
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.handover import LOCK_TIMER, WAITER, free_job
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.rows import execution_of

# Primary keys (why `state || ''`: see `tables.WAITING`).
RUNNING_STATE = "SELECT state, trigger FROM execution WHERE id = ?"
ASK_TO_CANCEL = "UPDATE execution SET cancel_requested = TRUE WHERE id = ? AND state || '' IN ('claimed', 'running')"
CANCEL_WAITING = """
UPDATE execution SET state = 'cancelled', finished_at = ?, next_attempt_at = NULL, error = ?
WHERE id = ? AND state || '' IN ('pending', 'retrying')
"""
SKIP_WAITING = """
UPDATE execution SET state = 'skipped', finished_at = ?, skip_reason = ?, skip_from = scheduled_for,
  skip_to = scheduled_for, skip_count = 1, next_attempt_at = NULL
WHERE id = ? AND state || '' = 'pending'
"""
WAIT_ON = "UPDATE execution SET next_attempt_at = NULL WHERE id = ? AND state || '' IN ('pending', 'retrying')"

_BY_HAND = frozenset({Trigger.MANUAL.value, Trigger.REPLAY.value})
_UNDER_WAY = frozenset({State.CLAIMED, State.RUNNING})


class Verdict(Enum):
    """`GO_AND_HOLD`: it goes, and keeps its job busy from now on. `NO`: dealt with; there is nothing to claim."""

    GO = "go"
    GO_AND_HOLD = "go and hold"
    NO = "no"


def admit(connection: Connection, dialect: Dialect, entry: Entry, row: Any, now: int) -> Verdict:
    """Decide about a locked row of `claims.DUE_WAITING`, and write down what is not to go.

    Where its job is touched too, the timer must be free: a claim holds executions by then, and everybody else locks
    timers first, so waiting for one could be for ever. The row is left as it is then, for the next claim.
    """
    if row.planned_version != entry.job.version:
        verdict = recheck(execution_of(row).claim(), entry.job, entry.timetable)
        if verdict.state is not State.CLAIMED:
            _end(connection, dialect, row, now, verdict.skip_reason)
            return Verdict.NO
    if entry.job.spec.overlap is Overlap.ALLOW or row.trigger in _BY_HAND:
        return Verdict.GO
    if row.trigger == Trigger.BACKFILL:
        return _take_turn(connection, dialect, row)
    if row.running_execution_id == row.id:
        return Verdict.GO
    return _contend(connection, dialect, entry, row, now)


def skip_closed(connection: Connection, dialect: Dialect, row: Any, now: int) -> None:
    """Record that an occurrence nobody has tried lies in a maintenance window."""
    _end(connection, dialect, row, now, SkipReason.WINDOW)


def is_busy(connection: Connection, running: int | None) -> bool:
    """Whether the execution a timer names keeps its job busy."""
    return busy_with(connection, running) is not None


def busy_with(connection: Connection, running: int | None) -> Trigger | None:
    """What made the execution a timer names, while it keeps its job busy: until it has ended. A backfill does so only
    while a node has it: what is due now waits neither for its turn nor for its retries.
    """
    found = rows(connection, RUNNING_STATE, running) if running is not None else []
    if not found:
        return None
    state, trigger = State(found[0].state), Trigger(found[0].trigger)
    is_under_way = state in _UNDER_WAY if trigger is Trigger.BACKFILL else not state.is_final
    return trigger if is_under_way else None


def _end(connection: Connection, dialect: Dialect, row: Any, now: int, reason: SkipReason | None) -> None:
    timers = rows(connection, LOCK_TIMER + dialect.lock_rows, row.job_id)
    if not timers:
        return
    if reason is None or not run(connection, SKIP_WAITING, now, reason.value, row.id):
        run(connection, CANCEL_WAITING, now, "the job was deleted or changed", row.id)
    if timers[0].running_execution_id == row.id:
        free_job(connection, row.job_id, now)


def _take_turn(connection: Connection, dialect: Dialect, row: Any) -> Verdict:
    """A backfill goes when nothing else of its job is under way; otherwise it waits for that end (see `free_job`)."""
    timers = rows(connection, LOCK_TIMER + dialect.lock_rows, row.job_id)
    if not timers:
        return Verdict.NO
    running = timers[0].running_execution_id
    if running == row.id or not is_busy(connection, running):
        return Verdict.GO_AND_HOLD
    run(connection, WAIT_ON, row.id)
    return Verdict.NO


def _contend(connection: Connection, dialect: Dialect, entry: Entry, row: Any, now: int) -> Verdict:
    """An edit added this occurrence to a job that may be busy: the overlap policy decides, as in planning."""
    timers = rows(connection, LOCK_TIMER + dialect.lock_rows, row.job_id)
    if not timers:
        return Verdict.NO
    running = timers[0].running_execution_id
    busy = busy_with(connection, running)
    if busy is None:
        return Verdict.GO_AND_HOLD
    has_waiter = bool(rows(connection, WAITER, row.job_id))
    is_backfill = busy is Trigger.BACKFILL
    if has_waiter or (entry.job.spec.overlap is Overlap.SKIP and not is_backfill):
        run(connection, SKIP_WAITING, now, SkipReason.OVERLAP.value, row.id)
        return Verdict.NO
    run(connection, WAIT_ON, row.id)
    if entry.job.spec.overlap is Overlap.CANCEL and not is_backfill:
        run(connection, ASK_TO_CANCEL, running)
        if run(connection, CANCEL_WAITING, now, "cancelled: a newer occurrence is due", running):
            free_job(connection, row.job_id, now)
    return Verdict.NO
