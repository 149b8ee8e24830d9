"""A SQLite file and its log do not grow without bound, and give back what nothing needs any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import sqlite
from tests.store.stage import MINUTELY, Stage, T
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store import connections
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.hot import run_many

ROWS = 2_000
INSERT = """
INSERT INTO execution (job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt, claim_no,
  rescues, priority, finished_at, cancel_requested)
VALUES (?, 1, ?, ?, ?, 'schedule', 'succeeded', 1, 1, 0, 5, ?, FALSE)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = open_database(str(path))
    yield opened
    opened.close()


def fill(stage: Stage, job: int, at: int) -> None:
    with stage.database.write() as connection:
        run_many(connection, INSERT, [(job, at + n, at + n, at + n, at + n) for n in range(ROWS)])


def prune(stage: Stage, before: int) -> int:
    cursor = deleted = 0
    while True:
        pruned = stage.pruning.by_age(before, before + 10**9, cursor, 500)
        cursor, deleted = pruned.cursor, deleted + pruned.deleted
        if pruned.is_through:
            return deleted


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as raw:
        return int(raw.execute(f"PRAGMA {name}").fetchone()[0])


def test_what_was_pruned_makes_room_for_what_comes(database: Database, path: Path) -> None:
    stage = Stage(database)
    job = stage.create(MINUTELY).key
    pages = []
    for day in range(12):
        fill(stage, job, T + day * SECOND)
        if day:
            assert prune(stage, T + day * SECOND) == ROWS
        pages.append(pragma(path, "page_count"))
    assert max(pages[2:]) <= 1.1 * pages[1], "never more than two days are there"


def test_a_file_shrinks_step_by_step_after_much_was_removed(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_FEW_PAGES", 16)
    monkeypatch.setattr(connections, "_STEP", 8)
    stage = Stage(database)
    job = stage.create(MINUTELY).key
    assert pragma(path, "auto_vacuum") == 2
    for day in range(3):
        fill(stage, job, T + day * SECOND)
    full = pragma(path, "page_count")
    stage.pruning.shrink()
    assert pragma(path, "page_count") == full, "nothing is free"
    prune(stage, T + 100 * SECOND)
    stage.pruning.shrink()
    assert pragma(path, "page_count") == full - 8
    for _ in range(full // 8):
        stage.pruning.shrink()
    assert pragma(path, "page_count") < full // 2
    assert pragma(path, "freelist_count") <= max(16, pragma(path, "page_count") // 4)


def test_a_log_that_a_long_reader_made_grow_is_cut_when_it_has_gone(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_LARGE_LOG", 256 << 10)
    stage = Stage(database)
    job = stage.create(MINUTELY).key
    log = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM job").fetchone()
        for day in range(4):
            fill(stage, job, T + day * SECOND)
        grown = log.stat().st_size
        assert grown > 256 << 10
        stage.pruning.shrink()  # in vain, and soon over
        assert reader.execute("SELECT COUNT(*) FROM execution").fetchone() == (0,)
        assert log.stat().st_size >= grown
        fill(stage, job, T + 9 * SECOND)
    stage.pruning.shrink()
    assert log.stat().st_size == 0
    assert len(stage.rows("id")) == 5 * ROWS


def test_a_file_made_before_is_used_as_it_is(tmp_path: Path) -> None:
    old = Path(sqlite.clean_file(tmp_path).removeprefix("sqlite:///"))
    with closing(sqlite3.connect(old)) as raw:
        raw.execute("PRAGMA auto_vacuum = NONE")
        raw.execute("VACUUM")
    opened = open_database(str(old))
    stage = Stage(opened)
    fill(stage, stage.create(MINUTELY).key, T)
    stage.pruning.shrink()
    assert pragma(old, "auto_vacuum") == 0
    opened.close()
