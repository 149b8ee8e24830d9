"""One engine in a process of its own, for a server that has several: `python -m tui_scheduler.worker`.

Not for people: it takes its orders from the server that started it (see `worker_talk`) and lives no longer than that.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Final, TextIO

import structlog

from tui_scheduler.console import PatientStream
from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.engine.alerts import LINES_A_SECOND, ConsoleAlerts
from tui_scheduler.engine.thread import EngineThread
from tui_scheduler.hosting import death_of, make_engine, start_engine, stop_engine
from tui_scheduler.logs import start_logging
from tui_scheduler.settings import Settings, handed_over
from tui_scheduler.stopping import on_stop_signals
from tui_scheduler.store.database import Database, join_database
from tui_scheduler.worker_talk import STATE_EVERY_S, Kind, Word

Say = Callable[[Kind, *tuple[str, ...]], None]

_AT_ONCE: Final = 65_536

log = structlog.get_logger(__name__)


def main() -> None:
    """Work until the server closes the pipe (0), a signal asks to stop (0), or the engine dies (1)."""
    output = PatientStream(_take_standard_output())
    orders = _first_line()
    if orders is None:
        sys.exit(0)  # the server died before it could say anything
    start_logging()

    def say(kind: Kind, *texts: str) -> None:
        output.write(Word(kind, texts).as_line())

    try:
        sys.exit(_work(handed_over(orders), say))
    except SchedulerError as error:
        say(Kind.DIED, str(error))
        sys.exit(1)


def _take_standard_output() -> TextIO:
    """Standard output for our words alone; what others print goes to standard error."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours


def _first_line() -> bytes | None:
    """Of standard input, which nobody else may buffer: a thread that waits in a buffer would hang the exit. What comes
    after it are wakes, and not needed before there is an engine.
    """
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 1)
        if not more:
            return None
        line += more
    return line


def _work(settings: Settings, say: Say) -> int:
    database = join_database(settings.db)
    try:
        return _work_on(database, settings, say)
    finally:
        database.close()


def _work_on(database: Database, settings: Settings, say: Say) -> int:
    lines = max(LINES_A_SECOND // settings.workers, 1)
    engine = make_engine(database, settings, ConsoleAlerts(lambda line: say(Kind.ALERT, line), lines_a_second=lines))
    asked: SimpleQueue[None] = SimpleQueue()

    def stop() -> None:
        asked.put(None)
        engine.give_up_start()

    on_stop_signals(stop)
    threading.Thread(target=_obey, args=(engine, stop), name="orders", daemon=True).start()
    start_engine(engine)
    say(Kind.BEGUN)
    try:
        while engine.failed is None and not _is_put(asked, STATE_EVERY_S):
            say(Kind.STATE, *engine.trouble)
    finally:
        stop_engine(engine, settings)
    death = death_of(engine)
    if death is None:
        return 0
    log.critical("engine_died", exc_info=engine.failed)
    say(Kind.DIED, death)
    return 1


def _obey(engine: EngineThread, stop: Callable[[], None]) -> None:
    """Until the pipe ends, whether the server has closed it or is gone."""
    while os.read(0, _AT_ONCE):  # many wakes are one
        engine.wake()
    stop()


def _is_put(queue: SimpleQueue[None], within_s: float) -> bool:
    try:
        queue.get(timeout=within_s)
    except Empty:
        return False
    return True


if __name__ == "__main__":
    main()
