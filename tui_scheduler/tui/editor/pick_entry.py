"""A field that is one of a few values."""

from __future__ import annotations

from textual import events, on
from textual.widgets import Select

from tui_scheduler.tui.editor.entry import Changed
from tui_scheduler.tui.editor.fields import Field


class PickEntry(Select[str]):
    """Enter opens the list; a letter in it goes to the next value that begins with it."""

    DEFAULT_CSS = """
    PickEntry {
        width: 1fr;
        &.-textual-compact > SelectCurrent { padding: 0; background: $boost; }
        &.-textual-compact:focus > SelectCurrent { background: $surface-lighten-1; text-style: reverse; }
    }
    PickEntry:ansi > SelectCurrent { background: ansi_default; }
    """

    def __init__(self, field: Field, text: str) -> None:
        options = [(words, value) for value, words in field.options]
        super().__init__(options, allow_blank=False, value=text, compact=True)
        self._last = text

    def entered(self) -> str:
        return str(self.value)

    def enter(self, text: str) -> None:
        self._last = text
        with self.prevent(Select.Changed):
            self.value = text
        self._value = text  # what Select begins with when it is mounted: before that it does not see `value` change

    def _on_mount(self, event: events.Mount) -> None:
        # Mounted while the app ends it has no parts, which Select takes for granted.
        if not self.children:
            event.prevent_default()

    @on(Select.Changed)
    def _tell(self, message: Select.Changed) -> None:
        message.stop()
        if str(message.value) != self._last:  # it also tells of its first value
            self._last = str(message.value)
            self.post_message(Changed())
