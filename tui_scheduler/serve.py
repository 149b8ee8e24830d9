"""`--serve`: an engine in a worker thread, the JSON API on the main thread, both over one store."""

from __future__ import annotations

import os
import signal
import sys
import time
from types import FrameType
from typing import Final, Protocol

from tui_scheduler import __version__
from tui_scheduler.api.app import create_app
from tui_scheduler.api.server import ApiServer, address_of, listen
from tui_scheduler.control.local import LocalControl
from tui_scheduler.engine.alerts import ConsoleAlerts
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.engine.world import Options
from tui_scheduler.settings import Settings
from tui_scheduler.store.database import Database, open_database

STOPPED_AT_ONCE: Final = 130
DAY: Final = 86_400 * 1_000_000  # µs
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Engine(Protocol):
    """What running an engine takes; `failed` is the exception it died of."""

    @property
    def failed(self) -> BaseException | None: ...

    def start(self) -> None: ...

    def wake(self) -> None: ...

    def stop(self, deadline_s: float) -> None: ...


def serve(settings: Settings) -> int:
    """Serve until a signal asks to stop (0) or the engine dies (1).

    The port is taken first: a second server on it must not get as far as claiming work.
    """
    with listen(settings.host, settings.port, anyone=settings.insecure_no_auth) as listener:
        database = open_database(settings.db)
        try:
            engine = make_engine(database, settings)
            control = LocalControl(database, now=_now, wake=engine.wake)
            app = create_app(control, body_limit=settings.body_limit, also_wrong=lambda: _complaints(engine))
            server = ApiServer(
                app,
                on_started=lambda: _announce(address_of(listener), database, settings),
                has_ended=lambda: engine.failed is not None,
            )
            _stop_on_signals(server)
            engine.start()
            try:
                server.run(sockets=[listener])
            finally:
                engine.stop(settings.drain_s)
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


def _stop_on_signals(server: ApiServer) -> None:
    """The first signal stops in order, the second at once: what was not finished is rescued, nothing is lost."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if server.should_exit:
            os._exit(STOPPED_AT_ONCE)
        server.should_exit = True

    for number in STOP_SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores SIGHUP, and means it
            signal.signal(number, on_signal)


def _complaints(engine: Engine) -> list[str]:
    return [] if engine.failed is None else [_obituary(engine.failed)]


def _verdict(engine: Engine) -> int:
    if engine.failed is None:
        return 0
    _say(_obituary(engine.failed))
    return 1


def _obituary(cause: BaseException) -> str:
    return f"the engine of this process has died, so it fires nothing: {type(cause).__name__}: {cause}"


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
    return EngineThread(database, options, ConsoleAlerts(_say))
