"""What each fault allows, and nothing more: late work, work that was sent again or lost, and who may write what.

    kill, restart, drop   what the node had in hand is rescued: sent again, or lost where it may be sent only once
    stop                  the same, and the node itself does nothing of it any more when it goes on
    lock, full            late work

Each rule is a function from the case of one job to the violations it finds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tests.crash.case import LEAD, Case, Violation
from tests.crash.evidence import MILLISECOND, SECOND, Arrival, Evidence, Freeze, NodeRow

LATE = 15 * SECOND
"""How late a first attempt may be on a machine that has other things to do, counted from the time when an outage that
covers its instant is caught up with."""

AFTER_END = 500 * MILLISECOND
"""How much later than its end was recorded a request may come in: the receiver stamps some when it reads them."""

AFTER_SENTENCE = 2 * SECOND
"""How long after it was declared dead what a node had in hand may not have been taken from it yet."""

NOTICING = 5 * SECOND
"""How much longer than its timeout a node must have stood still before it is a fault that nobody noticed: its last
heartbeat may have come just before, others look once a second, and need two heartbeats of their own."""

WRITTEN_BY_NODES = frozenset({"succeeded", "failed", "retrying", "skipped"})
"""States that only the node that had the execution writes."""


def late(case: Case) -> Iterator[Violation]:
    """A first attempt is on time, or something was wrong at its instant. Overlap makes work wait for other work."""
    firsts: dict[str, Arrival] = {}
    for arrival in case.arrivals if not case.story.may_overlap else ():
        if arrival.attempt == 1:
            firsts.setdefault(arrival.key, arrival)
    for arrival in firsts.values():
        due = case.outages.end_covering(arrival.fire_at) or arrival.fire_at
        if arrival.at > due + LATE:
            yield case.accuse("late", arrival.scheduled_at, f"{(arrival.at - due) // MILLISECOND} ms: {arrival}")


def causeless(case: Case) -> Iterator[Violation]:
    """What was rescued, lost or sent again had been in the hands of a node that others could take for dead."""
    for record in case.records:
        was_taken = record.rescues > 0 or record.state == "lost"
        if was_taken and not has_cause(case, record.scheduled_for, record.finished_at or case.horizon):
            yield case.accuse("causeless", record.scheduled_for, f"no node died: {record}")
    for arrivals in case.by_key.values():
        for one, other in pairwise(sorted(arrivals, key=lambda arrival: (arrival.attempt, arrival.at))):
            if one.attempt == other.attempt and not has_cause(case, one.fire_at, other.at):
                yield case.accuse("causeless", one.scheduled_at, f"no node died, and yet it came again: {other}")


def has_cause(case: Case, instant: int, until: int) -> bool:
    """Whether a node may have died between the claim of what is due at `instant` and `until`."""
    return any(outage.begin <= until and outage.end >= instant - LEAD for outage in case.deadly)


def stale(case: Case) -> Iterator[Violation]:
    """Nothing is sent after its end was recorded: a node that was frozen knows that others may have done its work."""
    rows = Counter(record.scheduled_for for record in case.records)
    for record in case.records:
        if record.finished_at is None or record.is_skip or rows[record.scheduled_for] > 1:
            continue
        for arrival in case.arrived.get(record.scheduled_for, ()):
            if arrival.at > record.finished_at + AFTER_END:
                after = (arrival.at - record.finished_at) // MILLISECOND
                yield case.accuse("stale", record.scheduled_for, f"sent {after} ms after its end: {arrival}; {record}")


def overwritten(case: Case) -> Iterator[Violation]:
    """A node that was declared dead has written nothing since."""
    for record in case.records:
        node = case.condemned.get(record.node or 0)
        if node is None or record.finished_at is None or record.state not in WRITTEN_BY_NODES:
            continue
        if node.stopped_at is not None and record.finished_at > node.stopped_at + AFTER_SENTENCE:
            yield case.accuse("overwritten", record.scheduled_for, f"by a node dead since {node.stopped_at}: {record}")


def unnoticed(evidence: Evidence) -> Iterator[Violation]:
    """A node that stood still for too long, with others there to see it, was declared dead meanwhile."""
    for freeze in evidence.freezes:
        node = node_of(evidence, freeze)
        is_too_long = freeze.end - freeze.begin > evidence.timeout + NOTICING
        if node is None or not freeze.watched or not is_too_long:
            continue
        if not node.was_condemned or node.stopped_at is None or node.stopped_at > freeze.end:
            lasted = (freeze.end - freeze.begin) / SECOND
            yield Violation("unnoticed", f"node {node.key}", freeze.begin, f"frozen for {lasted:.1f} s, and yet {node}")


def node_of(evidence: Evidence, freeze: Freeze) -> NodeRow | None:
    """The node that the frozen process was."""
    lives = [
        node
        for node in evidence.nodes
        if node.pid == freeze.pid
        and node.started_at <= freeze.begin
        and (node.stopped_at is None or node.stopped_at > freeze.begin)
    ]
    return max(lives, key=lambda node: node.started_at, default=None)
