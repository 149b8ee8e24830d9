"""A request sent once to see what it comes to: over the connections that firings use, by their rules, unrecorded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Final
from uuid import uuid4

from tui_scheduler.domain.errors import Conflict
from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.domain.job import JobSpec, JobType
from tui_scheduler.engine.arming import headers_of
from tui_scheduler.engine.transport import Shot, Transport

PATIENCE_S: Final = 5.0
"""How much longer than its timeout a trial is waited for: the loop may be busy with a herd."""

Ended = Callable[[Outcome], None]
GiveUp = Callable[[], None]
"""Ends a request under way, on the thread that sends; without effect on one that has ended."""


def try_once(transport: Transport, spec: JobSpec, now: int, ended: Ended) -> GiveUp:
    """Send it now, with the headers of a first attempt of an execution and a job that nobody has heard of."""
    headers = headers_of(str(uuid4()), str(uuid4()), now, now, 1)
    may_reconnect = spec.type is JobType.ATLEAST_ONCE
    shot = Shot(spec.request, headers, spec.timeout, may_reconnect=may_reconnect, done=ended)
    transport.arm(shot)
    transport.fire(shot)
    return partial(transport.abort, shot)


class Trials:
    """Those under way, for threads that wait while another one sends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: set[Future[Outcome]] = set()
        self._is_over = False

    def ask(
        self,
        tell: Callable[[Callable[[], None]], None],
        send: Callable[[Ended], GiveUp],
        timeout_s: float,
        unwanted: Future[None] | None = None,
    ) -> Outcome:
        """What `send` comes to, which `tell` has called on the thread that sends. Raises `Conflict` when that ends, and
        when `unwanted` is done before there is an answer: the request is then given up.
        """
        unwanted = Future() if unwanted is None else unwanted
        asked: Future[Outcome] = Future()
        with self._lock:
            if self._is_over:
                raise Conflict("the engine of this process has ended, so nothing can be sent")
            self._waiting.add(asked)
        try:
            tell(partial(_send, send, asked, tell, unwanted))
            outcome = asked.result(timeout_s + PATIENCE_S)
        except TimeoutError:
            raise Conflict("the engine of this process gives no answer; it may be overloaded") from None
        finally:
            with self._lock:
                self._waiting.discard(asked)
        if outcome.kind is OutcomeKind.ABORTED and unwanted.done():
            raise _given_up()
        if outcome.kind is OutcomeKind.ABORTED:
            raise Conflict("the engine of this process stopped before there was an answer")
        return outcome

    def end(self) -> None:
        """The thread that sends has ended: nobody waits any longer."""
        with self._lock:
            self._is_over = True
            waiting = list(self._waiting)
        for asked in waiting:
            if not asked.done():
                asked.set_exception(Conflict("the engine of this process ended before there was an answer"))


def _send(
    send: Callable[[Ended], GiveUp],
    asked: Future[Outcome],
    tell: Callable[[Callable[[], None]], None],
    unwanted: Future[None],
) -> None:
    if unwanted.done():
        asked.set_exception(_given_up())
        return
    try:
        give_up = send(asked.set_result)
    except Exception as error:  # noqa: BLE001 - it is the asker's to see, and no reason for an engine to die
        asked.set_exception(error)
    else:
        unwanted.add_done_callback(lambda _done: tell(give_up))


def _given_up() -> Conflict:
    return Conflict("the test request was given up before there was an answer")
