"""Which jobs a scenario is made of, and when each of them is due. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from benchmarks.scenarios import MILLISECOND, SECOND, Planned, Scenario, Shape, Window

URGENT = 1
USUAL = 5
LIGHT_A_SECOND = 100
IDLE_A_SECOND = 10
API_FIRINGS = 2_000
SLOWEST_S = 30
NEVER_MS = 3_600_000
HUNG_UP_ON_S = 2
"""How long a failing job waits for an answer that does not come."""
START_OVER_S = 10
"""What is to be under way all the time is begun over so many seconds, not at once: an opening, not a flood."""
QUICK_S = 3
"""In a short run: for how long the program was down, how long an overload lasts."""


@dataclass(frozen=True, slots=True)
class Offered:
    """One job. `phase`: from the scenario's first full second to its first occurrence, `period` from each to the next,
    in µs; `until`: none at or after that, from the same second (0: no end). `timeout` in µs. `judged`: it is its drift
    that the scenario is about; the others stand beside and only must not be lost.
    """

    phase: int
    period: int = SECOND
    path: str = ""
    priority: int = USUAL
    timeout: int = 30 * SECOND
    attempts: int = 3
    until: int = 0
    judged: bool = True

    @property
    def schedule(self) -> str:
        return f"@every {self.period // SECOND}s" if self.phase or self.period != SECOND else "* * * * * *"


@dataclass(frozen=True, slots=True)
class Timetable:
    """The occurrences of one job: its id as sent in `X-Job-Id`, the instant of the first, the period, the end."""

    job_id: str
    first: int
    period: int = SECOND
    until: int = 0


def offered(scenario: Scenario, *, quick: bool = False) -> list[Offered]:
    """All jobs that are due during the scenario."""
    return OFFERS[scenario.shape](scenario, quick)


def evenly(count: int, over: int = SECOND) -> Iterator[int]:
    """That many phases, on whole milliseconds."""
    return (i * over // count // MILLISECOND * MILLISECOND for i in range(count))


def light(priority: int = USUAL, after: int = 0) -> list[Offered]:
    return [Offered(after + phase, priority=priority) for phase in evenly(LIGHT_A_SECOND)]


def herd(scenario: Scenario, quick: bool) -> list[Offered]:
    return [Offered(0)] * scenario.count


def spread(scenario: Scenario, quick: bool) -> list[Offered]:
    return [Offered(phase) for phase in evenly(scenario.count)]


def backlog(scenario: Scenario, quick: bool) -> list[Offered]:
    missed = missed_seconds(scenario, quick=quick) * SECOND
    late = [Offered(phase, judged=False) for phase in evenly(scenario.count)]
    return [*light(URGENT, after=missed + 2 * SECOND), *late]


def idle(scenario: Scenario, quick: bool) -> list[Offered]:
    return [Offered(phase) for phase in evenly(IDLE_A_SECOND)]


def slow(scenario: Scenario, quick: bool) -> list[Offered]:
    """A job whose target takes n seconds is due every n seconds: one of its requests is always under way."""
    seconds = [1 + i % SLOWEST_S for i in range(scenario.count)]
    phases = evenly(scenario.count, _opening(quick))
    beside = [
        Offered(phase, period=each * SECOND, path=f"delay/{each * 1_000}", timeout=2 * SLOWEST_S * SECOND, judged=False)
        for each, phase in zip(seconds, phases, strict=True)
    ]
    return [*light(), *beside]


def hanging(scenario: Scenario, quick: bool) -> list[Offered]:
    """Each waits 30 s, as jobs do by default, and is due again at once."""
    period, path = SLOWEST_S * SECOND, f"delay/{NEVER_MS}"
    beside = [
        Offered(phase, period=period, path=path, timeout=period, attempts=1, judged=False)
        for phase in evenly(scenario.count, _opening(quick))
    ]
    return [*light(), *beside]


def failing(scenario: Scenario, quick: bool) -> list[Offered]:
    paths = ("", "", "status/500", f"delay/{NEVER_MS}")
    return [
        Offered(phase, path=path, timeout=HUNG_UP_ON_S * SECOND, judged=not path)
        for phase, path in zip(evenly(scenario.count), _cycle(paths, scenario.count), strict=True)
    ]


def overload(scenario: Scenario, quick: bool) -> list[Offered]:
    until = lasting_seconds(scenario, quick=quick) * SECOND
    beside = [Offered(phase, until=until, judged=False) for phase in evenly(scenario.count)]
    return [*light(URGENT), *beside]


def api(scenario: Scenario, quick: bool) -> list[Offered]:
    return [Offered(phase) for phase in evenly(min(API_FIRINGS, 20) if quick else API_FIRINGS)]


OFFERS: dict[Shape, Callable[[Scenario, bool], list[Offered]]] = {
    Shape.HERD: herd,
    Shape.SPREAD: spread,
    Shape.BACKLOG: backlog,
    Shape.IDLE: idle,
    Shape.SLOW: slow,
    Shape.HANGING: hanging,
    Shape.FAILING: failing,
    Shape.OVERLOAD: overload,
    Shape.NODES: spread,
    Shape.API: api,
}


def stored_jobs(scenario: Scenario) -> int:
    """How many more there are that are not due for long."""
    return scenario.count if scenario.shape is Shape.IDLE else 0


def missed_seconds(scenario: Scenario, *, quick: bool) -> int:
    return min(scenario.course.missed, QUICK_S) if quick else scenario.course.missed


def lasting_seconds(scenario: Scenario, *, quick: bool) -> int:
    return min(scenario.course.lasts, QUICK_S) if quick else scenario.course.lasts


def occurrences(timetables: Iterable[Timetable], window: Window) -> Iterator[Planned]:
    """Everything that these jobs are to do in the window, job by job."""
    for job_id, first, period, until in ((each.job_id, each.first, each.period, each.until) for each in timetables):
        end = min(window.end, until) if until else window.end
        missing = max(0, window.start - first)
        for at in range(first + -(-missing // period) * period, end, period):
            yield Planned(job_id, at)


def _opening(quick: bool) -> int:
    return SECOND if quick else START_OVER_S * SECOND


def _cycle(paths: Sequence[str], count: int) -> list[str]:
    return [paths[i % len(paths)] for i in range(count)]
