"""Running what the schedule of a job had, or would have had, in a stretch of the past. Instants are µs since 1970."""

from __future__ import annotations

from typing import Final

from tui_scheduler.domain.decisions import Timetable, next_occurrence
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import PRIORITIES, Job
from tui_scheduler.domain.revision import Timer, timetable_of

MOST: Final = 10_000
"""Occurrences of one backfill at the most."""

LOWEST: Final = PRIORITIES[-1]
"""The priority of a backfill for which no other is asked."""

_BEHIND: Final = 10

RANKS: Final = tuple(rank for priority in PRIORITIES for rank in (priority, _BEHIND + priority))
"""The ranks of executions, the first to go first: what is for the present has its priority, a backfill comes right
after everything of the same priority. A rank of its own keeps thousands of old occurrences out of every look at what is
due or late now.
"""


def rank_of(priority: int) -> int:
    """The rank of a backfill. Raises `Invalid` for a priority that jobs do not have."""
    if priority not in PRIORITIES:
        raise Invalid("priority", f"must be within {PRIORITIES[0]} (first) to {PRIORITIES[-1]} (last)")
    return _BEHIND + priority


def is_backfill(rank: int) -> bool:
    """Whether executions of this rank are backfills."""
    return rank > _BEHIND


def occurrences(job: Job, timer: Timer, first: int, last: int, now: int) -> list[int]:
    """The occurrences of `job` in [first, last], oldest first, by its schedule as it is now, with its start and end.

    What the schedule of an active job has not come to yet, at the very end, is left to it: it runs it by itself, or
    records why not. Raises `Invalid` for a stretch that is empty, reaches into the future or holds more than 10,000.
    """
    if last < first:
        raise Invalid("to", "must not be before from")
    if last > now:
        raise Invalid("to", "must not be in the future: a backfill is of the past")
    through = last if timer.next_fire_at is None else min(last, timer.planned_through)
    after, through = _within_its_life(job, first - 1, through)
    timetable = timetable_of(job)
    count = timetable.count_between(after, through)
    if count > MOST:
        raise Invalid("from", f"a backfill is of {MOST:,} occurrences at the most; there are {count:,} in this stretch")
    return _between(job, timetable, after, through)


def _within_its_life(job: Job, after: int, through: int) -> tuple[int, int]:
    if job.spec.starts_at is not None:
        after = max(after, job.spec.starts_at - 1)
    if job.spec.ends_at is not None:
        through = min(through, job.spec.ends_at)
    return after, through


def _between(job: Job, timetable: Timetable, after: int, through: int) -> list[int]:
    found: list[int] = []
    instant = next_occurrence(timetable, job.spec, after)
    while instant is not None and instant <= through:
        found.append(instant)
        instant = next_occurrence(timetable, job.spec, instant)
    return found
