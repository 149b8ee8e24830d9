"""What `Control` gives to those who show it: frozen, ready to read, the same locally and over the API.

Instants are µs since the epoch, durations µs; turning them into JSON or words is the reader's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job


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


@dataclass(frozen=True, slots=True)
class Health:
    """`ok` or not, and why, one sentence each."""

    ok: bool
    database: str
    reasons: tuple[str, ...] = ()
    nodes: int = 0
    uptime: int = 0
    details: dict[str, str] = field(default_factory=dict)
