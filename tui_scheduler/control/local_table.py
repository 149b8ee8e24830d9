"""The job table over the store of this process: its order, its lines, and what is done to many jobs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tui_scheduler.control.views import Change, Changed, JobListing, JobQuery, JobRow, Result
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import JobState
from tui_scheduler.store.bulk import Bulk, Deed
from tui_scheduler.store.database import Database
from tui_scheduler.store.listing import JobLine, Listing, Order, ResultRecord


class LocalTable:
    """`now` gives µs since the epoch; `wake` makes an engine of this process look at once."""

    def __init__(self, database: Database, *, now: Callable[[], int], wake: Callable[[], None]) -> None:
        self._listing = Listing(database)
        self._bulk = Bulk(database)
        self._now = now
        self._wake = wake

    def list_jobs(self, query: JobQuery) -> JobListing:
        """See `Control`."""
        keys, total = self._listing.find(query.filter, Order[query.sort.name], descending=query.descending)
        return JobListing(keys, total)

    def job_rows(self, keys: Sequence[int]) -> list[JobRow]:
        """See `Control`."""
        return [_row(line) for line in self._listing.lines(keys)]

    def change_jobs(self, change: Change, keys: Sequence[int]) -> Changed:
        """See `Control`."""
        try:
            tally = self._bulk.change(Deed[change.name], keys, self._now)
        finally:
            self._wake()
        return Changed(tuple(tally.done), tuple(tally.refused), tuple(tally.changed))

    def failing(self) -> int:
        """Active jobs that failed when they last ended, up to 10,000."""
        return self._listing.failing()


def _row(line: JobLine) -> JobRow:
    return JobRow(
        key=line.key,
        id=line.id,
        name=line.name,
        method=line.method,
        url=line.url,
        schedule=line.schedule,
        timezone=line.timezone,
        queue=line.queue,
        tags=line.tags,
        state=JobState(line.state),
        version=line.version,
        failures=line.failures,
        next_run=line.next_fire_at,
        results=tuple(_result(record) for record in line.results),
    )


def _result(record: ResultRecord) -> Result:
    return Result(
        state=State(record.state),
        at=record.fire_at if record.finished_at is None else record.finished_at,
        http_status=record.http_status,
        error=record.error,
        drift=None if record.started_at is None else record.started_at - record.fire_at,
        duration=record.duration,
    )
