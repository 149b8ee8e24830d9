"""What to do, decided from values alone: which occurrences to run (`plan`), what follows an attempt (`settle`), what
an edit means for work already taken (`recheck`). Instants are µs since the epoch, durations µs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Protocol

from tui_scheduler.domain.execution import Execution, Outcome, OutcomeKind, SkipReason, State, Trigger
from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobState, JobType, Overlap, SuccessRule
from tui_scheduler.domain.patterns import KEPT
from tui_scheduler.domain.windows import Closures

MAX_PLANNED = 100
"""Occurrences of one job planned in one transaction at the most; the rest follow in the next."""

BINDS_AFTER = 250_000
"""µs after its commit from which an edit, a pause or a deletion binds every occurrence on every node."""

LONGEST_RETRY_AFTER = 24 * 3600 * 1_000_000
"""A target may ask for patience, but not for ever."""


class Timetable(Protocol):
    """What planning needs of a schedule."""

    def next_after(self, instant: int) -> int | None:
        """The first occurrence strictly after `instant`, or None when there is none."""
        ...

    def count_between(self, after: int, through: int) -> int:
        """The number of occurrences in (after, through]."""
        ...

    def last_between(self, after: int, through: int) -> int | None:
        """The last occurrence in (after, through]."""
        ...


class Occurrence(NamedTuple):
    """A nominal instant of a schedule and the instant, jitter added, at which it is to fire."""

    scheduled_for: int
    fire_at: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Consecutive occurrences that are not run: `count` of them, the first at `first`, the last at `last`."""

    reason: SkipReason
    first: int
    last: int
    count: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a job's planning stands. `busy`: overlap is not allowed and an execution of it has not ended; `waiting`:
    another one waits for that end already; `is_backfill`: the one that has not ended is an occurrence of long ago.
    """

    planned_through: int
    busy: bool = False
    waiting: bool = False
    is_backfill: bool = False


@dataclass(slots=True)
class Plan:
    """What to do about one job now.

    `run` is to be claimed; `wait` is to be stored, due when the execution under way has ended; `skips` are to be
    recorded; `cancel_running` asks for the end of the one under way, `replace_waiting` takes the place of the one that
    waits already. `planned_through` and `next_fire_at` are the job's new ones; no `next_fire_at` means that the
    schedule has ended.
    """

    planned_through: int
    next_fire_at: int | None = None
    run: list[Occurrence] = field(default_factory=list)
    wait: Occurrence | None = None
    skips: list[Stretch] = field(default_factory=list)
    cancel_running: bool = False
    replace_waiting: bool = False


def next_occurrence(timetable: Timetable, spec: JobSpec, after: int) -> int | None:
    """The first occurrence strictly after `after` that lies within the job's start and end (both inclusive)."""
    if spec.starts_at is not None and after < spec.starts_at:
        after = spec.starts_at - 1
    instant = timetable.next_after(after)
    if instant is None or (spec.ends_at is not None and instant > spec.ends_at):
        return None
    return instant


def plan(
    job: Job,
    timetable: Timetable,
    standing: Standing,
    now: int,
    horizon: int,
    limit: int = MAX_PLANNED,
    closures: Closures | None = None,
) -> Plan:
    """Decide about the occurrences of `job` that fire at or before `horizon` (≥ now) and were not planned before.

    At most `limit` are to be run; when more are due, `next_fire_at` is in the past and the next call goes on. An
    occurrence older than the job's grace is subject to its catch-up policy; younger ones are late, never skipped. A job
    that does not allow overlap is planned ahead only while nothing of it is under way: whether an occurrence overlaps
    is decided at its instant, not a look-ahead before it.

    With `closures`, an occurrence that fires in one of them is skipped. A call goes as far as the next one begins or
    ends; the next call goes on.
    """
    spec, offset = job.spec, job.offset
    decided = Plan(standing.planned_through)
    limit = min(limit, MAX_PLANNED)
    until, newest = horizon, None
    if closures is not None:
        first = next_occurrence(timetable, spec, standing.planned_through)
        if first is not None and first + offset <= horizon:
            closed = closures.around(first + offset)
            if closed is not None:
                return _skip_closed(decided, spec, timetable, offset, first, min(closed[1] - 1, horizon))
            newest = _newest_missed(closures, spec, timetable, offset, first, now)
            until = min(horizon, (closures.next_start(first + offset) or horizon + 1) - 1)
    if spec.catch_up is not CatchUp.ALL:
        _catch_up(decided, spec, timetable, offset, min(now - spec.grace - 1, until) - offset, newest)
    if spec.overlap is Overlap.ALLOW:
        _plan_freely(decided, spec, timetable, offset, until, limit)
    else:
        _plan_one_by_one(decided, spec, timetable, offset, standing, min(now, until), until, limit)
    return _and_next(decided, spec, timetable, offset)


def _and_next(decided: Plan, spec: JobSpec, timetable: Timetable, offset: int) -> Plan:
    if decided.next_fire_at is None:
        following = next_occurrence(timetable, spec, decided.planned_through)
        decided.next_fire_at = None if following is None else following + offset
    return decided


def _skip_closed(
    decided: Plan, spec: JobSpec, timetable: Timetable, offset: int, first: int, fire_through: int
) -> Plan:
    """The occurrences from `first` on that fire up to then lie in a maintenance window: one skipped stretch."""
    through = fire_through - offset
    if spec.ends_at is not None:
        through = min(through, spec.ends_at)
    last = timetable.last_between(first - 1, through) or first
    decided.planned_through = last
    decided.skips.append(Stretch(SkipReason.WINDOW, first, last, timetable.count_between(first - 1, last)))
    return _and_next(decided, spec, timetable, offset)


def _newest_missed(
    closures: Closures, spec: JobSpec, timetable: Timetable, offset: int, first: int, now: int
) -> int | None:
    """The newest occurrence older than the grace that no window covers: the one that `CatchUp.LATEST` runs."""
    through = now - spec.grace - offset - 1
    if spec.ends_at is not None:
        through = min(through, spec.ends_at)
    last = timetable.last_between(first - 1, through)
    while last is not None and (closed := closures.around(last + offset)) is not None:
        last = timetable.last_between(first - 1, closed[0] - offset - 1)
    return last


def _catch_up(
    decided: Plan, spec: JobSpec, timetable: Timetable, offset: int, through: int, newest: int | None
) -> None:
    """Deal with the occurrences missed by more than the grace, however many: they become one skipped stretch.

    They are late by the instant they were to fire at: a jitter longer than the grace makes nobody late. `newest`: the
    newest one of all, where it may lie beyond `through`.
    """
    first = next_occurrence(timetable, spec, decided.planned_through)
    if spec.ends_at is not None:
        through = min(through, spec.ends_at)
    if first is None or first > through:
        return
    last = timetable.last_between(first - 1, through) or first
    decided.planned_through = last
    count = timetable.count_between(first - 1, through)
    if spec.catch_up is CatchUp.LATEST and (newest is None or newest <= through):
        decided.run.append(Occurrence(last, last + offset))
        last = timetable.last_between(first - 1, last - 1) or first
        count -= 1
    if count > 0:
        decided.skips.append(Stretch(SkipReason.TOO_LATE, first, last, count))


def _plan_freely(decided: Plan, spec: JobSpec, timetable: Timetable, offset: int, horizon: int, limit: int) -> None:
    instant = next_occurrence(timetable, spec, decided.planned_through)
    while instant is not None and instant + offset <= horizon and len(decided.run) < limit:
        decided.run.append(Occurrence(instant, instant + offset))
        decided.planned_through = instant
        instant = next_occurrence(timetable, spec, instant)
    decided.next_fire_at = None if instant is None else instant + offset


def _plan_one_by_one(
    decided: Plan,
    spec: JobSpec,
    timetable: Timetable,
    offset: int,
    standing: Standing,
    now: int,
    horizon: int,
    limit: int,
) -> None:
    """Plan a job whose executions must not overlap: at most one runs, at most one waits, the others are skipped.

    One waits for the end of a backfill whatever the policy: a backfill costs no occurrence that it merely holds up,
    and is not cancelled for one either.
    """
    due = decided.run + list(_due(spec, timetable, offset, decided.planned_through, now, limit - len(decided.run)))
    decided.run = []
    busy = standing.busy
    if not due and not busy:
        ahead = next_occurrence(timetable, spec, decided.planned_through)
        if ahead is not None and ahead + offset <= horizon:
            due.append(Occurrence(ahead, ahead + offset))
    if not due:
        return
    decided.planned_through = due[-1].scheduled_for
    if spec.overlap is Overlap.CANCEL:
        *superseded, newest = due
        for occurrence in superseded:
            _skip(decided, occurrence)
        decided.replace_waiting = standing.waiting
        if busy:
            decided.wait, decided.cancel_running = newest, not standing.is_backfill
        else:
            decided.run.append(newest)
        return
    waiting = standing.waiting
    for occurrence in due:
        if not busy:
            decided.run.append(occurrence)
            busy = True
        elif (spec.overlap is Overlap.QUEUE or standing.is_backfill) and not waiting:
            decided.wait = occurrence
            waiting = True
        else:
            _skip(decided, occurrence)


def _due(spec: JobSpec, timetable: Timetable, offset: int, after: int, now: int, limit: int) -> Iterator[Occurrence]:
    instant = next_occurrence(timetable, spec, after)
    for _ in range(limit):
        if instant is None or instant + offset > now:
            return
        yield Occurrence(instant, instant + offset)
        instant = next_occurrence(timetable, spec, instant)


def _skip(decided: Plan, occurrence: Occurrence) -> None:
    """Record an overlapping occurrence, as part of the stretch that ends just before it if there is one."""
    at = occurrence.scheduled_for
    last = decided.skips[-1] if decided.skips else None
    if last is not None and last.reason is SkipReason.OVERLAP:
        decided.skips[-1] = Stretch(SkipReason.OVERLAP, last.first, at, last.count + 1)
    else:
        decided.skips.append(Stretch(SkipReason.OVERLAP, at, at, 1))


class Settlement(NamedTuple):
    """What follows an attempt: the state it leads to and why, and for a retry when and what it waits for."""

    state: State
    error: str | None = None
    next_attempt_at: int | None = None
    waits_for: str | None = None
    pause_job: bool = False


SUCCEEDED = Settlement(State.SUCCEEDED)


def settle(execution: Execution, spec: JobSpec, outcome: Outcome, now: int, draw: float) -> Settlement:
    """Decide what follows the attempt that came to `outcome`; `draw` in [0, 1) sets the backoff's jitter.

    A retry needs an attempt left, time left, a failure worth repeating, and, for an at-most-once job, that no byte of
    the request may have been sent.
    """
    if outcome.kind is OutcomeKind.ABORTED:
        return Settlement(State.CANCELLED, outcome.message)
    error = why_failed(spec.success, outcome)
    if error is None:
        return SUCCEEDED
    if outcome.status == 410 and spec.pause_on_gone:
        return Settlement(State.FAILED, f"{error}; the job is paused", pause_job=True)
    if not _is_worth_retrying(execution, spec, outcome):
        return Settlement(State.FAILED, error)
    wait = spec.retry.wait(execution.attempt, draw)
    waits_for = "backoff"
    if outcome.retry_after is not None and outcome.retry_after > wait:
        wait, waits_for = min(outcome.retry_after, LONGEST_RETRY_AFTER), "Retry-After"
    again_at = now + wait
    began = execution.first_started_at or outcome.started_at
    if spec.retry.total is not None and began is not None and again_at - began > spec.retry.total:
        return Settlement(State.FAILED, error)
    return Settlement(State.RETRYING, error, again_at, waits_for)


def _is_worth_retrying(execution: Execution, spec: JobSpec, outcome: Outcome) -> bool:
    if not spec.retry.allows(execution.attempt):
        return False
    if spec.type is JobType.ATMOST_ONCE and outcome.sent:
        return False
    if outcome.kind in (OutcomeKind.TOO_LARGE, OutcomeKind.REDIRECTS):
        return False
    if outcome.kind is not OutcomeKind.RESPONSE or outcome.status is None:
        return True
    wrong_content = _has_status(spec.success, outcome.status)
    return wrong_content or spec.retry.retries_status(outcome.status)


def why_failed(rule: SuccessRule, outcome: Outcome) -> str | None:
    """None when the outcome meets the rule, else a short sentence that says what is wrong with it."""
    if outcome.kind is not OutcomeKind.RESPONSE or outcome.status is None:
        return outcome.message or outcome.kind
    if not _has_status(rule, outcome.status):
        return outcome.message or _http(outcome.status)
    if rule.body_pattern is not None and not _pattern(rule.body_pattern).search(_text(outcome.excerpt)[:KEPT]):
        return f"{_http(outcome.status)}, but the body does not match {rule.body_pattern!r}"
    if rule.json_path is not None:
        return _why_json_differs(rule.json_path, rule.json_equals, outcome)
    return None


def beyond_status(error: str | None, status: int | None) -> str:
    """What an error says besides the status of the response, for where that stands beside it."""
    if error is None or status is None or not error.startswith(_http(status)):
        return error or ""
    return error.removeprefix(_http(status)).lstrip(",: ")


def _http(status: int) -> str:
    return f"HTTP {status}"


def _has_status(rule: SuccessRule, status: int) -> bool:
    for low, high in rule.statuses:  # noqa: SIM110 - several times faster than any(), for every answer
        if low <= status <= high:
            return True
    return False


@lru_cache(maxsize=1024)
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _text(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _why_json_differs(path: str, wanted: object, outcome: Outcome) -> str | None:
    prefix = f"HTTP {outcome.status}, but"
    try:
        found = json.loads(_text(outcome.excerpt))
    except (ValueError, RecursionError):
        return f"{prefix} the body is not JSON or is longer than what is kept of it"
    for step in path_steps(path):
        if isinstance(found, str):  # has characters, but no elements
            return f"{prefix} the body has no {path}"
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            return f"{prefix} the body has no {path}"
    if found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
        return f"{prefix} {path} is {json.dumps(found)[:100]}, not {json.dumps(wanted)}"
    return None


@lru_cache(maxsize=1024)
def path_steps(path: str) -> tuple[str | int, ...]:
    """`$.items[0].state` as ("items", 0, "state"). Raises ValueError for anything else."""
    text = path.removeprefix("$").removeprefix(".")
    if not text:
        return ()
    steps: list[str | int] = []
    for part in text.split("."):
        match = re.fullmatch(r"([^.\[\]]*)((?:\[\d{1,9}\])*)", part)
        if match is None or not part:
            raise ValueError(path)
        if match[1]:
            steps.append(match[1])
        steps.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class Recheck:
    """What an edit of a job means for an execution that a node holds unsent."""

    state: State
    skip_reason: SkipReason | None = None


KEEP = Recheck(State.CLAIMED)


def recheck(execution: Execution, edited: Job, timetable: Timetable) -> Recheck:
    """Decide about an armed execution whose job was edited: kept (to be rendered anew), skipped or cancelled.

    A pause, and a schedule that no longer has the instant, bind only what the schedule made and what was not tried
    yet: a run that a user asked for, and the retry of one that began, go on. One rescued from a node that died may
    have begun, unless its instant lay so long after the edit that the node knew better than to send it.
    """
    may_have_been_sent = execution.rescues > 0 and execution.fire_at <= edited.updated_at + BINDS_AFTER
    is_untried = execution.trigger is Trigger.SCHEDULE and execution.attempt <= 1 and not may_have_been_sent
    if edited.state is JobState.DELETED:
        return Recheck(State.SKIPPED, SkipReason.DELETED) if is_untried else Recheck(State.CANCELLED)
    if not is_untried:
        return KEEP
    if edited.state is JobState.PAUSED:
        return Recheck(State.SKIPPED, SkipReason.PAUSED)
    if next_occurrence(timetable, edited.spec, execution.scheduled_for - 1) != execution.scheduled_for:
        return Recheck(State.SKIPPED, SkipReason.EDITED)
    return KEEP
