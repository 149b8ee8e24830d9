"""The lines of the log: following the newest, or held still where somebody reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import tzinfo

from rich.segment import Segment
from textual.message import Message
from textual.scrollbar import ScrollTo, ScrollUp
from textual.strip import Strip

from tui_scheduler.control.views import LogPage, LogRow
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.fitting import fit
from tui_scheduler.tui.log_lines import (
    Part,
    columns,
    gap_parts,
    highlighted,
    older_parts,
    row_parts,
    rule_parts,
    searched_text,
)
from tui_scheduler.tui.log_model import Gap, Line, LogModel, Older, Rule, Shown
from tui_scheduler.tui.widgets.lines import LineView


class LogView(LineView):
    """While it follows, the cursor is on the newest line; any movement upwards ends that, and from then on what is on
    the screen stays where it is, whatever comes.
    """

    class Changed(Message):
        """What a title says of the log may be different: following, held, matches."""

    def __init__(self, now: Callable[[], int], zone: tzinfo, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.model = LogModel()
        self.following = True
        self.of_one_job = False
        self.empty_text = ""
        """What stands there while there is no line."""
        self.needle = ""
        self.matches: list[int] = []
        """The lines that have `needle`."""
        self._now = now
        self._zone = zone
        self._settling = False

    # --- what comes

    def show(self, page: LogPage, states: frozenset[State]) -> None:
        """These lines in place of those that are there; the cursor stays on its execution or goes near to it."""
        row = self.row_at_cursor
        self.model.states = states
        with self._keeping_place():
            self.model.replace(page)
        with self._settled():
            if self.following:
                self.cursor = self.line_count - 1
            elif row is not None:
                index = self.model.index_of(self.model.find(row.key))
                self.cursor = self.model.nearest(row) if index is None else index

    def take(self, page: LogPage, since: int | None) -> None:
        """What is new and what has changed. Repaints once, if there is anything to see."""
        top = self.scroll_offset.y
        with self._keeping_place() as place:
            place.is_different = self.model.merge(page, may_go=None if self.following else min(top, self.cursor))
            if since is not None and self.following and not self.model.held:
                place.is_different |= self.model.forget_before(since)

    @contextmanager
    def _keeping_place(self) -> Iterator[_Place]:
        """Change the model inside; then the same lines are in the same places, or the newest when it follows."""
        place = _Place()
        lines, top = self.model.lines, self.scroll_offset.y
        at_cursor, at_top = self.line_at_cursor, lines[top] if top < len(lines) else None
        yield place
        if place.is_different:
            with self._settled():
                self._settle(at_cursor, at_top)
        self._count_fresh()

    def _settle(self, at_cursor: Line | None, at_top: Line | None) -> None:
        cursor, top = self.model.index_of(at_cursor), self.model.index_of(at_top)
        self._judge_all()
        self.lines_changed()
        if self.following and not self.model.held:
            self.follow(self.line_count - 1)
            self.bring_into_view(self.cursor)
            return
        if top is not None and top != self.scroll_offset.y:
            self.scroll_to(y=top, animate=False, force=True)
        if cursor is not None:
            self.follow(cursor)

    @contextmanager
    def _settled(self) -> Iterator[None]:
        """What moves inside was not moved by the user."""
        self._settling = True
        try:
            yield
        finally:
            self._settling = False

    def _count_fresh(self) -> None:
        if self.following and not self.model.held:
            self.model.fresh = 0
        self.post_message(self.Changed())

    # --- following

    def follow_newest(self) -> None:
        """Go to the newest line and stay there."""
        self.following = True
        with self._keeping_place():
            self.model.release()

    def stop_following(self) -> None:
        """Leave everything where it is from now on."""
        if self.following:
            self.following = False
            self.post_message(self.Changed())

    def hold(self, held: bool) -> None:
        """Nothing changes on the screen until it is let go; what comes meanwhile is kept."""
        if held:
            self.model.held = True
            self.post_message(self.Changed())
            return
        with self._keeping_place():
            self.model.release()

    def watch_cursor(self, before: int, now: int) -> None:
        super().watch_cursor(before, now)
        if not self._settling and now < self.line_count - 1:
            self.stop_following()

    def action_cursor_last(self) -> None:
        self.follow_newest()

    def on_mouse_scroll_up(self) -> None:
        self._scrolled_up()

    def on_scroll_up(self, _event: ScrollUp) -> None:
        self._scrolled_up()

    def on_scroll_to(self, message: ScrollTo) -> None:
        if message.y is not None and message.y < self.scroll_y:
            self._scrolled_up()

    def _scrolled_up(self) -> None:
        if self.max_scroll_y:
            self.stop_following()

    # --- what is there

    @property
    def line_count(self) -> int:
        return len(self.model.lines)

    @property
    def line_at_cursor(self) -> Line | None:
        lines = self.model.lines
        return lines[self.cursor] if self.cursor < len(lines) else None

    @property
    def row_at_cursor(self) -> LogRow | None:
        """The execution at the cursor, if it is on one."""
        line = self.line_at_cursor
        return line.row if isinstance(line, Shown) else None

    def draw_rule(self) -> None:
        """Below the cursor; on a rule: take it away."""
        was_following = self.following
        with self._settled():
            place = self.model.draw_rule(self.cursor, self._now())
            self._judge_all()
            self.lines_changed()
            self.cursor = place
        self.following = was_following
        self.bring_into_view(self.cursor)

    # --- searching

    def search(self, needle: str) -> None:
        """Show where a text is, whatever its case; "" ends the search."""
        self.needle = needle.lower()
        self._judge_all()
        self.refresh()
        self.post_message(self.Changed())

    def go_to_match(self, step: int) -> None:
        """The next match below (1) or above (-1), from the other end after the last one; 0: the nearest above, the
        line itself first.
        """
        if not self.matches:
            return
        if step > 0:
            self.cursor = next((line for line in self.matches if line > self.cursor), self.matches[0])
        else:
            least = self.cursor + 1 + step
            self.cursor = next((line for line in reversed(self.matches) if line < least), self.matches[-1])

    @property
    def match_number(self) -> int:
        """Which of the matches has the cursor, from 1; 0: none."""
        return self.matches.index(self.cursor) + 1 if self.cursor in self.matches else 0

    def _judge_all(self) -> None:
        needle = self.needle
        if not needle:
            self.matches = []
            return
        self.matches = [
            index
            for index, line in enumerate(self.model.lines)
            if isinstance(line, Shown) and needle in (line.text or self._text_of(line))
        ]

    def _text_of(self, line: Shown) -> str:
        if line.text is None:
            line.text = searched_text(line.row, self._zone)
        return line.text

    # --- drawing

    def show_columns(self, *, of_one_job: bool) -> None:
        """Without the job's name where it is the same in every line."""
        if of_one_job != self.of_one_job:
            self.of_one_job = of_one_job
            self.refresh()

    def draw_line(self, index: int, width: int) -> list[Segment]:
        return [Segment(part.text, self.look(part.style) if part.style else None) for part in self._parts(index, width)]

    def _parts(self, index: int, width: int) -> list[Part]:
        line = self.model.lines[index]
        if isinstance(line, Rule):
            return rule_parts(line.at, width, self._zone)
        if isinstance(line, Gap):
            return gap_parts(line.number, width, at_least=line.at_least)
        if isinstance(line, Older):
            return older_parts(width)
        fitting = columns(width, of_one_job=self.of_one_job)
        parts = row_parts(line.row, fitting, self._zone, self._now())
        return highlighted(parts, self.needle) if self.needle and self.needle in self._text_of(line) else parts

    def render_line(self, y: int) -> Strip:
        if self.line_count or y != self.page // 3:
            return super().render_line(y)
        width = self.scrollable_content_region.width
        text = fit(self.empty_text, width, pad=False).center(width)
        return Strip([Segment(text, self.rich_style + self.look("line--muted"))])


class _Place:
    """Whether anything became different."""

    is_different = True
