"""The table of performance.md: what is wanted, what was measured, whether that is reached, beside the reference. Pure.

A figure is asked of one subject in one scenario; where that was measured in several rounds, of the middle one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import report
from benchmarks.databases import POSTGRESQL, SQLITE
from benchmarks.measure import Result, median
from benchmarks.scenarios import CPU_REACH_US, MILLISECOND, Shape

NEAR = 0.995
"""A rate is reached at this share of it: an occurrence more or less falls into a window by chance."""
SPINNING = 0.01
"""Of a core, for ten firings a second with up to 1 ms of waiting awake each; performance.md leaves that aside."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line. `history`: the least rows it is to be measured with; `most`: the limit is an upper one."""

    what: str
    scenario: str
    value: Callable[[Result], float | None]
    limit: float
    unit: str
    subject: str = report.PROGRAM
    history: int = 0
    db: str = SQLITE
    most: bool = True


@dataclass(frozen=True, slots=True)
class Line:
    """`reached`: None when it was not measured. `reference`: the same of the reference, measured beside."""

    what: str
    wanted: str
    measured: float | None
    unit: str
    reached: bool | None
    reference: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.measured / self.reference if self.measured is not None and self.reference else None


def p99(result: Result) -> float | None:
    return result.delivery.drift.p99 / MILLISECOND if result.delivery.drift else None


def rate(result: Result) -> float | None:
    return result.fired


def cpu(result: Result) -> float | None:
    return result.cpu_us


def memory(result: Result) -> float | None:
    return result.load.peak_rss / 1e6


def share(result: Result) -> float | None:
    return result.load.cpu_seconds / result.window.seconds * 100


def found(name: str) -> Callable[[Result], float | None]:
    return lambda result: result.findings.get(name)


UI = report.WITH_UI
FIGURES = (
    Figure("herd of 1,000, p99", "herd:1000", p99, 25, "ms"),
    Figure("herd of 3,000, p99", "herd:3000", p99, 75, "ms"),
    Figure("herd of 5,000, all recorded before the next, p99", "herd:5000", p99, 130, "ms"),
    Figure("herd of 10,000, all recorded before the next, p99", "herd:10000", p99, 250, "ms"),
    Figure("spread 5,000/s, 2 million rows, pruning, p99", "spread:5000", p99, 20, "ms", history=2_000_000),
    Figure("ceiling, 2 million rows, pruning", "spread:10000", rate, 10_000, "/s", history=2_000_000, most=False),
    Figure("light load, p99", "light", p99, 2, "ms"),
    Figure("light load with the UI, p99", "light", p99, 5, "ms", UI),
    Figure("herd of 1,000 with the UI, p99", "herd:1000", p99, 30, "ms", UI),
    Figure("spread 2,000/s with the UI, p99", "spread:2000", p99, 30, "ms", UI),
    Figure("CPU a firing, 2 million rows, pruning, spread", "spread:5000", cpu, CPU_REACH_US, "µs", history=2_000_000),
    Figure("CPU a firing, 2 million rows, pruning, herd", "herd:5000", cpu, CPU_REACH_US, "µs", history=2_000_000),
    Figure("1,000,000 stored jobs, memory", "idle:1000000", memory, 250, "MB"),
    Figure("1,000,000 stored jobs, of a core", "idle:1000000", share, 3 + 100 * SPINNING, "%"),
    Figure("1,000,000 stored jobs, p99", "idle:1000000", p99, 2, "ms"),
    Figure("1,000,000 stored jobs, first on time after", "idle:1000000", found("first on time s"), 2, "s"),
    Figure("slow, 5,000 in flight, memory", "slow:5000", memory, 500, "MB"),
    Figure("slow, 5,000 in flight, light load's p99", "slow:5000", p99, 2, "ms"),
    Figure("5,000 hanging requests, light load's p99", "hanging:5000", p99, 2, "ms"),
)
BOTH_API = (report.WORKERS, report.PROGRAM)


def lines(results: Sequence[Result]) -> list[Line]:
    """Every figure there is a measurement of, or ought to be."""
    return [
        *(line_of(figure, results) for figure in FIGURES),
        *_together(results),
        *_api(results),
        *_overload(results),
    ]


def line_of(figure: Figure, results: Sequence[Result]) -> Line:
    ours = pick(results, figure.scenario, figure.subject, figure.db, figure.history)
    measured = figure.value(ours) if ours else None
    yardstick = pick(results, figure.scenario, report.REFERENCE, figure.db, figure.history)
    # There is nothing to hold memory, shares or what only the program does against.
    comparable = figure.unit in {"ms", "µs"} and yardstick
    sign = "≤" if figure.most else "≥"
    return Line(
        figure.what,
        f"{sign} {figure.limit:,g} {figure.unit}",
        measured,
        figure.unit,
        None if ours is None or measured is None else keeps(figure, ours, measured),
        figure.value(yardstick) if comparable and yardstick else None,
    )


def keeps(figure: Figure, result: Result, measured: float) -> bool:
    """The limit holds, nothing was lost, and the program kept up. A herd that is to be recorded before the next was."""
    within = measured <= figure.limit if figure.most else measured >= figure.limit * NEAR
    judged_in_time = result.scenario.reach is not None and result.scenario.reach.in_time and figure.value is p99
    in_time = result.load.late_records == 0 or not judged_in_time
    return within and in_time and result.sound and result.delivery.behind == 0


def pick(
    results: Sequence[Result], scenario: str | Shape, subject: str, db: str = SQLITE, history: int = 0
) -> Result | None:
    """The middle one of the measurements of that. A scenario is named, or its shape is. Without a history wanted, those
    without one come first."""
    fitting = [
        result
        for result in results
        if scenario in (result.scenario.name, result.scenario.shape)
        and (result.subject, result.terms.db) == (subject, db)
        and result.terms.history >= history
    ]
    least = min((result.terms.history for result in fitting), default=0)
    rounds = [result for result in fitting if result.terms.history == least]
    return median(rounds) if rounds else None


def _together(results: Sequence[Result]) -> list[Line]:
    """What a second engine process brings: all that two carry, and that in terms of what one carries."""
    told = []
    for db in (SQLITE, POSTGRESQL):
        one = pick(results, Shape.NODES, report.PROGRAM, db)
        pairs = [
            (who, found) for who in (report.TWO_NODES, report.WORKERS) if (found := pick(results, Shape.NODES, who, db))
        ]
        for who, two in pairs:
            if db == SQLITE:
                enough = two.fired >= 12_000 * NEAR and two.sound
                told.append(Line(f"{who}, {db}, target included", "≥ 12,000 /s", two.fired, "/s", enough))
            if one and one.fired:
                gain = two.fired / one.fired
                wanted = (db == POSTGRESQL and who == report.TWO_NODES) or None
                reached = gain >= 1.5 and two.sound if wanted else None
                told.append(Line(f"{who}, {db}, times one node", "≥ 1.5 ×" if wanted else "-", gain, "×", reached))
    return told


def _api(results: Sequence[Result]) -> list[Line]:
    asked = next((found for who in BOTH_API if (found := pick(results, Shape.API, who))), None)
    if asked is None:
        return []
    took = asked.findings.get("api p99 ms")
    what = "API in its own process, 2,000 firings/s, p99"
    fits = asked.scenario.name == "api:200" and asked.subject == report.WORKERS
    what = what if asked.subject == report.WORKERS else "API in the engine's process, 2,000 firings/s, p99"
    reached = None if took is None else fits and took <= 50 and asked.findings.get("api errors") == 0 and asked.sound
    return [Line(what, "≤ 50 ms", took, "ms", reached)]


def _overload(results: Sequence[Result]) -> list[Line]:
    """No figures are wanted but that nothing is lost, all is made up for, and what comes first is not harmed."""
    overload = pick(results, Shape.OVERLOAD, report.PROGRAM)
    if overload is None or overload.beside is None:
        return []
    found, is_over = overload.findings, overload.beside.behind == 0 and overload.sound
    offered = overload.scenario.count / max(1.0, overload.fired)
    return [
        Line("overload, offered in terms of what was done", "≥ 1.5 ×", offered, "×", offered >= 1.5),
        Line("overload, first priority's p99", "-", p99(overload), "ms", None),
        Line("overload, made up for after", "all of it", found.get("caught up s"), "s", is_over),
        Line("overload, late as the API shows it", "> 0", found.get("late shown"), "", bool(found.get("late shown"))),
        Line("overload, memory", "-", memory(overload), "MB", None),
        Line("overload, API p99", "-", found.get("api p99 ms"), "ms", None),
    ]


def table(told: Sequence[Line]) -> str:
    rows = [["figure", "wanted", "measured", "", "reference", "ratio"]]
    for line in told:
        mark = "-" if line.reached is None else "✓" if line.reached else "✗"
        reference = "" if line.reference is None else shown(line.reference, line.unit)
        ratio = "" if line.ratio is None else f"{line.ratio:.1f} ×"
        rows.append([line.what, line.wanted, shown(line.measured, line.unit), mark, reference, ratio])
    return report.aligned(rows, left=2)


def shown(value: float | None, unit: str) -> str:
    if value is None:
        return "not measured"
    return f"{value:,.0f} {unit}".rstrip() if value >= 100 else f"{value:.3g} {unit}".rstrip()


def as_json(told: Sequence[Line]) -> list[Mapping[str, Any]]:
    return [
        {
            "figure": line.what,
            "wanted": line.wanted,
            "measured": line.measured,
            "unit": line.unit,
            "reached": line.reached,
            "reference": line.reference,
        }
        for line in told
    ]
