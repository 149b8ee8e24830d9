"""A job in its fields: the stored one, or what was typed over it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widget import AwaitMount, Widget
from textual.widgets import Static
from textual.worker import WorkType

from tui_scheduler.control.views import JobView
from tui_scheduler.domain.errors import Invalid, NotFound, SchedulerError
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.background import begin, out_of_the_way
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.editor.aside import Aside
from tui_scheduler.tui.editor.draft import NEW_JOB, Reading, read_and_check, texts_of
from tui_scheduler.tui.editor.field_row import FieldRow
from tui_scheduler.tui.editor.form import Form
from tui_scheduler.tui.fitting import shortened
from tui_scheduler.tui.formatting import inert
from tui_scheduler.tui.telling import tell

TYPING_S: Final = 0.15
"""How long the keys rest before what was typed is looked at."""

PASSING_S: Final = 0.08
"""How long the cursor rests on a job before it is asked for."""

OPENING: Final = "open"
"""The group of workers that bring a job to edit."""

POLL_S: Final = 2.0
TICK_S: Final = 1.0
_SIDE_BY_SIDE: Final = 74
"""Columns from which the preview has room beside the fields."""

_NOTHING: Final = "No job to show.\n\nc creates one."


class JobSheet(Vertical, can_focus=True):
    """Knows what is stored, what is typed, and whether they differ; follows what others store while they do not."""

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.desk = desk
        self._view: JobView | None = None
        """What is stored, None for a new job and while nothing is shown."""
        self._wanted: str | None = None
        """The job that the cursor came to last."""
        self._is_new = False
        # Kept, not looked up: answers may come before they are there, and when the app ends.
        self._aside = Aside(desk)
        self._parts = Container(self._aside, id="parts")
        self._nothing = Static(Content(_NOTHING), id="nothing")
        self._base: dict[str, str] = texts_of(NEW_JOB)
        """The texts that nothing is unsaved against."""
        self._reading = Reading(None, {})
        self._form: Form | None = None
        self._mounting: AwaitMount | None = None
        """To wait for the form to be there."""
        self._last: Widget | None = None
        self._newer: int | None = None
        """The version that is stored meanwhile, when it is not the one that is edited."""
        self._saving: asyncio.Future[bool] | None = None
        """The save under way: one at a time. What comes of it is whether nothing is unsaved then."""
        self._content = object()
        """Another one for every job or new job that comes here: what was asked for one is not shown on another."""
        self._passing: Timer | None = None
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._nothing
        self._parts.display = False
        yield self._parts

    def on_mount(self) -> None:
        self._show_title()
        self.set_interval(TICK_S, lambda: out_of_the_way(self, self.desk.now(), self._tick))
        self.set_interval(POLL_S, lambda: out_of_the_way(self, self.desk.now(), self._poll))

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _SIDE_BY_SIDE, "-beside")
        self.set_class(event.size.height < 24, "-low")
        self._show_title()
        self.call_after_refresh(self._aside.draw)

    @property
    def is_dirty(self) -> bool:
        """Whether something was typed that is not stored."""
        return self._form is not None and (self._is_new or self._view is not None) and self._texts() != self._base

    @property
    def _is_opening(self) -> bool:
        """Whether a job to edit, or a new one, is on its way here."""
        return any(
            worker.group == OPENING and worker.node is self and not worker.is_finished for worker in self.workers
        )

    @property
    def _is_taken(self) -> bool:
        """Whether the user makes something here: then no other job comes here by itself."""
        return self.is_dirty or self._is_opening or (self._is_new and self.has_focus_within)

    async def show(self, job_id: str | None) -> None:
        """Show a job, as the cursor comes by (None: nothing). Does nothing while there is something unsaved."""
        self._wanted = job_id
        if self._passing is not None:
            self._passing.stop()
        if self._view is None and not self._is_new:
            self._pass_by()
        else:
            self._passing = self.set_timer(PASSING_S, self._pass_by)

    async def refresh_now(self) -> None:
        """Ask anew for the job on show."""
        if self._view is not None:
            await self._look_elsewhere(self._view.job.id)

    def _pass_by(self) -> None:
        """Show the job that the cursor rests on, unless something is being made here."""
        if self._is_taken:
            return
        self._start(partial(self._look, self._wanted), "look", exclusive=True)

    async def _look(self, job_id: str | None) -> None:
        if job_id is None:
            if not self._is_taken:
                self._clear()
            return
        try:
            view = await self.desk.ask(lambda control: control.job(job_id))
        except NotFound:
            if not self._is_taken and self._wanted == job_id:
                self._clear()
            return
        except SchedulerError:
            return  # the app says that the store cannot be read; what is on show stays
        if not self._is_taken and self._wanted == job_id:
            self._load(view)

    def _load(self, view: JobView) -> None:
        """Show what is stored."""
        is_other = self._view is None or self._view.job.id != view.job.id
        if not is_other and self._view is not None and self._view.job.version >= view.job.version:
            if self._view.job.version == view.job.version:  # not an answer that was on its way when it was saved
                self._view = view
            return
        self._take(view)
        self._enter(self._base, afresh=is_other)

    def _take(self, view: JobView) -> None:
        self._view, self._is_new, self._newer = view, False, None
        self._base = texts_of(view.job.spec)

    def _drop(self) -> None:
        """Give up what is unsaved."""
        if self._view is None:
            self._is_new = False
            self._clear()
        elif self._form is not None:
            self._form.enter(self._base)
            self._look_again()

    def _clear(self) -> None:
        self._content = object()
        self._view, self._is_new, self._newer = None, False, None
        self._base = self._texts()
        self._parts.display = False
        self._nothing.display = True
        self._show_title()

    def _enter(self, texts: Mapping[str, str], *, afresh: bool) -> None:
        """`afresh`: of another job."""
        if afresh:
            self._content = object()
        if self._form is None:
            self._form = Form(texts)
            if self._parts.is_attached:  # it is not any more when the app ends
                # Not awaited here: a worker that is replaced meanwhile would leave half of all this undone for good.
                self._mounting = self._parts.mount(self._form, before=0)
        else:
            self._form.enter(texts, afresh=afresh)
        self._nothing.display = False
        self._parts.display = True
        self._aside.notice(())
        self._look_again()

    def _texts(self) -> dict[str, str]:
        return dict(self._base) if self._form is None else self._form.texts()

    @on(FieldRow.Edited)
    def _edited(self, message: FieldRow.Edited) -> None:
        message.stop()
        if self._typing is not None:
            self._typing.stop()
        self._typing = self.set_timer(TYPING_S, self._look_again)

    def _look_again(self) -> None:
        """Read what is entered, and say what is wrong with it and what it means."""
        if self._form is None or not (self._is_new or self._view is not None):
            return
        texts = self._texts()
        stored = None if self._view is None else self._view.job
        self._reading = read_and_check(texts, self.desk.now(), stored)
        self._aside.foresee(texts, self._reading, self._base, None if stored is None else stored.created_at)
        self._show_reading(texts)
        spec = self._reading.spec
        if spec is not None and not self._reading.errors:
            self._start(partial(self._ask_notices, spec), "check", exclusive=True)
        else:
            self.workers.cancel_group(self, "check")
            self._aside.notice(())

    def _show_reading(self, texts: Mapping[str, str]) -> None:
        if self._form is not None:
            self._form.tell(texts, self._reading.errors, self._aside.words)
        self._show_title()
        self._say()

    async def _ask_notices(self, spec: JobSpec) -> None:
        job_id = None if self._view is None else self._view.job.id
        try:
            self._aside.notice(await self.desk.ask(lambda control: control.check(spec, job_id=job_id)))
        except Invalid as error:
            self._add_error(error)
        except SchedulerError:
            self._aside.notice(())  # saving will say it

    def _add_error(self, error: Invalid) -> None:
        self._reading = Reading(self._reading.spec, {**self._reading.errors, error.field: error})
        self._show_reading(self._texts())

    def _title_of_job(self) -> str:
        spec = None if self._view is None else self._view.job.spec
        return "" if spec is None else spec.name or spec.request.url

    def _show_title(self) -> None:
        """All of it in the title: where there is no frame there is no second line."""
        is_open = self._is_new or self._view is not None
        remarks = []
        if self._newer is not None:
            remarks.append(f"▲ v{self._newer} elsewhere")
        if is_open and self.is_dirty:
            remarks.append("● unsaved" if self._saving is None else "● saving …")
            if self._reading.errors:
                remarks.append(f"× {len(self._reading.errors)} wrong")
        what = []
        if self._view is not None:
            version = f"v{self._view.job.version}"
            room = self.size.width - len(" · ".join(["Editor", version, *remarks])) - 9
            what = [shortened(inert(self._title_of_job()[:200]), max(room, 8)), version]
        elif self._is_new:
            what = ["new job"]
        self.border_title = Content(" · ".join(["Editor", *what, *remarks]))

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        self._last = event.widget
        self._say()

    def _say(self) -> None:
        focused = self.screen.focused
        path = [] if focused is None else focused.ancestors_with_self
        row = next((node for node in path if isinstance(node, FieldRow)), None)
        self._aside.say(row, self._reading.errors if self.is_dirty or row is not None else {})

    @property
    def _is_on_show(self) -> bool:
        return self._form is not None and self.display and bool(self.region) and self.screen.is_current

    def _tick(self) -> None:
        """Countdowns go on; a run that has come makes room for another."""
        if not self._is_on_show or not (self._is_new or self._view is not None):
            return
        if self._aside.is_behind:
            created_at = None if self._view is None else self._view.job.created_at
            self._aside.foresee(self._texts(), self._reading, self._base, created_at)
        else:
            self._aside.draw()

    def _poll(self) -> None:
        if self._is_on_show and self._view is not None and self._saving is None:
            self._start(partial(self._look_elsewhere, self._view.job.id), "look", exclusive=True)

    async def _look_elsewhere(self, job_id: str) -> None:
        """Show what others changed; say so where that would overwrite what is typed."""
        try:
            view = await self.desk.ask(lambda control: control.job(job_id))
        except NotFound:
            if self._shows(job_id) and not self.is_dirty:
                self._clear()
            return
        except SchedulerError:
            return
        if self._view is None or not self._shows(job_id) or self._saving is not None:
            return
        if not self.is_dirty:
            self._load(view)
        elif view.job.version > self._view.job.version and texts_of(view.job.spec) != self._base:
            self._newer = view.job.version
            self._show_title()

    def _shows(self, job_id: str) -> bool:
        return self._view is not None and self._view.job.id == job_id

    def _start(self, work: WorkType[object], group: str, *, exclusive: bool = False) -> None:
        begin(self, work, group=group, exclusive=exclusive)

    def _warn(self, message: str) -> None:
        tell(self.app, message, severity="error")
