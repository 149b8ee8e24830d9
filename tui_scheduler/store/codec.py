"""What a row of `job` holds, to and from the domain's frozen `Job`.

Thousands of jobs are read at once when a herd is claimed for the first time, so rows are plain tuples in the order of
`JOB_COLUMNS`, and what most jobs have in common (no headers, the default retry policy) is decoded once and shared: a
million jobs in memory hold it once, too.

The column `state` says a little more than `JobState`: a deleted job remembers what to return to when it is restored.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobState, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.store.hot import Values

DELETED_WHILE_PAUSED: Final = "deleted paused"
"""In the column: deleted, and paused before. A restored job must not start to fire if it was paused."""

SPEC_COLUMNS: Final = (
    "name",
    "schedule",
    "timezone",
    "method",
    "url",
    "headers",
    "body",
    "tls_verify",
    "ca_file",
    "follow_redirects",
    "type",
    "retry",
    "timeout_us",
    "priority",
    "queue",
    "tags",
    "overlap",
    "catch_up",
    "grace_us",
    "jitter_us",
    "starts_at",
    "ends_at",
    "success",
    "pause_on_gone",
)
"""What a user decides, in the order of `spec_values`."""

_JSON: Final = frozenset({"headers", "retry", "tags", "success"})

# The cast spares PostgreSQL's driver the decoding, which is done here and mostly only once.
JOB_COLUMNS: Final = ", ".join(
    (
        *(f"CAST({name} AS TEXT)" if name in _JSON else name for name in SPEC_COLUMNS),
        "id, public_id, state, version, created_at, updated_at",
    )
)
"""What `job_of` reads; a SELECT may ask for more after it."""

JOB_WIDTH: Final = len(SPEC_COLUMNS) + 6

_STATES: Final = {state.value: state for state in JobState} | {DELETED_WHILE_PAUSED: JobState.DELETED}
_TYPES: Final = {member.value: member for member in JobType}
_OVERLAPS: Final = {member.value: member for member in Overlap}
_CATCH_UPS: Final = {member.value: member for member in CatchUp}


def spec_values(spec: JobSpec) -> Values:
    """The values of `SPEC_COLUMNS`."""
    request = spec.request
    return (
        spec.name,
        spec.schedule,
        spec.timezone,
        request.method,
        request.url,
        _json_of(request.headers),
        request.body,
        request.tls_verify,
        request.ca_file,
        request.follow_redirects,
        spec.type.value,
        _retry_json(spec.retry),
        spec.timeout,
        spec.priority,
        spec.queue,
        _json_of(spec.tags),
        spec.overlap.value,
        spec.catch_up.value,
        spec.grace,
        spec.jitter,
        spec.starts_at,
        spec.ends_at,
        _success_json(spec.success),
        spec.pause_on_gone,
    )


def job_of(row: Sequence[Any]) -> Job:
    """The job in a row that begins with `JOB_COLUMNS`."""
    (
        name,
        schedule,
        timezone,
        method,
        url,
        headers,
        body,
        tls_verify,
        ca_file,
        follow_redirects,
        job_type,
        retry,
        timeout,
        priority,
        queue,
        tags,
        overlap,
        catch_up,
        grace,
        jitter,
        starts_at,
        ends_at,
        success,
        pause_on_gone,
        key,
        job_id,
        state,
        version,
        created_at,
        updated_at,
    ) = row[:JOB_WIDTH]
    # By position: with names it costs twice as much.
    request = Request(url, method, _headers_of(headers), body, bool(tls_verify), ca_file, bool(follow_redirects))
    spec = JobSpec(
        schedule,
        request,
        name,
        timezone,
        _TYPES[job_type],
        _retry_of(retry),
        timeout,
        priority,
        queue,
        _tags_of(tags),
        _OVERLAPS[overlap],
        _CATCH_UPS[catch_up],
        grace,
        jitter,
        starts_at,
        ends_at,
        _success_of(success),
        bool(pause_on_gone),
    )
    return Job(key, job_id, spec, _STATES[state], version, created_at, updated_at)


@lru_cache(maxsize=4096)
def _json_of(value: tuple[Any, ...]) -> str:
    return json.dumps(value)


@lru_cache(maxsize=1024)
def _headers_of(text: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in json.loads(text))


@lru_cache(maxsize=1024)
def _tags_of(text: str) -> tuple[str, ...]:
    return tuple(json.loads(text))


@lru_cache(maxsize=1024)
def _retry_json(policy: RetryPolicy) -> str:
    return json.dumps(
        {
            "max_attempts": policy.max_attempts,
            "base_us": policy.base,
            "factor": policy.factor,
            "cap_us": policy.cap,
            "total_us": policy.total,
            "statuses": None if policy.statuses is None else sorted(policy.statuses),
        }
    )


@lru_cache(maxsize=1024)
def _retry_of(text: str) -> RetryPolicy:
    values = json.loads(text)
    return RetryPolicy(
        max_attempts=values["max_attempts"],
        base=values["base_us"],
        factor=float(values["factor"]),
        cap=values["cap_us"],
        total=values["total_us"],
        statuses=None if values["statuses"] is None else frozenset(values["statuses"]),
    )


def _success_json(rule: SuccessRule) -> str:
    # Not cached: 1, 1.0 and True are equal, but not the same JSON.
    return json.dumps(
        {
            "statuses": rule.statuses,
            "body_pattern": rule.body_pattern,
            "json_path": rule.json_path,
            "json_equals": rule.json_equals,
        }
    )


@lru_cache(maxsize=1024)
def _success_of(text: str) -> SuccessRule:
    values = json.loads(text)
    return SuccessRule(
        statuses=tuple((low, high) for low, high in values["statuses"]),
        body_pattern=values["body_pattern"],
        json_path=values["json_path"],
        json_equals=values["json_equals"],
    )
