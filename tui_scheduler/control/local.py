"""`Control` over the store of this process."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from tui_scheduler.control.local_backfill import LocalBackfill
from tui_scheduler.control.local_holds import LocalHolds
from tui_scheduler.control.local_runs import LocalRuns, TryRequest, execution_view
from tui_scheduler.control.local_table import LocalTable
from tui_scheduler.control.views import (
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
    NodeView,
    Notice,
    Trial,
)
from tui_scheduler.domain.backfill import LOWEST
from tui_scheduler.domain.decisions import next_occurrence
from tui_scheduler.domain.errors import NotFound, StoreUnavailable
from tui_scheduler.domain.job import Job, JobSpec, JobState
from tui_scheduler.domain.lint import ScheduleWarning, lint
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.revision import Timer
from tui_scheduler.domain.schedule import Schedule, parse_schedule
from tui_scheduler.domain.validation import check, check_values
from tui_scheduler.domain.wording import in_words
from tui_scheduler.store.database import Database
from tui_scheduler.store.history import AttemptRecord, Backlog, ExecutionRecord, History, NodeRecord
from tui_scheduler.store.jobs import JobStore

HERD: Final = 500
"""So many jobs on one instant are worth a word."""

STALE: Final = 30 * SECOND
"""Generous, because it compares wall clocks: whether a node is dead is for the nodes to say, by its heartbeat."""

SET_BACK: Final = 5 * SECOND
"""Engines plan 2 s ahead by default, 4 s at most; what is planned further was planned before the clock was set back."""

BEHIND: Final = 10 * SECOND
"""Work that is late by more than this means that occurrences are not being run as they should."""

_NO_TIMER: Final = Timer(0, None)


class LocalControl(LocalHolds):
    """`now` gives µs since the epoch; `wake` makes an engine of this process look at once; `engine_trouble` says in
    a sentence what is wrong with that engine, None when nothing is, and `engine_details` what else to say of it;
    `try_request` sends a test request by it.
    """

    def __init__(
        self,
        database: Database,
        *,
        now: Callable[[], int],
        wake: Callable[[], None] = lambda: None,
        engine_trouble: Callable[[], str | None] = lambda: None,
        try_request: TryRequest | None = None,
        engine_details: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        super().__init__(database, now=now, wake=wake)
        self._jobs = JobStore(database)
        self._history = History(database)
        self._table = LocalTable(database, now=now, wake=wake)
        self._runs = LocalRuns(database, now=now, wake=wake, try_request=try_request)
        self._backfill = LocalBackfill(database, now=now, wake=wake)
        self._where = str(database)
        self._engine_trouble = engine_trouble
        self._engine_details = engine_details
        self._started_at = now()

    def create_job(self, spec: JobSpec) -> JobView:
        """See `Control`."""
        now = self._now()
        warnings = check(spec, now=now)
        job = self._jobs.create(spec, now)
        self._wake()
        return self._view(job, warnings)

    def update_job(
        self, job_id: str, change: Callable[[JobSpec], JobSpec], *, expected_version: int | None = None
    ) -> JobView:
        """See `Control`. `change` runs inside the transaction: it gets what is stored, and has to be quick."""
        now = self._now()

        def changed(job: Job) -> JobSpec:
            spec = change(job.spec)
            _check_edit(job, spec, now)
            return spec

        return self._shown(self._jobs.update(job_id, changed, now, expected_version))

    def job(self, job_id: str) -> JobView:
        """See `Control`."""
        return self._view(self._jobs.get(job_id))

    def jobs(self, *, limit: int = 1000, after: str | None = None) -> list[JobView]:
        """See `Control`. Without notices: they are about one job and cost a look at the others."""
        page = self._jobs.page(limit, after)
        timers = self._jobs.timers([job.key for job in page])
        return [_view(job, timers.get(job.key, _NO_TIMER), ()) for job in page]

    def delete_job(self, job_id: str) -> None:
        """See `Control`."""
        self._jobs.delete(job_id, self._now())
        self._wake()

    def restore_job(self, job_id: str) -> JobView:
        """See `Control`."""
        return self._shown(self._jobs.restore(job_id, self._now()))

    def pause_job(self, job_id: str) -> JobView:
        """See `Control`."""
        return self._shown(self._jobs.pause(job_id, self._now()))

    def resume_job(self, job_id: str) -> JobView:
        """See `Control`."""
        return self._shown(self._jobs.resume(job_id, self._now()))

    def run_now(self, job_id: str) -> ExecutionView:
        """See `Control`."""
        record = self._jobs.run_now(job_id, self._now())
        self._wake()
        return self._execution_view(record)

    def backfill(
        self, job_id: str, first: int, last: int, *, priority: int = LOWEST, dry_run: bool = False
    ) -> Backfilled:
        """See `Control`."""
        return self._backfill.backfill(job_id, first, last, priority=priority, dry_run=dry_run)

    def cancel_backfill(self, job_id: str) -> int:
        """See `Control`."""
        return self._backfill.cancel_backfill(job_id)

    def executions(self, job_id: str, *, limit: int = 100) -> list[ExecutionView]:
        """See `Control`."""
        job = self._jobs.get(job_id)
        return [self._execution_view(record) for record in self._history.of_job(job.key, self._now(), limit)]

    def execution(self, execution_id: str) -> tuple[ExecutionView, list[AttemptView]]:
        """See `Control`."""
        record = self._history.find(execution_id)
        if record is None:
            raise NotFound("execution", execution_id)
        return self._execution_view(record), [_attempt_view(kept) for kept in self._history.attempts(record.key)]

    def log(self, query: LogQuery, cursor: LogCursor | None = None, *, again: Sequence[int] = ()) -> LogPage:
        """See `Control`."""
        return self._runs.log(query, cursor, again=again)

    def cancel(self, execution_id: str) -> ExecutionView:
        """See `Control`."""
        return self._runs.cancel(execution_id)

    def replay(self, execution_id: str) -> ExecutionView:
        """See `Control`."""
        return self._runs.replay(execution_id)

    def test_request(self, spec: JobSpec, *, unwanted: Future[None] | None = None) -> Trial:
        """See `Control`."""
        return self._runs.test_request(spec, unwanted=unwanted)

    def list_jobs(self, query: JobQuery) -> JobListing:
        """See `Control`."""
        return self._table.list_jobs(query)

    def job_rows(self, keys: Sequence[int]) -> list[JobRow]:
        """See `Control`."""
        return self._table.job_rows(keys)

    def change_jobs(self, change: Change, keys: Sequence[int]) -> Changed:
        """See `Control`."""
        return self._table.change_jobs(change, keys)

    def check(self, spec: JobSpec, *, job_id: str | None = None) -> tuple[Notice, ...]:
        """See `Control`."""
        now = self._now()
        if job_id is None:
            return _notices(check(spec, now=now)) + self._crowd(spec, now, now, None)
        job = self._jobs.get(job_id)
        warnings = _check_edit(job, spec, now)
        if job.state is JobState.PAUSED:
            return _notices(warnings)  # it fires at no instant before it is resumed
        return _notices(warnings) + self._crowd(spec, job.created_at, now, job)

    def metrics(self) -> Metrics:
        """See `Control`. Jobs may be counted a moment ago; `late` stops at 10,000; `oldest_late` is the instant."""
        jobs = self._history.jobs_by_state()
        backlog = self._history.backlog(self._now())
        nodes = self._history.nodes()
        alive = [node for node in nodes if node.state == "alive"]
        totals: Counter[str] = Counter()
        for node in alive:
            totals.update({name: int(number) for name, number in node.counters.items() if number is not None})
        return Metrics(
            jobs={state.value: number for state, number in jobs.items() if state is not JobState.DELETED},
            fired=totals["fired"],
            succeeded=totals["succeeded"],
            failed=totals["failed"],
            retried=totals["retried"],
            skipped=totals["skipped"],
            lost=totals["lost"],
            in_flight=totals["inFlight"],
            waiting=backlog.waiting,
            late=backlog.late,
            oldest_late=backlog.oldest,
            held=backlog.held,
            oldest_held=backlog.oldest_held,
            drift_p50=_worst(alive, "driftP50"),
            drift_p99=_worst(alive, "driftP99"),
            nodes=tuple(_node_view(node) for node in nodes),
            failing=self._table.failing(),
        )

    def health(self) -> Health:
        """See `Control`."""
        now = self._now()
        uptime = max(now - self._started_at, 0)
        try:
            nodes = self._history.nodes()
            planned = self._history.planned_ahead()
            backlog = self._history.backlog(now)
        except StoreUnavailable as error:
            return Health(False, self._where, (str(error),), uptime=uptime)
        beating = [node for node in nodes if _beats(node, now)]
        found = [self._engine_trouble(), _no_node(beating), _set_back(planned, now), _behind(backlog, now)]
        reasons = tuple(reason for reason in found if reason is not None)
        details = {"waiting": str(backlog.waiting), "late": str(backlog.late) + ("+" if backlog.is_more else "")}
        details.update(self._engine_details())
        return Health(not reasons, self._where, reasons, nodes=len(beating), uptime=uptime, details=details)

    def _shown(self, job: Job) -> JobView:
        """What an edit gives back: its commit is what an engine has to look at."""
        self._wake()
        return self._view(job)

    def _view(self, job: Job, warnings: tuple[ScheduleWarning, ...] | None = None) -> JobView:
        timer = self._jobs.timers([job.key]).get(job.key, _NO_TIMER)
        if warnings is None:
            warnings = lint(_schedule(job), self._now())
        notices = _notices(warnings)
        if timer.next_fire_at is not None:
            together = self._history.due_at(timer.next_fire_at, HERD)
            notices += _herd(job.spec, together)
        return _view(job, timer, notices)

    def _crowd(self, spec: JobSpec, created_at: int, now: int, job: Job | None) -> tuple[Notice, ...]:
        """What `_view` would say of the first instant, once `spec` is saved."""
        first = next_occurrence(parse_schedule(spec.schedule, spec.timezone, created_at=created_at), spec, now)
        if first is None or spec.jitter:
            return ()
        fires = None if job is None else self._jobs.timers([job.key]).get(job.key, _NO_TIMER).next_fire_at
        return _herd(spec, self._history.due_at(first, HERD) + (fires != first))

    def _execution_view(self, record: ExecutionRecord) -> ExecutionView:
        return execution_view(record, self._history.id_of(record))


def _when(spec: JobSpec) -> tuple[object, ...]:
    return spec.schedule, spec.timezone, spec.starts_at, spec.ends_at


def _schedule(job: Job) -> Schedule:
    return parse_schedule(job.spec.schedule, job.spec.timezone, created_at=job.created_at)


def _view(job: Job, timer: Timer, notices: tuple[Notice, ...]) -> JobView:
    return JobView(job, timer.next_fire_at, timer.planned_through, in_words(_schedule(job)), notices)


def _check_edit(job: Job, spec: JobSpec, now: int) -> tuple[ScheduleWarning, ...]:
    """A schedule that has come to its end is no reason to refuse another body."""
    if _when(spec) != _when(job.spec):
        return check(spec, now=now, created_at=job.created_at)
    return lint(check_values(spec, created_at=job.created_at), now)


def _notices(warnings: tuple[ScheduleWarning, ...]) -> tuple[Notice, ...]:
    return tuple(Notice(warning.code, warning.message) for warning in warnings)


def _herd(spec: JobSpec, together: int) -> tuple[Notice, ...]:
    if together < HERD or spec.jitter:
        return ()
    message = f"{HERD} jobs or more fire at the same instant as this one; jitterMs would spread them"
    return (Notice("herd", message),)


def _attempt_view(record: AttemptRecord) -> AttemptView:
    return AttemptView(**record._asdict())


def _node_view(record: NodeRecord) -> NodeView:
    known = {name: number for name, number in record.counters.items() if number is not None}
    return NodeView(**record._replace(counters={})._asdict() | {"counters": known})


def _worst(nodes: list[NodeRecord], name: str) -> int | None:
    """Quantiles of several nodes do not add up; the worst one is what to look at."""
    known = [node.counters.get(name) for node in nodes]
    return max((int(number) for number in known if number is not None), default=None)


def _beats(node: NodeRecord, now: int) -> bool:
    return node.state == "alive" and now - node.heartbeat_at <= STALE


def _no_node(beating: list[NodeRecord]) -> str | None:
    if beating:
        return None
    return f"no engine has been heard of for {STALE // SECOND} s, so nothing is being run"


def _set_back(planned: int | None, now: int) -> str | None:
    if planned is None or planned - now <= SET_BACK:
        return None
    ahead = (planned - now) // SECOND
    return f"the clock was set back: instants up to {ahead} s from now are already planned and do not run again"


def _behind(backlog: Backlog, now: int) -> str | None:
    if backlog.oldest is None or now - backlog.oldest <= BEHIND:
        return None
    since = f"{(now - backlog.oldest) // SECOND} s ago"
    if backlog.late == 1:
        return f"1 late occurrence, due {since}"
    more = " or more" if backlog.is_more else ""
    return f"{backlog.late:,}{more} late occurrences, the oldest due {since}"
