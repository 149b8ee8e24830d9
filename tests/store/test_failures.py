from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import exc

from tui_scheduler.store.failures import explain, is_busy


def sqlite_error(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind("in whatever words")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("code", "sentence", "transient"),
    [
        (sqlite3.SQLITE_BUSY, "F is locked by another process", True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "F is locked by another process", True),
        (sqlite3.SQLITE_FULL, "F cannot grow: the disk is full", True),
        (sqlite3.SQLITE_IOERR_FSYNC, "F cannot be used: the disk failed to read or write", True),
        (sqlite3.SQLITE_READONLY, "F cannot be written: the file, its folder or its disk is read-only", False),
        (
            sqlite3.SQLITE_READONLY_DIRECTORY,
            "F cannot be written: the file, its folder or its disk is read-only",
            False,
        ),
        (sqlite3.SQLITE_NOTADB, "F is not an SQLite database", False),
        (sqlite3.SQLITE_CORRUPT_INDEX, "F is damaged; restore it from a copy", False),
        (sqlite3.SQLITE_PERM, "F may not be accessed: permission denied", False),
    ],
)
def test_an_sqlite_error_is_explained_by_its_code(code: int, sentence: str, transient: bool) -> None:
    for error in (sqlite_error(code), exc.OperationalError("SQL", {}, sqlite_error(code))):
        told = explain(error, "F")
        assert told is not None
        assert (str(told), told.transient) == (sentence, transient)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE, 0])
def test_our_own_mistakes_in_sqlite_are_not_explained(code: int) -> None:
    assert explain(sqlite_error(code), "F") is None


def test_a_refused_write_in_a_reading_transaction_is_our_own_mistake() -> None:
    assert explain(sqlite_error(sqlite3.SQLITE_READONLY), "F", reading=True) is None
    assert explain(psycopg.errors.ReadOnlySqlTransaction(), "D", reading=True) is None
    assert explain(sqlite_error(sqlite3.SQLITE_READONLY_DIRECTORY), "F", reading=True) is not None


def test_a_file_that_cannot_be_opened_is_looked_at_for_the_reason(tmp_path: Path) -> None:
    cannot_open = sqlite_error(sqlite3.SQLITE_CANTOPEN)
    told = explain(cannot_open, "F", path=tmp_path / "jobs.db")
    assert told is not None
    assert (str(told), told.transient) == ("F is missing", False)
    (tmp_path / "jobs.db").touch()
    told = explain(cannot_open, "F", path=tmp_path / "jobs.db")
    assert told is not None
    assert (str(told), told.transient) == ("F cannot be opened; perhaps too many files are open", True)


def test_only_locks_are_waited_for() -> None:
    codes = [sqlite3.SQLITE_BUSY_RECOVERY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_FULL, 0]
    assert [is_busy(sqlite_error(code)) for code in codes] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("error", "sentence", "transient"),
    [
        (psycopg.errors.AdminShutdown, "D is shutting down or starting", True),
        (psycopg.errors.CannotConnectNow, "D is shutting down or starting", True),
        (psycopg.errors.TooManyConnections, "D has no connection left: too many are open", True),
        (psycopg.errors.DiskFull, "D cannot grow: the server's disk is full", True),
        (psycopg.errors.OutOfMemory, "D is out of resources", True),
        (psycopg.errors.LockNotAvailable, "D is busy: a lock could not be had in time", True),
        (psycopg.errors.QueryCanceled, "D took too long to answer", True),
        (psycopg.errors.DeadlockDetected, "D asked to try again: two transactions met", True),
        (psycopg.errors.ConnectionFailure, "D lost the connection", True),
        (psycopg.errors.ReadOnlySqlTransaction, "D is read-only now (a standby?)", True),
        (psycopg.errors.InsufficientPrivilege, "D does not permit this user to use or make the tables", False),
        (psycopg.errors.InvalidPassword, "D refused the user or the password", False),
        (psycopg.errors.InvalidCatalogName, "D does not exist", False),
        (psycopg.errors.DataCorrupted, "D is damaged or met an internal error", False),
    ],
)
def test_a_postgresql_error_is_explained_by_its_code(
    error: type[psycopg.Error], sentence: str, transient: bool
) -> None:
    told = explain(exc.DBAPIError("SQL", {}, error("in whatever words")), "D")
    assert told is not None
    assert (str(told), told.transient) == (sentence, transient)


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.UndefinedTable,
        psycopg.errors.SyntaxError,
        psycopg.errors.UniqueViolation,
        psycopg.ProgrammingError,
    ],
)
def test_our_own_mistakes_in_postgresql_are_not_explained(error: type[psycopg.Error]) -> None:
    assert explain(error("in whatever words"), "D") is None


def test_a_pool_that_ran_dry_is_explained() -> None:
    told = explain(exc.TimeoutError(), "D")
    assert told is not None
    assert (str(told), told.transient) == ("D is busy: no connection came free in time", True)


@pytest.mark.parametrize("error", [ValueError("x"), exc.ArgumentError("x")])
def test_anything_else_is_not_about_the_database(error: Exception) -> None:
    assert explain(error, "D") is None
