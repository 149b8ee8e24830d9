"""All fields of a job, in their groups."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from tui_scheduler.domain.errors import Invalid
from tui_scheduler.tui.editor.field_row import FieldRow
from tui_scheduler.tui.editor.fields import GROUPS, group_of
from tui_scheduler.tui.editor.group_box import GroupBox
from tui_scheduler.tui.editor.schedule_note import ScheduleNote


class Form(VerticalScroll, can_focus=False):
    """The texts of a job; knows nothing of what they mean."""

    DEFAULT_CSS = """
    Form { scrollbar-size-vertical: 1; }
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        super().__init__(id="form")
        self._note = ScheduleNote()
        self._boxes = tuple(GroupBox(group, texts, self._note) for group in GROUPS)

    def compose(self) -> ComposeResult:
        yield from self._boxes

    def texts(self) -> dict[str, str]:
        """What is entered, by key."""
        return {key: text for box in self._boxes for key, text in box.texts().items()}

    def enter(self, texts: Mapping[str, str], *, afresh: bool = False) -> None:
        """Put texts in; `afresh` when they are those of another job."""
        for box in self._boxes:
            box.enter(texts, afresh=afresh)
        if afresh:
            self.scroll_home(animate=False)

    def tell(self, texts: Mapping[str, str], errors: Mapping[str, Invalid], words: str) -> None:
        """Mark what is wrong, and say what the schedule means."""
        for box in self._boxes:
            box.tell(texts, frozenset(errors))
        self._note.words = words
        self._note.wrong = errors.get("schedule")

    def row(self, key: str) -> FieldRow:
        """The row of a field; its group is opened for it."""
        box = next(box for box in self._boxes if box.group is group_of(key))
        box.open(True)
        return next(row for row in box.rows if row.field.key == key)

    def go_to(self, key: str) -> None:
        """Give the focus to a field."""
        entry = self.row(key).entry
        self.call_after_refresh(entry.focus)  # the row may just have been made

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Textual scrolls to what has the focus at once, which is too early for a row that was just made."""
        row = next((node for node in event.widget.ancestors_with_self if isinstance(node, FieldRow)), None)
        if row is not None:
            self.call_after_refresh(row.scroll_visible, animate=False)
