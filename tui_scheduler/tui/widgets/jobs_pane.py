"""The jobs: filter line, table, and what can be done to them."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from tui_scheduler.control.views import JobRow
from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk


class JobsPane(Vertical):
    """Tells the main screen, by messages, what to show elsewhere; asks the desk for everything else itself."""

    BINDINGS = bindings(Place.JOBS)

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

    def compose(self) -> ComposeResult:
        yield Static("jobs")

    def focus_inside(self) -> None:
        """Give the focus to the table."""

    def back(self) -> bool:
        """Undo one step of narrowing: close the filter line, drop the filter, clear the marks.

        False: there was nothing to undo.
        """
        return False

    async def refresh_now(self) -> None:
        """Ask for everything on show anew, keeping cursor and marks: something was changed elsewhere."""
