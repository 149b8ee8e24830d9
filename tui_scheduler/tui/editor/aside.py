"""Beside the fields: what may be entered or is wrong, and what the job will do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from tui_scheduler.control.views import Notice
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.editor.draft import Reading, Texts, read
from tui_scheduler.tui.editor.field_row import FieldRow
from tui_scheduler.tui.editor.fields import FIELDS
from tui_scheduler.tui.editor.preview import Foresight, foresee
from tui_scheduler.tui.editor.preview_view import PreviewView
from tui_scheduler.tui.editor.text_entry import TextEntry
from tui_scheduler.tui.formatting import inert

_AT_REST = "e or Enter edits, F10 saves, F2 tests"


class Aside(Vertical):
    """Every part has its place, filled or not."""

    DEFAULT_CSS = """
    Aside {
        height: 15;
        border-top: solid $panel-lighten-2;
        #said { height: 3; color: $text-muted; &.-wrong { color: $text-error; } }
        #preview { height: 1fr; }
    }
    """

    def __init__(self, desk: Desk) -> None:
        super().__init__(id="aside")
        self._desk = desk
        # Kept, not looked up: answers may come before they are there.
        self._said = Static(Content(""), id="said")
        self._preview = PreviewView()
        self._seen = Foresight()
        self._told: tuple[Notice, ...] = ()

    def compose(self) -> ComposeResult:
        yield self._said
        yield self._preview

    @property
    def words(self) -> str:
        """The schedule in words; empty while it cannot be read."""
        return self._seen.words

    @property
    def is_behind(self) -> bool:
        """Whether the first run on show has come."""
        return bool(self._seen.runs) and self._seen.runs[0].instant <= self._desk.now()

    def foresee(self, texts: Texts, reading: Reading, base: Texts, created_at: int | None) -> None:
        """Show what the texts will do. Where a field cannot be read, the others still mean something: `base` stands
        in for it.
        """
        spec = reading.spec
        if spec is None:
            spec = read({**texts, **{key: base[key] for key in reading.errors if key in FIELDS}}).spec
        seen = Foresight() if spec is None else foresee(spec, self._desk.now(), created_at)
        if reading.errors.keys() & {"schedule", "timezone"}:
            seen = Foresight(retries=seen.retries)
        self._seen = seen
        self.draw()

    def notice(self, told: tuple[Notice, ...]) -> None:
        """Show what only the store knows: jobs on the same instant, for one."""
        self._told = told
        self.draw()

    def draw(self) -> None:
        """Countdowns as of now, in the present width."""
        known = {notice.code for notice in self._seen.notices}
        more = tuple(notice for notice in self._told if notice.code not in known)
        seen = replace(self._seen, notices=self._seen.notices + more)
        self._preview.tell(seen, self._desk.now(), self._desk.zone)

    def say(self, row: FieldRow | None, errors: Mapping[str, Invalid]) -> None:
        """What is wrong with the field that has the focus, or what may be entered there; without one, what is wrong
        first of all.
        """
        wrong = next(iter(errors.values()), None) if row is None else errors.get(row.field.key)
        self._said.set_class(wrong is not None, "-wrong")
        if wrong is not None:
            self._say(inert(in_a_sentence(wrong)))
        elif row is not None:
            held = row.entry.why_held if isinstance(row.entry, TextEntry) else None
            self._say(held or row.field.hint)
        else:
            self._say(_AT_REST)

    def _say(self, text: str) -> None:
        self._said.update(Content(text), layout=False)  # its place is as high as it is


def in_a_sentence(wrong: Invalid) -> str:
    """`× Timeout must be within 100 ms to an hour`."""
    field = FIELDS.get(wrong.field)
    example = "" if wrong.example is None else f"; for example {wrong.example}"
    return f"× {wrong.field if field is None else field.label} {wrong.reason}{example}"
