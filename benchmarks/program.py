"""The real program as a subject: as a user starts it, on a database filled through the store."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cache

from sqlalchemy import text

from benchmarks.databases import Filling, filled
from benchmarks.history import last_execution
from benchmarks.offers import Offered, Timetable, missed_seconds, stored_jobs
from benchmarks.processes import LISTENING
from benchmarks.scenarios import SECOND, Planned, Window
from benchmarks.subjects import Setting, Subject
from benchmarks.terminal import PAINTED
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.settings import load_settings
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.jobs import JobStore

KEEP_DAYS = 0.01
"""With `prune`: far longer than a measurement takes."""
KEEP_ALL = {"TUI_SCHEDULER_KEEP_DAYS": "36500", "TUI_SCHEDULER_KEEP_PER_JOB": "100000000"}
DRAIN_S = 2
"""At the end, for requests under way: nothing is to be learnt from those that hang."""


class StoreHistory:
    """The real program's store."""

    # ix_execution_unfinished, ix_execution_waiting (its predicate), ix_timer_due: each reads what is under way only.
    UNRECORDED = text("""
        SELECT (SELECT count(*) FROM execution WHERE state IN ('claimed', 'running') AND fire_at < :before)
             + (SELECT count(*) FROM execution WHERE state IN ('pending', 'retrying') AND fire_at < :before)
             + (SELECT count(*) FROM timer WHERE priority IN (1, 5) AND next_fire_at < :before)
    """)
    # The primary key: everything after what was filled in beforehand.
    STATES = text("""
        SELECT job.public_id, execution.scheduled_for, execution.state
        FROM execution JOIN job ON job.id = execution.job_id
        WHERE execution.id > :after AND execution.scheduled_for >= :start AND execution.scheduled_for < :end
    """)
    # Primary keys: what was stored before is not due for long.
    NEXT_PLANNED = text("""
        SELECT job.public_id, timer.next_fire_at FROM timer JOIN job ON job.id = timer.job_id
        WHERE timer.job_id > :stored AND timer.next_fire_at IS NOT NULL
    """)

    def __init__(self, database: Database, after: int, stored: int = 0) -> None:
        self._database = database
        self._after = after
        self._stored = stored

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
            found = connection.execute(self.NEXT_PLANNED, {"stored": self._stored})
            return {row.public_id: row.next_fire_at for row in found}


def scheduler(setting: Setting) -> AbstractContextManager[Subject]:
    """Without its UI."""
    return _program(setting, [[]])


def two_nodes(setting: Setting) -> AbstractContextManager[Subject]:
    """Two of it over one database, as on two machines."""
    return _program(setting, [[], []])


def workers(setting: Setting) -> AbstractContextManager[Subject]:
    """Two engine processes, and the API in a process of its own."""
    return _program(setting, [["--workers", "2"]])


def with_ui(setting: Setting) -> AbstractContextManager[Subject]:
    """In a terminal, its UI open at 120x36. CPU and memory include those of the terminal."""
    return _program(setting, [None])


@cache
def has_workers() -> bool:
    """Whether one command can start several engine processes."""
    try:
        load_settings(workers=2)
    except Invalid:
        return False
    return True


@contextmanager
def _program(setting: Setting, starts: Sequence[Sequence[str] | None]) -> Iterator[Subject]:
    """`starts`: the options of each server; None for one with the UI instead."""
    offers = setting.offered()
    stored = stored_jobs(setting.scenario)
    filling = Filling(setting.terms.db, setting.terms.history, setting.scenario.count, stored)
    with filled(filling, setting.folder) as place:
        database = open_database(place.url)
        try:
            history = StoreHistory(database, last_execution(database), stored)
            start = first_second(setting, len(offers))
            timetables = create_jobs(database, offers, setting.url, start)
            yield Subject(
                commands=[command(place.url, options) for options in starts],
                ready_line=PAINTED if None in starts else LISTENING,
                start=start,
                judged=[each for job, each in zip(offers, timetables, strict=True) if job.judged],
                beside=[each for job, each in zip(offers, timetables, strict=True) if not job.judged],
                history=history,
                environment={**keeping(setting.terms.prune), "TUI_SCHEDULER_DRAIN_S": str(DRAIN_S)},
                database_pid=place.pid,
                has_api=None not in starts,
            )
        finally:
            database.close()


def first_second(setting: Setting, jobs: int) -> int:
    """When the first occurrences are due (µs): soon, or long ago for a program that was down, or at once where the
    start itself is measured."""
    course = setting.scenario.course
    if course.waits:
        return setting.soon(jobs)
    now = int(time.time() + jobs / 5_000) + 1
    return (now - missed_seconds(setting.scenario, quick=setting.terms.quick)) * SECOND


def command(url: str, options: Sequence[str] | None) -> list[str]:
    program = [sys.executable, "-m", "tui_scheduler", "--db", url]
    if options is None:
        return [sys.executable, "-m", "benchmarks.terminal", "--", *program]
    return [*program, "--serve", "--port", "0", *options]


def keeping(prune: bool) -> dict[str, str]:
    return {"TUI_SCHEDULER_KEEP_DAYS": str(KEEP_DAYS)} if prune else KEEP_ALL


# All by the primary key.
MOVE_CREATION = text("UPDATE job SET created_at = created_at + :by, ends_at = :until WHERE id = :key")
MOVE_TIMER = text(
    "UPDATE timer SET next_fire_at = next_fire_at + :by,"
    " planned_through = CASE WHEN :by > 0 THEN planned_through + :by ELSE planned_through END WHERE job_id = :key"
)
PUBLIC_IDS = text("SELECT public_id FROM job WHERE id >= :first ORDER BY id")


def create_jobs(database: Database, offers: Sequence[Offered], url: str, start: int) -> list[Timetable]:
    """Jobs whose first occurrence lies at their phase after `start`; their timetables, in the same order.

    They are created in the future, a second before it: `@every` is anchored there, and nothing is due while the
    program starts. All at once and then moved apart: a thousand transactions take longer than the second they aim at.
    """
    specs = (spec_of(job, url, number) for number, job in enumerate(offers))
    keys = JobStore(database).create_many(specs, start - SECOND)
    moves = [
        {"key": key, "by": job.phase - job.period + SECOND, "until": start + job.until - 1 if job.until else None}
        for key, job in zip(keys, offers, strict=True)
        if job.phase or job.period != SECOND or job.until
    ]
    if moves:
        with database.write() as connection:
            connection.execute(MOVE_CREATION, moves)
            connection.execute(MOVE_TIMER, [{"key": move["key"], "by": move["by"]} for move in moves])
    with database.read() as connection:
        ids = connection.execute(PUBLIC_IDS, {"first": keys[0]}).scalars().all()
    return [
        Timetable(job_id, start + job.phase, job.period, start + job.until if job.until else 0)
        for job_id, job in zip(ids, offers, strict=True)
    ]


def spec_of(job: Offered, url: str, number: int) -> JobSpec:
    return JobSpec(
        job.schedule,
        Request(url=url + job.path),
        name=f"job {number:06}",
        priority=job.priority,
        timeout=job.timeout,
        retry=RetryPolicy(max_attempts=job.attempts),
    )
