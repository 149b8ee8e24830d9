"""Which nodes are dead, judged without comparing wall clocks.

A node is stale when its heartbeat counter stood still for `patience` seconds on the observer's own monotonic clock
while the observer itself committed at least two heartbeats: one that cannot write must not accuse others of silence.
When the store was away for all of them, the first to be back counts the silence of the others from its own return.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

OWN_BEATS_NEEDED = 2


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a node's counter was first seen at its present value: seconds, and the observer's own beats by then."""

    heartbeat: int
    since: float
    own_beats: int


def sight(
    before: Mapping[int, Sighting], pulses: Iterable[tuple[int, int]], now: float, own_beats: int
) -> dict[int, Sighting]:
    """The sightings after reading the (node, heartbeat) `pulses` at `now` (monotonic seconds)."""
    after: dict[int, Sighting] = {}
    for node, heartbeat in pulses:
        seen = before.get(node)
        moved = seen is None or seen.heartbeat != heartbeat
        after[node] = Sighting(heartbeat, now, own_beats) if seen is None or moved else seen
    return after


def is_stale(seen: Sighting, now: float, own_beats: int, patience: float, own_return: float = 0.0) -> bool:
    """Whether the node stood still for too long. `own_return` is when the observer last came back from a silence of
    its own (monotonic seconds); what went before says nothing about others.
    """
    return now - max(seen.since, own_return) >= patience and own_beats - seen.own_beats >= OWN_BEATS_NEEDED
