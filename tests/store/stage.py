"""All that the store's tests need to play engines: nodes, claims, records, rescues, and a look at the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Job, JobSpec, Request
from tui_scheduler.domain.queues import Limits
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.claims import Claim, ClaimStore
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows, run
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.nodes import NodeStore
from tui_scheduler.store.pruning import PruneStore
from tui_scheduler.store.queues import QueueStore
from tui_scheduler.store.records import AttemptRecord, Record, RecordStore
from tui_scheduler.store.rescues import RescueStore
from tui_scheduler.store.windows import WindowStore

MINUTE = 60 * SECOND
T = 1_795_000_020 * SECOND
"""A full minute, at which jobs are made."""
MINUTELY = JobSpec("0 * * * * *", Request("http://localhost/"))
EVERY_SECOND = replace(MINUTELY, schedule="* * * * * *")

_DEFAULTS: dict[str, Any] = {
    "job_version": 1,
    "trigger": "schedule",
    "attempt": 0,
    "claim_no": 0,
    "rescues": 0,
    "priority": 5,
    "cancel_requested": False,
}


class Stage:
    """The stores over one database. Nodes are made as they are needed."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.jobs = JobStore(database)
        self.claims = ClaimStore(database)
        self.records = RecordStore(database)
        self.rescues = RescueStore(database)
        self.nodes = NodeStore(database)
        self.pruning = PruneStore(database)
        self.queues = QueueStore(database)
        self.windows = WindowStore(database)
        self._nodes = 0

    def node(self, now: int = T) -> int:
        self._nodes += 1
        return self.nodes.register(f"uuid-{id(self)}-{self._nodes}", "host", 1, "0", now)

    def create(self, spec: JobSpec = EVERY_SECOND, now: int = T) -> Job:
        return self.jobs.create(spec, now)

    def limit(self, name: str = "default", **limits: Any) -> Limits:
        """Replace all limits of a queue."""
        return self.queues.change(name, lambda _: Limits(**limits))

    def gates(self) -> list[int | None]:
        """Of all timers, in the order of their jobs."""
        return [gate for (gate,) in self.rows("gate", "timer", "job_id")]

    def claim_all(self, node: int, now: int, *, ahead: int = 0) -> list[Claim]:
        """Claims until nothing more may go, as an engine does: the first may only find out what is held by what."""
        found: list[Claim] = []
        while self.claims.has_due(now, now + ahead):
            claimed = self.claims.claim(node, now, now + ahead, 100)
            found += claimed.claims
            if not claimed.claims and not claimed.has_more:
                break
        return found

    def update(self, job: Job, now: int, **values: Any) -> Job:
        return self.jobs.update(job.id, lambda stored: replace(stored.spec, **values), now)

    def claim(self, node: int, now: int, *, ahead: int = 0, slots: int = 100) -> list[Claim]:
        return self.claims.claim(node, now, now + ahead, slots).claims

    def claim_one(self, node: int, now: int) -> Claim:
        (claim,) = self.claim(node, now)
        return claim

    def put(self, job: Job, state: State, at: int, **columns: Any) -> int:
        """A row of `execution` for `at`; what waits is due at its instant."""
        due = at if state in {State.PENDING, State.RETRYING} else None
        key = at if columns.get("trigger", "schedule") in {"schedule", "backfill"} else None
        given = {"job_id": job.key, "scheduled_for": at, "fire_at": at, "occurrence_key": key, "state": state.value}
        values = _DEFAULTS | given | {"next_attempt_at": due} | columns
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        with self.database.write() as connection:
            statement = f"INSERT INTO execution ({names}) VALUES ({marks}) RETURNING id"
            return int(rows(connection, statement, *values.values())[0].id)

    def set(self, table: str, key: int, **columns: Any) -> None:
        """Change one row behind the stores' backs."""
        name = "job_id" if table == "timer" else "id"
        assignments = ", ".join(f"{column} = ?" for column in columns)
        with self.database.write() as connection:
            statement = f"UPDATE {table} SET {assignments} WHERE {name} = ?"
            assert run(connection, statement, *columns.values(), key) == 1

    def rows(self, columns: str, table: str = "execution", order: str = "id") -> list[tuple[Any, ...]]:
        with self.database.read() as connection:
            return [tuple(row) for row in rows(connection, f"SELECT {columns} FROM {table} ORDER BY {order}")]

    def row(self, key: int, columns: str) -> tuple[Any, ...]:
        """Some columns of one execution."""
        with self.database.read() as connection:
            return tuple(rows(connection, f"SELECT {columns} FROM execution WHERE id = ?", key)[0])

    def state(self, key: int) -> str:
        return str(self.row(key, "state")[0])

    def running(self, job: Job) -> int | None:
        """The execution that keeps a job busy."""
        with self.database.read() as connection:
            found = rows(connection, "SELECT running_execution_id FROM timer WHERE job_id = ?", job.key)
        return None if found[0][0] is None else int(found[0][0])

    def stories(self, at: Callable[[int], int] = lambda at: (at - T) // SECOND) -> list[tuple[int, str, str | None]]:
        """(seconds since T, state, why skipped) of all executions, in the order of their instants."""
        found = self.rows("scheduled_for, state, skip_reason", order="scheduled_for, id")
        return [(at(instant), state, reason) for instant, state, reason in found]


def ended(claim: Claim, state: State = State.SUCCEEDED, at: int | None = None, **values: Any) -> Record:
    """The record of how a claim ended, by default at its instant."""
    execution, job = claim.execution, claim.entry.job
    serial = job.spec.overlap != "allow"
    at = claim.due if at is None else at
    return Record(execution.key, execution.claim_no, job.key, state, at, **{"serial": serial, **values})


def attempted(claim: Claim, at: int, **values: Any) -> AttemptRecord:
    return AttemptRecord(
        **{
            "attempt": claim.execution.attempt,
            "started_at": at,
            "finished_at": at + 5,
            "duration": 5,
            "http_status": 500,
            "error": "HTTP 500",
            "headers": (("server", "a\u2028b"),),
            "excerpt": "oh",
            **values,
        }
    )
