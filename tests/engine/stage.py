"""A stage for the parts of the engine: virtual time, a network that waits to be told, a real store that fails at will.

Hops run inline, so that trio's mock clock sees all that happens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import trio

from tests.sqlite import clean_memory
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import Execution, Outcome, OutcomeKind, State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState, JobType, Request
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.domain.schedule import parse_schedule
from tui_scheduler.engine.arming import Arming
from tui_scheduler.engine.counters import Counters
from tui_scheduler.engine.engine import Engine
from tui_scheduler.engine.firing import Firing
from tui_scheduler.engine.hand import Hand, Held
from tui_scheduler.engine.node import Node
from tui_scheduler.engine.pulse import Pulse
from tui_scheduler.engine.settling import Settling
from tui_scheduler.engine.transport import Origin, Shot
from tui_scheduler.engine.trouble import Trouble
from tui_scheduler.engine.world import Alert, Lock, Options, Stores, World
from tui_scheduler.store.catalog import Entry
from tui_scheduler.store.claims import ClaimStore
from tui_scheduler.store.gates import RulesReader
from tui_scheduler.store.hot import rows
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.nodes import NodeStore
from tui_scheduler.store.pruning import PruneStore
from tui_scheduler.store.records import RecordStore
from tui_scheduler.store.rescues import RescueStore

T = TypeVar("T")
MS = 1_000
SECOND = 1_000_000
START = 1_780_000_000 * SECOND
"""The wall clock at the beginning of a test: a whole second."""
ORIGIN = Origin("http", "target", 80)
ONCE = JobType.ATMOST_ONCE


class StageClock:
    """trio's (virtual) time, and a wall clock that can be set."""

    def __init__(self) -> None:
        self.set_by = 0

    def now(self) -> int:
        return START + self.set_by + round(trio.current_time() * SECOND)

    def monotonic(self) -> float:
        return trio.current_time()

    async def sleep_until(self, instant: int) -> None:
        left = (instant - self.now()) / SECOND
        if left > 0:
            await trio.sleep(min(left, 0.05))


class StageTransport:
    """Keeps what was fired, and answers when told to."""

    def __init__(self, clock: StageClock) -> None:
        self._clock = clock
        self.fired: list[Shot] = []
        self.fired_at: list[int] = []
        self.aborted: list[Shot] = []
        self.warmed: list[tuple[Origin, int]] = []
        self.answers_with: int | None = None

    def arm(self, shot: Shot) -> None:
        shot.origin = ORIGIN
        shot.payload = (shot.request.body or "").encode()

    async def warm(self, origin: Origin, connections: int) -> None:
        self.warmed.append((origin, connections))
        await trio.lowlevel.checkpoint()

    def fire(self, shot: Shot) -> None:
        shot.started_at = self._clock.now()
        self.fired.append(shot)
        self.fired_at.append(self._clock.now() - START)
        if self.answers_with is not None:
            self.answer(shot, self.answers_with)

    def abort(self, shot: Shot) -> None:
        self.aborted.append(shot)
        shot.done(Outcome(OutcomeKind.ABORTED, self._clock.now(), shot.started_at, message="given up on request"))

    def answer(self, shot: Shot, status: int = 200) -> None:
        shot.done(Outcome(OutcomeKind.RESPONSE, self._clock.now(), shot.started_at, status))

    @property
    def bodies(self) -> list[str]:
        return [shot.payload.decode() for shot in self.fired]


class StageLock:
    """A lock that can be lost."""

    def __init__(self, locks: StageLocks, node: int) -> None:
        self._locks = locks
        self._node = node

    def is_still_held(self) -> bool:
        return self._node in self._locks.held

    def release(self) -> None:
        self._locks.held.discard(self._node)


class StageLocks:
    def __init__(self) -> None:
        self.held: set[int] = set()
        self.buried: list[int] = []

    def hold(self, node: int) -> Lock:
        self.held.add(node)
        return StageLock(self, node)

    def is_free(self, node: int) -> bool:
        return node not in self.held

    def bury(self, node: int) -> None:
        self.buried.append(node)


class Stage:
    """Everything a part of the engine needs. Use it inside a running trio loop.

    `away` names the store's methods that fail for now, `lost` those whose transaction commits while the caller hears
    that it failed, `gates` what a method waits for after its commit; `calls` are the methods called, in order.
    """

    def __init__(self, **options: Any) -> None:
        self.database = clean_memory()
        self.clock = StageClock()
        self.transport = StageTransport(self.clock)
        self.locks = StageLocks()
        self.away: set[str] = set()
        self.lost: set[str] = set()
        self.gates: dict[str, trio.Event] = {}
        self.calls: list[str] = []
        self._called: defaultdict[str, trio.Event] = defaultdict(trio.Event)
        self.alerts: list[Alert] = []
        self.log: list[tuple[str, dict[str, Any]]] = []
        self.jobs = JobStore(self.database)
        self.stores = Stores(
            jobs=self.jobs,
            claims=ClaimStore(self.database),
            records=RecordStore(self.database),
            rescues=RescueStore(self.database),
            nodes=NodeStore(self.database),
            pruning=PruneStore(self.database),
            rules=RulesReader(self.database),
        )
        self._numbers = iter(range(1, 1_000_000))
        self.world = World(
            clock=self.clock,
            stores=self.stores,
            locks=self.locks,
            hop=self.hop,
            open_transport=lambda _nursery: self.transport,
            alert=self.alerts.append,
            log=lambda event, **details: self.log.append((event, details)),
            options=Options(**options),
            draw=lambda: 0.5,
            new_uuid=lambda: f"{next(self._numbers):032x}",
        )
        self.counters = Counters()
        self.pulse = Pulse(self.clock, self.world.options.hold_fire_after_s)
        self.firing = Firing(self.clock, self.transport, self.pulse)
        self.node = Node(
            self.world, 0, Hand(self.world.options.slots), self.pulse, self.counters, Trouble(self.world.log)
        )

    async def hop(self, call: Callable[..., T], /, *arguments: Any) -> T:
        await trio.lowlevel.checkpoint()
        name = call.__name__
        self.calls.append(name)
        if name in self.away:
            self._tell(name)
            raise StoreUnavailable("the store is away", transient=True)
        result = call(*arguments)
        self._tell(name)
        if name in self.lost:
            self.lost.discard(name)
            raise StoreUnavailable("the connection was lost during the commit", transient=True)
        if name in self.gates:
            await self.gates[name].wait()
        return result

    def _tell(self, name: str) -> None:
        self._called.pop(name, trio.Event()).set()

    async def called(self, name: str) -> None:
        """Return when this method of the store has been called another time."""
        await self._called[name].wait()

    def registered(self) -> Node:
        """The node with a row in the store."""
        key = self.stores.nodes.register(self.world.new_uuid(), "here", 1, "0", self.clock.now())
        self.node = replace(self.node, key=key)
        return self.node

    def job(self, schedule: str = "* * * * * *", **details: Any) -> Job:
        """A stored job, made one µs before the present second so that it may be due now."""
        spec = {"request": Request("http://target/", body="v1"), "retry": RetryPolicy(max_attempts=1)}
        return self.jobs.create(JobSpec(schedule=schedule, **{**spec, **details}), self.clock.now() - 1)

    def edit(self, job: Job, body: str = "v2", **changes: Any) -> Job:
        """Another version of a job, committed."""

        def change(current: Job) -> JobSpec:
            return replace(current.spec, request=replace(current.spec.request, body=body), **changes)

        return self.jobs.update(job.id, change, self.clock.now())

    def executions(self) -> list[Any]:
        """All rows, oldest first."""
        with self.database.read() as connection:
            return list(rows(connection, "SELECT * FROM execution ORDER BY id"))

    def states(self) -> list[str]:
        return [row.state for row in self.executions()]

    def nodes(self) -> dict[int, str]:
        with self.database.read() as connection:
            return {row.id: row.state for row in rows(connection, "SELECT id, state FROM node ORDER BY id")}

    def arming(self, settling: Settling) -> Arming:
        return Arming(self.transport, self.world.execution_id, settling.ended)

    def claimed(self, settling: Settling, until: int = SECOND) -> list[Held]:
        """What is due until then (µs from the start), claimed, armed and taken to hand; not given to the firing."""
        now = self.clock.now()
        claimed = self.stores.claims.claim(self.node.key, now, START + until, 10_000)
        held = [self.arming(settling).arm(claim) for claim in claimed.claims]
        for one in held:
            self.node.hand.take(one)
        return held

    def engine(self) -> Engine:
        return Engine(self.world)


def held(due: int, *, key: int = 1, done: Callable[[Outcome], None] | None = None, **spec: Any) -> Held:
    """An execution in hand that no store knows, due that many µs after the start, of a job as described."""
    job = some_job(key=key, **spec)
    execution = Execution(key, job.key, START + due, START + due, Trigger.SCHEDULE, State.CLAIMED, 1, 1)
    shot = Shot(job.spec.request, (), SECOND, may_reconnect=True, done=done or (lambda _outcome: None))
    shot.origin = ORIGIN
    shot.payload = str(key).encode()
    return Held(execution, Entry(job, parse_schedule("* * * * * *", "UTC", created_at=0)), START + due, shot)


def some_job(*, key: int = 1, **spec: Any) -> Job:
    described = JobSpec(schedule="* * * * * *", **{"request": Request("http://target/"), **spec})
    return Job(key, f"job-{key}", described, JobState.ACTIVE, 1, START, START)
