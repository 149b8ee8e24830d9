"""What `Control` gives to those who show it: frozen, ready to read, the same locally and over the API.

Instants are µs since the epoch, durations µs; turning them into JSON or words is the reader's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.filtering import JobFilter
from tui_scheduler.domain.job import Job, JobState
from tui_scheduler.domain.queues import Limits
from tui_scheduler.domain.windows import WindowSpec


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a user should know about a job that was accepted: `code` for programs, `message` for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class JobView:
    """A job and where it stands. `next_run` is None when nothing more is planned; `last` when it never ran."""

    job: Job
    next_run: int | None
    planned_through: int
    in_words: str
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class AttemptView:
    """One attempt of an execution that did not succeed first time; `waits` is the wait that followed it, µs."""

    attempt: int
    started_at: int | None
    finished_at: int
    duration: int | None
    http_status: int | None
    error: str | None
    response_headers: tuple[tuple[str, str], ...]
    response_excerpt: str | None
    waits: int | None
    waits_for: str | None


@dataclass(frozen=True, slots=True)
class ExecutionView:
    """One row of a job's history. `started_at` is when the first attempt's first byte left; drift is that minus
    `fire_at`. A skipped stretch has its reason, its first and last occurrence and their number.
    """

    id: str
    job_id: str
    job_version: int
    scheduled_for: int
    fire_at: int
    trigger: Trigger
    state: State
    attempt: int
    started_at: int | None
    finished_at: int | None
    duration: int | None
    http_status: int | None
    error: str | None
    response_excerpt: str | None
    next_attempt_at: int | None
    node: str | None
    rescues: int
    skip_reason: str | None
    skip_from: int | None
    skip_to: int | None
    skip_count: int | None

    @property
    def drift(self) -> int | None:
        """µs between the instant it was to fire and the first byte leaving; None before that."""
        return None if self.started_at is None else self.started_at - self.fire_at


@dataclass(frozen=True, slots=True)
class NodeView:
    """One engine. `counters` are totals since its start."""

    id: str
    host: str
    pid: int
    version: str
    state: str
    started_at: int
    heartbeat_at: int
    counters: dict[str, float]


@dataclass(frozen=True, slots=True)
class Metrics:
    """Totals over the nodes that live, and counts over the store."""

    jobs: dict[str, int]
    fired: int
    succeeded: int
    failed: int
    retried: int
    skipped: int
    lost: int
    in_flight: int
    waiting: int
    late: int
    oldest_late: int | None
    drift_p50: int | None
    drift_p99: int | None
    nodes: tuple[NodeView, ...] = ()
    held: int = 0
    oldest_held: int | None = None
    """Overdue like `late`, but held back by a limited queue or a maintenance window; not among `late`."""
    failing: int = 0
    """Active jobs whose latest finished execution failed or was lost; the count stops at 10,000."""


@dataclass(frozen=True, slots=True)
class Health:
    """`ok` or not, and why, one sentence each."""

    ok: bool
    database: str
    reasons: tuple[str, ...] = ()
    nodes: int = 0
    uptime: int = 0
    details: dict[str, str] = field(default_factory=dict)


class SortBy(StrEnum):
    """What a list of jobs can be ordered by; jobs that are equal in it come oldest first."""

    CREATED = "created"
    NAME = "name"
    STATE = "state"
    SCHEDULE = "schedule"
    NEXT_RUN = "next run"
    FAILURES = "failures"
    QUEUE = "queue"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class JobQuery:
    """Which jobs, in which order. `descending` turns the order round."""

    filter: JobFilter = field(default_factory=JobFilter)
    sort: SortBy = SortBy.CREATED
    descending: bool = False


@dataclass(frozen=True, slots=True)
class JobListing:
    """The jobs that a query found, in order, each by its key: an integer that stands for the job as long as it is
    there. `total` counts those that are not deleted, found or not.
    """

    keys: Sequence[int]
    total: int


@dataclass(frozen=True, slots=True)
class Result:
    """One past execution, as far as a line of the job table shows it."""

    state: State
    at: int
    """When it ended; while it has not, when it was to fire (µs)."""
    http_status: int | None
    error: str | None
    drift: int | None
    duration: int | None


@dataclass(frozen=True, slots=True)
class JobRow:
    """A line of the job table. `failures` counts the executions that failed since one succeeded; `results` are the
    latest executions that have begun or ended, newest first.
    """

    key: int
    id: str
    name: str
    method: str
    url: str
    schedule: str
    timezone: str
    queue: str
    tags: tuple[str, ...]
    state: JobState
    version: int
    failures: int
    next_run: int | None
    results: tuple[Result, ...] = ()

    @property
    def title(self) -> str:
        """What to call it: its name, or else where it sends."""
        return self.name or self.url


class Change(StrEnum):
    """What can be done to many jobs at once."""

    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"
    RESTORE = "restore"
    RUN = "run"
    CANCEL = "cancel"
    """Everything of the job that is under way or waits for its time."""


@dataclass(frozen=True, slots=True)
class Changed:
    """Jobs by key: which are now as wanted, and which are not, each with a sentence that says why. `changed` are those
    of the first that were otherwise before: what there is to take back.
    """

    done: tuple[int, ...]
    refused: tuple[tuple[int, str], ...] = ()
    changed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Backfilled:
    """Of a stretch of the past: how many occurrences the schedule has there, how many of them are run by the backfill,
    how many of those had been skipped before, and how many have been there already, and stay as they are.
    """

    occurrences: int
    to_run: int
    taken_over: int
    already: int


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which executions: of one job or of all, in some states or (none given) any, none that was to fire before the
    instant `since`; the newest `limit` of them.
    """

    job_id: str | None = None
    states: frozenset[State] = frozenset()
    since: int | None = None
    limit: int = 500


@dataclass(frozen=True, slots=True)
class LogRow:
    """A line of the log: an execution, at most of which changes while it is looked at."""

    key: int
    id: str
    claim_no: int
    job_id: str
    job_name: str
    state: State
    trigger: Trigger
    fire_at: int
    attempt: int
    started_at: int | None
    finished_at: int | None
    duration: int | None
    http_status: int | None
    error: str | None
    next_attempt_at: int | None
    skip_reason: str | None
    skip_count: int | None

    @property
    def drift(self) -> int | None:
        """µs between the instant it was to fire and the first byte leaving; None before that."""
        return None if self.started_at is None else self.started_at - self.fire_at


@dataclass(frozen=True, slots=True)
class LogCursor:
    """How far a log has been read: (instant of the poll, first key that was still to come then), oldest first."""

    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class LogPage:
    """What is new or has changed, in the order of (fire_at, key). `left_out` counts what the limit kept back of what is
    new; with `has_more` there is that much at least. A first page says by `has_older` whether there may be older ones
    that it does not show.
    """

    rows: tuple[LogRow, ...]
    left_out: int
    cursor: LogCursor
    has_more: bool = False
    has_older: bool = False


@dataclass(frozen=True, slots=True)
class Trial:
    """What a request came to that was sent once, to try it; nothing of it is stored.

    `succeeded` is the verdict of the job's success rule and `reason` a sentence for it; `duration` µs; `excerpt` the
    beginning of the body as text.
    """

    succeeded: bool
    reason: str
    started_at: int | None
    duration: int | None
    http_status: int | None
    headers: tuple[tuple[str, str], ...] = ()
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class QueueView:
    """A queue, over all nodes. `in_flight` are under way; `held` are overdue because the queue holds them back, the
    oldest since `oldest_held` (µs). The counts stop at 10,000.
    """

    name: str
    limits: Limits
    in_flight: int = 0
    held: int = 0
    oldest_held: int | None = None


@dataclass(frozen=True, slots=True)
class WindowView:
    """A maintenance window. `open_until` is when it ends if it is open now; `next_start` when it begins next (µs)."""

    id: str
    spec: WindowSpec
    created_at: int
    open_until: int | None
    next_start: int | None


@dataclass(frozen=True, slots=True)
class AlertView:
    """Something a person should hear of. `at` and `scheduled_for` µs since the epoch. `number` is more than one where
    failures were summed up: so many, of one job or of many, the latest of which is the one that is told of.
    """

    at: int
    job_id: str
    job_name: str
    scheduled_for: int
    state: str
    attempts: int
    message: str
    number: int = 1
