"""Node locks: each running engine holds one, and the system drops it the moment the engine's process is gone.

On SQLite it is an flock on a file beside the database, on PostgreSQL an advisory lock of a connection of its own. A
lock that is free means that its holder is gone for certain, at once, without any clock. A lock that is held means
less: the process is there, but it may hang; that is what heartbeats are for.
"""

from __future__ import annotations

import fcntl
import os
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from tui_scheduler.domain.errors import SchedulerError, StoreUnavailable
from tui_scheduler.store.connections import Postgres
from tui_scheduler.store.database import Database

# The first number is the salt of the database's tables: two installations may share one PostgreSQL database.
_TAKE: Final = text("SELECT pg_try_advisory_lock(:salt, :node)")
# Shared, so that two observers are not in each other's way; it ends with the transaction that asks.
_PROBE: Final = text("SELECT pg_try_advisory_xact_lock_shared(:salt, :node)")
_ALIVE: Final = text("SELECT 1")


class NodeLock(ABC):
    """Held from `hold()` until `release()` or the end of the process."""

    @abstractmethod
    def is_still_held(self) -> bool:
        """False for good once it is lost: others may take this node for dead. Waits at most some 5 s."""

    @abstractmethod
    def release(self) -> None:
        """A clean stop; a second time does nothing."""


def hold(database: Database, node_id: int) -> NodeLock:
    """Take the lock of node `node_id`, before the commit that shows the node to others.

    Raises `StoreUnavailable` when it cannot be taken, for instance because it is held already.
    """
    if isinstance(database.connections, Postgres):
        return _AdvisoryLock(database, database.connections, node_id)
    if database.path is None:
        return _NoLock()
    return _FileLock(database, _lock_file(database.path, node_id))


def is_free(database: Database, node_id: int) -> bool:
    """Whether the holder of this lock is gone. Keeps nothing. Raises `StoreUnavailable` when that cannot be told."""
    if database.kind == "postgresql":
        with database.read() as connection:
            return bool(connection.execute(_PROBE, _numbers(database, node_id)).scalar_one())
    if database.path is None:
        return False
    try:
        probe = os.open(_lock_file(database.path, node_id), os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    except OSError as error:
        raise _file_trouble(database, error) from error
    try:
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(probe)  # and the shared lock with it
    return True


def bury(database: Database, node_id: int) -> None:
    """Clear away what the lock of a dead node left behind. For whoever has marked it dead; node ids never return."""
    if database.path is not None:
        _lock_file(database.path, node_id).unlink(missing_ok=True)


class _FileLock(NodeLock):
    def __init__(self, database: Database, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        try:
            # Not inherited by child processes (CLOEXEC): one of them would keep the lock of its dead parent.
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _file_trouble(database, error) from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise _taken(database) from None
        except OSError as error:
            os.close(file)
            raise _file_trouble(database, error) from error
        self._file = file

    def is_still_held(self) -> bool:
        if self._file is None:
            return False
        mine = os.fstat(self._file)
        with suppress(FileNotFoundError):  # somebody buried it alive
            there = os.stat(self._path)
            return (mine.st_dev, mine.st_ino) == (there.st_dev, there.st_ino)
        return False

    def release(self) -> None:
        if self._file is None:
            return
        if self.is_still_held():
            self._path.unlink(missing_ok=True)  # while locked: nobody sees it unlocked and there
        os.close(self._file)
        self._file = None


class _AdvisoryLock(NodeLock):
    """The server drops it with the connection, so a connection that answers is a lock that is held."""

    def __init__(self, database: Database, server: Postgres, node_id: int) -> None:
        self._database = database
        self._guard = threading.Lock()  # a connection is for one thread at a time
        self._connection: Connection | None = None
        numbers = _numbers(database, node_id)
        with database.explained():
            connection = server.open_alone()
            try:
                is_mine = connection.execute(_TAKE, numbers).scalar_one()
            except BaseException:
                connection.close()
                raise
        if not is_mine:
            connection.close()
            raise _taken(database)
        self._connection = connection

    def is_still_held(self) -> bool:
        with self._guard:
            if self._connection is None:
                return False
            try:
                with self._database.explained():
                    self._connection.execute(_ALIVE)
            except SchedulerError:
                # Never a second connection in its place: the lock was free for a moment, and that may have been seen.
                self._drop()
                return False
            return True

    def release(self) -> None:
        with self._guard:
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.invalidate()  # closes the socket, whatever state it is in
            self._connection.close()
            self._connection = None


class _NoLock(NodeLock):
    """A database in memory has no other process."""

    def is_still_held(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _lock_file(database: Path, node_id: int) -> Path:
    return database.with_name(f"{database.name}-node-{node_id}")


def _numbers(database: Database, node_id: int) -> dict[str, int]:
    return {"salt": database.salt, "node": node_id & 0x7FFFFFFF}  # the two-number form takes 32 bits each


def _taken(database: Database) -> StoreUnavailable:
    return StoreUnavailable(f"the lock of this node in {database} is held by another process", transient=False)


def _file_trouble(database: Database, error: OSError) -> StoreUnavailable:
    reason = (error.strerror or "unknown error").lower()
    return StoreUnavailable(f"the lock file of a node beside {database} cannot be used: {reason}", transient=False)
