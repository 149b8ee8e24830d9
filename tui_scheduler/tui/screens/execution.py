"""One execution in full, laid over the main screen, up to date while it goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_scheduler.control.views import AttemptView, ExecutionView, JobView
from tui_scheduler.domain.curl import as_curl
from tui_scheduler.domain.errors import NotFound, SchedulerError, StoreUnavailable
from tui_scheduler.tui.actions import ACTIONS, Place, bindings, readable
from tui_scheduler.tui.clipboard import copy_text
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.execution_text import execution_lines, job_title, request_copied, response_of
from tui_scheduler.tui.log_lines import Part
from tui_scheduler.tui.telling import tell

EVERY_S: Final = 0.5
LONGEST_WAIT_S: Final = 5.0
"""Between questions while the store cannot be read."""

_STYLES: Final = {
    "": "",
    "line--accent": "bold $text-accent",
    "line--muted": "$foreground-muted",
    "state--good": "bold $text-success",
    "state--bad": "bold $text-error",
    "state--warning": "bold $text-warning",
    "state--busy": "bold $text-primary",
    "state--muted": "bold $foreground-muted",
}


_HERE_TOO: Final = ("show_palette", "undo", "next_theme", "toggle_mouse")
# Textual keeps the app's own keys from a screen that is laid over another: they are bound here once more.
_OF_THE_APP: Final[list[BindingType]] = [
    Binding(",".join(action.keys), f"app.{action.name}", action.label, show=False, id=action.id)
    for action in ACTIONS
    if action.place is Place.APP and action.name in _HERE_TOO
]


class Reading(VerticalScroll, can_focus=True, inherit_bindings=False):
    """A text to scroll through with the keys of a list."""

    BINDINGS = bindings(Place.LINES)

    def action_cursor_down(self) -> None:
        self.scroll_relative(y=1, animate=False)

    def action_cursor_up(self) -> None:
        self.scroll_relative(y=-1, animate=False)

    def action_cursor_first(self) -> None:
        self.scroll_to(y=0, animate=False)

    def action_cursor_last(self) -> None:
        self.scroll_to(y=self.max_scroll_y, animate=False)

    def action_page_down(self) -> None:
        self.scroll_relative(y=max(self.size.height - 1, 1), animate=False)

    def action_page_up(self) -> None:
        self.scroll_relative(y=-max(self.size.height - 1, 1), animate=False)

    def action_scroll_left_some(self) -> None:
        """Long lines are broken: there is nothing beside them."""

    def action_scroll_right_some(self) -> None:
        """The same."""


class ExecutionScreen(ModalScreen[None]):
    """Asks again twice a second until the execution has ended. Closes by itself, with a word, when it is kept no
    longer.
    """

    BINDINGS = bindings(Place.EXECUTION) + _OF_THE_APP
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual declares it as an instance variable
    DEFAULT_CSS = """
    ExecutionScreen {
        align: center middle;
        #execution {
            width: 92;
            height: 90%;
            padding: 0 1;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        &.-narrow #execution { width: 100%; height: 100%; }
        &:ansi #execution { background: ansi_default; }
        Reading { scrollbar-gutter: stable; scrollbar-size: 1 1; }
        #execution-text { height: auto; }
    }
    """

    def __init__(self, desk: Desk, execution_id: str) -> None:
        super().__init__()
        self.desk = desk
        self.execution_id = execution_id
        self._view: ExecutionView | None = None
        self._attempts: list[AttemptView] = []
        self._job: JobView | None = None
        self._wait = EVERY_S
        self._lines: list[list[Part]] = []

    def compose(self) -> ComposeResult:
        with Vertical(id="execution") as frame:
            frame.border_title = "Execution"
            with Reading():
                yield Static(Content("looking …"), id="execution-text")

    def on_mount(self) -> None:
        self.query_one(Reading).focus()
        self._ask()

    def _ask(self) -> None:
        self._poll()

    @work(group="execution", exclusive=True)  # not run_worker with a coroutine: replaced before it began it would warn
    async def _poll(self) -> None:
        try:
            await self._read()
        except NotFound:
            self._toast("this execution is no longer kept")
            self.dismiss()
            return
        except StoreUnavailable:  # the desk has told the app
            self._wait = min(self._wait * 2, LONGEST_WAIT_S)
        except SchedulerError as error:
            self._wait = LONGEST_WAIT_S
            self._toast(str(error), bad=True)
        else:
            self._wait = EVERY_S
        if self._view is None or not self._view.state.is_final:
            self.set_timer(self._wait, self._ask)

    async def _read(self) -> None:
        view, attempts = await self.desk.ask(lambda control: control.execution(self.execution_id))
        if self._job is None or self._view != view:
            self._job = await self._job_of(view)
        self._view, self._attempts = view, attempts
        self._draw(view)

    async def _job_of(self, view: ExecutionView) -> JobView | None:
        try:
            return await self.desk.ask(lambda control: control.job(view.job_id))
        except NotFound:
            return None

    def _draw(self, view: ExecutionView) -> None:
        lines = execution_lines(view, self._attempts, self._job, self.desk.zone)
        if lines != self._lines:
            self._lines = lines
            text = Content("\n").join(_content(line) for line in lines)
            self.query_one("#execution-text", Static).update(text)
        frame = self.query_one("#execution")
        frame.border_title = Content(f"Execution · {job_title(self._job)}")
        frame.border_subtitle = Content(self._keys(view))

    def _keys(self, view: ExecutionView) -> str:
        """What can be done with it as it stands."""
        doing = ("replay", "replay") if view.state.is_final else ("cancel_run", "cancel")
        names = dict([doing, ("copy", "copy response"), ("copy_curl", "copy as curl"), ("close", "back")])
        shown: dict[str, str] = {}
        for active in self.active_bindings.values():
            action = active.binding.action
            if action in names and action not in shown:
                shown[action] = f"{readable(active.binding.key)} {names[action]}"
        return "  ".join(shown[action] for action in names if action in shown)

    def _toast(self, text: str, *, bad: bool = False) -> None:
        tell(self.app, text, severity="error" if bad else "information")

    # --- actions

    def action_close(self) -> None:
        self.dismiss()

    async def action_show_help(self) -> None:
        await self.app.run_action("show_help")

    def action_replay(self) -> None:
        self._do(self._replay)

    def action_cancel_run(self) -> None:
        self._do(self._cancel)

    def action_copy(self) -> None:
        response = None if self._view is None else response_of(self._view, self._attempts)
        if response:
            copy_text(self.app, response, "the response")
        else:
            self._toast("nothing of a response was kept")

    def action_copy_curl(self) -> None:
        if self._view is None:
            return
        if self._job is not None:
            job = self._job.job
            copy_text(self.app, as_curl(job.spec.request), request_copied(job.version, self._view.job_version))
        else:
            self._toast("its job is deleted, and the request with it", bad=True)

    async def _replay(self) -> None:
        await self.desk.ask(lambda control: control.replay(self.execution_id))
        self._toast(f"replaying {job_title(self._job)}: the new execution is in the log")

    async def _cancel(self) -> None:
        left = await self.desk.ask(lambda control: control.cancel(self.execution_id))
        self._toast(f"{'cancelled' if left.state.is_final else 'cancelling'} {job_title(self._job)}")
        self._ask()

    @work(group="execution-deeds")
    async def _do(self, deed: Callable[[], Awaitable[None]]) -> None:
        """In the background; what is refused is said."""
        try:
            await deed()
        except SchedulerError as error:
            self._toast(str(error), bad=True)


def _content(line: list[Part]) -> Content:
    return Content.assemble(*((part.text, _STYLES[part.style]) for part in line))
