"""The main screen: jobs, editor and log, as panes or, where it is narrow, as tabs."""

from __future__ import annotations

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen

from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.widgets.editor_pane import EditorPane
from tui_scheduler.tui.widgets.jobs_pane import JobsPane
from tui_scheduler.tui.widgets.log_pane import LogPane


class MainScreen(Screen[None]):
    """Tells one pane what happened in another."""

    BINDINGS = bindings(Place.MAIN)
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012 - Textual declares it as an instance variable

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def compose(self) -> ComposeResult:
        with Horizontal():
            with Vertical():
                yield JobsPane(self.desk, id="jobs")
                yield LogPane(self.desk, id="log")
            yield EditorPane(self.desk, id="editor")

    @on(JobsPane.Highlighted)
    async def _highlighted(self, message: JobsPane.Highlighted) -> None:
        await self.query_one(EditorPane).show(None if message.row is None else message.row.id)
