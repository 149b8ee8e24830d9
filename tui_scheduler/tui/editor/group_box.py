"""Fields that belong together, under a title; or only a line that tells them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

from tui_scheduler.tui.editor.draft import NEW_JOB, texts_of
from tui_scheduler.tui.editor.field_row import LABEL_WIDTH, FieldRow
from tui_scheduler.tui.editor.fields import Group
from tui_scheduler.tui.editor.schedule_note import ScheduleNote
from tui_scheduler.tui.fitting import shortened
from tui_scheduler.tui.formatting import inert

_DEFAULTS = texts_of(NEW_JOB)


class GroupTitle(Widget):
    """The title of a group; of one that can be closed a line to press Enter on."""

    BINDINGS: ClassVar = [Binding("enter,space", "turn", "Open or close", show=False)]
    DEFAULT_CSS = """
    GroupTitle {
        height: 1;
        color: $text-primary;
        text-style: bold;
        &.-wrong { color: $text-error; }
        &:focus { text-style: bold reverse; }
    }
    """

    summary: reactive[str] = reactive("")
    is_open: reactive[bool] = reactive(True)
    is_wrong: reactive[bool] = reactive(False, toggle_class="-wrong")

    def __init__(self, group: Group) -> None:
        super().__init__()
        self.group = group
        self.can_focus = group.summary is not None

    def render(self) -> Content:
        group = self.group
        if group.summary is None:
            return Content(f"  {group.title}")
        sign = "×" if self.is_wrong else "▼" if self.is_open else "▶"
        title = f"{sign} {group.title}"
        if self.is_open:
            return Content(title)
        told = shortened(inert(self.summary), self.size.width - LABEL_WIDTH - 1)
        return Content.assemble(f"{title:<{LABEL_WIDTH}}", (told, "not bold $foreground-muted"))

    def on_click(self) -> None:
        self.action_turn()

    def action_turn(self) -> None:
        box = self.parent
        if isinstance(box, GroupBox) and self.group.summary is not None:
            box.open(not box.is_open)
            self.call_after_refresh(box.scroll_visible, animate=False)


class GroupBox(Vertical):
    """Its rows are made when it is opened for the first time: until then `texts` holds what they will show. `note` is
    for the row of the schedule, wherever that is.
    """

    DEFAULT_CSS = """
    GroupBox {
        height: auto;
        .rows { height: auto; }
    }
    """

    def __init__(self, group: Group, texts: Mapping[str, str], note: ScheduleNote) -> None:
        super().__init__()
        self.group = group
        self._note = note
        self.rows: tuple[FieldRow, ...] = ()
        self._texts = {field.key: texts[field.key] for field in group.fields}
        self._title = GroupTitle(group)
        self._body = Vertical(classes="rows")
        self._wrong: frozenset[str] = frozenset()

    def compose(self) -> ComposeResult:
        yield self._title
        yield self._body

    def on_mount(self) -> None:
        is_early = bool(self.rows)  # opened before there was a place for its rows
        if is_early:
            self._fill()
        self.open(is_early or self.group.summary is None or not self._is_usual())

    @property
    def is_open(self) -> bool:
        return self._title.is_open

    def texts(self) -> dict[str, str]:
        """What is entered, by key."""
        return {**self._texts, **{row.field.key: row.text for row in self.rows}}

    def enter(self, texts: Mapping[str, str], *, afresh: bool) -> None:
        """Put texts in. `afresh`: of another job, so open the group or close it as suits that."""
        self._texts = {field.key: texts[field.key] for field in self.group.fields}
        for row in self.rows:
            row.enter(texts[row.field.key])
        if self.group.summary is not None and (afresh or not self._is_usual()):
            self.open(not self._is_usual())

    def open(self, wanted: bool) -> None:
        """Show the fields, or only the line that tells them."""
        if wanted and not self.rows:
            self.rows = tuple(FieldRow(field, self._texts[field.key]) for field in self.group.fields)
            if self._body.is_attached:
                self._fill()
        self._body.display = wanted
        self._title.is_open = wanted

    def _fill(self) -> None:
        """Give the rows their place. Nothing can be put there before the box itself has one, nor once the app ends."""
        if not self._body.is_attached:
            return
        for row in self.rows:
            row.mark(wrong=row.field.key in self._wrong)
            self._body.mount(row)
            if row.field.key == "schedule":
                self._body.mount(self._note)

    def tell(self, texts: Mapping[str, str], wrong: frozenset[str]) -> None:
        """Mark what is wrong, and tell the fields in the line."""
        self._wrong = wrong
        self._title.is_wrong = any(key in wrong for key in self._texts)
        if self.group.summary is not None:
            self._title.summary = self.group.summary(texts)
        for row in self.rows:
            row.mark(wrong=row.field.key in wrong)

    def _is_usual(self) -> bool:
        return all(text == _DEFAULTS[key] for key, text in self.texts().items())
