"""What keeps the engine from its work at the moment, and how long to wait before trying again."""

from __future__ import annotations

from collections.abc import Callable

import trio

from tui_scheduler.domain.errors import StoreUnavailable

_FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0


class Trouble:
    """Troubles by the activity they stop. Each activity backs off on its own; the first time it is said aloud."""

    def __init__(self, log: Callable[..., None]) -> None:
        self._log = log
        self._reasons: dict[str, str] = {}
        self._waits: dict[str, float] = {}

    @property
    def reasons(self) -> tuple[str, ...]:
        """One sentence each; empty when all is well."""
        return tuple(f"{activity}: {reason}" for activity, reason in self._reasons.items())

    async def wait(self, activity: str, unavailable: StoreUnavailable, longest_s: float = LONGEST_WAIT_S) -> None:
        """Note that `activity` cannot go on now, and sleep: 0.1 s at first, up to `longest_s`."""
        if activity not in self._reasons:
            self._log("store_unavailable", activity=activity, reason=str(unavailable))
        self._reasons[activity] = str(unavailable)
        pause = self._waits.get(activity, _FIRST_WAIT_S)
        self._waits[activity] = min(pause * 2, longest_s)
        await trio.sleep(pause)

    def over(self, activity: str) -> None:
        """`activity` works (again)."""
        if self._reasons.pop(activity, None) is not None:
            self._waits.pop(activity, None)
            self._log("store_available", activity=activity)
