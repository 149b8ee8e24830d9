"""What a maintenance window may be. Every refusal is an `Invalid` that names the field as in the JSON."""

from __future__ import annotations

from typing import Final

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.queues import check_queue_name
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.schedule import check_can_fire, parse_schedule
from tui_scheduler.domain.validation import DAY, MAX_NAME, MAX_NUMBER, check_text, within
from tui_scheduler.domain.windows import Once, Recurring, WindowSpec

LONGEST: Final = 7 * DAY
_SCHEDULE_EXAMPLE: Final = "0 0 2 * * SUN"
_INSTANT_EXAMPLE: Final = "2026-12-01T09:00:00Z"


def check_window(spec: WindowSpec, *, now: int, created_at: int) -> None:
    """Raise `Invalid` for a window that cannot be, or that would never begin."""
    check_text("name", spec.name, MAX_NAME)
    if spec.queue is not None:
        check_queue_name(spec.queue)
    is_once = spec.starts_at is not None or spec.ends_at is not None
    is_recurring = spec.schedule is not None or spec.duration is not None
    if is_once == is_recurring:
        reason = "a window has startsAt and endsAt, or a schedule and durationMs"
        raise Invalid("schedule" if is_recurring else "startsAt", reason, example=_INSTANT_EXAMPLE)
    if is_once:
        _check_once(spec, now)
    else:
        _check_recurring(spec, now, created_at)


def times_of(spec: WindowSpec, *, since: int, created_at: int) -> Once | Recurring:
    """When a checked window is open, from `since` on; one that recurs, until its `ends_at` if it was changed then."""
    if spec.schedule is None or spec.duration is None:
        return Once(max(spec.starts_at or 0, since), spec.ends_at or 0)
    return Recurring(
        parse_schedule(spec.schedule, spec.timezone, created_at=created_at), spec.duration, since, spec.ends_at
    )


def _check_once(spec: WindowSpec, now: int) -> None:
    if spec.starts_at is None or spec.ends_at is None:
        missing = "startsAt" if spec.starts_at is None else "endsAt"
        raise Invalid(missing, "is required, as the other one is given", example=_INSTANT_EXAMPLE)
    within("startsAt", spec.starts_at, -MAX_NUMBER, MAX_NUMBER, "what can be stored")
    within("endsAt", spec.ends_at, -MAX_NUMBER, MAX_NUMBER, "what can be stored")
    if spec.ends_at <= spec.starts_at:
        raise Invalid("endsAt", "must be later than startsAt")
    if spec.ends_at <= now and spec.enabled:
        raise Invalid("endsAt", "has passed, so the window would hold nothing")


def _check_recurring(spec: WindowSpec, now: int, created_at: int) -> None:
    if spec.schedule is None:
        raise Invalid("schedule", "is required, as durationMs is given", example=_SCHEDULE_EXAMPLE)
    if spec.duration is None:
        raise Invalid("durationMs", "is required, as a schedule is given", example="3600000")
    within("durationMs", spec.duration, SECOND, LONGEST, "a second to 7 days")
    schedule = parse_schedule(spec.schedule, spec.timezone, created_at=created_at)
    check_can_fire(schedule, now)
    gap = schedule.shortest_gap()
    if gap is not None and spec.duration >= gap:
        reason = (
            f"must be shorter than the shortest time between two beginnings, {gap / SECOND:g} s: it would never end"
        )
        raise Invalid("durationMs", reason)
