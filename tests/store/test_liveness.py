from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

from tests import postgres
from tests.store.children import child
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.liveness import bury, hold, is_free

DEADLINE_S: Final = 20.0


def test_a_lock_is_free_before_during_not_and_after_again(database: Database) -> None:
    assert is_free(database, 1)
    lock = hold(database, 1)
    assert lock.is_still_held()
    assert not is_free(database, 1)
    assert is_free(database, 2)
    lock.release()
    wait_until_free(database, 1)
    assert not lock.is_still_held()
    lock.release()


def test_a_lock_is_held_once_even_within_a_process(database: Database, database_url: str) -> None:
    other = Database(database_url)
    lock = hold(database, 1)
    with pytest.raises(StoreUnavailable, match="held by another process") as told:
        hold(other, 1)
    assert not told.value.transient
    assert lock.is_still_held()
    assert not is_free(other, 1)
    lock.release()
    wait_until_free(database, 1)
    hold(other, 1).release()
    other.close()


def test_the_lock_of_a_killed_process_is_free_at_once_though_its_child_lives(
    database: Database, database_url: str
) -> None:
    with child("hold_lock", database_url, 7) as holder:
        word, held, lasting = holder.said().split()
        assert (word, held) == ("held", "True")
        try:
            assert not is_free(database, 7)
            holder.kill()
            wait_until_free(database, 7)
        finally:
            os.kill(int(lasting), signal.SIGKILL)
    bury(database, 7)
    assert is_free(database, 7)


def wait_until_free(database: Database, node_id: int) -> None:
    if database.kind == "sqlite":
        assert is_free(database, node_id)
        return
    end = time.monotonic() + DEADLINE_S
    while not is_free(database, node_id):  # a round trip each; the server closes the session a while after the socket
        assert time.monotonic() < end, "the server did not notice"


def test_two_observers_do_not_take_each_other_for_the_holder(database: Database) -> None:
    lock = hold(database, 1)
    with ThreadPoolExecutor(8) as threads:
        assert not any(threads.map(lambda _: is_free(database, 1), range(200)))
        lock.release()
        wait_until_free(database, 1)
        assert all(threads.map(lambda _: is_free(database, 1), range(200)))


def test_lock_files_lie_beside_the_database_and_go_with_the_holder(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "jobs.db"))
    lock = hold(database, 12)
    file = tmp_path / "jobs.db-node-12"
    assert file.stat().st_mode & 0o777 == 0o600
    lock.release()
    assert not file.exists()
    file.touch()  # as a killed holder leaves it
    assert is_free(database, 12)
    bury(database, 12)
    bury(database, 12)
    assert not file.exists()
    database.close()


def test_a_holder_whose_file_was_removed_knows_that_it_counts_as_dead(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "jobs.db"))
    lock = hold(database, 12)
    bury(database, 12)
    assert is_free(database, 12)
    assert not lock.is_still_held()
    newer = hold(database, 12)
    assert not lock.is_still_held()
    lock.release()
    assert newer.is_still_held()
    newer.release()
    database.close()


def test_a_lock_file_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "jobs.db"))
    (tmp_path / "jobs.db-node-1").mkdir()
    with pytest.raises(StoreUnavailable, match="cannot be used: is a directory"):
        hold(database, 1)
    database.close()


def test_nobody_dies_in_a_database_in_memory() -> None:
    database = open_database("sqlite://")
    lock = hold(database, 1)
    assert lock.is_still_held()
    assert not is_free(database, 1)
    lock.release()
    bury(database, 1)
    database.close()


@postgres.needs_postgres
def test_a_holder_whose_connection_broke_knows_that_it_counts_as_dead() -> None:
    with postgres.clean_database() as url:
        database = open_database(url)
        lock = hold(database, 1)
        postgres.server().execute(
            "SELECT pg_terminate_backend(l.pid, 10000) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            f" WHERE locktype = 'advisory' AND d.datname = '{name_of(url)}'"
        )
        assert is_free(database, 1)
        assert not lock.is_still_held()
        hold(database, 1).release()
        assert not lock.is_still_held()
        lock.release()
        database.close()


def name_of(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]
