"""The simulation is worth trusting: its histories repeat, its audit sees what was planted, and the promise holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import trio

from tests.simulation.audit import EXECUTIONS, check
from tests.simulation.clocks import SECOND, LeapingClock
from tests.simulation.deeds import ALL
from tests.simulation.faults import Faults
from tests.simulation.history import Deed, History, Hold
from tests.simulation.judging import play
from tests.simulation.judging import run as run_story
from tests.simulation.memory import open_memory
from tests.simulation.story import Plot, Story
from tests.simulation.year import DAY, YearStory
from tests.sqlite import clean_memory
from tui_scheduler.domain.job import CatchUp, JobSpec, JobState, JobType, Overlap, Request
from tui_scheduler.domain.queues import Limits, Rate
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows, run

SEEDS = range(7_001, 7_061)
"""Histories of every run; `python -m tests.simulation` plays any number of others."""


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    database = open_memory()
    yield database
    database.close()


def told(history: History) -> list[object]:
    """Everything of a history that could differ."""
    with history.database.read() as connection:
        executions = [tuple(row) for row in rows(connection, EXECUTIONS)]
    logs = [node.log for node in history.nodes]
    return [executions, history.target.arrivals, history.deeds, history.manual, history.tally, history.ended_at, logs]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_promise_holds(seed: int, database: Database) -> None:
    assert check(play(seed, database))[0] == []


def test_the_same_seed_gives_the_same_history(database: Database) -> None:
    first, again, other = (told(play(seed, database)) for seed in (7_003, 7_003, 7_004))
    assert first == again
    assert first != other


def test_a_history_is_the_same_through_the_stores_own_connections(database: Database) -> None:
    ordinary = clean_memory()
    seed = next(seed for seed in range(7_001, 7_100) if play(seed, database).tally.deeds > 3)
    assert told(play(seed, database)) == told(play(seed, ordinary))
    ordinary.close()


@pytest.mark.slow
def test_a_crash_at_any_chosen_transaction_keeps_the_promise(database: Database) -> None:
    crashes = 0
    for crash_at in (1, 2, 3, 5, 8, 13, 34, 89):
        history = play(7_000 + crash_at % 3, database, Plot(crash_at=crash_at))
        assert check(history)[0] == [], f"a crash at transaction {crash_at}"
        crashes += history.tally.crashes
    assert crashes > 4  # some histories end before


@pytest.mark.slow
@pytest.mark.parametrize("deed", ALL)
def test_a_deed_after_any_transaction_keeps_the_promise(deed: str, database: Database) -> None:
    for deed_at in range(1, 60):
        history = play(7_100 + deed_at % 5, database, Plot(deed_at=deed_at, deed=deed))
        assert check(history)[0] == [], f"{deed} after transaction {deed_at}"


@pytest.mark.slow
def test_an_answer_lost_at_any_transaction_keeps_the_promise(database: Database) -> None:
    lost = 0
    for lose_at in range(1, 120):
        history = play(7_200 + lose_at % 5, database, Plot(lose_at=lose_at))
        assert check(history)[0] == [], f"the answer to transaction {lose_at} was lost"
        lost += history.tally.lost_answers
    assert lost > 60  # some histories end before


@pytest.mark.slow
def test_a_year_keeps_the_promise_through_both_changes_of_the_clocks(database: Database) -> None:
    history = run_story(YearStory(16, database))
    wrong, figures = check(history)
    assert wrong == []
    assert figures.executed > 100
    assert history.ended_at - history.time.start > 365 * DAY


class QuietStory(Story):
    """No users, no faults; a job of each kind that a planted violation needs."""

    def _create(self) -> None:
        every_second = JobSpec("@every 1s", Request("http://target/"), retry=RetryPolicy(max_attempts=1))
        for number, spec in enumerate(
            (
                every_second,
                replace(every_second, type=JobType.ATMOST_ONCE),
                replace(every_second, schedule="@every 4s", overlap=Overlap.SKIP, catch_up=CatchUp.LATEST),
            )
        ):
            self.users.create_job(replace(spec, name=f"job {number}"), f"{number:032x}")
        self._plot = None
        self._length = 10
        for node in self.history.nodes:
            node.faults.calm()

    def _faults(self) -> Faults:
        faults = super()._faults()
        faults.calm()
        return faults

    async def _pass(self) -> None:
        await trio.sleep(self._length)


class HaltedStory(QuietStory):
    """One machine of several is halted for as long as others wait, and its monotonic clock does not know."""

    async def _pass(self) -> None:
        await trio.sleep(8 + self._random.random())
        await self.history.nodes[0].freeze(30, monotonic_goes_on=False)
        await trio.sleep(5)


@pytest.mark.slow
def test_a_halted_machine_sends_nothing_stale_when_it_wakes_up(database: Database) -> None:
    for seed in (2, 34, 40):  # of 25 with several nodes three sent something, as long as only that clock was asked
        story = HaltedStory(seed, database)
        assert check(run_story(story))[0] == [], f"seed {seed}"


def test_the_clock_leaps_to_what_is_next_and_a_deadlock_is_an_error() -> None:
    clock, seen = LeapingClock(), []

    async def sleepers() -> None:
        async with trio.open_nursery() as nursery:
            for seconds in (3, 1, 2):
                nursery.start_soon(note, seconds)
            with trio.move_on_after(1.5):
                await clock.sleep(10)
            seen.append(trio.current_time())

    async def note(seconds: float) -> None:
        await clock.sleep(seconds)
        seen.append(trio.current_time())

    trio.run(sleepers, clock=clock)
    assert seen == [1, 1.5, 2, 3]
    for _ in range(1_000):
        clock.deadline_to_sleep_time(math.inf)  # trio waits for itself when it ends
    with pytest.raises(RuntimeError, match="nothing will ever happen"):
        clock.deadline_to_sleep_time(math.inf)


@pytest.fixture
def quiet(database: Database) -> History:
    """A history in which nothing was wrong."""
    history = run_story(QuietStory(7_000, database))
    assert check(history)[0] == []
    return history


def ran(history: History, where: str = "") -> int:
    """The key of some planned execution that ran and arrived, of a job as described."""
    with history.database.read() as connection:
        found = rows(
            connection,
            "SELECT e.id FROM execution e JOIN job j ON j.id = e.job_id WHERE e.state = 'succeeded'"
            f" AND e.trigger = 'schedule' {where} ORDER BY e.id LIMIT 1",
        )
    return int(found[0].id)


def change(history: History, sql: str, *values: object) -> None:
    with history.database.write() as connection:
        assert run(connection, sql, *values) > 0


def drop_an_execution(history: History) -> str:
    key = ran(history)
    change(history, "DELETE FROM execution WHERE id = ?", key)
    change(history, "DELETE FROM pruned WHERE id = ?", key)
    return "is missing"


def leave_one_unfinished(history: History) -> str:
    change(history, "UPDATE execution SET state = 'claimed' WHERE id = ?", ran(history))
    return "is left claimed"


def invent_an_occurrence(history: History) -> str:
    change(
        history,
        "UPDATE execution SET occurrence_key = occurrence_key + 500000, scheduled_for = scheduled_for + 500000"
        " WHERE id = ?",
        ran(history),
    )
    return "was never an occurrence"


def skip_what_was_sent(history: History) -> str:
    change(
        history,
        "UPDATE execution SET state = 'skipped', skip_count = 1, skip_reason = 'overlap', skip_from = scheduled_for"
        " WHERE id = ?",
        ran(history),
    )
    return "was sent and recorded as skipped"


def succeed_without_an_arrival(history: History) -> str:
    key = ran(history)
    history.target.arrivals[:] = [arrival for arrival in history.target.arrivals if arrival.key != key]
    return "succeeded without an arrival"


def send_once_only_work_twice(history: History) -> str:
    key = ran(history, f"AND j.type = '{JobType.ATMOST_ONCE}'")
    history.target.arrivals.append(next(arrival for arrival in history.target.arrivals if arrival.key == key))
    return "was sent 2 times"


def change_an_idempotency_key(history: History) -> str:
    key = ran(history)
    at = next(n for n, arrival in enumerate(history.target.arrivals) if arrival.key == key)
    arrival = history.target.arrivals[at]
    history.target.arrivals[at] = replace(arrival, scheduled_for=arrival.scheduled_for + 1)
    return "changed its Idempotency-Key"


def send_what_was_taken_away(history: History) -> str:
    history.target.arrivals[0] = replace(history.target.arrivals[0], is_stale=True)
    return "stale send"


def lose_at_least_once_work(history: History) -> str:
    key = ran(history, f"AND j.type = '{JobType.ATLEAST_ONCE}'")
    change(history, "UPDATE execution SET state = 'lost', rescues = 0 WHERE id = ?", key)
    return "was lost after 0 rescues"


def try_too_often(history: History) -> str:
    arrival = history.target.arrivals[0]
    history.target.arrivals.append(replace(arrival, attempt=99, at=arrival.until, until=arrival.until))
    return "had 99 attempts"


def overlap(history: History) -> str:
    serial = next(deed.job.id for deed in history.deeds if deed.job.spec.overlap is not Overlap.ALLOW)
    mine = [n for n, arrival in enumerate(history.target.arrivals) if arrival.job_id == serial]
    first, second = (history.target.arrivals[n] for n in mine[:2])
    history.target.arrivals[mine[0]] = replace(first, until=second.at + 0.5)
    return "overlapped"


def lose_a_run_by_hand(history: History) -> str:
    history.manual.append(999_999)
    return "manual execution 999999 is missing"


def never_rest(history: History) -> str:
    history.came_to_rest = False
    return "did not come to rest"


def hold(history: History, limits: Limits, window: WindowSpec | None = None) -> None:
    """As if it had held from the beginning."""
    what = "limit" if window is None else "window"
    history.holds[:0] = [Hold(history.time.start, 0.0, what, "default", limits, window)]


def exceed_a_queue(history: History) -> str:
    hold(history, Limits(1))
    first, second = [n for n, arrival in enumerate(history.target.arrivals) if arrival.at > 1.0][:2]
    until = history.target.arrivals[second].at + 0.1
    history.target.arrivals[first] = replace(history.target.arrivals[first], until=until)
    return "of queue default were under way"


def send_from_a_paused_queue(history: History) -> str:
    hold(history, Limits(paused=True))
    return "sent while it was paused"


def send_more_than_the_rate(history: History) -> str:
    hold(history, Limits(rate=Rate(1, 3_600 * SECOND)))
    return "sent more than 1/1h"


def fire_in_a_window(history: History) -> str:
    hold(history, Limits(), WindowSpec("", None, history.time.start, history.ended_at))
    return "fired in a maintenance window"


def skip_as_in_a_window(history: History) -> str:
    change(
        history,
        "UPDATE execution SET state = 'skipped', skip_reason = 'window', skip_count = 1, skip_from = scheduled_for,"
        " skip_to = scheduled_for WHERE id = ?",
        ran(history),
    )
    return "is skipped as window, which never was"


def skip_within_the_grace(history: History) -> str:
    key = ran(history, f"AND j.overlap = '{Overlap.SKIP}'")
    change(
        history,
        "UPDATE execution SET state = 'skipped', skip_reason = 'too late', skip_count = 1, skip_from = scheduled_for,"
        " skip_to = scheduled_for, finished_at = scheduled_for + 1000000 WHERE id = ?",
        key,
    )
    return "within the grace"


def skip_what_is_to_be_caught_up_on(history: History) -> str:
    key = ran(history, f"AND j.overlap = '{Overlap.ALLOW}'")
    change(
        history,
        "UPDATE execution SET state = 'skipped', skip_reason = 'too late', skip_count = 1, skip_from = scheduled_for,"
        " skip_to = scheduled_for WHERE id = ?",
        key,
    )
    return "wants to catch up on all"


def skip_for_a_reason_that_never_was(history: History) -> str:
    change(
        history,
        "UPDATE execution SET state = 'skipped', skip_reason = 'deleted', skip_count = 1, skip_from = scheduled_for,"
        " skip_to = scheduled_for WHERE id = ?",
        ran(history),
    )
    return "is skipped as deleted, which never was"


def cancel_without_being_asked(history: History) -> str:
    change(history, "UPDATE execution SET state = 'cancelled' WHERE id = ?", ran(history))
    return "was cancelled, and nobody asked for it"


def count_a_skipped_stretch_wrongly(history: History) -> str:
    key = ran(history, f"AND j.overlap = '{Overlap.ALLOW}'")
    change(
        history,
        "UPDATE execution SET state = 'skipped', skip_reason = 'too late', skip_count = 3, skip_from = scheduled_for,"
        " skip_to = scheduled_for + 1000000, occurrence_key = NULL WHERE id = ?",
        key,
    )
    return "says 3 skipped, there are 2"


def forget_what_is_recent(history: History) -> str:
    history.keep_age = 3_600 * SECOND
    change(history, "DELETE FROM execution WHERE id = ?", ran(history))
    return "was pruned though it was succeeded"


def send_what_was_paused(history: History) -> str:
    key = ran(history)
    job = next(deed.job for deed in history.deeds if deed.job.key == 1)
    paused = replace(job, state=JobState.PAUSED)
    deed = Deed(history.time.start, "pause", paused, 0.0, history.time.start)
    history.deeds.insert(3, deed)
    at = next(n for n, arrival in enumerate(history.target.arrivals) if arrival.key == key)
    history.target.arrivals[at] = replace(history.target.arrivals[at], at=9.0)
    return "was sent though the job was paused"


def plan_an_occurrence_twice(history: History) -> str:
    key = ran(history)
    change(history, "INSERT INTO pruned SELECT * FROM execution WHERE id = ?", key)
    return "2 places for"


@pytest.mark.parametrize(
    "plant",
    [
        drop_an_execution,
        leave_one_unfinished,
        invent_an_occurrence,
        skip_what_was_sent,
        succeed_without_an_arrival,
        send_once_only_work_twice,
        change_an_idempotency_key,
        send_what_was_taken_away,
        lose_at_least_once_work,
        try_too_often,
        overlap,
        lose_a_run_by_hand,
        never_rest,
        exceed_a_queue,
        send_from_a_paused_queue,
        send_more_than_the_rate,
        fire_in_a_window,
        skip_as_in_a_window,
        skip_within_the_grace,
        skip_what_is_to_be_caught_up_on,
        skip_for_a_reason_that_never_was,
        cancel_without_being_asked,
        count_a_skipped_stretch_wrongly,
        forget_what_is_recent,
        plan_an_occurrence_twice,
        send_what_was_paused,
    ],
)
def test_the_audit_sees_what_was_planted(plant: Callable[[History], str], quiet: History) -> None:
    planted = plant(quiet)
    wrong = check(quiet)[0]
    assert any(planted in sentence for sentence in wrong), wrong
