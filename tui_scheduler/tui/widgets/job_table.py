"""The job table: a line a job, drawn from what the model knows."""

from __future__ import annotations

from collections.abc import Callable

from rich.cells import cell_len
from rich.segment import Segment
from textual.message import Message
from textual.strip import Strip

from tui_scheduler.tui.fitting import fit
from tui_scheduler.tui.formatting import SECOND
from tui_scheduler.tui.job_model import JobModel
from tui_scheduler.tui.widgets.job_columns import Moment, draw, draw_unknown
from tui_scheduler.tui.widgets.lines import LineView


class JobTable(LineView):
    """Shows a `JobModel`; whoever changes it calls `lines_changed` or `refresh`. `nothing` are the lines to show while
    there are no jobs.
    """

    class Scrolled(Message):
        """Other lines are on the screen."""

    def __init__(self, model: JobModel, now: Callable[[], int], *, id: str | None = None) -> None:  # noqa: A002
        self._model = model
        self._now = now
        self._second = 0
        self.nothing: tuple[str, ...] = ()
        super().__init__(id=id)

    @property
    def line_count(self) -> int:
        return len(self._model.keys)

    def draw_line(self, index: int, width: int) -> list[Segment]:
        key = self._model.keys[index]
        marked = key in self._model.marks
        row = self._model.row(key)
        pieces = draw_unknown(width, marked) if row is None else draw(row, width, Moment(self._now(), marked))
        return [Segment(text, self.look(look) if look else None) for text, look in pieces]

    def render_line(self, y: int) -> Strip:
        if self.line_count:
            return super().render_line(y)
        number = y - (self.page - len(self.nothing)) // 2
        width = self.scrollable_content_region.width
        if not 0 <= number < len(self.nothing):
            return Strip.blank(width, self.rich_style)
        text = self.nothing[number]
        text = fit(" " * max((width - cell_len(text)) // 2, 0) + text, max(width, 1))
        return Strip(Segment.apply_style([Segment(text, self.look("line--muted"))], self.rich_style))

    def say(self, *nothing: str) -> None:
        """What to show while there are no jobs."""
        if nothing != self.nothing:
            self.nothing = nothing
            self.refresh()

    def show_second(self) -> None:
        """Draw the countdowns anew if another second has come."""
        second = self._now() // SECOND
        if second != self._second:
            self._second = second
            self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        if round(old_value) != round(new_value):
            self.post_message(self.Scrolled())
