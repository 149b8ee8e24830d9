"""Connections and transactions of each database: how a transaction begins, waits its turn and ends."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol, cast
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.pool import NullPool, QueuePool, StaticPool

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.store.failures import is_busy
from tui_scheduler.store.turns import Queue, Turn, turn_of


class Connections(Protocol):
    """What `Database` needs. Errors come out as the driver raises them, apart from `StoreUnavailable` of our own."""

    def read(self) -> Any: ...  # a context manager giving a Connection
    def write(self, durable: bool = True) -> Any: ...
    def shrink(self) -> None: ...
    def close(self) -> None: ...


class SqliteFile:
    """The driver stays in autocommit and every BEGIN is ours: the default deferred transaction lets two writers read
    the same state and fails the second at its first write, whatever the timeout.

    Readers have connections of their own that cannot write (`query_only`): in WAL mode they neither wait for the
    writer nor hold it up.
    """

    # Pages the writer keeps in memory: 16 MiB, enough for the working set of a batch with all its indexes.
    # No mmap: a failing disk would then kill the process (SIGBUS) instead of giving an error.
    _WRITER: Final = (
        "PRAGMA journal_mode = WAL",  # kept in the file once set; first openers race for it
        "PRAGMA synchronous = FULL",  # what is committed survives a power cut
        "PRAGMA cache_size = -16384",
        "PRAGMA wal_autocheckpoint = 2000",  # pages: 8 MiB
        "PRAGMA journal_size_limit = 67108864",  # a log swollen by one long reader shrinks again
        "PRAGMA temp_store = MEMORY",
    )
    # Before a file has its first page: see `shrink`. Later it is in vain, and yet a write, which needs the lock.
    _EMPTY_FILE: Final = ("PRAGMA auto_vacuum = INCREMENTAL",)
    _READER: Final = ("PRAGMA cache_size = -4096", "PRAGMA temp_store = MEMORY", "PRAGMA query_only = ON")

    def __init__(self, path: Path, wait_s: float) -> None:
        self._path = path
        self._wait_s = wait_s
        self._where = f"the database file {path}"
        self._turn = turn_of(path)
        self._queue = Queue(path)
        self._file_id: tuple[int, int] | None = None
        self._writer = create_engine("sqlite://", creator=self._connect_writer, poolclass=QueuePool, pool_size=1)
        self._readers = create_engine(
            "sqlite://",
            creator=self._connect_reader,
            poolclass=QueuePool,
            pool_size=8,  # kept open
            max_overflow=56,  # with some 40 threads of the API nobody waits
            pool_timeout=wait_s,
            pool_use_lifo=True,  # the warmest cache first
        )

    def _open(self) -> sqlite3.Connection:
        # mode=rw: a file that somebody removed is an error, never a new empty database.
        raw = sqlite3.connect(
            f"file:{quote(str(self._path))}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        found = os.stat(self._path)
        if self._file_id is None:
            self._file_id = (found.st_dev, found.st_ino)
        return raw

    def _connect_writer(self) -> sqlite3.Connection:
        raw = self._open()
        try:
            if os.stat(self._path).st_size == 0:
                self._set_up(raw, self._EMPTY_FILE)
            self._set_up(raw, self._WRITER)
        except BaseException:
            raw.close()
            raise
        return raw

    def _connect_reader(self) -> sqlite3.Connection:
        raw = self._open()
        try:
            self._set_up(raw, self._READER)
        except BaseException:
            raw.close()
            raise
        return raw

    def _set_up(self, raw: sqlite3.Connection, pragmas: Iterable[str]) -> None:
        """Any of them may read the file, and meet the lock of one who opens or closes it for the first or last time."""
        for pragma in pragmas:
            self._patiently(partial(_fetch, raw, pragma), self._deadline())

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._readers.connect() as connection, connection.begin():
            raw = cast(sqlite3.Connection, connection.connection.driver_connection)
            self._check_file()
            self._patiently(lambda: _begin_reading(raw), self._deadline())
            yield connection

    @contextmanager
    def write(self, durable: bool = True) -> Iterator[Connection]:
        deadline = self._deadline()
        with (
            self._turn.taken(self._wait_s, self._where),
            self._writer.connect() as connection,
            connection.begin(),
        ):
            raw = cast(sqlite3.Connection, connection.connection.driver_connection)
            self._check_file()
            with nullcontext() if durable else self._relaxed(raw, deadline):
                with self._queue.first():
                    self._patiently(lambda: raw.execute("BEGIN IMMEDIATE"), deadline, longest_s=0.004)
                yield connection
                # Here and not by SQLAlchemy, because a COMMIT that met a lock may be tried again.
                self._patiently(lambda: raw.execute("COMMIT"), self._deadline())

    @contextmanager
    def _relaxed(self, raw: sqlite3.Connection, deadline: float) -> Iterator[None]:
        """Commits reach the disk with the next durable one, or at a checkpoint."""
        self._patiently(partial(_fetch, raw, "PRAGMA synchronous = NORMAL"), deadline)
        try:
            yield
        finally:
            if raw.in_transaction:
                raw.rollback()  # the setting cannot be changed inside a transaction
            _fetch(raw, "PRAGMA synchronous = FULL")

    def shrink(self) -> None:
        """One step of giving back to the file system what the file and its log do not need; returns at once when there
        is nothing to give back. A log that readers kept from being begun anew is copied to its end and cut off, as soon
        as none of them needs it.
        """
        with suppress(FileNotFoundError):
            if os.stat(f"{self._path}-wal").st_size > _LARGE_LOG:
                self._cut_log()
        with self.read() as connection:
            free = connection.exec_driver_sql("PRAGMA freelist_count").scalar_one()
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        if free > max(pages // 4, _FEW_PAGES):
            with self.write(durable=False) as connection:
                for _ in range(_STEP):
                    connection.exec_driver_sql("PRAGMA incremental_vacuum(1)")  # the driver steps a statement once

    def _cut_log(self) -> None:
        """Without waiting for readers that have an old state: another round comes."""
        with self._turn.taken(self._wait_s, self._where), self._writer.connect() as connection:
            raw = cast(sqlite3.Connection, connection.connection.driver_connection)
            for _ in range(_TRIES):
                (is_needed, _, _) = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not is_needed:
                    return
                time.sleep(0.001)

    def close(self) -> None:
        self._readers.dispose()
        self._writer.dispose()
        self._queue.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._wait_s

    def _patiently(self, step: Callable[[], object], deadline: float, longest_s: float = 0.02) -> None:
        """Do `step` again while another process is in the way, with short uneven waits so that nobody starves."""
        wait_s = 0.001
        while True:
            try:
                step()
                return
            except sqlite3.Error as error:
                if not is_busy(error):
                    raise
                if time.monotonic() >= deadline:
                    raise StoreUnavailable(
                        f"{self._where} has been locked by another process for {self._wait_s:g} s", transient=True
                    ) from error
            time.sleep(random.uniform(wait_s / 4, wait_s))
            wait_s = min(2 * wait_s, longest_s)

    def _check_file(self) -> None:
        """A removed file can still be written, and all of it is lost at the end. 2 microseconds."""
        with suppress(FileNotFoundError):
            found = os.stat(self._path)
            if (found.st_dev, found.st_ino) == self._file_id:
                return
        raise StoreUnavailable(f"{self._where} was removed or replaced while in use; start again", transient=False)


_LARGE_LOG: Final = 64 << 20
"""Bytes; eight times what a checkpoint begins at."""

_TRIES: Final = 20
"""A millisecond apart: readers come and go."""

_FEW_PAGES: Final = 4_096
"""16 MiB that stay in the file however much of it is free: they are used again."""

_STEP: Final = 256
"""Pages given back in one step, which takes some milliseconds."""


def _fetch(raw: sqlite3.Connection, statement: str) -> None:
    raw.execute(statement).fetchall()


def _begin_reading(raw: sqlite3.Connection) -> None:
    """BEGIN alone takes no snapshot; the first read does, and may meet a lock. So it is done here."""
    raw.execute("BEGIN")
    try:
        raw.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except BaseException:
        raw.rollback()
        raise


class SqliteMemory:
    """One connection for all threads; transactions, reading ones too, come one after another. For the simulation."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._turn = Turn()
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=StaticPool)

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._transaction("PRAGMA query_only = ON") as connection:
            yield connection

    @contextmanager
    def write(self, durable: bool = True) -> Iterator[Connection]:  # noqa: ARG002 - nothing here is
        with self._transaction("PRAGMA query_only = OFF") as connection:
            yield connection

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[Connection]:
        with (
            self._turn.taken(self._wait_s, "the database in memory"),
            self._engine.connect() as connection,
            connection.begin(),
        ):
            raw = cast(sqlite3.Connection, connection.connection.driver_connection)
            raw.execute(mode)
            raw.execute("BEGIN")
            yield connection

    def shrink(self) -> None:
        """Nothing to give back: it ends with the process."""

    def close(self) -> None:
        self._engine.dispose()


class Postgres:
    """A dropped connection costs the transaction it breaks and no other: SQLAlchemy then empties the pool."""

    def __init__(self, url: URL, wait_s: float) -> None:
        self._url = url
        self._wait_ms = int(wait_s * 1000)
        self._engine = create_engine(
            url,
            pool_size=5,  # kept open: several nodes share the server's 100
            max_overflow=45,
            pool_timeout=wait_s,
            pool_use_lifo=True,
            pool_recycle=900,  # s; before a firewall forgets an idle one
            connect_args=_connect_args(url),
        )
        event.listen(self._engine, "connect", self._set_up)
        self._writer = self._engine.execution_options(isolation_level="READ COMMITTED")
        # All statements of one read see one snapshot, as on SQLite; a read-only one never fails to serialize.
        self._readers = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def _set_up(self, raw: Any, _record: object) -> None:
        # SET and not libpq's `options`, which connection poolers refuse. jit: our statements are short.
        raw.autocommit = True
        raw.execute(
            "SELECT set_config('statement_timeout', %(ms)s, false), set_config('lock_timeout', %(ms)s, false),"
            " set_config('idle_in_transaction_session_timeout', %(ms)s, false), set_config('jit', 'off', false)",
            {"ms": str(self._wait_ms)},
        )
        raw.autocommit = False

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self, durable: bool = True) -> Iterator[Connection]:
        with self._writer.begin() as connection:
            if not durable:
                connection.exec_driver_sql("SET LOCAL synchronous_commit TO off")
            yield connection

    def open_alone(self) -> Connection:
        """A connection outside the pool, in autocommit, for a lock that lasts as long as it. Close it yourself."""
        alone = {**_connect_args(self._url), "tcp_user_timeout": 5_000, "options": "-c statement_timeout=5000"}
        return create_engine(self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT", connect_args=alone).connect()

    def shrink(self) -> None:
        """Nothing to give back: autovacuum does that."""

    def close(self) -> None:
        self._engine.dispose()


def _connect_args(url: URL) -> dict[str, Any]:
    """libpq's parameters, apart from those the url gives itself."""
    ours = {
        "application_name": "tui-scheduler",
        "connect_timeout": 10,  # s
        "keepalives_idle": 30,  # s; a server that vanished without a word is noticed within a minute
        "keepalives_interval": 10,
        "keepalives_count": 3,
        "tcp_user_timeout": 30_000,  # ms
    }
    return {name: value for name, value in ours.items() if name not in url.query}
