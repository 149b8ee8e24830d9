"""The header of the job table: the names of its columns; a click sorts."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui_scheduler.control.views import SortBy
from tui_scheduler.tui.widgets.job_columns import SORTS, column_at, draw_header


class JobHeader(Widget):
    """One line, as wide as the table with its scrollbar."""

    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {"header", "header-sorted"}
    DEFAULT_CSS = """
    JobHeader {
        height: 1;
        & > .header { color: $text-muted; text-style: bold; }
        & > .header-sorted { color: $text-accent; text-style: bold; }
    }
    """

    class SortWanted(Message):
        """The header of this column was clicked."""

        def __init__(self, sort: SortBy) -> None:
            super().__init__()
            self.sort = sort

    def __init__(self) -> None:
        super().__init__()
        self._sort = SortBy.CREATED
        self._descending = False

    def show(self, sort: SortBy, *, descending: bool) -> None:
        """What the jobs are sorted by now."""
        if (sort, descending) != (self._sort, self._descending):
            self._sort, self._descending = sort, descending
            self.refresh()

    def render_line(self, y: int) -> Strip:  # noqa: ARG002 - there is one row
        """Called by Textual."""
        width = self.size.width
        looks = {name: self.get_component_rich_style(name) for name in self.COMPONENT_CLASSES}
        pieces = draw_header(self._columns_width, self._sort, self._descending)
        segments = [Segment(piece.text, looks.get(piece.look, self.rich_style)) for piece in pieces]
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def on_click(self, event: events.Click) -> None:
        column = column_at(event.x, self._columns_width)
        if column is not None and column in SORTS:
            self.post_message(self.SortWanted(SORTS[column]))

    @property
    def _columns_width(self) -> int:
        """The table keeps a cell for its scrollbar."""
        return max(self.size.width - 1, 1)
