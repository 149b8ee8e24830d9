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

from benchmarks.databases import SQLITE
from benchmarks.offers import Offered, Timetable, offered
from benchmarks.reference import job_name
from benchmarks.scenarios import SECOND, Planned, Scenario, Window


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
    """Ready to be started. Each of its commands says `ready_line` on standard output when it is up."""

    commands: Sequence[Sequence[str]]
    ready_line: str
    start: int
    """The first full second (µs since the epoch) with something to fire."""
    judged: Sequence[Timetable]
    history: History | None
    beside: Sequence[Timetable] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    database_pid: int | None = None
    """Of a database server that works for this subject alone."""
    has_api: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """How to measure: seconds of warm-up and of measuring, what is in the history beforehand, in which database.

    `prune`: the history is old enough to be removed, so that the program is at that all the time. `quick`: whether it
    all works, not how fast; `ahead`: seconds from the preparation to the first firing.
    """

    seconds: int = 20
    warm_up: int = 5
    history: int = 0
    prune: bool = False
    db: str = SQLITE
    quick: bool = False

    @property
    def ahead(self) -> int:
        return 2 if self.quick else 5


@dataclass(frozen=True, slots=True)
class Setting:
    """What a subject is prepared for. Its files go to `folder`, its requests to `port` on loopback."""

    scenario: Scenario
    folder: Path
    port: int
    terms: Terms = field(default_factory=Terms)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def soon(self, jobs: int) -> int:
        """A full second (µs) far enough ahead for storing the jobs, starting and connecting."""
        return int(time.time() + self.terms.ahead + jobs / 1_000) * SECOND

    def offered(self) -> list[Offered]:
        return offered(self.scenario, quick=self.terms.quick)


Prepare = Callable[[Setting], AbstractContextManager[Subject]]


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
    start = setting.soon(setting.scenario.count)
    command = [*module("benchmarks.reference", setting, start), "--db", str(path)]
    yield Subject([command], "ready", start, numbered(setting, start), ReferenceHistory(path))


@contextmanager
def apscheduler(setting: Setting) -> Iterator[Subject]:
    """In memory: it keeps no history to hold against the log."""
    start = setting.soon(setting.scenario.count)
    yield Subject([module("benchmarks.peers", setting, start)], "ready", start, numbered(setting, start), None)


@contextmanager
def apscheduler_stored(setting: Setting) -> Iterator[Subject]:
    """Its jobs in an SQLite file, written at every firing; still no history. Storing a job takes it some ms."""
    start = setting.soon(setting.scenario.count * 6)
    command = [*module("benchmarks.peers", setting, start), "--db", str(setting.folder / "apscheduler.db")]
    yield Subject([command], "ready", start, numbered(setting, start), None)


def module(name: str, setting: Setting, start: int) -> list[str]:
    options = {"--target-port": setting.port, "--scenario": setting.scenario.name, "--start": start}
    return [sys.executable, "-m", name, *(str(word) for option in options.items() for word in option)]


def numbered(setting: Setting, start: int) -> list[Timetable]:
    return [Timetable(job_name(number), start + each.phase) for number, each in enumerate(setting.offered())]
