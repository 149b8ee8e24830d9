from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, insert, select, text

from tests import postgres
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.tables import ExecutionRow

EXECUTION = ExecutionRow.__table__  # type: ignore[attr-defined]
ROW = {
    "job_id": 1,
    "job_version": 1,
    "scheduled_for": 0,
    "fire_at": 0,
    "trigger": "manual",
    "state": "succeeded",
    "attempt": 1,
    "claim_no": 1,
    "rescues": 0,
    "priority": 5,
    "cancel_requested": False,
}


def add_execution(connection: Connection, **columns: object) -> int:
    key = connection.execute(insert(EXECUTION).values({**ROW, **columns})).inserted_primary_key
    assert key is not None
    return int(key[0])


def test_reserved_ids_rise_and_are_never_reserved_again(database: Database) -> None:
    with database.write() as connection:
        first = database.dialect.reserve_execution_ids(connection, 3)
        second = database.dialect.reserve_execution_ids(connection, 2)
        assert database.dialect.reserve_execution_ids(connection, 0) in ([], range(0))
    with database.write() as connection:
        third = database.dialect.reserve_execution_ids(connection, 1)
    ids = [*first, *second, *third]
    assert ids == sorted(set(ids))
    assert len(ids) == 6


def test_a_row_with_a_reserved_id_and_one_that_asks_for_an_id_get_along(database: Database) -> None:
    with database.write() as connection:
        [reserved] = database.dialect.reserve_execution_ids(connection, 1)
        add_execution(connection, id=reserved)
        assert add_execution(connection) > reserved


def test_ids_are_not_given_again_after_the_newest_rows_were_pruned(database: Database) -> None:
    with database.write() as connection:
        ids = database.dialect.reserve_execution_ids(connection, 5)
        for each in ids:
            add_execution(connection, id=each)
    with database.write() as connection:
        connection.execute(text("DELETE FROM execution"))
    with database.write() as connection:
        assert min(database.dialect.reserve_execution_ids(connection, 5)) > max(ids)


def test_an_sqlite_row_inserted_with_a_higher_id_of_its_own_raises_the_mark() -> None:
    database = open_database("sqlite://")
    with database.write() as connection:
        add_execution(connection, id=1000)
        connection.execute(text("DELETE FROM execution"))
        assert list(database.dialect.reserve_execution_ids(connection, 2)) == [1001, 1002]
    database.close()


def test_change_numbers_follow_the_order_of_commits(database: Database) -> None:
    """The one that asks second waits for the commit of the first, even when a later number would be free already."""
    asked = threading.Event()

    def edit() -> int:
        asked.set()
        with database.write() as connection:
            database.dialect.serialize_edits(connection)
            return database.dialect.next_change_no(connection)

    with ThreadPoolExecutor(1) as thread:
        with database.write() as connection:
            database.dialect.serialize_edits(connection)
            later = thread.submit(edit)
            asked.wait()
            first = database.dialect.next_change_no(connection)
            assert not later.done()
        assert later.result() == first + 1


def test_a_change_number_that_was_rolled_back_is_given_again(database: Database) -> None:
    def edit_and_fail() -> None:
        with database.write() as connection:
            database.dialect.next_change_no(connection)
            raise KeyError

    with pytest.raises(KeyError):
        edit_and_fail()
    with database.write() as connection:
        assert database.dialect.next_change_no(connection) == 1


def test_a_list_of_any_length_is_bound_as_one_value(database: Database) -> None:
    dialect = database.dialect
    with database.write() as connection:
        ids = [add_execution(connection) for _ in range(5)]
        query = text(f"SELECT id FROM execution WHERE id {dialect.in_list('ids')} ORDER BY id")
        for wanted in ([], ids[1:2], ids[1:4], [*ids, 2**62]):
            found = connection.execute(query, {"ids": dialect.list_value(wanted)}).scalars().all()
            assert found == [each for each in ids if each in wanted]


@postgres.needs_postgres
def test_claimed_rows_are_skipped_by_others() -> None:
    with postgres.clean_database() as url:
        database = open_database(url)
        with database.write() as connection:
            ids = [add_execution(connection) for _ in range(2)]
        query = text("SELECT id FROM execution ORDER BY id LIMIT 1" + database.dialect.lock_rows)
        with database.write() as one, database.write() as two:
            assert [one.execute(query).scalar_one(), two.execute(query).scalar_one()] == ids
        database.close()


def test_the_salt_stays_and_has_thirty_bits(database: Database, database_url: str) -> None:
    again = open_database(database_url)
    assert again.salt == database.salt
    assert 0 <= database.salt < 2**30
    with database.read() as connection:
        assert connection.execute(select(text("count(*)")).select_from(EXECUTION)).scalar_one() == 0
    again.close()
