"""What a `FakeControl` keeps, and what is known from it."""

from __future__ import annotations

import uuid
from dataclasses import replace

from tui_scheduler.control.views import AttemptView, ExecutionView, JobRow, JobView, LogRow, Notice, Result, SortBy
from tui_scheduler.domain.decisions import next_occurrence
from tui_scheduler.domain.errors import NotFound
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.filtering import Column, Term
from tui_scheduler.domain.job import Job, JobSpec, JobState
from tui_scheduler.domain.lint import lint
from tui_scheduler.domain.schedule import Schedule, parse_schedule
from tui_scheduler.domain.wording import in_words

SECOND = 1_000_000
NOW = 1_795_449_600 * SECOND
"""2026-11-23 16:00:00 UTC: when the scenes play."""


class FakeStore:
    """Everything is kept in dictionaries that tests may look at and change."""

    def __init__(self, now: int = NOW) -> None:
        self.clock = now
        self.stored: dict[int, Job] = {}
        self.history: dict[str, ExecutionView] = {}
        self.attempts: dict[str, list[AttemptView]] = {}
        self._keys = 0

    # --- filling it

    def add(self, spec: JobSpec, state: JobState = JobState.ACTIVE) -> Job:
        """A job, made a minute ago."""
        return self._add(spec, state, self.clock - 60 * SECOND)

    def happened(self, job: Job, state: State = State.SUCCEEDED, *, ago: int = 0, **known: object) -> ExecutionView:
        """An execution of a job that was to fire `ago` µs before now; `known` overrides what it came to."""
        at = self.clock - ago
        sent = state in {State.SUCCEEDED, State.FAILED, State.RETRYING, State.RUNNING}
        over = state.is_final
        status = {State.SUCCEEDED: 200, State.FAILED: 500, State.RETRYING: 503}.get(state)
        view = ExecutionView(
            id=str(uuid.UUID(int=(0x8 << 76) | len(self.history) + 1)),
            job_id=job.id,
            job_version=job.version,
            scheduled_for=at,
            fire_at=at,
            trigger=Trigger.SCHEDULE,
            state=state,
            attempt=1,
            started_at=at + 900 if sent else None,
            finished_at=at + 13_200 if over else None,
            duration=12_300 if sent and state is not State.RUNNING else None,
            http_status=status,
            error=None if status in {200, None} else f"HTTP {status}",
            response_excerpt="ok" if state is State.SUCCEEDED else None,
            next_attempt_at=at + 5 * SECOND if state is State.RETRYING else None,
            node="4f1c6d6e-0000-4000-8000-000000000001" if sent else None,
            rescues=0,
            skip_reason="overlap" if state is State.SKIPPED else None,
            skip_from=at if state is State.SKIPPED else None,
            skip_to=at if state is State.SKIPPED else None,
            skip_count=1 if state is State.SKIPPED else None,
        )
        view = replace(view, **known)  # type: ignore[arg-type]
        self.history[view.id] = view
        return view

    # --- what is there

    def _add(self, spec: JobSpec, state: JobState, made: int) -> Job:
        self._keys += 1
        job = Job(self._keys, str(uuid.UUID(int=(0x7 << 76) | self._keys)), spec, state, 1, made, made)
        self.stored[job.key] = job
        return job

    def _there(self) -> list[Job]:
        # A list of its own: other threads may add to the dictionary meanwhile.
        return [job for job in list(self.stored.values()) if job.state is not JobState.DELETED]

    def _any_job(self, job_id: str) -> Job:
        """Deleted or not."""
        for job in list(self.stored.values()):
            if job.id == job_id:
                return job
        raise NotFound("job", job_id)

    def _job(self, job_id: str) -> Job:
        job = self._any_job(job_id)
        if job.state is JobState.DELETED:
            raise NotFound("job", job_id)
        return job

    def _execution(self, execution_id: str) -> ExecutionView:
        if execution_id not in self.history:
            raise NotFound("execution", execution_id)
        return self.history[execution_id]

    def _put(self, job: Job) -> Job:
        self.stored[job.key] = replace(job, version=job.version + 1, updated_at=self.clock)
        return self.stored[job.key]

    def _of(self, job: Job) -> list[ExecutionView]:
        own = [view for view in list(self.history.values()) if view.job_id == job.id]
        return sorted(own, key=lambda view: view.scheduled_for, reverse=True)

    # --- what is known of it

    def _failures(self, job: Job) -> int:
        number = 0
        for view in self._of(job):
            if view.state in {State.FAILED, State.LOST}:
                number += 1
            elif view.state is State.SUCCEEDED:
                break
        return number

    def _is_failing(self, job: Job) -> bool:
        return job.state is JobState.ACTIVE and self._failures(job) > 0

    def _next_run(self, job: Job) -> int | None:
        if job.state is not JobState.ACTIVE:
            return None
        return next_occurrence(_schedule(job), job.spec, self.clock)

    def _view(self, job: Job) -> JobView:
        schedule = _schedule(job)
        notices = tuple(Notice(w.code, w.message) for w in lint(schedule, self.clock))
        return JobView(job, self._next_run(job), self.clock, in_words(schedule), notices)

    def _row(self, job: Job) -> JobRow:
        spec = job.spec
        results = [
            Result(v.state, v.finished_at or v.fire_at, v.http_status, v.error, v.drift, v.duration)
            for v in self._of(job)
            if v.started_at is not None or v.finished_at is not None
        ]
        return JobRow(
            key=job.key,
            id=job.id,
            name=spec.name,
            method=spec.request.method,
            url=spec.request.url,
            schedule=spec.schedule,
            timezone=spec.timezone,
            queue=spec.queue,
            tags=spec.tags,
            state=job.state,
            version=job.version,
            failures=self._failures(job),
            next_run=self._next_run(job),
            results=tuple(results[:12]),
        )

    def _log_row(self, key: int, view: ExecutionView) -> LogRow:
        spec = self._any_job(view.job_id).spec
        return LogRow(
            key=key,
            id=view.id,
            claim_no=1,
            job_id=view.job_id,
            job_name=spec.name or spec.request.url,
            state=view.state,
            trigger=view.trigger,
            fire_at=view.fire_at,
            attempt=view.attempt,
            started_at=view.started_at,
            finished_at=view.finished_at,
            duration=view.duration,
            http_status=view.http_status,
            error=view.error,
            next_attempt_at=view.next_attempt_at,
            skip_reason=view.skip_reason,
            skip_count=view.skip_count,
        )

    def _has_come(self, row: LogRow) -> bool:
        return row.fire_at <= self.clock or row.started_at is not None or row.finished_at is not None

    def _holds(self, term: Term, job: Job) -> bool:
        spec = job.spec
        match term.column:
            case Column.TEXT:
                texts = (spec.name, spec.request.url, spec.schedule)
                found = any(term.value.lower() in text.lower() for text in texts)
            case Column.TAG:
                found = term.value in spec.tags
            case Column.QUEUE:
                found = term.value == spec.queue
            case _:
                found = self._is_failing(job) if term.value == "failing" else job.state.value == term.value
        return found is not term.inverse

    def _order(self, sort: SortBy, job: Job) -> tuple[str, int]:
        """By a text or by a number."""
        spec = job.spec
        match sort:
            case SortBy.NAME:
                return (spec.name or spec.request.url).lower(), 0
            case SortBy.STATE:
                return job.state.value, 0
            case SortBy.SCHEDULE:
                return spec.schedule, 0
            case SortBy.QUEUE:
                return spec.queue, 0
            case SortBy.NEXT_RUN:
                return "", self._next_run(job) or 0
            case SortBy.FAILURES:
                return "", self._failures(job)
            case SortBy.PRIORITY:
                return "", spec.priority
            case SortBy.CREATED:
                return "", job.key


def _schedule(job: Job) -> Schedule:
    return parse_schedule(job.spec.schedule, job.spec.timezone, created_at=job.created_at)
