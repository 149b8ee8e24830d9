"""The application: how it begins, what it does on every screen, and every way out."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input
from textual.worker import WorkerFailed

from tests.tui.fake import NOW, FakeControl, FakeSession
from tests.tui.pilots import NARROW, WIDE, play, until
from tests.tui.shells import control_with, has_ended, job_named, opened, shell, shown, toasts
from tui_scheduler.control.views import AlertView
from tui_scheduler.domain.errors import Conflict, StoreUnavailable
from tui_scheduler.domain.job import JobState
from tui_scheduler.tui.actions import Place
from tui_scheduler.tui.app import SchedulerApp
from tui_scheduler.tui.screens.confirm import Choice, ConfirmScreen
from tui_scheduler.tui.screens.help import HelpScreen
from tui_scheduler.tui.screens.palette import PaletteScreen
from tui_scheduler.tui.screens.welcome import WelcomeScreen

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])


# --- beginning


@SIZES
def test_it_paints_before_the_store_is_open(size: tuple[int, int]) -> None:
    may_open = threading.Event()
    session = FakeSession(control_with("first"))

    def start() -> FakeSession:
        assert may_open.wait(20)
        return session

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "○ opening…" in shown(pilot))
        may_open.set()
        await until(pilot, lambda: "● live" in shown(pilot))

    play(SchedulerApp(start, now=session.control.now), scenario, size=size)


def test_a_store_that_cannot_be_opened_ends_it_with_the_reason() -> None:
    def start() -> FakeSession:
        raise StoreUnavailable("the database is of a newer version", transient=False)

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: has_ended(pilot))

    app = SchedulerApp(start, now=lambda: NOW)
    play(app, scenario)
    assert app.failure == "the database is of a newer version"
    assert (app.return_code, app.return_value) == (1, 1)


def test_a_bug_in_the_start_ends_it_with_code_1() -> None:
    def start() -> FakeSession:
        raise RuntimeError("a bug")

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: pilot.app.return_code == 1)

    app = SchedulerApp(start, now=lambda: NOW)
    with pytest.raises(WorkerFailed, match="a bug"):
        play(app, scenario)
    assert app.return_code == 1


def test_a_bug_in_a_worker_ends_it_with_code_1_and_leaves_the_session_to_be_stopped() -> None:
    app, session = shell()

    async def bug() -> None:
        raise RuntimeError("a bug")

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        app.run_worker(bug())
        await until(pilot, lambda: app.return_code == 1)

    with pytest.raises(WorkerFailed, match="a bug"):
        play(app, scenario)
    assert app.session is session
    assert not session.stopped


# --- the badge


@SIZES
def test_a_store_that_does_not_answer_is_badged_until_it_does(size: tuple[int, int]) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        session.control.fails = StoreUnavailable("the disk is full", transient=True)
        await until(pilot, lambda: "▲ STALE: the disk is full" in shown(pilot))
        session.control.fails = None
        await until(pilot, lambda: "● live" in shown(pilot))

    play(app, scenario, size=size)


@SIZES
def test_a_dead_engine_is_badged(size: tuple[int, int]) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        session.dead = "the disk is gone"
        await until(pilot, lambda: "× ENGINE DEAD: the disk is gone" in shown(pilot))

    play(app, scenario, size=size)


def test_what_health_complains_of_is_badged() -> None:
    app, session = shell()
    session.control.reasons = ("no node runs",)

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "▲ TROUBLE: no node runs" in shown(pilot))

    play(app, scenario)


@SIZES
def test_what_the_badge_has_no_room_for_is_told_in_full(size: tuple[int, int]) -> None:
    app, session = shell()
    reasons = ("no node runs", "the history cannot be pruned: " + "very " * 20 + "full", "the clock was set back")
    session.control.reasons = reasons

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: any(all(reason in toast for reason in reasons) for toast in toasts(pilot)))

    play(app, scenario, size=size)


# --- alerts


def alerts(number: int) -> list[AlertView]:
    return [AlertView(NOW, str(n), f"job [{n}]", NOW, "failed", 3, "status [b]500[/b]") for n in range(number)]


@SIZES
def test_alerts_come_up_as_they_are_written(size: tuple[int, int]) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        session.told = alerts(1)
        await until(pilot, lambda: "status [b]500[/b]" in shown(pilot))
        assert "job [0]" in shown(pilot)

    play(app, scenario, size=size)


@SIZES
def test_many_alerts_are_summed_up_and_all_fit(size: tuple[int, int]) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        session.told = alerts(15)
        await until(pilot, lambda: "and 13 more" in shown(pilot))
        assert all(f"job [{number}]" in shown(pilot) for number in range(2))

    play(app, scenario, size=size)


# --- undo


@SIZES
def test_undo_takes_back_the_latest_and_says_so(size: tuple[int, int]) -> None:
    app, _ = shell()
    undone: list[str] = []

    async def scenario(pilot: Pilot[Any]) -> None:
        async def back(what: str) -> None:
            undone.append(what)

        await opened(pilot)
        app.desk.did("paused 1 job", lambda: back("pause"))
        app.desk.did("deleted 3 jobs", lambda: back("delete"))
        await pilot.press("z")
        await until(pilot, lambda: "Undone: deleted 3 jobs" in shown(pilot))
        await pilot.press("z")
        await until(pilot, lambda: undone == ["delete", "pause"])

    play(app, scenario, size=size)


def test_nothing_to_undo_is_said() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "Nothing to undo" in shown(pilot))

    play(app, scenario)


def test_an_undo_that_fails_says_why_and_is_not_tried_again() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        async def back() -> None:
            raise Conflict("the job was purged")

        await opened(pilot)
        app.desk.did("deleted 1 job", back)
        await pilot.press("z")
        await until(pilot, lambda: "Could not undo: deleted 1 job. the job was purged" in toasts(pilot))
        assert app.desk.undo == []

    play(app, scenario)


def test_undo_shows_what_it_brought_back() -> None:
    app, session = shell()
    control = session.control

    async def scenario(pilot: Pilot[Any]) -> None:
        async def back() -> None:
            await app.desk.ask(lambda asked: asked.restore_job(gone.id))

        await opened(pilot)
        gone = job_named(control, "second")
        control.delete_job(gone.id)
        await app.main.jobs.refresh_now()
        await until(pilot, lambda: "second" not in shown(pilot))
        app.desk.did("deleted 1 job", back)
        await pilot.press("z")
        await until(pilot, lambda: "second" in shown(pilot))
        assert job_named(control, "second").state is JobState.ACTIVE

    play(app, scenario)


# --- help and palette


@SIZES
@pytest.mark.parametrize("key", ["question_mark", "f1"])
def test_help_begins_where_the_focus_is(size: tuple[int, int], key: str) -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("3")
        await until(pilot, lambda: app.main.place is Place.LOG)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        assert "Log  (here)" in shown(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.main)
        assert app.main.place is Place.LOG

    play(app, scenario, size=size)


@SIZES
@pytest.mark.parametrize("key", ["colon", "ctrl+p"])
def test_the_palette_runs_an_action_where_it_belongs(size: tuple[int, int], key: str) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("3", key)
        await until(pilot, lambda: isinstance(app.screen, PaletteScreen))
        await pilot.press(*"runnow", "enter")
        await until(pilot, lambda: app.main.place is Place.JOBS)
        await until(pilot, lambda: {"change_jobs run", "run_now"} & set(session.control.called))

    play(app, scenario, size=size)


def test_the_palette_shows_a_theme() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, PaletteScreen))
        await pilot.press(*"moss", "enter")
        await until(pilot, lambda: app.theme == "moss")

    play(app, scenario)


def test_leaving_the_palette_runs_nothing() -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("colon")
        await until(pilot, lambda: isinstance(app.screen, PaletteScreen))
        await pilot.press(*"delete", "escape")
        await until(pilot, lambda: app.screen is app.main)
        assert not any(called.startswith(("delete", "change")) for called in session.control.called)

    play(app, scenario)


def test_textuals_own_palette_is_off() -> None:
    assert not SchedulerApp.ENABLE_COMMAND_PALETTE


# --- keys


def test_keys_the_user_chose_work_and_are_shown() -> None:
    app, _ = shell(keymap={"app.show-help": "f9", "app.leave": "ctrl+x"})

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await until(pilot, lambda: "F9 help" in shown(pilot) and "Ctrl+X quit" in shown(pilot))
        await pilot.press("question_mark", "q")
        assert app.screen is app.main
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))

    play(app, scenario)


@pytest.mark.parametrize("where", ["filter", "palette"])
def test_keys_that_type_something_only_type_in_a_field(where: str) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press({"filter": "slash", "palette": "colon"}[where])
        await until(pilot, lambda: isinstance(app.focused, Input))
        before = app.screen
        await pilot.press("q", "z", "T", "D", "1", "2", "c", "p", "question_mark", "colon", "plus", "percent_sign", "x")
        assert isinstance(app.focused, Input)
        assert app.focused.value == "qzTD12cp?:+%x"
        assert app.screen is before
        assert not has_ended(pilot)
        assert not any(called.startswith(("delete", "change", "create")) for called in session.control.called)

    play(app, scenario)


def test_the_next_theme_is_shown_and_named() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        before = app.theme
        await pilot.press("T")
        await until(pilot, lambda: app.theme != before and f"Theme: {app.theme}" in shown(pilot))

    play(app, scenario)


def test_a_theme_that_is_not_there_is_a_toast() -> None:
    app, _ = shell(theme="no-such")

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "there is no theme 'no-such'" in shown(pilot))

    play(app, scenario)


def test_many_broken_themes_are_one_toast(tmp_path: Path) -> None:
    for number in range(7):
        (tmp_path / f"mine{number}.toml").write_text("name = ")
    app, _ = shell(theme_folders=[tmp_path])

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: any("and 4 more" in toast for toast in toasts(pilot)))
        assert len(toasts(pilot)) == 1

    play(app, scenario)


def test_a_broken_theme_of_ones_own_is_a_toast(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("name = ")
    app, _ = shell(theme_folders=[tmp_path])

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: any("not valid TOML" in toast for toast in toasts(pilot)))

    play(app, scenario)


def test_the_mouse_is_given_away_and_taken_back() -> None:
    app, _ = shell()
    written: list[str] = []

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        assert app._driver is not None
        app._driver.write = written.append  # type: ignore[assignment, method-assign]
        await pilot.press("percent_sign")
        await until(pilot, lambda: "% gives it back" in shown(pilot))
        assert written == ["\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l"]
        assert not app._driver._mouse
        await pilot.press("percent_sign")
        await until(pilot, lambda: "The mouse is ours again" in shown(pilot))
        assert written[1:] == ["\x1b[?1000h\x1b[?1003h\x1b[?1015h\x1b[?1006h"]
        assert app._driver._mouse

    play(app, scenario)


def test_ctrl_c_does_not_quit_and_says_what_does() -> None:
    app, _ = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "q quits" in shown(pilot))
        await pilot.press("slash")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("ctrl+c")
        await until(pilot, lambda: "Ctrl+Q quits" in shown(pilot))  # a q would be typed
        assert not has_ended(pilot)

    play(app, scenario)


# --- the first start


@SIZES
def test_a_store_without_jobs_is_welcomed(size: tuple[int, int]) -> None:
    app, _ = shell(FakeControl())

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(app.screen, WelcomeScreen))
        await pilot.press("c")
        await until(pilot, lambda: app.main.place is Place.EDITOR and isinstance(app.focused, Input))

    play(app, scenario, size=size)


def test_a_store_with_jobs_is_not() -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await until(pilot, lambda: "second" in shown(pilot))
        await pilot.pause()
        assert app.screen is app.main

    play(app, scenario)
    assert "list_jobs" in session.control.called


PRINTABLE = ("@", *(chr(code) for code in range(0x20, 0x7F) if chr(code) not in "q@"))
"""The at sign first: Textual looks for what an app has to say to it under the name `_key_at`."""


@pytest.mark.parametrize("at", ["jobs", "log", "editor", "welcome", "question"])
def test_no_printable_key_ends_the_program(at: str) -> None:
    app, _ = shell(FakeControl() if at == "welcome" else None)

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        if at == "welcome":
            await until(pilot, lambda: "Welcome" in shown(pilot))
        elif at == "question":
            app.push_screen(ConfirmScreen("Sure?", "Really?", Choice("Yes", "yes")))
        else:
            app.main.go(at)
        for key in PRINTABLE:
            await pilot.press(key)
            assert not has_ended(pilot), key

    play(app, scenario)


def test_a_store_without_jobs_does_not_interrupt_whoever_has_begun() -> None:
    control = FakeControl()
    gate = control.gate("list_jobs")
    app, _ = shell(control)

    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: app.desk.is_open)
        await pilot.press("c", *"thing")
        gate.open()
        await opened(pilot)
        await until(pilot, lambda: "thing" in shown(pilot))
        assert app.screen is app.main

    play(app, scenario)
