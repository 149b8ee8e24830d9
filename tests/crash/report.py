"""What a trial came to, in a table and, where something broke, with the evidence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.crash.case import Violation
from tests.crash.tally import Tally, by_rule, percentile
from tests.crash.trial import Result

SHOWN = 5
"""Violations of one rule that are written out; the file has all."""


def report(result: Result, tally: Tally, violations: list[Violation]) -> str:
    """The table, then the violations."""
    return "\n".join([*table(result, tally, violations), *accusations(violations)])


def table(result: Result, tally: Tally, violations: list[Violation]) -> Iterator[str]:
    rules = by_rule(violations)
    terms = result.terms
    yield f"--- {terms.database}, {terms.nodes} server(s), seed {terms.seed}, {result.seconds:.0f} s"
    rows: list[tuple[str, object]] = [
        ("kills / starts", f"{result.kills} / {result.starts} (start {_median(result.start_seconds):.1f} s)"),
        ("other faults", _counts({kind: count for kind, count in result.faults.items() if kind != "kill"})),
        ("orders given / without an answer", f"{result.orders} / {result.unanswered}"),
        ("planned", tally.planned),
        ("executed", f"{tally.executed} (+ {tally.retries} retries; {tally.arrivals} arrivals)"),
        ("run now", tally.manual),
        ("ended", _counts(tally.states)),
        ("skipped", _counts(tally.skipped)),
        ("duplicates, at least once", f"{tally.duplicates} (without a rescue: {tally.unexplained})"),
        ("recorded as lost, at most once", tally.lost),
        ("given up, at least once", f"{tally.given_up} (never arrived: {tally.given_up_unsent})"),
        ("twice, at most once", len(rules.get("twice", ()))),
        ("missing", len(rules.get("missing", ()))),
        ("drift, undisturbed", _drift(tally.drift.undisturbed)),
        ("drift, after an outage", _drift(tally.drift.recovered)),
        ("violations", len(violations)),
    ]
    for name, value in rows:
        yield f"{name:<34}{value}"
    yield f"lost {len(rules.get('missing', ())) + len(rules.get('undelivered', ())) + len(rules.get('lost', ()))}"


def accusations(violations: list[Violation]) -> Iterator[str]:
    for rule, found in by_rule(violations).items():
        yield f"VIOLATION {rule}: {len(found)}"
        for violation in found[:SHOWN]:
            yield f"  {violation.job} at {violation.occurrence}: {violation.evidence}"


def write_violations(violations: list[Violation], path: Path) -> None:
    path.write_text("".join(f"{violation}\n" for violation in violations), encoding="utf-8")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def _drift(ordered: tuple[int, ...]) -> str:
    if not ordered:
        return "none"
    p50, p99 = percentile(ordered, 0.5), percentile(ordered, 0.99)
    return f"p50 {_ms(p50)}, p99 {_ms(p99)}, most {_ms(ordered[-1])} ms of {len(ordered)}"


def _ms(value: int | None) -> str:
    return "-" if value is None else f"{value / 1_000:.1f}"


def _median(values: tuple[float, ...]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
