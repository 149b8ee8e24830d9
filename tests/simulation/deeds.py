"""What users do: each deed is one transaction of the real store, written down with its moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from tests.simulation.clocks import SECOND
from tests.simulation.history import Deed, History
from tui_scheduler.domain.errors import Conflict, NotFound, StoreUnavailable
from tui_scheduler.domain.job import DEFAULT_QUEUE, CatchUp, Job, JobSpec, JobType, Overlap, Request
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.store.hot import rows
from tui_scheduler.store.ids import execution_id
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.runs import RunStore

FREQUENT = (
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
SPARSE = ("*/20 * * * * *", "30 * * * * *", "15 */2 * * * *", "0 30 1 * * *", "0 0 2 * * *", "@every 13s", "@every 47s")
"""For histories whose clock is set by an hour: what was missed is still a few hundred occurrences."""

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
EVERYDAY = ("edit", "edit", "reschedule", "reschedule", "run", "pause", "resume", "resume", "delete", "restore")
"""By how often they are drawn."""
ALL = (*dict.fromkeys(EVERYDAY), "rezone", "retype", "reprioritize", "overlap", "cancel", "replay", "create")


def draw_spec(draw: Random, schedules: tuple[str, ...], name: str) -> JobSpec:
    """A job as users have them, short on patience."""
    return JobSpec(
        schedule=draw.choice(schedules),
        request=Request("http://target/"),
        name=name,
        timezone=draw.choice(ZONES),
        type=draw.choice((JobType.ATLEAST_ONCE, JobType.ATLEAST_ONCE, JobType.ATMOST_ONCE)),
        retry=RetryPolicy(max_attempts=draw.randint(1, 4), base=draw.choice((100_000, SECOND)), cap=4 * SECOND),
        timeout=draw.choice((SECOND, 3 * SECOND)),
        priority=draw.choice((1, 5, 5, 9)),
        overlap=draw.choice(tuple(Overlap)),
        catch_up=draw.choice(tuple(CatchUp)),
        grace=draw.choice((2 * SECOND, 60 * SECOND)),
        jitter=draw.choice((0, 0, 700_000)),
    )


class Users:
    """Does what it is told to a job or an execution, and notes in the history what came of it."""

    def __init__(self, history: History, random: Random, schedules: tuple[str, ...]) -> None:
        self._history = history
        self._draw = random
        self._schedules = schedules
        self.queue_of: Callable[[str], str] = lambda _name: DEFAULT_QUEUE
        self._jobs = JobStore(history.database)
        self._runs = RunStore(history.database)
        self._steps: dict[str, Callable[[str, int], Job]] = {
            "pause": self._jobs.pause,
            "resume": self._jobs.resume,
            "delete": self._jobs.delete,
            "restore": self._jobs.restore,
        }

    def create(self) -> None:
        """A new job."""
        name = f"job {len(self._history.deeds)}"
        job_id = f"{self._draw.getrandbits(128):032x}"
        spec = draw_spec(self._draw, self._schedules, name)
        self.create_job(replace(spec, queue=self.queue_of(name)), job_id)

    def create_job(self, spec: JobSpec, job_id: str) -> None:
        """This very job."""
        self._try("create", lambda now: self._jobs.create(spec, now, job_id=job_id))

    def do(self, what: str, job: Job) -> None:
        """One deed of `ALL`; one that is not possible is not done."""
        if what == "create":
            self.create()
        elif what == "run":
            self._begin(lambda now: self._jobs.run_now(job.id, now).key)
        elif what == "replay":
            self._replay(job)
        elif what == "cancel":
            self._cancel(job)
        elif what in self._steps:
            self._try(what, lambda now: self._steps[what](job.id, now))
        else:
            self._edit(what, job)

    def _edit(self, what: str, job: Job) -> None:
        draw = self._draw
        changes: dict[str, Any] = {"request": Request("http://target/", body=f"edit {draw.random()}")}
        if what == "reschedule":
            changes |= {"schedule": draw.choice(self._schedules), "jitter": draw.choice((0, 300_000))}
        elif what == "rezone":
            changes["timezone"] = draw.choice(ZONES)
        elif what == "retype":
            changes["type"] = draw.choice(tuple(JobType))
        elif what == "reprioritize":
            changes["priority"] = draw.choice((1, 5, 9))
        elif what == "overlap":
            changes |= {"overlap": draw.choice(tuple(Overlap)), "catch_up": draw.choice(tuple(CatchUp))}
        self._try(what, lambda now: self._jobs.update(job.id, lambda old: replace(old.spec, **changes), now))

    def _replay(self, job: Job) -> None:
        found = self._some_execution(job, "state NOT IN ('pending', 'claimed', 'running', 'retrying', 'skipped')")
        if found is not None:
            self._begin(lambda now: self._runs.replay(found[1], now).key)

    def _cancel(self, job: Job) -> None:
        found = self._some_execution(job, "state IN ('pending', 'claimed', 'running', 'retrying')")
        if found is None:
            return
        try:
            self._runs.cancel(found[1], self._history.time.now())
        except (Conflict, NotFound, StoreUnavailable):
            return
        self._history.cancelled.add(found[0])
        self._history.tally.deeds += 1

    def _some_execution(self, job: Job, where: str) -> tuple[int, str] | None:
        """The key and the public id of one of a job's latest executions."""
        with self._history.database.read() as connection:
            latest = f"SELECT id, scheduled_for FROM execution WHERE job_id = ? AND {where} ORDER BY id DESC LIMIT 5"
            found = list(rows(connection, latest, job.key))
        if not found:
            return None
        one = self._draw.choice(found)
        return one.id, execution_id(one.id, one.scheduled_for, self._history.database.salt)

    def _begin(self, step: Callable[[int], int]) -> None:
        try:
            self._history.manual.append(step(self._history.time.now()))
        except (Conflict, NotFound, StoreUnavailable):
            return
        self._history.tally.deeds += 1

    def _try(self, what: str, step: Callable[[int], Job]) -> None:
        history = self._history
        now = history.time.now()
        try:
            changed = step(now)
        except (Conflict, NotFound, StoreUnavailable):
            return
        history.tally.deeds += 1
        history.deeds.append(Deed(now, what, changed, history.time.clock.current_time(), history.time.latest))
