"""Public ids: UUIDs of version 7 (RFC 9562), as the 36 lower-case characters everybody knows.

A job's id is made once and stored. An execution's is computed from its integer key, because an index on it would
cost 20 µs a row: 48 bits of `scheduled_for` in ms, then 74 free bits, of which 30 carry the database's own salt (two
databases must not give the same Idempotency-Key to different executions) and 44 the key (17 million million, which is
55 years at 10,000 executions a second):

    tttttttt-tttt-7sss-Ssss-skkkkkkkkkkk      t time, s salt, k key; the top two bits of S are the variant, 10
"""

from __future__ import annotations

import re
import secrets
import threading
from functools import lru_cache
from typing import Final

SALT_BITS: Final = 30

_TIME_BITS: Final = 48
_LAST_MS: Final = (1 << _TIME_BITS) - 1
_SHAPE: Final = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f])([0-9a-f]{11})")

_TICKS_PER_MS: Final = 4096
"""rand_a holds the fraction of the millisecond (RFC 9562, method 3): ids made in order sort in order."""

_LONGEST_LEAD: Final = 10_000 * _TICKS_PER_MS
"""How far ids may run ahead of the clock: past that the clock was set back, and order yields to truth."""


class _Ticks:
    """The last tick given out (1/4096 ms since the epoch), shared by all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def take(self, now: int) -> int:
        tick = _clamped(now // 1000) * _TICKS_PER_MS + (now % 1000) * _TICKS_PER_MS // 1000
        with self._lock:
            if tick <= self._last < tick + _LONGEST_LEAD:
                tick = self._last + 1
            self._last = tick
        return tick


_ticks = _Ticks()


def new_job_id(now: int) -> str:
    """A new id; `now` is µs since the epoch. Within one process later ids sort later, even within a microsecond."""
    tick = _ticks.take(now)
    ms, fraction = divmod(tick, _TICKS_PER_MS)
    ms = _clamped(ms)
    noise = secrets.randbits(62)
    return (
        f"{ms >> 16:08x}-{ms & 0xFFFF:04x}-7{fraction:03x}-{0x8000 | noise >> 48:04x}-{noise & 0xFFFF_FFFF_FFFF:012x}"
    )


def new_salt() -> int:
    """A salt for a new database."""
    return secrets.randbits(SALT_BITS)


def execution_id(key: int, scheduled_for: int, salt: int) -> str:
    """The public id of the execution with this key, planned for `scheduled_for` (µs): 1 µs, once a firing."""
    ms = scheduled_for // 1000
    if not 0 <= ms <= _LAST_MS:
        ms = _clamped(ms)
    return "%08x-%04x%s%011x" % (ms >> 16, ms & 0xFFFF, _salted(salt), key)  # noqa: UP031 (a third faster)


def execution_key(text: str, salt: int) -> tuple[int, int] | None:
    """The key and the ms of `scheduled_for` in an execution's public id; None when this database never made it.

    Upper case is taken too. The caller still has to compare the ms with the row's (`id_ms`): a key alone is easy to
    guess wrong by a digit.
    """
    match = _SHAPE.fullmatch(text.lower())
    if match is None or f"-7{match[3]}-{match[4]}-{match[5]}" != _salted(salt):
        return None
    return int(match[6], 16), int(match[1] + match[2], 16)


def id_ms(scheduled_for: int) -> int:
    """The ms that stand in the id of an execution planned for `scheduled_for` (µs)."""
    return _clamped(scheduled_for // 1000)


@lru_cache(maxsize=16)
def _salted(salt: int) -> str:
    """The middle of every execution id of one database."""
    high, low = divmod(salt & ((1 << SALT_BITS) - 1), 1 << 18)
    return f"-7{high:03x}-{0x8000 | low >> 4:04x}-{low & 0xF:x}"


def _clamped(ms: int) -> int:
    """Instants before 1970 or after the year 10889 have no 48 bits of their own; the key keeps their ids apart."""
    return min(max(ms, 0), _LAST_MS)
