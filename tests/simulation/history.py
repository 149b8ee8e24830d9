"""What a history leaves behind: everything the audit needs to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.clocks import VirtualTime
from tests.simulation.target import Target
from tui_scheduler.domain.job import Job
from tui_scheduler.domain.queues import Limits
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows, run

if TYPE_CHECKING:
    from tests.simulation.world import SimulatedNode


@dataclass(frozen=True, slots=True)
class Deed:
    """Something a user did; `job` is as it was afterwards.

    `at` is what the wall clock said (µs) when its transaction ran, `moment` the virtual seconds since the start, and
    `latest` the furthest the wall clock had ever been (µs).
    """

    at: int
    what: str
    job: Job
    moment: float
    latest: int


@dataclass(frozen=True, slots=True)
class Hold:
    """A limit that was set, a window that was made, or one that was ended; at what the wall clock said (µs) and at that
    many virtual seconds since the start.
    """

    at: int
    moment: float
    what: str
    queue: str
    limits: Limits
    window: WindowSpec | None


@dataclass(slots=True)
class Tally:
    """What befell a history. Adds up over histories."""

    crashes: int = 0
    freezes: int = 0
    clock_jumps: int = 0
    suspends: int = 0
    outages: int = 0
    lost_answers: int = 0
    deeds: int = 0


@dataclass(slots=True)
class History:
    """What a seed gave."""

    seed: int
    database: Database
    time: VirtualTime
    target: Target = field(default_factory=lambda: Target(Random(0)))
    ended_at: int = 0
    deeds: list[Deed] = field(default_factory=list)
    manual: list[int] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)
    cancelled: set[int] = field(default_factory=set)
    """Keys of executions that a user asked to end."""
    nodes: list[SimulatedNode] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    clock_was_set_back: bool = False
    keep_age: int | None = None
    came_to_rest: bool = False

    def latest(self) -> list[Job]:
        """Each job as the last deed left it."""
        return list({deed.job.key: deed.job for deed in self.deeds}.values())


_TABLES = ("attempt", "execution", "timer", "job", "node", "sqlite_sequence", "pruned")
_OF_HOLDS = ("queue", "queue_use", "maintenance_window")


def wipe(database: Database) -> None:
    """An empty store, as after the first migration, that keeps in `pruned` what is deleted from the history."""
    with database.write() as connection:
        if not rows(connection, "SELECT 1 FROM sqlite_master WHERE name = 'pruned'"):
            columns = [row.name for row in rows(connection, "SELECT name FROM pragma_table_info('execution')")]
            run(connection, "CREATE TABLE pruned AS SELECT * FROM execution WHERE FALSE")
            keep = f"INSERT INTO pruned VALUES ({', '.join(f'OLD.{name}' for name in columns)})"
            run(connection, f"CREATE TRIGGER keep_pruned AFTER DELETE ON execution BEGIN {keep}; END")
        for table in (*_TABLES, *_OF_HOLDS):
            run(connection, f"DELETE FROM {table}")
        run(connection, "UPDATE meta SET value = 0 WHERE name = 'change_no'")
