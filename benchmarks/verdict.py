"""What the receiver's log says, held against the plan and the history. Pure: no clock, no process, no database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from benchmarks.arrivals import Arrival
from benchmarks.scenarios import Planned, Window

SUCCEEDED = "succeeded"
SKIPPED = "skipped"
NEVER = 1 << 63
TO_COME = frozenset({"pending", "claimed", "running", "retrying"})


@dataclass(frozen=True, slots=True)
class Drift:
    """µs from the instant an occurrence was meant for to its first arrival in the receiver's kernel."""

    p50: int
    p90: int
    p99: int
    max: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of the occurrences planned in the window.

    `skipped`: recorded so, with a reason. `behind`: not arrived, but the store knows that they are to be: a scheduler
    with more to do than it can. `lost`: neither arrived, nor skipped, nor to come. `duplicates`: arrivals beyond the
    first of an attempt. `unplanned`: arrivals in the window of what was never to be. `stamped`: arrivals with the
    kernel's time. `per_second`: arrivals inside the window, by the receiver's clock.
    """

    offered: int
    arrived: int
    skipped: int
    behind: int
    lost: int
    duplicates: int
    unplanned: int
    stamped: int
    per_second: float
    drift: Drift | None


@dataclass(frozen=True, slots=True)
class Recording:
    """The history against the log. `unproven`: recorded as succeeded, never arrived. `unrecorded`: arrived, and not
    recorded as succeeded."""

    succeeded: int
    unproven: int
    unrecorded: int


def delivery(
    plan: Iterable[Planned],
    arrivals: Iterable[Arrival],
    skipped: frozenset[Planned],
    to_come: frozenset[Planned],
    window: Window,
    counted: Window | None = None,
) -> Delivery:
    """`skipped` and `to_come`: what the store said of them when the program had stopped. `counted`: the window of
    `per_second`, if that is another one."""
    counted = counted or window
    arrivals = list(arrivals)
    planned = set(plan)
    in_window = [arrival for arrival in arrivals if arrival.scheduled_at in window]
    counts = Counter(map(occurrence_of, in_window))
    first = first_arrivals(in_window)
    arrived = planned & counts.keys()
    drifts = sorted(drift for each in arrived if (drift := first[each].drift) is not None)
    return Delivery(
        offered=len(planned),
        arrived=len(arrived),
        skipped=len(planned & skipped - arrived),
        behind=len(planned & to_come - arrived),
        lost=len(planned - arrived - skipped - to_come),
        duplicates=sum(counts[each] for each in arrived) - attempts_in(in_window, arrived),
        unplanned=sum(count for each, count in counts.items() if each not in planned),
        stamped=sum(first[each].kernel_at is not None for each in arrived),
        per_second=sum(arrival.arrived_at in counted for arrival in arrivals) / counted.seconds,
        drift=spread_of(drifts) if drifts else None,
    )


def recording(plan: Iterable[Planned], arrivals: Iterable[Arrival], states: Mapping[Planned, str]) -> Recording:
    """`states` is the history: the state of each execution, by what it was planned for."""
    arrived = set(map(occurrence_of, arrivals))
    planned = set(plan)
    succeeded = {each for each in planned if states.get(each) == SUCCEEDED}
    return Recording(len(succeeded), len(succeeded - arrived), len((planned & arrived) - succeeded))


def skipped_in(states: Mapping[Planned, str]) -> frozenset[Planned]:
    return frozenset(planned for planned, state in states.items() if state == SKIPPED)


def still_due(
    plan: Iterable[Planned], states: Mapping[Planned, str], next_planned: Mapping[str, int]
) -> frozenset[Planned]:
    """What a restarted program would run: executions not finished, and occurrences that no execution was made for
    and that lie not before what their job plans next (µs, by job)."""
    to_come = set()
    for each in plan:
        state = states.get(each)
        unplanned = state is None and each.at >= next_planned.get(each.job_id, NEVER)
        if unplanned or state in TO_COME:
            to_come.add(each)
    return frozenset(to_come)


def occurrence_of(arrival: Arrival) -> Planned:
    return Planned(arrival.job_id or "", arrival.scheduled_at or 0)


def attempts_in(arrivals: Iterable[Arrival], of: Set[Planned]) -> int:
    """How many different attempts of these occurrences arrived."""
    return len({(each, arrival.attempt) for arrival in arrivals if (each := occurrence_of(arrival)) in of})


def first_arrivals(arrivals: Iterable[Arrival]) -> dict[Planned, Arrival]:
    """The earliest arrival of each occurrence, by the kernel's time."""
    first: dict[Planned, Arrival] = {}
    for arrival in arrivals:
        known = first.setdefault(occurrence_of(arrival), arrival)
        if arrival.arrived_at < known.arrived_at:
            first[occurrence_of(arrival)] = arrival
    return first


def spread_of(ordered: Sequence[int]) -> Drift:
    return Drift(percentile(ordered, 0.5), percentile(ordered, 0.9), percentile(ordered, 0.99), ordered[-1])


def percentile(ordered: Sequence[int], share: float) -> int:
    """Nearest rank: the smallest value that at least this share of all are not above."""
    rank = -(-round(share * 1_000_000) * len(ordered) // 1_000_000)
    return ordered[max(rank, 1) - 1]
