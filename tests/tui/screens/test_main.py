"""The main screen: panes or tabs, moving between them, and what one pane tells another."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.fake import FakeControl
from tests.tui.pilots import NARROW, WIDE, play, until
from tests.tui.shells import control_with, job_named, opened, shell, shown
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.app import SchedulerApp
from tui_scheduler.tui.screens.execution import ExecutionScreen
from tui_scheduler.tui.screens.jump import JumpScreen
from tui_scheduler.tui.screens.main import MainScreen
from tui_scheduler.tui.widgets.jobs_pane import JobsPane
from tui_scheduler.tui.widgets.log_pane import LogPane

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])


def main_of(pilot: Pilot[Any]) -> MainScreen:
    app = pilot.app
    assert isinstance(app, SchedulerApp)
    return app.main


def on_show(main: MainScreen) -> list[str]:
    return [name for name in ("jobs", "editor", "log") if main.pane(name).display]


def is_in(main: MainScreen, name: str) -> bool:
    """Whether the focus is in a pane, which is then the current one."""
    return main.current == name and main.pane(name).has_focus_within


async def with_the_editor(pilot: Pilot[Any]) -> MainScreen:
    """A job is in the editor, so that its fields can have the focus."""
    main = main_of(pilot)
    await opened(pilot)
    await until(pilot, lambda: main._fields() or not main.editor.display)
    return main


@SIZES
@pytest.mark.parametrize(("key", "name"), [("1", "jobs"), ("2", "editor"), ("3", "log")])
def test_a_number_goes_to_a_pane(size: tuple[int, int], key: str, name: str) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("3" if name == "jobs" else "1")
        await pilot.press(key)
        await until(pilot, lambda: is_in(main, name))
        assert on_show(main) == ([name] if size is NARROW else ["jobs", "editor", "log"])

    play(app, scenario, size=size)


@SIZES
def test_tab_goes_round_the_panes_through_every_field(size: tuple[int, int]) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("tab")
        await until(pilot, lambda: is_in(main, "editor"))
        fields = len(main._fields())
        for _ in range(fields):
            await pilot.press("tab")
        await until(pilot, lambda: is_in(main, "log"))
        await pilot.press("tab")
        await until(pilot, lambda: is_in(main, "jobs"))

    play(app, scenario, size=size)


@SIZES
def test_shift_tab_goes_the_other_way(size: tuple[int, int]) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("shift+tab")
        await until(pilot, lambda: is_in(main, "log"))
        await pilot.press("shift+tab")
        await until(pilot, lambda: is_in(main, "editor"))

    play(app, scenario, size=size)


def test_zoom_gives_a_pane_the_screen_and_back() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("3")
        await until(pilot, lambda: is_in(main, "log"))
        for back in ("plus", "underscore", "escape"):
            await pilot.press("plus")
            await until(pilot, lambda: on_show(main) == ["log"])
            await until(pilot, lambda: "zoomed" in shown(pilot))
            assert is_in(main, "log")
            await pilot.press(back)
            await until(pilot, lambda: on_show(main) == ["jobs", "editor", "log"])
            assert is_in(main, "log")

    play(app, scenario)


def test_a_zoomed_screen_goes_from_pane_to_pane() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("plus", "3")
        await until(pilot, lambda: is_in(main, "log") and on_show(main) == ["log"])

    play(app, scenario)


def test_where_it_is_narrow_there_is_nothing_to_zoom() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("plus")
        await pilot.pause()
        assert not main.zoomed
        assert "zoom" not in shown(pilot)

    play(app, scenario, size=NARROW)


@SIZES
@pytest.mark.parametrize("key", ["f6", "ctrl+o"])
def test_a_letter_jumps_to_a_pane(size: tuple[int, int], key: str) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press("l")
        await until(pilot, lambda: is_in(main, "log"))

    play(app, scenario, size=size)


def test_a_letter_jumps_to_a_field() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press("s")  # the second field: a is the first
        await until(pilot, lambda: main.focused is main._fields()[1])

    play(app, scenario)


def test_any_other_key_stays() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        for key in ("escape", "f9"):
            await pilot.press("f6")
            await until(pilot, lambda: isinstance(app.screen, JumpScreen))
            await pilot.press(key)
            await until(pilot, lambda: app.screen is main)
            assert is_in(main, "jobs")

    play(app, scenario)


@SIZES
def test_escape_undoes_what_the_pane_can_and_then_goes_to_the_jobs(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, _ = shell()
    steps = [True, False]
    monkeypatch.setattr(LogPane, "back", lambda _self: steps.pop(0))

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("3")
        await until(pilot, lambda: is_in(main, "log"))
        await pilot.press("escape")
        await until(pilot, lambda: steps == [False])
        assert is_in(main, "log")
        await pilot.press("escape")
        await until(pilot, lambda: is_in(main, "jobs"))

    play(app, scenario, size=size)


def test_a_resize_loses_neither_focus_nor_what_was_typed() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(main.focused, Input))
        await pilot.press(*"typed")
        field = main.focused
        for size in (NARROW, WIDE, NARROW):
            await pilot.resize_terminal(*size)
            await until(pilot, lambda size=size: len(on_show(main)) == (1 if size is NARROW else 3))
            assert main.focused is field
            assert isinstance(field, Input)
            assert field.value == "typed"
            assert is_in(main, "editor")

    play(app, scenario)


def test_a_click_on_a_tab_shows_its_pane() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.click("TabStrip", offset=(22, 0))
        await until(pilot, lambda: is_in(main, "log"))

    play(app, scenario, size=NARROW)


def test_a_click_into_a_pane_makes_it_the_current_one() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.click("#log", offset=(10, 4))
        await until(pilot, lambda: is_in(main, "log"))

    play(app, scenario)


def test_a_draft_is_marked_on_its_tab() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await with_the_editor(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("x")
        await until(pilot, lambda: "2 Editor*" in shown(pilot))

    play(app, scenario, size=NARROW)


# --- from pane to pane


@SIZES
def test_a_job_is_edited_where_it_was_chosen(size: tuple[int, int]) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await until(pilot, lambda: "second" in shown(pilot))
        await pilot.press("j", "e")
        await until(pilot, lambda: is_in(main, "editor"))
        await until(pilot, lambda: "Editor · second" in shown(pilot))

    play(app, scenario, size=size)


@SIZES
def test_a_copy_of_a_job_has_a_name_of_its_own(size: tuple[int, int]) -> None:
    control = control_with("first")
    app, _ = shell(control)

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        main.post_message(JobsPane.CreateWanted(job_named(control, "first").id))
        await until(pilot, lambda: is_in(main, "editor") and "first copy" in shown(pilot))

    play(app, scenario, size=size)


def test_a_job_that_is_gone_meanwhile_is_a_toast() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        main.post_message(JobsPane.CreateWanted("no-such-job"))
        await until(pilot, lambda: "no job with id 'no-such-job'" in shown(pilot))

    play(app, scenario)


@SIZES
def test_the_log_of_a_job_is_shown_and_gone_to(size: tuple[int, int]) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await until(pilot, lambda: "second" in shown(pilot))
        await pilot.press("j", "l")
        await until(pilot, lambda: is_in(main, "log"))
        await until(pilot, lambda: "Log · second" in shown(pilot))

    play(app, scenario, size=size)


@SIZES
def test_an_execution_is_opened_over_everything(size: tuple[int, int]) -> None:
    control = FakeControl()
    control.happened(control.add(control_with("only").stored[1].spec), State.SUCCEEDED, ago=1_000_000)
    app, _ = shell(control)

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("3")
        await until(pilot, lambda: is_in(main, "log") and "succeeded" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ExecutionScreen))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is main and is_in(main, "log"))

    play(app, scenario, size=size)
