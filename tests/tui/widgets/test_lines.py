"""A list drawn line by line: cursor, scrolling, mouse, and what is drawn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from rich.segment import Segment
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.pilots import play, until
from tui_scheduler.tui.widgets.lines import LineView


class Numbers(LineView):
    """`count` lines, each with its number."""

    def __init__(self, count: int, wide: int = 0) -> None:
        super().__init__()
        self.count = count
        self.wide = wide
        self.drawn: list[int] = []

    @property
    def line_count(self) -> int:
        return self.count

    @property
    def line_width(self) -> int:
        return self.wide

    def draw_line(self, index: int, width: int) -> list[Segment]:
        self.drawn.append(index)
        return [Segment(f"line {index} ", self.look("state--bad")), Segment("x" * self.wide)]


class Stage(App[None]):
    CSS = "Numbers { height: 10; border: solid $primary; }"

    def __init__(self, view: Numbers) -> None:
        super().__init__()
        self.view = view
        self.moves: list[int] = []
        self.chosen: list[int] = []

    def compose(self) -> ComposeResult:
        yield self.view
        yield Input()

    def on_mount(self) -> None:
        self.view.lines_changed()
        self.view.focus()

    def on_line_view_cursor_moved(self, message: LineView.CursorMoved) -> None:
        self.moves.append(message.line)

    def on_line_view_chosen(self, message: LineView.Chosen) -> None:
        self.chosen.append(message.line)


Scenario = Callable[[Pilot[Any], Numbers], Awaitable[None]]


def stage(scenario: Scenario, *, count: int = 100, wide: int = 0) -> Stage:
    app = Stage(Numbers(count, wide))

    async def with_view(pilot: Pilot[Any]) -> None:
        await scenario(pilot, app.view)

    play(app, with_view, size=(60, 20))
    return app


def texts(view: Numbers) -> list[str]:
    """The lines as they are on the screen, without the frame."""
    view.refresh()
    return [strip.text[1:-1].rstrip() for strip in view.render_lines(view.outer_size.region)[1:-1]]


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        (["j"], 1),
        (["down", "down", "k"], 1),
        (["j", "up"], 0),
        (["k"], 0),
        (["G"], 99),
        (["end", "j"], 99),
        (["G", "g"], 0),
        (["end", "home"], 0),
        (["pagedown"], 7),
        (["pagedown", "pagedown", "pageup"], 7),
    ],
)
def test_keys_move_the_cursor_and_the_screen_follows(keys: list[str], line: int) -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot.press(*keys)
        assert view.cursor == line
        assert line in view.visible_lines
        assert any(text.startswith(f"line {line}") for text in texts(view))

    stage(scenario)


def test_each_move_is_told_once() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot.press("j", "k", "k", "G")

    assert stage(scenario).moves == [1, 0, 99]


def test_only_lines_on_the_screen_are_drawn() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        view.drawn.clear()
        await pilot.press("G")
        await pilot.pause()
        assert min(view.drawn) >= 100_000 - 8

    stage(scenario, count=100_000)


def test_a_line_further_down_draws_two_lines_and_not_the_screen() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot.pause()
        view.drawn.clear()
        await pilot.press("j")
        await pilot.pause()
        assert set(view.drawn) == {0, 1}

    stage(scenario)


def test_an_empty_list_takes_every_key() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot.press("j", "k", "G", "g", "pagedown", "pageup", "left", "right")
        assert len(view.visible_lines) == 0
        assert set(texts(view)) == {""}

    assert stage(scenario, count=0).moves == []


def test_a_list_that_shrinks_keeps_the_cursor_inside() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot.press("G")
        view.count = 5
        view.lines_changed()
        await pilot.pause()
        assert view.cursor == 4
        assert list(view.visible_lines) == [0, 1, 2, 3, 4]

    stage(scenario)


def test_following_moves_the_cursor_without_a_message_and_shows_it() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        view.follow(50)
        assert view.cursor == 50
        assert 50 in view.visible_lines

    assert stage(scenario).moves == []


def test_following_leaves_whoever_scrolled_away_where_they_are() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        view.scroll_to(y=40, animate=False)
        view.follow(3)
        assert view.cursor == 3
        assert view.visible_lines.start == 40

    stage(scenario)


def test_a_click_moves_the_cursor_and_two_choose() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot.click(view, offset=(5, 4))
        assert view.cursor == 3
        await pilot.double_click(view, offset=(5, 6))
        await pilot.pause()

    app = stage(scenario)
    assert app.moves == [3, 5]
    assert app.chosen == [5]


def test_a_click_below_the_last_line_does_nothing() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot.click(view, offset=(5, 6))

    assert stage(scenario, count=2).moves == []


def test_the_wheel_scrolls_and_leaves_the_cursor() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        await pilot._post_mouse_events([events.MouseScrollDown], view, offset=(5, 5))
        await until(pilot, lambda: view.visible_lines.start > 0)
        assert view.cursor == 0

    stage(scenario)


def test_a_wide_list_scrolls_sideways() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        assert texts(view)[0].startswith("line 0 xx")
        await pilot.press("right")
        await pilot.pause()
        assert texts(view)[0].startswith("xxx")
        await pilot.press("left", "left")
        await pilot.pause()
        assert texts(view)[0].startswith("line 0 xx")

    stage(scenario, wide=200)


def test_the_cursor_stays_on_a_screen_that_gets_lower() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        view.cursor = 7
        view.styles.height = 6
        await until(pilot, lambda: view.page == 4)
        await until(pilot, lambda: 7 in view.visible_lines)

    stage(scenario)


def test_the_cursor_is_told_from_other_lines_with_and_without_the_focus() -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        def style(y: int) -> object:
            view.refresh()
            return list(view.render_lines(view.outer_size.region)[y])[1].style

        focused, other = style(1), style(2)
        assert focused != other
        pilot.app.query_one(Input).focus()
        await until(pilot, lambda: not view.has_focus)
        assert style(1) not in {focused, other}

    stage(scenario)


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark"])
def test_states_look_different_in_every_theme(theme: str) -> None:
    async def scenario(pilot: Pilot[Any], view: Numbers) -> None:
        pilot.app.theme = theme
        await pilot.pause()
        assert len({view.look(name) for name in ("state--good", "state--bad", "state--warning")}) == 3

    stage(scenario)
