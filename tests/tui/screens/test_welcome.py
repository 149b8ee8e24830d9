"""The first start: every offer by key, arrow and click, and none of them a dead end."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button, Static

from tests.tui.fake import FakeControl, FakeSession
from tests.tui.pilots import NARROW, WIDE, play, until
from tui_scheduler.domain.errors import Conflict, StoreUnavailable
from tui_scheduler.domain.job import JobSpec, JobState, Request
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.screens.welcome import First, WelcomeScreen, is_empty


class Beginner(App[None]):
    """A first start."""

    def __init__(self, where: str = "~/jobs.db", keymap: dict[str, str] | None = None) -> None:
        super().__init__()
        self.keymap = keymap
        self.fake = FakeSession(FakeControl())
        self.fake.where = where
        self.desk = Desk(self.fake.control.now, zone=UTC)
        self.taken: list[First | None] = []

    def on_mount(self) -> None:
        self.desk.open(self.fake.control)
        self.push_screen(WelcomeScreen(self.desk, self.fake, self.keymap), self.taken.append)

    @property
    def toasts(self) -> list[str]:
        return [each.message for each in self._notifications]


@pytest.mark.parametrize(
    ("keys", "what"),
    [
        (["s"], First.SAMPLES),
        (["enter"], First.SAMPLES),
        (["space"], First.SAMPLES),
        (["c"], First.CREATE),
        (["down", "enter"], First.CREATE),
        (["tab", "space"], First.CREATE),
        (["i"], First.IMPORT),
        (["j", "j", "enter"], First.IMPORT),
        (["up", "up", "enter"], First.IMPORT),
        (["escape"], First.LOOK),
        (["l"], First.LOOK),
        (["q"], First.LOOK),
        (["up", "enter"], First.LOOK),
        (["down", "down", "down", "k", "down", "space"], First.LOOK),
    ],
)
def test_every_offer_can_be_taken(keys: list[str], what: First) -> None:
    app = Beginner()

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press(*keys)
        await until(pilot, lambda: app.taken)

    play(app, scenario)
    assert app.taken == [what]


@pytest.mark.parametrize("what", First)
def test_every_offer_can_be_clicked(what: First) -> None:
    app = Beginner()

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.click(f"#{what}")
        await until(pilot, lambda: app.taken)

    play(app, scenario, size=NARROW)
    assert app.taken == [what]


def test_the_samples_are_loaded_told_and_can_be_taken_back() -> None:
    app = Beginner()

    async def scenario(pilot: Pilot[Any]) -> None:
        assert await is_empty(app.desk)
        await pilot.press("s")
        await until(pilot, lambda: app.taken)
        assert len(app.fake.control.stored) == 4
        assert {job.spec.request.url[:21] for job in app.fake.control.stored.values()} == {"http://127.0.0.1:3001"}
        assert app.toasts == ["loaded 4 sample jobs; watch the countdowns"]
        assert not await is_empty(app.desk)
        assert app.desk.undo[-1].label == "loaded 4 sample jobs"
        await app.desk.undo[-1].back()
        assert {job.state for job in app.fake.control.stored.values()} == {JobState.DELETED}

    play(app, scenario)


def test_taking_the_samples_back_says_what_is_refused() -> None:
    app = Beginner()

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("s")
        await until(pilot, lambda: app.taken)
        app.fake.control.stored.popitem()
        with pytest.raises(Conflict, match=r"^deleted 3 jobs; 1 job refused: there is no such job$"):
            await app.desk.undo[-1].back()

    play(app, scenario)


def test_one_press_too_many_loads_them_once() -> None:
    app = Beginner()

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("s", "s", "c")
        await until(pilot, lambda: app.taken)

    play(app, scenario)
    assert app.taken == [First.SAMPLES]
    assert len(app.fake.control.stored) == 4


def test_undoing_the_samples_leaves_what_was_made_before_them() -> None:
    app = Beginner()
    mine = app.fake.control.add(JobSpec("* * * * *", Request("http://127.0.0.1:9/"), name="mine"))

    async def scenario(pilot: Pilot[Any]) -> None:
        await pilot.press("s")
        await until(pilot, lambda: app.taken)
        await app.desk.undo[-1].back()
        assert app.fake.control.stored[mine.key].state is JobState.ACTIVE

    play(app, scenario)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_a_store_that_refuses_is_told_here_and_the_other_offers_stand(size: tuple[int, int]) -> None:
    app = Beginner()

    async def scenario(pilot: Pilot[Any]) -> None:
        app.fake.control.fails = StoreUnavailable("the [b]disk is full", transient=False)
        await pilot.press("s")
        trouble = app.screen.query_one("#trouble", Static)
        await until(pilot, lambda: trouble.display)
        assert str(trouble.content) == "× the [b]disk is full"
        assert app.taken == []
        app.fake.control.fails = None
        await pilot.press("s")
        await until(pilot, lambda: app.taken)

    play(app, scenario, size=size)


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_it_says_what_will_happen_next_and_nothing_is_cut_off(size: tuple[int, int]) -> None:
    app = Beginner("/home/[b]me/" + "very-long-folder-name/" * 4 + "jobs.db")

    async def scenario(pilot: Pilot[Any]) -> None:
        screen = app.screen
        said = "\n".join(str(each.content) for each in screen.query(Static) if isinstance(each.content, str))
        assert "There are no jobs yet in /home/[b]me/very" in said
        assert "The first fires at the next full minute, 16:01:00." in said
        dialog = screen.query_one("#dialog").region
        assert screen.region.contains_region(dialog)
        for button in screen.query(Button):
            assert dialog.contains_region(button.region)
        assert screen.query_one("#offers").max_scroll_y == 0

    play(app, scenario, size=size)


@pytest.mark.parametrize(
    ("keymap", "create", "look"),
    [
        ({}, "F10 saves", "? shows the keys, c creates a job, i imports a crontab."),
        (
            {"editor.save": "f9", "app.show-help": "ctrl+g", "jobs.create": "n,c", "jobs.import-crontab": "I"},
            "F9 saves",
            "Ctrl+G shows the keys, n creates a job, I imports a crontab.",
        ),
    ],
    ids=["usual", "chosen"],
)
def test_the_offers_name_the_keys_as_they_are_set(keymap: dict[str, str], create: str, look: str) -> None:
    async def scenario(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: isinstance(pilot.app.screen, WelcomeScreen))
        said = [str(about.render()) for about in pilot.app.screen.query(".about").results(Static)]
        assert create in said[1]
        assert said[3] == look

    play(Beginner(keymap=keymap), scenario)
