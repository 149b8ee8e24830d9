"""The dialog that asks first: no way through it by accident."""

from __future__ import annotations

from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.pilot import Pilot
from textual.widgets import Button, Static

from tests.tui.pilots import NARROW, WIDE, play, until
from tui_scheduler.tui.screens.confirm import Choice, ConfirmScreen

DELETE = Choice("Delete 3 jobs", "delete", danger=True)
KEEP = Choice("Pause instead", "pause")
HOSTILE = "[bold red]name[/] \x1b[31m\n漢字の仕事 " + "w" * 200


class Asker(App[None]):
    """Asks when D is pressed, and keeps the answers."""

    BINDINGS = [Binding("D", "ask"), Binding("q", "quit")]  # noqa: RUF012 - Textual's own declaration

    def __init__(self, title: str = "Delete 3 jobs?", text: str = "They stop firing.", *choices: Choice) -> None:
        super().__init__()
        self.question = (title, text, *(choices or (KEEP, DELETE)))
        self.answers: list[str | None] = []

    def action_ask(self) -> None:
        title, text, *choices = self.question
        self.push_screen(
            ConfirmScreen(str(title), str(text), *[c for c in choices if isinstance(c, Choice)]), self.hear
        )

    def hear(self, answer: str | None) -> None:
        self.answers.append(answer)


def press(*keys: str) -> list[str | None]:
    """The answers after some keys in the open dialog."""
    app = Asker()

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press(*keys)
        await pilot.pause()

    play(app, scenario)
    return app.answers


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["enter"], ""),
        (["space"], ""),
        (["escape"], ""),
        (["right", "enter"], "pause"),
        (["tab", "enter"], "pause"),
        (["right", "right", "enter"], "delete"),
        (["down", "down", "space"], "delete"),
        (["left", "enter"], "delete"),
        (["right", "left", "enter"], ""),
        (["right", "shift+tab", "enter"], ""),
        (["right", "up", "enter"], ""),
        (["right", "right", "right", "enter"], ""),
    ],
)
def test_cancel_has_the_focus_and_the_arrows_lead_to_the_rest(keys: list[str], answer: str) -> None:
    assert press(*keys) == [answer]


@pytest.mark.parametrize("key", ["D", "d", "y", "q", "f1", "n", "2"])
def test_the_key_that_opened_it_does_nothing_and_nor_does_any_other(key: str) -> None:
    assert press(key) == []


def test_the_key_that_opened_it_held_down_opens_one_dialog() -> None:
    assert press("D", "D", "D", "escape") == [""]


def test_a_click_presses_a_button() -> None:
    app = Asker()

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("D")
        await pilot.click("#choice-1")
        await until(pilot, lambda: app.answers)

    play(app, scenario, size=NARROW)
    assert app.answers == ["delete"]


def test_danger_is_a_sign_and_not_colour_alone() -> None:
    assert [DELETE.text, KEEP.text] == ["▲ Delete 3 jobs", "Pause instead"]


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_text_from_elsewhere_is_shown_as_it_is_and_breaks_nothing(size: tuple[int, int]) -> None:
    app = Asker("[b]" + "n" * 100, HOSTILE * 20, Choice("[red]go[/] 漢字", "go"))

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        dialog = app.screen.query_one("#dialog")
        assert "\x1b" not in str(app.screen.query_one("#text Static", Static).content)
        assert str(app.screen.query_one("#choice-0", Button).label) == "[red]go[/] 漢字"
        assert app.screen.region.contains_region(dialog.region)
        for button in app.screen.query(Button):
            assert dialog.region.contains_region(button.region)
        text = app.screen.query_one("#text")
        await pilot.press("pagedown")
        assert text.scroll_offset.y > 0
        await pilot.press("pageup")
        assert text.scroll_offset.y == 0

    play(app, scenario, size=size)


def test_a_title_too_long_for_the_border_is_not_cut_off() -> None:
    app = Asker("Delete " + "n" * 80 + "?", "It stops firing.")

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        said = str(app.screen.query_one("#text Static", Static).content)
        assert said == "Delete " + "n" * 80 + "?\n\nIt stops firing."
        assert app.screen.query_one("#dialog").border_title == "Sure?"

    play(app, scenario)


def test_choices_too_wide_for_a_row_stand_below_each_other() -> None:
    app = Asker("Which?", "One of these.", *[Choice(f"Take the one with a long name, {n}", str(n)) for n in range(6)])

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("D")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        buttons = list(app.screen.query(Button))
        assert len({button.region.y for button in buttons}) == 7
        dialog = app.screen.query_one("#dialog").region
        assert all(dialog.contains_region(button.region) for button in buttons)
        await pilot.press("down", "down", "enter")

    play(app, scenario, size=NARROW)
    assert app.answers == ["1"]
