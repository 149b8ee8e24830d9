"""Beneath the schedule: what it means, or where it goes wrong."""

from __future__ import annotations

import textwrap

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.tui.editor.field_row import LABEL_WIDTH
from tui_scheduler.tui.fitting import shortened
from tui_scheduler.tui.formatting import inert

HEIGHT = 2


class ScheduleNote(Widget):
    """Two lines, used or not: nothing moves while the schedule is typed."""

    DEFAULT_CSS = """
    ScheduleNote { height: 2; }
    """

    words: reactive[str] = reactive("")
    wrong: reactive[Invalid | None] = reactive(None)

    def render(self) -> Content:
        room = max(self.size.width - LABEL_WIDTH, 10)
        if self.wrong is None:
            lines = textwrap.wrap(inert(self.words), room, max_lines=HEIGHT, placeholder="…")
            return _indented(lines, "$text-success")
        caret, said = caret_lines(self.wrong, room)
        return _indented([caret, said], "$text-error")


def caret_lines(wrong: Invalid, room: int) -> tuple[str, str]:
    """A caret under the character where it goes wrong (none when that is not known or further than the room is
    wide), and the reason.
    """
    position = wrong.position
    caret = "" if position is None or position >= room else " " * position + "^"
    return caret, shortened(inert(wrong.reason), room)


def _indented(lines: list[str], style: str) -> Content:
    return Content("\n").join(Content.styled(" " * LABEL_WIDTH + line, style) for line in lines)
