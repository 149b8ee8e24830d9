"""The live log: executions of all jobs or of one, as they happen."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk


class LogPane(Vertical):
    """Polls the desk by itself; opening an execution is the main screen's business."""

    BINDINGS = bindings(Place.LOG)

    class Opened(Message):
        """Show this execution in full."""

        def __init__(self, execution_id: str) -> None:
            super().__init__()
            self.execution_id = execution_id

    def __init__(self, desk: Desk, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.desk = desk

    def compose(self) -> ComposeResult:
        yield Static("log")

    def focus_inside(self) -> None:
        """Give the focus to the lines."""

    def show_job(self, job_id: str | None, title: str = "") -> None:
        """Only this job, or all of them."""

    def back(self) -> bool:
        """Undo one step of narrowing: close the search, drop the state filter, show all jobs.

        False: there was nothing to undo.
        """
        return False
