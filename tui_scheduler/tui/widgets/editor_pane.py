"""The editor: every field of a job, with what it will mean beside it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Final

from textual import events, on
from textual.app import ComposeResult, SuspendNotSupported
from textual.containers import Container, Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static
from textual.worker import WorkType

from tui_scheduler.control.views import JobView
from tui_scheduler.domain.curl import CurlRequest
from tui_scheduler.domain.durations import show_duration
from tui_scheduler.domain.errors import Invalid, NotFound, SchedulerError
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.editor.aside import Aside
from tui_scheduler.tui.editor.draft import NEW_JOB, Reading, differences, read_and_check, texts_of
from tui_scheduler.tui.editor.external import Edited, edit_text
from tui_scheduler.tui.editor.field_row import FieldRow
from tui_scheduler.tui.editor.fields import FIELDS
from tui_scheduler.tui.editor.form import Form
from tui_scheduler.tui.editor.line_entry import LineEntry
from tui_scheduler.tui.editor.saving import Stored, create, update, way_back
from tui_scheduler.tui.fitting import shortened
from tui_scheduler.tui.formatting import inert
from tui_scheduler.tui.screens.confirm import Choice, ConfirmScreen
from tui_scheduler.tui.screens.conflict import MINE, THEIRS, ConflictScreen
from tui_scheduler.tui.screens.curl import CurlScreen
from tui_scheduler.tui.screens.trial import TrialScreen

TYPING_S: Final = 0.15
"""How long the keys rest before what was typed is looked at."""

PASSING_S: Final = 0.08
"""How long the cursor rests on a job before it is asked for."""

POLL_S: Final = 2.0
TICK_S: Final = 1.0
_SIDE_BY_SIDE: Final = 74
"""Columns from which the preview has room beside the fields."""

_NOTHING: Final = "No job to show.\n\nc creates one."
_FIRST_FIELD: Final = "name"


class EditorPane(Vertical):
    """Shows a job, edits it, or starts a new one. What is typed and not saved is never lost without asking."""

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
        super().__init__(id=id)
        self.desk = desk
        self.edit_outside: Callable[[str], Edited] = self._edit_outside
        """Lets the user edit a text in another program; a test has no terminal to lend."""
        self._view: JobView | None = None
        """What is stored, None for a new job and while nothing is shown."""
        self._wanted: str | None = None
        """The job that the cursor came to last."""
        self._is_new = False
        self._base: dict[str, str] = texts_of(NEW_JOB)
        """The texts that nothing is unsaved against."""
        self._reading = Reading(None, {})
        self._form: Form | None = None
        self._last: Widget | None = None
        self._newer: int | None = None
        """The version that is stored meanwhile, when it is not the one that is edited."""
        self._is_saving = False
        self._passing: Timer | None = None
        self._typing: Timer | None = None

    def compose(self) -> ComposeResult:
        yield Static(Content(_NOTHING), id="nothing")
        with Container(id="parts") as parts:
            parts.display = False
            yield Aside(self.desk)

    def on_mount(self) -> None:
        self._show_title()
        self.set_interval(TICK_S, self._tick)
        self.set_interval(POLL_S, self._poll)

    def on_resize(self, event: events.Resize) -> None:
        self.set_class(event.size.width >= _SIDE_BY_SIDE, "-beside")
        self.set_class(event.size.height < 24, "-low")
        self._show_title()
        self.call_after_refresh(self._aside.draw)

    # --- what others ask for

    @property
    def is_dirty(self) -> bool:
        """Whether something was typed that is not stored."""
        return self._form is not None and (self._is_new or self._view is not None) and self._texts() != self._base

    async def show(self, job_id: str | None) -> None:
        """Show a job, as the cursor comes by (None: nothing). Does nothing while there is something unsaved."""
        self._wanted = job_id
        if self._passing is not None:
            self._passing.stop()
        if self._view is None and not self._is_new:
            self._pass_by()
        else:
            self._passing = self.set_timer(PASSING_S, self._pass_by)

    async def edit(self, job_id: str, *, body: bool = False) -> None:
        """Show a job to edit it: the focus comes here, or `body` opens $EDITOR. Asks before anything unsaved goes."""
        self._do(partial(self._edit, job_id, body=body))

    async def create(self, spec: JobSpec | None = None) -> None:
        """Start a new job, filled in from `spec`. Asks before anything unsaved goes."""
        self._do(partial(self._create, spec))

    def focus_inside(self) -> None:
        """Give the focus to the first field, or the one that had it last."""
        if self._form is None or not (self._is_new or self._view is not None):
            return
        if self._last is not None and self._last.is_attached:
            self._last.focus()
        else:
            self._form.go_to(_FIRST_FIELD)

    def back(self) -> bool:
        """Undo one step: leave a list, a field, ask about what is unsaved. False: nothing to undo."""
        if self.is_dirty:
            self._do(self._leave)
            return True
        if not self.has_focus_within:
            return False
        self._leave_new()
        self.post_message(self.Left())
        return True

    async def settle(self) -> bool:
        """Ask about what is unsaved, if anything: whether it is saved or given up now. From a worker only."""
        if not self.is_dirty:
            return True
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
            return await self._save()
        if answer == "discard":
            self._drop()
        return answer == "discard"

    # --- which job is shown

    def _pass_by(self) -> None:
        """Show the job that the cursor rests on, unless something is being made here."""
        if self.is_dirty or (self._is_new and self.has_focus_within):
            return
        self._start(partial(self._look, self._wanted), "look", exclusive=True)

    async def _look(self, job_id: str | None) -> None:
        if job_id is None:
            self._clear()
            return
        try:
            view = await self.desk.ask(lambda control: control.job(job_id))
        except NotFound:
            if not self.is_dirty and self._wanted == job_id:
                self._clear()
            return
        except SchedulerError:
            return  # the app says that the store cannot be read; what is on show stays
        if not self.is_dirty and self._wanted == job_id and not (self._is_new and self.has_focus_within):
            await self._load(view)

    async def _edit(self, job_id: str, *, body: bool) -> None:
        is_here = self._view is not None and self._view.job.id == job_id
        if not is_here:
            if not await self.settle():
                return
            try:
                view = await self.desk.ask(lambda control: control.job(job_id))
            except SchedulerError as error:
                self._warn(str(error))
                return
            self._wanted = job_id
            await self._load(view)
        if body:
            self.action_edit_body()
        else:
            self.focus_inside()

    async def _create(self, spec: JobSpec | None) -> None:
        if not await self.settle():
            return
        self._wanted = None
        self._view, self._is_new, self._newer, self._last = None, True, None, None
        self._base = texts_of(NEW_JOB)
        await self._enter(self._base if spec is None else texts_of(spec), afresh=True)
        self.focus_inside()

    async def _leave(self) -> None:
        if await self.settle():
            self._leave_new()
            self.post_message(self.Left())

    def _leave_new(self) -> None:
        """A new job that nothing was entered for is not kept."""
        if self._is_new:
            self._is_new = False
            self._clear()

    async def _load(self, view: JobView) -> None:
        """Show what is stored."""
        is_other = self._view is None or self._view.job.id != view.job.id
        if not is_other and self._view is not None and self._view.job.version == view.job.version:
            self._view = view
            return
        self._take(view)
        await self._enter(self._base, afresh=is_other)

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
        self._view, self._is_new, self._newer = None, False, None
        self._base = self._texts()
        self.query_one("#parts").display = False
        self.query_one("#nothing").display = True
        self._show_title()

    async def _enter(self, texts: Mapping[str, str], *, afresh: bool) -> None:
        if self._form is None:
            self._form = Form(texts)
            await self.query_one("#parts").mount(self._form, before=0)
        else:
            self._form.enter(texts, afresh=afresh)
        self.query_one("#nothing").display = False
        self.query_one("#parts").display = True
        self._aside.notice(())
        self._look_again()

    # --- what is typed

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

    # --- what is shown

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
            remarks.append("● unsaved")
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
    def _aside(self) -> Aside:
        return self.query_one(Aside)

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
        if self._is_on_show and self._view is not None and not self._is_saving:
            self._start(partial(self._look_elsewhere, self._view.job.id), "look", exclusive=True)

    async def _look_elsewhere(self, job_id: str) -> None:
        """Show what others changed; say so where that would overwrite what is typed."""
        try:
            view = await self.desk.ask(lambda control: control.job(job_id))
        except NotFound:
            if not self.is_dirty:
                self._clear()
            return
        except SchedulerError:
            return
        if self._view is None or self._view.job.id != job_id or self._is_saving:
            return
        if not self.is_dirty:
            await self._load(view)
        elif view.job.version > self._view.job.version and texts_of(view.job.spec) != self._base:
            self._newer = view.job.version
            self._show_title()

    async def refresh_now(self) -> None:
        """Ask anew for the job on show."""
        if self._view is not None:
            await self._look_elsewhere(self._view.job.id)

    # --- actions

    def _do(self, work: WorkType[object]) -> None:
        self._start(work, "do")

    def _start(self, work: WorkType[object], group: str, *, exclusive: bool = False) -> None:
        """Functions, not coroutines: one that the end of the app keeps from starting is nothing left over."""
        self.run_worker(work, group=group, exclusive=exclusive)

    def _warn(self, message: str) -> None:
        self.app.notify(inert(message), severity="error", markup=False)

    def _has_job(self) -> bool:
        if self._form is not None and (self._is_new or self._view is not None):
            return True
        self._warn("no job is open: c creates one")
        return False

    def action_save(self) -> None:
        if self._has_job() and not self._is_saving:
            self._do(self._save)

    async def _save(self) -> bool:
        """Whether the job is stored as it stands here."""
        self._look_again()
        spec = self._reading.spec
        if spec is None or self._reading.errors:
            self._go_to_wrong()
            return False
        self._is_saving = True
        try:
            stored = await self._store(spec)
        except Invalid as error:
            self._add_error(error)
            self._go_to_wrong()
        except NotFound:
            self._view, self._is_new = None, True
            self._base = texts_of(NEW_JOB)
            self._show_title()
            self._warn("the job was deleted meanwhile; save again to create it anew")
        except SchedulerError as error:
            self._warn(str(error))
        else:
            if stored is not None:
                self._stored(stored, spec)
            return not self.is_dirty
        finally:
            self._is_saving = False
        return False

    def _go_to_wrong(self) -> None:
        wrong = next((key for key in FIELDS if key in self._reading.errors), None)
        if wrong is not None and self._form is not None:
            self._form.go_to(wrong)
        elif self._reading.errors:
            self._warn(str(next(iter(self._reading.errors.values()))))

    async def _store(self, spec: JobSpec) -> Stored | None:
        if self._view is None:
            return await create(self.desk, spec)

        async def overwrites(current: JobView) -> bool:
            mine, theirs = texts_of(spec), texts_of(current.job.spec)
            keys = differences(mine, theirs)
            question = ConflictScreen(self._title_of_job(), current.job.version, keys, mine, theirs)
            answer = await self.app.push_screen_wait(question) if keys else THEIRS
            if answer == THEIRS:
                self._take(current)
                await self._enter(self._base, afresh=False)
            return answer == MINE

        return await update(self.desk, spec, self._view, overwrites)

    def _stored(self, stored: Stored, spec: JobSpec) -> None:
        """Take over what was stored, keep what was typed while it was, and say so."""
        is_as_saved = read_and_check(self._texts(), self.desk.now()).spec == spec
        view, created = stored.view, stored.former is None
        self._wanted = view.job.id
        self._take(view)
        if is_as_saved and self._form is not None:
            self._form.enter(self._base)
        self._look_again()
        name = inert(self._title_of_job())[:60]
        notices = "".join(f"\n▲ {inert(notice.message)}" for notice in view.notices)
        self.app.notify(
            f"{'created' if created else 'saved'} {name}, v{view.job.version}{notices}",
            severity="warning" if notices else "information",
            markup=False,
        )
        if stored.former != spec:
            self.desk.did(f"{'created' if created else 'edited'} {name}", self._way_back(stored, spec))
        self.post_message(self.Saved(view, created=created))

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
        self.app.push_screen(TrialScreen(self.desk, spec))

    def action_paste_curl(self) -> None:
        self._do(partial(self._paste_curl, ""))

    @on(LineEntry.CurlPasted)
    def _curl_pasted(self, message: LineEntry.CurlPasted) -> None:
        message.stop()
        self._do(partial(self._paste_curl, message.command))

    async def _paste_curl(self, command: str) -> None:
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
