"""The user's zone, as the system has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tui_scheduler.tui.formatting import SECOND, full_time
from tui_scheduler.tui.local_zone import LOCAL


@pytest.fixture
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("utc", "shown"),
    [
        (datetime(2026, 7, 1, 12, tzinfo=UTC), "2026-07-01 14:00:00.000 CEST"),
        (datetime(2026, 12, 1, 12, tzinfo=UTC), "2026-12-01 13:00:00.000 CET"),
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "2026-10-25 02:30:00.000 CEST"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-25 02:30:00.000 CET"),
    ],
)
def test_an_instant_has_the_offset_that_holds_then(utc: datetime, shown: str) -> None:
    assert full_time(int(utc.timestamp()) * SECOND, LOCAL) == shown


@pytest.mark.usefixtures("berlin")
def test_it_converts_back() -> None:
    moment = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert moment.astimezone(LOCAL).astimezone(UTC) == moment
    assert datetime(2026, 7, 1, 14, tzinfo=LOCAL).astimezone(UTC) == moment
