"""The editor: every field of a job, with what it will mean beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Final

from textual import events, on
from textual.app import SuspendNotSupported
from textual.message import Message
from textual.worker import WorkType

from tui_scheduler.control.views import JobView
from tui_scheduler.domain.durations import show_duration
from tui_scheduler.domain.errors import Invalid, NotFound, SchedulerError
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.editor.draft import NEW_JOB, differences, read_and_check, texts_of
from tui_scheduler.tui.editor.external import Edited, edit_text
from tui_scheduler.tui.editor.fields import FIELDS
from tui_scheduler.tui.editor.line_entry import LineEntry
from tui_scheduler.tui.editor.saving import Stored, create, update, way_back
from tui_scheduler.tui.editor.sheet import OPENING, JobSheet
from tui_scheduler.tui.formatting import inert
from tui_scheduler.tui.screens.confirm import Choice, ConfirmScreen
from tui_scheduler.tui.telling import tell
from tui_scheduler.tui.type_ahead import TypeAhead

if TYPE_CHECKING:
    from tui_scheduler.domain.curl import CurlRequest

_FIRST_FIELD: Final = "name"


class EditorPane(JobSheet):
    """Shows a job, edits it, or starts a new one. What is typed and not saved is never lost without asking.

    The pane itself can have the focus: then it reads the job, and single keys mean what they mean elsewhere.
    """

    BINDINGS = bindings(Place.EDITOR)

    DEFAULT_CSS = """
    EditorPane {
        #nothing { padding: 1 2; color: $text-muted; }
        #parts { height: 1fr; layout: vertical; }
        #form { height: 1fr; }
        &.-beside {
            #parts { layout: horizontal; }
            #form { width: 1fr; height: 1fr; }
            #aside {
                width: 40;
                height: 1fr;
                padding-left: 1;
                border-top: none;
                border-left: solid $panel-lighten-2;
            }
        }
        &.-low #aside { height: 8; }
        &.-low.-beside #aside { height: 1fr; }
    }
    """

    class Saved(Message):
        """The job was stored as it is in `view`."""

        def __init__(self, view: JobView, *, created: bool) -> None:
            super().__init__()
            self.view = view
            self.created = created

    class Left(Message):
        """The user is done here: back to the jobs."""

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(desk, id=id)
        self.ahead = TypeAhead()
        """What is typed until a field that was asked for has the focus; whoever hands out the keys asks it."""
        self._settling = asyncio.Lock()
        """One question at a time about what is unsaved."""
        self.edit_outside: Callable[[str], Edited] = self._edit_outside
        """Lets the user edit a text in another program; a test has no terminal to lend."""

    async def edit(self, job_id: str, *, body: bool = False) -> None:
        """Show a job to edit it: the focus comes here, or `body` opens $EDITOR. Asks before anything unsaved goes."""
        self._open(partial(self._edit, job_id, body=body))

    async def create(self, spec: JobSpec | None = None) -> None:
        """Start a new job, filled in from `spec`. Asks before anything unsaved goes."""
        self._open(partial(self._create, spec))

    def take_over(self) -> None:
        """Take the focus at once, for a field that is still to come: `edit` or `create` follows, or `give_up`."""
        self.screen.set_focus(self)
        self.ahead.wait()

    def give_up(self) -> None:
        """The field that was to have the focus does not come."""
        if self.ahead.is_waiting:
            self._wait_no_longer()
            self.post_message(self.Left())

    def _wait_no_longer(self) -> None:
        if self.ahead.is_waiting:
            self.workers.cancel_group(self, OPENING)
            self.ahead.drop()

    def focus_inside(self) -> None:
        """Take the focus; a draft takes it to the field that had it last."""
        if self._is_new or self.is_dirty:
            self._go_to_field()
        else:
            self.focus()

    async def _come_to_field(self) -> None:
        if self._mounting is not None:
            await self._mounting
        self._go_to_field()

    def _go_to_field(self) -> None:
        """To the first field, or the one that had the focus last."""
        if self._form is None:
            return
        last = self._last
        entry = last if last is not None and last.is_attached else self._form.row(_FIRST_FIELD).entry
        is_awaited = self.ahead.is_waiting

        def arrive() -> None:
            if self.ahead.is_waiting or not is_awaited:  # who pressed Esc meanwhile is somewhere else now
                entry.focus()

        self.call_after_refresh(arrive)  # the row may just have been made

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        super().on_descendant_focus(event)
        self.ahead.end()

    def on_focus(self) -> None:
        self._say()

    def back(self) -> bool:
        """Undo one step: leave a list, a field, ask about what is unsaved. False: nothing to undo."""
        self._wait_no_longer()
        if self.is_dirty:
            self._start(self._leave, "leave", exclusive=True)
            return True
        if not self.has_focus_within:
            return False
        self._leave_new()
        self.post_message(self.Left())
        return True

    async def settle(self) -> bool:
        """Ask about what is unsaved, if anything: whether it is saved or given up now. What is being saved is awaited
        first. From a worker only.
        """
        async with self._settling:
            if self._saving is not None:
                await asyncio.shield(self._saving)
            return not self.is_dirty or await self._ask_what_becomes_of_it()

    async def _ask_what_becomes_of_it(self) -> bool:
        self.ahead.drop()  # nothing that was typed for a field answers a question
        name = self._title_of_job() or "the new job"
        answer = await self.app.push_screen_wait(
            ConfirmScreen(
                "Unsaved changes",
                f"What you changed in {name} is not saved.",
                Choice("Save", "save"),
                Choice("Discard", "discard", danger=True),
            )
        )
        if answer == "save":
            return await asyncio.shield(self._save())
        if answer == "discard":
            self._drop()
        return answer == "discard"

    def _open(self, opening: Callable[[], Awaitable[bool]]) -> None:
        async def work() -> None:
            if not await opening():
                self.give_up()

        self._start(work, OPENING, exclusive=True)

    async def _edit(self, job_id: str, *, body: bool) -> bool:
        """False when there is nothing to edit; an answer "cancel" goes back to what is unsaved."""
        is_here = self._view is not None and self._view.job.id == job_id
        if not is_here:
            if not await self.settle():
                self._go_to_field()
                return True
            try:
                view = await self.desk.ask(lambda control: control.job(job_id))
            except SchedulerError as error:
                self._warn(str(error))
                return False
            self._wanted = job_id
            self._load(view)
        await self._come_to_field()
        if body:
            self.action_edit_body()
        return True

    async def _create(self, spec: JobSpec | None) -> bool:
        if not await self.settle():
            self._go_to_field()
            return True
        self._wanted = None
        self.workers.cancel_group(self, "look")
        self._view, self._is_new, self._newer, self._last = None, True, None, None
        self._base = texts_of(NEW_JOB)
        self._enter(self._base if spec is None else texts_of(spec), afresh=True)
        await self._come_to_field()
        return True

    async def _leave(self) -> None:
        if await self.settle():
            self._leave_new()
            self.post_message(self.Left())

    def _leave_new(self) -> None:
        """A new job that nothing was entered for is not kept."""
        if self._is_new:
            self._is_new = False
            self._clear()

    def _do(self, work: WorkType[object]) -> None:
        self._start(work, "do")

    def _has_job(self) -> bool:
        if self._form is not None and (self._is_new or self._view is not None):
            return True
        self._warn("no job is open: c creates one")
        return False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """What single keys do here they do while the pane itself has the focus, not from a field in it."""
        return self.has_focus or action not in {"edit", "create", "scroll_down_some", "scroll_up_some"}

    def action_edit(self) -> None:
        """Into the fields."""
        if self._has_job():
            self.take_over()
            self._go_to_field()

    def action_create(self) -> None:
        self.take_over()
        self._open(partial(self._create, None))

    def action_scroll_down_some(self) -> None:
        self._scroll_by(1)

    def action_scroll_up_some(self) -> None:
        self._scroll_by(-1)

    def action_page_down(self) -> None:
        self._scroll_by(self._page)

    def action_page_up(self) -> None:
        self._scroll_by(-self._page)

    @property
    def _page(self) -> int:
        return 1 if self._form is None else max(self._form.size.height - 1, 1)

    def _scroll_by(self, lines: int) -> None:
        if self._form is not None:
            self._form.scroll_relative(y=lines, animate=False)

    def action_save(self) -> None:
        if self._has_job():
            self._save()

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
            self._view, self._is_new = None, True
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
        if stored.former != spec:
            self.desk.did(f"{'created' if created else 'edited'} {name}", self._way_back(stored, spec))
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

    def _way_back(self, stored: Stored, spec: JobSpec) -> Callable[[], Coroutine[None, None, None]]:
        taking_back = way_back(self.desk, stored, spec)

        async def back() -> None:
            await taking_back()
            if self.is_attached:
                await self.refresh_now()

        return back

    def action_revert(self) -> None:
        """Back to what is stored, or to an empty new job."""
        if self._has_job() and self._form is not None:
            self._form.enter(self._base)
            self._look_again()

    def action_test(self) -> None:
        if not self._has_job():
            return
        self._look_again()
        spec = self._reading.spec
        # A schedule that is not finished is no reason not to try the request.
        wrong = [key for key in self._reading.errors if key not in {"schedule", "startsAt", "endsAt", "jitterMs"}]
        if spec is None or wrong:
            self._go_to_wrong()
            return
        from tui_scheduler.tui.screens.trial import TrialScreen

        self.app.push_screen(TrialScreen(self.desk, spec))

    def action_paste_curl(self) -> None:
        self._do(partial(self._paste_curl, ""))

    @on(LineEntry.CurlPasted)
    def _curl_pasted(self, message: LineEntry.CurlPasted) -> None:
        message.stop()
        self._do(partial(self._paste_curl, message.command))

    async def _paste_curl(self, command: str) -> None:
        from tui_scheduler.tui.screens.curl import CurlScreen

        found = await self.app.push_screen_wait(CurlScreen(command))
        if found is None:
            return
        if self._view is None and not self._is_new:
            await self._create(None)
        if self._form is not None:
            self._form.enter({**self._texts(), **_request_texts(found)})
            self._look_again()

    def action_edit_body(self) -> None:
        if not self._has_job() or self._form is None:
            return
        row = self._form.row("body")
        edited = self.edit_outside(row.text)
        if edited.text is None:
            self._warn(edited.trouble)
            return
        row.enter(edited.text)
        self._look_again()
        row.entry.focus()

    def _edit_outside(self, text: str) -> Edited:
        try:
            with self.app.suspend():
                return edit_text(text)
        except SuspendNotSupported:
            return Edited(None, "this terminal cannot be lent to another program")


def _called(spec: JobSpec) -> str:
    return spec.name or spec.request.url


def _request_texts(found: CurlRequest) -> dict[str, str]:
    """The texts of the fields that a curl command speaks of."""
    filled = texts_of(JobSpec(schedule="", request=found.request))
    keys = {"method", "api", "headers", "body", "tlsVerify", "caFile", "followRedirects"}
    texts = {key: filled[key] for key in keys}
    return texts if found.timeout is None else {**texts, "timeoutMs": show_duration(found.timeout)}
