"""The simulation is worth trusting: its histories repeat, its audit sees what was planted, and the promise holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
import trio
import trio.testing

from tests.simulation.audit import EXECUTIONS, check
from tests.simulation.story import Deed, History, Story, play
from tests.sqlite import clean_memory
from tui_scheduler.domain.job import JobSpec, JobType, Overlap, Request
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.store.database import Database
from tui_scheduler.store.hot import rows, run

SEEDS = range(7_000, 7_030)
"""Histories of every run; `python -m tests.simulation` plays any number of others."""


@pytest.fixture
def database() -> Iterator[Database]:
    database = clean_memory()
    yield database
    database.close()


def told(history: History) -> list[object]:
    """Everything of a history that could differ."""
    with history.database.read() as connection:
        executions = [tuple(row) for row in rows(connection, EXECUTIONS)]
    logs = [node.log for node in history.nodes]
    return [executions, history.target.arrivals, history.deeds, history.manual, history.crashes, history.ended_at, logs]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_the_promise_holds(seed: int, database: Database) -> None:
    assert check(play(seed, database))[0] == []


def test_the_same_seed_gives_the_same_history(database: Database) -> None:
    first, again, other = (told(play(seed, database)) for seed in (7_003, 7_003, 7_004))
    assert first == again
    assert first != other


@pytest.mark.slow
def test_a_crash_at_any_chosen_transaction_keeps_the_promise(database: Database) -> None:
    for crash_at in (1, 2, 3, 5, 8, 13, 34, 89):
        history = play(7_000, database, crash_at)
        assert check(history)[0] == [], f"a crash at transaction {crash_at}"
        assert history.crashes > 0


class QuietStory(Story):
    """No users, no faults; a job of each kind that a planted violation needs."""

    def _create(self) -> None:
        if self.history.deeds:
            return
        now = self._time.now()
        every_second = JobSpec("@every 1s", Request("http://target/"), retry=RetryPolicy(max_attempts=1))
        for number, spec in enumerate(
            (
                every_second,
                replace(every_second, type=JobType.ATMOST_ONCE),
                replace(every_second, schedule="@every 4s", overlap=Overlap.SKIP),
            )
        ):
            self.history.deeds.append(Deed(now, "create", self._jobs.create(spec, now, job_id=f"{number:032x}")))
        for node in self.history.nodes:
            node.faults.calm()

    async def _users(self) -> None:
        await trio.sleep_forever()

    async def _disturb(self) -> None:
        await trio.sleep_forever()


@pytest.fixture
def quiet(database: Database) -> History:
    """A history in which nothing was wrong."""
    story = QuietStory(7_000, database)
    trio.run(story.play, clock=trio.testing.MockClock(autojump_threshold=0))
    assert check(story.history)[0] == []
    return story.history


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
    change(history, "DELETE FROM execution WHERE id = ?", ran(history))
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
    change(history, "UPDATE execution SET state = 'skipped', skip_count = 1 WHERE id = ?", ran(history))
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
    ],
)
def test_the_audit_sees_what_was_planted(plant: Callable[[History], str], quiet: History) -> None:
    planted = plant(quiet)
    wrong = check(quiet)[0]
    assert any(planted in sentence for sentence in wrong), wrong
