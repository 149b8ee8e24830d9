"""Results as a table for people and as JSON for comparing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.machine import Machine
from benchmarks.measure import Result
from benchmarks.scenarios import CPU_REACH_US, MILLISECOND, SECOND, UI_REACH, Reach, Shape
from benchmarks.verdict import Delivery

RESULTS = Path(__file__).parent / "results"
REFERENCE = "reference"
PROGRAM = "tui-scheduler"
WITH_UI = "with the UI"
TWO_NODES = "two nodes"
WORKERS = "--workers 2"
IN_MEMORY = "APScheduler"
STORED = "APScheduler, SQLite"
PROMISING = {PROGRAM, WITH_UI, TWO_NODES, WORKERS}
"""What promises to lose nothing, and is held to it."""


def drift_of(result: Result, which: str) -> str:
    drift = result.delivery.drift
    return "-" if drift is None else f"{getattr(drift, which) / MILLISECOND:.1f}"


def recorded(result: Result) -> str:
    """The history against the log: `ok`, or by how many it says too much (+) and too little (-)."""
    if result.recording is None:
        return "none"
    unproven, unrecorded = result.recording.unproven, result.recording.unrecorded
    return "ok" if unproven == unrecorded == 0 else f"+{unproven} -{unrecorded}"


def wanted_of(result: Result) -> Reach | None:
    """What performance.md wants of what was measured; it asks nothing of peers and of the reference, which are shown
    against the same. Nothing is said of other databases."""
    return UI_REACH.get(result.scenario.name) if result.subject == WITH_UI else result.scenario.reach


def reach_of(result: Result) -> str:
    reach = wanted_of(result)
    if reach is None:
        return "-"
    wanted = f"{reach.p99 / MILLISECOND:.0f}"
    return f"{wanted}*" if result.terms.history < reach.history else wanted


def reached(result: Result) -> bool | None:
    """None when nothing is wanted of this scenario. With less history than wanted (`*`) a yes is only a half one."""
    reach, drift = wanted_of(result), result.delivery.drift
    if reach is None or drift is None:
        return None
    in_time = result.load.late_records == 0 or not reach.in_time
    return drift.p99 <= reach.p99 and in_time and result.sound and result.delivery.behind == 0


def database_of(result: Result) -> str:
    """Where the program's is, and with how many million rows; the others bring their own, or none."""
    if result.subject not in PROMISING:
        return "-"
    rows = f" {result.terms.history / 1e6:g}M" if result.terms.history else ""
    return f"{result.terms.db}{rows}{' pruned' if result.terms.prune else ''}"


COLUMNS: Sequence[tuple[str, Callable[[Result], str]]] = (
    ("scenario", lambda result: result.scenario.name),
    ("measured", lambda result: result.subject),
    ("database", database_of),
    ("offered", lambda result: f"{result.delivery.offered:,}"),
    ("arrived", lambda result: f"{result.delivery.arrived:,}"),
    ("twice", lambda result: f"{result.delivery.duplicates:,}"),
    ("behind", lambda result: f"{result.delivery.behind:,}"),
    ("lost", lambda result: f"{result.delivery.lost:,}"),
    ("p50", lambda result: drift_of(result, "p50")),
    ("p90", lambda result: drift_of(result, "p90")),
    ("p99", lambda result: drift_of(result, "p99")),
    ("max", lambda result: drift_of(result, "max")),
    ("stamped", lambda result: f"{result.delivery.stamped / max(1, result.delivery.arrived):.0%}"),
    ("per s", lambda result: f"{result.fired:,.0f}"),
    ("CPU µs", lambda result: "-" if result.cpu_us is None else f"{result.cpu_us:.0f}"),
    ("RSS MB", lambda result: f"{result.load.peak_rss / 1e6:.0f}"),
    ("others", lambda result: "-" if result.load.others is None else f"{result.load.others:.0%}"),
    ("recorded", recorded),
    ("late rec.", lambda result: "-" if result.load.late_records is None else f"{result.load.late_records:,}"),
    ("reach", reach_of),
    ("reached", lambda result: {None: "-", True: "yes", False: "NO"}[reached(result)]),
)
LEFT_ALIGNED = 3
LEGEND = (
    "p50 to max: drift in ms, from the instant an occurrence was meant for to its arrival in the receiver's kernel.\n"
    "behind: not arrived some time after the window, but known to the store as to be done. lost: neither.\n"
    "stamped: arrivals with the kernel's time; the others have that of reading. CPU µs: user and system per firing,\n"
    f"all threads and children; at most {CPU_REACH_US} wanted. others: the share of its core that other programs took\n"
    "meanwhile; with more than a few percent no drift says much. recorded: `ok` when exactly what arrived is in the\n"
    "history as succeeded. late rec.: most occurrences still unrecorded 0.97 s after their instant. reach: p99 in ms\n"
    "that is wanted, with `*` when it is wanted with more history than there was. What stands beside is told below."
)


def table(results: Sequence[Result]) -> str:
    return aligned([[name for name, _ in COLUMNS], *([show(result) for _, show in COLUMNS] for result in results)])


def aligned(rows: Sequence[Sequence[str]], left: int = LEFT_ALIGNED) -> str:
    """The first `left` columns flush left, the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) if i < left else cell.rjust(width) for i, (cell, width) in enumerate(each))
        for each in (zip(row, widths, strict=True) for row in rows)
    )


def more(results: Sequence[Result]) -> list[str]:
    """A line for each result that has more to tell than the table: what stood beside, what the scenario is about."""
    return [
        f"{result.scenario.name}, {result.subject}, {result.terms.db}: {'; '.join(told)}"
        for result in results
        if (told := [*_beside(result.beside), *_findings(result.findings), *_server(result)])
    ]


def _beside(beside: Delivery | None) -> list[str]:
    if beside is None:
        return []
    p99 = f", p99 {beside.drift.p99 / MILLISECOND:,.1f} ms" if beside.drift else ""
    came = f"{beside.arrived:,} arrived, {beside.duplicates:,} twice, {beside.behind:,} behind, {beside.lost:,} lost"
    return [f"beside {beside.offered:,} offered, {came}{p99}"]


def _findings(found: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:,.0f}" if value >= 100 else f"{name} {value:.3g}" for name, value in found.items()]


def _server(result: Result) -> list[str]:
    """What a database server used, per firing; and what a program that has little to do uses of a core."""
    firings = result.fired * result.window.seconds
    told = []
    if result.load.database_seconds and firings:
        told.append(f"database server {result.load.database_seconds / firings * 1e6:.0f} µs a firing")
    if result.scenario.shape is Shape.IDLE:
        told.append(f"{result.load.cpu_seconds / result.window.seconds:.1%} of a core")
    return told


def ratios(results: Sequence[Result]) -> list[str]:
    """The program's p99 in terms of the reference's, measured in the same round: what holds on any machine."""
    lines = []
    for before, after in pairwise(results):
        ours, yardstick = after.delivery.drift, before.delivery.drift
        beside = (before.subject, after.subject) == (REFERENCE, PROGRAM) and before.scenario == after.scenario
        if beside and ours and yardstick and before.cpu_us and after.cpu_us:
            lines.append(
                f"{after.scenario.name}: p99 {ours.p99 / max(1, yardstick.p99):.1f} and"
                f" CPU {after.cpu_us / before.cpu_us:.1f} times the reference's"
            )
    return lines


def heading(machine: Machine) -> str:
    return (
        f"{machine['date']}  commit {machine['commit']}  Python {machine['python']}  {machine['kernel']}"
        f"  {machine['cores']} cores, load {machine['load']} before"
    )


def as_json(machine: Machine, results: Sequence[Result]) -> dict[str, Any]:
    return {"machine": machine, "results": [_result_as_json(result) for result in results]}


def _result_as_json(result: Result) -> dict[str, Any]:
    """Durations in µs, memory in bytes."""
    return {
        **asdict(result),
        "fired_per_second": result.fired,
        "cpu_us": result.cpu_us,
        "cpu_reach_us": CPU_REACH_US,
        "reach": asdict(reach) if (reach := wanted_of(result)) else None,
        "reached": reached(result),
        "sound": result.sound,
    }


def fresh_path() -> Path:
    return RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"


def write_json(document: Mapping[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2) + "\n")


def span(result: Result) -> str:
    """The window in words, for progress lines."""
    start = datetime.fromtimestamp(result.window.start // SECOND, UTC)
    return f"{start:%H:%M:%S} UTC, {result.window.seconds:.0f} s"
