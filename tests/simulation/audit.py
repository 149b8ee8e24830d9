"""The promise, held against a history: every occurrence of every active job was run, or skipped with a reason."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from tests.simulation.story import History
from tui_scheduler.domain.execution import MAX_RESCUES
from tui_scheduler.domain.job import Job, JobState, JobType, Overlap
from tui_scheduler.domain.schedule import Schedule, parse_schedule
from tui_scheduler.engine.arming import rfc3339
from tui_scheduler.engine.world import SECOND, Options
from tui_scheduler.store.hot import rows

EXECUTIONS = "SELECT * FROM execution ORDER BY id"
RAN = frozenset({"succeeded", "failed", "cancelled", "lost"})
BINDS_AFTER = 250_000
"""µs after an edit from which it must bind."""


@dataclass(frozen=True, slots=True)
class Era:
    """A stretch of time (after, through] in which a job was active with one schedule; µs, wall clock."""

    after: int
    through: int
    schedule: Schedule

    def occurrences(self) -> Iterator[int]:
        instant = self.schedule.next_after(self.after)
        while instant is not None and instant <= self.through:
            yield instant
            instant = self.schedule.next_after(instant)

    def has(self, instant: int) -> bool:
        return self.after < instant <= self.through and self.schedule.next_after(instant - 1) == instant


@dataclass(slots=True)
class Figures:
    """What a history came to."""

    planned: int = 0
    executed: int = 0
    skipped: int = 0
    duplicates: int = 0
    lost_at_most_once: int = 0


def check(history: History) -> tuple[list[str], Figures]:
    """What is wrong with a history, one sentence each, and its figures."""
    with history.database.read() as connection:
        executions = list(rows(connection, EXECUTIONS))
    by_job: dict[int, list[Any]] = defaultdict(list)
    for row in executions:
        by_job[row.job_id].append(row)
    arrivals = defaultdict(list)
    for arrival in history.target.arrivals:
        arrivals[arrival.key].append(arrival)
    figures = Figures()
    wrong = [] if history.came_to_rest else ["it did not come to rest"]
    wrong += [f"execution {r.id} is left {r.state}" for r in executions if r.state not in RAN | {"skipped"}]
    wrong += [f"stale send of execution {a.key} by node {a.node}" for a in history.target.arrivals if a.is_stale]
    jobs = {deed.job.key: deed.job for deed in history.deeds}
    for key, job in jobs.items():
        eras = list(_eras(history, key))
        wrong += _coverage(history, job, eras, by_job[key], figures)
        wrong += _deliveries(job, by_job[key], arrivals, figures)
        if job.spec.overlap is not Overlap.ALLOW:
            wrong += _overlaps(job, by_job[key], arrivals)
    wrong += _manual(history, executions)
    return wrong, figures


def _eras(history: History, key: int) -> Iterator[Era]:
    deeds = [deed for deed in history.deeds if deed.job.key == key]
    ends = [deed.at for deed in deeds[1:]] + [history.ended_at]
    for deed, end in zip(deeds, ends, strict=True):
        if deed.job.state is JobState.ACTIVE:
            spec = deed.job.spec
            schedule = parse_schedule(spec.schedule, spec.timezone, created_at=deed.job.created_at)
            yield Era(deed.at, end, schedule)


def _coverage(history: History, job: Job, eras: list[Era], executions: list[Any], figures: Figures) -> list[str]:
    """Each occurrence has exactly one place: its own execution, or a skipped stretch."""
    wrong = []
    places: dict[int, int] = defaultdict(int)
    # What an edit finds planned under another clock is not planned again.
    eras_say_all = len(eras) <= 1 or not history.clock_was_set
    # A clock that was set back ends an era before instants that were planned in it.
    latest = history.time.latest + Options().look_ahead if history.clock_was_set else 0
    reached = [Era(era.after, max(era.through, latest), era.schedule) for era in eras]
    for row in executions:
        if row.trigger == "schedule":
            wrong += _place(job, row, reached if eras_say_all else None, places)
    wrong += [f"{job.spec.name}: {n} places for {_show(instant)}" for instant, n in places.items() if n > 1]
    if not eras_say_all:
        return wrong
    for era in eras:
        for instant in era.occurrences():
            figures.planned += 1
            if instant not in places:
                wrong.append(f"{job.spec.name}: {_show(instant)} of {era.schedule.text!r} is missing")
    if not history.clock_was_set:
        look_ahead = Options().look_ahead + SECOND // 2
        for instant in places:
            if not any(
                era.has(instant) or Era(era.after, era.through + look_ahead, era.schedule).has(instant) for era in eras
            ):
                wrong.append(f"{job.spec.name}: {_show(instant)} was never an occurrence")
    return wrong


def _place(job: Job, row: Any, eras: list[Era] | None, places: dict[int, int]) -> list[str]:
    """Note the places in the plan that an execution takes. `eras` is None where they do not say enough."""
    if row.state == "skipped" and row.skip_count > 1:
        return [] if eras is None else _check_stretch(row, eras, places)
    if row.occurrence_key is None:
        return [f"{job.spec.name}: execution {row.id} has no place in the plan"]
    places[row.occurrence_key] += 1
    return []


def _check_stretch(row: Any, eras: list[Era], places: dict[int, int]) -> list[str]:
    for era in eras:
        if era.after < row.skip_from <= era.through and era.schedule.next_after(row.skip_from - 1) == row.skip_from:
            count = 0
            instant: int | None = row.skip_from
            while instant is not None and instant <= row.skip_to:
                places[instant] += 1
                count += 1
                instant = era.schedule.next_after(instant)
            if count == row.skip_count:
                return []
            return [f"execution {row.id} says {row.skip_count} skipped, there are {count}"]
    return [f"execution {row.id} skips from {_show(row.skip_from)}, which is in no era"]


def _deliveries(job: Job, executions: list[Any], arrivals: dict[int, list[Any]], figures: Figures) -> list[str]:
    wrong = []
    once = job.spec.type is JobType.ATMOST_ONCE
    for row in executions:
        came = arrivals[row.id]
        figures.skipped += row.skip_count or 0
        figures.executed += row.state in RAN
        attempts = {arrival.attempt for arrival in came}
        figures.duplicates += len(came) - len(attempts)
        if any(arrival.scheduled_for != row.scheduled_for for arrival in came):
            wrong.append(f"{job.spec.name}: execution {row.id} changed its Idempotency-Key")
        if row.state == "succeeded" and not came:
            wrong.append(f"{job.spec.name}: execution {row.id} succeeded without an arrival")
        if row.state == "skipped" and came:
            wrong.append(f"{job.spec.name}: execution {row.id} was sent and recorded as skipped")
        if attempts and max(attempts) > job.spec.retry.max_attempts:
            wrong.append(f"{job.spec.name}: execution {row.id} had {max(attempts)} attempts")
        if once and len(came) > 1:
            wrong.append(f"{job.spec.name}: at-most-once execution {row.id} was sent {len(came)} times")
        if row.state == "lost" and once:
            figures.lost_at_most_once += 1
        elif row.state == "lost" and row.rescues < MAX_RESCUES:
            wrong.append(f"{job.spec.name}: at-least-once execution {row.id} was lost after {row.rescues} rescues")
    return wrong


def _overlaps(job: Job, executions: list[Any], arrivals: dict[int, list[Any]]) -> list[str]:
    scheduled = [row.id for row in executions if row.trigger == "schedule"]
    spans = sorted((a.at, a.until, key) for key in scheduled for a in arrivals[key])
    wrong = []
    for (_, until, first), (at, _, second) in pairwise(spans):
        if first != second and at < until:
            wrong.append(f"{job.spec.name}: executions {first} and {second} overlapped")
    return wrong


def _manual(history: History, executions: list[Any]) -> list[str]:
    known = {row.id: row for row in executions}
    return [
        f"manual execution {key} is missing"
        for key in history.manual
        if key not in known or known[key].state == "skipped"
    ]


def _show(instant: int) -> str:
    return rfc3339(instant)
