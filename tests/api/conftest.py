"""The API on a real socket: uvicorn in a thread, asked by httpx."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tui_scheduler.api.app import create_app
from tui_scheduler.api.server import ApiServer, address_of, listen
from tui_scheduler.control.control import Control
from tui_scheduler.control.local import LocalControl
from tui_scheduler.store.database import Database, open_database

Serve = Callable[..., httpx.Client]


@contextmanager
def serving(control: Control, **options: Any) -> Iterator[httpx.Client]:
    started = Event()
    with listen("127.0.0.1", 0) as listener:
        server = ApiServer(create_app(control, **options), on_started=started.set)
        thread = Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert started.wait(10)
            with httpx.Client(base_url=address_of(listener), timeout=20, trust_env=False) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(10)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Starts a server over a `Control` and gives a client for it; all are stopped at the end."""
    with ExitStack() as stack:
        yield lambda control, **options: stack.enter_context(serving(control, **options))


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder: Path = tmp_path_factory.mktemp("api")
    opened = open_database(str(folder / "jobs.db"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def control(database: Database) -> LocalControl:
    return LocalControl(database, now=lambda: time.time_ns() // 1_000, wake=lambda: None)


@pytest.fixture(scope="module")
def api(serve: Serve, control: LocalControl) -> httpx.Client:
    """One server on one SQLite file for all tests of a module: each makes the jobs it looks at."""
    return serve(control)


@pytest.fixture
def job(api: httpx.Client) -> str:
    """The id of a new job that will not fire soon."""
    answer = api.post(
        "/api/jobs", json={"schedule": "0 0 0 1 1 *", "api": "http://127.0.0.1:9/", "type": "ATLEAST_ONCE"}
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["jobId"])
