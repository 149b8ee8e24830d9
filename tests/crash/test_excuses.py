"""Each fault allows what it must, and nothing else passes under its name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.crash.evidence import SECOND, Evidence, Freeze, NodeRow, Outage
from tests.crash.planted import (
    FREEZE,
    FROZEN,
    STORY,
    arrival,
    at,
    clean,
    plus,
    rules,
    with_record,
    without,
)


def only(*outages: Outage, evidence: Evidence | None = None) -> Evidence:
    """A trial in which nothing was wrong but this."""
    return replace(evidence or clean(), outages=outages)


def late_by(seconds: float, second: float = 4) -> Evidence:
    """One occurrence comes this late, and the trial is long enough to see it."""
    evidence = without(clean(), at(second), records=False)
    return plus(evidence, arrival(at(second), after=round(seconds * SECOND)))


@pytest.mark.parametrize(
    ("seconds", "outages", "expected"),
    [
        (14, [], []),
        (16, [], ["late"]),
        # What was due while the file was locked, or was in hand then, is counted from when that was caught up with.
        (24, [Outage(at(3), at(7), "lock")], []),
        (30, [Outage(at(3), at(7), "lock")], ["late"]),
        (16, [Outage(at(6.9), at(7), "lock")], []),
        (16, [Outage(at(7.1), at(7.2), "lock")], ["late"]),
        # Outages without time to catch up between them are one.
        (40, [Outage(at(3), at(7), "lock"), Outage(at(13), at(16), "kill")], []),
        (40, [Outage(at(3), at(7), "lock"), Outage(at(19), at(22), "kill")], ["late"]),
    ],
)
def test_lateness_counts_from_the_end_of_what_was_wrong(
    seconds: float, outages: list[Outage], expected: list[str]
) -> None:
    evidence = with_record(late_by(seconds), at(4), finished_at=None)
    assert rules(only(*outages, evidence=evidence)) == expected


@pytest.mark.parametrize(
    ("outage", "is_cause"),
    [
        *[(Outage(at(3), at(7), kind), True) for kind in ("kill", "stop", "restart", "drop", "overdue")],
        *[(Outage(at(3), at(7), kind), False) for kind in ("lock", "full", "start", "leave")],
        # The node that had it in hand a look-ahead before may have died; one that died before that had not.
        (Outage(at(0), at(2), "kill"), True),
        (Outage(at(-3), at(0.9), "kill"), False),
        (Outage(at(5), at(7), "kill"), False),
    ],
)
def test_only_a_dead_node_explains_what_was_rescued_lost_or_sent_again(outage: Outage, is_cause: bool) -> None:
    expected = [] if is_cause else ["causeless"]
    rescued = with_record(clean(), at(4), rescues=1, finished_at=at(4.1))
    assert rules(only(outage, evidence=rescued)) == expected
    again = plus(clean(), arrival(at(4), after=50_000))
    assert rules(only(outage, evidence=again)) == expected
    once = clean(replace(STORY, at_most_once=True))
    lost = with_record(without(once, at(4), records=False), at(4), state="lost", finished_at=at(4.1))
    assert rules(only(outage, evidence=lost)) == expected


@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_what_is_sent_after_its_end_was_recorded_is_stale(state: str) -> None:
    done = with_record(clean(), at(4), state=state, finished_at=at(4.1))
    assert rules(done) == []
    assert rules(plus(done, arrival(at(4), after=5 * SECOND))) == ["stale"]


def test_what_was_given_up_for_lost_and_is_sent_afterwards_is_stale() -> None:
    once = clean(replace(STORY, at_most_once=True))
    lost = with_record(once, at(4), state="lost", finished_at=at(8))
    assert rules(lost) == []
    late = plus(without(lost, at(4), records=False), arrival(at(4), after=6 * SECOND))
    assert rules(late) == ["stale"]


def test_a_node_that_was_declared_dead_writes_nothing_more() -> None:
    mine = replace(with_record(clean(), at(4), node=1, finished_at=at(8.9)), nodes=(FROZEN,))
    assert rules(mine) == []
    assert rules(with_record(mine, at(4), finished_at=at(12))) == ["overwritten"]
    assert rules(with_record(mine, at(4), finished_at=at(12), node=2)) == []
    assert rules(replace(with_record(mine, at(4), finished_at=at(12)), nodes=(replace(FROZEN, state="alive"),))) == []
    lost = with_record(clean(replace(STORY, at_most_once=True)), at(4), state="lost", node=1, finished_at=at(12))
    assert rules(replace(lost, nodes=(FROZEN,))) == [], "that is what rescue writes"


@pytest.mark.parametrize(
    ("node", "freeze", "expected"),
    [
        (FROZEN, FREEZE, []),
        (replace(FROZEN, state="alive", stopped_at=None), FREEZE, ["unnoticed"]),
        (replace(FROZEN, state="stopped", stopped_at=at(20)), FREEZE, ["unnoticed"]),
        (replace(FROZEN, stopped_at=at(9.6)), FREEZE, ["unnoticed"]),
        (replace(FROZEN, state="alive", stopped_at=None), replace(FREEZE, watched=False), []),
        (replace(FROZEN, state="alive", stopped_at=None), replace(FREEZE, begin=at(-10)), []),
        # An earlier life of the process, and a later one, are other nodes.
        (replace(FROZEN, state="alive", started_at=at(-11), stopped_at=None), FREEZE, []),
        (replace(FROZEN, state="stopped", stopped_at=at(-13)), FREEZE, []),
    ],
)
def test_a_node_that_stood_still_for_too_long_is_declared_dead(
    node: NodeRow, freeze: Freeze, expected: list[str]
) -> None:
    assert rules(replace(clean(), nodes=(node,), freezes=(freeze,))) == expected
