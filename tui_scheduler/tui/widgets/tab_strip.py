"""Which pane is on show, where only one fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from tui_scheduler.tui.fitting import Piece, fitting, total_width

_BETWEEN: Final = " · "


class Tab(NamedTuple):
    """A pane to choose: its widget's id and what it is called."""

    id: str
    title: str


class TabStrip(Widget):
    """One line; the tab on show stands out by brackets, too. `remark` says something behind the tabs, `aside` at the
    right end, as much of it as there is room for.
    """

    DEFAULT_CSS = """
    TabStrip {
        height: 1;
        background: $surface;
        color: $text-muted;
    }
    """

    current: reactive[str] = reactive("")
    unsaved: reactive[frozenset[str]] = reactive(frozenset())
    remark: reactive[str] = reactive("")
    aside: reactive[tuple[Piece, ...]] = reactive(())

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, pane: str) -> None:
            super().__init__()
            self.pane = pane

    def __init__(self, tabs: Sequence[Tab], *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._tabs = tabs

    def render(self) -> Content:
        parts = [
            Content.styled(text, "$primary bold reverse" if tab.id == self.current else "")
            for tab, text in zip(self._tabs, self._texts(), strict=True)
        ]
        if self.remark:
            parts.append(Content.styled(f"  {self.remark}", "$foreground-muted"))
        room = self.size.width - sum(part.cell_length for part in parts) - 3
        shown = fitting(self.aside, room, len(_BETWEEN))
        if shown:
            space = " " * (room - total_width(shown, len(_BETWEEN)) + 2)
            parts.append(Content(f"{space}{_BETWEEN.join(piece.text for piece in shown)}"))
        return Content("").join(parts)

    def offset_of(self, pane: str) -> int:
        """The column where the title of a tab begins."""
        before = 0
        for tab, text in zip(self._tabs, self._texts(), strict=True):
            if tab.id == pane:
                return before + 1
            before += cell_len(text)
        return 0

    def on_click(self, event: events.Click) -> None:
        end = 0
        for tab, text in zip(self._tabs, self._texts(), strict=True):
            end += cell_len(text)
            if event.x < end:
                self.post_message(self.Chosen(tab.id))
                return

    def _texts(self) -> list[str]:
        return [self._text(number, tab) for number, tab in enumerate(self._tabs, 1)]

    def _text(self, number: int, tab: Tab) -> str:
        title = f"{number} {tab.title}{'*' if tab.id in self.unsaved else ''}"
        return f"[{title}]" if tab.id == self.current else f" {title} "
