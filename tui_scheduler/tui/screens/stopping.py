"""What is shown between quitting and the end."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.reactive import reactive
from textual.screen import ModalScreen
from textual.widgets import Static

from tui_scheduler.tui.formatting import count


class StoppingScreen(ModalScreen[None]):
    """Says what is waited for; quitting again does not wait. `in_flight`: requests under way, None: not known."""

    BINDINGS = [Binding("q", "app.leave", "Stop at once")]  # noqa: RUF012 - Textual declares it as an instance variable

    DEFAULT_CSS = """
    StoppingScreen {
        align: center middle;

        Static {
            width: auto;
            max-width: 100%;
            height: auto;
            padding: 1 3;
            background: $surface;
            border: round $primary;
        }
    }
    """

    in_flight: reactive[int | None] = reactive(None)

    def __init__(self, *, opening: bool = False) -> None:
        super().__init__()
        self._opening = opening

    def compose(self) -> ComposeResult:
        yield Static(self._text(), markup=False)

    def watch_in_flight(self) -> None:
        for shown in self.query(Static):
            shown.update(self._text())

    def opened(self) -> None:
        """The store has been opened meanwhile, so that it can be closed."""
        self._opening = False
        self.watch_in_flight()

    def _text(self) -> str:
        if self._opening:
            return "stopping: waiting for the store to be opened; q again stops at once"
        if self.in_flight is None or self.in_flight == 0:
            return "stopping: recording what was done; q again stops at once"
        requests = "request" if self.in_flight == 1 else "requests"
        return f"stopping: waiting for {count(self.in_flight)} {requests} under way; q again stops at once"
