"""An engine in a thread of its own, beside whatever the main thread does."""

from __future__ import annotations

import gc
import os
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

import structlog
import trio

from tui_scheduler import __version__
from tui_scheduler.domain.errors import Conflict
from tui_scheduler.domain.execution import Outcome
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.engine.clock import SystemClock
from tui_scheduler.engine.engine import Engine
from tui_scheduler.engine.limits import raise_file_limit
from tui_scheduler.engine.trial import Trials
from tui_scheduler.engine.wire import Wire
from tui_scheduler.engine.world import Alert, Lock, Options, World, stores_of
from tui_scheduler.store import liveness
from tui_scheduler.store.database import Database
from tui_scheduler.store.ids import execution_id

T = TypeVar("T")

SWITCH_INTERVAL_S = 0.0005
"""How long a thread may keep the interpreter from others. The default, ten times this, shows as drift."""

SLOW_START_S = 3.0
"""After this long a start says what it waits for."""

SPARE_FILES = 200
"""Open files kept for everything but connections to targets."""

SERVER_LOCK_GRACE_S = 3.0
"""On PostgreSQL a lock is also free when only its connection broke: believe it when the heartbeat stood still too."""

log = structlog.get_logger()


class EngineThread:
    """`start` returns once the node is registered; `stop` once it has ended. Call them from one other thread.

    `failed` is the exception the engine died of, None while it lives and after a stop in order.
    """

    def __init__(self, database: Database, options: Options, alert: Callable[[Alert], None]) -> None:
        self._database = database
        self._options = options
        self._alert = alert
        self._engine: Engine | None = None
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._begun = threading.Event()
        self._stopping = threading.Event()
        self._trials = Trials()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self.failed: BaseException | None = None

    @property
    def trouble(self) -> tuple[str, ...]:
        """What keeps the engine from its work at the moment, one sentence each."""
        return self._engine.trouble.reasons if self._engine is not None else ()

    def start(self) -> None:
        """Raises what the engine died of, if it could not begin."""
        sys.setswitchinterval(SWITCH_INTERVAL_S)
        self._thread.start()
        if not self._begun.wait(SLOW_START_S):
            log.warning("engine_start_waits", reason="the database does not let it begin yet")
            self._begun.wait()
        if self.failed is not None:
            self._thread.join()
            raise self.failed

    @property
    def has_begun(self) -> bool:
        """Whether the node was registered."""
        return self._engine is not None and self._engine.node is not None

    def give_up_start(self) -> None:
        """A start that still waits for the database ends; one that is over is not affected. From a signal handler."""
        if not self._begun.is_set():
            self._stopping.set()
            if self._engine is not None:
                self._tell(self._engine.stop)
            self._begun.set()

    def wake(self) -> None:
        """Something changed in the store: look at once. From any thread, at any time."""
        if self._engine is not None:
            self._tell(self._engine.wake)

    def try_request(self, spec: JobSpec, unwanted: Future[None] | None = None) -> Outcome:
        """Send the request of a job once, now, and wait for what it comes to; nothing is stored. From any thread but
        the engine's. Raises `Conflict` while no engine runs, when it ends meanwhile, and when `unwanted` is done first:
        the request is then given up.
        """
        engine = self._engine
        if engine is None or not self._begun.is_set():
            raise Conflict("the engine of this process is not running yet; try again in a moment")
        return self._trials.ask(self._tell, partial(engine.try_request, spec), spec.timeout / 1_000_000, unwanted)

    def stop(self, deadline_s: float) -> None:
        """End in order, or at once when that takes longer than `deadline_s`; what is left is rescued by others."""
        self._stopping.set()
        if self._thread.ident is None:  # never started
            return
        if self._engine is not None:
            self._tell(self._engine.stop)
        self._thread.join(deadline_s)
        if self._thread.is_alive():
            log.warning("engine_stop_overdue", seconds=deadline_s)
            self._tell(self._scope.cancel)
            self._thread.join(deadline_s)

    def _tell(self, call: Callable[[], object]) -> None:
        if self._token is None:
            return
        try:
            self._token.run_sync_soon(call)
        except trio.RunFinishedError:
            log.debug("engine_has_ended")

    def _run(self) -> None:
        try:
            trio.run(self._main)
        except BaseException as died:  # noqa: BLE001 - whatever it is, the main thread must hear of it
            self.failed = died
        finally:
            self._trials.end()
            self._begun.set()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        world = await trio.to_thread.run_sync(make_world, self._database, self._options, self._alert)
        self._engine = Engine(world)
        if self._stopping.is_set():  # before there was an engine to tell
            self._engine.stop()
        settle_garbage()
        with self._scope:
            async with trio.open_nursery() as nursery:
                await nursery.start(self._engine.run)
                self._begun.set()


def make_world(database: Database, options: Options, alert: Callable[[Alert], None]) -> World:
    """The real world: the machine's clocks and network, threads, and `database`."""
    files = raise_file_limit()
    slots = max(min(options.slots, files - SPARE_FILES), 1)
    grace = SERVER_LOCK_GRACE_S if database.kind == "postgresql" else options.lock_grace_s
    clock = SystemClock()
    return World(
        clock=clock,
        stores=stores_of(database),
        locks=DatabaseLocks(database),
        hop=in_thread,
        open_transport=partial(Wire, clock=clock, max_connections=slots, excerpt_limit=65_536),
        alert=alert,
        log=log.info,
        options=replace(options, slots=slots, lock_grace_s=grace),
        host=socket.gethostname(),
        pid=os.getpid(),
        version=__version__,
        new_uuid=lambda: str(uuid4()),
        execution_id=partial(_public_id, database.salt),
    )


class DatabaseLocks:
    """The locks of `store.liveness` on one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hold(self, node: int) -> Lock:
        return liveness.hold(self._database, node)

    def is_free(self, node: int) -> bool:
        return liveness.is_free(self._database, node)

    def bury(self, node: int) -> None:
        liveness.bury(self._database, node)


async def in_thread(call: Callable[..., T], /, *arguments: Any) -> T:
    """One store transaction, away from the loop. Not abandoned when cancelled: it commits or it does not."""
    return await trio.to_thread.run_sync(partial(call, *arguments))


def _public_id(salt: int, key: int, scheduled_for: int) -> str:
    return execution_id(key, scheduled_for, salt)


def settle_garbage() -> None:
    """What is loaded by now stays: keep the collector from walking it in the middle of a herd, and at the exit, which
    takes the better part of a second longer otherwise.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
