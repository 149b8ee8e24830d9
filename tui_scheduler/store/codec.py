"""What a `JobRow` holds, to and from the domain's frozen `Job`.

The column `state` says a little more than `JobState`: a deleted job remembers what to return to when it is restored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Row, Table

from tui_scheduler.domain.job import CatchUp, Job, JobSpec, JobState, JobType, Overlap, Request, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.store.tables import JobRow

JOB: Final[Table] = JobRow.__table__  # type: ignore[attr-defined]  # SQLModel does not declare it
"""The table behind `JobRow`."""

DELETED_WHILE_PAUSED: Final = "deleted paused"
"""In the column: deleted, and paused before. A restored job must not start to fire if it was paused."""

DELETED_STATES: Final = (JobState.DELETED.value, DELETED_WHILE_PAUSED)

_FROM_COLUMN: Final = {state.value: state for state in JobState} | {DELETED_WHILE_PAUSED: JobState.DELETED}

JOB_COLUMNS: Final = tuple(column for column in JOB.c if column.name not in {"alert", "signing_secret_ref"})
"""What `job_of` reads."""

_DEFAULT_RETRY: Final = RetryPolicy()
_DEFAULT_SUCCESS: Final = SuccessRule()


def spec_values(spec: JobSpec) -> dict[str, Any]:
    """The columns that a user decides."""
    request = spec.request
    return {
        "name": spec.name,
        "schedule": spec.schedule,
        "timezone": spec.timezone,
        "method": request.method,
        "url": request.url,
        "headers": [list(pair) for pair in request.headers],
        "body": request.body,
        "tls_verify": request.tls_verify,
        "ca_file": request.ca_file,
        "follow_redirects": request.follow_redirects,
        "type": spec.type.value,
        "retry": _retry_values(spec.retry),
        "timeout_us": spec.timeout,
        "priority": spec.priority,
        "queue": spec.queue,
        "tags": list(spec.tags),
        "overlap": spec.overlap.value,
        "catch_up": spec.catch_up.value,
        "grace_us": spec.grace,
        "jitter_us": spec.jitter,
        "starts_at": spec.starts_at,
        "ends_at": spec.ends_at,
        "success": _success_values(spec.success),
        "pause_on_gone": spec.pause_on_gone,
    }


def job_of(row: Row[Any]) -> Job:
    """The job in a row of `JOB_COLUMNS`."""
    return Job(
        key=row.id,
        id=row.public_id,
        spec=JobSpec(
            schedule=row.schedule,
            request=Request(
                url=row.url,
                method=row.method,
                headers=tuple((name, value) for name, value in row.headers),
                body=row.body,
                tls_verify=row.tls_verify,
                ca_file=row.ca_file,
                follow_redirects=row.follow_redirects,
            ),
            name=row.name,
            timezone=row.timezone,
            type=JobType(row.type),
            retry=_retry_of(row.retry),
            timeout=row.timeout_us,
            priority=row.priority,
            queue=row.queue,
            tags=tuple(row.tags),
            overlap=Overlap(row.overlap),
            catch_up=CatchUp(row.catch_up),
            grace=row.grace_us,
            jitter=row.jitter_us,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            success=_success_of(row.success),
            pause_on_gone=row.pause_on_gone,
        ),
        state=_FROM_COLUMN[row.state],
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _retry_values(policy: RetryPolicy) -> dict[str, Any]:
    return {
        "max_attempts": policy.max_attempts,
        "base_us": policy.base,
        "factor": policy.factor,
        "cap_us": policy.cap,
        "total_us": policy.total,
        "statuses": None if policy.statuses is None else sorted(policy.statuses),
    }


def _retry_of(values: Mapping[str, Any]) -> RetryPolicy:
    statuses = values["statuses"]
    policy = RetryPolicy(
        max_attempts=values["max_attempts"],
        base=values["base_us"],
        factor=float(values["factor"]),  # JSON has one kind of number, and PostgreSQL may give 2.0 back as it came
        cap=values["cap_us"],
        total=values["total_us"],
        statuses=None if statuses is None else frozenset(statuses),
    )
    return _DEFAULT_RETRY if policy == _DEFAULT_RETRY else policy  # one object for a million jobs, not a million


def _success_values(rule: SuccessRule) -> dict[str, Any]:
    return {
        "statuses": [list(pair) for pair in rule.statuses],
        "body_pattern": rule.body_pattern,
        "json_path": rule.json_path,
        "json_equals": rule.json_equals,
    }


def _success_of(values: Mapping[str, Any]) -> SuccessRule:
    rule = SuccessRule(
        statuses=tuple((low, high) for low, high in values["statuses"]),
        body_pattern=values["body_pattern"],
        json_path=values["json_path"],
        json_equals=values["json_equals"],
    )
    return _DEFAULT_SUCCESS if rule == _DEFAULT_SUCCESS else rule
