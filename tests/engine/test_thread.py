"""The engine in a thread of its own: real threads, a real database, and a real socket for a target."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
import trio
from structlog.testing import capture_logs

from tests import postgres, sqlite
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.job import JobSpec, JobType, Request
from tui_scheduler.engine.engine import Engine
from tui_scheduler.engine.thread import EngineThread, make_world
from tui_scheduler.engine.world import Alert, Options, World
from tui_scheduler.store.claims import ClaimStore
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.hot import rows
from tui_scheduler.store.jobs import JobStore

NEVER = "0 0 0 1 1 *"
LONG = 30
"""Seconds after which a test has failed; none of them waits that long."""


class Target:
    """Takes requests; answers them when it may."""

    def __init__(self) -> None:
        self.arrived: Queue[float] = Queue()
        self.may_answer = threading.Event()
        self.may_answer.set()
        target = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while line := self.rfile.readline():
                    if line == b"\r\n":
                        target.arrived.put(time.monotonic())
                        target.may_answer.wait(LONG)
                        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.may_answer.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def target() -> Iterator[Target]:
    target = Target()
    yield target
    target.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=postgres.needs_postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        with _opened(sqlite.clean_file(tmp_path)) as opened:
            yield opened
    else:
        with postgres.clean_database() as url, _opened(url) as opened:
            yield opened


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Database]:
    """A database file, where the kind does not matter."""
    with _opened(sqlite.clean_file(tmp_path)) as opened:
        yield opened


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    database = open_database(url)
    yield database
    database.close()


@contextmanager
def started(database: Database, **options: Any) -> Iterator[EngineThread]:
    alerts: list[Alert] = []
    thread = EngineThread(database, Options(**{"slots": 50, **options}), alerts.append)
    thread.start()
    yield thread
    thread.stop(LONG)
    assert thread.failed is None


def run_now(database: Database, target: Target, **spec: Any) -> int:
    """A manual execution that is due now; its key."""
    jobs = JobStore(database)
    job = jobs.create(JobSpec(schedule=NEVER, request=Request(target.url), **spec), _now())
    return jobs.run_now(job.id, _now()).key


def _now() -> int:
    return time.time_ns() // 1_000


def states(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.state for row in rows(connection, "SELECT state FROM execution ORDER BY id")]


def node_states(database: Database) -> list[str]:
    with database.read() as connection:
        return [row.state for row in rows(connection, "SELECT state FROM node ORDER BY id")]


def test_it_starts_fires_records_and_stops(database: Database, target: Target) -> None:
    run_now(database, target)
    run_now(database, target, type=JobType.ATMOST_ONCE)
    with started(database) as thread:
        assert node_states(database) == ["alive"]
        assert thread.trouble == ()
        target.arrived.get(timeout=LONG)
        target.arrived.get(timeout=LONG)
    assert states(database) == ["succeeded", "succeeded"], "what was sent is recorded before it has stopped"
    assert node_states(database) == ["stopped"]
    assert database.path is None or list(database.path.parent.glob("*-node-*")) == [], "its lock is gone"


def test_wake_makes_a_run_by_hand_immediate(file: Database, target: Target) -> None:
    with started(file, tick_s=3_600.0) as thread:
        run_now(file, target)
        thread.wake()
        target.arrived.get(timeout=LONG)


def test_stop_waits_for_the_answer_to_what_was_sent(file: Database, target: Target) -> None:
    target.may_answer.clear()
    run_now(file, target)
    with started(file, drain_s=LONG) as thread:
        target.arrived.get(timeout=LONG)
        stopper = threading.Thread(target=thread.stop, args=(LONG,))
        stopper.start()
        target.may_answer.set()
        stopper.join(LONG)
        assert states(file) == ["succeeded"]
        began = time.monotonic()
        thread.stop(LONG)
        thread.wake()
        assert time.monotonic() - began < 5, "a second stop has nothing to wait for"


def test_what_has_no_answer_by_the_deadline_is_due_again_or_lost_and_never_cancelled(
    file: Database, target: Target
) -> None:
    target.may_answer.clear()
    run_now(file, target)
    run_now(file, target, type=JobType.ATMOST_ONCE)
    with started(file, drain_s=0.2):
        target.arrived.get(timeout=LONG)
        target.arrived.get(timeout=LONG)
    assert states(file) == ["pending", "lost"]
    assert node_states(file) == ["stopped"]


def test_a_stop_that_is_overdue_ends_at_once_and_leaves_the_rest_to_rescue(file: Database, target: Target) -> None:
    target.may_answer.clear()
    run_now(file, target)
    with started(file, drain_s=3_600.0) as thread:
        target.arrived.get(timeout=LONG)
        with capture_logs() as logs:
            thread.stop(0.2)
        assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["engine_stop_overdue"]
    assert states(file) == ["claimed"]
    assert node_states(file) == ["alive"], "another node finds its lock free"


def test_the_work_a_node_left_behind_is_taken_by_the_next_one(file: Database, target: Target) -> None:
    target.may_answer.clear()
    run_now(file, target)
    with started(file, drain_s=3_600.0) as thread:
        target.arrived.get(timeout=LONG)
        _wait(lambda: _heartbeats(file) > 0)
        thread.stop(0.1)
    target.may_answer.set()
    with started(file):
        target.arrived.get(timeout=LONG)
    assert states(file) == ["succeeded"]


def _heartbeats(database: Database) -> int:
    with database.read() as connection:
        return int(rows(connection, "SELECT MAX(heartbeat) FROM node")[0][0])


def _wait(condition: Callable[[], bool]) -> None:
    """For a state of the database, which gives no signal."""
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_engine_that_cannot_begin_says_why_to_who_starts_it(file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(self: Engine, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        raise StoreUnavailable("the file is read-only", transient=False)

    monkeypatch.setattr(Engine, "run", run)
    thread = EngineThread(file, Options(), lambda alert: None)
    with pytest.raises(ExceptionGroup) as caught:
        thread.start()
    assert caught.group_contains(StoreUnavailable, match="read-only")
    assert thread.failed is caught.value
    thread.stop(1)


def test_a_database_that_is_gone_says_why_to_who_starts_it(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'none.db'}")
    thread = EngineThread(database, Options(), lambda alert: None)
    with pytest.raises((StoreUnavailable, ExceptionGroup)) as caught:
        thread.start()
    assert "none.db is missing" in str(caught.value) or "none.db is missing" in str(caught.value.__cause__)
    thread.stop(1)


def test_an_engine_that_dies_later_is_told(file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = EngineThread(file, Options(), lambda alert: None)
    thread.start()

    def has_due(self: ClaimStore, now: int, horizon: int, backfills: int = 0) -> bool:
        raise ZeroDivisionError

    monkeypatch.setattr(ClaimStore, "has_due", has_due)
    thread._thread.join(LONG)
    assert isinstance(thread.failed, BaseExceptionGroup)
    thread.stop(1)
    thread.wake()


def test_a_stop_before_the_engine_is_made_is_heard(file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    making, may_be_made = threading.Event(), threading.Event()

    def slowly(database: Database, options: Options, alert: Callable[[Alert], None]) -> World:
        making.set()
        may_be_made.wait(LONG)
        return make_world(database, options, alert)

    monkeypatch.setattr("tui_scheduler.engine.thread.make_world", slowly)
    thread = EngineThread(file, Options(), lambda alert: None)
    starter = threading.Thread(target=thread.start)
    starter.start()
    making.wait(LONG)
    stopper = threading.Thread(target=thread.stop, args=(LONG,))
    stopper.start()
    assert thread._stopping.wait(LONG)
    may_be_made.set()
    starter.join(LONG)
    thread._thread.join(LONG / 2)
    assert not thread._thread.is_alive()
    stopper.join(LONG)
    assert thread.failed is None
    assert node_states(file) == []


def test_slots_leave_files_for_everything_else(file: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    for files, wanted, slots in ((1_024, 20_000, 824), (100_000, 20_000, 20_000), (100, 20_000, 1)):
        monkeypatch.setattr("tui_scheduler.engine.thread.raise_file_limit", lambda files=files: files)
        world = make_world(file, Options(slots=wanted), lambda alert: None)
        assert world.options.slots == slots
        assert world.options.lock_grace_s == 0
        assert world.host == socket.gethostname()
