"""What the jobs pane knows of the jobs: keys of all, lines of some, marks. No widget, no waiting."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from tui_scheduler.control.views import JobListing, JobQuery, JobRow, SortBy
from tui_scheduler.domain.filtering import JobFilter
from tui_scheduler.tui import bulk
from tui_scheduler.tui.formatting import count, inert

ROWS_KEPT: Final = 1_000
"""Enough pages back and forth that paging shows lines at once; a few MB."""


class Targets(NamedTuple):
    """What an action is to act on: the marked jobs that the filter shows, or the job with the cursor. `hidden` counts
    the marked ones that are left alone because the filter does not show them.
    """

    keys: tuple[int, ...]
    hidden: int = 0


class Read(NamedTuple):
    """The keys of lines that are new or different, and of those that were known and whose jobs are deleted."""

    changed: set[int]
    gone: set[int]


class JobModel:
    """100,000 jobs are 100,000 integers here: lines are read as they come on the screen, and the least recently shown
    are forgotten. The cursor belongs to a job, not to a place: `cursor_key` is the key of that job.
    """

    def __init__(self) -> None:
        self.query = JobQuery()
        """What is wanted; what the keys answer may be an older one."""
        self._answered = self.query
        self.keys: Sequence[int] = ()
        self.total = 0
        self.is_known = False
        """Whether a listing was ever read."""
        self.cursor_key: int | None = None
        self.marks: set[int] = set()
        self.last_mark: int | None = None
        self._rows: OrderedDict[int, JobRow] = OrderedDict()

    # --- what was read

    def take(self, listing: JobListing) -> bool:
        """A newer listing of the query. Whether the keys are others or in another order."""
        same = self.is_known and type(self.keys) is type(listing.keys) and self.keys == listing.keys
        self.keys = listing.keys
        self.total = listing.total
        self.is_known = True
        self._answered = self.query
        if self.marks and not same and not self.is_filtered:
            self.marks.intersection_update(self.keys)  # the others are deleted
        return not same

    def ask_for(self, query: JobQuery) -> None:
        """Another query: what the present keys answer is an older one, until a listing comes."""
        self.query = query

    @property
    def is_current(self) -> bool:
        """Whether the keys answer what was asked for last: nothing is to be done to jobs that it does not find."""
        return self._answered == self.query

    def filter_by(self, condition: JobFilter) -> None:
        self.ask_for(replace(self.query, filter=condition))

    def sort_by(self, sort: SortBy, *, descending: bool | None = None) -> None:
        """Without a direction what one looks for comes first: most failures, but the next run."""
        if descending is None:
            descending = sort is SortBy.FAILURES
        self.ask_for(replace(self.query, sort=sort, descending=descending))

    def sort_next(self) -> None:
        """By what comes after what they are sorted by now."""
        order = list(SortBy)
        self.sort_by(order[(order.index(self.query.sort) + 1) % len(order)])

    def turn_round(self) -> None:
        self.sort_by(self.query.sort, descending=not self.query.descending)

    def sort_toward(self, sort: SortBy) -> None:
        """By this; if they are already, the other way round."""
        if sort is self.query.sort:
            self.turn_round()
        else:
            self.sort_by(sort)

    @property
    def is_filtered(self) -> bool:
        return bool(self.query.filter.terms)

    def row(self, key: int) -> JobRow | None:
        """The line of a job, if it is known; it counts as shown."""
        row = self._rows.get(key)
        if row is not None:
            self._rows.move_to_end(key)
        return row

    def put(self, asked: Iterable[int], rows: Iterable[JobRow]) -> Read:
        """Lines that were read. Jobs that are deleted lose their marks."""
        found = {row.key: row for row in rows}
        deleted = [key for key in asked if key not in found]
        self.forget(deleted)
        gone = {key for key in deleted if self._rows.pop(key, None) is not None}
        changed = {key for key, row in found.items() if self._rows.get(key) != row}
        for key, row in found.items():
            self._rows[key] = row
            self._rows.move_to_end(key)
        while len(self._rows) > ROWS_KEPT:
            self._rows.popitem(last=False)
        return Read(changed, gone)

    def window(self, visible: range) -> list[int]:
        """The keys whose lines to read: what is on the screen, and a page before and behind it."""
        page = len(visible)
        return [self.keys[i] for i in range(max(visible.start - page, 0), min(visible.stop + page, len(self.keys)))]

    def lacks(self, visible: range) -> bool:
        """Whether a line on the screen is not known."""
        return any(self.keys[i] not in self._rows for i in visible if i < len(self.keys))

    def summary(self, filter_text: str) -> str:
        """`Jobs 40 of 1,203 · 3 marked, 1 hidden · by name ↓ · filter: prod`."""
        if not self.is_known:
            return "Jobs"
        shown = f"{count(len(self.keys))} of " if self.is_filtered else ""
        parts = [f"Jobs {shown}{count(self.total)}"]
        if self.marks:
            hidden = self.targets().hidden if self.is_filtered else 0
            parts.append(f"{count(len(self.marks))} marked" + (f", {count(hidden)} hidden" if hidden else ""))
        if self.query.sort is not SortBy.CREATED or self.query.descending:
            parts.append(f"by {self.query.sort} {'↓' if self.query.descending else '↑'}")
        if self.is_filtered:
            parts.append(f"filter: {inert(filter_text)}")
        return " · ".join(parts)

    def nothing_there(self, back: str, create: str) -> tuple[str, ...]:
        """What to say in place of lines when there are none, with the keys that lead on from there."""
        if not self.is_known:
            return ("reading the jobs …",)
        if self.is_filtered:
            return "nothing matches", "", f"{back} shows all {bulk.jobs(self.total)}"
        return "no jobs yet", "", f"{create} creates one"

    # --- the cursor

    def at(self, index: int) -> int | None:
        """The key of the job at a place."""
        return self.keys[index] if 0 <= index < len(self.keys) else None

    def nearest(self, wanted: set[int], index: int, step: int) -> int | None:
        """The place of the next of the wanted jobs, from `index` on in steps of 1 or -1 and round the end."""
        length = len(self.keys)
        places = ((index + step * far) % length for far in range(1, length + 1))
        return next((place for place in places if self.keys[place] in wanted), None)

    # --- marks

    def mark(self, key: int) -> None:
        """Mark a job, or take its mark away."""
        self.marks ^= {key}
        self.last_mark = key if key in self.marks else None

    def mark_range(self, index: int) -> int:
        """Mark from the last mark to here, or only here when there is none on show; how many are marked by it."""
        start = index
        if self.last_mark is not None and self.last_mark in self.marks and self.last_mark in self.keys:
            start = self.keys.index(self.last_mark)
        chosen = self.keys[min(start, index) : max(start, index) + 1]
        before = len(self.marks)
        self.marks.update(chosen)
        self.last_mark = self.at(index)
        return len(self.marks) - before

    def mark_all(self) -> None:
        """All that the filter shows; those marked before stay marked."""
        self.marks.update(self.keys)

    def clear_marks(self) -> None:
        self.marks.clear()
        self.last_mark = None

    def forget(self, keys: Iterable[int]) -> None:
        """These jobs are deleted: their marks would never be seen again."""
        self.marks.difference_update(keys)

    def targets(self) -> Targets:
        """What an action acts on now."""
        if not self.marks:
            return Targets(() if self.cursor_key is None else (self.cursor_key,))
        shown = tuple(key for key in self.keys if key in self.marks)
        return Targets(shown, len(self.marks) - len(shown))
