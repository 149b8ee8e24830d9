"""A list drawn line by line, however long it is: what is not on the screen costs nothing."""

from __future__ import annotations

from typing import ClassVar, Final, NamedTuple

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


class _Frame(NamedTuple):
    """What is the same for all lines of one repaint."""

    base: Style
    cursor: Style
    focused: bool
    width: int
    """Cells of a line."""
    shown: int
    """Cells of it on the screen, from `left`."""
    left: int
    top: int


# Bindings are not inherited: a scroll view scrolls with the arrows, whatever else they have been remapped to.
class LineView(ScrollView, can_focus=True, inherit_bindings=False):
    """Lines of equal height, one of which has the cursor. Subclasses say how many there are (`line_count`), how wide
    the widest is (`line_width`) and draw one (`draw_line`); they call `lines_changed` when that has become different.
    """

    BINDINGS = bindings(Place.LINES)
    # A drag over a list would select half of what it looks like; copying a line has a key, selecting has the terminal.
    ALLOW_SELECT = False
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line--cursor",
        "line--cursor-blurred",
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
    # The scrollbar's place is always kept: columns must not move when the list outgrows the screen.
    DEFAULT_CSS = """
    LineView {
        scrollbar-gutter: stable;
        scrollbar-size: 1 1;
        & > .line--cursor {
            background: $block-cursor-background;
            color: $block-cursor-foreground;
            text-style: $block-cursor-text-style;
        }
        & > .line--cursor-blurred {
            background: $block-cursor-blurred-background;
            text-style: bold;
        }
        & > .line--mark { color: $accent; text-style: bold; }
        & > .line--muted { color: $text-muted; }
        & > .line--accent { color: $text-accent; }
        & > .line--match { color: $text-warning; text-style: bold underline; }
        & > .state--good { color: $text-success; }
        & > .state--bad { color: $text-error; text-style: bold; }
        & > .state--warning { color: $text-warning; }
        & > .state--busy { color: $text-primary; }
        & > .state--muted { color: $text-muted; }
    }
    """

    cursor: reactive[int] = reactive(0, repaint=False, init=False)
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

    class Chosen(CursorMoved):
        """A line was clicked twice: what Enter would do with it."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._frame: _Frame | None = None
        self._looks: dict[str, Style] = {}
        self._height = 0

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
        if name not in self._looks:
            style = self.get_component_rich_style(name)  # in full, or what is translucent would be opaque
            self._looks[name] = Style(
                color=style.color, bold=style.bold, dim=style.dim, italic=style.italic, underline=style.underline
            )
        return self._looks[name]

    def notify_style_update(self) -> None:
        """Called by Textual when colours may be others: a theme, the focus."""
        super().notify_style_update()
        self._looks.clear()

    def lines_changed(self) -> None:
        """There are more or fewer lines, or others."""
        size = Size(self.line_width, self.line_count)
        if size != self.virtual_size:
            self.virtual_size = size
        self.cursor = self.validate_cursor(self.cursor)
        self.refresh()

    def refresh_lines(self, y_start: int, line_count: int = 1) -> None:
        """Draw some lines anew, if they are on the screen."""
        area = Region(0, y_start - self.scroll_offset.y, self.size.width, line_count).intersection(self.size.region)
        if area:
            self.refresh(area)

    @property
    def visible_lines(self) -> range:
        """The indices of the lines on the screen."""
        top = self.scroll_offset.y
        return range(top, max(top, min(top + self.page, self.line_count)))

    @property
    def page(self) -> int:
        """How many lines the screen has for them."""
        return max(self.scrollable_content_region.height, 0)

    # --- drawing

    def render_lines(self, crop: Region) -> list[Strip]:
        """Called by Textual for each repaint."""
        self._frame = None
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        """Called by Textual for each row of the screen."""
        if self._frame is None:
            self._frame = self._new_frame()
        frame = self._frame
        index = y + frame.top
        if index >= self.line_count:
            return Strip.blank(frame.shown, frame.base)
        segments = self.draw_line(index, frame.width)
        base = frame.base
        if index == self.cursor:
            base = frame.cursor
            if frame.focused:
                # The colours of states need not be readable on the cursor's: signs and words say the same.
                segments = [Segment(text, style and style.without_color) for text, style, _ in segments]
        strip = Strip(Segment.apply_style(segments, base)).adjust_cell_length(frame.width, base)
        return strip.crop(frame.left, frame.left + frame.shown).adjust_cell_length(frame.shown, base)

    def _new_frame(self) -> _Frame:
        shown = self.scrollable_content_region.width
        cursor = "line--cursor" if self.has_focus else "line--cursor-blurred"
        return _Frame(
            base=self.rich_style,
            cursor=self.get_component_rich_style(cursor),
            focused=self.has_focus,
            width=max(shown, self.line_width),
            shown=shown,
            left=self.scroll_offset.x,
            top=self.scroll_offset.y,
        )

    # --- the cursor

    def validate_cursor(self, cursor: int) -> int:
        return max(0, min(cursor, self.line_count - 1))

    def watch_cursor(self, before: int, now: int) -> None:
        for line in (before, now):
            self.refresh_lines(line)
        self.bring_into_view(now)
        self.post_message(self.CursorMoved(self, now))

    def follow(self, line: int) -> None:
        """What the cursor was on is another line now: go there without a message. Scrolls only if it was on the
        screen, so that whoever has scrolled away is left there.
        """
        line = self.validate_cursor(line)
        if line == self.cursor:
            return
        was_visible = self.cursor in self.visible_lines
        self.set_reactive(LineView.cursor, line)
        self.refresh()
        if was_visible:
            self.bring_into_view(line)

    def bring_into_view(self, line: int) -> None:
        """Scroll as little as shows the line, at once."""
        height = self.page
        top = self.scroll_offset.y
        if line < top:
            self.scroll_to(y=line, animate=False, force=True)
        elif height and line >= top + height:
            self.scroll_to(y=line - height + 1, animate=False, force=True)

    def on_resize(self) -> None:
        self._keep_cursor_shown()

    def watch_show_horizontal_scrollbar(self) -> None:
        # It takes a line away, once it has been laid out, and that is no resize of the widget.
        self.call_after_refresh(self._keep_cursor_shown)

    def watch_show_vertical_scrollbar(self, shown: bool) -> None:
        # It hears of scrolling only while it is there.
        if shown:
            self.vertical_scrollbar.position = self.scroll_y

    def _keep_cursor_shown(self) -> None:
        """When the height has changed the cursor stays on the screen if it was there."""
        top = self.scroll_offset.y
        if top <= self.cursor < top + self._height:
            self.bring_into_view(self.cursor)
        self._height = self.page

    def on_focus(self) -> None:
        self.refresh_lines(self.cursor)

    def on_blur(self) -> None:
        self.refresh_lines(self.cursor)

    def action_cursor_down(self) -> None:
        self.cursor += 1

    def action_cursor_up(self) -> None:
        self.cursor -= 1

    def action_cursor_first(self) -> None:
        self.cursor = 0

    def action_cursor_last(self) -> None:
        self.cursor = self.line_count - 1

    def action_page_down(self) -> None:
        self.cursor += max(self.page - 1, 1)

    def action_page_up(self) -> None:
        self.cursor -= max(self.page - 1, 1)

    def action_scroll_left_some(self) -> None:
        self.scroll_to(x=max(self.scroll_offset.x - _SIDEWAYS, 0), animate=False)

    def action_scroll_right_some(self) -> None:
        self.scroll_to(x=self.scroll_offset.x + _SIDEWAYS, animate=False)

    def on_click(self, event: events.Click) -> None:
        """One click moves the cursor, the second on the same line chooses it."""
        place = event.get_content_offset(self)
        if place is None:
            return
        line = place.y + self.scroll_offset.y
        if line >= self.line_count:
            return
        if event.chain == 2 and line == self.cursor:
            self.post_message(self.Chosen(self, line))
        self.cursor = line
