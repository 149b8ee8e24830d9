"""Changing many jobs: in portions, so that it can be watched and stopped, and the program left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from tui_scheduler.control.views import Change, Changed
from tui_scheduler.domain.errors import Conflict, SchedulerError
from tui_scheduler.tui import bulk
from tui_scheduler.tui.desk import Desk

PORTION: Final = 1_000
"""Jobs in one call: some tenths of a second."""


class Made(NamedTuple):
    """What a change came to; `left` are the jobs that it did not get to because it was stopped."""

    changed: Changed
    left: tuple[int, ...] = ()


class JobChanges:
    """`tell` is given how far a change of more than one portion has come, "" when it has ended. Of those there is one
    at a time.
    """

    def __init__(self, desk: Desk, tell: Callable[[str], None]) -> None:
        self._desk = desk
        self._tell = tell
        self._is_stopped = False
        self.is_under_way = False

    def stop(self) -> bool:
        """End the long change under way after the portion that it is at; False: there is none."""
        self._is_stopped = self.is_under_way
        return self.is_under_way

    def refuse_second(self) -> None:
        """Raises `Conflict` while a long change is under way."""
        if self.is_under_way:
            raise Conflict("another change of many jobs is still under way")

    async def make(self, change: Change, keys: tuple[int, ...]) -> Made:
        """Do it to all of them. What was done before the store failed is told, the rest is refused with the reason;
        raises what `Control` raises when nothing was done, and `Conflict` for a second long change.
        """
        if len(keys) <= PORTION:
            return Made(await self._desk.ask(lambda control: control.change_jobs(change, keys)))
        self.refuse_second()
        self.is_under_way = True
        try:
            return await self._make(change, keys)
        finally:
            self.is_under_way = self._is_stopped = False
            self._tell("")

    async def _make(self, change: Change, keys: tuple[int, ...]) -> Made:
        sum_ = Changed(())
        for start in range(0, len(keys), PORTION):
            if self._is_stopped:
                return Made(sum_, keys[start:])
            self._tell(bulk.progress(change, start, len(keys)))
            portion = keys[start : start + PORTION]
            try:
                part = await self._desk.ask(lambda control, some=portion: control.change_jobs(change, some))  # type: ignore[misc]
            except SchedulerError as error:
                if not start:
                    raise
                refused = tuple((key, str(error)) for key in keys[start:])
                return Made(Changed(sum_.done, sum_.refused + refused, sum_.changed))
            sum_ = Changed(sum_.done + part.done, sum_.refused + part.refused, sum_.changed + part.changed)
        return Made(sum_)
