"""A store with an engine beside it, in this process: what every mode that runs jobs has in common."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.engine.world import Alert, Options
from tui_scheduler.settings import Settings
from tui_scheduler.store.database import Database

DAY: Final = 86_400 * 1_000_000  # µs
FLUSH_S: Final = 5.0
"""How long a stop may take beyond the drain: the last batch has to be committed."""


def now() -> int:
    """µs since the epoch."""
    return time.time_ns() // 1_000


def make_engine(database: Database, settings: Settings, alert: Callable[[Alert], None]) -> EngineThread:
    """WIRING: the one place that knows which engine runs and with what options."""
    options = Options(
        look_ahead=settings.look_ahead_ms * 1_000,
        slots=settings.slots,
        per_origin=settings.per_origin,
        origins=settings.origins,
        drain_s=settings.drain_s,
        stale_after_s=settings.node_timeout_s,
        keep_age=int(settings.keep_days * DAY),
        keep_failed_age=int(max(settings.keep_days, settings.keep_failed_days) * DAY),
        keep_count=settings.keep_per_job,
    )
    return EngineThread(database, options, alert)


def start_engine(engine: EngineThread) -> None:
    """Start it; raises the `SchedulerError` behind its failure where there is one."""
    try:
        engine.start()
    except ExceptionGroup as group:
        raise _first(group) from group


def stop_engine(engine: EngineThread, settings: Settings) -> None:
    """Stop in order: what is under way ends or the drain is over, and all is recorded."""
    engine.stop(settings.drain_s + FLUSH_S if engine.has_begun else FLUSH_S)


def trouble_of(engine: EngineThread) -> str | None:
    """What keeps this process from firing."""
    return death_of(engine) or "; ".join(engine.trouble) or None


def death_of(engine: EngineThread) -> str | None:
    """A sentence when the engine has died."""
    if engine.failed is None:
        return None
    cause = _first(engine.failed)
    reason = str(cause) if isinstance(cause, SchedulerError) else f"{type(cause).__name__}: {cause}"
    return f"the engine of this process has died and fires nothing: {reason}"


def _first(error: BaseException) -> BaseException:
    """What went wrong, out of the groups that nurseries wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
