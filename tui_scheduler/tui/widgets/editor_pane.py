"""The editor: every field of a job, with what it will mean beside it."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.widgets import Static

from tui_scheduler.control.views import JobView
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.tui.actions import Place, bindings
from tui_scheduler.tui.desk import Desk


class EditorPane(Vertical):
    """Shows a job, edits it, or starts a new one. What is typed and not saved is never lost without asking."""

    BINDINGS = bindings(Place.EDITOR)

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

    def compose(self) -> ComposeResult:
        yield Static("editor")

    @property
    def is_dirty(self) -> bool:
        """Whether something was typed that is not stored."""
        return False

    async def show(self, job_id: str | None) -> None:
        """Show a job, as the cursor comes by (None: nothing). Does nothing while there is something unsaved."""

    async def edit(self, job_id: str, *, body: bool = False) -> None:
        """Show a job to edit it: the focus comes here, or `body` opens $EDITOR. Asks before anything unsaved goes."""

    async def create(self, spec: JobSpec | None = None) -> None:
        """Start a new job, filled in from `spec`. Asks before anything unsaved goes."""

    def focus_inside(self) -> None:
        """Give the focus to the first field, or the one that had it last."""

    def back(self) -> bool:
        """Undo one step: leave a list, a field, ask about what is unsaved. False: nothing to undo."""
        return False
