"""Copying: both ways are tried, and the toast says which."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.app import App
from textual.binding import Binding
from textual.pilot import Pilot

from tests.tui.pilots import play, until
from tui_scheduler.tui import clipboard
from tui_scheduler.tui.clipboard import copy_locally, copy_text, has_local_clipboard


@pytest.mark.parametrize(
    ("environment", "platform", "there"),
    [
        ({"DISPLAY": ":0"}, "linux", True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True),
        ({"WSL_DISTRO_NAME": "Some"}, "linux", True),
        ({}, "darwin", True),
        ({}, "linux", False),
        ({"DISPLAY": ""}, "linux", False),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}, "linux", False),
        ({"SSH_TTY": "/dev/pts/1"}, "darwin", False),
    ],
)
def test_a_clipboard_is_local_when_a_display_is_and_nobody_came_over_ssh(
    environment: dict[str, str], platform: str, there: bool
) -> None:
    assert has_local_clipboard(environment, platform) is there


def copier(code: str) -> tuple[str, ...]:
    return (sys.executable, "-X", "utf8", "-c", code)


def test_the_text_reaches_the_copier_as_it_is(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    code = f"import sys; open({str(kept)!r}, 'wb').write(sys.stdin.buffer.read())"
    assert asyncio.run(copy_locally("漢字\n\x00end", copier(code)))
    assert kept.read_bytes() == "漢字\n\x00end".encode()


@pytest.mark.parametrize(
    "command",
    [copier("raise SystemExit(1)"), copier("import os; os.close(0); raise SystemExit(1)"), ("/no/such/program",)],
    ids=["fails", "reads nothing", "is not there"],
)
def test_a_copier_that_does_not_copy_is_no_trouble(command: tuple[str, ...]) -> None:
    assert not asyncio.run(copy_locally("x" * 1_000_000, command))


def test_a_copier_that_hangs_is_ended() -> None:
    hangs = copier("import signal; signal.pause()")
    assert not asyncio.run(copy_locally("x", hangs, patience=0.2))


class Copier(App[None]):
    BINDINGS = [Binding("percent_sign", "toggle_mouse", id="app.toggle-mouse")]  # noqa: RUF012 - Textual's own declaration

    def action_toggle_mouse(self) -> None:
        """Named in the advice."""


def toast(text: str, what: str) -> tuple[str, str]:
    """What the terminal was given, and what the toast says."""
    app = Copier()
    said: list[str] = []

    async def scenario(pilot: Pilot[Any]) -> None:
        copy_text(app, text, what)
        await until(pilot, lambda: app._notifications)
        said.extend(each.message for each in app._notifications)

    play(app, scenario)
    return app.clipboard, said[0]


@pytest.fixture
def _display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY", "TMUX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DISPLAY", ":0")


@pytest.mark.usefixtures("_display")
def test_with_a_local_clipboard_it_goes_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clipboard.copy_locally, "__defaults__", (copier("import sys; sys.stdin.read()"), 10.0))
    assert toast("a\nb\nc", "3 lines") == ("a\nb\nc", "copied 3 lines: terminal and clipboard")


@pytest.mark.usefixtures("_display")
@pytest.mark.parametrize(
    ("tmux", "advice"), [("", "Press %, then select with the mouse"), ("/tmp/tmux", "set -g set-clipboard on")]
)
def test_without_one_it_says_what_to_do_if_nothing_arrived(
    tmux: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clipboard.copy_locally, "__defaults__", (copier("raise SystemExit(1)"), 10.0))
    monkeypatch.setenv("TMUX", tmux)
    copied, said = toast("x", "the line")
    assert copied == "x"
    assert said.startswith("copied the line: terminal\n")
    assert advice in said


def test_what_no_terminal_can_be_given_is_copied_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSH_TTY", "/dev/pts/1")
    copied, said = toast("a\udc80b", "[b]a\x1b line")
    assert copied == "a?b"
    assert said.startswith("copied [b]a␛ line: terminal")
