"""Time as the engine sees it. An argument, so that a virtual clock can stand in for the machine's."""

from __future__ import annotations

import sys
import time
from typing import Protocol

import trio

_LONGEST_SLEEP_S = 0.05
"""Never sleep longer than this past a re-read of the wall clock: it may be set meanwhile."""

_SPIN_S = 0.001
"""The kernel wakes a sleeper up to a millisecond late, so the last one before an instant is spent on checkpoints.
Only after a sleep, though: where one instant follows another within a millisecond, spinning all the time would take
the core from the threads that claim and record, and cost more drift than it saves."""

_MONOTONIC_CLOCK = time.CLOCK_BOOTTIME if sys.platform == "linux" else time.CLOCK_MONOTONIC
"""A suspended machine must look as long away as it was: Linux's plain monotonic clock stands still meanwhile."""


class Clock(Protocol):
    """A wall clock in µs since the epoch, a monotonic one in seconds, and a way to wait for an instant."""

    def now(self) -> int:
        """The wall clock, µs since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, and go on while the machine is suspended."""
        ...

    async def sleep_until(self, instant: int) -> None:
        """Return at `instant` (µs) by the wall clock, or up to 50 ms before: callers look again and loop."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.clock_gettime(_MONOTONIC_CLOCK)

    async def sleep_until(self, instant: int) -> None:
        left = (instant - self.now()) / 1_000_000
        if left > _LONGEST_SLEEP_S:
            await trio.sleep(_LONGEST_SLEEP_S)
        elif left <= _SPIN_S:
            await trio.sleep(max(left, 0))
        else:
            await trio.sleep(left - _SPIN_S)
            while 0 < instant - self.now() < _LONGEST_SLEEP_S * 1_000_000:  # more: it was set back meanwhile
                await trio.lowlevel.checkpoint()
