"""Virtual time: a loop that never waits, wall clocks that can be set, machines that are suspended."""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import count
from math import isfinite

import trio

SECOND = 1_000_000


class LeapingClock(trio.abc.Clock):
    """When every task waits, it is at once the next deadline. Cheaper than trio's `MockClock`, which first polls.

    `sleep` is `trio.sleep` without the scope and the exception that end it: two thirds of what a history waits for.
    """

    def __init__(self) -> None:
        self._now = 0.0
        self._idle = 0
        self._sleepers: list[tuple[float, int, list[trio.lowlevel.Task]]] = []
        self._order = count()

    def start_clock(self) -> None:
        """It starts at 0."""

    def current_time(self) -> float:
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        sleepers = self._sleepers
        if sleepers and sleepers[0][0] <= deadline:
            self._now = max(self._now, sleepers[0][0])
            while sleepers and sleepers[0][0] <= self._now:
                for task in heappop(sleepers)[2]:
                    trio.lowlevel.reschedule(task)
        elif isfinite(deadline):
            self._now = max(self._now, deadline)
        else:
            return self._wait_for_nothing()
        self._idle = 0
        return 0

    async def sleep(self, seconds: float) -> None:
        """Return after so many virtual seconds."""
        sleeper = [trio.lowlevel.current_task()]

        def give_up(_raise_cancel: object) -> trio.lowlevel.Abort:
            sleeper.clear()
            return trio.lowlevel.Abort.SUCCEEDED

        heappush(self._sleepers, (self._now + seconds, next(self._order), sleeper))
        await trio.lowlevel.wait_task_rescheduled(give_up)

    def _wait_for_nothing(self) -> float:
        """trio ends with a signal to itself through a socket, which takes no time; anything else is a deadlock."""
        self._idle += 1
        if self._idle > 1_000:
            raise RuntimeError("every task waits for another one: nothing will ever happen again")
        return 0.001


class VirtualTime:
    """The clocks that all nodes share: trio's virtual time, plus what was set or slept through. µs.

    `set_by`: how far the wall clock is from where it would be by itself. `slept`: seconds of suspension that a
    monotonic clock of the better kind counts.
    """

    def __init__(self, start: int) -> None:
        self.clock = LeapingClock()
        self.start = start
        self.set_by = 0
        self.slept = 0.0
        self.latest = start

    def now(self) -> int:
        now = self.start + self.set_by + round(self.clock.current_time() * SECOND)
        self.latest = max(self.latest, now)
        return now

    def set(self, seconds: float) -> None:
        """Somebody sets the wall clock forward or back."""
        self.now()
        self.set_by += round(seconds * SECOND)

    def suspend(self, seconds: float, *, monotonic_goes_on: bool) -> None:
        """Every machine sleeps for so long, and finds its wall clock right when it wakes up."""
        self.set(seconds)
        if monotonic_goes_on:
            self.slept += seconds
