"""The store's tests run on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres, sqlite
from tui_scheduler.store.database import Database, open_database


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=postgres.needs_postgres)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database with our tables and nothing in them; for tests that open it more than once."""
    if request.param == "postgresql":
        with postgres.clean_database() as url:
            yield url
    else:
        yield sqlite.clean_file(tmp_path)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = open_database(database_url)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=postgres.needs_postgres)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Of a database nobody has opened yet."""
    if request.param == "postgresql":
        with postgres.empty_database() as url:
            yield url
    else:
        yield f"sqlite:///{tmp_path / 'new' / 'jobs.db'}"
