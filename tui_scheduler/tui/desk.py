"""Where the widgets ask: `Control` from the UI's loop, without ever making it wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final, TypeVar

from tui_scheduler.control.control import Control
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.tui.local_zone import LOCAL

T = TypeVar("T")

THREADS: Final = 4
"""A slow question must not keep a quick one waiting; more would only compete with the engine."""

LONG_THREADS: Final = 4
"""For questions that wait for others than the store. One is asked at a time; what was given up may take a moment."""

SILENT_S: Final = 3.0
"""A store that answers nothing for so long is taken for one that cannot be read."""

MOST_UNDONE: Final = 50


@dataclass(frozen=True, slots=True)
class Undo:
    """How to take back what was just done. `label` says what, in the past tense: "deleted 3 jobs"."""

    label: str
    back: Callable[[], Awaitable[None]]


class Desk:
    """Asks `Control`, each question in a thread. Made before the store is open: questions wait for `open`.

    `now` gives µs since the epoch, `zone` is that of the user. `stale` is a sentence while the store cannot be read
    or says nothing, None when the last question was answered; `on_stale` is told of every change. All of it belongs to
    the UI's thread.
    """

    def __init__(
        self, now: Callable[[], int], *, zone: tzinfo = LOCAL, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.now = now
        self.zone = zone
        self.stale: str | None = None
        self.on_stale: Callable[[str | None], None] = lambda _reason: None
        self.undo: list[Undo] = []
        """The latest last; the app takes from the end."""
        self._control: Control | None = None
        self._opened = asyncio.Event()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="desk")
        self._long_threads = ThreadPoolExecutor(LONG_THREADS, thread_name_prefix="desk-long")
        self._monotonic = monotonic
        self._waiting: dict[object, float] = {}
        """Since when each question waits, the oldest first."""
        self._heard = monotonic()
        """When a question was last answered, with an error or not."""

    @property
    def is_open(self) -> bool:
        """Whether there is a store to ask."""
        return self._control is not None

    def open(self, control: Control) -> None:
        """From now on questions are answered."""
        self._control = control
        self._opened.set()

    async def ask(self, question: Callable[[Control], T]) -> T:
        """The answer to a question like `lambda control: control.job(id)`, once there is somebody to ask.

        Raises what `Control` raises. Cancelled, it is answered all the same, and nobody hears.
        """
        control = await self._somebody()
        asked: asyncio.Future[T] = asyncio.get_running_loop().run_in_executor(self._threads, question, control)
        self._waiting[asked] = self._monotonic()
        asked.add_done_callback(self._answered)
        try:
            answer = await asked
        except StoreUnavailable as error:
            self._tell(str(error))
            raise
        self._tell(None)
        return answer

    async def ask_long(self, question: Callable[[Control, Future[None]], T]) -> T:
        """The answer to a question that waits for others than the store; no other question waits for its sake.

        Raises what `Control` raises. Cancelled, the future that the question is given is done: nobody wants the answer.
        """
        control = await self._somebody()
        unwanted: Future[None] = Future()
        asked = asyncio.get_running_loop().run_in_executor(self._long_threads, question, control, unwanted)
        try:
            return await asked
        finally:
            unwanted.cancel()

    def listen(self) -> None:
        """Look whether the store has been silent for too long while somebody waits. To be called once in a while."""
        if not self._waiting:
            return
        seconds = self._monotonic() - max(next(iter(self._waiting.values())), self._heard)
        if seconds >= SILENT_S:
            self._tell(f"no answer for {seconds:.0f} s")

    async def _somebody(self) -> Control:
        await self._opened.wait()  # set again by nobody once it is closed
        assert self._control is not None  # noqa: S101 - for the type checker: `open` sets both
        return self._control

    def _answered(self, asked: asyncio.Future[T]) -> None:
        del self._waiting[asked]
        if not asked.cancelled():
            self._heard = self._monotonic()

    def did(self, label: str, back: Callable[[], Awaitable[None]]) -> None:
        """Remember how to take back what was just done."""
        self.undo.append(Undo(label, back))
        del self.undo[:-MOST_UNDONE]

    def close(self) -> None:
        """Answer no more questions: those under way end on their own, later ones wait for ever, as before `open`."""
        self._opened.clear()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._long_threads.shutdown(wait=False, cancel_futures=True)

    def _tell(self, stale: str | None) -> None:
        if stale != self.stale:
            self.stale = stale
            self.on_stale(stale)
