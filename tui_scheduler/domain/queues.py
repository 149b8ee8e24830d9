"""Queues: how many of their executions may be under way, how many may be sent in a period, and what holds them.

Pure: how much is in flight and how much was sent are arguments. Instants are µs since the epoch, durations µs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from tui_scheduler.domain.durations import parse_duration, show_duration
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.domain.windows import Closures, Window

MOST: Final = 1_000_000
"""The largest number a limit may be."""

SHORTEST_PERIOD: Final = SECOND
LONGEST_PERIOD: Final = 7 * 86_400 * SECOND

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_RATE: Final = re.compile(r"\s*(\d{1,9})\s*/\s*(\S.*?)\s*", re.ASCII)
_RATE_EXAMPLE: Final = "100/1m"

_BUCKETS: Final = 100
"""What was sent is kept in as many buckets a period: a hundredth of the period is the error, to the safe side."""

_MARGIN: Final = (SECOND // 20, SECOND)
"""A twentieth of the period, within these bounds: what was claimed may leave so much later and still be counted."""


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `count` sends in any `period` (µs)."""

    count: int
    period: int

    def __str__(self) -> str:
        return f"{self.count}/{show_duration(self.period)}"

    def bucket_end(self, now: int) -> int:
        """The end of the bucket that what is sent at `now` is counted in."""
        width = max(self.period // _BUCKETS, 1_000)
        return now - now % width + width

    def counts_from(self, now: int) -> int:
        """Buckets that end after this instant count: the window, and the margin before it."""
        return now - self.period - min(max(self.period // 20, _MARGIN[0]), _MARGIN[1])

    def counts_to(self, now: int) -> int:
        """Buckets that end after this instant do not: they were made before the clock was set back."""
        return now + self.period + max(self.period // _BUCKETS, 1_000)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a queue allows over all nodes; None: no limit. A queue without limits costs nothing."""

    concurrency: int | None = None
    rate: Rate | None = None
    paused: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether the executions of the queue have to be counted or held."""
        return self.paused or self.concurrency is not None or self.rate is not None

    def room(self, in_flight: int, sent: int) -> int:
        """How many more may be claimed now; `sent` counts those of the period. Negative when there are too many."""
        if self.paused:
            return 0
        allowed = MOST if self.concurrency is None else self.concurrency - in_flight
        return allowed if self.rate is None else min(allowed, self.rate.count - sent)


NO_LIMITS: Final = Limits()


@dataclass(frozen=True)
class Rules:
    """All limited queues and all windows in force, as of the edit with this number.

    A *gate* is what a timer or an execution is held by: the key of a limited queue, or the key of a window, negative.
    """

    number: int = -1
    queues: Mapping[str, int] = field(default_factory=dict)
    """The keys of the limited ones, by name."""
    limits: Mapping[int, Limits] = field(default_factory=dict)
    """By key; also of those that have no limit any more, as something may still be held by their gate."""
    windows: tuple[Window, ...] = ()
    gone: tuple[int, ...] = ()
    """Keys of windows that are in force no more."""

    @property
    def hold_nothing(self) -> bool:
        return not self.queues and not self.windows

    def closures(self, queue: str) -> Closures | None:
        """The windows that hold for a queue; None when there are none."""
        if not self.windows:
            return None
        return self._by_queue.get(queue, self._by_queue[None])

    def gate_of(self, queue: str, instant: int, *, by_hand: bool = False) -> int | None:
        """What holds an occurrence of this queue that is to be sent at `instant`: a window, else the queue itself.

        No window holds what somebody runs by hand.
        """
        closures = None if by_hand else self.closures(queue)
        window = None if closures is None else closures.gate_at(instant)
        return self.queues.get(queue) if window is None else -window.key

    def open_gates(self, now: int) -> list[int]:
        """The gates through which something may go at `now`, as far as it is known without counting."""
        windows = [-window.key for window in self.windows if window.times.around(now) is None]
        return [key for key, limits in self.limits.items() if not limits.paused] + windows + [-k for k in self.gone]

    @cached_property
    def _by_queue(self) -> dict[str | None, Closures | None]:
        names: set[str | None] = {window.queue for window in self.windows} | {None}
        found: dict[str | None, Closures | None] = {}
        for name in names:
            of = [window for window in self.windows if window.queue in (None, name)]
            found[name] = Closures(of) if of else None
        return found


def tightened(before: Rules, after: Rules) -> set[str]:
    """The queues of which something claimed under the first rules may not be sent under the second."""
    return {
        name
        for name, key in after.queues.items()
        if name not in before.queues or (after.limits[key].paused and not before.limits[key].paused)
    }


def parse_rate(text: str, field: str = "rate") -> Rate:
    """`10/s`, `100/1m`, `5000/1h`. Raises `Invalid`."""
    match = _RATE.fullmatch(text)
    if match is None:
        raise Invalid(field, "must be a number, a slash and a period", example=_RATE_EXAMPLE)
    written = match[2] if match[2][0].isdigit() else f"1{match[2]}"
    return checked_rate(Rate(int(match[1]), parse_duration(written, field)), field)


def checked_rate(rate: Rate, field: str = "rate") -> Rate:
    """Raise `Invalid` for one that no queue may have."""
    if not 1 <= rate.count <= MOST:
        raise Invalid(field, f"must allow 1 to {MOST:,}; pausing the queue sends nothing", example=_RATE_EXAMPLE)
    if not SHORTEST_PERIOD <= rate.period <= LONGEST_PERIOD:
        raise Invalid(field, "must be of a period of a second to seven days", example=_RATE_EXAMPLE)
    return rate


def check_limits(limits: Limits) -> None:
    """Raise `Invalid` for what no queue may have."""
    concurrency = limits.concurrency
    if concurrency is not None and (type(concurrency) is not int or not 1 <= concurrency <= MOST):
        raise Invalid("concurrency", f"must be within 1 to {MOST:,}; pausing the queue runs nothing", example="5")
    if limits.rate is not None:
        checked_rate(limits.rate)


def check_queue_name(name: str, field: str = "queue") -> None:
    """Raise `Invalid` for what cannot be the name of a queue."""
    if not NAME.fullmatch(name):
        reason = "a queue's name is up to 64 letters, digits, dots, dashes and underscores, and begins with no sign"
        raise Invalid(field, reason, example="default")


def keys_by_name(queues: Iterable[tuple[int, str, Limits]]) -> tuple[dict[str, int], dict[int, Limits]]:
    """The two views that `Rules` has of the stored queues."""
    stored = list(queues)
    return {name: key for key, name, limits in stored if limits.is_limited}, {key: limits for key, _, limits in stored}
