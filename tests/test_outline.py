"""What is painted before Textual is there, held against what Textual paints over it."""

from __future__ import annotations

import asyncio
import threading
import tomllib
from typing import Any

import pyte
import pytest

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.outline import BACKGROUND, BAR, MUTED, PRIMARY, SURFACE, TEXT, outline
from tui_scheduler.tui.app import SchedulerApp
from tui_scheduler.tui.themes import DEFAULT, shipped_folder

SIZES = [(120, 36), (200, 61), (100, 30), (80, 24), (60, 20)]
LINES = "─━ "
"""What a title, a clock or a key may stand over."""


def shown(columns: int, rows: int, text: str) -> pyte.Screen:
    screen = pyte.Screen(columns, rows)
    pyte.Stream(screen).feed(text)
    return screen


def first_frame(columns: int, rows: int) -> list[str]:
    """What Textual has painted when the store is still being opened."""
    may_end = threading.Event()

    def start() -> Any:
        may_end.wait(60)
        raise StoreUnavailable("not opened", transient=False)

    app = SchedulerApp(start, now=lambda: 1_795_000_020_000_000)

    async def run() -> list[str]:
        async with app.run_test(size=(columns, rows)) as pilot:
            await pilot.pause()
            lines = ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]
            may_end.set()
            return lines

    return asyncio.run(run())


@pytest.mark.parametrize(("columns", "rows"), SIZES)
def test_nothing_moves_when_textual_paints_over_it(columns: int, rows: int) -> None:
    ours = shown(columns, rows, outline(columns, rows, coloured=True)).display
    theirs = first_frame(columns, rows)
    differences = [
        (row, column, mine, frame)
        for row, (line, painted) in enumerate(zip(ours, theirs, strict=True))
        for column, (mine, frame) in enumerate(zip(line, painted, strict=True))
        if mine != frame and mine not in LINES
    ]
    assert differences == []


def test_its_colours_are_those_of_the_default_theme() -> None:
    theme = tomllib.loads((shipped_folder() / f"{DEFAULT}.toml").read_text(encoding="utf-8"))
    assert (theme["foreground"], theme["background"], theme["primary"]) == (TEXT, BACKGROUND, PRIMARY)
    assert (theme["surface"], theme["panel"], theme["variables"]["text-muted"]) == (SURFACE, BAR, MUTED)


def test_without_colours_it_is_text_and_nothing_else() -> None:
    assert ";" not in outline(120, 36, coloured=False)
    screen = shown(120, 36, outline(120, 36, coloured=False))
    assert {cell.bg for row in screen.buffer.values() for cell in row.values()} == {"default"}


@pytest.mark.parametrize(("columns", "rows"), [(0, 0), (1, 1), (39, 50), (120, 5)])
def test_where_there_is_no_room_it_is_a_line(columns: int, rows: int) -> None:
    text = outline(columns, rows, coloured=True)
    assert len(text) <= columns
    assert "\x1b" not in text
