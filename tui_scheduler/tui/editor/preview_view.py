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
    PreviewView { scrollbar-size-vertical: 1; Static { width: 1fr; min-height: 100%; } }
    """

    def __init__(self) -> None:
        super().__init__(id="preview")
        self._shown = Static(markup=False)
        self._told = ""
        self._height = 0
        """Lines that are told."""

    def compose(self) -> ComposeResult:
        yield self._shown

    def tell(self, seen: Foresight, now: int, zone: tzinfo) -> None:
        """Show what is foreseen, with countdowns as of now."""
        width = self.scrollable_content_region.width or self.size.width
        if width < 1:
            return  # not laid out yet
        told = [Content.styled(inert(line.text), _STYLES[line.tone]) for line in lines(seen, now, width, zone)]
        shown = Content("\n").join(told)
        if shown.markup != self._told:
            self._told = shown.markup
            # Where there is room for both, what was told and what is told now are as high as the place.
            self._shown.update(shown, layout=max(len(told), self._height) > self.size.height)
            self._height = len(told)
