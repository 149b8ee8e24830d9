"""What runs the jobs of a server: one engine in this process, or several in processes of their own (`crew`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Protocol

import structlog

from tui_scheduler.domain.execution import Outcome
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.engine.alerts import ConsoleAlerts
from tui_scheduler.hosting import death_of, make_engine, start_engine, stop_engine, trouble_of
from tui_scheduler.settings import Settings
from tui_scheduler.store.database import Database

log = structlog.get_logger(__name__)


class Engines(Protocol):
    """`str` says how many there are."""

    def start(self) -> None:
        """Return once all are at work, or the start was given up. Raises the `SchedulerError` of one that cannot."""
        ...

    def give_up_start(self) -> None:
        """End a start that is under way; without effect afterwards. From a signal handler."""
        ...

    def wake(self) -> None:
        """Something changed in the store: have all of them look at once. From any thread, at any time."""
        ...

    def try_request(self, spec: JobSpec, unwanted: Future[None] | None = None) -> Outcome:
        """Send the request of a job once, unrecorded. See `EngineThread.try_request`."""
        ...

    def trouble(self) -> str | None:
        """What keeps any of them from firing."""
        ...

    def details(self) -> Mapping[str, str]:
        """What health says of them beside that."""
        ...

    def have_ended(self) -> bool:
        """Whether nothing will be fired any more, so that there is no point in serving."""
        ...

    def stop(self) -> None:
        """Stop them in order; returns when all are gone."""
        ...

    def kill(self) -> None:
        """Leave no other process behind, at once. From a signal handler, right before the end of this one."""
        ...

    def verdict(self) -> str | None:
        """After the stop: a sentence when the end was not what anybody asked for."""
        ...


class OneEngine:
    """In a thread of this process."""

    def __init__(self, database: Database, settings: Settings, say: Callable[[str], None]) -> None:
        self._engine = make_engine(database, settings, ConsoleAlerts(say))
        self._settings = settings
        self.give_up_start = self._engine.give_up_start
        self.wake = self._engine.wake
        self.try_request = self._engine.try_request

    def __str__(self) -> str:
        return "1 node"

    def start(self) -> None:
        start_engine(self._engine)

    def trouble(self) -> str | None:
        return trouble_of(self._engine)

    def details(self) -> Mapping[str, str]:
        return {}

    def have_ended(self) -> bool:
        return self._engine.failed is not None

    def stop(self) -> None:
        stop_engine(self._engine, self._settings)

    def kill(self) -> None:
        """There is no other process."""

    def verdict(self) -> str | None:
        death = death_of(self._engine)
        if death is not None:
            log.critical("engine_died", exc_info=self._engine.failed)
        return death
