"""The feed of the jobs pane: what is asked when, and which answers count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.tui.fake import FakeControl
from tui_scheduler.control.control import Control
from tui_scheduler.control.views import SortBy
from tui_scheduler.domain.errors import SchedulerError, StoreUnavailable
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.job_feed import JobFeed
from tui_scheduler.tui.job_model import JobModel, Read


class SlowDesk(Desk):
    """Answers when the test says so, from what is stored when it was asked or, `late`, when it is answered."""

    def __init__(self, control: FakeControl) -> None:
        super().__init__(control.now)
        self.control = control
        self.open_questions: list[tuple[Any, asyncio.Future[Any]]] = []

    async def ask(self, question: Callable[[Control], Any]) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            found = question(self.control)
        except SchedulerError as error:
            found = error
        self.open_questions.append((found, answer))
        return await answer

    async def answer(self, number: int = 0) -> None:
        """One open question, the oldest by default; then everybody who waits for it goes on."""
        found, answer = self.open_questions.pop(number)
        if isinstance(found, SchedulerError):
            answer.set_exception(found)
        else:
            answer.set_result(found)
        await settle()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class Stage:
    def __init__(self, jobs: int = 3) -> None:
        self.control = FakeControl()
        for number in range(jobs):
            self.control.add(JobSpec("* * * * * *", Request("http://x/"), name=f"job {number}"))
        self.desk = SlowDesk(self.control)
        self.model = JobModel()
        self.listings = 0
        self.reads: list[Read] = []
        self.troubles: list[SchedulerError] = []
        self.visible = range(3)
        self.feed = JobFeed(
            self.desk,
            self.model,
            visible=lambda: self.visible,
            on_listed=self.listed,
            on_read=self.reads.append,
            on_trouble=self.troubles.append,
        )
        self.tasks: list[asyncio.Task[None]] = []

    def listed(self, _changed: bool) -> None:
        self.listings += 1

    async def begin(self, work: Awaitable[object]) -> None:
        async def run() -> None:
            await work

        self.tasks.append(asyncio.create_task(run()))
        await settle()

    async def answer_all(self) -> None:
        while self.desk.open_questions:
            await self.desk.answer()


def play(scenario: Callable[[Stage], Awaitable[None]], jobs: int = 3) -> None:
    async def run() -> None:
        stage = Stage(jobs)
        await scenario(stage)
        for task in stage.tasks:
            task.cancel()
        await asyncio.gather(*stage.tasks, return_exceptions=True)
        stage.desk.close()

    asyncio.run(run())


def test_the_first_tick_reads_the_keys_and_then_the_lines() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.tick())
        await stage.answer_all()
        assert stage.control.called == ["list_jobs", "job_rows"]
        assert stage.model.keys == (1, 2, 3)
        assert stage.model.row(2) is not None

    play(scenario)


def test_lines_are_read_every_tick_and_keys_every_two_seconds() -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(18):
            await stage.begin(stage.feed.tick())
            await stage.answer_all()
        assert stage.control.called.count("list_jobs") == 2
        assert stage.control.called.count("job_rows") == 18

    play(scenario)


@pytest.mark.parametrize("first", [0, 1])
def test_a_listing_in_an_order_no_longer_wanted_is_dropped_whenever_it_comes(first: int) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.list())
        stage.model.sort_by(SortBy.NAME, descending=True)
        await stage.begin(stage.feed.list())
        await stage.desk.answer(first)
        assert stage.model.keys == ((), (3, 2, 1))[first]
        await stage.desk.answer()
        assert stage.model.keys == (3, 2, 1)
        assert stage.listings == 1

    play(scenario)


def test_a_listing_overtaken_by_a_later_one_is_dropped() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.list())
        stage.control.delete_job(stage.control.stored[2].id)
        await stage.begin(stage.feed.list())
        await stage.desk.answer(1)
        await stage.desk.answer(0)
        assert stage.model.keys == (1, 3)

    play(scenario)


def test_what_was_asked_before_a_change_does_not_count_after_it() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.list())
        await stage.answer_all()
        await stage.begin(stage.feed.read())
        stage.control.pause_job(stage.control.stored[1].id)
        stage.feed.outdate()
        await stage.desk.answer()
        assert stage.reads == []
        await stage.desk.answer()  # asked again by itself
        row = stage.model.row(1)
        assert row is not None
        assert row.state == "paused"

    play(scenario)


@pytest.mark.parametrize(
    "meanwhile", [lambda stage: stage.feed.outdate(), lambda stage: stage.model.sort_by(SortBy.NAME)]
)
def test_a_refresh_knows_what_was_made_before_it_whatever_is_asked_meanwhile(
    meanwhile: Callable[[Stage], None],
) -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.tick())
        await stage.answer_all()
        new = stage.control.add(JobSpec("* * * * * *", Request("http://x/"), name="new"))
        await stage.begin(stage.feed.refresh())
        meanwhile(stage)
        await stage.answer_all()
        assert new.key in stage.model.keys
        assert stage.tasks[-1].done()

    play(scenario)


def test_a_refresh_ends_when_the_store_cannot_be_read() -> None:
    async def scenario(stage: Stage) -> None:
        stage.control.fails = StoreUnavailable("the disk is full", transient=True)
        await stage.begin(stage.feed.refresh())
        await stage.answer_all()
        assert stage.tasks[-1].done()
        assert str(stage.troubles[0]) == "the disk is full"

    play(scenario)


def test_one_question_for_lines_at_a_time_and_what_is_scrolled_to_comes_next() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.list())
        await stage.answer_all()
        stage.visible = range(3)
        await stage.begin(stage.feed.read())
        stage.visible = range(50, 53)
        for _ in range(5):
            await stage.begin(stage.feed.read())
        assert len(stage.desk.open_questions) == 1
        await stage.answer_all()
        assert stage.control.called.count("job_rows") == 2
        assert stage.model.row(52) is not None

    play(scenario, jobs=60)


def test_a_job_that_has_gone_makes_the_next_tick_list_anew() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.tick())
        await stage.answer_all()
        stage.control.delete_job(stage.control.stored[2].id)
        for _ in range(2):
            await stage.begin(stage.feed.tick())
            await stage.answer_all()
        assert stage.model.keys == (1, 3)

    play(scenario)


def test_a_store_that_cannot_be_read_is_asked_ever_less_often_and_at_once_again_when_it_can() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin(stage.feed.tick())
        await stage.answer_all()
        stage.control.called.clear()
        stage.control.fails = StoreUnavailable("the disk is full", transient=True)
        for _ in range(100):
            await stage.begin(stage.feed.tick())
            await stage.answer_all()
        assert 4 <= len(stage.control.called) <= 10
        assert stage.model.keys == (1, 2, 3)  # the last that was known stays
        stage.control.fails = None
        await stage.begin(stage.feed.list())
        await stage.answer_all()
        stage.control.called.clear()
        for _ in range(3):
            await stage.begin(stage.feed.tick())
            await stage.answer_all()
        assert stage.control.called == ["job_rows"] * 3

    play(scenario)


def test_a_question_slower_than_a_tick_is_not_asked_again() -> None:
    async def scenario(stage: Stage) -> None:
        for _ in range(20):
            await stage.begin(stage.feed.tick())
        assert stage.control.called == ["list_jobs"]

    play(scenario)
