"""`--serve`: an engine in a worker thread, the JSON API on the main thread, both over one store."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import Final

import structlog

from tui_scheduler import __version__
from tui_scheduler.api.app import create_app
from tui_scheduler.api.server import ApiServer, address_of, listen
from tui_scheduler.console import patient_stderr
from tui_scheduler.control.local import LocalControl
from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.engine.alerts import ConsoleAlerts
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.engine.world import Options
from tui_scheduler.settings import Settings
from tui_scheduler.store.database import Database, open_database

STOPPED_AT_ONCE: Final = 130
DAY: Final = 86_400 * 1_000_000  # µs
FLUSH_S: Final = 5.0
"""How long a stop may take beyond the drain: the last batch has to be committed."""

STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """Serve until a signal asks to stop (0) or the engine dies (1).

    The port is taken first: a second server on it must not get as far as claiming work.
    """
    with listen(settings.host, settings.port, anyone=settings.insecure_no_auth) as listener:
        database = open_database(settings.db)
        try:
            engine = make_engine(database, settings)
            control = LocalControl(database, now=_now, wake=engine.wake, engine_trouble=lambda: _trouble(engine))
            app = create_app(control, body_limit=settings.body_limit)
            server = ApiServer(
                app,
                on_started=lambda: _announce(address_of(listener), database, settings),
                has_ended=lambda: engine.failed is not None,
            )
            _stop_on_signals(server, engine)
            _start(engine)
            try:
                server.run(sockets=[listener])
            finally:
                engine.stop(settings.drain_s + FLUSH_S if engine.has_begun else FLUSH_S)
            return _verdict(engine)
        finally:
            database.close()


def _now() -> int:
    return time.time_ns() // 1_000


def _announce(address: str, database: Database, settings: Settings) -> None:
    _say(f"tui-scheduler {__version__}, 1 node, {database}; Ctrl+C stops it")
    if settings.insecure_no_auth:
        _say(f"CAREFUL: whoever can reach {address} can read, change and run every job (--insecure-no-auth)")
    # On standard output, alone, for programs that start this one with --port 0.
    print(f"listening on {address}", flush=True)  # noqa: T201


def _stop_on_signals(server: ApiServer, engine: EngineThread) -> None:
    """The first signal stops in order, the second at once: what was not finished is rescued, nothing is lost."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if server.should_exit:
            os._exit(STOPPED_AT_ONCE)
        server.should_exit = True
        patient_stderr().write("stopping: waiting for requests under way; once more stops at once\n")
        engine.give_up_start()

    for number in STOP_SIGNALS:
        # nohup ignores SIGHUP, and means it. A shell ignores SIGINT for what it starts with &, and means less by it.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)


def _start(engine: EngineThread) -> None:
    """Start it; raises the `SchedulerError` behind its failure where there is one."""
    try:
        engine.start()
    except ExceptionGroup as group:
        raise _first(group) from group


def _trouble(engine: EngineThread) -> str | None:
    """What keeps this process from firing."""
    if engine.failed is None:
        return "; ".join(engine.trouble) or None
    cause = _first(engine.failed)
    reason = str(cause) if isinstance(cause, SchedulerError) else f"{type(cause).__name__}: {cause}"
    return f"the engine of this process has died and fires nothing: {reason}"


def _first(error: BaseException) -> BaseException:
    """What went wrong, out of the groups that nurseries wrap it in."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _verdict(engine: EngineThread) -> int:
    if engine.failed is None:
        return 0
    log.critical("engine_died", exc_info=engine.failed)
    _say(_trouble(engine) or "")
    return 1


def _say_later(sentence: str) -> None:
    """From the engine's thread, which must not wait for a terminal."""
    patient_stderr().write(f"{sentence}\n")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201


def make_engine(database: Database, settings: Settings) -> EngineThread:
    """WIRING: the one place that knows which engine runs and with what options."""
    options = Options(
        look_ahead=settings.look_ahead_ms * 1_000,
        slots=settings.slots,
        drain_s=settings.drain_s,
        keep_age=int(settings.keep_days * DAY),
        keep_count=settings.keep_per_job,
    )
    return EngineThread(database, options, ConsoleAlerts(_say_later))
