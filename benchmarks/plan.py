"""What `make bench` runs, in which order, and how long that takes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks import program, report, subjects
from benchmarks.databases import KINDS, POSTGRESQL, SQLITE
from benchmarks.offers import missed_seconds, offered
from benchmarks.scenarios import Scenario, Shape, parse
from benchmarks.subjects import Prepare, Terms

CONTESTANTS: Mapping[str, Prepare] = {
    report.IN_MEMORY: subjects.apscheduler,
    report.STORED: subjects.apscheduler_stored,
    report.REFERENCE: subjects.reference,
    report.PROGRAM: program.scheduler,
    report.TWO_NODES: program.two_nodes,
    report.WORKERS: program.workers,
    report.WITH_UI: program.with_ui,
}
HISTORY = 2_000_000
CATCHING_UP = 4_000
"""Occurrences a second, to guess how long a run takes."""
START_AND_STOP_S = 4


@dataclass(frozen=True, slots=True)
class Run:
    """One scenario and who takes part, one right after the other, so that they meet the same machine."""

    scenario: Scenario
    who: Sequence[str]
    terms: Terms


def whole(terms: Terms) -> list[Run]:
    """All of performance.md. Where it says nothing of a history there is none, as in the reference."""
    full = replace(terms, history=HISTORY, prune=True)

    def run(name: str, *who: str, on: Terms = terms) -> Run:
        return Run(parse(name), who, on)

    pair = (report.REFERENCE, report.PROGRAM)
    return [
        run("light", *pair, report.WITH_UI),
        # The stored peer writes each job on the event loop that is to send, too: with more it sends nothing at all.
        run("herd:100", report.STORED, *pair),
        run("herd:1000", report.IN_MEMORY, *pair, report.WITH_UI),
        run("herd:3000", *pair),
        run("herd:5000", *pair),
        run("herd:10000", *pair),
        run("spread:2000", report.IN_MEMORY, *pair, report.WITH_UI),
        run("spread:5000", *pair, on=full),
        run("spread:10000", *pair, on=full),
        run("herd:5000", report.PROGRAM, on=full),
        *(run(name, report.PROGRAM, on=replace(terms, db=POSTGRESQL)) for name in _on_postgres()),
        run("idle:100000", report.PROGRAM),
        run("idle:1000000", report.PROGRAM),
        run("slow:5000", report.PROGRAM),
        run("hanging:5000", report.PROGRAM),
        run("failing:1000", report.PROGRAM),
        run("backlog:1000", report.PROGRAM),
        run("overload", report.PROGRAM),
        *(Run(parse("nodes:16000"), together(), replace(terms, db=kind)) for kind in KINDS),
        run("api:200", *api()),
    ]


def smoke(terms: Terms) -> list[Run]:
    """A little of everything, on both databases: does the machinery work, is anything lost."""
    postgres = replace(terms, db=KINDS[-1])
    filled = replace(terms, history=5_000, prune=True)

    def run(name: str, *who: str, on: Terms = terms) -> Run:
        return Run(parse(name), who or (report.PROGRAM,), on)

    return [
        run("light", report.REFERENCE, report.PROGRAM),
        run("herd:20", report.IN_MEMORY, report.STORED, report.WITH_UI),
        run("spread:50", on=filled),
        run("spread:50", on=replace(filled, db=postgres.db)),
        run("backlog:20"),
        run("idle:500"),
        run("slow:40"),
        run("hanging:20"),
        run("failing:20"),
        run("overload:200"),
        run("nodes:50", report.TWO_NODES, on=postgres),
        run("api:20", *api()),
    ]


def together() -> tuple[str, ...]:
    """Who shows what a second engine process brings."""
    return (report.PROGRAM, report.TWO_NODES, *([report.WORKERS] if program.has_workers() else []))


def api() -> tuple[str, ...]:
    """In a process of its own, if one command can do that."""
    return (report.WORKERS,) if program.has_workers() else (report.PROGRAM,)


def _on_postgres() -> Sequence[str]:
    return ("herd:1000", "spread:2000") if POSTGRESQL in KINDS else ()


def seconds_of(run: Run) -> float:
    """How long it takes, about, all contestants and preparations together, but for databases that are kept."""
    course, terms = run.scenario.course, run.terms
    jobs = len(offered(run.scenario, quick=terms.quick))
    ahead = terms.ahead + jobs / 1_000 if course.waits else jobs / 5_000
    window = terms.warm_up + terms.seconds
    if not terms.quick:
        window = max(terms.warm_up, course.warm_up) + max(terms.seconds, course.seconds)
    each = START_AND_STOP_S + ahead + window + catching_up(run)
    return len(run.who) * each + jobs * 0.006 * (report.STORED in run.who)


def catching_up(run: Run) -> float:
    scenario, quick = run.scenario, run.terms.quick
    if quick or scenario.shape not in EXTRA:
        return 1.0
    return EXTRA[scenario.shape](scenario)


EXTRA: Mapping[Shape, Callable[[Scenario], float]] = {
    Shape.BACKLOG: lambda scenario: missed_seconds(scenario, quick=False) * scenario.count / CATCHING_UP,
    Shape.OVERLOAD: lambda scenario: scenario.course.lasts,  # twice as much takes twice as long
    Shape.NODES: lambda scenario: 20.0,  # what was not carried is read and judged, too
    Shape.FAILING: lambda scenario: 12.0,
}


def listing(runs: Sequence[Run]) -> str:
    """Every scenario, with whom, and its time."""
    rows = [["scenario", "measured", "database", "about s"]]
    for run in runs:
        database = run.terms.db + (f" {run.terms.history:,} rows" if run.terms.history else "")
        rows.append([run.scenario.name, ", ".join(run.who), database, f"{seconds_of(run):.0f}"])
    total = sum(map(seconds_of, runs))
    return f"{report.aligned(rows, left=3)}\n\n{total / 60:.0f} minutes in all; {SQLITE} unless it says otherwise"
