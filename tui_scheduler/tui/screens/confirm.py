"""Ask before something that is hard to take back; Cancel has the focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Container, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Button, Static
from textual.widgets.button import ButtonVariant

from tui_scheduler.tui.formatting import inert

_ROOM: Final = 60
"""Cells for the buttons beside each other, and for the title; what is longer stands below each other."""

_AROUND: Final = 6
"""Cells of a button around its label, with the gap to the next."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: what it says and what choosing it answers. `danger` colours it and marks it with a sign."""

    label: str
    answer: str
    danger: bool = False

    @property
    def text(self) -> str:
        return f"{'▲ ' * self.danger}{inert(self.label)}"


class ConfirmScreen(ModalScreen[str]):
    """`answer = await app.push_screen_wait(ConfirmScreen(title, text, Choice(...)))`: "" when it was cancelled.

    Only the arrows, Tab, Enter, Space, Esc and a click do anything here: not the key that opened it.
    """

    BINDINGS: ClassVar = [
        Binding("escape", "cancel", "Cancel", show=False),
        Binding("left,up", "app.focus_previous", "Button before", show=False),
        Binding("right,down", "app.focus_next", "Next button", show=False),
        Binding("space", "press", "Press the button", show=False),
        Binding("pageup", "scroll_text(-1)", "Scroll up", show=False),
        Binding("pagedown", "scroll_text(1)", "Scroll down", show=False),
    ]

    DEFAULT_CSS = """
    ConfirmScreen {
        align: center middle;

        #dialog {
            width: 70;
            max-width: 100%;
            height: auto;
            max-height: 100%;
            padding: 1 2 0 2;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        #dialog.-danger {
            border: round $error;
        }
        #text {
            height: auto;
            max-height: 60vh;
            margin-bottom: 1;
        }
        #buttons {
            layout: horizontal;
            width: 100%;
            height: auto;
            align-horizontal: right;
        }
        #buttons Button {
            margin-left: 2;
        }
        #buttons.-stacked {
            layout: vertical;
            max-height: 50vh;
            overflow-y: auto;
        }
        #buttons.-stacked Button {
            width: 100%;
            margin-left: 0;
        }
        &:ansi #dialog {
            background: ansi_default;
        }
    }
    """

    def __init__(self, title: str, text: str, *choices: Choice) -> None:
        super().__init__()
        title = inert(title)
        fits = Content(title).cell_length <= _ROOM
        self._title = title if fits else "Sure?"
        self._text = inert(text, lines=True) if fits else f"{title}\n\n{inert(text, lines=True)}"
        self._choices = choices

    def compose(self) -> ComposeResult:
        danger = any(choice.danger for choice in self._choices)
        labels = [choice.text for choice in self._choices]
        stacked = sum(max(Content(label).cell_length, 10) + _AROUND for label in ("Cancel", *labels)) > _ROOM + _AROUND
        with Vertical(id="dialog", classes="-danger" if danger else "") as dialog:
            dialog.border_title = Content(self._title)
            dialog.border_subtitle = "← → choose   Enter press   Esc cancel"
            with VerticalScroll(id="text", can_focus=False):
                yield Static(self._text, markup=False)
            with Container(id="buttons", classes="-stacked" if stacked else ""):
                yield Button("Cancel", id="cancel", compact=stacked)
                for number, choice in enumerate(self._choices):
                    variant: ButtonVariant = "error" if choice.danger else "primary"
                    yield Button(Content(choice.text), variant, id=f"choice-{number}", compact=stacked)

    def on_mount(self) -> None:
        self.query_one("#cancel", Button).focus()

    @on(Button.Pressed)
    def _answer(self, message: Button.Pressed) -> None:
        message.stop()
        name = message.button.id or ""
        chosen = name.removeprefix("choice-")
        self.dismiss(self._choices[int(chosen)].answer if chosen != name else "")

    def action_cancel(self) -> None:
        self.dismiss("")

    def action_press(self) -> None:
        if isinstance(self.focused, Button):
            self.focused.press()

    def action_scroll_text(self, pages: int) -> None:
        text = self.query_one("#text", VerticalScroll)
        text.scroll_relative(y=pages * max(text.size.height - 1, 1), animate=False)
