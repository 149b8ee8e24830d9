"""The search line of the log: what to look for, and how often it is there."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

from tui_scheduler.tui.formatting import count


class LogSearch(Horizontal):
    """Not there until it is opened; it stays while its matches are shown."""

    BINDINGS: ClassVar = [Binding("escape", "leave", "Close the search", show=False)]
    DEFAULT_CSS = """
    LogSearch {
        display: none;
        height: 1;
        Input { width: 1fr; }
        Static { width: auto; color: $text-muted; }
        #log-search-sign { color: $text-accent; }
    }
    """

    class Typed(Message):
        """Look for this."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Entered(Message):
        """Go to a match."""

    class Closed(Message):
        """Look for nothing."""

    def compose(self) -> ComposeResult:
        yield Static("/", id="log-search-sign")
        yield Input(compact=True, placeholder="a job, a state, an error", id="log-search-text")
        yield Static("", id="log-search-count", markup=False)

    @property
    def has_focus_inside(self) -> bool:
        return self.query_one(Input).has_focus

    def open(self) -> None:
        """Show it, with what was typed last, to be typed over."""
        text = self.query_one(Input)
        if not self.display:
            self.display = True
            self.post_message(self.Typed(text.value))
        text.focus()
        text.select_all()

    def close(self) -> None:
        self.display = False

    def tell(self, number: int, total: int) -> None:
        """`3/17`; the first number only when the cursor is on a match."""
        text = f" {count(number)}/{count(total)} " if number else f" {count(total)} found "
        if not self.is_mounted or not self.display:
            return
        typed = self.query_one(Input).value
        self.query_one("#log-search-count", Static).update(Content(text if typed else ""))

    @on(Input.Changed)
    def _changed(self, message: Input.Changed) -> None:
        message.stop()
        if self.display:
            self.post_message(self.Typed(message.value))

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        message.stop()
        self.post_message(self.Entered())

    def action_leave(self) -> None:
        self.post_message(self.Closed())
