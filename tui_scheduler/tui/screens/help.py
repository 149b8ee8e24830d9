"""All keys, made from the registry of actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tui_scheduler.tui.actions import ACTIONS, Action, Place, keys_of, readable

_KEYS: Final = 18
"""Cells for the keys, before what they do."""


def help_text(current: Place, keymap: Mapping[str, str], search: str = "") -> Content:
    """All actions by place, the current place first; with `search` those that have its words somewhere."""
    lines: list[Content] = []
    for place in sorted(Place, key=lambda place: place is not current):
        found = [action for action in ACTIONS if action.place is place and _has(action, keymap, search)]
        if found:
            here = "  (here)" if place is current else ""
            lines += [Content("")] * bool(lines) + [Content.styled(f"{place}{here}", "$primary bold")]
            lines += [_line(action, keymap) for action in found]
    return (
        Content("\n").join(lines) if lines else Content.styled(f"No action has “{search}” in it", "$foreground-muted")
    )


def _line(action: Action, keymap: Mapping[str, str]) -> Content:
    keys = _keys(action, keymap)
    space = " " * max(_KEYS - cell_len(keys), 2)
    return Content("").join([Content("  "), Content.styled(keys, "$accent bold"), Content(f"{space}{action.label}")])


def _keys(action: Action, keymap: Mapping[str, str]) -> str:
    return "  ".join(readable(key) for key in keys_of(action, keymap))


def _has(action: Action, keymap: Mapping[str, str], search: str) -> bool:
    text = f"{action.label} {action.place} {_keys(action, keymap)}".casefold()
    return all(word in text for word in search.casefold().split())


class HelpScreen(ModalScreen[None]):
    """Scrolls by the keys of lists; `/` searches."""

    BINDINGS: ClassVar = [
        Binding("escape", "back", "Back", show=False),
        Binding("question_mark,f1,q", "close", "Close", show=False),
        Binding("slash", "search", "Search", show=False),
        Binding("j,down", "scroll_by(1)", "Down", show=False),
        Binding("k,up", "scroll_by(-1)", "Up", show=False),
        Binding("pagedown,space", "page(1)", "A page down", show=False),
        Binding("pageup", "page(-1)", "A page up", show=False),
        Binding("g,home", "top", "Top", show=False),
        Binding("G,end", "bottom", "Bottom", show=False),
    ]
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    HelpScreen {
        align: center middle;

        #help {
            width: 76;
            max-width: 100%;
            height: 100%;
            max-height: 90%;
            padding: 0 1;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        #search {
            display: none;
            margin: 0 1 1 1;
        }
        #text {
            height: auto;
        }
    }
    """

    def __init__(self, current: Place, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._current = current
        self._keymap = keymap

    def compose(self) -> ComposeResult:
        with Vertical(id="help") as box:
            box.border_title = "Keys"
            box.border_subtitle = "/ search   ↑ ↓ scroll   Esc close"
            yield Input(placeholder="search the actions", id="search", compact=True)
            with VerticalScroll(id="scroll", can_focus=False):
                yield Static(help_text(self._current, self._keymap), id="text")

    @property
    def _scroll(self) -> VerticalScroll:
        return self.query_one("#scroll", VerticalScroll)

    @on(Input.Changed)
    def _find(self, message: Input.Changed) -> None:
        self.query_one("#text", Static).update(help_text(self._current, self._keymap, message.value))
        self._scroll.scroll_home(animate=False)

    @on(Input.Submitted)
    def _found(self) -> None:
        self.set_focus(None)

    def action_search(self) -> None:
        field = self.query_one("#search", Input)
        field.display = True
        field.focus()

    def action_back(self) -> None:
        """Out of the search first, then out of the help."""
        field = self.query_one("#search", Input)
        if not field.display:
            self.dismiss()
            return
        field.value = ""
        field.display = False
        self.set_focus(None)

    def action_close(self) -> None:
        self.dismiss()

    def action_scroll_by(self, lines: int) -> None:
        self._scroll.scroll_relative(y=lines, animate=False)

    def action_page(self, pages: int) -> None:
        self._scroll.scroll_relative(y=pages * max(self._scroll.size.height - 1, 1), animate=False)

    def action_top(self) -> None:
        self._scroll.scroll_home(animate=False)

    def action_bottom(self) -> None:
        self._scroll.scroll_end(animate=False)
