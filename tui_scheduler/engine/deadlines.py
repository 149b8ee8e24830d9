"""Deadlines for thousands of things at once: no task and no timer for each, one sweeper for all."""

from __future__ import annotations

import heapq

import trio

from tui_scheduler.engine.clock import Clock

_GRAIN_S = 0.02
"""Deadlines within the same grain share a bucket; none is met earlier than due, or later than about this much."""

_LONGEST_SLEEP_S = 1.0
"""trio's clock stands still while the machine is suspended and ours does not: look again now and then."""


class Expiring:
    """Something with a deadline. It can have one at a time."""

    __slots__ = ("bucket",)

    def __init__(self) -> None:
        self.bucket: set[Expiring] | None = None

    def expire(self) -> None:
        """The deadline has passed. Called once, after the deadline was removed."""
        raise NotImplementedError


class Deadlines:
    """Buckets of things that expire, by time. Adding and removing cost well under a microsecond each."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._buckets: dict[int, set[Expiring]] = {}
        self._ticks: list[int] = []
        self._earlier = trio.Event()

    def add(self, item: Expiring, at: float) -> None:
        """Call `item.expire()` once `clock.monotonic()` has reached `at`, unless it is discarded before."""
        tick = int(at / _GRAIN_S) + 1
        bucket = self._buckets.get(tick)
        if bucket is None:
            bucket = self._buckets[tick] = set()
            heapq.heappush(self._ticks, tick)
            if self._ticks[0] == tick:
                self._earlier.set()
        bucket.add(item)
        item.bucket = bucket

    def discard(self, item: Expiring) -> None:
        """Forget the deadline of `item`, if it has one."""
        if item.bucket is not None:
            item.bucket.discard(item)
            item.bucket = None

    async def run(self) -> None:
        """Expire what is due, for ever. Sleeps while there is nothing."""
        while True:
            self._earlier = trio.Event()
            with trio.move_on_after(self._seconds_to_next()):
                await self._earlier.wait()
            self._sweep()

    def _seconds_to_next(self) -> float:
        if not self._ticks:
            return float("inf")
        return min(max(self._ticks[0] * _GRAIN_S - self._clock.monotonic(), 0.0), _LONGEST_SLEEP_S)

    def _sweep(self) -> None:
        now = self._clock.monotonic()
        while self._ticks and self._ticks[0] * _GRAIN_S <= now:
            bucket = self._buckets.pop(heapq.heappop(self._ticks))
            while bucket:
                item = bucket.pop()
                item.bucket = None
                item.expire()
