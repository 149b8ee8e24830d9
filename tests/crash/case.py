"""One job's orders beside what came of them: what the rules of the audit look at, and what they find."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from tests.crash.evidence import DEADLY, SECOND, Arrival, Evidence, NodeRow, Outage, Record, Story
from tests.crash.plan import Regime, plan_of, regimes_of

BACKLOG = 30 * SECOND
"""How much later than an occurrence an order may come and still find it not run, at the least: an outage and catching
up with it. Where requests arrived later than that after their instant, it is as long as the latest of them."""


LEAD = 3 * SECOND
"""How long before its instant an occurrence may have been in the hands of a node: the look-ahead, and a little."""


class Stretches:
    """Outages, merged, so that asking whether one covers an instant is one search."""

    def __init__(self, outages: Iterable[Outage]) -> None:
        self.begins: list[int] = []
        self.ends: list[int] = []
        for outage in sorted(outages, key=lambda one: one.begin):
            if self.ends and outage.begin <= self.ends[-1]:
                self.ends[-1] = max(self.ends[-1], outage.end)
            else:
                self.begins.append(outage.begin)
                self.ends.append(outage.end)

    @staticmethod
    def with_catching_up(outages: Iterable[Outage]) -> Stretches:
        """What is due a little before an outage may be in hand when it comes, and catching up with it may take as long
        as it lasted; outages that come before that is over are one.
        """
        found: list[Outage] = []
        for outage in sorted(outages, key=lambda one: one.begin):
            begin, end = outage.begin - LEAD, outage.end
            if found and begin <= 2 * found[-1].end - found[-1].begin:
                last = found.pop()
                begin, end = last.begin, max(last.end, end)
            found.append(Outage(begin, end))
        return Stretches(Outage(one.begin, 2 * one.end - one.begin) for one in found)

    def end_covering(self, instant: int) -> int | None:
        """The end of the outage that covers it; None where there is none."""
        place = bisect_right(self.begins, instant) - 1
        return self.ends[place] if place >= 0 and instant <= self.ends[place] else None

    def cover(self, instant: int) -> bool:
        return self.end_covering(instant) is not None


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise: which rule, which job, which occurrence (0: none in particular), and the evidence."""

    rule: str
    job: str
    occurrence: int
    evidence: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.job} at {self.occurrence}: {self.evidence}"


@dataclass(frozen=True)
class Case:
    """One job's orders beside its arrivals (in the order in which they came) and its history."""

    story: Story
    arrivals: tuple[Arrival, ...]
    records: tuple[Record, ...]
    horizon: int
    backlog: int = BACKLOG
    outages: Stretches = field(default_factory=lambda: Stretches(()))
    deadly: tuple[Outage, ...] = ()
    condemned: dict[int, NodeRow] = field(default_factory=dict)

    @cached_property
    def regimes(self) -> tuple[Regime, ...]:
        return regimes_of(self.story, self.horizon)

    @cached_property
    def plan(self) -> dict[int, bool]:
        """Every occurrence there may be; the value says whether it is required."""
        return plan_of(self.regimes, self.story.created_at, self.horizon)

    @cached_property
    def instants(self) -> list[int]:
        return list(self.plan)

    @cached_property
    def by_occurrence(self) -> dict[int, list[Record]]:
        """The rows of the schedule, under each occurrence of the plan (or the nominal instant) they speak of."""
        rows: dict[int, list[Record]] = defaultdict(list)
        for record in self.records:
            if record.trigger == "schedule":
                for instant in {record.scheduled_for, *self.planned_between(record.first, record.last)}:
                    rows[instant].append(record)
        return rows

    @cached_property
    def arrived(self) -> dict[int, list[Arrival]]:
        """The arrivals under each nominal instant."""
        found: dict[int, list[Arrival]] = defaultdict(list)
        for arrival in self.arrivals:
            found[arrival.scheduled_at].append(arrival)
        return found

    @cached_property
    def by_key(self) -> dict[str, list[Arrival]]:
        found: dict[str, list[Arrival]] = defaultdict(list)
        for arrival in self.arrivals:
            found[arrival.key].append(arrival)
        return found

    def planned_between(self, first: int, last: int) -> list[int]:
        return self.instants[bisect_left(self.instants, first) : bisect_right(self.instants, last)]

    def accuse(self, rule: str, occurrence: int, evidence: str) -> Violation:
        return Violation(rule, f"{self.story.name} ({self.story.id})", occurrence, evidence)


def cases(evidence: Evidence) -> list[Case]:
    """One case for each job."""
    arrivals: dict[str, list[Arrival]] = defaultdict(list)
    records: dict[str, list[Record]] = defaultdict(list)
    for arrival in sorted(evidence.arrivals, key=lambda one: one.at):
        arrivals[arrival.job_id].append(arrival)
    for record in evidence.records:
        records[record.job_id].append(record)
    latest = max((one.at - one.fire_at for one in evidence.arrivals), default=0)
    backlog = max(BACKLOG, latest + SECOND)
    outages = Stretches.with_catching_up(evidence.outages)
    deadly = tuple(outage for outage in evidence.outages if outage.kind in DEADLY)
    condemned = {node.key: node for node in evidence.nodes if node.was_condemned}
    return [
        Case(
            story,
            tuple(arrivals[story.id]),
            tuple(records[story.id]),
            evidence.horizon,
            backlog,
            outages,
            deadly,
            condemned,
        )
        for story in evidence.stories
    ]
