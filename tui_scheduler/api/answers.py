"""What answers look like, for the OpenAPI document. `render` makes them; a test holds the two together."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from tui_scheduler.api.errors import ErrorBody
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import CatchUp, JobState, JobType, Overlap

Timestamp = str
"""ISO 8601, UTC, with milliseconds: `2026-12-01T09:00:00.000Z`."""

Milliseconds = float


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Warned(_Answer):
    """Something to know about a job that was accepted."""

    code: str
    message: str


class RetryShown(_Answer):
    max_attempts: int
    base_ms: Milliseconds
    factor: float
    cap_ms: Milliseconds
    total_ms: Milliseconds | None
    statuses: list[int] | None


class SuccessShown(_Answer):
    statuses: list[int | str]
    body_pattern: str | None
    json_path: str | None
    json_equals: str | bool | int | float | None


class JobShown(_Answer):
    """A job."""

    job_id: str
    schedule: str
    api: str
    type: JobType
    name: str
    timezone: str
    method: str
    headers: dict[str, str] | list[tuple[str, str]]
    body: str | None
    timeout_ms: Milliseconds
    priority: int
    queue: str
    tags: list[str]
    overlap: Overlap
    catch_up: CatchUp
    grace_ms: Milliseconds
    jitter_ms: Milliseconds
    starts_at: Timestamp | None
    ends_at: Timestamp | None
    retry: RetryShown
    success: SuccessShown
    tls_verify: bool
    ca_file: str | None
    follow_redirects: bool
    pause_on_gone: bool
    state: JobState
    version: int
    next_run: Timestamp | None
    created_at: Timestamp
    updated_at: Timestamp
    in_words: str
    warnings: list[Warned]


class JobChanged(_Answer):
    """What a command on a job led to. `status` is created, updated, paused, resumed or restored."""

    job_id: str
    status: str
    state: JobState
    version: int
    next_run: Timestamp | None
    in_words: str
    warnings: list[Warned]


class JobDeleted(_Answer):
    job_id: str
    status: str


class RunAccepted(_Answer):
    job_id: str
    execution_id: str
    status: str


class BackfillAccepted(_Answer):
    """`status` is accepted or dry run. `taken_over` had been skipped and are part of `to_run`; `already_there` stay."""

    job_id: str
    status: str
    occurrences: int
    to_run: int
    taken_over: int
    already_there: int


class BackfillCancelled(_Answer):
    job_id: str
    cancelled: int


class Skip(_Answer):
    """Why, and of a skipped stretch its first and last occurrence and their number."""

    reason: str
    from_: Timestamp | None
    to: Timestamp | None
    count: int | None

    model_config = ConfigDict(alias_generator=lambda name: name.rstrip("_"))


class ExecutionShown(_Answer):
    """One occurrence. `status` is success, failure, or the state's own name; durations and drift are in ms."""

    execution_id: str
    timestamp: Timestamp
    status: str
    http_status: int | None
    duration: Milliseconds | None
    state: State
    scheduled_for: Timestamp
    fire_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    drift: Milliseconds | None
    trigger: Trigger
    attempt: int
    next_attempt_at: Timestamp | None
    error: str | None
    response_excerpt: str | None
    skip: Skip | None
    job_version: int
    node: str | None
    rescues: int


class History(_Answer):
    """The executions of a job, newest first."""

    job_id: str
    executions: list[ExecutionShown]


class AttemptShown(_Answer):
    attempt: int
    started_at: Timestamp | None
    finished_at: Timestamp
    duration: Milliseconds | None
    http_status: int | None
    error: str | None
    response_headers: list[tuple[str, str]]
    response_excerpt: str | None
    wait_ms: Milliseconds | None
    waits_for: str | None


class ExecutionInFull(ExecutionShown):
    """One execution with its attempts; none are kept for one that succeeded the first time."""

    job_id: str
    attempts: list[AttemptShown]


class Quantiles(_Answer):
    p50: Milliseconds | None
    p99: Milliseconds | None


class NodeShown(_Answer):
    id: str
    host: str
    pid: int
    version: str
    state: str
    started_at: Timestamp
    heartbeat_at: Timestamp
    counters: dict[str, float]


class MetricsShown(_Answer):
    """Totals over the nodes that live, and counts over the store. `late`, `held` and `failing` count to 10,000 at
    most: what is overdue, what is overdue because a queue or a window holds it back, and the active jobs whose latest
    finished execution failed or was lost.
    """

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
    oldest_late: Timestamp | None
    held: int
    oldest_held: Timestamp | None
    failing: int
    drift: Quantiles
    nodes: list[NodeShown]


class QueueShown(_Answer):
    """A queue, over all nodes. `held` counts what is overdue because the queue holds it back; null: no limit."""

    queue: str
    concurrency: int | None
    rate: str | None
    paused: bool
    in_flight: int
    held: int
    oldest_held: Timestamp | None


class QueueFreed(_Answer):
    queue: str
    status: str


class WindowShown(_Answer):
    """A maintenance window, of one queue or (null) of all. `openUntil` is null while it is not open."""

    window_id: str
    name: str
    queue: str | None
    starts_at: Timestamp | None
    ends_at: Timestamp | None
    schedule: str | None
    duration_ms: Milliseconds | None
    timezone: str
    enabled: bool
    created_at: Timestamp
    open_until: Timestamp | None
    next_start: Timestamp | None


class WindowDeleted(_Answer):
    window_id: str
    status: str


class HealthShown(_Answer):
    """`status` is ok or unavailable; `reasons` says why, a sentence each."""

    status: str
    reasons: list[str]
    database: str
    nodes: int
    uptime_ms: Milliseconds
    details: dict[str, str]


def described(*refusals: int, status: int = 200, answer: Any) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint: its answer, and the errors it may give."""
    errors: dict[int | str, dict[str, Any]] = {each: {"model": ErrorBody} for each in (*refusals, 403, 503)}
    return {status: {"model": answer}, **errors}
