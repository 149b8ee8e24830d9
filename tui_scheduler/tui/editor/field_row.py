"""A field: its label, a mark when something is wrong with it, and what is entered."""

from __future__ import annotations

from typing import cast

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from tui_scheduler.tui.editor.entry import Changed, Entry
from tui_scheduler.tui.editor.fields import Field, Kind
from tui_scheduler.tui.editor.flag_entry import FlagEntry
from tui_scheduler.tui.editor.line_entry import LineEntry
from tui_scheduler.tui.editor.pick_entry import PickEntry
from tui_scheduler.tui.editor.text_entry import TextEntry

LABEL_WIDTH = 13


class FieldRow(Horizontal):
    """What is wrong is told elsewhere, where there is room for it and nothing moves."""

    DEFAULT_CSS = """
    FieldRow {
        height: auto;
        .label { width: 13; height: 1; color: $text-muted; }
        &:focus-within .label { color: $foreground; text-style: bold; }
        &.-wrong .label { color: $text-error; }
    }
    """

    class Edited(Message):
        """The user changed what is entered."""

        def __init__(self, row: FieldRow) -> None:
            super().__init__()
            self.row = row

    def __init__(self, field: Field, text: str) -> None:
        super().__init__()
        self.field = field
        self.entry: Widget = _entry_for(field, text)
        self._entry = cast(Entry, self.entry)
        self._text = text
        self._label = Static(f"  {field.label}", classes="label", markup=False)

    def compose(self) -> ComposeResult:
        yield self._label
        yield self.entry

    def on_mount(self) -> None:
        self._entry.enter(self._text)

    @property
    def text(self) -> str:
        """What is entered now."""
        return self._entry.entered() if self.is_mounted else self._text

    def enter(self, text: str) -> None:
        """Put a text in."""
        self._text = text
        if self.is_mounted:
            self._entry.enter(text)

    def mark(self, *, wrong: bool) -> None:
        """Show, or no longer, that something is wrong here."""
        if wrong != self.has_class("-wrong"):
            self.set_class(wrong, "-wrong")
            self._label.update(f"{'×' if wrong else ' '} {self.field.label}", layout=False)

    @on(Changed)
    def _changed(self, message: Changed) -> None:
        message.stop()
        self.post_message(self.Edited(self))


def _entry_for(field: Field, text: str) -> Widget:
    match field.kind:
        case Kind.LINES:
            return TextEntry(field)
        case Kind.PICK:
            return PickEntry(field, text)
        case Kind.FLAG:
            return FlagEntry()
        case _:
            return LineEntry(field)
