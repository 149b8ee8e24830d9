"""The figures of a trial: what was planned, what became of it, and how late it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

from tests.crash.case import Case, Stretches, Violation, cases
from tests.crash.evidence import Arrival, Evidence, Record


@dataclass(frozen=True)
class Drift:
    """How late first attempts arrived, µs. Those near an outage are `recovered`: reported, not judged."""

    undisturbed: tuple[int, ...] = ()
    recovered: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tally:
    """`planned` counts required occurrences, `executed` those that arrived; `duplicates` are deliveries of one
    attempt beyond its first, `unexplained` those of them without a rescue in the history. `lost` is at-most-once work
    that may or may not have been sent, `given_up` at-least-once work that outlived too many nodes.
    """

    planned: int
    executed: int
    arrivals: int
    retries: int
    manual: int
    duplicates: int
    unexplained: int
    lost: int
    given_up: int
    given_up_unsent: int
    states: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    drift: Drift = field(default_factory=Drift)


def tally(evidence: Evidence) -> Tally:
    """Count a trial."""
    all_cases = cases(evidence)
    return Tally(
        planned=sum(sum(case.plan.values()) for case in all_cases),
        executed=sum(len(case.arrived) for case in all_cases),
        arrivals=len(evidence.arrivals),
        retries=sum(record.attempt - 1 for record in evidence.records if record.attempt > 1),
        manual=sum(record.trigger == "manual" for record in evidence.records),
        duplicates=sum(duplicates(case) for case in all_cases),
        unexplained=sum(unexplained(case) for case in all_cases),
        lost=sum(len(lost(case)) for case in all_cases if case.story.at_most_once),
        given_up=sum(len(lost(case)) for case in all_cases if not case.story.at_most_once),
        given_up_unsent=sum(
            record.scheduled_for not in case.arrived
            for case in all_cases
            for record in (() if case.story.at_most_once else lost(case))
        ),
        states=Counter(record.state for record in evidence.records if not record.is_skip),
        skipped=skipped(evidence),
        drift=drift(evidence),
    )


def lost(case: Case) -> list[Record]:
    return [record for record in case.records if record.state == "lost"]


def skipped(evidence: Evidence) -> Counter[str]:
    """Occurrences skipped, by reason; a stretch counts as many as it names."""
    counts: Counter[str] = Counter()
    for record in evidence.records:
        if record.is_skip:
            counts[record.skip_reason or "no reason"] += record.skip_count or 1
    return counts


def duplicates(case: Case) -> int:
    """Deliveries of the same attempt beyond the first."""
    return sum(count - 1 for count in _deliveries(case.arrivals).values())


def unexplained(case: Case) -> int:
    """Duplicates of occurrences that no rescue sent again."""
    rescued = {record.scheduled_for for record in case.records if record.rescues}
    return sum(count - 1 for (_, instant, _), count in _deliveries(case.arrivals).items() if instant not in rescued)


def _deliveries(arrivals: Iterable[Arrival]) -> Counter[tuple[str, int, int]]:
    return Counter((arrival.key, arrival.scheduled_at, arrival.attempt) for arrival in arrivals)


def drift(evidence: Evidence) -> Drift:
    """The lateness of the first arrival of each first attempt, apart for those that an outage disturbed."""
    rescued = {(record.job_id, record.scheduled_for) for record in evidence.records if record.rescues}
    firsts: dict[str, Arrival] = {}
    for arrival in evidence.arrivals:
        if arrival.attempt == 1 and (arrival.key not in firsts or arrival.at < firsts[arrival.key].at):
            firsts[arrival.key] = arrival
    near = Stretches(evidence.outages)
    calm: list[int] = []
    hit: list[int] = []
    for arrival in firsts.values():
        is_disturbed = near.cover(arrival.fire_at) or (arrival.job_id, arrival.scheduled_at) in rescued
        (hit if is_disturbed else calm).append(arrival.at - arrival.fire_at)
    return Drift(tuple(sorted(calm)), tuple(sorted(hit)))


def percentile(ordered: tuple[int, ...], share: float) -> int | None:
    """The value below which `share` of them lie; None of nothing."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None


def by_rule(violations: Iterable[Violation]) -> dict[str, list[Violation]]:
    """The violations under the rule they break."""
    ordered = sorted(violations, key=lambda one: one.rule)
    return {rule: list(found) for rule, found in groupby(ordered, key=lambda one: one.rule)}
