"""A field of several lines: headers, or the body."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.text import Text
from textual import events, on
from textual.binding import Binding
from textual.document._document import Document
from textual.widgets import TextArea

from tui_scheduler.tui.editor.colouring import Token, json_spans, looks_like_json
from tui_scheduler.tui.editor.entry import Changed
from tui_scheduler.tui.editor.fields import Field
from tui_scheduler.tui.formatting import count, inert

MOST_CHARACTERS: Final = 64 * 1024
LONGEST_LINE: Final = 4 * 1024
"""More than that is shown in part: wrapping, colouring and drawing it would be felt at every key."""

_SHOWN: Final = 2_000
_STYLES: Final = {token: f"body--{token}" for token in Token}


class TextEntry(TextArea):
    """Coloured where it looks like JSON. A text that is too long to be edited here, or whose line breaks would not
    survive it, is held back: its beginning is shown, read-only, and Delete empties it.
    """

    BINDINGS: ClassVar = [
        Binding("f6", "screen.jump", "Jump", show=False),  # TextArea would select a line
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = set(_STYLES.values())

    DEFAULT_CSS = """
    TextEntry, TextEntry:ansi {
        width: 1fr;
        height: 3;
        background: $boost;
        scrollbar-size-vertical: 1;
        &.-textual-compact { padding: 0; }
        &:focus { background: $surface-lighten-1; }
        .body--string { color: $text-success; }
        .body--number { color: $text-warning; }
        .body--label { color: $text-primary; }
        .body--word { color: $text-accent; }
        .body--wrong { color: $text-error; text-style: underline; }
    }
    TextEntry:ansi, TextEntry:ansi:focus { background: ansi_default; }
    TextEntry .text-area--placeholder { color: $foreground-muted; }
    TextEntry:ansi .text-area--placeholder { color: ansi_default; text-style: dim; }
    """

    def __init__(self, field: Field) -> None:
        super().__init__(
            "",
            compact=True,
            tab_behavior="focus",
            show_line_numbers=False,
            highlight_cursor_line=False,
            placeholder=field.placeholder,
        )
        self._field = field
        self._held: str | None = None
        self._is_json = False
        self.match_cursor_bracket = False  # it would also do that where the focus is not
        self.styles.height = field.height

    @property
    def why_held(self) -> str | None:
        """A sentence when the text cannot be edited here."""
        if self._held is None:
            return None
        return f"{count(len(self._held))} characters, or unusual line breaks: F4 opens it in $EDITOR, Delete empties it"

    def entered(self) -> str:
        return self.text if self._held is None else self._held

    def enter(self, text: str) -> None:
        if text == self.entered():
            return
        self._held = text if _has_to_be_held(text) else None
        self.read_only = self._held is not None
        shown = text if self._held is None else inert(text[:_SHOWN], lines=True) + "…"
        with self.prevent(TextArea.Changed):
            self.load_text(shown)
        self._look_at_kind()

    def get_line(self, line_index: int) -> Text:
        line = self.document.get_line(line_index)
        # A tab stays: TextArea makes it as wide as it takes it to be.
        shown = Text("\t".join(map(inert, line.split("\t"))), end="", no_wrap=True)
        if self._is_json:
            for start, end, token in json_spans(line):
                shown.stylize(self.get_component_rich_style(_STYLES[token], partial=True), start, end)
        return shown

    @on(TextArea.Changed)
    def _tell(self, message: TextArea.Changed) -> None:
        message.stop()
        self._look_at_kind()
        self.post_message(Changed())

    def _look_at_kind(self) -> None:
        is_json = self._field.key == "body" and looks_like_json(self.document.get_line(0))
        if is_json is not self._is_json:
            self._is_json = is_json
            self.notify_style_update()  # the other lines are drawn from a cache
            self.refresh()

    async def _on_paste(self, event: events.Paste) -> None:
        if self.read_only:
            return
        pasted = event.text.replace("\r\n", "\n").replace("\r", "\n")
        start, end = sorted(self.selection)
        whole = self.get_text_range((0, 0), start) + pasted + self.get_text_range(end, self.document.end)
        if _has_to_be_held(whole):
            event.stop()
            event.prevent_default()
            self.enter(whole)
            self.post_message(Changed())

    def action_delete_left(self) -> None:
        if not self._empty_held():
            super().action_delete_left()

    def action_delete_right(self) -> None:
        if not self._empty_held():
            super().action_delete_right()

    def _empty_held(self) -> bool:
        if self._held is None:
            return False
        self.enter("")
        self.post_message(Changed())
        return True


def _has_to_be_held(text: str) -> bool:
    if len(text) > MOST_CHARACTERS:
        return True
    return any(len(line) > LONGEST_LINE for line in text.split("\n")) or Document(text).text != text
