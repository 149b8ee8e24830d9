"""The user's zone, as the system has it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tui_scheduler.tui.formatting import SECOND, full_time
from tui_scheduler.tui.local_zone import LOCAL, local_zone_name


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


@pytest.mark.parametrize(
    ("said", "link", "file", "name"),
    [
        ("", "/usr/share/zoneinfo/Europe/Berlin", "", "Europe/Berlin"),
        ("", "../usr/share/zoneinfo/Asia/Tokyo", "Europe/Paris", "Asia/Tokyo"),
        ("", None, "Europe/Paris\n", "Europe/Paris"),
        (":America/Lima", "/usr/share/zoneinfo/Europe/Berlin", "", "America/Lima"),
        ("CET-1CEST", "/usr/share/zoneinfo/Europe/Berlin", "", "Europe/Berlin"),
        ("", "/elsewhere", "../../etc/passwd", "UTC"),
        ("", None, None, "UTC"),
    ],
)
def test_the_zone_is_named_as_the_system_names_it(
    said: str, link: str | None, file: str | None, name: str, tmp_path: Path
) -> None:
    if link is not None:
        (tmp_path / "localtime").symlink_to(link)
    if file is not None:
        (tmp_path / "timezone").write_text(file)
    assert local_zone_name({"TZ": said}, tmp_path / "localtime", tmp_path / "timezone") == name
