"""The database: where it is, its transactions, and its errors in plain words.

    with database.write() as connection:
        connection.execute(...)

One `with` is one transaction. Rows are read and written through SQLAlchemy Core on the tables of `store.tables`.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import URL, Connection, exc, make_url, text

from tui_scheduler.domain.errors import Invalid, StoreUnavailable
from tui_scheduler.store.connections import Connections, Postgres, SqliteFile, SqliteMemory
from tui_scheduler.store.dialects import Dialect, Kind, PostgresDialect, SqliteDialect
from tui_scheduler.store.failures import explain
from tui_scheduler.store.migrate import is_up_to_date, migrate

_SQLITE_PREFIXES: Final = ("sqlite://", "sqlite+pysqlite://")
_EXAMPLES: Final = "/var/lib/jobs.db or postgresql://user:password@host/name"
_READ_SALT: Final = text("SELECT value FROM meta WHERE name = 'salt'")  # primary key of meta


class Database:
    """One database, usable from many threads. Nothing is opened before the first transaction.

    `url` is as people write it: a path, `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` (in memory),
    `postgresql://user:password@host/name`. `wait_s` is how long to wait for a lock before giving up.

    Raises `Invalid` for a url that cannot be understood.
    """

    def __init__(self, url: str, *, wait_s: float = 60.0) -> None:
        self.wait_s = wait_s
        self.path: Path | None = None
        self.kind: Kind
        self.dialect: Dialect
        self.connections: Connections
        self._salt: int | None = None
        location = _parse(url)
        if isinstance(location, URL):
            self.kind = "postgresql"
            self.dialect = PostgresDialect()
            self.url = _masked(location)
            self._where = f"the database {self.url}"
            self.connections = Postgres(location, wait_s)
            return
        self.kind = "sqlite"
        self.dialect = SqliteDialect()
        self.path = location
        self.url = f"sqlite:///{location or ''}".removesuffix("/")
        self._where = f"the database file {location}" if location else "the database in memory"
        self.connections = SqliteFile(location, wait_s) if location else SqliteMemory(wait_s)

    def __repr__(self) -> str:
        return f"Database({self.url!r})"

    def __str__(self) -> str:
        return self._where

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database throughout, waits for no writer and cannot write."""
        with self.explained(reading=True), self.connections.read() as connection:
            yield connection

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back by any exception.

        One that need not be `durable` may be undone, as a whole, by a power cut soon after it: its commit does not wait
        for the disk. Never by the end of a process.

        On SQLite it has the file to itself from its first moment, so what it reads stays true until it commits.

        Raises `StoreUnavailable`; nothing is committed then, except that a connection lost during the COMMIT itself
        leaves it unknown (every write of ours may be repeated).
        """
        with self.explained(), self.connections.write(durable) as connection:
            yield connection

    @property
    def salt(self) -> int:
        """A random number of 30 bits that this database was given when it was made."""
        if self._salt is None:
            with self.read() as connection:
                self._salt = int(connection.execute(_READ_SALT).scalar_one())
        return self._salt

    def close(self) -> None:
        self.connections.close()

    @contextmanager
    def explained(self, *, reading: bool = False) -> Iterator[None]:
        """Driver errors that mean the database cannot be used leave as `StoreUnavailable`; bugs leave as they are."""
        try:
            yield
        except (exc.SQLAlchemyError, sqlite3.Error) as error:
            sentence = explain(error, self._where, path=self.path, reading=reading)
            if sentence is None:
                raise
            raise sentence from error


def open_database(url: str, *, wait_s: float = 60.0) -> Database:
    """The database at `url`, made if it is an SQLite file that is not there, with its tables up to date.

    Raises `Invalid` for a url that cannot be understood, `StoreUnavailable` for a database that cannot be used.
    """
    database = Database(url, wait_s=wait_s)
    try:
        if database.path is not None:
            _make_file(database.path)
        with database.read() as connection:
            up_to_date = is_up_to_date(database.dialect, connection)
        if not up_to_date:
            with database.write() as connection:
                migrate(database.dialect, connection, str(database))
    except BaseException:
        database.close()
        raise
    return database


def join_database(url: str, *, wait_s: float = 60.0) -> Database:
    """The database at `url` as another process of this program has opened it: nothing is made and nothing migrated.

    Raises `Invalid` and `StoreUnavailable` as `open_database` does, also for tables of another version.
    """
    database = Database(url, wait_s=wait_s)
    try:
        with database.read() as connection:
            if not is_up_to_date(database.dialect, connection):
                raise StoreUnavailable(
                    f"{database} has tables of another version of tui-scheduler by now; start the server again",
                    transient=False,
                )
    except BaseException:
        database.close()
        raise
    return database


def _make_file(path: Path) -> None:
    """An empty file that only its owner may read: jobs carry credentials. SQLite gives its side files the same mode."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if not path.parent.is_dir():
            raise StoreUnavailable(f"the folder {path.parent} is a file", transient=False) from None
        if path.is_dir():
            raise StoreUnavailable(f"the database file {path} is a folder", transient=False) from None
    except OSError as error:
        reason = (error.strerror or "unknown error").lower()
        raise StoreUnavailable(f"the database file {path} cannot be made: {reason}", transient=False) from error


def _parse(url: str) -> URL | Path | None:
    """PostgreSQL's url for SQLAlchemy, the path of an SQLite file, or None for SQLite in memory."""
    if not url.strip():
        raise Invalid("database", "says nothing", example=_EXAMPLES)
    scheme, separator, rest = url.partition("://")
    if not separator:
        if url == ":memory:":
            return None
        return Path(url).expanduser().resolve()
    if url.startswith(_SQLITE_PREFIXES):
        if rest in {"", "/", "/:memory:"}:
            return None
        if not rest.startswith("/"):
            raise Invalid(
                "database", "an SQLite url has three slashes, four when absolute", example="sqlite:///jobs.db"
            )
        if "?" in rest:
            raise Invalid("database", "an SQLite url takes no options", example="sqlite:///jobs.db")
        return Path(rest[1:]).expanduser().resolve()
    if scheme.partition("+")[0] not in {"postgresql", "postgres"}:
        raise Invalid("database", f"{scheme} is not a database this program knows", example=_EXAMPLES)
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise Invalid("database", "is not a url", example=_EXAMPLES) from None  # the cause would show the password
    return parsed.set(drivername="postgresql+psycopg")


def _masked(url: URL) -> str:
    shown = url.set(drivername="postgresql").difference_update_query(["password", "sslpassword"])
    return shown.render_as_string(hide_password=True)
