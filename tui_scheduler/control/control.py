"""Everything a user can ask for. The TUI, the API and the command line know only this."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tui_scheduler.control.views import AttemptView, ExecutionView, Health, JobView, Metrics
from tui_scheduler.domain.job import JobSpec


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

    def executions(self, job_id: str, *, limit: int = 100) -> list[ExecutionView]:
        """The history of a job, newest first."""
        ...

    def execution(self, execution_id: str) -> tuple[ExecutionView, list[AttemptView]]:
        """One execution with its attempts (none are kept for one that succeeded first time)."""
        ...

    def metrics(self) -> Metrics:
        """Counts and totals, cheap enough to ask several times a second."""
        ...

    def health(self) -> Health:
        """Whether occurrences are being run, with reasons if not. Never raises: an unusable store is a reason."""
        ...
