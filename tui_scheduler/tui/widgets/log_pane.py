"""The live log: executions of all jobs or of one, as they happen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final

from rich.cells import cell_len
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Static

from tui_scheduler.control.views import ExecutionView, LogCursor, LogRow
from tui_scheduler.domain.errors import NotFound, SchedulerError, StoreUnavailable
from tui_scheduler.tui.actions import Place, bindings, key_now
from tui_scheduler.tui.background import clear_of_herd
from tui_scheduler.tui.clipboard import copy_text
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.execution_text import request_copied
from tui_scheduler.tui.formatting import SECOND, clock_time, count
from tui_scheduler.tui.log_lines import whole_line
from tui_scheduler.tui.log_scope import Badge, Scope, nothing_there, title, title_line
from tui_scheduler.tui.telling import tell
from tui_scheduler.tui.widgets.lines import LineView
from tui_scheduler.tui.widgets.log_search import LogSearch
from tui_scheduler.tui.widgets.log_view import LogView

EVERY_S: Final = 0.25
LONGEST_WAIT_S: Final = 5.0
"""Between polls while the store cannot be read."""

AT_ONCE: Final = 500
AT_FIRST: Final = 2_000
"""The most executions of a poll, and of the first after the scope has changed."""


class LogPane(Vertical):
    """Polls the desk by itself; opening an execution is the main screen's business."""

    BINDINGS = bindings(Place.LOG)
    DEFAULT_CSS = """
    LogPane {
        #log-title { display: none; height: 1; color: $text-muted; }
        LogView { height: 1fr; }
    }
    """

    class Opened(Message):
        """Show this execution in full."""

        def __init__(self, execution_id: str) -> None:
            super().__init__()
            self.execution_id = execution_id

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.desk = desk
        self.scope = Scope()
        self._view = LogView(desk.now, desk.zone, id="log-lines")
        self._search = LogSearch()
        self._title = Static("", id="log-title", markup=False)
        """Says what the border would, where there is none."""
        self._on_border = ("", "")
        self._cursor: LogCursor | None = None
        self._answered = False
        self._wait = EVERY_S
        self._timer: Timer | None = None

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._view
        yield self._search

    def on_mount(self) -> None:
        self._tell()
        self._ask()

    def focus_inside(self) -> None:
        """Give the focus to the lines."""
        self._view.focus()

    def show_job(self, job_id: str | None, title: str = "") -> None:
        """Only this job, or all of them."""
        self._look_at(self.scope.of_job(job_id, title))

    def back(self) -> bool:
        """Undo one step of narrowing: close the search, drop the state filter, the time, show all jobs.

        False: there was nothing to undo.
        """
        if self._search.display:
            self._end_search()
        elif self.scope.is_narrowed:
            self._look_at(self.scope.widened())
        else:
            return False
        return True

    # --- asking

    def on_show(self) -> None:
        """Not always told when it is shown again; the timer sees to it then."""
        self._ask()

    @property
    def is_on_show(self) -> bool:
        return all(node.display for node in self.ancestors_with_self)

    def _look_at(self, scope: Scope) -> None:
        """What is there stays until there is an answer."""
        if scope == self.scope:
            return
        self.scope = scope
        self._cursor = None
        self._tell()
        self._ask()

    def _ask(self) -> None:
        """Now, in place of an answer that is still awaited: it may be about another scope."""
        if self._timer is not None:
            self._timer.stop()
        if not self.is_mounted:
            return
        if self.is_on_show:
            self._poll()
        else:  # nobody looks: nobody is asked
            self._timer = self.set_timer(EVERY_S, self._ask)

    @work(group="log", exclusive=True)  # not run_worker with a coroutine: replaced before it began it would warn
    async def _poll(self) -> None:
        try:
            await self._read()
        except StoreUnavailable:  # the desk has told the app
            self._wait = min(self._wait * 2, LONGEST_WAIT_S)
        except NotFound:  # a job that is gone has nothing new to say
            self._wait = EVERY_S
        except SchedulerError as error:
            self._wait = LONGEST_WAIT_S
            self._toast(str(error), bad=True)
        else:
            self._wait = EVERY_S
        self._timer = self.set_timer(clear_of_herd(self.desk.now(), self._wait), self._ask)

    async def _read(self) -> None:
        scope, cursor = self.scope, self._cursor
        again = self._view.model.unfinished if cursor is not None else []
        query = scope.query(self.desk.now(), AT_FIRST if cursor is None else AT_ONCE)
        page = await self.desk.ask(lambda control: control.log(query, cursor, again=again))
        self._cursor = page.cursor
        self._answered = True
        if cursor is None:
            self._view.show_columns(of_one_job=scope.job_id is not None)
            self._view.show(page, scope.chosen_states)
        else:
            self._view.take(page, query.since)
        self._tell()

    # --- telling

    @on(LogView.Changed)
    @on(LineView.CursorMoved)
    def _tell(self) -> None:
        """Title, counts and the sentence in an empty log."""
        view = self._view
        badge = Badge(view.following, view.model.held, view.model.fresh)
        missing = f"{count(view.model.left_out)}{'+' * view.model.left_out_at_least}"
        left_out = f"{missing} not shown · " if view.model.left_out else ""
        below = f"{left_out}times in {self._zone_name()}"
        border = self.styles.border
        self._title.display = not border.top[0]
        if self._title.display:
            self._title.update(Content(title_line(title(self.scope, badge, self.size.width), below, self.size.width)))
        top = title(self.scope, badge, self.size.width - 4)
        if not border.bottom[0] and cell_len(f"{top} · {below}") <= self.size.width - 4:
            top = f"{top} · {below}"
        self._put_on_border(top, below)
        self._search.tell(view.match_number, len(view.matches))
        empty = nothing_there(self.scope, searched=self._answered, has_older=view.model.has_older)
        if empty != view.empty_text:
            view.empty_text = empty
            view.refresh()

    def _put_on_border(self, top: str, below: str) -> None:
        if (top, below) != self._on_border:
            self._on_border = (top, below)
            self.border_title, self.border_subtitle = Content(top), Content(below)

    def on_resize(self) -> None:
        self._tell()

    def _zone_name(self) -> str:
        now = datetime.fromtimestamp(self.desk.now() // SECOND, self.desk.zone)
        return now.tzname() or now.strftime("%z")

    def _toast(self, text: str, *, bad: bool = False) -> None:
        tell(self, text, severity="error" if bad else "information")

    # --- following and narrowing

    def action_follow(self) -> None:
        if self._view.following and not self._view.model.held:
            self._view.stop_following()
        else:
            self._view.follow_newest()

    def action_pause(self) -> None:
        self._view.hold(not self._view.model.held)

    def action_since(self) -> None:
        self._look_at(self.scope.next_window())

    def action_states(self) -> None:
        self._look_at(self.scope.next_states())

    def action_only_job(self) -> None:
        if self.scope.job_id is not None:
            self.show_job(None)
        elif (row := self._row()) is not None:
            self.show_job(row.job_id, row.job_name)

    def action_mark_line(self) -> None:
        self._view.draw_rule()

    # --- searching

    def action_search(self) -> None:
        self._search.open()

    def action_next_match(self) -> None:
        self._go_to_match(1)

    def action_previous_match(self) -> None:
        self._go_to_match(-1)

    def _go_to_match(self, step: int) -> None:
        if not self._search.display:
            self._search.open()
        else:
            self._view.go_to_match(step)

    @on(LogSearch.Typed)
    def _typed(self, message: LogSearch.Typed) -> None:
        self._view.search(message.text)

    @on(LogSearch.Entered)
    def _entered(self) -> None:
        self._view.focus()
        self._view.go_to_match(0)

    @on(LogSearch.Closed)
    def _end_search(self) -> None:
        had_focus = self._search.has_focus_inside
        self._search.close()
        self._view.search("")
        if had_focus:
            self._view.focus()

    # --- the execution at the cursor

    def _row(self) -> LogRow | None:
        """None, with a word about it, when the cursor is on no execution."""
        row = self._view.row_at_cursor
        if row is None:
            self._toast("there is no execution on this line")
        return row

    @on(LineView.Chosen)
    def action_open(self) -> None:
        if (row := self._row()) is not None:
            self.post_message(self.Opened(row.id))

    def action_replay(self) -> None:
        if (row := self._row()) is not None and self._is_meant(row, "replay", "replays"):
            self._do(lambda: self._replay(row))

    def action_cancel_run(self) -> None:
        if (row := self._row()) is not None and self._is_meant(row, "cancel_run", "cancels"):
            self._do(lambda: self._cancel(row))

    def _is_meant(self, row: LogRow, action: str, does: str) -> bool:
        """While it follows, the line at the cursor is another one with every look at the store: it is held still and
        named first.
        """
        if not self._view.following or self._view.model.held:
            return True
        self._view.stop_following()
        key = key_now(action, self.screen.active_bindings.values())
        self._toast(f"{key} again {does} {row.job_name} of {clock_time(row.fire_at, self.desk.zone)}")
        return False

    def action_copy(self) -> None:
        if (row := self._row()) is not None:
            copy_text(self.app, whole_line(row, self.desk.zone), "the line")

    def action_copy_curl(self) -> None:
        if (row := self._row()) is not None:
            self._do(lambda: self._copy_curl(row))

    async def _replay(self, row: LogRow) -> None:
        made: ExecutionView = await self.desk.ask(lambda control: control.replay(row.id))
        self._toast(f"replaying {row.job_name}: {made.state.value}")
        self._ask()

    async def _cancel(self, row: LogRow) -> None:
        left = await self.desk.ask(lambda control: control.cancel(row.id))
        self._toast(f"{'cancelled' if left.state.is_final else 'cancelling'} {row.job_name}")
        self._ask()

    async def _copy_curl(self, row: LogRow) -> None:
        from tui_scheduler.domain.curl import as_curl

        view = await self.desk.ask(lambda control: control.job(row.job_id))
        ran, _ = await self.desk.ask(lambda control: control.execution(row.id))
        copy_text(self.app, as_curl(view.job.spec.request), request_copied(view.job.version, ran.job_version))

    @work(group="log-deeds")
    async def _do(self, deed: Callable[[], Awaitable[None]]) -> None:
        """In the background; what is refused is said."""
        try:
            await deed()
        except SchedulerError as error:
            self._toast(str(error), bad=True)
