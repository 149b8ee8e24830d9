"""A timezone as a line of stretches of constant offset, which is all that a schedule needs to know of it.

`zoneinfo` answers "what is the offset now" but not "until when", so the transitions are found by probing and kept.
Everything here is in whole seconds since the Unix epoch, UTC; offsets are seconds east of UTC (sub-minute ones
included: Africa/Monrovia had -00:44:30).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from tui_scheduler.domain.errors import Invalid

DAY: Final = 86_400
EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (naive on purpose: it counts wall clocks as well as UTC)

# The instants we answer for. `datetime` ends with year 9999; a year's distance keeps every local time inside it.
EARLIEST: Final = -62_104_060_800  # 0002-01-01T00:00:00Z
LATEST: Final = 253_370_764_800  # 9999-01-01T00:00:00Z

# The shortest stretch between two changes of offset in the tz database lasts four days (Africa/Freetown, 1939), so a
# probe every second day misses none.
_PROBE: Final = 2 * DAY
_CHUNK: Final = 512 * DAY

# Part of the tz database but not names of a place: each node would read its own clock settings, or leap seconds.
_NOT_PLACES: Final = frozenset({"localtime", "posixrules", "Factory"})
_NAME: Final = re.compile(r"[A-Za-z0-9_+-]{1,40}(/[A-Za-z0-9_+-]{1,40}){0,3}", re.ASCII)


class Stretch(NamedTuple):
    """The seconds `start <= t < end` share `offset`; just before `start` it was `before`.

    `before < offset` is a gap in local time that ends at `start`; `before > offset` an overlap that begins there;
    equal means `start` is only where we stopped looking, and so may `end` be: one real stretch can come in pieces, of
    which the second repeats the start of the first when that is at most two days earlier.
    """

    start: int
    end: int
    offset: int
    before: int


class Timeline:
    """The stretches of one zone, found on demand and kept. Safe between threads: every write is of a finished value."""

    __slots__ = ("_changes", "_chunks", "_zone", "latest", "name")

    def __init__(self, name: str, zone: ZoneInfo | None) -> None:
        self.name = name
        self._zone = zone
        self._chunks: dict[int, tuple[Stretch, ...]] = {}
        self._changes: tuple[Stretch, ...] | None = None
        # The stretch asked for last: the hot path looks here first, and is nearly always right.
        self.latest = Stretch(EARLIEST - _CHUNK, LATEST + _CHUNK, 0, 0) if zone is None else Stretch(0, 0, 0, 0)

    def stretch_at(self, second: int) -> Stretch:
        """The stretch that contains `second`."""
        found = self.latest
        if found.start <= second < found.end:
            return found
        number = second // _CHUNK
        chunk = self._chunks.get(number)
        if chunk is None:
            chunk = self._chunks[number] = tuple(self._explore(number * _CHUNK))
        for found in chunk:
            if second < found.end:
                break
        self.latest = found
        return found

    def stretches(self, first: int, last: int) -> Iterator[Stretch]:
        """The stretches that touch `first <= t <= last`, in order."""
        second = first
        while second <= last:
            found = self.stretch_at(second)
            yield found
            second = found.end

    def kinds_of_change(self) -> tuple[Stretch, ...]:
        """For each kind of change (time of day, offsets) from 2000 to 2040 one stretch that begins with it.

        From 2038 on every zone follows one rule for ever. Costs some 10 ms the first time.
        """
        if self._changes is None:
            kinds: dict[tuple[int, int, int], Stretch] = {}
            for stretch in self.stretches(946_684_800, 2_208_988_800) if self._zone else ():
                if stretch.before != stretch.offset:
                    kinds[stretch.start % DAY, stretch.before, stretch.offset] = stretch
            self._changes = tuple(kinds.values())
        return self._changes

    def offset_at(self, second: int) -> int:
        """Seconds east of UTC at an instant."""
        return self.stretch_at(second).offset

    def _explore(self, begin: int) -> Iterator[Stretch]:
        """The stretches of one chunk. It looks back a little, so that it knows of an overlap still running."""
        start, second = begin, begin - _PROBE
        before = offset = self._probe(second)
        while second < begin + _CHUNK:
            after = self._probe(second + _PROBE)
            if after != offset:
                change = self._first_change(second, second + _PROBE, offset)
                if change >= begin + _CHUNK:
                    break
                if change > begin:
                    yield Stretch(start, change, offset, before)
                start, before, offset = change, offset, after
            second += _PROBE
        yield Stretch(start, begin + _CHUNK, offset, before)

    def _first_change(self, low: int, high: int, offset: int) -> int:
        """The first second in (low, high] whose offset is not `offset`, which it is at `low` and is not at `high`."""
        while high - low > 1:
            middle = (low + high) // 2
            if self._probe(middle) == offset:
                low = middle
            else:
                high = middle
        return high

    def _probe(self, second: int) -> int:
        second = min(max(second, EARLIEST), LATEST)
        if self._zone is None:
            return 0
        # Not `utcoffset()` of an aware datetime: that goes by the local time again, and by its fold.
        at = EPOCH + timedelta(seconds=second)
        local = self._zone.fromutc(at.replace(tzinfo=self._zone)).replace(tzinfo=None)
        return round((local - at).total_seconds())


_UTC: Final = Timeline("UTC", None)


@lru_cache(maxsize=1024)
def timeline(name: str) -> Timeline:
    """The timeline of an IANA name; raises `Invalid` for `timezone` with the nearest names when there is none."""
    if name == "UTC":
        return _UTC
    zone = _load(name)
    if zone is None:
        near = nearest_timezones(name)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise Invalid("timezone", f"there is no timezone {_quoted(name)}{hint}", example=near[0] if near else "UTC")
    return Timeline(name, zone)


def nearest_timezones(name: str) -> list[str]:
    """Up to three existing names a person may have meant: by city first ("berlin"), then by likeness."""
    wanted = name.strip()[:80].replace(" ", "_").lower()
    city = wanted.rpartition("/")[2]
    known = _known_names()
    cities = {lower.rpartition("/")[2]: full for lower, full in known.items()}
    exact = [found for found in (known.get(wanted), cities.get(city)) if found]
    alike = [known[lower] for lower in difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)]
    alike_cities = [cities[lower] for lower in difflib.get_close_matches(city, cities, n=3, cutoff=0.75)]
    return list(dict.fromkeys(exact + alike + alike_cities))[:3]


def local_time(second: int, offset: int) -> datetime:
    """The wall clock at an instant under an offset, with that offset attached (for showing, not for comparing)."""
    return (EPOCH + timedelta(seconds=second + offset)).replace(tzinfo=timezone(timedelta(seconds=offset)))


def _load(name: str) -> ZoneInfo | None:
    if not _NAME.fullmatch(name) or name in _NOT_PLACES or name.startswith(("right/", "posix/")):
        return None
    try:
        return ZoneInfo(name)
    # ZoneInfoNotFoundError is a KeyError; a folder ("America") or a file that is no zone ("tzdata.zi") raises the rest.
    except (KeyError, ValueError, OSError, EOFError):
        return None


@lru_cache(maxsize=1)
def _known_names() -> dict[str, str]:
    """Lower-case name → name. Reading the database takes some 100 ms, so only a wrong name pays for it, once."""
    return {name.lower(): name for name in sorted(available_timezones() - _NOT_PLACES)}


def _quoted(name: str) -> str:
    return repr(name if len(name) <= 60 else name[:57] + "...")
