"""What the terminal UI runs on, given to it by the wiring: a `Control`, and where it came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tui_scheduler.control.control import Control
from tui_scheduler.control.views import AlertView


class Session(Protocol):
    """An opened store with an engine beside it. All methods may be called from any thread."""

    @property
    def control(self) -> Control: ...

    @property
    def where(self) -> str:
        """The database, as a person would name it; no password in it."""
        ...

    def alerts(self) -> list[AlertView]:
        """What happened since the last call that a person should hear of; bounded, the oldest are dropped."""
        ...

    def receiver(self) -> str:
        """Start the built-in echo receiver in this process unless it runs; its URL. Blocks a moment."""
        ...

    def load_samples(self) -> int:
        """Create those of the four sample jobs that are not there, sent to the receiver; how many. Blocks a moment.

        Raises `SchedulerError`.
        """
        ...

    def trouble(self) -> str | None:
        """A sentence when the engine of this process has died; None while all is well."""
        ...

    def stop(self) -> None:
        """Stop in order: blocks until what is under way has ended (or the drain is over) and all is recorded."""
        ...


Start = Callable[[], Session]
"""Opens the store and starts the engine: takes a while, so it is called in a thread once something is on the screen.
Raises `SchedulerError`.
"""
