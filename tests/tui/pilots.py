"""Playing a scenario on an app without a terminal. Textual runs on asyncio, the engine's tests on trio: a loop of its
own for each scenario keeps the two apart.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from textual.app import App
from textual.pilot import Pilot

WIDE = (120, 36)
NARROW = (80, 24)
DEADLINE_S = 20.0


def play(app: App[Any], scenario: Callable[[Pilot[Any]], Awaitable[None]], *, size: tuple[int, int] = WIDE) -> None:
    """Run the app at a size, play the scenario on it, and end it."""

    async def run() -> None:
        async with app.run_test(size=size, notifications=True) as pilot:
            await pilot.pause()
            await scenario(pilot)

    asyncio.run(run())


async def until(pilot: Pilot[Any], holds: Callable[[], object]) -> None:
    """Let the app go on until something holds; fails when it does not within the deadline."""
    end = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < end, "it did not come to hold"
        await pilot.pause(0.01)
