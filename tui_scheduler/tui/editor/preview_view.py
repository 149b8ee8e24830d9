"""The preview on the screen."""

from __future__ import annotations

from datetime import tzinfo

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from tui_scheduler.tui.editor.preview import Foresight, Tone, lines
from tui_scheduler.tui.formatting import inert

_STYLES = {Tone.PLAIN: "", Tone.MUTED: "$foreground-muted", Tone.TITLE: "bold", Tone.WARNING: "$text-warning"}


class PreviewView(VerticalScroll, can_focus=False):
    """As high as its place, whatever there is to say: nothing moves."""

    DEFAULT_CSS = """
    PreviewView { scrollbar-size-vertical: 1; Static { width: 1fr; } }
    """

    def __init__(self) -> None:
        super().__init__(id="preview")
        self._shown = Static(markup=False)
        self._told = ""

    def compose(self) -> ComposeResult:
        yield self._shown

    def tell(self, seen: Foresight, now: int, zone: tzinfo) -> None:
        """Show what is foreseen, with countdowns as of now."""
        width = self.scrollable_content_region.width or self.size.width
        if width < 1:
            return  # not laid out yet
        told = Content("\n").join(
            Content.styled(inert(line.text), _STYLES[line.tone]) for line in lines(seen, now, width, zone)
        )
        if told.markup != self._told:
            self._told = told.markup
            self._shown.update(told)
