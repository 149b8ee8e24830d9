"""One history out of one seed: jobs, users, faults, and an end at which everything must have come to rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random

import trio

from tests.simulation.clocks import SECOND, VirtualTime
from tests.simulation.deeds import ALL, EVERYDAY, FREQUENT, SPARSE, Users
from tests.simulation.faults import Fault, Faults
from tests.simulation.history import History
from tests.simulation.holds import Stewards
from tests.simulation.target import Target
from tests.simulation.troubles import HARDLY_ANY, Troubles
from tests.simulation.world import SimulatedNode, Weather
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows

STARTS = (
    datetime(2026, 6, 1, 11, 59, 30, tzinfo=UTC),
    datetime(2026, 6, 1, 11, 59, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 48, tzinfo=UTC),  # Europe's gap at 01:00 UTC
    datetime(2026, 10, 25, 0, 59, 48, tzinfo=UTC),  # Europe's overlap at 01:00 UTC
    datetime(2026, 3, 8, 6, 59, 48, tzinfo=UTC),  # New York's gap at 07:00 UTC
    datetime(2026, 11, 1, 5, 59, 48, tzinfo=UTC),  # New York's overlap at 06:00 UTC
    datetime(2026, 4, 4, 14, 59, 48, tzinfo=UTC),  # Lord Howe's overlap of half an hour at 15:00 UTC
)
SKEWS = (0, 0, 30_000, 90_000, -60_000, -120_000)
"""µs by which the clocks of nodes differ: two of them by no more than 210 ms, less than the 250 ms of an edit."""

UNFINISHED = "SELECT COUNT(*) AS n FROM execution WHERE state IN ('pending', 'claimed', 'running', 'retrying')"
OVERDUE = "SELECT COUNT(*) AS n FROM timer WHERE next_fire_at <= ?"


class Plot:
    """What happens at which of the first transactions of node 0: nothing is left to chance but the rest of the story.

    `crash_at` is a crash around that transaction, `lose_at` an answer that is lost, `freeze_at` a frozen node, and at
    `deed_at` a user does `deed` (see `deeds.ALL`) just after it.
    """

    def __init__(
        self,
        *,
        crash_at: int | None = None,
        lose_at: int | None = None,
        freeze_at: int | None = None,
        deed_at: int | None = None,
        deed: str = "edit",
    ) -> None:
        self.crash_at = crash_at
        self.lose_at = lose_at
        self.freeze_at = freeze_at
        self.deed_at = deed_at
        self.deed = deed

    @classmethod
    def drawn(cls, draw: Random, steps: int) -> Plot:
        """Some of everything within so many transactions."""

        def somewhere(chance: float) -> int | None:
            at = draw.randint(1, steps)
            return at if draw.random() < chance else None

        return cls(
            crash_at=somewhere(0.5),
            lose_at=somewhere(0.5),
            freeze_at=somewhere(0.3),
            deed_at=somewhere(1.0),
            deed=draw.choice(ALL),
        )


class Story:
    """Plays one history."""

    def __init__(self, seed: int, database: Database, plot: Plot | None = None) -> None:
        self._random = draw = Random(seed)
        start = draw.choice(STARTS).timestamp()
        self._time = time = VirtualTime(int(start) * SECOND + draw.randrange(SECOND))
        self._plot = plot
        if plot is None and draw.random() < 0.4:
            self._plot = Plot.drawn(draw, draw.choice((20, 60, 150)))
        self._length = draw.uniform(3, 8) if self._plot else draw.choice((draw.uniform(3, 12), draw.uniform(10, 40)))
        self._stop = trio.Event()
        self._weather = Weather()
        target = Target(Random(draw.random()))
        self.history = History(seed, database, time, target=target)
        locks: dict[int, SimulatedNode] = {}
        like_a_server = draw.random() < 0.3
        for number in range(draw.choice((1, 1, 2, 3))):
            node = SimulatedNode(
                number, database, time, target, self._faults(), Random(draw.random()), locks, self._weather
            )
            node.skew = draw.choice(SKEWS)
            node.options = replace(node.options, lock_grace_s=3.0 if like_a_server else 0.0)
            self.history.nodes.append(node)
        self._troubles = Troubles(self.history, draw, self._weather, HARDLY_ANY if self._plot else None)
        self.stewards = Stewards(self.history)
        self.users = Users(self.history, draw, SPARSE if self._troubles.has_far_jumps else FREQUENT)
        self.users.queue_of = self.stewards.queue_of

    async def play(self) -> None:
        """From the creation of the jobs until all is at rest and every node has stopped."""
        async with trio.open_nursery() as nursery:
            self._create()
            if self._plot is not None:
                self.history.nodes[0].faults.plan = self._planned(self._plot, nursery)
            for node in self.history.nodes:
                nursery.start_soon(self._run_node, node)
            await self._pass()
            for node in self.history.nodes:
                node.faults.calm()
            self._troubles.end()
            self.stewards.end()
            await self._rest()
            self.history.ended_at = self._time.now()
            self._stop.set()
        tally = self.history.tally
        tally.crashes = sum(node.crashes for node in self.history.nodes)
        tally.lost_answers = sum(node.lost_answers for node in self.history.nodes)

    def _create(self) -> None:
        for _ in range(self._random.randint(1, 2 if self._plot else 5)):
            self.users.create()

    async def _pass(self) -> None:
        """The time in which things happen."""
        with trio.move_on_after(self._length):
            async with trio.open_nursery() as unrest:
                unrest.start_soon(self._users)
                unrest.start_soon(self._troubles.run)
                unrest.start_soon(self.stewards.run)

    def _faults(self) -> Faults:
        draw = self._random
        if self._plot is not None:
            return Faults(Random(draw.random()), slow=draw.choice((0.0, 0.02)))
        return Faults(
            Random(draw.random()),
            crash=draw.choice((0.0, 0.003, 0.01)),
            slow=draw.choice((0.0, 0.01, 0.05)),
            refuse=draw.choice((0.0, 0.0, 0.01)),
            lose=draw.choice((0.0, 0.005, 0.03)),
        )

    def _planned(self, plot: Plot, nursery: trio.Nursery) -> dict[int, Fault]:
        node, plan = self.history.nodes[0], {}

        def do() -> None:
            self.users.do(plot.deed, self._random.choice(self.history.latest()))

        def freeze() -> None:
            self.history.tally.freezes += 1
            nursery.start_soon(node.freeze, self._random.choice((2.0, 9.0, 20.0)))

        if plot.freeze_at is not None:
            plan[plot.freeze_at] = Fault(after=0.001, then=freeze)
        if plot.deed_at is not None:
            plan[plot.deed_at] = replace(plan.get(plot.deed_at, Fault(after=0.001)), then=do)
        if plot.lose_at is not None:
            plan[plot.lose_at] = replace(plan.get(plot.lose_at, Fault(after=0.001)), answer_is_lost=True)
        if plot.crash_at is not None:
            after = self._random.random() < 0.7
            at = plan.get(plot.crash_at, Fault(after=0.001))
            plan[plot.crash_at] = replace(at, crash_after=after, crash_before=not after)
        return plan

    async def _run_node(self, node: SimulatedNode) -> None:
        await self._time.clock.sleep(self._random.choice((0.001, 0.2, 5.0)))
        await node.run(until=self._stop)

    async def _users(self) -> None:
        draw = self._random
        kinds = draw.choice((EVERYDAY, EVERYDAY, ALL))
        while True:
            await self._time.clock.sleep(draw.expovariate(0.15))
            self.users.do(draw.choice(kinds), draw.choice(self.history.latest()))

    async def _rest(self) -> None:
        """With no more faults, wait until everything due was planned; pause all jobs; wait until all has ended."""
        await self._wait_for(lambda now: not self._count(OVERDUE, now - 2 * SECOND))
        for job in self.history.latest():
            self.users.do("pause", job)
        await self._wait_for(lambda _now: not self._count(UNFINISHED))
        self.history.came_to_rest = True

    async def _wait_for(self, condition: Callable[[int], bool]) -> None:
        """Until it holds at two looks a second apart. Fails the history after fifteen minutes."""
        with trio.fail_after(900):
            for _ in range(2):
                await self._time.clock.sleep(1)
                while not condition(self._time.now()):  # virtual time; the store sends no signal
                    await self._time.clock.sleep(0.5)

    def _count(self, statement: str, *values: int) -> int:
        with self.history.database.read() as connection:
            return int(rows(connection, statement, *values)[0].n)
