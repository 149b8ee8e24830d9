"""What an edit, a pause or a deletion means for the occurrences of a job, decided from values alone.

`recheck` in `decisions` answers the same question for executions that a node holds; this is about the rest: those not
planned yet, and those planned but taken by nobody. Instants are µs since the epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tui_scheduler.domain.decisions import Occurrence, Stretch, Timetable, next_occurrence
from tui_scheduler.domain.execution import SkipReason
from tui_scheduler.domain.job import Job, JobState
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.schedule import parse_schedule

LONGEST_LOOK_AHEAD = 5 * SECOND
"""Engines plan 2 s ahead by default, 4 s at most. A job planned further than this was planned before the clock was set
back."""

RECENT = 60 * SECOND
"""How long an occurrence that was due before the edit, and that both schedules have, is still run."""


@dataclass(frozen=True, slots=True)
class Timer:
    """Where the planning of a job stands: through which nominal instant, and when the next one fires (None: never)."""

    planned_through: int
    next_fire_at: int | None


@dataclass(frozen=True, slots=True)
class Planned:
    """An execution that the schedule made, not due yet, never tried, taken by no node."""

    key: int
    scheduled_for: int
    fire_at: int


@dataclass(slots=True)
class Revision:
    """What is to be written. `skips` are stretches that were never planned, `add` occurrences to be planned now,
    `drop` executions to be skipped for `reason`, `move` the new `fire_at` of others by key.
    """

    state: JobState
    reason: SkipReason
    timer: Timer
    skips: list[Stretch] = field(default_factory=list)
    add: list[Occurrence] = field(default_factory=list)
    drop: list[Planned] = field(default_factory=list)
    move: dict[int, int] = field(default_factory=dict)


def timetable_of(job: Job) -> Timetable:
    """The parsed schedule of a job, from a cache; raises `Invalid` when it cannot be read."""
    return parse_schedule(job.spec.schedule, job.spec.timezone, created_at=job.created_at)


def first_timer(job: Job, now: int) -> Timer:
    """The timer of a job that begins now: its first occurrence is the first one after now."""
    return _timer(job, timetable_of(job), now)


def fires_differently(old: Job, new: Job) -> bool:
    """Whether an edit changes when a job fires, and not only what it does then."""
    return _timing(old) != _timing(new)


def stop(job: Job, timer: Timer, planned: Sequence[Planned], at: int, state: JobState) -> Revision:
    """A pause or a deletion: from `at` on nothing more is run, and what was owed or planned is skipped."""
    reason = SkipReason.PAUSED if state is JobState.PAUSED else SkipReason.DELETED
    revision = Revision(state, reason, Timer(max(timer.planned_through, at), None), drop=list(planned))
    if timer.next_fire_at is not None:
        revision.skips += _stretch(job, timetable_of(job), timer.planned_through, at, reason)
    return revision


def start(job: Job, timer: Timer, at: int) -> Revision:
    """A resume or a restoration: the job goes on with its first occurrence after `at`."""
    timetable = timetable_of(job)
    following = _timer(job, timetable, max(timer.planned_through, at))
    revision = Revision(_state_with(following), SkipReason.EDITED, following)
    revision.add += _already_passed(job, timetable, timer.planned_through, at)
    return revision


def reschedule(old: Job, new: Job, timer: Timer, planned: Sequence[Planned], at: int) -> Revision:
    """An edit of when an active or finished job fires; the new schedule holds after `at`.

    Up to `at` the old one held. What it owed there and had not planned is run if it is recent and the new schedule
    has that instant too (a changed jitter or end keeps it), and recorded as skipped otherwise. What the new one has
    between `at` and the end of the engines' look-ahead would be missed, as nothing is planned twice: it is added.
    """
    after = timetable_of(new)
    following = _timer(new, after, max(timer.planned_through, at))
    revision = Revision(_state_with(following), SkipReason.EDITED, following)
    if timer.next_fire_at is not None:
        _settle_debt(revision, old, new, timer.planned_through, at)
    revision.add += _already_passed(new, after, timer.planned_through, at)
    for execution in planned:
        if not _has(new, after, execution.scheduled_for):
            revision.drop.append(execution)
        elif execution.scheduled_for + new.offset != execution.fire_at:
            revision.move[execution.key] = execution.scheduled_for + new.offset
    return revision


def _settle_debt(revision: Revision, old: Job, new: Job, planned_through: int, at: int) -> None:
    before, after = timetable_of(old), timetable_of(new)
    recent_from = max(at - max(RECENT, old.offset), planned_through)
    revision.skips += _stretch(old, before, planned_through, recent_from, SkipReason.EDITED)
    for instant in _occurrences(old, before, recent_from, at):
        if _has(new, after, instant):
            revision.add.append(Occurrence(instant, instant + new.offset))
        else:
            revision.skips.append(Stretch(SkipReason.EDITED, instant, instant, 1))


def _already_passed(job: Job, timetable: Timetable, planned_through: int, at: int) -> Iterator[Occurrence]:
    """The occurrences after `at` that planning would not come back to."""
    if planned_through - at > LONGEST_LOOK_AHEAD:
        return
    for instant in _occurrences(job, timetable, at, planned_through):
        yield Occurrence(instant, instant + job.offset)


def _stretch(job: Job, timetable: Timetable, after: int, through: int, reason: SkipReason) -> Iterator[Stretch]:
    """The occurrences in (after, through], as one stretch if there are any."""
    if job.spec.ends_at is not None:
        through = min(through, job.spec.ends_at)
    first = next_occurrence(timetable, job.spec, after)
    if first is None or first > through:
        return
    last = timetable.last_between(first - 1, through)
    yield Stretch(reason, first, first if last is None else last, timetable.count_between(first - 1, through))


def _occurrences(job: Job, timetable: Timetable, after: int, through: int) -> Iterator[int]:
    instant = next_occurrence(timetable, job.spec, after)
    while instant is not None and instant <= through:
        yield instant
        instant = next_occurrence(timetable, job.spec, instant)


def _has(job: Job, timetable: Timetable, instant: int) -> bool:
    return next_occurrence(timetable, job.spec, instant - 1) == instant


def _timer(job: Job, timetable: Timetable, planned_through: int) -> Timer:
    following = next_occurrence(timetable, job.spec, planned_through)
    return Timer(planned_through, None if following is None else following + job.offset)


def _state_with(timer: Timer) -> JobState:
    return JobState.FINISHED if timer.next_fire_at is None else JobState.ACTIVE


def _timing(job: Job) -> tuple[object, ...]:
    spec = job.spec
    return spec.schedule, spec.timezone, spec.jitter, spec.starts_at, spec.ends_at
