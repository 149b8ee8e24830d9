"""What can be measured: the real program, the reference, a peer. Each is a command, a plan, and perhaps a history."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sqlalchemy import text

from benchmarks.history import fill_history
from benchmarks.processes import LISTENING
from benchmarks.reference import job_name
from benchmarks.scenarios import SECOND, Planned, Scenario, Window
from benchmarks.terminal import PAINTED
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.jobs import JobStore


class History(Protocol):
    """What the measured program wrote down, read from outside while it runs and afterwards."""

    def unrecorded(self, before: int) -> int:
        """How many occurrences with an instant before this one are not finished, or not even planned, by now."""
        ...

    def states(self, window: Window) -> Mapping[Planned, str]:
        """The state of every execution scheduled in the window."""
        ...

    def next_planned(self) -> Mapping[str, int]:
        """The instant (µs) of each job's first occurrence that was not planned yet."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """Ready to be started. It says `ready_line` on standard output when it is up."""

    command: Sequence[str]
    ready_line: str
    start: int
    """The first full second (µs since the epoch) with something to fire."""
    phases: Sequence[tuple[str, int]]
    """Each job's id, as sent in `X-Job-Id`, and when in the second it fires (µs)."""
    history: History | None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a subject is prepared for. Its files go to `folder`, its requests to `port` on loopback.

    `history`: how many finished executions the real program finds in its store; with `prune` they are old enough to
    be removed, so that it is at that all the time.
    """

    scenario: Scenario
    folder: Path
    port: int
    history: int = 0
    prune: bool = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


Prepare = Callable[[Setting], AbstractContextManager[Subject]]

KEEP_DAYS = 0.01
"""With `prune`: far longer than a measurement takes."""
DAY = 86_400 * SECOND


def soon(scenario: Scenario) -> int:
    """A full second (µs) far enough ahead for storing the jobs, starting and connecting."""
    return int(time.time() + 5 + scenario.count / 1_000) * SECOND


class StoreHistory:
    """The real program's store."""

    # ix_execution_unfinished, ix_execution_waiting (its predicate), ix_timer_due: each reads what is under way only.
    UNRECORDED = text("""
        SELECT (SELECT count(*) FROM execution WHERE state IN ('claimed', 'running') AND fire_at < :before)
             + (SELECT count(*) FROM execution WHERE state IN ('pending', 'retrying') AND fire_at < :before)
             + (SELECT count(*) FROM timer WHERE priority = 5 AND next_fire_at < :before)
    """)
    # The primary key: everything after what was filled in beforehand.
    STATES = text("""
        SELECT job.public_id, execution.scheduled_for, execution.state
        FROM execution JOIN job ON job.id = execution.job_id
        WHERE execution.id > :after AND execution.scheduled_for >= :start AND execution.scheduled_for < :end
    """)

    NEXT_PLANNED = text("""
        SELECT job.public_id, timer.next_fire_at FROM timer JOIN job ON job.id = timer.job_id
        WHERE timer.next_fire_at IS NOT NULL
    """)

    def __init__(self, database: Database, after: int) -> None:
        self._database = database
        self._after = after

    def unrecorded(self, before: int) -> int:
        with self._database.read() as connection:
            return int(connection.execute(self.UNRECORDED, {"before": before}).scalar_one())

    def states(self, window: Window) -> Mapping[Planned, str]:
        values = {"after": self._after, "start": window.start, "end": window.end}
        with self._database.read() as connection:
            found = connection.execute(self.STATES, values)
            return {Planned(job_id, at): state for job_id, at, state in found}

    def next_planned(self) -> Mapping[str, int]:
        with self._database.read() as connection:
            return {row.public_id: row.next_fire_at for row in connection.execute(self.NEXT_PLANNED)}


def scheduler(setting: Setting) -> AbstractContextManager[Subject]:
    """The real program without its UI."""
    return _program(setting, ["--serve", "--port", "0"], LISTENING)


def with_ui(setting: Setting) -> AbstractContextManager[Subject]:
    """The real program in a terminal, its UI open at 120x36. CPU and memory include those of the terminal."""
    return _program(setting, [], PAINTED)


@contextmanager
def _program(setting: Setting, options: Sequence[str], ready_line: str) -> Iterator[Subject]:
    """As a user starts it, on a database filled through the store."""
    path = setting.folder / "jobs.db"
    database = open_database(str(path))
    try:
        past = int(time.time() * SECOND) - int(KEEP_DAYS * DAY if setting.prune else 0)
        filled = fill_history(path, setting.history, setting.scenario.count, before=past)
        start = soon(setting.scenario)
        phases = create_jobs(database, setting.scenario, setting.url, start)
        command = [sys.executable, "-m", "tui_scheduler", *options, "--db", str(path)]
        if ready_line == PAINTED:
            command = [sys.executable, "-m", "benchmarks.terminal", "--", *command]
        environment = {"TUI_SCHEDULER_KEEP_DAYS": str(KEEP_DAYS)} if setting.prune else {}
        yield Subject(command, ready_line, start, phases, StoreHistory(database, filled), environment)
    finally:
        database.close()


# Both by the primary key.
MOVE_CREATION = text("UPDATE job SET created_at = created_at + :phase WHERE id = :key")
MOVE_TIMER = text("UPDATE timer SET next_fire_at = next_fire_at + :phase WHERE job_id = :key")


def create_jobs(database: Database, scenario: Scenario, url: str, start: int) -> list[tuple[str, int]]:
    """Jobs whose first occurrence is in the second that begins at `start`; their ids and phases.

    They are created in the future, a second before it: `@every` is anchored there, and nothing is due while the
    program starts. All at once and then moved apart: a thousand transactions take longer than the second they aim at.
    """
    request = Request(url=url)
    specs = (JobSpec(scenario.schedule, request, name=f"job {number:06}") for number in range(scenario.count))
    keys = JobStore(database).create_many(specs, start - SECOND)
    phase_of = dict(zip(keys, scenario.phases(), strict=True))
    moves = [{"key": key, "phase": phase} for key, phase in phase_of.items() if phase]
    if moves:
        with database.write() as connection:
            connection.execute(MOVE_CREATION, moves)
            connection.execute(MOVE_TIMER, moves)
    with database.read() as connection:
        found = connection.execute(text("SELECT id, public_id FROM job")).all()
    return [(row.public_id, phase_of[row.id]) for row in found]


class ReferenceHistory:
    """The reference's own small file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def unrecorded(self, before: int) -> int:
        statement = (
            "SELECT (SELECT count(*) FROM run WHERE state = 'claimed' AND at < :before)"
            " + (SELECT count(*) FROM timer WHERE next_at < :before)"
        )
        with self._opened() as connection:
            return int(connection.execute(statement, {"before": before}).fetchone()[0])

    def states(self, window: Window) -> Mapping[Planned, str]:
        statement = "SELECT job, at, state FROM run WHERE at >= ? AND at < ?"
        with self._opened() as connection:
            return {Planned(job_name(job), at): state for job, at, state in connection.execute(statement, window)}

    def next_planned(self) -> Mapping[str, int]:
        with self._opened() as connection:
            return {job_name(job): at for job, at in connection.execute("SELECT id, next_at FROM timer")}

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=10)) as connection:
            yield connection


@contextmanager
def reference(setting: Setting) -> Iterator[Subject]:
    path = setting.folder / "reference.db"
    start = soon(setting.scenario)
    command = [*module("benchmarks.reference", setting, start), "--db", str(path)]
    yield Subject(command, "ready", start, numbered(setting.scenario), ReferenceHistory(path))


@contextmanager
def apscheduler(setting: Setting) -> Iterator[Subject]:
    """In memory: it keeps no history to hold against the log."""
    start = soon(setting.scenario)
    yield Subject(module("benchmarks.peers", setting, start), "ready", start, numbered(setting.scenario), None)


def module(name: str, setting: Setting, start: int) -> list[str]:
    options = {"--target-port": setting.port, "--scenario": setting.scenario.name, "--start": start}
    return [sys.executable, "-m", name, *(str(word) for option in options.items() for word in option)]


def numbered(scenario: Scenario) -> list[tuple[str, int]]:
    return [(job_name(number), phase) for number, phase in enumerate(scenario.phases())]
