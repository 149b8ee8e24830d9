"""A `Control` in memory, by the same rules as the real one as far as a screen can tell, with a clock set by hand."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tui_scheduler.control.views import (
    AlertView,
    AttemptView,
    Change,
    Changed,
    ExecutionView,
    Health,
    JobListing,
    JobQuery,
    JobRow,
    JobView,
    LogCursor,
    LogPage,
    LogQuery,
    LogRow,
    Metrics,
    Notice,
    Result,
    SortBy,
    Trial,
)
from tui_scheduler.domain.errors import Conflict, NotFound, StoreUnavailable
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.filtering import Column, Term
from tui_scheduler.domain.job import Job, JobSpec, JobState
from tui_scheduler.domain.lint import lint
from tui_scheduler.domain.schedule import parse_schedule
from tui_scheduler.domain.validation import check
from tui_scheduler.domain.wording import in_words
from tui_scheduler.samples import add_samples

SECOND = 1_000_000
NOW = 1_795_449_600 * SECOND
"""2026-11-23 16:00:00 UTC: when the scenes play."""


class FakeControl:
    """Everything is kept in dictionaries that tests may look at and change. `fails` is raised by every call while it
    is set; `called` names the methods that were called, in order.
    """

    def __init__(self, now: int = NOW) -> None:
        self.clock = now
        self.stored: dict[int, Job] = {}
        self.history: dict[str, ExecutionView] = {}
        self.attempts: dict[str, list[AttemptView]] = {}
        self.counts = Metrics({}, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, None)
        self.reasons: tuple[str, ...] = ()
        self.trial = Trial(True, "status 200", now, 12_300, 200, (("content-type", "text/plain"),), "ok")
        self.fails: StoreUnavailable | None = None
        self.called: list[str] = []
        self.left_out = 0
        """What the next page of the log says it left out."""
        self._keys = 0

    def now(self) -> int:
        return self.clock

    # --- filling it

    def add(self, spec: JobSpec, state: JobState = JobState.ACTIVE) -> Job:
        """A job, made a minute ago."""
        self._keys += 1
        made = self.clock - 60 * SECOND
        job = Job(self._keys, str(uuid.UUID(int=(0x7 << 76) | self._keys)), spec, state, 1, made, made)
        self.stored[job.key] = job
        return job

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

    # --- Control

    def create_job(self, spec: JobSpec) -> JobView:
        with self._asked("create_job"):
            warnings = check(spec, now=self.clock)
            self._keys += 1
            job_id = str(uuid.UUID(int=(0x7 << 76) | self._keys))
            job = Job(self._keys, job_id, spec, JobState.ACTIVE, 1, self.clock, self.clock)
            self.stored[job.key] = job
            return replace(self._view(job), notices=tuple(Notice(w.code, w.message) for w in warnings))

    def update_job(
        self, job_id: str, change: Callable[[JobSpec], JobSpec], *, expected_version: int | None = None
    ) -> JobView:
        with self._asked("update_job"):
            job = self._job(job_id)
            if expected_version is not None and expected_version != job.version:
                raise Conflict(f"the job was changed meanwhile: it has version {job.version}, not {expected_version}")
            spec = change(job.spec)
            check(spec, now=self.clock, created_at=job.created_at)
            return self._view(self._put(replace(job, spec=spec)))

    def job(self, job_id: str) -> JobView:
        with self._asked("job"):
            return self._view(self._job(job_id))

    def jobs(self, *, limit: int = 1000, after: str | None = None) -> list[JobView]:
        with self._asked("jobs"):
            start = 0 if after is None else self._job(after).key
            return [self._view(job) for job in self._there() if job.key > start][:limit]

    def delete_job(self, job_id: str) -> None:
        with self._asked("delete_job"):
            self._put(replace(self._job(job_id), state=JobState.DELETED))

    def restore_job(self, job_id: str) -> JobView:
        with self._asked("restore_job"):
            job = next((job for job in self.stored.values() if job.id == job_id), None)
            if job is None:
                raise NotFound("job", job_id)
            return self._view(self._put(replace(job, state=JobState.ACTIVE)))

    def pause_job(self, job_id: str) -> JobView:
        with self._asked("pause_job"):
            return self._view(self._put(replace(self._job(job_id), state=JobState.PAUSED)))

    def resume_job(self, job_id: str) -> JobView:
        with self._asked("resume_job"):
            return self._view(self._put(replace(self._job(job_id), state=JobState.ACTIVE)))

    def run_now(self, job_id: str) -> ExecutionView:
        with self._asked("run_now"):
            return self.happened(self._job(job_id), State.PENDING, trigger=Trigger.MANUAL)

    def executions(self, job_id: str, *, limit: int = 100) -> list[ExecutionView]:
        with self._asked("executions"):
            return self._of(self._job(job_id))[:limit]

    def execution(self, execution_id: str) -> tuple[ExecutionView, list[AttemptView]]:
        with self._asked("execution"):
            return self._execution(execution_id), list(self.attempts.get(execution_id, ()))

    def list_jobs(self, query: JobQuery) -> JobListing:
        with self._asked("list_jobs"):
            there = self._there()
            found = [job for job in there if all(self._holds(term, job) for term in query.filter.terms)]
            found.sort(key=lambda job: self._order(query.sort, job), reverse=query.descending)
            if query.sort is SortBy.NEXT_RUN:
                found.sort(key=lambda job: self._next_run(job) is None)
            return JobListing(tuple(job.key for job in found), len(there))

    def job_rows(self, keys: Sequence[int]) -> list[JobRow]:
        with self._asked("job_rows"):
            found = [self.stored[key] for key in keys if key in self.stored]
            return [self._row(job) for job in found if job.state is not JobState.DELETED]

    def change_jobs(self, change: Change, keys: Sequence[int]) -> Changed:
        with self._asked(f"change_jobs {change}"):
            done: list[int] = []
            refused: list[tuple[int, str]] = []
            for key in keys:
                job = self.stored.get(key)
                if job is not None and job.state is JobState.DELETED and change is Change.DELETE:
                    done.append(key)
                elif job is None or (job.state is JobState.DELETED and change is not Change.RESTORE):
                    refused.append((key, "the job is deleted"))
                elif job.state is JobState.FINISHED and change in {Change.PAUSE, Change.RESUME}:
                    refused.append((key, f"a finished job cannot {change}"))
                else:
                    self._change(change, job)
                    done.append(key)
            return Changed(tuple(done), tuple(refused))

    def check(self, spec: JobSpec, *, job_id: str | None = None) -> tuple[Notice, ...]:
        with self._asked("check"):
            made = None if job_id is None else self._job(job_id).created_at
            return tuple(Notice(w.code, w.message) for w in check(spec, now=self.clock, created_at=made))

    def test_request(self, spec: JobSpec) -> Trial:
        with self._asked("test_request"):
            return self.trial

    def log(self, query: LogQuery, cursor: LogCursor | None = None, *, again: Sequence[int] = ()) -> LogPage:
        with self._asked("log"):
            keys = {view.id: number for number, view in enumerate(self.history.values(), start=1)}
            rows = [self._log_row(keys[view.id], view) for view in self.history.values()]
            asked = [
                row
                for row in rows
                if (query.job_id in {None, row.job_id})
                and (not query.states or row.state in query.states)
                and (query.since is None or row.fire_at >= query.since)
            ]
            asked.sort(key=lambda row: (row.fire_at, row.key))
            shown = {row.key: row for row in rows if row.key in again} | {row.key: row for row in asked[-query.limit :]}
            page = sorted(shown.values(), key=lambda row: (row.fire_at, row.key))
            left_out, self.left_out = self.left_out, 0
            return LogPage(tuple(page), left_out, LogCursor(((self.clock, len(rows) + 1),)))

    def cancel(self, execution_id: str) -> ExecutionView:
        with self._asked("cancel"):
            view = self._execution(execution_id)
            if view.state.is_final:
                raise Conflict(f"the execution has ended: it is {view.state}")
            self.history[view.id] = replace(view, state=State.CANCELLED, finished_at=self.clock)
            return self.history[view.id]

    def replay(self, execution_id: str) -> ExecutionView:
        with self._asked("replay"):
            view = self._execution(execution_id)
            if not view.state.is_final:
                raise Conflict(f"the execution has not ended: it is {view.state}")
            return self.happened(self._job(view.job_id), State.PENDING, trigger=Trigger.REPLAY)

    def metrics(self) -> Metrics:
        with self._asked("metrics"):
            failing = sum(1 for job in self._there() if self._failures(job))
            jobs = Counter(job.state.value for job in self._there())
            return replace(self.counts, jobs=dict(jobs), failing=failing)

    def health(self) -> Health:
        self.called.append("health")
        reasons = self.reasons if self.fails is None else (str(self.fails),)
        return Health(not reasons, "~/jobs.db", reasons, nodes=1, uptime=60 * SECOND)

    # ---

    @contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        self.called.append(name)
        if self.fails is not None:
            raise self.fails
        yield

    def _there(self) -> list[Job]:
        return [job for job in self.stored.values() if job.state is not JobState.DELETED]

    def _job(self, job_id: str) -> Job:
        for job in self._there():
            if job.id == job_id:
                return job
        raise NotFound("job", job_id)

    def _execution(self, execution_id: str) -> ExecutionView:
        if execution_id not in self.history:
            raise NotFound("execution", execution_id)
        return self.history[execution_id]

    def _put(self, job: Job) -> Job:
        self.stored[job.key] = replace(job, version=job.version + 1, updated_at=self.clock)
        return self.stored[job.key]

    def _of(self, job: Job) -> list[ExecutionView]:
        own = [view for view in self.history.values() if view.job_id == job.id]
        return sorted(own, key=lambda view: view.scheduled_for, reverse=True)

    def _failures(self, job: Job) -> int:
        number = 0
        for view in self._of(job):
            if view.state in {State.FAILED, State.LOST}:
                number += 1
            elif view.state is State.SUCCEEDED:
                break
        return number

    def _next_run(self, job: Job) -> int | None:
        if job.state is not JobState.ACTIVE:
            return None
        schedule = parse_schedule(job.spec.schedule, job.spec.timezone, created_at=job.created_at)
        return schedule.next_after(self.clock)

    def _view(self, job: Job) -> JobView:
        schedule = parse_schedule(job.spec.schedule, job.spec.timezone, created_at=job.created_at)
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
        job = next(job for job in self.stored.values() if job.id == view.job_id)
        return LogRow(
            key=key,
            id=view.id,
            claim_no=1,
            job_id=view.job_id,
            job_name=job.spec.name or job.spec.request.url,
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

    def _holds(self, term: Term, job: Job) -> bool:
        spec = job.spec
        match term.column:
            case Column.TEXT:
                texts = (spec.name, spec.request.url, spec.schedule)
                found = any(term.value.casefold() in text.casefold() for text in texts)
            case Column.TAG:
                found = term.value in spec.tags
            case Column.QUEUE:
                found = term.value == spec.queue
            case _:
                found = bool(self._failures(job)) if term.value == "failing" else job.state.value == term.value
        return found is not term.inverse

    def _order(self, sort: SortBy, job: Job) -> Any:
        return {
            SortBy.CREATED: job.key,
            SortBy.NAME: (job.spec.name or job.spec.request.url).casefold(),
            SortBy.STATE: job.state.value,
            SortBy.SCHEDULE: job.spec.schedule,
            SortBy.NEXT_RUN: self._next_run(job) or 0,
            SortBy.FAILURES: self._failures(job),
            SortBy.QUEUE: job.spec.queue,
            SortBy.PRIORITY: job.spec.priority,
        }[sort]

    def _change(self, change: Change, job: Job) -> None:
        match change:
            case Change.PAUSE:
                self._put(replace(job, state=JobState.PAUSED))
            case Change.RESUME | Change.RESTORE:
                self._put(replace(job, state=JobState.ACTIVE))
            case Change.DELETE:
                self._put(replace(job, state=JobState.DELETED))
            case Change.RUN:
                self.happened(job, State.PENDING, trigger=Trigger.MANUAL)
            case Change.CANCEL:
                for view in self._of(job):
                    if not view.state.is_final:
                        self.history[view.id] = replace(view, state=State.CANCELLED, finished_at=self.clock)


class FakeSession:
    """A session over a `FakeControl`; `told` are the alerts that the next call gives."""

    def __init__(self, control: FakeControl | None = None) -> None:
        self.control = control if control is not None else FakeControl()
        self.where = "~/jobs.db"
        self.told: list[AlertView] = []
        self.stopped = False
        self.dead: str | None = None

    def alerts(self) -> list[AlertView]:
        told, self.told = self.told, []
        return told

    def receiver(self) -> str:
        return "http://127.0.0.1:3001"

    def load_samples(self) -> int:
        return len(add_samples(self.control, self.receiver())[0])

    def trouble(self) -> str | None:
        return self.dead

    def stop(self) -> None:
        self.stopped = True
