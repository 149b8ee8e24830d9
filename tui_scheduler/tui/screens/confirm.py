"""Ask before something that is hard to take back; Cancel has the focus."""

from __future__ import annotations

from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Static


@dataclass(frozen=True, slots=True)
class Choice:
    """A button: what it says and what choosing it answers. `danger` colours it."""

    label: str
    answer: str
    danger: bool = False


class ConfirmScreen(ModalScreen[str]):
    """`answer = await app.push_screen_wait(ConfirmScreen(title, text, Choice(...)))`: "" when it was cancelled."""

    def __init__(self, title: str, text: str, *choices: Choice) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical():
            yield Static(self._title, markup=False)
            yield Static(self._text, markup=False)
            with Horizontal():
                yield Button("Cancel")
                for choice in self._choices:
                    yield Button(choice.label)
