from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, exc, text

from tests import postgres, sqlite
from tests.store.children import add_one, child
from tui_scheduler.domain.errors import Invalid, StoreUnavailable
from tui_scheduler.store.connections import SqliteFile
from tui_scheduler.store.database import Database, open_database

SET = text("INSERT INTO meta (name, value) VALUES (:name, :value)")
GET = text("SELECT value FROM meta WHERE name = :name")


def put(connection: Connection, name: str, value: int) -> None:
    connection.execute(SET, {"name": name, "value": value})


def get(connection: Connection, name: str) -> int | None:
    return connection.execute(GET, {"name": name}).scalar()


@contextmanager
def as_ordinary_user() -> Iterator[None]:
    """Nothing is read-only for root."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    return sqlite.clean_file(tmp_path)


@pytest.fixture
def file_database(file_url: str) -> Iterator[Database]:
    opened = open_database(file_url)
    yield opened
    opened.close()


# Where it is


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/x/jobs.db", "/x/jobs.db"),
        ("sqlite:////x/jobs.db", "/x/jobs.db"),
        ("sqlite+pysqlite:////x/a b%20#.db", "/x/a b%20#.db"),
        ("sqlite:///jobs.db", f"{os.getcwd()}/jobs.db"),
        ("jobs.db", f"{os.getcwd()}/jobs.db"),
        ("~/jobs.db", str(Path("~/jobs.db").expanduser())),
        ("sqlite:///~/jobs.db", str(Path("~/jobs.db").expanduser())),
    ],
)
def test_an_sqlite_file_is_named_by_its_path_or_by_a_url(url: str, path: str) -> None:
    database = Database(url)
    assert (database.kind, str(database.path), database.url) == ("sqlite", path, f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", ":memory:"])
def test_a_database_in_memory_has_no_path(url: str) -> None:
    database = Database(url)
    assert (database.kind, database.path, database.url) == ("sqlite", None, "sqlite://")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@host:5433/name",
        "postgres://user:s3cret@host:5433/name",
        "postgresql+psycopg://user:s3cret@host:5433/name",
        "postgresql+asyncpg://user:s3cret@host:5433/name?password=s3cret",
    ],
)
def test_a_postgresql_url_is_shown_without_its_password(url: str) -> None:
    database = Database(url)
    assert (database.kind, database.path) == ("postgresql", None)
    assert database.url == "postgresql://user:***@host:5433/name"
    assert "s3cret" not in f"{database!r} {database}"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "says nothing"),
        ("mysql://host/name", "mysql is not a database"),
        ("sqlite://jobs.db", "three slashes"),
        ("sqlite:///jobs.db?mode=ro", "takes no options"),
        ("postgresql://user:s3cret@host:port/name", "is not a url"),
    ],
)
def test_a_url_that_cannot_be_meant_is_refused_with_an_example(url: str, reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as refused:
        Database(url)
    assert refused.value.example
    assert "s3cret" not in str(refused.value)


def test_a_new_file_and_its_folder_are_for_their_owner_only(tmp_path: Path) -> None:
    database = open_database(str(tmp_path / "a" / "b" / "jobs.db"))
    assert database.path is not None
    with database.write() as connection:
        put(connection, "x", 1)
    modes = {file.name: file.stat().st_mode & 0o777 for file in (tmp_path / "a" / "b").iterdir()}
    database.close()
    assert modes == dict.fromkeys(("jobs.db", "jobs.db-wal", "jobs.db-shm", "jobs.db-queue"), 0o600)
    assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o700


# Transactions


def test_what_a_write_did_is_there_afterwards(database: Database) -> None:
    with database.write() as connection:
        put(connection, "x", 7)
    with database.read() as connection:
        assert get(connection, "x") == 7


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_undoes_the_whole_write(database: Database, error: type[BaseException]) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            put(connection, "x", 7)
            raise error

    with pytest.raises(error):
        write_and_fail()
    with database.write() as connection:
        assert get(connection, "x") is None


def test_a_read_sees_one_state_of_the_database_throughout(database: Database) -> None:
    with database.write() as connection:
        put(connection, "x", 1)
    with database.read() as before:
        assert get(before, "x") == 1
        with ThreadPoolExecutor(1) as other:
            other.submit(add_one, database, "x").result()
        assert get(before, "x") == 1
    with database.read() as after:
        assert get(after, "x") == 2


def test_a_read_does_not_wait_for_a_writer(database: Database) -> None:
    with database.write() as writer:
        put(writer, "x", 1)
        with database.read() as reader:
            assert get(reader, "x") is None


def test_a_read_cannot_write_and_that_is_a_bug_not_a_state_of_the_database(database: Database) -> None:
    with pytest.raises(exc.DBAPIError), database.read() as connection:
        put(connection, "x", 1)
    with database.write() as connection:
        assert get(connection, "x") is None


def test_a_broken_constraint_and_a_mistake_in_sql_pass_through(database: Database) -> None:
    with pytest.raises(exc.IntegrityError), database.write() as connection:
        put(connection, "salt", 1)
    with pytest.raises(exc.DBAPIError), database.write() as connection:
        connection.execute(text("SELECT nothing FROM nowhere"))


def test_forty_readers_and_a_writer_are_inside_at_the_same_time(database: Database) -> None:
    everyone = threading.Barrier(41, timeout=60)

    def read() -> int | None:
        with database.read() as connection:
            get(connection, "change_no")
            everyone.wait()
            return get(connection, "change_no")

    with ThreadPoolExecutor(40) as threads:
        readings = [threads.submit(read) for _ in range(40)]
        with database.write() as connection:
            connection.execute(text("UPDATE meta SET value = 5 WHERE name = 'change_no'"))
            everyone.wait()
        assert [reading.result() for reading in readings] == [0] * 40


def test_threads_lose_no_update(database: Database, database_url: str) -> None:
    second = Database(database_url)
    with database.write() as connection:
        put(connection, "x", 0)
    with ThreadPoolExecutor(8) as threads:
        for added in [threads.submit(add_one, each, "x") for each in (database, second) * 50]:
            added.result()
    with database.read() as connection:
        assert get(connection, "x") == 100
    second.close()


def test_two_processes_lose_no_update_and_see_no_lock(database: Database, database_url: str) -> None:
    with database.write() as connection:
        put(connection, "x", 0)
    with child("add", database_url, "x", 300) as one, child("add", database_url, "x", 300) as two:
        for each in (one, two):
            assert each.said() == "ready"
        for each in (one, two):
            each.go_on()
        for each in (one, two):
            assert each.finish() == ""
    with database.read() as connection:
        assert get(connection, "x") == 600


def test_a_write_waits_until_another_process_lets_go(file_database: Database, file_url: str) -> None:
    inside = threading.Event()

    def write() -> None:
        with file_database.write() as connection:
            inside.set()
            put(connection, "x", 1)

    with child("lock", file_url) as other, ThreadPoolExecutor(1) as thread:
        assert other.said() == "locked"
        written = thread.submit(write)
        assert not inside.wait(3)
        other.go_on()
        written.result(timeout=30)
        other.finish()


def test_a_lock_that_outlasts_the_patience_is_told_in_a_sentence(file_database: Database, file_url: str) -> None:
    impatient = Database(file_url, wait_s=0.05)
    with child("lock", file_url) as other:
        assert other.said() == "locked"
        with pytest.raises(StoreUnavailable) as told, impatient.write():
            pass
        assert (
            str(told.value) == f"the database file {file_database.path} has been locked by another process for 0.05 s"
        )
        assert told.value.transient
        other.go_on()
        other.finish()
    with impatient.write() as connection:
        put(connection, "x", 1)
    impatient.close()


def test_a_thread_of_the_same_process_that_keeps_the_lock_is_told_too(file_database: Database, file_url: str) -> None:
    impatient = Database(file_url, wait_s=0.05)

    def write() -> None:
        with impatient.write():
            pass

    with file_database.write(), ThreadPoolExecutor(1) as thread:
        with pytest.raises(StoreUnavailable, match=r"busy for 0\.05 s") as told:
            thread.submit(write).result()
        assert told.value.transient
    impatient.close()


def test_a_commit_that_meets_a_lock_is_tried_again(file_database: Database) -> None:
    """Not in WAL mode, but on a disk that cannot do WAL: there a reader holds up the COMMIT, not the BEGIN."""
    assert isinstance(file_database.connections, SqliteFile)
    assert file_database.path is not None
    with file_database.write() as connection:
        put(connection, "x", 0)
    file_database.connections._readers.dispose()
    ours = file_database.connections._writer.raw_connection()
    ours.cursor().execute("PRAGMA journal_mode = DELETE")
    ours.close()
    reader = sqlite3.connect(file_database.path, isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM meta").fetchall()
    with ThreadPoolExecutor(1) as thread:
        added = thread.submit(add_one, file_database, "x")
        done, _ = wait([added], timeout=0.3)
        assert not done
        reader.execute("COMMIT")
        added.result(timeout=30)
    assert reader.execute("SELECT value FROM meta WHERE name = 'x'").fetchall() == [(1,)]
    reader.close()


@pytest.mark.parametrize("url", ["sqlite://", "FILE"])
def test_a_write_inside_a_write_is_refused_instead_of_waiting_for_itself(url: str, file_url: str) -> None:
    database = Database(file_url) if url == "FILE" else sqlite.clean_memory()
    with pytest.raises(RuntimeError, match="wait for itself"), database.write(), database.write():
        pass
    with database.write() as connection:
        put(connection, "x", 1)
    database.close()


def test_a_database_in_memory_is_one_for_all_threads() -> None:
    database = open_database("sqlite://")
    with database.write() as connection:
        put(connection, "x", 0)
    with ThreadPoolExecutor(8) as threads:
        for added in [threads.submit(add_one, database, "x") for _ in range(100)]:
            added.result()
    with database.read() as connection:
        assert get(connection, "x") == 100
    with pytest.raises(exc.DBAPIError), database.read() as connection:
        put(connection, "y", 1)
    database.close()


# A database that cannot be used


def open_files_and_fail(url: str) -> StoreUnavailable:
    with pytest.raises(StoreUnavailable) as told:
        open_database(url)
    assert "\n" not in str(told.value)
    return told.value


def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 100)
    told = open_files_and_fail(str(path))
    assert (str(told), told.transient) == (f"the database file {path} is not an SQLite database", False)
    assert path.read_text() == "Dear Sir or Madam, " * 100


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    assert str(open_files_and_fail(str(tmp_path))) == f"the database file {tmp_path} is a folder"


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = open_files_and_fail(str(tmp_path / "file" / "jobs.db"))
    assert str(told) == f"the folder {tmp_path / 'file'} is a file"


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that an ordinary user may look into and not write to. pytest's own are for their owner only."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)
        yield folder
        folder.chmod(0o777)


def test_a_folder_that_may_not_be_written_is_named(closed_folder: Path) -> None:
    with as_ordinary_user():
        told = open_files_and_fail(str(closed_folder / "jobs.db"))
    assert str(told) == f"the database file {closed_folder / 'jobs.db'} cannot be made: permission denied"
    assert not told.transient


READ_ONLY = "cannot be written: the file, its folder or its disk is read-only"


@pytest.mark.parametrize(
    ("folder_mode", "file_mode", "reads", "writes"),
    [
        (0o777, 0o444, None, READ_ONLY),
        (0o777, 0o000, "may not be read: permission denied", "may not be read: permission denied"),
        (0o555, 0o666, READ_ONLY, READ_ONLY),  # SQLite keeps its log in the folder, readers need it too
    ],
)
def test_a_file_that_may_not_be_written_says_why(
    closed_folder: Path, folder_mode: int, file_mode: int, reads: str | None, writes: str
) -> None:
    closed_folder.chmod(0o777)
    path = closed_folder / "jobs.db"
    open_database(str(path)).close()
    path.chmod(file_mode)
    closed_folder.chmod(folder_mode)
    database = Database(str(path))

    def add() -> None:
        with database.write() as connection:
            put(connection, "x", 1)

    def look() -> None:
        with database.read() as connection:
            assert get(connection, "x") is None

    with as_ordinary_user():
        for do, sentence in ((look, reads), (add, writes)):
            if sentence is None:
                do()
                continue
            with pytest.raises(StoreUnavailable) as told:
                do()
            assert (str(told.value), told.value.transient) == (f"the database file {path} {sentence}", False)
        database.close()


def test_a_full_disk_is_told_and_passes(file_database: Database) -> None:
    def fill() -> None:
        with file_database.write() as connection:
            connection.execute(text("PRAGMA max_page_count = 1"))  # as if the file could not grow by one page
            for number in range(10_000):
                put(connection, f"x{number}", number)

    with pytest.raises(StoreUnavailable, match="the disk is full") as told:
        fill()
    assert told.value.transient
    with file_database.write() as connection:
        connection.execute(text("PRAGMA max_page_count = 1000000"))
        put(connection, "x1", 1)
    with file_database.read() as connection:
        assert get(connection, "x1") == 1
        assert get(connection, "x0") is None


def test_a_damaged_file_is_told(file_database: Database) -> None:
    path = file_database.path
    assert path is not None
    file_database.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    with pytest.raises(StoreUnavailable, match="is damaged") as told, file_database.read() as connection:
        get(connection, "x")
    assert not told.value.transient


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_removed_takes_no_more_writes(file_database: Database, replaced: bool) -> None:
    path = file_database.path
    assert path is not None
    with file_database.write() as connection:
        put(connection, "x", 1)
    path.unlink()
    if replaced:
        sqlite3.connect(path).close()
        path.touch()
    for transaction in (file_database.write, file_database.read):
        with pytest.raises(StoreUnavailable, match="removed or replaced") as told, transaction():
            pass
        assert not told.value.transient


def test_a_file_that_is_missing_is_not_made_by_the_way(tmp_path: Path) -> None:
    database = Database(str(tmp_path / "jobs.db"))
    with pytest.raises(StoreUnavailable, match=r"jobs\.db is missing"), database.read():
        pass
    assert not (tmp_path / "jobs.db").exists()


# PostgreSQL away


@postgres.needs_postgres
def test_a_restart_of_the_server_costs_one_transaction_at_most() -> None:
    own = postgres.PostgresServer()  # nobody else's
    try:
        database = open_database(own.url("postgres"))
        with database.read():
            pass
        own.stop()
        with pytest.raises(StoreUnavailable) as broken, database.write() as connection:
            put(connection, "x", 1)
        with pytest.raises(StoreUnavailable) as away, database.read():
            pass
        own.start()
        with database.write() as connection:
            put(connection, "x", 2)
        with database.read() as connection:
            assert get(connection, "x") == 2
        own.stop()
        own.start()
        with pytest.raises(StoreUnavailable) as back, database.write() as connection:
            put(connection, "x", 3)
        with database.read() as connection:
            assert get(connection, "x") == 2
        database.close()
    finally:
        own.end()
    for told in (broken, away, back):
        assert told.value.transient
        assert "\n" not in str(told.value)


@postgres.needs_postgres
def test_a_connection_broken_in_the_middle_undoes_the_write_and_is_told() -> None:
    def write_and_lose_the_connection(database: Database) -> None:
        with database.write() as connection:
            put(connection, "x", 1)
            pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
            postgres.server().execute(f"SELECT pg_terminate_backend({pid}, 10000)")
            put(connection, "y", 1)

    with postgres.clean_database() as url:
        database = open_database(url)
        with pytest.raises(StoreUnavailable) as told:
            write_and_lose_the_connection(database)
        assert told.value.transient
        with database.write() as connection:
            assert get(connection, "x") is None
        database.close()


@postgres.needs_postgres
@pytest.mark.parametrize(
    ("name", "user", "password", "sentence"),
    [
        ("postgres", postgres.WITH_PASSWORD, "wr0ng", 'password authentication failed for user "guarded"'),
        ("postgres", postgres.WITH_PASSWORD, None, "fe_sendauth: no password supplied"),
        ("nowhere", postgres.SUPERUSER, "wr0ng", 'database "nowhere" does not exist'),
        ("postgres", "nobody", "wr0ng", 'role "nobody" does not exist'),
    ],
)
def test_a_server_that_refuses_is_quoted_without_the_password(
    name: str, user: str, password: str | None, sentence: str
) -> None:
    told = open_files_and_fail(postgres.server().url(name, user=user, password=password))
    assert str(told).endswith(f"cannot be reached: {sentence}")
    assert not told.transient
    assert "wr0ng" not in str(told)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("postgresql://u:p@127.0.0.1:1/x", "Connection refused"),
        ("postgresql://u:p@/x?host=/nowhere", "No such file or directory"),
    ],
)
def test_a_server_that_is_not_there_may_come_back(url: str, sentence: str) -> None:
    told = open_files_and_fail(url)
    assert str(told).endswith(f"cannot be reached: {sentence}")
    assert told.transient
