"""A field that is yes or no."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui_scheduler.tui.editor.entry import Changed
from tui_scheduler.tui.editor.fields import NO, YES


class FlagEntry(Widget, can_focus=True):
    """`[x] yes` or `[ ] no`; Space, Enter or a click turns it round."""

    BINDINGS: ClassVar = [Binding("space,enter", "turn", "Turn round", show=False)]

    DEFAULT_CSS = """
    FlagEntry {
        width: 1fr;
        height: 1;
        pointer: pointer;
        &:focus { text-style: reverse; }
    }
    """

    text: reactive[str] = reactive(NO)

    def entered(self) -> str:
        return self.text

    def enter(self, text: str) -> None:
        self.text = text

    def render(self) -> Content:
        return Content(f"[x] {YES}" if self.text == YES else f"[ ] {NO}")

    def on_click(self) -> None:
        self.action_turn()

    def action_turn(self) -> None:
        self.text = NO if self.text == YES else YES
        self.post_message(Changed())
