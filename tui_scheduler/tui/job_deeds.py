"""What can be done to jobs from their table: to the marked ones that are shown, or the one with the cursor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from textual.app import App

from tui_scheduler.control.control import Control
from tui_scheduler.control.views import Change, JobQuery, JobRow
from tui_scheduler.domain.errors import Conflict, SchedulerError
from tui_scheduler.domain.filtering import Column, JobFilter, Term
from tui_scheduler.domain.job import JobState
from tui_scheduler.tui import bulk
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.job_changes import JobChanges
from tui_scheduler.tui.job_model import JobModel, Targets
from tui_scheduler.tui.screens.confirm import Choice, ConfirmScreen
from tui_scheduler.tui.telling import tell

_FEW: Final = 100
"""So many lines are read to see how jobs stand; of more only which are paused and which finished is asked."""

_BACK: Final = {Change.PAUSE: Change.RESUME, Change.RESUME: Change.PAUSE, Change.DELETE: Change.RESTORE}
"""What takes a change back."""


class JobDeeds:
    """Each method runs in a worker, asks first where that is due, says what it did and what it left out, and calls
    `after` when something has changed; `tell` is given how far a change of very many has come. What it acts on is given
    to it: when the worker comes to run the cursor may be elsewhere.
    """

    def __init__(
        self,
        app: App[Any],
        desk: Desk,
        model: JobModel,
        *,
        after: Callable[[], Awaitable[None]],
        tell: Callable[[str], None],
    ) -> None:
        self._app = app
        self._desk = desk
        self._changes = JobChanges(desk, tell)
        self._model = model
        self._after = after

    def stop(self) -> bool:
        """End the change of very many jobs that is under way; False: there is none."""
        return self._changes.stop()

    async def run(self, targets: Targets) -> None:
        if await self._is_meant("Run", targets, beyond=bulk.ASK_BEYOND):
            await self._change(Change.RUN, targets)

    async def cancel(self, targets: Targets) -> None:
        if await self._is_meant("Cancel the runs of", targets, beyond=bulk.ASK_BEYOND):
            await self._change(Change.CANCEL, targets)

    async def delete(self, targets: Targets) -> None:
        if await self._is_meant("Delete", targets, beyond=0, danger=True):
            await self._change(Change.DELETE, targets)

    async def toggle(self, targets: Targets) -> None:
        """Pause, or resume where all are paused."""
        if not self._any(targets):
            return
        try:
            paused, finished = await self._desk.ask(lambda control: _standing(control, targets.keys))
        except SchedulerError as error:
            self._complain(error)
            return
        change, keys = bulk.toggle(targets.keys, paused, finished)
        if keys:
            await self._change(change, Targets(keys, targets.hidden))
        else:
            tell(self._app, "a finished job can neither be paused nor resumed", severity="warning")

    def _any(self, targets: Targets) -> bool:
        """Whether there is anything to act on; says why not."""
        if not targets.keys and targets.hidden:
            text = f"nothing done; {bulk.left_out(targets.hidden)}"
            tell(self._app, text, severity="warning")
        return bool(targets.keys)

    async def _is_meant(self, verb: str, targets: Targets, *, beyond: int, danger: bool = False) -> bool:
        """Ask, naming the jobs, where there are more than `beyond`. Never for nothing."""
        number = len(targets.keys)
        if number <= beyond or not number:
            return self._any(targets)
        try:
            rows = await self._desk.ask(lambda control: control.job_rows(targets.keys[:10]))
        except SchedulerError as error:
            self._complain(error)
            return False
        text = bulk.named([row.title for row in rows], number)
        if targets.hidden:
            text += f"\n\n{bulk.leaves_out(targets.hidden)}"
        title = f"{verb} {bulk.jobs(number)}?"
        choice = Choice(f"{verb} {bulk.jobs(number)}", "yes", danger=danger)
        return await self._app.push_screen_wait(ConfirmScreen(title, text, choice)) == "yes"

    async def _change(self, change: Change, targets: Targets) -> None:
        keys = targets.keys
        known = self._model.row(keys[0]) if len(keys) == 1 else None
        name = known.title if known is not None else ""
        try:
            changed, left = await self._changes.make(change, keys)
        except SchedulerError as error:
            self._complain(error)
            await self._after()
            return
        if change is Change.DELETE:
            self._model.forget(changed.done)
        if change in _BACK:
            self._can_be_undone(change, changed.changed, name)
        tell(
            self._app,
            bulk.report(change, changed, targets.hidden, name, left=len(left)),
            severity="warning" if changed.refused or left else "information",
        )
        await self._after()

    def _can_be_undone(self, change: Change, keys: tuple[int, ...], name: str = "") -> None:
        """Only what this changed is taken back: what somebody else did meanwhile, or before, is theirs."""
        if keys:
            self._desk.did(bulk.did(change, len(keys), name), partial(self._undo, change, keys))

    async def _undo(self, change: Change, keys: tuple[int, ...]) -> None:
        """Raises `Conflict` for what is refused now; what it did not come to can be undone later."""
        try:
            self._changes.refuse_second()
        except SchedulerError:
            self._can_be_undone(change, keys)
            raise
        back = _BACK[change]
        changed, left = await self._changes.make(back, keys)
        self._can_be_undone(change, left)
        await self._after()
        if left:
            raise Conflict(bulk.report(back, changed, 0, left=len(left)))
        bulk.insist(back, changed)

    def _complain(self, error: SchedulerError) -> None:
        tell(self._app, str(error), severity="error")


def _standing(control: Control, keys: tuple[int, ...]) -> tuple[set[int], set[int]]:
    """Which of these jobs are paused, and which finished."""
    if len(keys) <= _FEW:
        rows = control.job_rows(keys)
        return _in_state(rows, JobState.PAUSED), _in_state(rows, JobState.FINISHED)
    wanted = set(keys)
    paused, finished = (
        wanted.intersection(control.list_jobs(JobQuery(JobFilter((Term(Column.STATE, state),)))).keys)
        for state in ("paused", "finished")
    )
    return paused, finished


def _in_state(rows: list[JobRow], state: JobState) -> set[int]:
    return {row.key for row in rows if row.state is state}
