"""What is offered: how many jobs, when in the second each fires, and what performance.md wants of it.

Instants and durations are µs; every job of every scenario fires once a second.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SECOND = 1_000_000
MILLISECOND = 1_000


class Shape(StrEnum):
    HERD = "herd"
    """All at the full second: cron has whole seconds, so this is what real load looks like."""
    SPREAD = "spread"
    """Evenly over the second, to the ms (`@every 1s` is anchored at the job's creation, to the ms)."""


SCHEDULES = {Shape.HERD: "* * * * * *", Shape.SPREAD: "@every 1s"}


class Planned(NamedTuple):
    """One occurrence: whose, and the instant it is scheduled for."""

    job_id: str
    at: int


class Window(NamedTuple):
    """The instants [start, end), both full seconds: occurrences scheduled in it are judged."""

    start: int
    end: int

    @property
    def seconds(self) -> float:
        return (self.end - self.start) / SECOND

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, int) and self.start <= instant < self.end


@dataclass(frozen=True, slots=True)
class Scenario:
    """`count` jobs of one shape; `name` is how it is asked for and shown."""

    name: str
    shape: Shape
    count: int

    @property
    def schedule(self) -> str:
        return SCHEDULES[self.shape]

    def phases(self) -> list[int]:
        """When in its second each job fires."""
        if self.shape is Shape.HERD:
            return [0] * self.count
        return [i * SECOND // self.count // MILLISECOND * MILLISECOND for i in range(self.count)]

    @property
    def reach(self) -> Reach | None:
        return REACH.get(self.name)


@dataclass(frozen=True, slots=True)
class Reach:
    """What performance.md wants. `history`: rows there must be for the figure to count; `in_time`: everything of a
    second is recorded before the next."""

    p99: int
    in_time: bool = False
    history: int = 0


REACH = {
    "light": Reach(2 * MILLISECOND),
    "herd:1000": Reach(25 * MILLISECOND),
    "herd:3000": Reach(75 * MILLISECOND),
    "herd:5000": Reach(130 * MILLISECOND, in_time=True),
    "herd:10000": Reach(250 * MILLISECOND, in_time=True),
    "spread:5000": Reach(20 * MILLISECOND, history=2_000_000),
}
UI_REACH = {
    "light": Reach(5 * MILLISECOND),
    "herd:1000": Reach(30 * MILLISECOND),
    "spread:2000": Reach(30 * MILLISECOND),
}
"""The same with the UI open in the same process."""
CPU_REACH_US = 200
"""Per firing, all in, with 2 million rows of history."""

LIGHT = Scenario("light", Shape.SPREAD, 100)
USUAL = ("light", "herd:1000", "herd:3000", "herd:5000", "spread:5000")
SMOKE = ("light", "herd:50", "spread:50")


def parse(text: str) -> Scenario:
    """`light`, `herd:3000` or `spread:5000`. Raises ValueError for anything else."""
    if text == LIGHT.name:
        return LIGHT
    shape, _, count = text.partition(":")
    if not count.replace("_", "").isdigit() or not 0 < int(count) <= 100_000:
        raise ValueError(f"{text!r}: a scenario is light, herd:N or spread:N")
    return Scenario(f"{Shape(shape)}:{int(count)}", Shape(shape), int(count))


def occurrences(phases: Sequence[tuple[str, int]], window: Window) -> Iterator[Planned]:
    """Everything that jobs firing once a second at these phases are to do in the window."""
    for second in range(window.start, window.end, SECOND):
        for job_id, phase in phases:
            yield Planned(job_id, second + phase)
