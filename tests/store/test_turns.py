"""Whose turn it is to write: nobody who waits is overtaken for long, and nobody waits for what stands still."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests import sqlite
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.store import turns
from tui_scheduler.store.connections import SqliteFile
from tui_scheduler.store.turns import Queue

LONG = 60


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    sqlite.clean_file(tmp_path / "folder")
    (tmp_path / "other").symlink_to(tmp_path / "folder")
    return tmp_path / "folder" / "jobs.db"


@pytest.fixture
def as_another(path: Path) -> Path:
    """The same file by another name: as for another process, the turn among threads is another one."""
    return path.parents[1] / "other" / path.name


def queue_file(path: Path) -> Path:
    return path.with_name("jobs.db-queue")


@contextmanager
def place_taken(path: Path) -> Iterator[None]:
    """As by a process that is stopped while it is first."""
    with queue_file(path).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def wait_until_taken(path: Path) -> None:
    """Until somebody is first. Nothing tells of it, so look again and again."""
    deadline = time.monotonic() + LONG
    while time.monotonic() < deadline:
        with queue_file(path).open("a") as probe:
            try:
                fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
        time.sleep(0.01)
    raise AssertionError("nobody queues")


def test_who_waits_goes_before_who_comes_back(path: Path, as_another: Path) -> None:
    order: list[str] = []
    with (
        closing(SqliteFile(path, LONG)) as busy,
        closing(SqliteFile(as_another, LONG)) as patient,
        ThreadPoolExecutor() as threads,
    ):

        def write_once() -> None:
            with patient.write():
                order.append("who waited")

        with busy.write():
            waiting = threads.submit(write_once)
            wait_until_taken(path)
        with busy.write():
            order.append("who came back")
        waiting.result(LONG)
    assert order == ["who waited", "who came back"]


def test_one_that_stands_still_in_the_queue_holds_nobody_up_for_long(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    monkeypatch.setattr(turns, "PATIENCE_S", 0.05)
    with closing(SqliteFile(path, LONG)) as file, place_taken(path):
        with file.write():
            assert waits != []
        waits.clear()
        with file.write():
            assert waits == [], "it is not waited for a second time"


def test_after_a_while_it_is_queued_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "PATIENCE_S", 0.0)
    monkeypatch.setattr(turns, "DISTRUST_S", 0.0)
    queue = Queue(path)
    with place_taken(path), queue.first():
        pass
    with queue.first():
        wait_until_taken(path)
    queue.close()


def test_a_queue_that_cannot_be_is_none(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "missing" / "jobs.db")
    with queue.first(), queue.first():
        pass
    queue.close()


def test_nothing_is_left_behind_and_who_stays_makes_it_anew(path: Path, as_another: Path) -> None:
    one, other = SqliteFile(path, LONG), SqliteFile(as_another, LONG)
    for file in (one, other):
        with file.write():
            assert queue_file(path).exists()
    one.close()
    assert not queue_file(path).exists()
    with other.write():
        assert queue_file(path).stat().st_mode & 0o777 == 0o600
    other.close()
    assert [each.name for each in path.parent.iterdir()] == ["jobs.db"]


def test_the_place_is_free_again_when_the_lock_cannot_be_had(path: Path, as_another: Path) -> None:
    with closing(SqliteFile(path, LONG)) as busy, closing(SqliteFile(as_another, 0.05)) as hasty:
        with busy.write(), pytest.raises(StoreUnavailable, match="locked by another process"), hasty.write():
            raise AssertionError("two at a time")
        with queue_file(path).open("a") as probe:
            fcntl.flock(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
