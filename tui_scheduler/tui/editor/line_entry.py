"""A field on one line."""

from __future__ import annotations

from rich.text import Text
from textual import events, on
from textual.message import Message
from textual.widgets import Input

from tui_scheduler.tui.editor.entry import Changed
from tui_scheduler.tui.editor.fields import Field
from tui_scheduler.tui.editor.timezones import TimezoneSuggester
from tui_scheduler.tui.formatting import inert


class LineEntry(Input):
    """Shows control characters as visible stand-ins, and keeps them as they are."""

    DEFAULT_CSS = """
    LineEntry, LineEntry:ansi {
        width: 1fr;
        background: $boost;
        &.-textual-compact { padding: 0; }
        &:focus { background: $surface-lighten-1; }
    }
    LineEntry:ansi, LineEntry:ansi:focus { background: ansi_default; }
    LineEntry > .input--placeholder { color: $foreground-muted; }
    LineEntry:ansi > .input--placeholder { color: ansi_default; text-style: dim; }
    """

    class CurlPasted(Message):
        """A curl command was pasted where the URL goes."""

        def __init__(self, command: str) -> None:
            super().__init__()
            self.command = command

    def __init__(self, field: Field) -> None:
        suggester = TimezoneSuggester() if field.key == "timezone" else None
        super().__init__(placeholder=field.placeholder, compact=True, select_on_focus=False, suggester=suggester)
        self._field = field

    def entered(self) -> str:
        return self.value

    def enter(self, text: str) -> None:
        if text == self.value:
            return
        with self.prevent(Input.Changed):
            self.value = text
        self.cursor_position = 0 if not self.has_focus else len(text)

    def on_focus(self) -> None:
        """What is typed goes behind what is there; a click, which comes after this, says where instead."""
        self.cursor_position = len(self.value)

    @property
    def _value(self) -> Text:
        # What Input draws. A stand-in is as wide as a cell where the character itself had no width.
        return Text(inert(self.value), no_wrap=True, overflow="ignore", end="")

    @on(Input.Changed)
    def _tell(self, message: Input.Changed) -> None:
        message.stop()
        self.post_message(Changed())

    def _on_paste(self, event: events.Paste) -> None:
        is_curl = event.text.lstrip().removeprefix("$").lstrip().startswith(("curl ", "curl\t"))
        if self._field.key == "api" and is_curl:
            event.stop()
            event.prevent_default()
            self.post_message(self.CurlPasted(event.text))
            return
        lines = event.text.expandtabs(1).splitlines()
        if len(lines) > 1:  # Textual would take the first and say nothing of the others
            between = "" if self._field.key == "api" else " "  # a URL that a mail has broken is one again
            lines = [between.join(filter(None, map(str.strip, lines)))]
        event.text = "".join(lines)
