"""The editor: every field of a job, with what it will mean beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from textual import events, on
from textual.app import SuspendNotSupported
from textual.message import Message
from textual.worker import WorkType

from tui_scheduler.domain.durations import show_duration
from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.editor.draft import NEW_JOB, texts_of
from tui_scheduler.tui.editor.external import Edited, edit_text
from tui_scheduler.tui.editor.line_entry import LineEntry
from tui_scheduler.tui.editor.saving_sheet import SavingSheet
from tui_scheduler.tui.editor.sheet import OPENING
from tui_scheduler.tui.screens.confirm import Choice, ConfirmScreen
from tui_scheduler.tui.type_ahead import TypeAhead

if TYPE_CHECKING:
    from tui_scheduler.domain.curl import CurlRequest

_FIRST_FIELD: Final = "name"


class EditorPane(SavingSheet):
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

    @property
    def unsaved(self) -> str:
        """The name of what has changes that are not saved; empty when there are none."""
        return (self._title_of_job() or "the new job") if self.is_dirty else ""

    @property
    def is_in_use(self) -> bool:
        """Whether somebody works here, or is on the way."""
        return self._is_new or self.is_dirty or self.ahead.is_waiting or self.has_focus or self.has_focus_within

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
        first = self._form.row(_FIRST_FIELD)
        is_awaited = self.ahead.is_waiting

        def arrive() -> None:
            if is_awaited and not self.ahead.is_waiting:  # who pressed Esc meanwhile is somewhere else now
                return
            if last is not None and last.is_attached:
                last.focus()
            elif first.is_mounted:
                first.entry.focus()
            elif self._form is not None:  # mounted, a row takes its text, over what was typed into it before that
                self.call_after_refresh(arrive)

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
        name = self.unsaved
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


def _request_texts(found: CurlRequest) -> dict[str, str]:
    """The texts of the fields that a curl command speaks of."""
    filled = texts_of(JobSpec(schedule="", request=found.request))
    keys = {"method", "api", "headers", "body", "tlsVerify", "caFile", "followRedirects"}
    texts = {key: filled[key] for key in keys}
    return texts if found.timeout is None else {**texts, "timeoutMs": show_duration(found.timeout)}
