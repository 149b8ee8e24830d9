"""Whether this node may act: others must not have reason to think it dead, and it must have seen what users changed."""

from __future__ import annotations

import trio

from tui_scheduler.domain.decisions import BINDS_AFTER
from tui_scheduler.engine.clock import Clock

_ALWAYS = 2**63


class Pulse:
    """This node's last committed heartbeat, on both clocks, and its last look at edits, on the wall clock.

    A machine that was halted from outside (a virtual one, mostly) finds its monotonic clock as it left it, but soon a
    wall clock that has been set right: what either clock says has passed has passed.
    """

    def __init__(self, clock: Clock, hold_fire_after_s: float) -> None:
        self._clock = clock
        self._bound_s = hold_fire_after_s
        self._last_beat = clock.monotonic()
        self._last_beat_at = clock.now()
        self._looked_at: int | None = clock.now()
        self._news = trio.lowlevel.ParkingLot()
        self.beats = 0
        self.returned_at = self._last_beat
        """When it last committed a heartbeat after too long a silence (monotonic seconds); its start, if never."""

    def beat(self, began: float, began_at: int | None = None) -> None:
        """A heartbeat was committed; it counts from the moment it was begun: monotonic seconds, and µs by the wall
        clock (now, unless it says).
        """
        if began - self._last_beat >= self._bound_s:
            self.returned_at = began
        self._last_beat = began
        self._last_beat_at = self._clock.now() if began_at is None else began_at
        self.beats += 1
        self._news.unpark_all()

    def looked(self, began: int | None) -> None:
        """Edits committed before `began` (µs) are known here; None when the store cannot be read, nor then edited."""
        self._looked_at = began
        self._news.unpark_all()

    @property
    def is_fresh(self) -> bool:
        """False from half the time on after which others may declare this node dead: hold fire, claim nothing."""
        passed = (self._clock.now() - self._last_beat_at) / 1_000_000
        return passed < self._bound_s and self._clock.monotonic() - self._last_beat < self._bound_s

    @property
    def fresh_until(self) -> float:
        """When `is_fresh` ends unless there is another heartbeat (monotonic seconds)."""
        return self._last_beat + self._bound_s

    def may_fire(self, due: int) -> bool:
        """Whether what is due at `due` (µs) may be sent: every edit that binds it must have been seen."""
        return due <= self.fire_limit()

    def fire_limit(self) -> int:
        """The latest instant (µs) of which everything may be sent now; -1 when nothing may."""
        if not self.is_fresh:
            return -1
        return _ALWAYS if self._looked_at is None else self._looked_at + BINDS_AFTER

    async def news(self) -> None:
        """Return at the next heartbeat or look."""
        await self._news.park()
