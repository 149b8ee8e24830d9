"""The time zone of whoever sits at the terminal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo


class LocalZone(tzinfo):
    """As the system has it, each instant with the offset that holds then: with `datetime.astimezone` alone a day of
    next winter would be shown in summer time.
    """

    def fromutc(self, moment: datetime) -> datetime:
        return moment.replace(tzinfo=UTC).astimezone()

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, _moment: datetime | None) -> None:
        """Unknown: the system tells offsets only."""
        return

    def tzname(self, moment: datetime | None) -> str | None:
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()


LOCAL = LocalZone()


def local_zone_name(
    environment: Mapping[str, str] = os.environ, link: Path = Path("/etc/localtime"), file: Path = Path("/etc/timezone")
) -> str:
    """What the zone of this machine is called, as `Europe/Berlin`; `UTC` where nobody says."""
    said = environment.get("TZ", "").removeprefix(":")
    for name in (said, _behind(link), _inside(file)):
        if name and _is_zone(name):
            return name
    return "UTC"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, KeyError, OSError):  # no such name, or a path that leads elsewhere
        return False
    return True


def _behind(link: Path) -> str:
    try:
        return str(link.readlink()).rpartition("zoneinfo/")[2]
    except OSError:
        return ""


def _inside(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
