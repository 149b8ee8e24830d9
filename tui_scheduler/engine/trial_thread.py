"""Test requests where no engine runs: the transport alone, in a thread that starts with the first one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial

import structlog
import trio

from tui_scheduler.domain.execution import Outcome
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.engine.clock import SystemClock
from tui_scheduler.engine.trial import Ended, GiveUp, Trials, try_once
from tui_scheduler.engine.wire import Wire

CONNECTIONS = 64

log = structlog.get_logger()


class TrialThread:
    """`try_request` as an engine has it. From any thread."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = False
        self._is_ready = threading.Event()
        self._token: trio.lowlevel.TrioToken | None = None
        self._scope = trio.CancelScope()
        self._wire: Wire | None = None
        self._clock = SystemClock()
        self._trials = Trials()

    def try_request(self, spec: JobSpec, unwanted: Future[None] | None = None) -> Outcome:
        """Send the request of a job once, now, and wait for what it comes to; nothing is stored. Raises `Conflict` when
        this ends meanwhile or has ended, and when `unwanted` is done first: the request is then given up.
        """
        with self._guard:
            if self._thread is None and not self._is_stopped:
                self._thread = threading.Thread(target=self._run, name="trials", daemon=True)
                self._thread.start()
                self._is_ready.wait()
        return self._trials.ask(self._tell, partial(self._send, spec), spec.timeout / 1_000_000, unwanted)

    def stop(self) -> None:
        """End it; what is under way is given up."""
        with self._guard:
            self._is_stopped = True
            if self._thread is None:
                self._trials.end()
            else:
                self._tell(self._scope.cancel)
                self._thread.join()

    def _send(self, spec: JobSpec, ended: Ended) -> GiveUp:
        assert self._wire is not None  # noqa: S101 - for the type checker: it is there before anybody is told anything
        return try_once(self._wire, spec, self._clock.now(), ended)

    def _tell(self, call: Callable[[], None]) -> None:
        if self._token is None:
            return
        try:
            self._token.run_sync_soon(call)
        except trio.RunFinishedError:
            log.debug("trials_have_ended")

    def _run(self) -> None:
        try:
            trio.run(self._main)
        finally:
            self._trials.end()
            self._is_ready.set()

    async def _main(self) -> None:
        with self._scope:
            async with trio.open_nursery() as nursery:
                self._wire = Wire(nursery, self._clock, max_connections=CONNECTIONS, excerpt_limit=65_536)
                self._token = trio.lowlevel.current_trio_token()
                self._is_ready.set()
