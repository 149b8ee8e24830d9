"""One history out of one seed: jobs, users, faults, and an end at which everything must have come to rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random

import trio
import trio.testing

from tests.simulation.faults import Faults
from tests.simulation.world import SECOND, SimulatedNode, Target, VirtualTime
from tui_scheduler.domain.errors import Conflict, NotFound
from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobType, Overlap, Request
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.jobs import JobStore

STARTS = (
    datetime(2026, 6, 1, 11, 59, 30, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 48, tzinfo=UTC),  # Europe's gap at 01:00 UTC
    datetime(2026, 10, 25, 0, 59, 48, tzinfo=UTC),  # Europe's overlap at 01:00 UTC
    datetime(2026, 11, 1, 5, 59, 48, tzinfo=UTC),  # New York's overlap at 06:00 UTC
)
SCHEDULES = (
    "* * * * * *",
    "*/3 * * * * *",
    "*/7 * * * * *",
    "30 * * * * *",
    "0 30 1 * * *",
    "0 0 2 * * *",
    "15 */2 * * * *",
    "@every 1s",
    "@every 4s",
    "@every 11s",
)
ZONES = ("UTC", "Europe/Berlin", "America/New_York")
UNFINISHED = "SELECT COUNT(*) AS n FROM execution WHERE state IN ('pending', 'claimed', 'running', 'retrying')"
OVERDUE = "SELECT COUNT(*) AS n FROM timer WHERE next_fire_at <= ?"


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a user did, and the moment (µs, wall clock) its transaction ran at; `job` is as it was afterwards."""

    at: int
    what: str
    job: Job


@dataclass(slots=True)
class History:
    """What a seed gave: everything the audit needs."""

    seed: int
    database: Database
    started_at: int
    ended_at: int = 0
    deeds: list[Deed] = field(default_factory=list)
    manual: list[int] = field(default_factory=list)
    target: Target = field(default_factory=lambda: Target(Random(0)))
    nodes: list[SimulatedNode] = field(default_factory=list)
    clock_was_set: int = 0
    time: VirtualTime = field(default_factory=lambda: VirtualTime(0))
    came_to_rest: bool = False

    @property
    def crashes(self) -> int:
        return sum(node.crashes for node in self.nodes)


def wipe(database: Database) -> None:
    """An empty store, as after the first migration."""
    with database.write() as connection:
        for table in ("attempt", "execution", "timer", "job", "node", "sqlite_sequence"):
            run(connection, f"DELETE FROM {table}")
        run(connection, "UPDATE meta SET value = 0 WHERE name = 'change_no'")


class Story:
    """Plays one history."""

    def __init__(self, seed: int, database: Database, crash_at: int | None = None) -> None:
        self._random = Random(seed)
        draw = self._random
        start = draw.choice(STARTS).timestamp()
        self._time = VirtualTime(int(start) * SECOND + draw.randrange(SECOND))
        self._jobs = JobStore(database)
        self._length = draw.uniform(10, 45)
        self._stop = trio.Event()
        target = Target(Random(draw.random()))
        self.history = History(seed, database, self._time.start, target=target, time=self._time)
        locks: dict[int, SimulatedNode] = {}
        for number in range(draw.choice((1, 1, 2, 3))):
            faults = Faults(Random(draw.random()), draw.choice((0.0, 0.003, 0.01)), draw.choice((0.0, 0.01, 0.05)))
            if crash_at is not None and number == 0:
                faults = Faults(Random(draw.random()), crash_at=crash_at)
            node = SimulatedNode(number, database, self._time, target, faults, Random(draw.random()), locks)
            node.skew = draw.choice((0, 0, 30_000, -120_000)) if number else 0
            self.history.nodes.append(node)

    async def play(self) -> None:
        """From the creation of the jobs until all is at rest and every node has stopped."""
        async with trio.open_nursery() as nursery:
            for _ in range(self._random.randint(1, 5)):
                self._create()
            for node in self.history.nodes:
                nursery.start_soon(self._run_node, node)
            with trio.move_on_after(self._length):
                async with trio.open_nursery() as unrest:
                    unrest.start_soon(self._users)
                    unrest.start_soon(self._disturb)
            for node in self.history.nodes:
                node.faults.calm()
            await self._rest()
            self.history.ended_at = self._time.now()
            self._stop.set()

    async def _run_node(self, node: SimulatedNode) -> None:
        await trio.sleep(self._random.choice((0.0, 0.2, 5.0)))
        await node.run(until=self._stop)

    async def _rest(self) -> None:
        """With no more faults, wait until everything due was planned; pause all jobs; wait until all has ended."""
        await self._wait_for(lambda now: not self._count(OVERDUE, now - 2 * SECOND))
        for deed in self._latest():
            self._try("pause", self._jobs.pause, deed.job)
        await self._wait_for(lambda now: not self._count(UNFINISHED))
        self.history.came_to_rest = True

    async def _wait_for(self, condition: Callable[[int], bool]) -> None:
        """Until it holds at two looks two seconds apart. Fails the history after fifteen minutes."""
        with trio.fail_after(900):
            for _ in range(2):
                await trio.sleep(2)
                while not condition(self._time.now()):  # noqa: ASYNC110 - virtual time; the store sends no signal
                    await trio.sleep(1)

    def _count(self, statement: str, *values: int) -> int:
        with self.history.database.read() as connection:
            return int(rows(connection, statement, *values)[0].n)

    def _create(self) -> None:
        draw = self._random
        kind = draw.choice((JobType.ATLEAST_ONCE, JobType.ATLEAST_ONCE, JobType.ATMOST_ONCE))
        spec = JobSpec(
            schedule=draw.choice(SCHEDULES),
            request=Request("http://target/"),
            name=f"job {len(self.history.deeds)}",
            timezone=draw.choice(ZONES),
            type=kind,
            retry=RetryPolicy(max_attempts=draw.randint(1, 4), base=draw.choice((100_000, SECOND)), cap=4 * SECOND),
            timeout=draw.choice((SECOND, 3 * SECOND)),
            priority=draw.choice((1, 5, 5, 9)),
            overlap=draw.choice(tuple(Overlap)),
            catch_up=draw.choice(tuple(CatchUp)),
            grace=draw.choice((2 * SECOND, 60 * SECOND)),
            jitter=draw.choice((0, 0, 700_000)),
        )
        now = self._time.now()
        job_id = f"{draw.getrandbits(128):032x}"
        self.history.deeds.append(Deed(now, "create", self._jobs.create(spec, now, job_id=job_id)))

    async def _users(self) -> None:
        draw = self._random
        while True:
            await trio.sleep(draw.expovariate(0.15))
            deed = draw.choice(self._latest())
            self._do(draw.choice(("pause", "resume", "resume", "edit", "edit", "run", "delete", "restore")), deed.job)

    def _do(self, what: str, job: Job) -> None:
        draw = self._random
        if what == "run":
            self._run_now(job)
        elif what == "edit":
            schedule, body = draw.choice((None, draw.choice(SCHEDULES))), f"edit {draw.random()}"

            def change(current: Job) -> JobSpec:
                request = Request("http://target/", body=body)
                return replace(current.spec, request=request, schedule=schedule or current.spec.schedule)

            self._try("edit", lambda job_id, now: self._jobs.update(job_id, change, now), job)
        else:
            steps: dict[str, Callable[[str, int], Job]] = {
                "pause": self._jobs.pause,
                "resume": self._jobs.resume,
                "delete": self._jobs.delete,
                "restore": self._jobs.restore,
            }
            self._try(what, steps[what], job)

    def _try(self, what: str, step: Callable[[str, int], Job], job: Job) -> None:
        now = self._time.now()
        try:
            changed = step(job.id, now)
        except (Conflict, NotFound):
            return
        self.history.deeds.append(Deed(now, what, changed))

    def _run_now(self, job: Job) -> None:
        try:
            self.history.manual.append(self._jobs.run_now(job.id, self._time.now()).key)
        except NotFound:
            return

    def _latest(self) -> list[Deed]:
        latest: dict[int, Deed] = {}
        for deed in self.history.deeds:
            latest[deed.job.key] = deed
        return list(latest.values())

    async def _disturb(self) -> None:
        """Crashes out of the blue, frozen nodes, a clock that is set."""
        draw = self._random
        what = draw.choice(("nothing", "crash", "freeze", "freeze", "clock", "all"))
        if what == "nothing":
            return
        while True:
            await trio.sleep(draw.expovariate(0.08))
            node = draw.choice(self.history.nodes)
            now = draw.choice(("crash", "freeze", "clock")) if what == "all" else what
            if now == "crash":
                node.crash()
            elif now == "freeze":
                await node.freeze(draw.choice((0.5, 4.0, 9.0, 40.0)))
            elif draw.random() < 0.4:
                self.history.clock_was_set += 1
                self._time.set_by += draw.choice((-40, -5, -1, 2, 70, 600)) * SECOND


def play(seed: int, database: Database, crash_at: int | None = None) -> History:
    """Play the history of a seed on an emptied store. The same seed gives the same history."""
    wipe(database)
    story = Story(seed, database, crash_at)
    # trio shuffles what runs next, on purpose; these two make it repeatable (as Hypothesis does it).
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio._core._run._r.seed(seed)
    trio.run(story.play, clock=trio.testing.MockClock(autojump_threshold=0))
    return story.history
