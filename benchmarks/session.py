"""One session of measuring: runs, one after the other, and what came of each. What fails leaves the others alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from benchmarks import plan, report
from benchmarks.measure import Result, measure
from benchmarks.processes import DidNotLast, DidNotStart
from benchmarks.scenarios import CARRIED, TWICE, Scenario, doubled
from benchmarks.subjects import Terms
from tui_scheduler.domain.errors import StoreUnavailable

LEAST = 1_000
"""Firings a second below which a scenario says nothing of how many there could be."""
AT_ONCE = 4
"""Scenarios side by side where speed does not matter."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What could not be measured, and why."""

    scenario: str
    subject: str
    reason: str

    def __str__(self) -> str:
        return f"{self.scenario}, {self.subject}: not measured: {self.reason}"


@dataclass(slots=True)
class Session:
    results: list[Result] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Whether whatever promises to lose nothing was measured, and kept that."""
        missing = {trouble.subject for trouble in self.troubles} & report.PROMISING
        return not missing and all(each.sound for each in self.results if each.subject in report.PROMISING)

    def add(self, found: Result | Trouble) -> None:
        if isinstance(found, Trouble):
            self.troubles.append(found)
        else:
            self.results.append(found)


def attempt(name: str, scenario: Scenario, terms: Terms) -> Result | Trouble:
    try:
        return measure(name, plan.CONTESTANTS[name], scenario, terms)
    except (DidNotStart, DidNotLast, StoreUnavailable) as reason:
        return Trouble(scenario.name, name, str(reason))


def in_turn(runs: Iterable[plan.Run], rounds: int, keep: Callable[[Session], None]) -> Session:
    """Scenario by scenario, in every round all contestants one right after the other: A B A B. `keep` is called after
    each, so that little is lost with a session that is broken off."""
    session = Session()
    for run in runs:
        scenario = doubled(carried(session.results)) if run.scenario == TWICE else run.scenario
        for _ in range(rounds):
            for name in run.who:
                began = time.monotonic()
                found = attempt(name, scenario, run.terms)
                session.add(found)
                keep(session)
                said = found if isinstance(found, Trouble) else f"{scenario.name}, {name}: {report.span(found)}"
                print(f"{said}, {time.monotonic() - began:.0f} s in all", flush=True)
    return session


def side_by_side(runs: Iterable[plan.Run]) -> Session:
    """Several at once: that it works is to be seen, not how fast."""
    session = Session()
    single = [(name, run) for run in runs for name in run.who]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(lambda each: attempt(each[0], each[1].scenario, each[1].terms), single):
            session.add(found)
    return session


def carried(results: Sequence[Result]) -> float:
    """The most firings a second that the program was seen to do, alone on its core."""
    ours = [each for each in results if each.subject == report.PROGRAM and not each.scenario.course.shares_cores]
    return max((each.fired for each in ours if each.fired > LEAST), default=CARRIED)
