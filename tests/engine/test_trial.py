"""Requests sent once to try them, by a real engine in its thread, to real sockets; and cancels it carries out."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import trio
import trustme

from tests import sqlite
from tests.engine import targets
from tests.engine.targets import Target
from tui_scheduler.domain.errors import Conflict
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.engine.trial import GiveUp, Trials
from tui_scheduler.engine.trial_thread import TrialThread
from tui_scheduler.engine.world import Options
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.history import History
from tui_scheduler.store.hot import rows
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.runs import RunStore

LONG = 30
NEVER = "0 0 0 1 1 *"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(sqlite.clean_file(tmp_path))
    yield database
    database.close()


@pytest.fixture
def engine(database: Database) -> Iterator[EngineThread]:
    thread = EngineThread(database, Options(slots=50, drain_s=0.1), lambda alert: None)
    thread.start()
    yield thread
    thread.stop(LONG)
    assert thread.failed is None


@pytest.fixture(params=["an engine", "no engine"])
def sender(request: pytest.FixtureRequest) -> Iterator[EngineThread | TrialThread]:
    """An engine's thread, or one for test requests alone where the engines are in other processes."""
    if request.param == "an engine":
        yield request.getfixturevalue("engine")
        return
    thread = TrialThread()
    yield thread
    thread.stop()


async def ask(engine: EngineThread | TrialThread, url: str, timeout_ms: int = LONG * 1_000, **request: Any) -> Outcome:
    spec = JobSpec(NEVER, Request(url, **request), timeout=timeout_ms * 1_000)
    return await trio.to_thread.run_sync(engine.try_request, spec)


async def test_a_success_comes_back_with_what_was_answered(
    sender: EngineThread | TrialThread, nursery: trio.Nursery
) -> None:
    target = await targets.start(nursery, targets.answers(targets.response(b"fine", Server="x")))
    outcome = await ask(sender, target.url)
    assert (outcome.kind, outcome.status, outcome.excerpt) == (OutcomeKind.RESPONSE, 200, b"fine")
    assert (b"Server", b"x") in outcome.headers
    assert outcome.started_at is not None
    assert outcome.finished_at >= outcome.started_at


async def test_it_carries_the_headers_of_a_first_attempt(
    sender: EngineThread | TrialThread, nursery: trio.Nursery
) -> None:
    target = await targets.start(nursery, targets.answers(targets.OK))
    await ask(sender, target.url, headers=(("X-Tenant", "7"),))
    await ask(sender, target.url)
    first, second = (dict(line.partition(": ")[::2] for line in seen.decode().split("\r\n")) for seen in target.seen)
    assert (first["X-Attempt"], first["X-Tenant"]) == ("1", "7")
    assert {"X-Scheduled-At", "X-Job-Id"} <= first.keys()
    assert first["Idempotency-Key"] != second["Idempotency-Key"]


async def test_nothing_of_it_is_stored(engine: EngineThread, database: Database, nursery: trio.Nursery) -> None:
    target = await targets.start(nursery, targets.answers(targets.OK))
    await ask(engine, target.url)
    with database.read() as connection:
        assert rows(connection, "SELECT id FROM execution") == []
        assert rows(connection, "SELECT id FROM job") == []


async def test_an_error_of_the_target_comes_back(sender: EngineThread | TrialThread, nursery: trio.Nursery) -> None:
    target = await targets.start(nursery, targets.answers(targets.response(b"oh", "500 Oh")))
    assert (await ask(sender, target.url)).status == 500
    assert len(target.seen) == 1, "there is no retry"


async def test_a_target_that_is_not_there_is_refused(sender: EngineThread | TrialThread) -> None:
    outcome = await ask(sender, f"http://127.0.0.1:{targets.unused_port()}/")
    assert (outcome.kind, outcome.started_at) == (OutcomeKind.REFUSED, None)


async def test_a_target_that_does_not_answer_ends_with_the_timeout(
    sender: EngineThread | TrialThread, nursery: trio.Nursery
) -> None:
    target = await targets.start(nursery, targets.hangs)
    assert (await ask(sender, target.url, timeout_ms=150)).kind is OutcomeKind.TIMEOUT


async def test_a_certificate_that_is_not_trusted_is_said(
    sender: EngineThread | TrialThread, nursery: trio.Nursery
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    target = await targets.start(nursery, targets.answers(targets.OK), context)
    outcome = await ask(sender, target.url)
    assert outcome.kind is OutcomeKind.TLS
    assert "not trusted" in (outcome.message or "")
    assert (await ask(sender, target.url, tls_verify=False)).status == 200


async def test_redirects_are_followed_when_asked_for(sender: EngineThread | TrialThread, nursery: trio.Nursery) -> None:
    there = await targets.start(nursery, targets.answers(targets.OK))
    here = await targets.start(nursery, targets.redirects_to(there.url))
    assert (await ask(sender, here.url, method="GET")).status == 302
    assert (await ask(sender, here.url, method="GET", follow_redirects=True)).status == 200


async def test_what_cannot_be_sent_is_said_and_harms_nobody(
    sender: EngineThread | TrialThread, nursery: trio.Nursery
) -> None:
    assert (await ask(sender, "nonsense")).kind is OutcomeKind.NOT_SENT
    target = await targets.start(nursery, targets.answers(targets.OK))
    assert (await ask(sender, target.url)).status == 200


def test_before_an_engine_runs_and_after_it_there_is_a_clear_no(database: Database) -> None:
    thread = EngineThread(database, Options(slots=50), lambda alert: None)
    spec = JobSpec(NEVER, Request("http://127.0.0.1/"))
    with pytest.raises(Conflict, match="not running yet"):
        thread.try_request(spec)
    thread.start()
    thread.stop(LONG)
    with pytest.raises(Conflict, match="has ended"):
        thread.try_request(spec)


def test_a_thread_for_trials_is_started_by_the_first_of_them_and_stopped_for_good() -> None:
    before = threading.active_count()
    idle = TrialThread()
    assert threading.active_count() == before
    idle.stop()
    idle.stop()
    with pytest.raises(Conflict, match="has ended"):
        idle.try_request(JobSpec(NEVER, Request("http://127.0.0.1/")))
    assert threading.active_count() == before


async def test_whoever_waits_when_the_thread_for_trials_stops_is_told(nursery: trio.Nursery) -> None:
    target = await targets.start(nursery, targets.hangs)
    thread = TrialThread()

    async def stop() -> None:
        await _until(lambda: len(target.seen) == 1)
        await trio.to_thread.run_sync(thread.stop)

    nursery.start_soon(stop)
    with pytest.raises(Conflict, match="before there was an answer"):
        await ask(thread, target.url)


async def test_whoever_waits_when_the_engine_stops_is_told(database: Database, nursery: trio.Nursery) -> None:
    target = await targets.start(nursery, targets.hangs)
    thread = EngineThread(database, Options(slots=50, drain_s=0.1), lambda alert: None)
    await trio.to_thread.run_sync(thread.start)

    async def stop() -> None:
        await _until(lambda: len(target.seen) == 1)
        await trio.to_thread.run_sync(thread.stop, LONG)

    nursery.start_soon(stop)
    with pytest.raises(Conflict, match="stopped before"):
        await ask(thread, target.url)


def nothing() -> None:
    """Nothing is under way that could be given up."""


def test_whoever_waits_when_the_engine_dies_is_told() -> None:
    trials = Trials()
    asked = threading.Event()
    answer: Future[str] = Future()

    def wait() -> None:
        with pytest.raises(Conflict, match="ended before") as refused:
            trials.ask(lambda call: asked.set(), lambda ended: nothing, LONG)
        answer.set_result(str(refused.value))

    threading.Thread(target=wait, daemon=True).start()
    assert asked.wait(LONG)
    trials.end()
    assert "before there was an answer" in answer.result(LONG)
    with pytest.raises(Conflict, match="has ended"):
        trials.ask(lambda call: None, lambda ended: nothing, LONG)


def test_a_bug_in_a_trial_is_its_askers_and_not_the_engines() -> None:
    def bug(ended: Callable[[Outcome], None]) -> GiveUp:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Trials().ask(lambda call: call(), bug, LONG)


async def test_a_trial_that_nobody_wants_any_more_is_cut_off(
    sender: EngineThread | TrialThread, nursery: trio.Nursery
) -> None:
    target = await targets.start(nursery, targets.hangs)
    unwanted: Future[None] = Future()

    async def leave() -> None:
        await _until(lambda: len(target.seen) == 1)
        unwanted.cancel()

    nursery.start_soon(leave)
    spec = JobSpec(NEVER, Request(target.url), timeout=10 * LONG * 1_000_000)
    with trio.fail_after(LONG), pytest.raises(Conflict, match="given up"):
        await trio.to_thread.run_sync(sender.try_request, spec, unwanted)


async def test_a_trial_that_nobody_wants_when_it_is_asked_for_is_not_sent(
    sender: EngineThread | TrialThread, nursery: trio.Nursery
) -> None:
    target = await targets.start(nursery, targets.answers(targets.OK))
    unwanted: Future[None] = Future()
    unwanted.cancel()
    with pytest.raises(Conflict, match="given up"):
        await trio.to_thread.run_sync(sender.try_request, JobSpec(NEVER, Request(target.url)), unwanted)
    await ask(sender, target.url)
    assert len(target.seen) == 1


def manual_run(database: Database, url: str) -> str:
    """The public id of an execution that is due now."""
    jobs, now = JobStore(database), time.time_ns() // 1_000
    job = jobs.create(JobSpec(NEVER, Request(url), timeout=LONG * 1_000_000), now)
    return History(database).id_of(jobs.run_now(job.id, now))


async def test_a_request_under_way_is_cut_off_when_its_execution_is_cancelled(
    engine: EngineThread, database: Database, nursery: trio.Nursery
) -> None:
    target: Target = await targets.start(nursery, targets.hangs)
    public_id = manual_run(database, target.url)
    engine.wake()
    await _until(lambda: len(target.seen) == 1)
    asked = await trio.to_thread.run_sync(RunStore(database).cancel, public_id, time.time_ns() // 1_000)
    assert asked.state in {"claimed", "running"}
    engine.wake()
    history = History(database)

    def state() -> str:
        found = history.find(public_id)
        return "" if found is None else found.state

    await _until(lambda: state() == "cancelled")
    assert [attempt.error for attempt in history.attempts(asked.key)] == ["given up on request"]


async def _until(condition: Callable[[], bool]) -> None:
    """Looks again and again: what is waited for happens in another thread, which no event of this loop tells."""
    with trio.fail_after(LONG):
        while not await trio.to_thread.run_sync(condition):  # noqa: ASYNC110
            await trio.sleep(0.005)
