"""SQLite databases for the tests, migrated once per test process and copied: a migration takes 100 ms, a copy 1."""

from __future__ import annotations

import sqlite3
import tempfile
from functools import cache
from pathlib import Path

from tui_scheduler.store.connections import SqliteMemory
from tui_scheduler.store.database import Database, open_database


def clean_file(folder: Path) -> str:
    """The url of a new file `jobs.db` in `folder`, with our tables and nothing in them."""
    path = folder / "jobs.db"
    path.touch(0o600)
    path.write_bytes(_migrated())
    return f"sqlite:///{path}"


def clean_memory() -> Database:
    """A database in memory, with our tables and nothing in them."""
    database = Database("sqlite://")
    assert isinstance(database.connections, SqliteMemory)
    pooled = database.connections._engine.raw_connection()
    raw = pooled.driver_connection
    assert isinstance(raw, sqlite3.Connection)
    fill_memory(raw)
    pooled.close()
    return database


def fill_memory(raw: sqlite3.Connection) -> None:
    """Put our tables, with nothing in them, into a connection to SQLite in memory."""
    _migrated_in_memory().backup(raw)


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "jobs.db"
        open_database(str(path)).close()
        return path.read_bytes()


@cache
def _migrated_in_memory() -> sqlite3.Connection:
    with tempfile.TemporaryDirectory() as folder:
        clean_file(Path(folder))
        source = sqlite3.connect(Path(folder) / "jobs.db")
        template = sqlite3.connect(":memory:", check_same_thread=False)
        source.backup(template)
        source.close()
    return template
