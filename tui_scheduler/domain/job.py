"""A job: a schedule plus an HTTP request, and how its occurrences are to be run.

Instants are µs since the epoch (UTC), durations µs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property, lru_cache

from tui_scheduler.domain.retry import SECOND, RetryPolicy

DEFAULT_QUEUE = "default"
PRIORITIES = range(1, 10)
"""1 goes first. Small and fixed, because the due query is one index range scan per priority."""


class JobType(StrEnum):
    """The delivery guarantee: after a crash, send again (at least once) or never risk a second send (at most once)."""

    ATLEAST_ONCE = "ATLEAST_ONCE"
    ATMOST_ONCE = "ATMOST_ONCE"


class JobState(StrEnum):
    """`finished`: the schedule has no further occurrence. `deleted` is soft, so that it can be undone."""

    ACTIVE = "active"
    PAUSED = "paused"
    FINISHED = "finished"
    DELETED = "deleted"


class Overlap(StrEnum):
    """What to do with an occurrence that is due while an earlier one of the same job is not finished."""

    ALLOW = "allow"
    SKIP = "skip"
    QUEUE = "queue"
    CANCEL = "cancel"


class CatchUp(StrEnum):
    """Which of the occurrences that were missed by more than the grace are still run."""

    ALL = "all"
    LATEST = "latest"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Request:
    """The HTTP request of a job, as the user gave it. `ca_file` is a PEM bundle trusted for this job alone."""

    url: str
    method: str = "POST"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    tls_verify: bool = True
    ca_file: str | None = None
    follow_redirects: bool = False


@dataclass(frozen=True, slots=True)
class SuccessRule:
    """An attempt succeeded when its status lies in one of `statuses` and the further conditions that are set hold.

    `statuses` are inclusive (low, high) pairs; `body_pattern` is a regular expression searched in the kept part of
    the body; `json_path` is dotted (`result.items[0].state`) and compared with `json_equals`.
    """

    statuses: tuple[tuple[int, int], ...] = ((200, 299),)
    body_pattern: str | None = None
    json_path: str | None = None
    json_equals: str | float | bool | None = None


@dataclass(frozen=True, slots=True)
class JobSpec:
    """Everything about a job that a user decides."""

    schedule: str
    request: Request
    name: str = ""
    timezone: str = "UTC"
    type: JobType = JobType.ATLEAST_ONCE
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeout: int = 30 * SECOND
    priority: int = 5
    queue: str = DEFAULT_QUEUE
    tags: tuple[str, ...] = ()
    overlap: Overlap = Overlap.ALLOW
    catch_up: CatchUp = CatchUp.ALL
    grace: int = 60 * SECOND
    jitter: int = 0
    starts_at: int | None = None
    ends_at: int | None = None
    success: SuccessRule = field(default_factory=SuccessRule)
    pause_on_gone: bool = False


@dataclass(frozen=True)
class Job:
    """A stored job. `key` is the integer the store uses, `id` the public UUIDv7; every edit raises `version`."""

    key: int
    id: str
    spec: JobSpec
    state: JobState
    version: int
    created_at: int
    updated_at: int

    @cached_property
    def offset(self) -> int:
        """The µs added to every scheduled instant of this job."""
        return jitter_offset(self.id, self.spec.jitter)


@lru_cache(maxsize=65_536)
def jitter_offset(job_id: str, jitter: int) -> int:
    """A fixed share of `jitter` µs, in [0, jitter), from the job's id: the same on every node and every day."""
    if jitter <= 0:
        return 0
    return int.from_bytes(hashlib.blake2b(job_id.encode(), digest_size=8).digest(), "big") % jitter
