"""What toasts say does nothing but say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot

import tui_scheduler.tui
from tests.tui.pilots import play
from tui_scheduler.tui.telling import tell


def test_text_from_elsewhere_is_harmless_and_no_markup() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        tell(pilot.app, "[red]first[/]\x1b[2J\nsecond", title="a\x07b", severity="error")
        await pilot.pause()
        (toast,) = pilot.app._notifications
        assert toast.message == "[red]first[/]␛[2J␊second"
        assert toast.title == "a␇b"
        assert not toast.markup
        assert toast.severity == "error"

    play(App[None](), scenario)


def test_line_breaks_stay_where_they_are_meant() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        tell(pilot.app, "first\nsecond\r", lines=True)
        await pilot.pause()
        assert [toast.message for toast in pilot.app._notifications] == ["first\nsecond␍"]

    play(App[None](), scenario)


@pytest.mark.parametrize("path", sorted(Path(tui_scheduler.tui.__path__[0]).rglob("*.py")), ids=lambda path: path.name)
def test_nobody_says_anything_another_way(path: Path) -> None:
    assert path.name == "telling.py" or ".notify(" not in path.read_text()
