"""What is asked of the store about single jobs: their lines where they are not known yet, what else they hold, and
which of them fail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.app import App

from tui_scheduler.control.views import JobQuery, JobRow
from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.domain.filtering import Column, JobFilter, Term
from tui_scheduler.tui.clipboard import copy_text
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.job_model import JobModel
from tui_scheduler.tui.telling import tell


class JobLookup:
    """Each method runs in a worker and says what went wrong; what it is about is given to it."""

    def __init__(self, app: App[Any], desk: Desk, model: JobModel) -> None:
        self._app = app
        self._desk = desk
        self._model = model

    async def with_row(self, key: int, do: Callable[[JobRow], object]) -> None:
        """Do something with the line of a job that is not known yet."""
        try:
            rows = await self._desk.ask(lambda control: control.job_rows([key]))
        except SchedulerError as error:
            self._complain(error)
            return
        if rows:
            do(rows[0])
        else:
            tell(self._app, "the job is deleted", severity="warning")

    async def copy_curl(self, job_id: str) -> None:
        """The request of a job to the clipboard."""
        from tui_scheduler.domain.curl import as_curl

        try:
            view = await self._desk.ask(lambda control: control.job(job_id))
        except SchedulerError as error:
            self._complain(error)
            return
        copy_text(self._app, as_curl(view.job.spec.request), "the request as curl")

    async def to_failing(self, index: int, step: int, go: Callable[[int], object]) -> None:
        """From a place go to that of the next failing job in the order shown, from the other end when there is none
        further on.
        """
        condition = JobFilter((*self._model.query.filter.terms, Term(Column.STATE, "failing")))
        try:
            listing = await self._desk.ask(lambda control: control.list_jobs(JobQuery(condition)))
        except SchedulerError as error:
            self._complain(error)
            return
        found = self._model.nearest(set(listing.keys), index, step)
        if found is None:
            shown = "that the filter shows " if self._model.is_filtered else ""
            tell(self._app, f"no job {shown}is failing")
        else:
            go(found)

    def _complain(self, error: SchedulerError) -> None:
        tell(self._app, str(error), severity="error")
