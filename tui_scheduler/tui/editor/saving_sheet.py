"""A job's sheet that is stored: once at a time, whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

from textual.message import Message

from tui_scheduler.control.views import JobView
from tui_scheduler.domain.errors import Invalid, NotFound, SchedulerError
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.editor.draft import NEW_JOB, differences, read_and_check, texts_of
from tui_scheduler.tui.editor.fields import FIELDS
from tui_scheduler.tui.editor.saving import Stored, create, update, way_back
from tui_scheduler.tui.editor.sheet import JobSheet
from tui_scheduler.tui.formatting import inert
from tui_scheduler.tui.telling import tell


class SavingSheet(JobSheet):
    """Takes over what was stored where it was typed, says so, and can take it back."""

    class Saved(Message, namespace="editor_pane"):
        """The job was stored as it is in `view`."""

        def __init__(self, view: JobView, *, created: bool) -> None:
            super().__init__()
            self.view = view
            self.created = created

    def _save(self) -> asyncio.Future[bool]:
        """Save, unless that is under way: to wait for it, shielded. The work is of nobody who waits: whoever is
        replaced by somebody else meanwhile, what was stored is taken over.
        """
        saving = self._saving
        if saving is None:
            saving = self._saving = asyncio.get_running_loop().create_future()
            self._start(partial(self._save_now, saving), "save")
        return saving

    async def _save_now(self, saving: asyncio.Future[bool]) -> None:
        is_saved = False
        try:
            is_saved = await self._try_to_save()
        finally:
            self._saving = None
            saving.set_result(is_saved)
            self._show_title()

    async def _try_to_save(self) -> bool:
        """Whether nothing is unsaved now. What comes of it is shown only where it was asked."""
        self._look_again()
        spec = self._reading.spec
        if spec is None or self._reading.errors:
            self._go_to_wrong()
            return False
        content = self._content
        try:
            stored = await self._store(spec)
        except SchedulerError as error:
            if content is self._content:
                self._not_stored(error)
            else:
                self._warn(f"{_called(spec)} was not saved: {error}")
            return False
        if stored is not None:
            self._stored(stored, spec, content)
        return not self.is_dirty

    def _not_stored(self, error: SchedulerError) -> None:
        if isinstance(error, Invalid):
            self._add_error(error)
            self._go_to_wrong()
        elif isinstance(error, NotFound):
            self._view, self._is_new, self._newer = None, True, None
            self._base = texts_of(NEW_JOB)
            self._show_title()
            self._warn("the job was deleted meanwhile; save again to create it anew")
        else:
            self._warn(str(error))

    def _go_to_wrong(self) -> None:
        wrong = next((key for key in FIELDS if key in self._reading.errors), None)
        if wrong is not None and self._form is not None:
            self._form.go_to(wrong)
        elif self._reading.errors:
            self._warn(str(next(iter(self._reading.errors.values()))))

    async def _store(self, spec: JobSpec) -> Stored | None:
        if self._view is None:
            return await create(self.desk, spec)
        from tui_scheduler.tui.screens.conflict import MINE, THEIRS, ConflictScreen

        content, name = self._content, self._title_of_job()

        async def overwrites(current: JobView) -> bool:
            mine, theirs = texts_of(spec), texts_of(current.job.spec)
            keys = differences(mine, theirs)
            question = ConflictScreen(name, current.job.version, keys, mine, theirs)
            answer = await self.app.push_screen_wait(question) if keys else THEIRS
            if answer == THEIRS and content is self._content:
                self._take(current)
                self._enter(self._base, afresh=False)
            return answer == MINE

        return await update(self.desk, spec, self._view, overwrites)

    def _stored(self, stored: Stored, spec: JobSpec, content: object) -> None:
        """Say so, and take over what was stored where it was made: not on the sheet of another job."""
        view, created = stored.view, stored.former is None
        if content is self._content:
            self._take_over(view, spec)
        name = inert(_called(view.job.spec))[:60]
        notices = "".join(f"\n▲ {inert(notice.message)}" for notice in view.notices)
        tell(
            self.app,
            f"{'created' if created else 'saved'} {name}, v{view.job.version}{notices}",
            severity="warning" if notices else "information",
            lines=True,
        )
        # Not a creation: taking that back would delete the job without asking, by one key too many.
        if stored.former is not None and stored.former != spec:
            self.desk.did(f"edited {name}", self._way_back(view.job.id, spec, stored.former))
        self.post_message(self.Saved(view, created=created))

    def _take_over(self, view: JobView, spec: JobSpec) -> None:
        """What was typed while it was saved stays; what was reverted meanwhile is what is stored now."""
        is_as_saved = not self.is_dirty or read_and_check(self._texts(), self.desk.now()).spec == spec
        self.workers.cancel_group(self, "look")  # asked before it was stored
        self._wanted = view.job.id
        self._take(view)
        if is_as_saved and self._form is not None:
            self._form.enter(self._base)
        self._look_again()

    def _way_back(self, job_id: str, spec: JobSpec, former: JobSpec) -> Callable[[], Coroutine[None, None, None]]:
        taking_back = way_back(self.desk, job_id, spec, former)

        async def back() -> None:
            await taking_back()
            if self.is_attached:
                await self.refresh_now()

        return back


def _called(spec: JobSpec) -> str:
    return spec.name or spec.request.url
