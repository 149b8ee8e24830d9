"""Somebody else changed the job that is being edited: what is mine, what is theirs, and which shall hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static

from tui_scheduler.tui.editor.fields import FIELDS
from tui_scheduler.tui.fitting import shortened
from tui_scheduler.tui.formatting import inert

MINE = "mine"
THEIRS = "theirs"
_SHOWN = 400


class ConflictScreen(ModalScreen[str]):
    """Its answer is `mine` (save over theirs), `theirs` (drop mine) or "" (go on editing). Cancel has the focus."""

    BINDINGS: ClassVar = [
        Binding("escape", "cancel", "Go on editing", show=False),
        Binding("left,up", "app.focus_previous", "Button before", show=False),
        Binding("right,down", "app.focus_next", "Next button", show=False),
        Binding("pageup", "scroll_some(-5)", "Scroll up", show=False),
        Binding("pagedown", "scroll_some(5)", "Scroll down", show=False),
    ]

    DEFAULT_CSS = """
    ConflictScreen {
        align: center middle;
        #conflict {
            width: 90%;
            max-width: 96;
            height: auto;
            max-height: 95%;
            padding: 0 1;
            background: $surface;
            border: round $warning;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        #differences { height: auto; max-height: 60vh; margin: 1 0; scrollbar-size-vertical: 1; }
        #buttons { height: auto; align-horizontal: right; Button { margin-left: 2; } }
        &:ansi #conflict { background: ansi_default; }
    }
    """

    def __init__(
        self, title: str, version: int, keys: Sequence[str], mine: Mapping[str, str], theirs: Mapping[str, str]
    ) -> None:
        super().__init__()
        self._title = title
        self._version = version
        self._keys = keys
        self._mine = mine
        self._theirs = theirs

    def compose(self) -> ComposeResult:
        with Vertical(id="conflict") as box:
            box.border_title = Content(f"Changed elsewhere meanwhile: {shortened(inert(self._title), 40)}")
            box.border_subtitle = Content("← → choose   Enter press   Esc go on editing")
            yield Static(Content(f"It is at version {self._version} now. These fields differ:"))
            with VerticalScroll(id="differences", can_focus=False):
                for key in self._keys:
                    yield Static(self._difference(key))
            with Horizontal(id="buttons"):
                yield Button("Go on editing", id="cancel", compact=True)
                yield Button("Take theirs", id=THEIRS, compact=True)
                yield Button(Content("▲ Save mine over it"), "error", id=MINE, compact=True)

    def on_mount(self) -> None:
        self.query_one("#cancel", Button).focus()

    def _difference(self, key: str) -> Content:
        return Content.assemble(
            (f"{FIELDS[key].label}\n", "bold"),
            ("  mine    ", "$foreground-muted"),
            f"{_shown(self._mine[key])}\n",
            ("  theirs  ", "$foreground-muted"),
            _shown(self._theirs[key]),
        )

    @on(Button.Pressed)
    def _pressed(self, message: Button.Pressed) -> None:
        message.stop()
        self.dismiss(message.button.id if message.button.id in (MINE, THEIRS) else "")

    def action_cancel(self) -> None:
        self.dismiss("")

    def action_scroll_some(self, lines: int) -> None:
        self.query_one("#differences", VerticalScroll).scroll_relative(y=lines, animate=False)


def _shown(text: str) -> str:
    return shortened(inert(text[: 2 * _SHOWN].replace("\n", " ↓ ")), _SHOWN) if text else "(nothing)"
