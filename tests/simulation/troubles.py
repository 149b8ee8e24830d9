"""What comes out of the blue: crashes, frozen and suspended nodes, clocks that are set, a store that is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random

from tests.simulation.clocks import SECOND
from tests.simulation.history import History
from tests.simulation.memory import DirectMemory
from tests.simulation.world import Weather

HARDLY_ANY = ("nothing", "nothing", "clock", "suspend")
KINDS = (
    "nothing",
    "crash",
    "freeze",
    "freeze",
    "clock",
    "far clock",
    "suspend",
    "outage",
    "cut off",
    "full disk",
    "all",
)


class Troubles:
    """One kind of trouble, or all kinds in turn, for as long as it runs."""

    def __init__(self, history: History, draw: Random, weather: Weather, kinds: tuple[str, ...] | None) -> None:
        self._history = history
        self._draw = draw
        self._weather = weather
        self._what = draw.choice(kinds or KINDS)
        self.has_far_jumps = self._what == "far clock" or (self._what in {"all", "clock"} and draw.random() < 0.5)
        self._every: dict[str, Callable[[], Awaitable[None]]] = {
            "crash": self.crash,
            "freeze": self.freeze,
            "clock": self.set_clock,
            "suspend": self.suspend,
            "outage": self.take_store_away,
            "cut off": self.cut_off,
            "full disk": self.fill_disk,
        }

    async def run(self) -> None:
        """Until cancelled."""
        if self._what == "nothing":
            return
        pause = self._history.time.clock.sleep
        while True:
            await pause(self._draw.expovariate(0.12))
            what = self._draw.choice(tuple(self._every)) if self._what == "all" else self._what.removeprefix("far ")
            await self._every[what]()

    def end(self) -> None:
        """The store is there again, whatever was under way, and a clock that is hours behind is set right.

        What waits for an instant (a retry, a run by hand) would wait for hours.
        """
        self._weather.store_is_away = False
        self._fill(full=False)
        time = self._history.time
        if (behind := time.latest - time.now()) > 600 * SECOND:
            time.set(behind / SECOND)

    async def crash(self) -> None:
        """kill -9."""
        self._draw.choice(self._history.nodes).crash()

    async def freeze(self) -> None:
        """SIGSTOP, or one machine suspended."""
        self._history.tally.freezes += 1
        node = self._draw.choice(self._history.nodes)
        await node.freeze(self._draw.choice((0.5, 4.0, 9.0, 20.0, 30.0)), monotonic_goes_on=self._draw.random() < 0.6)

    async def set_clock(self) -> None:
        """The wall clock of all nodes is set."""
        if self._draw.random() < 0.6:
            self._history.tally.clock_jumps += 1
            near, far = (-40, -5, -1, 2, 70, 600), (-3_600, -3_600, 3_600, -40, 2)
            self._set_by(self._draw.choice(far if self.has_far_jumps else near))

    def _set_by(self, seconds: int) -> None:
        self._history.clock_was_set_back |= seconds < 0
        self._history.time.set(seconds)

    async def suspend(self) -> None:
        """All machines sleep, from seconds to minutes (days, where jobs are sparse)."""
        if self._draw.random() < 0.6:
            self._history.tally.suspends += 1
            seconds = self._draw.choice((3.0, 20.0, 90.0, 600.0))
            self._history.time.suspend(seconds, monotonic_goes_on=self._draw.random() < 0.5)

    async def take_store_away(self) -> None:
        """Nobody reaches the store for a while."""
        self._history.tally.outages += 1
        self._weather.store_is_away = True
        await self._history.time.clock.sleep(self._draw.choice((0.3, 3.0, 12.0)))
        self._weather.store_is_away = False

    async def cut_off(self) -> None:
        """One node does not reach the store for a while."""
        self._history.tally.outages += 1
        await self._draw.choice(self._history.nodes).cut_off(self._draw.choice((0.3, 3.0, 9.0, 25.0)))

    async def fill_disk(self) -> None:
        """Nothing can be written for a while."""
        self._history.tally.outages += 1
        self._fill(full=True)
        await self._history.time.clock.sleep(self._draw.choice((0.3, 3.0, 12.0)))
        self._fill(full=False)

    def _fill(self, *, full: bool) -> None:
        memory = self._history.database.connections
        if isinstance(memory, DirectMemory):
            memory.disk_is_full = full
