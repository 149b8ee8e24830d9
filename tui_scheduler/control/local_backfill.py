"""The part of `LocalControl` that runs a stretch of the past, in portions small enough that nothing waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tui_scheduler.control.views import Backfilled
from tui_scheduler.domain.backfill import occurrences, rank_of
from tui_scheduler.store.backfills import CHUNK, BackfillStore
from tui_scheduler.store.database import Database
from tui_scheduler.store.runs import ON_REQUEST

_PAUSE_S: Final = 0.005
"""Between two transactions: whoever waits for the store in this process gets it, which a lock alone does not see to."""


class LocalBackfill:
    """See `Control` for what each method promises."""

    def __init__(self, database: Database, *, now: Callable[[], int], wake: Callable[[], None]) -> None:
        self._backfills = BackfillStore(database)
        self._now = now
        self._wake = wake

    def backfill(self, job_id: str, first: int, last: int, *, priority: int, dry_run: bool) -> Backfilled:
        """See `Control`."""
        rank = rank_of(priority)
        job, timer = self._backfills.standing(job_id)
        wanted = occurrences(job, timer, first, last, self._now())
        to_run = taken_over = 0
        for start in range(0, len(wanted), CHUNK):
            portion = wanted[start : start + CHUNK]
            if dry_run:
                done = self._backfills.look(job.key, portion)
            else:
                self._take_turns(start)
                done = self._backfills.add(job_id, portion, self._now(), rank)
                self._wake()
            to_run += done.to_run
            taken_over += done.taken_over
        return Backfilled(len(wanted), to_run, taken_over, len(wanted) - to_run)

    def cancel_backfill(self, job_id: str) -> int:
        """See `Control`."""
        job, _ = self._backfills.standing(job_id)
        cancelled = 0
        while ended := self._backfills.cancel(job.key, self._now(), ON_REQUEST):
            cancelled += ended
            self._take_turns(cancelled)
        self._wake()
        return cancelled

    def _take_turns(self, done: int) -> None:
        if done:
            time.sleep(_PAUSE_S)
