"""What the receiver saw: one line of its log per request, and how to read it back.

The log is text, one request a line, fields separated by tabs, `-` for what was not there:

    kernel_at  read_at  scheduled_at  fire_at  key  job_id  attempt  path

The first two are µs since the epoch (UTC); the next two are as the scheduler wrote them (RFC 3339), so that the
receiver need not parse dates while it is being measured with.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import NamedTuple

MISSING = b"-"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Arrival(NamedTuple):
    """One request as it came in. Instants are µs since the epoch, UTC; None is what the request did not carry.

    `kernel_at` is when the segment that completed the request reached the kernel; None where the kernel did not say.
    `read_at` is when the receiver got round to reading it.
    """

    kernel_at: int | None
    read_at: int
    scheduled_at: int | None
    fire_at: int | None
    key: str | None
    job_id: str | None
    attempt: int | None
    path: str

    @property
    def arrived_at(self) -> int:
        """The best instant there is: the kernel's, or else that of the reading."""
        return self.read_at if self.kernel_at is None else self.kernel_at

    @property
    def meant_for(self) -> int | None:
        """When it should have left: `X-Fire-At`, which is sent only when it differs from `X-Scheduled-At`."""
        return self.scheduled_at if self.fire_at is None else self.fire_at

    @property
    def drift(self) -> int | None:
        """µs from the instant it was meant for to the kernel's; None for a request that names no instant."""
        return None if self.meant_for is None else self.arrived_at - self.meant_for


def read_log(path: str | PathLike[str]) -> list[Arrival]:
    """All arrivals logged so far, in the order they were read. A last line still being written is left out."""
    content = Path(path).read_bytes()
    return [parse_line(line) for line in content[: content.rfind(b"\n") + 1].splitlines()]


def parse_line(line: bytes) -> Arrival:
    kernel_at, read_at, scheduled_at, fire_at, key, job_id, attempt, path = line.split(b"\t")
    return Arrival(
        kernel_at=_number(kernel_at),
        read_at=int(read_at),
        scheduled_at=_instant(scheduled_at),
        fire_at=_instant(fire_at),
        key=_text(key),
        job_id=_text(job_id),
        attempt=_number(attempt),
        path=path.decode("latin-1"),
    )


def _number(field: bytes) -> int | None:
    return int(field) if field.isdigit() else None


def _text(field: bytes) -> str | None:
    return None if field == MISSING else field.decode("latin-1")


@lru_cache(maxsize=65_536)
def _instant(field: bytes) -> int | None:
    """RFC 3339 to µs; what cannot be read counts as missing, because a target must not choke on what it is sent."""
    if field == MISSING:
        return None
    try:
        return (datetime.fromisoformat(field.decode("ascii")) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError):  # not a date; a date without an offset
        return None
