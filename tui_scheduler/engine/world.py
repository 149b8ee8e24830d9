"""Everything of the world that the engine touches, given to it: the real one, or a simulated one."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import trio

from tui_scheduler.engine.clock import Clock
from tui_scheduler.engine.transport import Transport
from tui_scheduler.store.claims import ClaimStore
from tui_scheduler.store.database import Database
from tui_scheduler.store.gates import RulesReader
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.nodes import NodeStore
from tui_scheduler.store.pruning import PruneStore
from tui_scheduler.store.records import RecordStore
from tui_scheduler.store.rescues import RescueStore

T = TypeVar("T")
SECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class Options:
    """How an engine works. Instants and durations in µs unless the name ends in `_s` (seconds)."""

    look_ahead: int = 2 * SECOND
    slots: int = 20_000
    per_origin: int | None = None
    """Requests under way to one origin at once, where `origins` names no other number for it."""
    origins: Mapping[str, int] = field(default_factory=dict)
    tick_s: float = 0.1
    claim_batch: int = 2_000
    record_every_s: float = 0.05
    record_batch: int = 1_000
    heartbeat_s: float = 1.0
    stale_after_s: float = 15.0
    lock_grace_s: float = 0.0
    drain_s: float = 8.0
    prune_every_s: float = 5.0
    prune_batch: int = 500
    keep_age: int | None = 30 * 86_400 * SECOND
    keep_failed_age: int | None = 90 * 86_400 * SECOND
    keep_count: int | None = None
    purge_after: int = 7 * 86_400 * SECOND

    @property
    def hold_fire_after_s(self) -> float:
        """How long this node may be silent and yet send. Others take its work when it has been silent for longer: for
        `stale_after_s`, or, where its lock is free without its being dead (a broken connection), for `lock_grace_s`.
        """
        half = self.stale_after_s / 2
        return min(half, self.lock_grace_s) if self.lock_grace_s else half


@dataclass(frozen=True, slots=True)
class Stores:
    """The store, by what is done with it; `stores_of` makes them."""

    jobs: JobStore
    claims: ClaimStore
    records: RecordStore
    rescues: RescueStore
    nodes: NodeStore
    pruning: PruneStore
    rules: RulesReader


def stores_of(database: Database) -> Stores:
    """The stores of one engine on this database."""
    return Stores(
        jobs=JobStore(database),
        claims=ClaimStore(database),
        records=RecordStore(database),
        rescues=RescueStore(database),
        nodes=NodeStore(database),
        pruning=PruneStore(database),
        rules=RulesReader(database),
    )


class Lock(Protocol):
    """Held as long as its node lives."""

    def release(self) -> None: ...

    def is_still_held(self) -> bool: ...


class Locks(Protocol):
    """Locks that the system drops when their holder dies."""

    def hold(self, node: int) -> Lock:
        """Take the lock of a node."""
        ...

    def is_free(self, node: int) -> bool:
        """Whether the holder is gone."""
        ...

    def bury(self, node: int) -> None:
        """Clear away the lock of a dead node."""
        ...


class Hop(Protocol):
    """Runs a blocking call (one store transaction) away from the engine's thread."""

    def __call__(self, call: Callable[..., T], /, *arguments: Any) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True)
class Alert:
    """Something a person should hear of. `at` µs since the epoch."""

    at: int
    job_id: str
    job_name: str
    scheduled_for: int
    state: str
    attempts: int
    message: str


@dataclass(frozen=True, slots=True)
class World:
    """Clock, store, network and chance."""

    clock: Clock
    stores: Stores
    locks: Locks
    hop: Hop
    open_transport: Callable[[trio.Nursery], Transport]
    alert: Callable[[Alert], None]
    log: Callable[..., None]
    options: Options = field(default_factory=Options)
    draw: Callable[[], float] = random.random
    host: str = ""
    pid: int = 0
    version: str = ""
    new_uuid: Callable[[], str] = str
    execution_id: Callable[[int, int], str] = lambda key, _scheduled_for: str(key)
