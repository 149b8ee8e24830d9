"""The main screen: panes or tabs, moving between them, and what one pane tells another."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any

import pytest
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Input

from tests.tui.fake import FakeControl
from tests.tui.pilots import NARROW, WIDE, play, until
from tests.tui.shells import control_with, job_named, opened, shell, shown
from tui_scheduler.control.views import JobView
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.app import SchedulerApp
from tui_scheduler.tui.editor.form import Form
from tui_scheduler.tui.editor.line_entry import LineEntry
from tui_scheduler.tui.editor.pick_entry import PickEntry
from tui_scheduler.tui.screens.confirm import ConfirmScreen
from tui_scheduler.tui.screens.execution import ExecutionScreen
from tui_scheduler.tui.screens.help import HelpScreen
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


def has_panes(main: MainScreen, number: int) -> bool:
    return len(on_show(main)) == number


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


async def focused_next(pilot: Pilot[Any], main: MainScreen) -> object:
    """Press Tab; what has the focus then."""
    before = main.focused
    await pilot.press("tab")
    await until(pilot, lambda: main.focused is not before)
    return main.focused


@SIZES
def test_tab_goes_round_the_panes_through_every_field(size: tuple[int, int]) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("tab")
        await until(pilot, lambda: main.focused is main.editor)
        await until(pilot, lambda: len(main._fields()) > 1)
        visited: list[object] = []
        fields: list[Widget] = []
        while not is_in(main, "log"):
            fields = main._fields()
            visited.append(await focused_next(pilot, main))
        assert visited[:-1] == fields  # more of them than at the beginning: groups are mounted one by one
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
        await until(pilot, lambda: all(main._region_on_show(field) for field in main._fields()[:2]))
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
            await until(pilot, partial(has_panes, main, 1 if size is NARROW else 3))
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


def test_database_and_nodes_stand_beside_the_tabs() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await until(pilot, lambda: "1 node · ~/jobs.db · in flight 0" in shown(pilot).splitlines()[1])
        main.header.where = "postgresql://somewhere.example/" + "long" * 20
        await until(pilot, lambda: shown(pilot).splitlines()[1].rstrip().endswith(f"1 node · …ong{'long' * 9}"))

    play(app, scenario, size=NARROW)


def test_a_draft_is_marked_on_its_tab() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await with_the_editor(pilot)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("x")
        await until(pilot, lambda: "2 Editor*" in shown(pilot))

    play(app, scenario, size=NARROW)


# --- the editor among the panes


@SIZES
def test_the_editor_is_read_with_single_keys_until_its_fields_are_entered(size: tuple[int, int]) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("2")
        await until(pilot, lambda: main.focused is main.editor and "e edit" in shown(pilot).replace("Enter", "e"))
        await pilot.press("1", "2", "3", "2")
        await until(pilot, lambda: main.focused is main.editor)
        assert not main.editor.is_dirty
        await pilot.press("e", *"new ")
        await until(pilot, lambda: isinstance(main.focused, Input) and "new " in main.focused.value)
        await pilot.press("f6")
        await until(pilot, lambda: isinstance(app.screen, JumpScreen))
        await pilot.press("j")
        await until(pilot, lambda: is_in(main, "jobs"))
        await pilot.press("2")  # a draft is gone back to where it was left
        await until(pilot, lambda: isinstance(main.focused, Input))

    play(app, scenario, size=size)


@SIZES
def test_the_editor_scrolls_without_being_entered(size: tuple[int, int]) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("2")
        await until(pilot, main._fields)
        form = main.editor.query_one(Form)
        for down, up in (("j", "k"), ("down", "up"), ("pagedown", "pageup")):
            await pilot.press(down)
            await until(pilot, lambda: form.scroll_offset.y > 0)
            await pilot.press(up)
            await until(pilot, lambda: form.scroll_offset.y == 0)
        assert main.focused is main.editor

    play(app, scenario, size=size)


def test_an_editor_without_a_job_has_the_focus_too_and_creates_one() -> None:
    app, _ = shell(control_with("only"))

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await pilot.press("slash", *"nothing", "enter", "2")
        await until(pilot, lambda: main.focused is main.editor and "No job to show" in shown(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "no job is open" in shown(pilot))
        await pilot.press(*"cnew")
        await until(pilot, lambda: isinstance(main.focused, Input) and main.focused.value == "new")

    play(app, scenario, size=NARROW)


@SIZES
@pytest.mark.parametrize("way", ["c", "e", "enter", "d", "2e"])
def test_what_is_typed_right_behind_the_key_goes_into_the_field(size: tuple[int, int], way: str) -> None:
    control = control_with("first", "second")
    app, _ = shell(control)
    typed = "prxD qz1?"

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await until(pilot, lambda: "second" in shown(pilot) and "first" in str(main.editor.border_title))
        before = list(control.called)
        at_once(pilot, *([way] if way == "enter" else way), "end", *typed, "tab")
        await until(pilot, lambda: isinstance(main.focused, PickEntry))
        assert main.editor.query_one(LineEntry).value.endswith(typed)
        assert app.screen is main
        assert set(control.called) - set(before) <= {
            "job",
            "check",
            "metrics",
            "health",
            "log",
            "list_jobs",
            "job_rows",
        }

    play(app, scenario, size=size)


@SIZES
def test_a_field_that_does_not_come_keeps_nobody_waiting(size: tuple[int, int]) -> None:
    control = control_with("first", "second")
    may_answer = threading.Event()
    app, _ = shell(control)

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await until(pilot, lambda: "second" in shown(pilot))
        answer = control.job

        def slow(job_id: str) -> JobView:
            assert may_answer.wait(20)
            return answer(job_id)

        control.job = slow  # type: ignore[method-assign]
        at_once(pilot, "d", *"pDx")
        await until(pilot, lambda: main.focused is main.editor)
        await pilot.press("escape")
        await until(pilot, lambda: is_in(main, "jobs"))
        may_answer.set()
        await pilot.press("3")
        await until(pilot, lambda: is_in(main, "log"))
        assert not main.editor.is_dirty
        assert not {"change_jobs", "run_now", "pause"} & set(control.called)

    play(app, scenario, size=size)


def test_a_job_that_is_gone_gives_the_focus_back_to_the_jobs() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        main.post_message(JobsPane.EditWanted("no-such-job"))
        await until(pilot, lambda: "no job with id 'no-such-job'" in shown(pilot) and is_in(main, "jobs"))

    play(app, scenario)


def test_text_right_behind_tab_goes_into_the_next_field() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        at_once(pilot, "c", *"name", "tab", "tab", *"http://127.0.0.1:1/", "tab", *"A: b", "tab", *"body")
        await until(pilot, lambda: main.editor._texts()["body"] == "body")
        texts = main.editor._texts()
        assert [texts[key] for key in ("name", "api", "headers")] == ["name", "http://127.0.0.1:1/", "A: b"]

    play(app, scenario)


@SIZES
def test_keys_behind_the_log_of_a_job_are_for_the_log(size: tuple[int, int]) -> None:
    control = control_with("first", "second")
    app, _ = shell(control)

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        await until(pilot, lambda: "second" in shown(pilot))
        at_once(pilot, "l", "p")
        await until(pilot, lambda: main.log_pane._view.model.held)
        assert "change_jobs" not in control.called

    play(app, scenario, size=size)


def test_keys_behind_a_question_do_not_answer_it_for_a_field() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        main = await with_the_editor(pilot)
        at_once(pilot, "c", *"draft")
        await until(pilot, lambda: main.editor.is_dirty)
        main.set_focus(main.jobs._table)
        await until(pilot, lambda: is_in(main, "jobs"))
        at_once(pilot, "e", "right", "right", "enter")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is main and isinstance(main.focused, Input))
        assert main.editor.is_dirty

    play(app, scenario)


def at_once(pilot: Pilot[Any], *keys: str) -> None:
    """All these keys without a pause between them: as a terminal sends what was typed while it was busy."""
    for key in keys:
        is_typed = len(key) == 1
        pilot.app.post_message(Key(_character_to_key(key) if is_typed else key, key if is_typed else None))


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
        for back in ("escape", "enter", "q"):
            await until(pilot, lambda: isinstance(app.screen, ExecutionScreen))
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "Execution  (here)" in shown(pilot))
            await pilot.press("q")
            await until(pilot, lambda: isinstance(app.screen, ExecutionScreen))
            await pilot.press(back)
            await until(pilot, lambda: app.screen is main and is_in(main, "log"))
            if back != "q":
                await pilot.press("enter")

    play(app, scenario, size=size)
