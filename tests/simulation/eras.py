"""The plan of a job, worked out from the orders alone: which schedule held when, and what it asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.simulation.clocks import SECOND
from tests.simulation.history import History
from tui_scheduler.domain.job import JobState, JobType, Overlap
from tui_scheduler.domain.schedule import Schedule, parse_schedule
from tui_scheduler.engine.world import Options

AHEAD = Options().look_ahead + SECOND // 2
"""µs that may be planned ahead of the furthest the wall clock has ever been, skew included."""
BOUND = 0.6
"""Seconds after an edit from which nobody can say it did not know: 250 ms and the skew of two clocks, and some more."""


@dataclass(frozen=True, slots=True)
class Era:
    """A stretch of time (after, through] in which a job was active with one schedule; µs, wall clock.

    Where the clock was set back, it ends with the earliest of the deeds that follow: what was not planned until then
    may be theirs. And what lies in (after, planned] may have been planned before, by another schedule: it need not run.
    """

    after: int
    through: int
    planned: int
    schedule: Schedule

    def occurrences(self) -> Iterator[int]:
        """Those that must have their place."""
        instant = self.schedule.next_after(max(self.after, self.planned))
        while instant is not None and instant <= self.through:
            yield instant
            instant = self.schedule.next_after(instant)

    def has(self, instant: int, beyond: int = 0) -> bool:
        """Whether this is an occurrence, in the era or up to `beyond` µs after it."""
        return self.after < instant <= self.through + beyond and self.is_on(instant)

    def is_on(self, instant: int) -> bool:
        """Whether the schedule has this instant, at whatever time."""
        return self.schedule.next_after(instant - 1) == instant


def eras_of(history: History, key: int) -> list[Era]:
    """The eras of one job, in their order."""
    deeds = [deed for deed in history.deeds if deed.job.key == key]
    ends = [min([after.at for after in deeds[number:]] + [history.ended_at]) for number in range(1, len(deeds) + 1)]
    eras = []
    for deed, end in zip(deeds, ends, strict=True):
        if deed.job.state is JobState.ACTIVE:
            spec = deed.job.spec
            schedule = parse_schedule(spec.schedule, spec.timezone, created_at=deed.job.created_at)
            is_first = deed.what == "create"
            planned = deed.latest + AHEAD if deed.latest > deed.at and not is_first else deed.at
            eras.append(Era(deed.at, end, planned, schedule))
    return eras


@dataclass(frozen=True, slots=True)
class Phase:
    """What a job was from one deed to the next, in virtual seconds since the start."""

    begins: float
    ends: float
    type: JobType
    overlap: Overlap
    state: JobState


def phases_of(history: History, key: int) -> list[Phase]:
    """All of them, without gaps, to the end of time."""
    deeds = [deed for deed in history.deeds if deed.job.key == key]
    bounds = pairwise([deed.moment for deed in deeds] + [float("inf")])
    return [
        Phase(begins, ends, deed.job.spec.type, deed.job.spec.overlap, deed.job.state)
        for deed, (begins, ends) in zip(deeds, bounds, strict=True)
    ]


def within(phases: list[Phase], begins: float, ends: float) -> list[Phase]:
    """The phases that have a part in that time."""
    return [phase for phase in phases if phase.begins <= ends and phase.ends > begins]
