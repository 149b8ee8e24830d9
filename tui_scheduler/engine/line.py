"""Armed executions in the order in which to send them: by instant, and by priority once they are late.

A node that keeps up sends each at its instant, and of those of one instant the more important first. One that has
fallen behind would send the oldest first, however unimportant: what matters would wait for all that came before it.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from typing import Final

from tui_scheduler.engine.hand import Held

LATE: Final = 50_000
"""µs. A line whose first is later than this has fallen behind: a herd of thousands takes about as long to send."""

_Heap = list[tuple[int, int, int, Held]]


class Line:
    """Two heaps: what is to come or only just due, by instant; and what was due when the line fell behind."""

    __slots__ = ("_by_instant", "_by_priority", "_order")

    def __init__(self) -> None:
        self._by_instant: _Heap = []
        self._by_priority: _Heap = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._by_instant) + len(self._by_priority)

    @property
    def first_due(self) -> int | None:
        """The instant (µs) of the one that `take` would give, None when there is none."""
        if self._by_priority:
            return self._by_priority[0][1]
        return self._by_instant[0][0] if self._by_instant else None

    def add(self, held: Held) -> None:
        """Take a place in the line."""
        heappush(self._by_instant, (held.due, held.entry.job.spec.priority, next(self._order), held))

    def look(self, until: int) -> None:
        """Note that it is `until` (µs): from here on, if the first is late, everything due by then goes by priority."""
        coming, late = self._by_instant, self._by_priority
        if late or (coming and coming[0][0] < until - LATE):
            while coming and coming[0][0] <= until:
                due, priority, order, held = heappop(coming)
                heappush(late, (priority, due, order, held))

    def take(self, until: int) -> Held | None:
        """Remove and return the next one that is due by `until` (µs)."""
        if self._by_priority:
            return heappop(self._by_priority)[3] if self._by_priority[0][1] <= until else None
        if self._by_instant and self._by_instant[0][0] <= until:
            return heappop(self._by_instant)[3]
        return None
