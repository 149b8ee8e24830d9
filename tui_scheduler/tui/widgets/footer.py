"""The line at the bottom: which keys do what, where the focus is."""

from __future__ import annotations

from typing import Final, NamedTuple

from textual import events
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget

from tui_scheduler.tui.actions import BY_ID, Action, Place, character, readable
from tui_scheduler.tui.fitting import Piece, fitting, total_width

_ALWAYS: Final = ("app.show-help", "app.leave")
"""Shown as long as anything is: who knows no key needs these."""


class _Hint(NamedTuple):
    action: Action
    key: str

    @property
    def text(self) -> str:
        return f"{readable(self.key)} {self.action.hint}"


class Footer(Widget):
    """Hints that fit in one line, what belongs to the focus first. A click does what the key does."""

    DEFAULT_CSS = """
    Footer {
        dock: bottom;
        height: 1;
        background: $panel;
        color: $foreground;
    }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[object]) -> None:
        if self.is_attached:
            self.refresh()

    def render(self) -> Content:
        shown = self.shown()
        room = self.size.width - 2 - total_width(shown)
        parts = [Content(" ")]
        for index, piece in enumerate(shown):
            if index:
                is_aside = piece.rank < 0 and shown[index - 1].rank >= 0
                parts.append(Content(" " * (2 + (max(room, 0) if is_aside else 0))))
            key, _, hint = piece.text.partition(" ")
            parts += [Content.styled(key, "$accent bold"), Content(f" {hint}")]
        return Content("").join(parts)

    def shown(self) -> list[Piece]:
        """The hints that fit, in order: those of the focus, those of the screen; help and quit at the end."""
        hints = self._hints()
        own = [hint for hint in hints if hint.action.id not in _ALWAYS]
        pieces = [Piece(hint.text, rank, name=hint.key) for rank, hint in enumerate(own)]
        pieces += [Piece(hint.text, -1, name=hint.key) for hint in hints if hint.action.id in _ALWAYS]
        return fitting(pieces, self.size.width - 2)

    def _hints(self) -> list[_Hint]:
        """What can be done now, each with the first of its keys that gets through to it."""
        found: dict[str, _Hint] = {}
        for key, active in self.screen.active_bindings.items():
            action = BY_ID.get(active.binding.id or "")
            if action is not None and action.hint and active.enabled and not self._is_typed(key):
                found.setdefault(action.id, _Hint(action, key))
        return sorted(found.values(), key=lambda hint: _ORDER[hint.action.id])

    def _is_typed(self, key: str) -> bool:
        """Whether the field that has the focus takes the key for itself."""
        focused = self.screen.focused
        return focused is not None and focused.check_consume_key(key, character(key))

    def on_click(self, event: events.Click) -> None:
        shown = self.shown()
        room = max(self.size.width - 2 - total_width(shown), 0)
        begin = 1
        for index, piece in enumerate(shown):
            if index and piece.rank < 0 and shown[index - 1].rank >= 0:
                begin += room
            if begin <= event.x < begin + piece.width:
                self.app.simulate_key(piece.name)
                return
            begin += piece.width + 2


def _order() -> dict[str, int]:
    """Panes before the screen before the program."""
    last = {Place.MAIN: 1, Place.APP: 2}
    ordered = sorted(BY_ID.values(), key=lambda action: last.get(action.place, 0))
    return {action.id: number for number, action in enumerate(ordered)}


_ORDER: Final = _order()
