"""A year of virtual time: sparse jobs through both changes of the clocks, on machines that sleep in between.

Where nothing is due, all machines are suspended and wake up a few seconds before what comes next, so a year takes
seconds; the engines run as they always do. Now and then they oversleep, by minutes or days.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.simulation.audit import KEEP_FAILED
from tests.simulation.clocks import SECOND
from tests.simulation.deeds import EVERYDAY, ZONES, Users, draw_spec
from tests.simulation.faults import Faults
from tests.simulation.story import OVERDUE, UNFINISHED, Story
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows

DAY = 86_400 * SECOND
SPARSE = (
    "0 30 2 * * *",
    "0 30 1 * * *",
    "0 0 0 * * *",
    "0 15 2 * * SUN",
    "0 45 1 * * SUN,MON",
    "0 0 9 * * MON-FRI",
    "0 0 12 1 * *",
    "0 5 2 L * *",
    "0 30 10 * * FRI#2",
    "0 0 2 29 2 *",
    "@every 86399s",
    "@at 2026-10-25T02:30:00+01:00",
)
DEEDS = (*EVERYDAY, "rezone", "rezone", "create", *["resume", "restore"] * 4)
"""What is paused or deleted comes back soon, or a year would be a silent one."""
TROUBLES = ("crash", "freeze", "set_clock", "oversleep", "oversleep", "cut_off", "take_store_away", "fill_disk")
NEXT = "SELECT MIN(next_fire_at) AS at FROM timer"


class YearStory(Story):
    """One year, whatever it takes."""

    def __init__(self, seed: int, database: Database) -> None:
        super().__init__(seed, database)
        self._plot = None
        draw = self._random
        self._time.start += draw.randrange(365) * DAY
        self._until = self._time.start + 366 * DAY
        self.users = Users(self.history, draw, SPARSE)
        self.history.keep_age = draw.choice((None, 30 * DAY))
        for node in self.history.nodes:
            keep_failed = self.history.keep_age and KEEP_FAILED
            node.options = replace(
                node.options, keep_age=self.history.keep_age, keep_failed_age=keep_failed, prune_batch=50
            )
            node.ticks = (0.2, 0.4)
        self._troubles.has_far_jumps = True
        self._next_event = 0

    def _faults(self) -> Faults:
        return Faults(Random(self._random.random()), slow=0.005, lose=0.001)

    def _create(self) -> None:
        draw = self._random
        for number in range(draw.choice((1, 2, 2))):
            zone = draw.choice(("Europe/Berlin", "America/New_York", *ZONES))
            spec = replace(draw_spec(draw, SPARSE, f"job {number}"), timezone=zone)
            self.users.create_job(spec, f"{draw.getrandbits(128):032x}")

    async def _pass(self) -> None:
        """From one thing that is due to the next."""
        self._plan_event()
        while self._time.now() < self._until:
            await self._time.clock.sleep(0.5)
            now = self._time.now()
            if now >= self._next_event:
                await self._meet()
                self._plan_event()
            elif not self._count(UNFINISHED) and not self._count(OVERDUE, now):
                self._sleep_through(now)

    def _sleep_through(self, now: int) -> None:
        """All machines are suspended until just before what comes next."""
        due = [self._next_event, self._until, *self._next_due()]
        quiet = (min(due) - now) / SECOND - self._random.choice((2.2, 2.5, 4.0))
        if quiet > 1:
            self._time.suspend(quiet, monotonic_goes_on=self._random.random() < 0.3)

    def _next_due(self) -> list[int]:
        with self.history.database.read() as connection:
            return [row.at for row in rows(connection, NEXT) if row.at is not None]

    def _plan_event(self) -> None:
        """A dozen deeds and half a dozen troubles a year."""
        self._next_event = self._time.now() + round(self._random.expovariate(1 / (20 * DAY)))

    async def _meet(self) -> None:
        draw = self._random
        if draw.random() < 0.6:
            self.users.do(draw.choice(DEEDS), draw.choice(self.history.latest()))
            return
        what = draw.choice(TROUBLES)
        if what == "oversleep":
            self.history.tally.suspends += 1
            seconds = draw.choice((120.0, 1_800.0, 7_200.0, 86_400.0, 3 * 86_400.0))
            self._time.suspend(seconds, monotonic_goes_on=draw.random() < 0.5)
        else:
            await getattr(self._troubles, what)()
