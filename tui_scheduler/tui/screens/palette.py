"""Find any action by typing a few of its letters, and run it."""

from __future__ import annotations

from typing import ClassVar, Final

from rich.cells import cell_len
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from tui_scheduler.tui.commands import Command, matching
from tui_scheduler.tui.fitting import shortened

_WIDTH: Final = 70


class PaletteScreen(ModalScreen[str]):
    """Answers with the name of the command that was chosen, or ""."""

    BINDINGS: ClassVar = [
        Binding("escape", "leave", "Close", show=False),
        Binding("down", "cursor_down", "Down", show=False),
        Binding("up", "cursor_up", "Up", show=False),
        Binding("pagedown", "page_down", "A page down", show=False),
        Binding("pageup", "page_up", "A page up", show=False),
    ]

    DEFAULT_CSS = """
    PaletteScreen {
        align: center top;

        #palette {
            width: 74;
            max-width: 100%;
            height: auto;
            max-height: 90%;
            margin-top: 1;
            background: $surface;
            border: round $primary;
            border-title-style: bold;
            border-subtitle-color: $text-muted;
        }
        Input {
            margin: 0 1;
        }
        OptionList {
            height: auto;
            max-height: 18;
            border: none;
            padding: 0 0 0 1;
            background: $surface;
        }
    }
    """

    def __init__(self, offered: list[Command]) -> None:
        super().__init__()
        self._offered = offered

    def compose(self) -> ComposeResult:
        with Vertical(id="palette") as box:
            box.border_title = "Run an action"
            box.border_subtitle = "↑ ↓ choose   Enter run   Esc close"
            yield Input(placeholder="type a few letters of it", compact=True)
            options = OptionList()
            options.can_focus = False
            yield options

    def on_mount(self) -> None:
        self._offer(self._offered)

    @on(Input.Changed)
    def _find(self, message: Input.Changed) -> None:
        self._offer(matching(message.value, self._offered))

    def _offer(self, shown: list[Command]) -> None:
        options = self.query_one(OptionList)
        options.clear_options()
        options.add_options([Option(_line(command, self._room), id=command.name) for command in shown])
        if not shown:
            options.add_option(Option(Content.styled("nothing has these letters", "$foreground-muted"), disabled=True))
        options.highlighted = 0 if shown else None

    @property
    def _room(self) -> int:
        return min(_WIDTH, self.app.size.width - 4)

    @on(Input.Submitted)
    def _run(self) -> None:
        option = self.query_one(OptionList).highlighted_option
        if option is not None:
            self.dismiss(option.id or "")

    @on(OptionList.OptionSelected)
    def _clicked(self, message: OptionList.OptionSelected) -> None:
        self.dismiss(message.option.id or "")

    def action_cursor_down(self) -> None:
        self.query_one(OptionList).action_cursor_down()

    def action_cursor_up(self) -> None:
        self.query_one(OptionList).action_cursor_up()

    def action_page_down(self) -> None:
        self.query_one(OptionList).action_page_down()  # type: ignore[no-untyped-call]

    def action_page_up(self) -> None:
        self.query_one(OptionList).action_page_up()  # type: ignore[no-untyped-call]

    def action_leave(self) -> None:
        self.dismiss("")


def _line(command: Command, room: int) -> Content:
    """What it does, where, and the key that does it without the palette, at the right."""
    aside = f"{command.where}  {command.keys:>8}"
    label = shortened(command.label, room - cell_len(aside) - 2)
    space = " " * max(room - cell_len(label) - cell_len(aside), 1)
    # Fainter than the label in its own colour, whatever that is on the line with the cursor.
    return Content("").join([Content(f"{label}{space}"), Content.styled(aside, "dim")])
