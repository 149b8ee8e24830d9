"""`--serve`: an engine in a worker thread, the JSON API on the main thread, both over one store."""

from __future__ import annotations

import os
import sys

import structlog

from tui_scheduler import __version__
from tui_scheduler.api.app import create_app
from tui_scheduler.api.server import ApiServer, address_of, listen
from tui_scheduler.console import patient_stderr
from tui_scheduler.control.local import LocalControl
from tui_scheduler.engine.alerts import ConsoleAlerts
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.hosting import death_of, make_engine, now, start_engine, stop_engine, trouble_of
from tui_scheduler.settings import Settings
from tui_scheduler.stopping import STOPPED_AT_ONCE, on_stop_signals
from tui_scheduler.store.database import Database, open_database

log = structlog.get_logger(__name__)


def serve(settings: Settings) -> int:
    """Serve until a signal asks to stop (0) or the engine dies (1).

    The port is taken first: a second server on it must not get as far as claiming work.
    """
    with listen(settings.host, settings.port, anyone=settings.insecure_no_auth) as listener:
        database = open_database(settings.db)
        try:
            engine = make_engine(database, settings, ConsoleAlerts(_say_later))
            control = LocalControl(
                database,
                now=now,
                wake=engine.wake,
                engine_trouble=lambda: trouble_of(engine),
                try_request=engine.try_request,
            )
            app = create_app(control, body_limit=settings.body_limit)
            server = ApiServer(
                app,
                on_started=lambda: _announce(address_of(listener), database, settings),
                has_ended=lambda: engine.failed is not None,
            )
            _stop_on_signals(server, engine)
            start_engine(engine)
            try:
                server.run(sockets=[listener])
            finally:
                stop_engine(engine, settings)
            return _verdict(engine)
        finally:
            database.close()


def _announce(address: str, database: Database, settings: Settings) -> None:
    _say(f"tui-scheduler {__version__}, 1 node, {database}; Ctrl+C stops it")
    if settings.insecure_no_auth:
        _say(f"CAREFUL: whoever can reach {address} can read, change and run every job (--insecure-no-auth)")
    # On standard output, alone, for programs that start this one with --port 0.
    print(f"listening on {address}", flush=True)  # noqa: T201


def _stop_on_signals(server: ApiServer, engine: EngineThread) -> None:
    """The first signal stops in order, the second at once: what was not finished is rescued, nothing is lost."""

    def stop() -> None:
        if server.should_exit:
            os._exit(STOPPED_AT_ONCE)
        server.should_exit = True
        patient_stderr().write("stopping: waiting for requests under way; once more stops at once\n")
        engine.give_up_start()

    on_stop_signals(stop)


def _verdict(engine: EngineThread) -> int:
    death = death_of(engine)
    if death is None:
        return 0
    log.critical("engine_died", exc_info=engine.failed)
    _say(death)
    return 1


def _say_later(sentence: str) -> None:
    """From the engine's thread, which must not wait for a terminal."""
    patient_stderr().write(f"{sentence}\n")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
