"""Whether this node may still act. Others may take its work once it has been silent; it must have stopped by then."""

from __future__ import annotations

from tui_scheduler.engine.clock import Clock


class Pulse:
    """The time of this node's own last committed heartbeat, on the monotonic clock."""

    def __init__(self, clock: Clock, stale_after_s: float) -> None:
        self._clock = clock
        self._bound_s = stale_after_s / 2
        self._last = clock.monotonic()
        self.beats = 0

    def beat(self, began: float) -> None:
        """A heartbeat was committed; it counts from the moment it was begun (monotonic seconds)."""
        self._last = began
        self.beats += 1

    @property
    def is_fresh(self) -> bool:
        """False from half the time on after which others may declare this node dead: hold fire, claim nothing."""
        return self._clock.monotonic() - self._last < self._bound_s
