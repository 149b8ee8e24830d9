"""What a database error means, in one sentence, and whether trying again can help.

By code: SQLite's extended result code, PostgreSQL's SQLSTATE. Integrity and programming errors are bugs of ours and
are not explained: they pass through as they are.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import exc

from tui_scheduler.domain.errors import StoreUnavailable

BUSY_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL})
"""Another connection is in the way for a moment; PROTOCOL is a lost race for the write-ahead log's index."""

_SQLITE: Final[Mapping[int, tuple[str, bool]]] = {
    sqlite3.SQLITE_PERM: ("may not be accessed: permission denied", False),
    sqlite3.SQLITE_READONLY: ("cannot be written: the file, its folder or its disk is read-only", False),
    sqlite3.SQLITE_IOERR: ("cannot be used: the disk failed to read or write", True),
    sqlite3.SQLITE_CORRUPT: ("is damaged; restore it from a copy", False),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", True),
    sqlite3.SQLITE_NOTADB: ("is not an SQLite database", False),
}
"""By primary result code: the end of the sentence "the database file PATH ...", and whether it is transient."""

_READ_ONLY: Final = "25006"
_POSTGRES: Final[Mapping[str, tuple[str, bool]]] = {
    "08": ("lost the connection", True),
    _READ_ONLY: ("is read-only now (a standby?)", True),
    "25P03": ("ended a transaction that stood still for too long", True),
    "28": ("refused the user or the password", False),
    "3D": ("does not exist", False),
    "3F": ("has no schema in which this user may make tables", False),
    "40": ("asked to try again: two transactions met", True),
    "42501": ("does not permit this user to use or make the tables", False),
    "53100": ("cannot grow: the server's disk is full", True),
    "53300": ("has no connection left: too many are open", True),
    "53": ("is out of resources", True),
    "55P03": ("is busy: a lock could not be had in time", True),
    "57014": ("took too long to answer", True),
    "57": ("is shutting down or starting", True),
    "58": ("had a system error on the server", True),
    "XX": ("is damaged or met an internal error", False),
}
"""By SQLSTATE or its first two characters (the class); the longer one wins."""

_HOPELESS_CONNECTS: Final = (
    "password authentication failed",
    "no password supplied",
    "does not exist",
    "pg_hba.conf",
    "is not permitted to log in",
    "authentication failed for user",
)
"""libpq gives no SQLSTATE when a connection fails, only the server's text. One that is not listed (or is in another
language) counts as transient: it is quoted all the same."""


def is_busy(error: sqlite3.Error) -> bool:
    return (_code(error) & 0xFF) in BUSY_CODES


def explain(
    error: BaseException, where: str, *, path: Path | None = None, reading: bool = False
) -> StoreUnavailable | None:
    """The error as a `StoreUnavailable`; None when it is not about the database being unusable.

    `where` begins the sentence: "the database file /x/y.db" or "the database postgresql://user:***@host/db". `path`
    is the SQLite file. In a `reading` transaction a refused write is a bug of ours, not a state of the database.
    """
    if isinstance(error, exc.TimeoutError):  # of the pool
        return StoreUnavailable(f"{where} is busy: no connection came free in time", transient=True)
    cause: BaseException | None = error.orig if isinstance(error, exc.DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return None if reading and _code(cause) == sqlite3.SQLITE_READONLY else _explain_sqlite(cause, where, path)
    # psycopg's errors have `sqlstate`; psycopg itself is imported only where it is used.
    if cause is None or not hasattr(cause, "sqlstate") or (reading and cause.sqlstate == _READ_ONLY):
        return None
    return _explain_postgres(cause, cause.sqlstate, where)


def _explain_sqlite(error: sqlite3.Error, where: str, path: Path | None) -> StoreUnavailable | None:
    code = _code(error)
    if (code & 0xFF) in BUSY_CODES:
        return StoreUnavailable(f"{where} is locked by another process", transient=True)
    if (code & 0xFF) == sqlite3.SQLITE_CANTOPEN:
        return _explain_unopened(where, path)
    known = _SQLITE.get(code & 0xFF)
    return StoreUnavailable(f"{where} {known[0]}", transient=known[1]) if known else None


def _explain_unopened(where: str, path: Path | None) -> StoreUnavailable:
    """SQLite has one code for all of these."""
    if path is not None and not os.path.exists(path):  # Path.exists() raises where a folder is closed
        return StoreUnavailable(f"{where} is missing", transient=False)
    if path is not None and not _may(path, os.R_OK):
        return StoreUnavailable(f"{where} may not be read: permission denied", transient=False)
    if path is not None and not _may(path.parent, os.W_OK):
        return StoreUnavailable(
            f"{where} cannot be used: its folder is read-only, and SQLite keeps its log there", transient=False
        )
    return StoreUnavailable(f"{where} cannot be opened; perhaps too many files are open", transient=True)


def _may(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _code(error: sqlite3.Error) -> int:
    """The extended result code; 0 for errors the Python module raises by itself."""
    return getattr(error, "sqlite_errorcode", 0) or 0


def _explain_postgres(error: BaseException, state: str | None, where: str) -> StoreUnavailable | None:
    if state is None:
        return _explain_connection(error, where) if type(error).__name__.endswith("OperationalError") else None
    if state.startswith("42") and state != "42501":
        return None  # undefined table, syntax error: a bug
    known = _POSTGRES.get(state) or _POSTGRES.get(state[:2])
    return StoreUnavailable(f"{where} {known[0]}", transient=known[1]) if known else None


def _explain_connection(error: BaseException, where: str) -> StoreUnavailable:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if "FATAL:" in line or "failed:" in line), lines[0] if lines else "no reason")
    reason = said.rpartition("FATAL:")[2].rpartition(" failed: ")[2].strip()
    hopeless = any(text in reason for text in _HOPELESS_CONNECTS)
    return StoreUnavailable(f"{where} cannot be reached: {reason}", transient=not hopeless)
