"""Every way out of the application."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from tests.tui.fake import NOW, FakeControl, FakeSession
from tests.tui.pilots import NARROW, WIDE, play, until
from tests.tui.shells import app_of, control_with, has_ended, job_named, opened, shell, shown
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.tui.app import ABANDONED, SchedulerApp
from tui_scheduler.tui.screens.confirm import ConfirmScreen
from tui_scheduler.tui.screens.stopping import StoppingScreen

SIZES = pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])


class SlowToStop(FakeSession):
    """Stops when it is told to."""

    def __init__(self, control: FakeControl) -> None:
        super().__init__(control)
        self.may_stop = threading.Event()

    def stop(self) -> None:
        assert self.may_stop.wait(20)
        super().stop()


@SIZES
@pytest.mark.parametrize("key", ["q", "ctrl+q"])
def test_quitting_stops_in_order_and_says_what_it_waits_for(size: tuple[int, int], key: str) -> None:
    session = SlowToStop(control_with("first"))
    app = SchedulerApp(lambda: session, now=session.control.now)

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        session.control.counts = replace(session.control.counts, in_flight=2)
        await pilot.press(key)
        text = "stopping: waiting for 2 requests under way; q again stops at once"
        await until(pilot, lambda: text in shown(pilot))
        assert not has_ended(pilot)
        session.may_stop.set()
        await until(pilot, lambda: has_ended(pilot))

    play(app, scenario, size=size)
    assert session.stopped
    assert (app.return_code, app.return_value) == (0, 0)


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
def test_quitting_again_does_not_wait(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.app._SURELY_S", 0)
    session = SlowToStop(control_with("first"))
    told: list[str] = []
    app = SchedulerApp(lambda: session, now=session.control.now, on_abandon=lambda: told.append("abandoned"))

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press(key)
        await until(pilot, lambda: isinstance(app.screen, StoppingScreen))
        await pilot.press(key)
        await until(pilot, lambda: has_ended(pilot))

    play(app, scenario)
    assert told == ["abandoned"]
    assert not session.stopped
    assert app.return_code == ABANDONED
    session.may_stop.set()


@pytest.mark.parametrize("key", ["q", "ctrl+q"])
def test_a_key_that_is_pressed_twice_gives_nothing_up(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui_scheduler.tui.app._SURELY_S", 1_000)
    session = SlowToStop(control_with("first"))
    app = SchedulerApp(lambda: session, now=session.control.now)

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press(key, key)
        await until(pilot, lambda: isinstance(app.screen, StoppingScreen))
        await pilot.press(key)
        assert not has_ended(pilot)
        session.may_stop.set()
        await until(pilot, lambda: has_ended(pilot))

    play(app, scenario)
    assert session.stopped
    assert app.return_code == 0


def test_a_signal_stops_it_without_a_question() -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await type_a_draft(pilot)
        app.stop_soon()
        app.stop_soon()
        await until(pilot, lambda: has_ended(pilot))

    play(app, scenario)
    assert session.stopped
    assert app.return_code == 0
    assert app.unsaved == "the new job"


def test_quitting_before_the_store_is_open_waits_for_it_and_closes_it() -> None:
    may_open = threading.Event()
    session = FakeSession(control_with("first"))

    def start() -> FakeSession:
        assert may_open.wait(20)
        return session

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("q")
        await until(pilot, lambda: "waiting for the store to be opened" in shown(pilot))
        may_open.set()
        await until(pilot, lambda: has_ended(pilot))

    app = SchedulerApp(start, now=session.control.now)
    play(app, scenario)
    assert session.stopped
    assert app.return_code == 0


def test_a_store_that_fails_to_open_while_it_quits_still_says_why() -> None:
    may_open = threading.Event()

    def start() -> FakeSession:
        assert may_open.wait(20)
        raise StoreUnavailable("the database is locked", transient=True)

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("q")
        await until(pilot, lambda: isinstance(pilot.app.screen, StoppingScreen))
        may_open.set()
        await until(pilot, lambda: has_ended(pilot))

    app = SchedulerApp(start, now=lambda: NOW)
    play(app, scenario)
    assert app.failure == "the database is locked"
    assert app.return_code == 1


async def type_a_draft(pilot: Pilot[Any]) -> None:
    """Something in the editor is not saved: the name of a new job."""
    app = app_of(pilot)
    await opened(pilot)
    await pilot.press("c")
    await until(pilot, lambda: isinstance(app.focused, Input))
    await pilot.press(*"draft")
    await until(pilot, lambda: app.main.editor.is_dirty)


@SIZES
def test_a_draft_is_asked_about_once_and_cancel_stays(size: tuple[int, int]) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await type_a_draft(pilot)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("ctrl+q")
        await pilot.pause()
        assert [isinstance(screen, ConfirmScreen) for screen in app.screen_stack].count(True) == 1
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is app.main)
        assert app.main.editor.is_dirty
        assert not session.stopped

    play(app, scenario, size=size)


def test_a_draft_can_be_discarded() -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await type_a_draft(pilot)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("right", "right", "enter")
        await until(pilot, lambda: has_ended(pilot))

    play(app, scenario)
    assert session.stopped
    assert "create_job" not in session.control.called


@SIZES
def test_a_draft_can_be_saved_on_the_way_out(size: tuple[int, int]) -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await opened(pilot)
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.focused, Input))
        await pilot.press("end", *" changed")
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await until(pilot, lambda: has_ended(pilot))

    play(app, scenario, size=size)
    assert session.stopped
    assert job_named(session.control, "first changed").version == 2
    assert app.return_code == 0


def test_a_draft_that_cannot_be_saved_stays() -> None:
    app, session = shell()

    async def scenario(pilot: Pilot[Any]) -> None:
        await type_a_draft(pilot)
        await pilot.press("ctrl+q")
        await until(pilot, lambda: isinstance(app.screen, ConfirmScreen))
        await pilot.press("right", "enter")
        await until(pilot, lambda: app.screen is app.main)
        await until(pilot, lambda: "× URL" in shown(pilot))
        assert app.main.editor.is_dirty
        assert not has_ended(pilot)

    play(app, scenario)
    assert not session.stopped
