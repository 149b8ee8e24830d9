"""Letters over what can have the focus: one key goes there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final, NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.geometry import Offset
from textual.screen import ModalScreen
from textual.widgets import Static

LETTERS: Final = "asdfghjklqwertyuiopzxcvbnm"


class Target(NamedTuple):
    """A place to jump to: where on the screen its letter goes, and the letter it would like."""

    name: str
    at: Offset
    wish: str = ""


def lettered(targets: Sequence[Target]) -> dict[str, Target]:
    """A letter for each target, as long as there are letters; wishes come first."""
    given = {target.wish: target for target in targets if target.wish}
    left = iter([letter for letter in LETTERS if letter not in given])
    for target in targets:
        if not target.wish and (letter := next(left, None)) is not None:
            given[letter] = target
    return given


class JumpScreen(ModalScreen[str]):
    """Answers with the name of the target whose letter was pressed; any other key leaves, with ""."""

    BINDINGS: ClassVar = [Binding("escape", "leave", "Stay", show=False)]
    AUTO_FOCUS = ""

    DEFAULT_CSS = """
    JumpScreen {
        background: transparent;

        Static {
            position: absolute;
            width: 3;
            height: 1;
            background: $accent;
            color: $background;
            text-style: bold reverse;
            content-align: center middle;
        }
    }
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        super().__init__()
        self._targets = lettered(targets)

    def compose(self) -> ComposeResult:
        for letter, target in self._targets.items():
            label = Static(letter.upper(), markup=False)
            label.styles.offset = (target.at.x, target.at.y)
            yield label

    def on_key(self, event: events.Key) -> None:
        event.stop()
        target = self._targets.get(event.key.lower())
        self.dismiss("" if target is None else target.name)

    def on_click(self) -> None:
        self.dismiss("")

    def action_leave(self) -> None:
        self.dismiss("")
