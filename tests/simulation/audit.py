"""The promise, held against a history: every occurrence of every active job was run, or skipped with a reason."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from tests.simulation.clocks import SECOND
from tests.simulation.eras import AHEAD, BOUND, Era, Phase, eras_of, phases_of, within
from tests.simulation.history import Deed, History
from tests.simulation.holds import check_holds
from tests.simulation.reasons import check_end, check_skip
from tests.simulation.target import Arrival
from tui_scheduler.domain.execution import MAX_RESCUES
from tui_scheduler.domain.job import Job, JobState, JobType, Overlap
from tui_scheduler.engine.arming import rfc3339
from tui_scheduler.store.hot import rows

EXECUTIONS = "SELECT *, 0 AS is_pruned FROM execution UNION ALL SELECT *, 1 FROM pruned ORDER BY id"
KEEP_FAILED = 60 * 86_400 * SECOND
"""µs for which failures are kept at least, where history is forgotten at all."""
RAN = frozenset({"succeeded", "failed", "cancelled", "lost"})


@dataclass(slots=True)
class Figures:
    """What a history came to."""

    planned: int = 0
    executed: int = 0
    skipped: int = 0
    duplicates: int = 0
    lost_at_most_once: int = 0


@dataclass(slots=True)
class Case:
    """One job: what was asked of it, and what is known of it."""

    history: History
    job: Job
    executions: list[Any]
    arrivals: dict[int, list[Arrival]]
    deeds: list[Deed]
    eras: list[Era]
    phases: list[Phase]
    wrong: list[str] = field(default_factory=list)

    def complain(self, sentence: str) -> None:
        self.wrong.append(f"{self.job.spec.name}: {sentence}")


def check(history: History) -> tuple[list[str], Figures]:
    """What is wrong with a history, one sentence each, and its figures."""
    with history.database.read() as connection:
        executions = list(rows(connection, EXECUTIONS))
    by_job: dict[int, list[Any]] = defaultdict(list)
    for row in executions:
        by_job[row.job_id].append(row)
    arrivals: dict[int, list[Arrival]] = defaultdict(list)
    for arrival in history.target.arrivals:
        arrivals[arrival.key].append(arrival)
    figures = Figures()
    wrong = [] if history.came_to_rest else ["it did not come to rest"]
    wrong += [f"execution {r.id} is left {r.state}" for r in executions if r.state not in RAN | {"skipped"}]
    wrong += [f"stale send of execution {a.key} by node {a.node}" for a in history.target.arrivals if a.is_stale]
    for job in history.latest():
        deeds = [deed for deed in history.deeds if deed.job.key == job.key]
        case = Case(
            history, job, by_job[job.key], arrivals, deeds, eras_of(history, job.key), phases_of(history, job.key)
        )
        _coverage(case, figures)
        _deliveries(case, figures)
        _overlaps(case)
        _binding(case)
        wrong += case.wrong
    wrong += check_holds(history, executions, history.latest())
    wrong += _manual(history, executions)
    wrong += _pruned(history, executions)
    return wrong, figures


def _coverage(case: Case, figures: Figures) -> None:
    """Each occurrence has exactly one place: its own execution, or a skipped stretch."""
    places: dict[int, int] = defaultdict(int)
    for row in case.executions:
        if row.trigger == "schedule":
            _place(case, row, places)
    for instant, number in places.items():
        if number > 1:
            case.complain(f"{number} places for {rfc3339(instant)}")
        if not any(_has(case, era, instant) for era in case.eras):
            case.complain(f"{rfc3339(instant)} was never an occurrence")
    for era in case.eras:
        for instant in era.occurrences():
            figures.planned += 1
            if instant not in places:
                case.complain(f"{rfc3339(instant)} of {era.schedule.text!r} is missing")


def _has(case: Case, era: Era, instant: int) -> bool:
    """Whether an era may have asked for this; a clock that was set back ends an era before what it was planned for."""
    if case.history.clock_was_set_back:
        return instant > era.after and instant <= case.history.time.latest + AHEAD and era.is_on(instant)
    return era.has(instant, beyond=AHEAD)


def _place(case: Case, row: Any, places: dict[int, int]) -> None:
    """Note the places in the plan that an execution takes."""
    if row.state == "skipped":
        check_skip(case, row)
    else:
        check_end(case, row)
    if row.state == "skipped" and row.skip_count > 1:
        _place_stretch(case, row, places)
    elif row.occurrence_key is None:
        case.complain(f"execution {row.id} has no place in the plan")
    else:
        places[row.occurrence_key] += 1


def _place_stretch(case: Case, row: Any, places: dict[int, int]) -> None:
    counts = []
    for era in case.eras:
        if not _has(case, era, row.skip_from):
            continue
        stretch = []
        instant: int | None = row.skip_from
        while instant is not None and instant <= row.skip_to:
            stretch.append(instant)
            instant = era.schedule.next_after(instant)
        if len(stretch) == row.skip_count:
            for instant in stretch:
                places[instant] += 1
            return
        counts.append(len(stretch))
    if counts:
        case.complain(f"execution {row.id} says {row.skip_count} skipped, there are {counts[0]}")
    else:
        case.complain(f"execution {row.id} skips from {rfc3339(row.skip_from)}, which is in no era")


def _deliveries(case: Case, figures: Figures) -> None:
    most = max(deed.job.spec.retry.max_attempts for deed in case.deeds)
    for row in case.executions:
        came = case.arrivals[row.id]
        attempts = {arrival.attempt for arrival in came}
        figures.skipped += row.skip_count or 0
        figures.executed += row.state in RAN
        figures.duplicates += len(came) - len(attempts)
        if any(arrival.scheduled_for != row.scheduled_for for arrival in came):
            case.complain(f"execution {row.id} changed its Idempotency-Key")
        if row.state == "succeeded" and not came:
            case.complain(f"execution {row.id} succeeded without an arrival")
        if row.state == "skipped" and came:
            case.complain(f"execution {row.id} was sent and recorded as skipped")
        if attempts and max(attempts) > most:
            case.complain(f"execution {row.id} had {max(attempts)} attempts")
        _once(case, row, came)
        if row.state == "lost" and any(phase.type is JobType.ATMOST_ONCE for phase in case.phases):
            figures.lost_at_most_once += 1
        elif row.state == "lost" and row.rescues < MAX_RESCUES:
            case.complain(f"at-least-once execution {row.id} was lost after {row.rescues} rescues")


def _once(case: Case, row: Any, came: list[Arrival]) -> None:
    """What was sent while its job was at most once is never sent again, whatever became of the job."""
    for first in came[:-1]:
        if all(phase.type is JobType.ATMOST_ONCE for phase in within(case.phases, first.at - BOUND, first.at)):
            case.complain(f"at-most-once execution {row.id} was sent {len(came)} times")
            return


def _binding(case: Case) -> None:
    """A pause or a deletion binds what is due soon after it, however far ahead it was claimed."""
    if case.history.clock_was_set_back:
        return
    for row in case.executions:
        if row.trigger != "schedule" or row.rescues:
            continue
        for arrival in case.arrivals[row.id]:
            last = next((deed for deed in reversed(case.deeds) if deed.moment <= arrival.at), case.deeds[0])
            is_bound = last.moment + BOUND < arrival.at and row.fire_at > last.at + BOUND * SECOND
            if arrival.attempt == 1 and is_bound and last.job.state in {JobState.PAUSED, JobState.DELETED}:
                case.complain(f"execution {row.id} was sent though the job was {last.job.state} long before")


def _overlaps(case: Case) -> None:
    """Two of a job that did not allow it, neither when they were planned nor from the first to the second."""
    allowed = [after.at for deed, after in pairwise(case.deeds) if deed.job.spec.overlap is Overlap.ALLOW]
    planned_freely = max(allowed, default=0) + AHEAD if allowed else 0
    scheduled = [row for row in case.executions if row.trigger == "schedule" and row.fire_at > planned_freely]
    spans = sorted((a.at, a.until, row.id) for row in scheduled for a in case.arrivals[row.id])
    for (began, until, first), (at, _, second) in pairwise(spans):
        if first == second or at >= until:
            continue
        if all(phase.overlap is not Overlap.ALLOW for phase in within(case.phases, began - 3, at)):
            case.complain(f"executions {first} and {second} overlapped")


def _manual(history: History, executions: list[Any]) -> list[str]:
    known = {row.id: row for row in executions}
    return [
        f"manual execution {key} is missing"
        for key in history.manual
        if key not in known or known[key].state == "skipped"
    ]


def _pruned(history: History, executions: list[Any]) -> list[str]:
    """Only what has ended, and long ago, is forgotten; or what belonged to a deleted job."""
    deleted = {deed.job.key for deed in history.deeds if deed.what == "delete"}
    latest = history.time.latest
    young = latest - history.keep_age if history.keep_age is not None else 0
    young_failures = latest - KEEP_FAILED if history.keep_age is not None else 0
    return [
        f"execution {row.id} was pruned though it was {row.state} and of {rfc3339(row.scheduled_for)}"
        for row in executions
        if row.is_pruned and row.job_id not in deleted
        if row.state not in RAN | {"skipped"}
        or (row.finished_at or row.scheduled_for) > (young_failures if row.state in {"failed", "lost"} else young)
    ]
