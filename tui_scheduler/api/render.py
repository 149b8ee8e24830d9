"""The views as JSON: camelCase, instants ISO 8601 UTC with milliseconds, durations in milliseconds."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic.alias_generators import to_camel

from tui_scheduler.control.views import (
    AttemptView,
    Backfilled,
    ExecutionView,
    Health,
    JobView,
    Metrics,
    NodeView,
    Notice,
    QueueView,
    WindowView,
)
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import Request, SuccessRule
from tui_scheduler.domain.retry import RetryPolicy

Object = dict[str, Any]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
STATUS: Final = {State.SUCCEEDED: "success", State.FAILED: "failure", State.LOST: "failure"}
"""The words of the original design; the other states go by their own name."""


def instant(moment: int | None) -> str | None:
    """`2026-12-01T09:00:00.000Z` from µs since the epoch; what lies below the millisecond is cut off."""
    if moment is None:
        return None
    return (EPOCH + timedelta(microseconds=moment)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(duration: int | None) -> float | None:
    """From µs, exactly; a whole number stays one."""
    if duration is None:
        return None
    return duration // 1_000 if duration % 1_000 == 0 else duration / 1_000


def job(view: JobView) -> Object:
    """Everything about a job; what a user may set goes back into a `PUT` as it is here."""
    spec = view.job.spec
    return {
        "jobId": view.job.id,
        "schedule": spec.schedule,
        "api": spec.request.url,
        "type": spec.type.value,
        "name": spec.name,
        "timezone": spec.timezone,
        **_request(spec.request),
        "timeoutMs": milliseconds(spec.timeout),
        "priority": spec.priority,
        "queue": spec.queue,
        "tags": list(spec.tags),
        "overlap": spec.overlap.value,
        "catchUp": spec.catch_up.value,
        "graceMs": milliseconds(spec.grace),
        "jitterMs": milliseconds(spec.jitter),
        "startsAt": instant(spec.starts_at),
        "endsAt": instant(spec.ends_at),
        "retry": _retry(spec.retry),
        "success": _success(spec.success),
        "pauseOnGone": spec.pause_on_gone,
        "state": view.job.state.value,
        "version": view.job.version,
        "nextRun": instant(view.next_run),
        "createdAt": instant(view.job.created_at),
        "updatedAt": instant(view.job.updated_at),
        "inWords": view.in_words,
        "warnings": warnings(view.notices),
    }


def changed(view: JobView, status: str) -> Object:
    """What a command on a job gets: the original two fields, and what the command led to."""
    return {
        "jobId": view.job.id,
        "status": status,
        "state": view.job.state.value,
        "version": view.job.version,
        "nextRun": instant(view.next_run),
        "inWords": view.in_words,
        "warnings": warnings(view.notices),
    }


def warnings(notices: tuple[Notice, ...]) -> list[Object]:
    return [{"code": notice.code, "message": notice.message} for notice in notices]


def execution(view: ExecutionView) -> Object:
    """`timestamp` is when the first attempt started; for one that never did, when it was scheduled for."""
    return {
        "executionId": view.id,
        "timestamp": instant(view.scheduled_for if view.started_at is None else view.started_at),
        "status": STATUS.get(view.state, view.state.value),
        "httpStatus": view.http_status,
        "duration": milliseconds(view.duration),
        "state": view.state.value,
        "scheduledFor": instant(view.scheduled_for),
        "fireAt": instant(view.fire_at),
        "startedAt": instant(view.started_at),
        "finishedAt": instant(view.finished_at),
        "drift": milliseconds(view.drift),
        "trigger": view.trigger.value,
        "attempt": view.attempt,
        "nextAttemptAt": instant(view.next_attempt_at),
        "error": view.error,
        "responseExcerpt": view.response_excerpt,
        "skip": _skip(view),
        "jobVersion": view.job_version,
        "node": view.node,
        "rescues": view.rescues,
    }


def attempt(view: AttemptView) -> Object:
    return {
        "attempt": view.attempt,
        "startedAt": instant(view.started_at),
        "finishedAt": instant(view.finished_at),
        "duration": milliseconds(view.duration),
        "httpStatus": view.http_status,
        "error": view.error,
        "responseHeaders": [list(pair) for pair in view.response_headers],
        "responseExcerpt": view.response_excerpt,
        "waitMs": milliseconds(view.waits),
        "waitsFor": view.waits_for,
    }


def backfilled(job_id: str, counts: Backfilled, *, dry_run: bool) -> Object:
    """What became of a backfill, or would."""
    return {
        "jobId": job_id,
        "status": "dry run" if dry_run else "accepted",
        "occurrences": counts.occurrences,
        "toRun": counts.to_run,
        "takenOver": counts.taken_over,
        "alreadyThere": counts.already,
    }


def metrics(view: Metrics) -> Object:
    return {
        "jobs": view.jobs,
        "fired": view.fired,
        "succeeded": view.succeeded,
        "failed": view.failed,
        "retried": view.retried,
        "skipped": view.skipped,
        "lost": view.lost,
        "inFlight": view.in_flight,
        "waiting": view.waiting,
        "late": view.late,
        "oldestLate": instant(view.oldest_late),
        "held": view.held,
        "oldestHeld": instant(view.oldest_held),
        "failing": view.failing,
        "drift": {"p50": milliseconds(view.drift_p50), "p99": milliseconds(view.drift_p99)},
        "nodes": [_node(node) for node in view.nodes],
    }


def queue(view: QueueView) -> Object:
    return {
        "queue": view.name,
        "concurrency": view.limits.concurrency,
        "rate": None if view.limits.rate is None else str(view.limits.rate),
        "paused": view.limits.paused,
        "inFlight": view.in_flight,
        "held": view.held,
        "oldestHeld": instant(view.oldest_held),
    }


def window(view: WindowView) -> Object:
    """What a user may set goes back into a `PUT` as it is here."""
    spec = view.spec
    return {
        "windowId": view.id,
        "name": spec.name,
        "queue": spec.queue,
        "startsAt": instant(spec.starts_at),
        "endsAt": instant(spec.ends_at),
        "schedule": spec.schedule,
        "durationMs": milliseconds(spec.duration),
        "timezone": spec.timezone,
        "enabled": spec.enabled,
        "createdAt": instant(view.created_at),
        "openUntil": instant(view.open_until),
        "nextStart": instant(view.next_start),
    }


def health(view: Health) -> Object:
    return {
        "status": "ok" if view.ok else "unavailable",
        "reasons": list(view.reasons),
        "database": view.database,
        "nodes": view.nodes,
        "uptimeMs": milliseconds(view.uptime),
        "details": view.details,
    }


def _request(request: Request) -> Object:
    return {
        "method": request.method,
        "headers": _headers(request.headers),
        "body": request.body,
        "tlsVerify": request.tls_verify,
        "caFile": request.ca_file,
        "followRedirects": request.follow_redirects,
    }


def _headers(pairs: tuple[tuple[str, str], ...]) -> dict[str, str] | list[list[str]]:
    """An object, or pairs where a name comes twice, which no object can hold."""
    if len({name.lower() for name, _ in pairs}) == len(pairs):
        return dict(pairs)
    return [list(pair) for pair in pairs]


def _retry(policy: RetryPolicy) -> Object:
    return {
        "maxAttempts": policy.max_attempts,
        "baseMs": milliseconds(policy.base),
        "factor": policy.factor,
        "capMs": milliseconds(policy.cap),
        "totalMs": milliseconds(policy.total),
        "statuses": None if policy.statuses is None else sorted(policy.statuses),
    }


def _success(rule: SuccessRule) -> Object:
    return {
        "statuses": [low if low == high else f"{low}-{high}" for low, high in rule.statuses],
        "bodyPattern": rule.body_pattern,
        "jsonPath": rule.json_path,
        "jsonEquals": rule.json_equals,
    }


def _skip(view: ExecutionView) -> Object | None:
    if view.skip_reason is None:
        return None
    return {
        "reason": view.skip_reason,
        "from": instant(view.skip_from),
        "to": instant(view.skip_to),
        "count": view.skip_count,
    }


def _node(view: NodeView) -> Object:
    plain = {to_camel(name): value for name, value in asdict(view).items()}
    return plain | {"startedAt": instant(view.started_at), "heartbeatAt": instant(view.heartbeat_at)}
