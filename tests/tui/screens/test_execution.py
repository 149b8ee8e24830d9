"""The execution screen: what it shows of every state, and its keys."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.content import Content
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.fake import SECOND, FakeControl
from tests.tui.log_app import job
from tests.tui.pilots import NARROW, WIDE, play, until
from tests.tui.shells import control_with, job_named, shell, shown, toasts
from tests.tui.shells import opened as shell_opened
from tests.tui.test_execution_text import an_attempt
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import JobState
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.screens.execution import ExecutionScreen, Reading
from tui_scheduler.tui.screens.help import HelpScreen
from tui_scheduler.tui.screens.palette import PaletteScreen


class ExecutionApp(App[None]):
    """The screen over an empty one."""

    ENABLE_COMMAND_PALETTE = False

    def __init__(self, control: FakeControl, execution_id: str = "") -> None:
        super().__init__()
        self.control = control
        self.desk = Desk(control.now, zone=UTC)
        self.execution_id = execution_id or next(reversed(control.history))

    def compose(self) -> ComposeResult:
        yield Static("below")

    def on_mount(self) -> None:
        self.desk.open(self.control)
        self.push_screen(ExecutionScreen(self.desk, self.execution_id))

    @property
    def is_open(self) -> bool:
        return isinstance(self.screen, ExecutionScreen)

    @property
    def text(self) -> str:
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())

    @property
    def keys_shown(self) -> str:
        return Content.from_markup(self.screen.query_one("#execution").border_subtitle or "").plain

    @property
    def toasts(self) -> list[str]:
        return [toast.message for toast in self._notifications]


def one(state: State = State.SUCCEEDED, **known: Any) -> FakeControl:
    control = FakeControl()
    control.happened(job(control), state, **known)
    return control


def long() -> FakeControl:
    """More than fits on a screen."""
    control = one(State.FAILED, attempt=4)
    control.attempts[next(iter(control.history))] = [
        an_attempt(number, response_excerpt="line\n" * 30) for number in range(1, 5)
    ]
    return control


async def opened(pilot: Pilot[Any], text: str = "Trigger") -> ExecutionApp:
    app = pilot.app
    assert isinstance(app, ExecutionApp)
    await until(pilot, lambda: text in app.text)
    return app


@pytest.mark.parametrize("size", [WIDE, NARROW])
@pytest.mark.parametrize("state", list(State))
def test_every_state_is_shown(state: State, size: tuple[int, int]) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot, state.value)
        assert "Execution · nightly report" in app.text
        assert ("r replay" in app.keys_shown) is state.is_final
        assert ("x cancel" in app.keys_shown) is not state.is_final
        assert app.keys_shown.endswith("y copy response  Y copy as curl  Esc back")

    play(ExecutionApp(one(state)), scenario, size=size)


@pytest.mark.parametrize("key", ["escape", "enter"])
def test_it_closes(key: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press(key)
        await until(pilot, lambda: not app.is_open)

    play(ExecutionApp(one()), scenario)


def test_it_goes_along_until_the_execution_has_ended() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot, "▶ running")
        view = app.control.history[app.execution_id]
        app.control.history[view.id] = replace(
            view, state=State.RETRYING, http_status=503, next_attempt_at=view.fire_at
        )
        await until(pilot, lambda: "◐ retrying · status 503" in app.text)
        app.control.history[view.id] = replace(view, state=State.LOST)
        await until(pilot, lambda: "! lost" in app.text)
        await until(pilot, lambda: not app.workers)
        asked = len(app.control.called)
        await pilot.press("j", "k")
        assert len(app.control.called) == asked

    play(ExecutionApp(one(State.RUNNING)), scenario)


def test_the_place_is_kept_while_it_goes_along() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press("pagedown")
        top = app.screen.query_one(Reading).scroll_y
        view = app.control.history[app.execution_id]
        app.control.history[view.id] = replace(view, state=State.FAILED)
        await until(pilot, lambda: "r replay" in app.keys_shown)
        assert app.screen.query_one(Reading).scroll_y == top > 0

    control = long()
    view = next(iter(control.history.values()))
    control.history[view.id] = replace(view, state=State.RUNNING)
    play(ExecutionApp(control), scenario)


def test_it_is_read_with_the_keys_of_a_list() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        text = app.screen.query_one(Reading)
        assert text.max_scroll_y > 50
        for key, place in (("j", 1), ("down", 2), ("k", 1), ("up", 0), ("G", text.max_scroll_y), ("g", 0)):
            await pilot.press(key)
            await until(pilot, lambda place=place: text.scroll_y == place)  # type: ignore[misc]
        await pilot.press("pagedown")
        await until(pilot, lambda: text.scroll_y == text.size.height - 1)
        await pilot.press("pageup")
        await until(pilot, lambda: text.scroll_y == 0)
        for key in ("left", "right"):
            await pilot.press(key)
        assert text.scroll_offset == (0, 0)

    play(ExecutionApp(long()), scenario, size=NARROW)


def test_one_that_is_kept_no_longer_closes_it_with_a_word() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        app.control.history.clear()
        await until(pilot, lambda: not app.is_open)
        await until(pilot, lambda: app.toasts == ["this execution is no longer kept"])

    play(ExecutionApp(one(State.RUNNING)), scenario)


def test_what_is_there_stays_while_the_store_cannot_be_read() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot, "▶ running")
        app.control.fails = StoreUnavailable("the database is locked", transient=True)
        await until(pilot, lambda: app.desk.stale)
        assert "▶ running" in app.text
        await pilot.press("x")
        await until(pilot, lambda: app.toasts == ["the database is locked"])
        app.control.fails = None
        await until(pilot, lambda: app.desk.stale is None)
        assert app.is_open

    play(ExecutionApp(one(State.RUNNING)), scenario)


def test_r_replays_it() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press("r")
        await until(pilot, lambda: app.toasts)
        assert app.toasts == ["replaying nightly report: the new execution is in the log"]
        assert [view.trigger for view in app.control.history.values()] == [Trigger.SCHEDULE, Trigger.REPLAY]

    play(ExecutionApp(one()), scenario)


def test_what_has_not_ended_is_not_replayed() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press("r")
        await until(pilot, lambda: app.toasts == ["it can be replayed once it has ended; it is running"])

    play(ExecutionApp(one(State.RUNNING)), scenario)


def test_x_cancels_it() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot, "◐ retrying")
        await pilot.press("x")
        await until(pilot, lambda: "□ cancelled" in app.text)
        assert app.toasts == ["cancelled nightly report"]
        await pilot.press("x")
        await until(pilot, lambda: len(app.toasts) == 2)
        assert app.toasts[1] == "there is nothing to cancel: the execution has ended (cancelled)"

    play(ExecutionApp(one(State.RETRYING)), scenario)


def test_y_copies_the_response_as_it_came() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press("y")
        assert app.clipboard == '{"a":1}'

    play(ExecutionApp(one(response_excerpt='{"a":1}')), scenario)


def test_there_may_be_nothing_to_copy() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press("y")
        await until(pilot, lambda: app.toasts == ["nothing of a response was kept"])

    play(ExecutionApp(one(State.RUNNING)), scenario)


def test_shift_y_copies_the_request_as_curl() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press("Y")
        assert app.clipboard.startswith("curl")
        assert "http://127.0.0.1:3001/0" in app.clipboard

    play(ExecutionApp(one()), scenario)


def test_a_copied_request_says_when_the_job_has_changed_since() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        await pilot.press("Y")
        said = "copied the request as curl, as the job is now, version 3; this ran version 1"
        await until(pilot, lambda: any(toast.startswith(said) for toast in app.toasts))

    control = one()
    key, made = next(iter(control.stored.items()))
    control.stored[key] = replace(made, version=3)
    play(ExecutionApp(control), scenario)


@pytest.mark.parametrize("state", [State.SUCCEEDED, State.FAILED])
def test_an_execution_that_succeeded_at_once_says_why_it_has_no_headers(state: State) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot)
        said = "(headers are kept of attempts that did not succeed at once)" in app.text
        assert said is (state is State.SUCCEEDED)

    play(ExecutionApp(one(state, response_excerpt="ok")), scenario)


@pytest.mark.parametrize("key", ["question_mark", "f1", "colon", "T", "z", "percent_sign", "q"])
def test_the_keys_that_work_everywhere_work_here(key: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        await shell_opened(pilot)
        app.push_screen(ExecutionScreen(app.desk, next(iter(control.history))))
        await until(pilot, lambda: "Trigger" in shown(pilot))
        theme = app.theme
        await pilot.press(key)
        happens = {
            "question_mark": lambda: isinstance(app.screen, HelpScreen),
            "f1": lambda: isinstance(app.screen, HelpScreen),
            "colon": lambda: isinstance(app.screen, PaletteScreen),
            "T": lambda: app.theme != theme,
            "z": lambda: toasts(pilot) == ["Nothing to undo"],
            "percent_sign": lambda: not app._has_mouse,
            "q": lambda: app.screen is app.main and not app._exit,
        }
        await until(pilot, happens[key])

    control = control_with("first")
    control.happened(job_named(control, "first"), State.SUCCEEDED)
    app, _ = shell(control)
    play(app, scenario)


def test_the_job_may_be_deleted() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot, "a deleted job")
        await pilot.press("Y")
        await until(pilot, lambda: app.toasts == ["its job is deleted, and the request with it"])

    control = one()
    key, made = next(iter(control.stored.items()))
    control.stored[key] = replace(made, state=JobState.DELETED)
    play(ExecutionApp(control), scenario)


def test_hostile_text_is_shown_and_does_nothing() -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        app = await opened(pilot, "[b]東京␛[2J")
        assert "× failed · [/red]␇" in app.text
        assert "X-[link]: ␛]0;title" in app.text
        assert "[blink]body␛[31m" in app.text

    control = FakeControl()
    made = job(control, "[b]東京\x1b[2J")
    view = control.happened(made, State.FAILED, http_status=None, error="[/red]\x07", ago=SECOND)
    control.attempts[view.id] = [
        an_attempt(1, response_headers=(("X-[link]", "\x1b]0;title"),), response_excerpt="[blink]body\x1b[31m")
    ]
    play(ExecutionApp(control), scenario)
