"""What a node counts about itself since its start, told to others with every heartbeat. Not evidence: operations."""

from __future__ import annotations

from collections import deque

RECENT = 4_096
"""Firings over which the drift quantiles are taken."""


class Counters:
    """Totals since the start, and the drift (µs) of the latest firings."""

    def __init__(self) -> None:
        self.fired = 0
        self.succeeded = 0
        self.failed = 0
        self.retried = 0
        self.skipped = 0
        self.cancelled = 0
        self.lost = 0
        self.rescued = 0
        self.fenced = 0
        self.pruned = 0
        self._drifts: deque[int] = deque(maxlen=RECENT)

    def firing(self, drift: int) -> None:
        self.fired += 1
        self._drifts.append(drift)

    def as_dict(self, in_hand: int, in_flight: int) -> dict[str, int | None]:
        """As it is stored and shown; `driftP50` and `driftP99` in µs, None before the first firing."""
        drifts = sorted(self._drifts)
        return {
            "fired": self.fired,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "retried": self.retried,
            "skipped": self.skipped,
            "cancelled": self.cancelled,
            "lost": self.lost,
            "rescued": self.rescued,
            "fenced": self.fenced,
            "pruned": self.pruned,
            "inHand": in_hand,
            "inFlight": in_flight,
            "driftP50": _quantile(drifts, 0.5),
            "driftP99": _quantile(drifts, 0.99),
        }


def _quantile(ordered: list[int], share: float) -> int | None:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] if ordered else None
