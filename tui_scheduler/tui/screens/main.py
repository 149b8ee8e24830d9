"""The main screen: jobs, editor and log, as panes or, where it is narrow, as tabs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Final

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.errors import NoWidget
from textual.geometry import Offset, Region
from textual.reactive import reactive
from textual.screen import Screen
from textual.widget import Widget

from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.background import begin
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.screens.jump import JumpScreen, Target
from tui_scheduler.tui.telling import tell
from tui_scheduler.tui.widgets.editor_pane import EditorPane
from tui_scheduler.tui.widgets.footer import Footer
from tui_scheduler.tui.widgets.header import Header
from tui_scheduler.tui.widgets.jobs_pane import JobsPane
from tui_scheduler.tui.widgets.log_pane import LogPane
from tui_scheduler.tui.widgets.tab_strip import Tab, TabStrip

WIDE: Final = 100
"""Columns from which the panes have room beside each other."""

TABS: Final = (Tab("jobs", "Jobs"), Tab("editor", "Editor"), Tab("log", "Log"))
PLACES: Final = {"jobs": Place.JOBS, "editor": Place.EDITOR, "log": Place.LOG}
_LETTERS: Final = {"jobs": "j", "editor": "e", "log": "l"}
"""For jumping; the fields of the editor get the others."""


class MainScreen(Screen[None]):
    """Tells one pane what happened in another. `current` is the pane with the focus, and the only one on show where
    one has to do; panes off show stay as they are.
    """

    BINDINGS = bindings(Place.MAIN)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012 - Textual declares it as an instance variable
    AUTO_FOCUS = ""

    current: reactive[str] = reactive("jobs", init=False)
    zoomed: reactive[bool] = reactive(False, init=False)

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk
        # Kept, not looked up: timers and answers may come before the first and after the last of the screen.
        self.header = Header(desk)
        self.jobs = JobsPane(desk, id="jobs")
        self.editor = EditorPane(desk, id="editor")
        self.log_pane = LogPane(desk, id="log")
        self._strip = TabStrip(TABS)
        self._left_side = Vertical(id="left")

    def compose(self) -> ComposeResult:
        yield self.header
        yield self._strip
        with Horizontal(id="panes"):
            with self._left_side:
                yield self.jobs
                yield self.log_pane
            yield self.editor
        yield Footer()

    def on_mount(self) -> None:
        for number, tab in enumerate(TABS, 1):
            pane = self.pane(tab.id)
            pane.border_title = pane.border_title or f"{number} {tab.title}"
        self._arrange()
        self.jobs.focus_inside()
        self.set_interval(0.5, self._tell_strip)

    # --- parts

    def pane(self, name: str) -> JobsPane | EditorPane | LogPane:
        """`jobs`, `editor` or `log`."""
        panes: dict[str, JobsPane | EditorPane | LogPane] = {
            "jobs": self.jobs,
            "editor": self.editor,
            "log": self.log_pane,
        }
        return panes[name]

    @property
    def place(self) -> Place:
        """Where the focus is."""
        return PLACES[self.current]

    @property
    def is_narrow(self) -> bool:
        return self.app.size.width < WIDE

    @property
    def _is_alone(self) -> bool:
        """Whether only one pane is on show."""
        return self.zoomed or self.is_narrow

    # --- which pane is on show

    def go(self, name: str) -> None:
        """Show a pane and give it the focus."""
        if self._is_alone:
            self.current = name
        self.pane(name).focus_inside()

    def watch_current(self) -> None:
        self._arrange()

    def watch_zoomed(self) -> None:
        self._arrange()

    def on_resize(self) -> None:
        self._arrange()

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click, or what a pane did by itself, moved the focus."""
        for node in event.widget.ancestors_with_self:
            if node.id in PLACES and node.parent is not None and isinstance(node, JobsPane | EditorPane | LogPane):
                self.current = node.id

    def _arrange(self) -> None:
        """What is on show, at once: whoever gets the focus next must not be hidden any more."""
        alone = self._is_alone
        self.set_class(alone, "-alone")
        for name in PLACES:
            self.pane(name).display = not alone or name == self.current
        self._left_side.display = not alone or self.current != "editor"
        self._strip.display = alone
        self._strip.current = self.current
        self._strip.remark = "zoomed: + or _ shows all panes" if self.zoomed and not self.is_narrow else ""
        self.refresh_bindings()

    def _tell_strip(self) -> None:
        self._strip.aside = tuple(self.header.beneath if self.is_narrow else ())
        self._strip.unsaved = frozenset({"editor"} if self.editor.is_dirty else ())

    # --- actions

    def action_show_jobs(self) -> None:
        self.go("jobs")

    def action_show_editor(self) -> None:
        self.go("editor")

    def action_show_log(self) -> None:
        self.go("log")

    def action_next_pane(self) -> None:
        self._move(1)

    def action_previous_pane(self) -> None:
        self._move(-1)

    def _move(self, step: int) -> None:
        """To the next field of the editor, and from its last, as from the lists, to the next pane."""
        if self.current == "editor" and self.focused is not None:
            fields = self._fields()
            at = fields.index(self.focused) + step if self.focused in fields else min(step, 0)
            if 0 <= at < len(fields) and not (step < 0 and self.focused is self.editor):
                self.set_focus(fields[at])
                return
        names = [tab.id for tab in TABS]
        self.go(names[(names.index(self.current) + step) % len(names)])

    def _fields(self) -> list[Widget]:
        return [widget for widget in self.focus_chain if self.editor in widget.ancestors]

    def action_zoom(self) -> None:
        self.zoomed = not self.zoomed

    def action_unzoom(self) -> None:
        self.zoomed = False

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's
        """Where one pane fills the screen anyway there is nothing to zoom."""
        if action == "zoom":
            return not self.is_narrow
        return self.zoomed and not self.is_narrow if action == "unzoom" else True

    def action_jump(self) -> None:
        fields = {f"field {number}": field for number, field in enumerate(self._fields())}
        shown = {name: self._region_on_show(field) for name, field in fields.items()}
        targets = [Target(name, region.offset) for name, region in shown.items() if region]

        def jumped(name: str | None) -> None:
            if name in PLACES:
                self.go(name)
            elif name and fields[name].is_attached:
                self.set_focus(fields[name])

        self.app.push_screen(JumpScreen([*self._pane_targets(), *targets]), jumped)

    def _region_on_show(self, widget: Widget) -> Region:
        """Where a widget can be seen; nothing of one that is scrolled away or not laid out yet."""
        try:
            return self.find_widget(widget).visible_region
        except NoWidget:
            return Region()

    def _pane_targets(self) -> list[Target]:
        """Over the titles of panes on show, over the tabs of the others."""
        strip = self._strip
        found = []
        for name, letter in _LETTERS.items():
            pane = self.pane(name)
            at = strip.region.offset + Offset(strip.offset_of(name), 0) if strip.display else pane.region.offset
            found.append(Target(name, at, letter))
        return found

    def action_back(self) -> None:
        """What the pane can undo; then the zoom; then to the jobs."""
        self.workers.cancel_group(self, "edit")  # who waits for a job to edit waits no longer
        if self.pane(self.current).back():
            return
        if self.zoomed and not self.is_narrow:
            self.zoomed = False
        elif self.current != "jobs":
            self.go("jobs")

    @on(TabStrip.Chosen)
    def _tab_clicked(self, message: TabStrip.Chosen) -> None:
        self.go(message.pane)

    # --- from pane to pane

    @on(JobsPane.Highlighted)
    def _highlighted(self, message: JobsPane.Highlighted) -> None:
        show = partial(self.editor.show, None if message.row is None else message.row.id)
        self._or_say_why(show, group="show", exclusive=True)

    @on(JobsPane.EditWanted)
    def _edit(self, message: JobsPane.EditWanted) -> None:
        self._to_editor(partial(self.editor.edit, message.job_id, body=message.body))

    @on(JobsPane.CreateWanted)
    def _create(self, message: JobsPane.CreateWanted) -> None:
        self._to_editor(self.editor.create if message.like is None else partial(self._create_like, message.like))

    async def _create_like(self, job_id: str) -> None:
        try:
            view = await self.desk.ask(lambda control: control.job(job_id))
        except SchedulerError:
            self.editor.give_up()
            raise
        spec = view.job.spec
        await self.editor.create(replace(spec, name=f"{spec.name} copy") if spec.name else spec)

    def _to_editor(self, doing: Callable[[], Awaitable[None]]) -> None:
        """The focus goes there at once: what is typed until a field has it must not act on the jobs."""
        self.current = "editor"
        self.editor.take_over()
        self._or_say_why(doing, group="edit", exclusive=True)

    def _or_say_why(self, doing: Callable[[], Awaitable[None]], *, group: str, exclusive: bool = False) -> None:
        async def do() -> None:
            try:
                await doing()
            except SchedulerError as error:
                tell(self, str(error), severity="error")

        begin(self, do, group=group, exclusive=exclusive)

    @on(JobsPane.LogWanted)
    def _log_wanted(self, message: JobsPane.LogWanted) -> None:
        self.log_pane.show_job(message.row.id, message.row.title)
        self.go("log")

    @on(EditorPane.Saved)
    def _saved(self, message: EditorPane.Saved) -> None:
        if message.created:  # the cursor goes to what was just made
            self._or_say_why(partial(self.jobs.refresh_and_go_to, message.view.job.key), group="refresh")
        else:
            self.refresh_jobs()

    def refresh_jobs(self) -> None:
        """The jobs were changed by something else than their pane."""
        self._or_say_why(self.jobs.refresh_now, group="refresh")

    @on(LogPane.Opened)
    def _execution_wanted(self, message: LogPane.Opened) -> None:
        from tui_scheduler.tui.screens.execution import ExecutionScreen

        self.app.push_screen(ExecutionScreen(self.desk, message.execution_id))

    @on(EditorPane.Left)
    def _left(self) -> None:
        self.go("jobs")
