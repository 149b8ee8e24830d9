"""What the cursor of the job table is on, and who is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.timer import Timer
from textual.widget import Widget

from tui_scheduler.control.views import JobRow
from tui_scheduler.tui.job_model import JobModel
from tui_scheduler.tui.widgets.job_table import JobTable

_REST_S: Final = 0.15
"""The cursor rests when it has not moved for so long."""


class JobCursor:
    """Keeps `cursor_key` of the model, and calls `tell` with the line that the cursor rests on, None for "there is
    none": once for each job and each version of it, not for what it passes. `pane` has the timer.
    """

    def __init__(self, pane: Widget, model: JobModel, table: JobTable, tell: Callable[[JobRow | None], object]) -> None:
        self._pane = pane
        self._model = model
        self._table = table
        self._tell = tell
        self._rest: Timer | None = None
        self._before_none: int | None = None
        """Where the cursor was before a filter found nothing: it goes back there."""
        self._told: tuple[int, int] | str | None = "nothing yet"
        """Key and version of the job that the others were told of, None for "there is none"."""

    @property
    def has_told(self) -> bool:
        """Whether the others know of anything to show."""
        return self._told != "nothing yet"

    def follow(self) -> None:
        """The keys are others: go where the job is that the cursor was on."""
        key = self._before_none if self._model.cursor_key is None else self._model.cursor_key
        if key is not None and key in self._model.keys:
            self._table.follow(self._model.keys.index(key))

    def is_here(self) -> None:
        """It has come to a place, or another job has come under it."""
        key = self._model.at(self._table.cursor)
        if key == self._model.cursor_key and (key is not None or self._told is None):
            return
        if key is None and self._model.cursor_key is not None:
            self._before_none = self._model.cursor_key
        self._model.cursor_key = key
        if self._rest is not None:
            self._rest.stop()
        self._rest = self._pane.set_timer(_REST_S, self._rested)

    def lines_read(self) -> None:
        """The line that it is on may be another."""
        if self._rest is None:
            self._say()

    def _rested(self) -> None:
        self._rest = None
        self._say()

    def _say(self) -> None:
        """Tell what the cursor is on, if that is something else than what is known."""
        key = self._model.cursor_key
        row = None if key is None else self._model.row(key)
        if key is not None and row is None:
            return  # not read yet: told when it is
        told = None if row is None else (row.key, row.version)
        if told != self._told and self._model.is_known:
            self._told = told
            self._tell(row)
