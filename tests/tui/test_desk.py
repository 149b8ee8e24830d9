"""Questions asked off the UI's thread, and what is said while nobody answers them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future

import pytest

from tests.tui.fake import FakeControl
from tests.tui.pilots import DEADLINE_S
from tui_scheduler.control.control import Control
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.tui.desk import SILENT_S, Desk

Scenario = Callable[["Room"], Awaitable[None]]


class Room:
    """A desk with a clock turned by hand, and a store that answers when it is let."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.control = FakeControl()
        self.desk = Desk(self.control.now, monotonic=lambda: self.seconds)
        self.told: list[str | None] = []
        self.desk.on_stale = self.told.append
        self.desk.open(self.control)
        self.may_answer = threading.Event()

    def ask_silent(self) -> asyncio.Task[bool]:
        """Ask what is answered only when it may be."""
        return asyncio.ensure_future(self.desk.ask(lambda _control: self.may_answer.wait(DEADLINE_S)))

    async def pass_time(self, seconds: float) -> None:
        for _ in range(3):  # what was asked is under way
            await asyncio.sleep(0)
        self.seconds += seconds
        self.desk.listen()


def within(scenario: Scenario) -> None:
    async def run() -> None:
        room = Room()
        try:
            await asyncio.wait_for(scenario(room), DEADLINE_S)
        finally:
            room.may_answer.set()
            room.desk.close()

    asyncio.run(run())


def test_a_store_that_says_nothing_is_stale_until_it_answers() -> None:
    async def scenario(room: Room) -> None:
        asked = room.ask_silent()
        await room.pass_time(SILENT_S - 1)
        assert room.told == []
        await room.pass_time(3)
        assert room.desk.stale == "no answer for 5 s"
        room.may_answer.set()
        await asked
        assert room.told == ["no answer for 5 s", None]

    within(scenario)


def test_one_slow_question_is_no_silence_while_others_are_answered() -> None:
    async def scenario(room: Room) -> None:
        room.ask_silent()
        for _ in range(5):
            await room.pass_time(SILENT_S - 1)
            await room.desk.ask(lambda control: control.metrics())
        await room.pass_time(SILENT_S - 1)
        assert room.told == []

    within(scenario)


def test_nobody_asks_so_nobody_is_silent() -> None:
    async def scenario(room: Room) -> None:
        await room.desk.ask(lambda control: control.metrics())
        await room.pass_time(60)
        assert room.told == []

    within(scenario)


def test_questions_that_are_called_off_are_no_answers() -> None:
    async def scenario(room: Room) -> None:
        room.ask_silent()
        for _ in range(3):
            other = room.ask_silent()
            await room.pass_time(SILENT_S / 2)
            other.cancel()
        await room.pass_time(0)
        assert room.desk.stale is not None

    within(scenario)


def test_a_store_that_cannot_be_read_says_why() -> None:
    async def scenario(room: Room) -> None:
        def refuse(_control: Control) -> None:
            raise StoreUnavailable("the disk is full", transient=True)

        with pytest.raises(StoreUnavailable):
            await room.desk.ask(refuse)
        assert "the disk is full" in str(room.desk.stale)

    within(scenario)


def test_a_long_question_that_is_called_off_hears_of_it() -> None:
    heard = threading.Event()

    def question(_control: Control, unwanted: Future[None]) -> None:
        unwanted.add_done_callback(lambda _done: heard.set())
        assert heard.wait(DEADLINE_S)

    async def scenario(room: Room) -> None:
        asked = asyncio.ensure_future(room.desk.ask_long(question))
        await room.pass_time(60)
        asked.cancel()
        await asyncio.to_thread(heard.wait, DEADLINE_S)
        assert heard.is_set()
        assert room.told == []

    within(scenario)
