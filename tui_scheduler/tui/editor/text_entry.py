"""A field of several lines: headers, or the body."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.style import Style
from rich.text import Text
from textual import events, on
from textual.binding import Binding
from textual.document._document import Document
from textual.widgets import TextArea
from textual.widgets.text_area import TextAreaTheme

from tui_scheduler.tui.editor.entry import Changed
from tui_scheduler.tui.editor.fields import Field
from tui_scheduler.tui.formatting import count, inert

MOST_CHARACTERS: Final = 64 * 1024
LONGEST_LINE: Final = 4 * 1024
"""More than that is shown in part: wrapping, colouring and drawing it would be felt at every key."""

_SHOWN: Final = 2_000
_COLOURED: Final = 32 * 1024
_TOKENS: Final = {
    "string": "body--string",
    "number": "body--number",
    "json.label": "body--label",
    "constant.builtin": "body--word",
    "boolean": "body--word",
    "json.null": "body--word",
    "json.error": "body--wrong",
}


class TextEntry(TextArea):
    """Coloured where it looks like JSON. A text that is too long to be edited here, or whose line breaks would not
    survive it, is held back: its beginning is shown, read-only, and Delete empties it.
    """

    BINDINGS: ClassVar = [
        Binding("f6", "screen.jump", "Jump", show=False),  # TextArea would select a line
        Binding("delete,backspace", "delete_held", "Empty it", show=False),
    ]
    COMPONENT_CLASSES: ClassVar[set[str]] = set(_TOKENS.values())

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
        self._choose_language()

    def get_line(self, line_index: int) -> Text:
        return Text(inert(self.document.get_line(line_index).replace("\t", " ")), end="", no_wrap=True)

    def on_mount(self) -> None:
        self._take_colours()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        if self.is_mounted:
            self._take_colours()

    @on(TextArea.Changed)
    def _tell(self, message: TextArea.Changed) -> None:
        message.stop()
        self._choose_language()
        self.post_message(Changed())

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

    def action_delete_held(self) -> None:
        self.enter("")
        self.post_message(Changed())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "delete_held":
            return self._held is not None
        return super().check_action(action, parameters)

    def _choose_language(self) -> None:
        start = self.document.get_line(0).lstrip()[:1] if self.document.line_count else ""
        is_json = self._field.key == "body" and start in ("{", "[") and self._held is None
        language = "json" if is_json and len(self.text) <= _COLOURED else None
        if language != self.language:
            selection = self.selection
            self.language = language
            self.selection = selection  # another language begins at the beginning

    def _take_colours(self) -> None:
        styles: dict[str, Style] = {
            token: self.get_component_rich_style(name, partial=True) for token, name in _TOKENS.items()
        }
        self.register_theme(TextAreaTheme("colours", syntax_styles=styles))
        self.theme = "css"
        self.theme = "colours"


def _has_to_be_held(text: str) -> bool:
    if len(text) > MOST_CHARACTERS:
        return True
    return any(len(line) > LONGEST_LINE for line in text.split("\n")) or Document(text).text != text
