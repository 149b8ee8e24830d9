"""Everything a user can ask for. The TUI, the API and the command line know only this."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

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
    Notice,
    QueueView,
    Trial,
    WindowView,
)
from tui_scheduler.domain.backfill import LOWEST
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.domain.queues import Limits
from tui_scheduler.domain.windows import WindowSpec


class Control(Protocol):
    """Commands and questions; each is one transaction, safe to call from any thread, and blocks until it is done.

    Every method may raise `StoreUnavailable`; those that name a job raise `NotFound`; those that change one raise
    `Invalid` for a value that cannot be taken and `Conflict` when the job's state does not allow it.
    """

    def create_job(self, spec: JobSpec) -> JobView:
        """Store a new active job; its first occurrence is the first one after now."""
        ...

    def update_job(
        self, job_id: str, change: Callable[[JobSpec], JobSpec], *, expected_version: int | None = None
    ) -> JobView:
        """Replace what a user decides. With `expected_version`, `Conflict` when someone else changed it meanwhile."""
        ...

    def job(self, job_id: str) -> JobView:
        """One job that is not deleted."""
        ...

    def jobs(self, *, limit: int = 1000, after: str | None = None) -> list[JobView]:
        """Jobs that are not deleted, oldest first; `after` is the id of the last one already seen."""
        ...

    def delete_job(self, job_id: str) -> None:
        """Softly: it stops at once, its history stays until it is purged."""
        ...

    def restore_job(self, job_id: str) -> JobView:
        """Undo a deletion."""
        ...

    def pause_job(self, job_id: str) -> JobView:
        """No further occurrence is run until it is resumed; pausing a paused job changes nothing."""
        ...

    def resume_job(self, job_id: str) -> JobView:
        """Go on from now; what fell into the pause is not made up for."""
        ...

    def run_now(self, job_id: str) -> ExecutionView:
        """One manual execution, at once, whatever the schedule; works on paused jobs too."""
        ...

    def backfill(
        self, job_id: str, first: int, last: int, *, priority: int = LOWEST, dry_run: bool = False
    ) -> Backfilled:
        """Run what the schedule of a job had, or would have had, from `first` to `last` (µs, both included), behind
        what is due now of the same priority; of a job that does not allow overlap one after the other. Paused and
        finished jobs too. What there is of an occurrence stays, but one that was skipped by itself is run: so the same
        again does nothing. `Invalid` for a stretch that reaches into the future or holds more than 10,000. A `dry_run`
        only counts. Stored in portions; when the store fails half way, those before stay, and it may be asked again.
        """
        ...

    def cancel_backfill(self, job_id: str) -> int:
        """End those backfills of a job that no node has in hand; how many there were. They stay as cancelled."""
        ...

    def executions(self, job_id: str, *, limit: int = 100) -> list[ExecutionView]:
        """The history of a job, newest first."""
        ...

    def execution(self, execution_id: str) -> tuple[ExecutionView, list[AttemptView]]:
        """One execution with its attempts (none are kept for one that succeeded first time)."""
        ...

    def list_jobs(self, query: JobQuery) -> JobListing:
        """The keys of all jobs that a query finds, in its order: 100,000 take a fraction of a second."""
        ...

    def job_rows(self, keys: Sequence[int]) -> list[JobRow]:
        """The lines of these jobs, in the order asked for; those that are deleted by now are left out. For a
        screenful of jobs cheap enough to ask several times a second.
        """
        ...

    def change_jobs(self, change: Change, keys: Sequence[int]) -> Changed:
        """Do the same to many jobs, some hundred a transaction. What is so already counts as done. When the store fails
        half way the rest is refused with its reason; it raises only when nothing was changed.
        """
        ...

    def check(self, spec: JobSpec, *, job_id: str | None = None) -> tuple[Notice, ...]:
        """What saving this would say, saving nothing; raises `Invalid` as saving would. With `job_id`: as an edit of
        that job.
        """
        ...

    def test_request(self, spec: JobSpec, *, unwanted: Future[None] | None = None) -> Trial:
        """Send the request of a job once, now, and judge the answer by its success rule. Blocks at most as long as
        the timeout of the job. Raises `Conflict` where no engine runs in this process, `Invalid` for what cannot be
        sent. As soon as `unwanted` is done (cancelled, say) the request is cut off, which raises `Conflict` too.
        """
        ...

    def log(self, query: LogQuery, cursor: LogCursor | None = None, *, again: Sequence[int] = ()) -> LogPage:
        """Executions whose time has come. Without a cursor the newest ones; with that of the page before, what came
        since, and what changed of those named by `again` (the keys of unfinished ones on show). Rows come more than
        once: whoever shows them keeps them apart by key, claim number and state.
        """
        ...

    def cancel(self, execution_id: str) -> ExecutionView:
        """End an execution: at once when it waits, within a tick when it is under way. `Conflict` when it has ended."""
        ...

    def replay(self, execution_id: str) -> ExecutionView:
        """A new execution, at once, for the same instant as one that has ended, with the job as it is now. `Conflict`
        when it has not ended.
        """
        ...

    def queues(self) -> list[QueueView]:
        """All queues that a job names or that have limits, by name."""
        ...

    def queue(self, name: str) -> QueueView:
        """One of them; `NotFound` for any other."""
        ...

    def limit_queue(self, name: str, change: Callable[[Limits], Limits]) -> QueueView:
        """Replace what a queue allows, over all nodes; it may have no job yet. Binds as an edit of a job does: what
        was claimed before and is not to be sent within 250 ms waits for its turn.
        """
        ...

    def pause_queue(self, name: str) -> QueueView:
        """Hold everything of a queue until it is resumed, also what is run by hand. `NotFound` for none."""
        ...

    def resume_queue(self, name: str) -> QueueView:
        """Let go what a pause held: what is older than the grace of its job as its catch-up says."""
        ...

    def windows(self) -> list[WindowView]:
        """The maintenance windows, oldest first."""
        ...

    def create_window(self, spec: WindowSpec) -> WindowView:
        """Store a maintenance window: an occurrence that fires in it is skipped, retries wait until it ends, and what
        is run by hand goes.
        """
        ...

    def update_window(self, window_id: str, change: Callable[[WindowSpec], WindowSpec]) -> WindowView:
        """Replace what a user decides about a window; `NotFound` for none. What fired in it up to now stays skipped."""
        ...

    def delete_window(self, window_id: str) -> None:
        """End a window, now if it is open; `NotFound` for none."""
        ...

    def metrics(self) -> Metrics:
        """Counts and totals, cheap enough to ask several times a second."""
        ...

    def health(self) -> Health:
        """Whether occurrences are being run, with reasons if not. Never raises: an unusable store is a reason."""
        ...
