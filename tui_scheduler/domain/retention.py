"""How long history is kept, and how its removal keeps out of everybody's way. Instants and durations are µs."""

from __future__ import annotations

from typing import Final

from tui_scheduler.domain.retry import SECOND

HERD: Final = 150_000
"""After a full second: when most schedules are due, sent and answered."""

BEFORE: Final = 20_000
"""Before a full second: what takes longer than expected would reach into it."""

SHORT: Final = 5_000
"""What a batch may take: nobody notices who waits for the store."""

LONG: Final = 20_000
"""What it may take when there is so much to remove that short ones do not keep up: long ones cost less a row."""

BEHIND_AFTER: Final = 10 * SECOND
"""After which a round that has not come to its end is one of those."""

SMALLEST: Final = 50
LARGEST: Final = 2_000
"""Rows of a batch."""

_REST: Final = 3
"""Times what a batch took, until the next: the store is three quarters everybody else's."""

_SHARE: Final = 10
"""A job is looked at after about a tenth of the rows that it may keep."""


def until_quiet(now: int) -> int:
    """How long to wait with what nobody waits for, so that it is not done while the herd of a full second is sent."""
    into = now % SECOND
    if into < HERD:
        return HERD - into
    return SECOND - into + HERD if into >= SECOND - BEFORE else 0


def rest_after(took: int) -> int:
    """How long to leave the store to others after a batch that took so long."""
    return _REST * took


def next_batch(batch: int, took: int, since: int) -> int:
    """How many rows to remove next, when `batch` of them took `took` and the round has been going on for `since`."""
    wanted = LONG if since > BEHIND_AFTER else SHORT
    fitting = batch * wanted // max(took, 1)
    return min(max(fitting, batch // 2, SMALLEST), 2 * batch, LARGEST)


def is_looked_at(new: int, keep: int, draw: float) -> bool:
    """Whether to look at a job that has `new` more rows; `draw` in [0, 1). On average once a tenth of `keep` rows: so
    nothing is remembered of a million jobs, and one has hardly ever more than half as much again as it may keep.
    """
    share = max(keep // _SHARE, 1)
    return draw >= (1 - 1 / share) ** new
