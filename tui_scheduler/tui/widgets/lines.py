"""A list drawn line by line, however long it is: what is not on the screen costs nothing."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui_scheduler.tui.actions import Place, bindings

_SIDEWAYS: Final = 8
"""Cells scrolled by one press of an arrow."""


class LineView(ScrollView, can_focus=True):
    """Lines of equal height, one of which has the cursor. Subclasses say how many there are (`line_count`), how wide
    the widest is (`line_width`) and draw one (`draw_line`); they call `lines_changed` when that has become different.
    """

    BINDINGS = bindings(Place.LINES)
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line--cursor",
        "line--mark",
        "line--muted",
        "line--accent",
        "line--match",
        "state--good",
        "state--bad",
        "state--warning",
        "state--busy",
        "state--muted",
    }

    cursor: reactive[int] = reactive(0, repaint=False)
    """The index of the line with the cursor; meaningless while there are no lines."""

    class CursorMoved(Message):
        """The cursor is on another line."""

        def __init__(self, view: LineView, line: int) -> None:
            super().__init__()
            self.view = view
            self.line = line

        @property
        def control(self) -> LineView:
            return self.view

    @property
    def line_count(self) -> int:
        raise NotImplementedError

    @property
    def line_width(self) -> int:
        """0: as wide as the view."""
        return 0

    def draw_line(self, index: int, width: int) -> list[Segment]:
        """The segments of a line, without the cursor; what is shorter than `width` cells is filled up."""
        raise NotImplementedError

    def look(self, name: str) -> Style:
        """The style of a component class, without its background: the line's own shows through."""
        style = self.get_component_rich_style(name, partial=True)
        return Style(color=style.color, bold=style.bold, dim=style.dim, italic=style.italic, underline=style.underline)

    def lines_changed(self) -> None:
        """There are more or fewer lines, or others."""
        self.virtual_size = Size(self.line_width, self.line_count)
        self.cursor = self.validate_cursor(self.cursor)
        self.refresh()

    def refresh_lines(self, first: int, count: int = 1) -> None:
        """Draw some lines anew, if they are on the screen."""
        self.refresh(Region(0, first - self.scroll_offset.y, self.size.width, count))

    @property
    def visible_lines(self) -> range:
        """The indices of the lines on the screen."""
        top = self.scroll_offset.y
        return range(top, min(top + max(self.scrollable_content_region.height, 0), self.line_count))

    def render_line(self, y: int) -> Strip:
        """Called by Textual for each row of the screen."""
        width = max(self.scrollable_content_region.width, self.line_width)
        index = y + self.scroll_offset.y
        if index >= self.line_count:
            return Strip.blank(self.size.width, self.rich_style)
        base = self.rich_style
        if index == self.cursor:
            base = self.get_component_rich_style("line--cursor" if self.has_focus else "line--mark")
        strip = Strip(Segment.apply_style(self.draw_line(index, width), base))
        left = self.scroll_offset.x
        return (
            strip.adjust_cell_length(width, base)
            .crop(left, left + self.size.width)
            .adjust_cell_length(self.size.width, base)
        )

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.line_count - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        for line in (before, now):
            self.refresh_lines(line)
        self.bring_into_view(now)
        self.post_message(self.CursorMoved(self, now))

    def bring_into_view(self, line: int) -> None:
        """Scroll as little as shows the line, at once."""
        height = self.scrollable_content_region.height
        top = self.scroll_offset.y
        if line < top:
            self.scroll_to(y=line, animate=False, immediate=True)
        elif height and line >= top + height:
            self.scroll_to(y=line - height + 1, animate=False, immediate=True)

    def action_cursor_down(self) -> None:
        self.cursor += 1

    def action_cursor_up(self) -> None:
        self.cursor -= 1

    def action_cursor_first(self) -> None:
        self.cursor = 0

    def action_cursor_last(self) -> None:
        self.cursor = self.line_count - 1

    def action_page_down(self) -> None:
        self.cursor += max(self.scrollable_content_region.height - 1, 1)

    def action_page_up(self) -> None:
        self.cursor -= max(self.scrollable_content_region.height - 1, 1)

    def action_scroll_left_some(self) -> None:
        self.scroll_to(x=max(self.scroll_offset.x - _SIDEWAYS, 0), animate=False)

    def action_scroll_right_some(self) -> None:
        self.scroll_to(x=self.scroll_offset.x + _SIDEWAYS, animate=False)

    def on_click(self, event: events.Click) -> None:
        line = event.y + self.scroll_offset.y
        if line < self.line_count:
            self.cursor = line
