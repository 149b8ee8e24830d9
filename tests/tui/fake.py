"""A `Control` in memory, by the same rules as the real one as far as a screen can tell, with a clock set by hand.

`tests/control/test_promises.py` holds both to the same promises.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace

from tests.tui.fake_holds import FakeHolds
from tests.tui.fake_store import NOW, SECOND, FakeStore
from tests.tui.gate import Gate
from tui_scheduler.control.views import (
    AlertView,
    AttemptView,
    Backfilled,
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
    Metrics,
    Notice,
    QueueView,
    SortBy,
    Trial,
    WindowView,
)
from tui_scheduler.domain.backfill import LOWEST, occurrences, rank_of
from tui_scheduler.domain.errors import Conflict, Invalid, StoreUnavailable
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job, JobSpec, JobState
from tui_scheduler.domain.lint import ScheduleWarning, lint
from tui_scheduler.domain.queues import Limits
from tui_scheduler.domain.revision import Timer
from tui_scheduler.domain.validation import check, check_sending, check_values
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.samples import add_samples

__all__ = ["NOW", "SECOND", "FakeControl", "FakeSession"]


class FakeControl(FakeStore):
    """`fails` is raised by every call while it is set; `called` names the methods that were called, in order; those
    with a gate wait there.
    """

    def __init__(self, now: int = NOW) -> None:
        super().__init__(now)
        self.counts = Metrics({}, 0, 0, 0, 0, 0, 0, 0, 0, 0, None, None, None)
        self.reasons: tuple[str, ...] = ()
        self.trial = Trial(True, "status 200", now, 12_300, 200, (("content-type", "text/plain"),), "ok")
        self.fails: StoreUnavailable | None = None
        self.called: list[str] = []
        self.left_out = 0
        """What the next page of the log says it left out."""
        self._gates: dict[str, Gate] = {}
        self._deleted_while_paused: set[int] = set()
        self.holds = FakeHolds(self.now, lambda: {job.spec.queue for job in self.stored.values()})

    def now(self) -> int:
        return self.clock

    def gate(self, method: str) -> Gate:
        """From now on calls of this method wait until the gate is opened."""
        self._gates[method] = Gate()
        return self._gates[method]

    # --- Control: jobs

    def create_job(self, spec: JobSpec) -> JobView:
        with self._asked("create_job"):
            warnings = check(spec, now=self.clock)
            return replace(self._view(self._add(spec, JobState.ACTIVE, self.clock)), notices=_notices(warnings))

    def update_job(
        self, job_id: str, change: Callable[[JobSpec], JobSpec], *, expected_version: int | None = None
    ) -> JobView:
        with self._asked("update_job"):
            job = self._job(job_id)
            if expected_version is not None and expected_version != job.version:
                raise Conflict(f"the job was changed meanwhile: it is at version {job.version}, not {expected_version}")
            spec = change(job.spec)
            self._check_edit(job, spec)
            return self._view(job if spec == job.spec else self._put(replace(job, spec=spec)))

    def job(self, job_id: str) -> JobView:
        with self._asked("job"):
            return self._view(self._job(job_id))

    def jobs(self, *, limit: int = 1000, after: str | None = None) -> list[JobView]:
        with self._asked("jobs"):
            start = 0
            if after is not None:
                known = {job.id: job.key for job in self.stored.values()}
                if after not in known:
                    raise Invalid("after", f"there is no job with id {after!r} to go on after")
                start = known[after]
            there = [job for job in self._there() if job.key > start]
            return [replace(self._view(job), notices=()) for job in there[:limit]]

    def delete_job(self, job_id: str) -> None:
        with self._asked("delete_job"):
            self._change(Change.DELETE, self._job(job_id))

    def restore_job(self, job_id: str) -> JobView:
        with self._asked("restore_job"):
            return self._changed(Change.RESTORE, self._any_job(job_id))

    def pause_job(self, job_id: str) -> JobView:
        with self._asked("pause_job"):
            return self._changed(Change.PAUSE, self._job(job_id))

    def resume_job(self, job_id: str) -> JobView:
        with self._asked("resume_job"):
            return self._changed(Change.RESUME, self._job(job_id))

    def run_now(self, job_id: str) -> ExecutionView:
        with self._asked("run_now"):
            return self.happened(self._job(job_id), State.PENDING, trigger=Trigger.MANUAL)

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
            refused: dict[int, str] = {}
            changed: list[int] = []
            asked = dict.fromkeys(keys)
            for key in asked:
                job = self.stored.get(key)
                if job is None:
                    refused[key] = "there is no such job"
                elif job.state is JobState.DELETED and change not in {Change.DELETE, Change.RESTORE}:
                    refused[key] = "the job is deleted"
                else:
                    try:
                        changed += [key] if self._change(change, job) else []
                    except Conflict as error:
                        refused[key] = str(error)
            return Changed(tuple(key for key in asked if key not in refused), tuple(refused.items()), tuple(changed))

    def check(self, spec: JobSpec, *, job_id: str | None = None) -> tuple[Notice, ...]:
        with self._asked("check"):
            if job_id is None:
                return _notices(check(spec, now=self.clock))
            return _notices(self._check_edit(self._job(job_id), spec))

    def test_request(self, spec: JobSpec, *, unwanted: Future[None] | None = None) -> Trial:
        with self._asked("test_request"):
            check_sending(spec)
            return self.trial

    # --- Control: executions

    def executions(self, job_id: str, *, limit: int = 100) -> list[ExecutionView]:
        with self._asked("executions"):
            return self._of(self._job(job_id))[:limit]

    def execution(self, execution_id: str) -> tuple[ExecutionView, list[AttemptView]]:
        with self._asked("execution"):
            return self._execution(execution_id), list(self.attempts.get(execution_id, ()))

    def log(self, query: LogQuery, cursor: LogCursor | None = None, *, again: Sequence[int] = ()) -> LogPage:
        """Every page begins at the beginning: rows come more than once, as is promised."""
        with self._asked("log"):
            if query.job_id is not None:
                self._job(query.job_id)
            rows = [self._log_row(key, view) for key, view in enumerate(list(self.history.values()), start=1)]
            asked = [
                row
                for row in rows
                if self._has_come(row)
                and (query.job_id in {None, row.job_id})
                and (not query.states or row.state in query.states)
                and (query.since is None or row.fire_at >= query.since)
            ]
            asked.sort(key=lambda row: (row.fire_at, row.key))
            shown = {row.key: row for row in rows if row.key in again} | {row.key: row for row in asked[-query.limit :]}
            page = sorted(shown.values(), key=lambda row: (row.fire_at, row.key))
            left_out, self.left_out = self.left_out, 0
            has_older = cursor is None and len(asked) > query.limit
            return LogPage(tuple(page), left_out, LogCursor(((self.clock, len(rows) + 1),)), has_older=has_older)

    def cancel(self, execution_id: str) -> ExecutionView:
        """Also what is under way ends at once: the tick that it may take is over."""
        with self._asked("cancel"):
            view = self._execution(execution_id)
            if view.state.is_final:
                raise Conflict(f"there is nothing to cancel: the execution has ended ({view.state})")
            self._cancel(view, "cancelled on request")
            return self.history[view.id]

    def replay(self, execution_id: str) -> ExecutionView:
        with self._asked("replay"):
            view = self._execution(execution_id)
            if not view.state.is_final:
                raise Conflict(f"it can be replayed once it has ended; it is {view.state}")
            job = self._job(view.job_id)
            return self.happened(job, State.PENDING, trigger=Trigger.REPLAY, scheduled_for=view.scheduled_for)

    def backfill(
        self, job_id: str, first: int, last: int, *, priority: int = LOWEST, dry_run: bool = False
    ) -> Backfilled:
        with self._asked("backfill"):
            rank_of(priority)
            job = self._job(job_id)
            wanted = occurrences(job, Timer(self.clock, self._next_run(job)), first, last, self.clock)
            by_plan = {Trigger.SCHEDULE, Trigger.BACKFILL}
            there = {view.scheduled_for: view for view in self._of(job) if view.trigger in by_plan}
            skipped = [there[at] for at in wanted if at in there and there[at].state is State.SKIPPED]
            new = [at for at in wanted if at not in there]
            for view in () if dry_run else skipped:
                self.history[view.id] = replace(
                    view, state=State.PENDING, trigger=Trigger.BACKFILL, fire_at=self.clock, finished_at=None
                )
            for at in () if dry_run else new:
                self.happened(job, State.PENDING, trigger=Trigger.BACKFILL, scheduled_for=at, fire_at=self.clock)
            to_run = len(skipped) + len(new)
            return Backfilled(len(wanted), to_run, len(skipped), len(wanted) - to_run)

    def cancel_backfill(self, job_id: str) -> int:
        with self._asked("cancel_backfill"):
            waiting = [
                view
                for view in self._of(self._job(job_id))
                if view.trigger is Trigger.BACKFILL and view.state in {State.PENDING, State.RETRYING}
            ]
            for view in waiting:
                self._cancel(view, "cancelled on request")
            return len(waiting)

    # --- Control: what holds work back

    def queues(self) -> list[QueueView]:
        with self._asked("queues"):
            return self.holds.queues()

    def queue(self, name: str) -> QueueView:
        with self._asked("queue"):
            return self.holds.queue(name)

    def limit_queue(self, name: str, change: Callable[[Limits], Limits]) -> QueueView:
        with self._asked("limit_queue"):
            return self.holds.limit(name, change)

    def pause_queue(self, name: str) -> QueueView:
        with self._asked("pause_queue"):
            return self.holds.hold(name, paused=True)

    def resume_queue(self, name: str) -> QueueView:
        with self._asked("resume_queue"):
            return self.holds.hold(name, paused=False)

    def windows(self) -> list[WindowView]:
        with self._asked("windows"):
            return self.holds.windows()

    def create_window(self, spec: WindowSpec) -> WindowView:
        with self._asked("create_window"):
            return self.holds.create(spec)

    def update_window(self, window_id: str, change: Callable[[WindowSpec], WindowSpec]) -> WindowView:
        with self._asked("update_window"):
            return self.holds.update(window_id, change)

    def delete_window(self, window_id: str) -> None:
        with self._asked("delete_window"):
            self.holds.delete(window_id)

    def metrics(self) -> Metrics:
        with self._asked("metrics"):
            there = self._there()
            jobs = Counter(job.state.value for job in there)
            return replace(self.counts, jobs=dict(jobs), failing=sum(self._is_failing(job) for job in there))

    def health(self) -> Health:
        self.called.append("health")
        reasons = self.reasons if self.fails is None else (str(self.fails),)
        return Health(not reasons, "~/jobs.db", reasons, nodes=1, uptime=60 * SECOND)

    # ---

    @contextmanager
    def _asked(self, name: str) -> Iterator[None]:
        self.called.append(name)
        gate = self._gates.get(name.partition(" ")[0])
        if gate is not None:
            gate.wait()
        if self.fails is not None:
            raise self.fails
        yield

    def _check_edit(self, job: Job, spec: JobSpec) -> tuple[ScheduleWarning, ...]:
        """A schedule that has come to its end is no reason to refuse another body."""
        if _when(spec) != _when(job.spec):
            return check(spec, now=self.clock, created_at=job.created_at)
        return lint(check_values(spec, created_at=job.created_at), self.clock)

    def _changed(self, change: Change, job: Job) -> JobView:
        self._change(change, job)
        return self._view(self.stored[job.key])

    def _change(self, change: Change, job: Job) -> bool:
        """Whether it was otherwise before. Raises `Conflict` for what the state of the job does not allow."""
        match change:
            case Change.RUN:
                self.happened(job, State.PENDING, trigger=Trigger.MANUAL)
            case Change.CANCEL:
                for view in self._of(job):
                    if not view.state.is_final:
                        self._cancel(view, "cancelled on request")
            case _:
                return self._set_state(change, job)
        return True

    def _set_state(self, change: Change, job: Job) -> bool:
        match change:
            case Change.PAUSE:
                state = JobState.PAUSED
            case Change.DELETE:
                state = JobState.DELETED
            case Change.RESTORE if job.state is not JobState.DELETED:
                return False
            case Change.RESTORE if job.key in self._deleted_while_paused:
                state = JobState.PAUSED
            case _:
                state = JobState.ACTIVE
        if job.state is state:
            return False
        if job.state is JobState.FINISHED and change is not Change.DELETE:
            past = "paused" if change is Change.PAUSE else "resumed"
            raise Conflict(f"the job has finished, so it cannot be {past}: its schedule has no further occurrence")
        self._deleted_while_paused.discard(job.key)
        if change is Change.DELETE:
            self._deleted_while_paused |= {job.key} if job.state is JobState.PAUSED else set()
            for view in self._of(job):
                if view.state in {State.PENDING, State.RETRYING}:
                    self._cancel(view, "the job was deleted")
        put = self._put(replace(job, state=state))
        if state is JobState.ACTIVE and self._next_run(put) is None:
            self.stored[put.key] = replace(put, state=JobState.FINISHED)
        return True

    def _cancel(self, view: ExecutionView, why: str) -> None:
        self.history[view.id] = replace(
            view, state=State.CANCELLED, error=why, finished_at=self.clock, next_attempt_at=None
        )


def _when(spec: JobSpec) -> tuple[object, ...]:
    return spec.schedule, spec.timezone, spec.starts_at, spec.ends_at


def _notices(warnings: Sequence[ScheduleWarning]) -> tuple[Notice, ...]:
    return tuple(Notice(warning.code, warning.message) for warning in warnings)


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
