"""What is offered, by name: the shape of the load, its size, how it is gone through, what performance.md wants of it.

Instants and durations are µs. Which jobs a shape is made of is said in `offers`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

SECOND = 1_000_000
MILLISECOND = 1_000


class Shape(StrEnum):
    """The number behind a name counts jobs, or requests a second for `api`."""

    HERD = "herd"
    """All at the full second: cron has whole seconds, so this is what real load looks like."""
    SPREAD = "spread"
    """Evenly over the second, to the ms (`@every 1s` is anchored at the job's creation, to the ms)."""
    BACKLOG = "backlog"
    """A minute of `spread` that was missed while the program was down, beside 100 a second of the first priority."""
    IDLE = "idle"
    """Stored jobs that are not due for long, and ten a second that are."""
    SLOW = "slow"
    """Targets that take 1 to 30 s, that many requests under way at any time, beside `light`."""
    HANGING = "hanging"
    """Targets that never answer, that many requests under way at any time, beside `light`."""
    FAILING = "failing"
    """A quarter of the targets answers 500, a quarter hangs for longer than is waited, and all of these are retried."""
    OVERLOAD = "overload"
    """More than can be done for a minute, beside 100 a second of the first priority; then it is made up for."""
    NODES = "nodes"
    """More than one engine process can do, by one and by two over one store."""
    API = "api"
    """That many requests to the API a second, a tenth of them writing, beside 2,000 firings a second."""


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
class Course:
    """How a shape is gone through, in seconds; a short run (`--smoke`) takes `missed` and `lasts` down to 3.

    `missed`: for how long its jobs were due before the program starts. `warm_up`, `seconds`: at least. `settling`: how
    long to wait after the window for what is still to arrive. `lasts`: how long what stands beside goes on, from the
    first full second (0: to the end). `records`: what is due is finished at once, so that it can be asked after.
    `asks`: requests to the API a second meanwhile. `waits`: nothing is due before the program is up. `shares_cores`:
    program and target together have all cores, instead of one each.
    """

    missed: int = 0
    warm_up: int = 0
    seconds: int = 0
    settling: float = 15.0
    lasts: int = 0
    records: bool = True
    asks: float = 0.0
    waits: bool = True
    shares_cores: bool = False


COURSES = {
    Shape.BACKLOG: Course(missed=60, warm_up=1, settling=180, records=False, waits=False),
    Shape.IDLE: Course(waits=False),
    Shape.SLOW: Course(warm_up=12, settling=3, records=False),
    Shape.HANGING: Course(warm_up=12, settling=3, records=False),
    Shape.FAILING: Course(warm_up=10, settling=30, records=False),
    Shape.OVERLOAD: Course(warm_up=5, seconds=55, lasts=60, settling=400, records=False, asks=5),
    Shape.NODES: Course(settling=3, records=False, shares_cores=True),
    Shape.API: Course(shares_cores=True),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """`count` jobs of one shape; `name` is how it is asked for and shown."""

    name: str
    shape: Shape
    count: int

    @property
    def reach(self) -> Reach | None:
        return REACH.get(self.name)

    @property
    def course(self) -> Course:
        return COURSES.get(self.shape, Course())

    @property
    def requests(self) -> float:
        """To the API, a second."""
        return float(self.count) if self.shape is Shape.API else self.course.asks

    @property
    def is_plain(self) -> bool:
        """Whether it is of the kind that the reference and the peers can do, too."""
        return self.shape in {Shape.HERD, Shape.SPREAD}


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
    "slow:5000": Reach(2 * MILLISECOND),
    "hanging:5000": Reach(2 * MILLISECOND),
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
CARRIED = 6_000
"""Firings a second, where nothing was measured before."""
TWICE = Scenario("overload", Shape.OVERLOAD, 2 * CARRIED)
"""Twice what was carried: see `doubled`."""
MOST = 2_000_000
NAMES = f"light|overload|{'|'.join(f'{shape}:N' for shape in Shape)}"


def parse(text: str) -> Scenario:
    """`light`, `herd:3000`, `idle:1000000`, `overload` and so on. Raises ValueError for anything else."""
    if text == LIGHT.name:
        return LIGHT
    if text == TWICE.name:
        return TWICE
    shape, _, count = text.partition(":")
    if not count.replace("_", "").isdigit() or not 0 < int(count) <= MOST:
        raise ValueError(f"{text!r}: a scenario is one of {NAMES}, N up to {MOST:,}")
    return Scenario(f"{Shape(shape)}:{int(count)}", Shape(shape), int(count))


def doubled(carried: float) -> Scenario:
    """An overload of twice that many firings a second."""
    count = max(2, round(2 * carried / 1_000) * 1_000)
    return Scenario(f"{Shape.OVERLOAD}:{count}", Shape.OVERLOAD, count)
