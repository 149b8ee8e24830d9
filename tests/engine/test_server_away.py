"""Engines whose PostgreSQL drops their connections, and goes away and comes back: they go on by themselves, and every
occurrence is there in the end.
"""

from __future__ import annotations

import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests import postgres
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.engine.world import SECOND, Options
from tui_scheduler.store.database import open_database
from tui_scheduler.store.jobs import JobStore

LONG = 60
"""Seconds after which the test has failed."""
JOBS = 30
DROP = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'tui-scheduler'"
FOUND = "SELECT job_id, occurrence_key, state FROM execution"

pytestmark = [postgres.needs_postgres, pytest.mark.slow]


class Answering(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            if line == b"\r\n":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def target() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def server() -> Iterator[postgres.PostgresServer]:
    own = postgres.PostgresServer()
    yield own
    own.end()


@contextmanager
def node(url: str) -> Iterator[EngineThread]:
    """With a database of its own, as a process has."""
    database = open_database(url)
    thread = EngineThread(database, Options(slots=1_000), lambda _alert: None)
    thread.start()
    yield thread
    thread.stop(LONG)
    database.close()
    assert thread.failed is None


def now() -> int:
    return time.time_ns() // 1_000


def later(holds: Callable[[], bool], what: str) -> None:
    """Engines have no word for "done": their store is looked at until it is so."""
    deadline = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def unrecorded(server: postgres.PostgresServer, jobs: list[int], first: int, last: int) -> set[tuple[int, int]]:
    """The occurrences of jobs of every second in that time (µs) that have not succeeded."""
    found = {(job, at): state for job, at, state in server.execute(FOUND)}
    wanted = {(job, at) for job in jobs for at in range(first, last + 1, SECOND)}
    return {each for each in wanted if found.get(each) != "succeeded"}


def test_connections_dropped_and_a_server_restarted_under_load_lose_nothing(
    server: postgres.PostgresServer, target: str
) -> None:
    url = server.url("postgres")
    began = now()
    database = open_database(url)
    keys = JobStore(database).create_many([JobSpec("* * * * * *", Request(target))] * JOBS, began)
    database.close()
    first = (began // SECOND + 1) * SECOND
    with ExitStack() as nodes:
        threads = [nodes.enter_context(node(url)) for _ in range(2)]
        later(lambda: not unrecorded(server, keys, first, first), "the first second, undisturbed")
        for _ in range(5):
            server.execute(DROP)
            time.sleep(0.3)  # of work between one and the next
        server.stop()
        later(lambda: all(thread.trouble for thread in threads), "both say that the store is away")
        server.start()
        last = (now() // SECOND + 2) * SECOND
        later(lambda: not unrecorded(server, keys, first, last), "all of it, what was due meanwhile included")
        later(lambda: not any(thread.trouble for thread in threads), "both say that all is well")
    each = Counter((job, at) for job, at, _ in server.execute(FOUND))
    assert set(each.values()) == {1}
