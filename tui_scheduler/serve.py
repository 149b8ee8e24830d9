"""`--serve`: an engine in a worker thread, or several in processes of their own, and the JSON API on the main thread,
all over one store.
"""

from __future__ import annotations

import os
import sys

from tui_scheduler import __version__
from tui_scheduler.api.app import create_app
from tui_scheduler.api.server import ApiServer, address_of, listen
from tui_scheduler.console import patient_stderr
from tui_scheduler.control.local import LocalControl
from tui_scheduler.crew import Crew
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.engines import Engines, OneEngine
from tui_scheduler.hosting import now
from tui_scheduler.settings import Settings
from tui_scheduler.stopping import STOPPED_AT_ONCE, on_stop_signals
from tui_scheduler.store.database import Database, open_database


def serve(settings: Settings) -> int:
    """Serve until a signal asks to stop (0) or the engine dies (1).

    The port is taken first: a second server on it must not get as far as claiming work.
    """
    with listen(settings.host, settings.port, anyone=settings.insecure_no_auth) as listener:
        database = open_database(settings.db)
        try:
            engines = _engines(database, settings)
            control = LocalControl(
                database,
                now=now,
                wake=engines.wake,
                engine_trouble=engines.trouble,
                engine_details=engines.details,
                try_request=engines.try_request,
            )
            app = create_app(control, body_limit=settings.body_limit)
            server = ApiServer(
                app,
                on_started=lambda: _announce(address_of(listener), f"{engines}, {database}", settings),
                has_ended=engines.have_ended,
            )
            _stop_on_signals(server, engines)
            engines.start()
            try:
                if not server.should_exit:  # while it started
                    server.run(sockets=[listener])
            finally:
                engines.stop()
            return _exit_code(engines)
        finally:
            database.close()


def _engines(database: Database, settings: Settings) -> Engines:
    if settings.workers == 1:
        return OneEngine(database, settings, _say_later)
    if database.path is None and database.kind == "sqlite":
        raise Invalid("workers", "a database in memory cannot be shared by several processes")
    return Crew(settings, _say_later)


def _announce(address: str, what: str, settings: Settings) -> None:
    _say(f"tui-scheduler {__version__}, {what}; Ctrl+C stops it")
    if settings.insecure_no_auth:
        _say(f"CAREFUL: whoever can reach {address} can read, change and run every job (--insecure-no-auth)")
    # On standard output, alone, for programs that start this one with --port 0.
    print(f"listening on {address}", flush=True)  # noqa: T201


def _stop_on_signals(server: ApiServer, engines: Engines) -> None:
    """The first signal stops in order, the second at once: what was not finished is rescued, nothing is lost."""

    def stop() -> None:
        if server.should_exit:
            engines.kill()
            os._exit(STOPPED_AT_ONCE)
        server.should_exit = True
        patient_stderr().write("stopping: waiting for requests under way; once more stops at once\n")
        engines.give_up_start()

    on_stop_signals(stop)


def _exit_code(engines: Engines) -> int:
    verdict = engines.verdict()
    if verdict is None:
        return 0
    _say(verdict)
    return 1


def _say_later(sentence: str) -> None:
    """From a thread that must not wait for a terminal."""
    patient_stderr().write(f"{sentence}\n")


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201
