"""Keeps the model of the jobs up to date: asks the desk, and drops answers to what is no longer asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.tui.desk import Desk
from tui_scheduler.tui.job_model import JobModel, Read

TICK_S: Final = 0.25
"""So often the lines on the screen are read."""

_LIST_EVERY: Final = 8
"""Ticks between listings: which jobs there are changes less often than how they are."""

_LONGEST_WAIT: Final = 32
"""Ticks between tries, at most, while the store cannot be read."""


class JobFeed:
    """`visible` gives the indices of the lines on the screen. `on_listed` is told of a listing (whether the keys are
    others), `on_read` of lines, `on_trouble` of what went wrong. Runs on the UI's loop; every method may be called at
    any time.
    """

    def __init__(
        self,
        desk: Desk,
        model: JobModel,
        *,
        visible: Callable[[], range],
        on_listed: Callable[[bool], None],
        on_read: Callable[[Read], None],
        on_trouble: Callable[[SchedulerError], None],
    ) -> None:
        self._desk = desk
        self._model = model
        self._visible = visible
        self._on_listed = on_listed
        self._on_read = on_read
        self._on_trouble = on_trouble
        self._era = 0
        self._listings = 0
        """Under way."""
        self._asked = 0
        self._answered = 0
        """Numbers of the listing asked for last, and of the latest one that was answered."""
        self._reading = False
        self._read_again = False
        self._until_listing = 0
        self._wait = 0
        self._next_wait = 1

    def outdate(self) -> None:
        """Something was changed: answers to questions asked until now no longer count."""
        self._era += 1

    async def refresh(self) -> None:
        """Something was changed: on return keys and lines are as they stood after that, or the store cannot be read."""
        self.outdate()
        while not await self.list():
            pass
        await self.read()

    async def tick(self) -> None:
        """Read what is due; to be called every `TICK_S` while the jobs are on the screen. A question that takes longer
        than a tick is waited for, not asked again.
        """
        if self._wait:
            self._wait -= 1
            return
        if self._until_listing <= 0 and not self._listings:
            await self.list()
        else:
            self._until_listing -= 1
        if not self._wait:
            await self.read()

    async def list(self) -> bool:
        """Which jobs there are, in their order. False: meanwhile something else was asked, or changed."""
        query, era = self._model.query, self._era
        self._until_listing = _LIST_EVERY
        self._listings += 1
        self._asked += 1
        number = self._asked
        try:
            listing = await self._desk.ask(lambda control: control.list_jobs(query))
        except SchedulerError as error:
            self._failed(error)
            return True
        finally:
            self._listings -= 1
        self._wait, self._next_wait = 0, 1
        if query != self._model.query or era != self._era:
            return False
        if number > self._answered:
            self._answered = number
            self._on_listed(self._model.take(listing))
        return True

    async def read(self) -> None:
        """The lines on the screen and around it. One question at a time: what is scrolled to meanwhile comes next."""
        if self._reading:
            self._read_again = True
            return
        self._reading = True
        try:
            await self._read_on()
        except SchedulerError as error:
            self._failed(error)
        finally:
            self._reading = False

    async def _read_on(self) -> None:
        while True:
            self._read_again = False
            keys, era = self._model.window(self._visible()), self._era
            if keys:
                rows = await self._desk.ask(lambda control, keys=keys: control.job_rows(keys))  # type: ignore[misc]
                if era == self._era:
                    read = self._model.put(keys, rows)
                    if read.gone:
                        self._until_listing = 0
                    self._on_read(read)
                else:
                    self._read_again = True
            if not self._read_again:
                return

    def _failed(self, error: SchedulerError) -> None:
        """Try again, but ever less often."""
        self._until_listing = 0
        self._wait = self._next_wait
        self._next_wait = min(self._next_wait * 2, _LONGEST_WAIT)
        self._on_trouble(error)
