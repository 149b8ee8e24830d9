"""Jobs as the engine needs them, parsed once and kept while they are in use."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from tui_scheduler.domain.job import Job
from tui_scheduler.domain.schedule import Schedule, parse_schedule


@dataclass(frozen=True, slots=True)
class Entry:
    """A job and its parsed schedule."""

    job: Job
    timetable: Schedule


class Catalog:
    """The jobs fired most recently, by key, `size` of them at the most: a million stored jobs must cost no memory.

    Not locked: it belongs to whoever claims, one claim at a time.
    """

    def __init__(self, size: int = 50_000) -> None:
        self._size = size
        self._entries: OrderedDict[int, Entry] = OrderedDict()

    def get(self, key: int, version: int) -> Entry | None:
        """The entry of a job, if it is known in exactly this version."""
        entry = self._entries.get(key)
        if entry is None or entry.job.version != version:
            return None
        self._entries.move_to_end(key)
        return entry

    def put(self, job: Job) -> Entry:
        """Parse and keep a job, in place of an older version of it."""
        spec = job.spec
        entry = Entry(job, parse_schedule(spec.schedule, spec.timezone, created_at=job.created_at))
        self._entries[job.key] = entry
        self._entries.move_to_end(job.key)
        if len(self._entries) > self._size:
            self._entries.popitem(last=False)
        return entry
