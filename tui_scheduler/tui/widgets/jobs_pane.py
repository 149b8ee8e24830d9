"""The jobs: filter line, table, and what can be done to them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Static

from tui_scheduler.control.views import JobRow
from tui_scheduler.domain.errors import SchedulerError, StoreUnavailable
from tui_scheduler.tui.actions import Place, bindings, key_now
from tui_scheduler.tui.background import HERD, out_of_the_way
from tui_scheduler.tui.clipboard import copy_text
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.formatting import SECOND
from tui_scheduler.tui.job_deeds import JobDeeds
from tui_scheduler.tui.job_feed import TICK_S, JobFeed
from tui_scheduler.tui.job_lookup import JobLookup
from tui_scheduler.tui.job_model import JobModel, Read, Targets
from tui_scheduler.tui.telling import tell
from tui_scheduler.tui.widgets.filter_line import FilterLine
from tui_scheduler.tui.widgets.job_columns import as_text
from tui_scheduler.tui.widgets.job_cursor import JobCursor
from tui_scheduler.tui.widgets.job_header import JobHeader
from tui_scheduler.tui.widgets.job_table import JobTable
from tui_scheduler.tui.widgets.on_show import on_show

_PATIENCE_S: Final = 2.0
"""So long keys wait for the jobs that they are meant for; then they are refused."""


class JobsPane(Vertical):
    """Tells the main screen, by messages, what to show elsewhere; asks the desk for everything else itself."""

    BINDINGS = bindings(Place.JOBS)
    DEFAULT_CSS = """
    JobsPane {
        & > .summary { height: 1; padding-left: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
        & > JobTable { height: 1fr; }
    }
    """

    class Highlighted(Message):
        """The cursor rests on this job (None: there is none)."""

        def __init__(self, row: JobRow | None) -> None:
            super().__init__()
            self.row = row

    class EditWanted(Message):
        """Put this job into the editor and go there; `body`: straight into $EDITOR with its body."""

        def __init__(self, job_id: str, *, body: bool = False) -> None:
            super().__init__()
            self.job_id = job_id
            self.body = body

    class CreateWanted(Message):
        """Start a new job in the editor; as a copy of `like` if there is one (a job's id)."""

        def __init__(self, like: str | None = None) -> None:
            super().__init__()
            self.like = like

    class LogWanted(Message):
        """Show the log of this job and go there."""

        def __init__(self, row: JobRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.desk = desk
        self.model = JobModel()
        self._summary = Static("", classes="summary", markup=False)
        self._filter = FilterLine()
        self._header = JobHeader()
        self._table = JobTable(self.model, desk.now)
        self._feed = JobFeed(
            desk,
            self.model,
            visible=lambda: self._table.visible_lines,
            on_listed=self._listed,
            on_read=self._read,
            on_trouble=self._in_trouble,
        )
        self.on_caught_up: Callable[[], None] = lambda: None
        """Called when `is_behind` has ended."""
        self._shown = ""
        self._cursor = JobCursor(self, self.model, self._table, lambda row: self.post_message(self.Highlighted(row)))
        self._progress = ""
        """How far a change of very many jobs has come."""
        self._asked_at: float | None = None
        """Since when a listing of another query is awaited, on the monotonic clock."""

    def compose(self) -> ComposeResult:
        yield self._summary
        yield self._filter
        yield self._header
        yield self._table

    def on_mount(self) -> None:
        self._deeds = JobDeeds(self.app, self.desk, self.model, after=self.refresh_now, tell=self._has_come_to)
        self._lookup = JobLookup(self.app, self.desk, self.model)
        self._show_counts()
        self.set_interval(TICK_S, lambda: out_of_the_way(self, self.desk.now(), self._tick))
        self._work(self._feed.tick())

    # --- keeping up

    @property
    def is_seen(self) -> bool:
        """Whether the jobs are on the screen, perhaps behind a dialog."""
        return self._table.is_on_screen and (self.screen.is_current or self.app.screen.is_modal)

    def _tick(self) -> None:
        if not self.is_seen and self._cursor.has_told:  # until the others know of a job they have nothing to show
            return
        self._work(self._feed.tick())
        self._table.show_second()
        if bool(self._summary.display) is bool(self.gutter.top):  # the frame came or went with the size of the screen
            self._show_counts()
        left = SECOND - self.desk.now() % SECOND
        if left < TICK_S * SECOND:
            # The countdowns change at one place in the second, not up to a tick later: they would stutter.
            self.set_timer((left + HERD) / SECOND, self._table.show_second)

    def _listed(self, changed: bool) -> None:
        if changed:
            self._table.lines_changed()
            self._cursor.follow()
        self._cursor.is_here()
        self._show_counts()
        self._no_longer_behind()
        if self.model.lacks(self._table.visible_lines):
            self._work(self._feed.read())

    def _read(self, read: Read) -> None:
        for index in self._table.visible_lines:
            if self.model.at(index) in read.changed | read.gone:
                self._table.refresh_lines(index)
        if read.gone:
            self._show_counts()  # their marks have gone, too
        self._cursor.lines_read()

    def _in_trouble(self, error: SchedulerError) -> None:
        self._no_longer_behind()
        if not isinstance(error, StoreUnavailable):  # of that the desk has told the app already
            tell(self, str(error), severity="error")

    def _show_counts(self) -> None:
        model = self.model
        title = self._progress or model.summary(self._filter.text)
        if title != self._shown:
            self._shown = title
            self.border_title = Content(title)
            self._summary.update(Content(title), layout=False)
        self._summary.display = not self.gutter.top  # without a frame there is no place for a title
        self._header.show(model.query.sort, descending=model.query.descending)
        self._table.say(*(() if model.keys else model.nothing_there(self._key("back"), self._key("create"))))

    def on_resize(self) -> None:
        self._show_counts()

    @on(JobTable.Scrolled)
    def _scrolled(self, message: JobTable.Scrolled) -> None:
        message.stop()
        if self.model.lacks(self._table.visible_lines):
            self._work(self._feed.read())

    # --- the cursor

    @on(JobTable.CursorMoved)
    def _cursor_moved(self, message: JobTable.CursorMoved) -> None:
        message.stop()
        self._cursor.is_here()

    def focus_inside(self) -> None:
        """Give the focus to the table."""
        self._table.focus()

    # --- narrowing

    def back(self) -> bool:
        """Stop a change of very many jobs, or undo one step of narrowing: close the filter line, drop the filter, clear
        the marks. False: there was nothing to stop or to undo.
        """
        if self._deeds.stop():
            return True
        if self._filter.is_open:
            if self._filter.has_focus_inside:
                self.focus_inside()
            self._filter.drop()
            return True
        if self.model.marks:
            self.action_clear_marks()
            return True
        return False

    def action_filter(self) -> None:
        self._filter.open()

    @on(FilterLine.Typed)
    def _filter_typed(self, message: FilterLine.Typed) -> None:
        message.stop()
        self.model.filter_by(message.condition)
        self._list_anew()

    @on(FilterLine.Left)
    def _filter_left(self, message: FilterLine.Left) -> None:
        message.stop()
        self.focus_inside()

    def action_sort_next(self) -> None:
        self.model.sort_next()
        self._list_anew()

    def action_sort_reverse(self) -> None:
        self.model.turn_round()
        self._list_anew()

    @on(JobHeader.SortWanted)
    def _header_clicked(self, message: JobHeader.SortWanted) -> None:
        message.stop()
        self.model.sort_toward(message.sort)
        self._list_anew()

    def _list_anew(self) -> None:
        if not self.model.is_current:
            self._asked_at = monotonic()
        self._show_counts()
        self._work(self._feed.list(), group="jobs: listing", exclusive=True)

    @property
    def is_behind(self) -> bool:
        """Whether keys pressed now are meant for jobs that are not on show yet but will be in a moment."""
        asked_at = self._asked_at
        return asked_at is not None and self._table.has_focus and monotonic() - asked_at < _PATIENCE_S

    def _no_longer_behind(self) -> None:
        if self._asked_at is not None:
            self._asked_at = None
            self.on_caught_up()

    async def refresh_now(self) -> None:
        """Ask for everything on show anew, keeping cursor and marks: something was changed elsewhere."""
        await self._feed.refresh()

    async def refresh_and_go_to(self, job_key: int) -> None:
        """The same, and put the cursor on a job, one that was just made for instance. It stays where it is when the
        filter does not show that job.
        """
        await self._feed.refresh()
        if job_key in self.model.keys:
            self._go_to_line(self.model.keys.index(job_key))

    def _go_to_line(self, index: int) -> None:
        self._table.cursor = index
        self._cursor.is_here()  # or a listing that comes before the cursor's own message would put it back

    # --- marks

    @on_show
    def action_mark(self) -> None:
        key = self.model.at(self._table.cursor)
        if key is not None:
            self.model.mark(key)
            self._show_counts()
            self._table.refresh_lines(self._table.cursor)
            self._table.action_cursor_down()

    @on_show
    def action_mark_range(self) -> None:
        self.model.mark_range(self._table.cursor)
        self._marks_changed()

    @on_show
    def action_mark_all(self) -> None:
        self.model.mark_all()
        self._marks_changed()

    def action_clear_marks(self) -> None:
        self.model.clear_marks()
        self._marks_changed()

    def _marks_changed(self) -> None:
        self._show_counts()
        self._table.refresh()

    # --- what is done to jobs

    @on_show
    def action_run_now(self) -> None:
        self._work(self._deeds.run(self._targets()))

    @on_show
    def action_pause_resume(self) -> None:
        self._work(self._deeds.toggle(self._targets()))

    @on_show
    def action_cancel_runs(self) -> None:
        self._work(self._deeds.cancel(self._targets()))

    @on_show
    def action_delete(self) -> None:
        self._work(self._deeds.delete(self._targets()))

    def _targets(self) -> Targets:
        # The cursor's own message may still be on its way: the key after an arrow must not hit the line before.
        self._cursor.is_here()
        return self.model.targets()

    # --- one job

    @on(JobTable.Chosen)
    def _chosen(self, message: JobTable.Chosen) -> None:
        message.stop()
        self.action_open()

    @on_show
    def action_open(self) -> None:
        self._with_row(lambda row: self.post_message(self.EditWanted(row.id)))

    def action_edit(self) -> None:
        self.action_open()

    @on_show
    def action_edit_body(self) -> None:
        self._with_row(lambda row: self.post_message(self.EditWanted(row.id, body=True)))

    def action_create(self) -> None:
        self.post_message(self.CreateWanted())

    def action_import_crontab(self) -> None:
        from tui_scheduler.tui.screens.import_crontab import ImportCrontabScreen

        self.app.push_screen(ImportCrontabScreen(self.desk), self._imported)

    def _imported(self, number: int | None) -> None:
        if number:
            self.run_worker(self.refresh_now(), group="imported")

    @on_show
    def action_duplicate(self) -> None:
        self._with_row(lambda row: self.post_message(self.CreateWanted(row.id)))

    @on_show
    def action_show_log_of(self) -> None:
        self._with_row(lambda row: self.post_message(self.LogWanted(row)))

    @on_show
    def action_copy(self) -> None:
        self._with_row(lambda row: copy_text(self.app, as_text(row, self.desk.now()), "the line"))

    @on_show
    def action_copy_curl(self) -> None:
        self._with_row(lambda row: self._work(self._lookup.copy_curl(row.id)))

    @on_show
    def action_next_failing(self) -> None:
        self._to_failing(1)

    @on_show
    def action_previous_failing(self) -> None:
        self._to_failing(-1)

    def _to_failing(self, step: int) -> None:
        looking = self._lookup.to_failing(self._table.cursor, step, self._go_to_line)
        self._work(looking, group="jobs: failing", exclusive=True)

    def _has_come_to(self, progress: str) -> None:
        self._progress = f"{progress} {self._key('back')} stops" if progress else ""
        self._show_counts()

    def _with_row(self, do: Callable[[JobRow], object]) -> None:
        """Do something with the job under the cursor: at once where its line is known."""
        key = self.model.at(self._table.cursor)
        if key is None:
            return
        row = self.model.row(key)
        if row is not None:
            do(row)
        else:
            self._work(self._lookup.with_row(key, do))

    # ---

    def _work(self, work: Coroutine[None, None, object], *, group: str = "jobs", exclusive: bool = False) -> None:
        self.run_worker(work, group=group, exclusive=exclusive)

    def _key(self, action: str) -> str:
        return key_now(action, self.screen.active_bindings.values())
