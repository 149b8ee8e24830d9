"""From an outcome to a record: what became of each attempt, counted, recorded, and told where someone must know."""

from __future__ import annotations

from collections.abc import Callable

from tui_scheduler.domain.decisions import Settlement, settle
from tui_scheduler.domain.execution import Outcome, OutcomeKind, SkipReason, State
from tui_scheduler.domain.job import Overlap
from tui_scheduler.engine.counters import Counters
from tui_scheduler.engine.hand import Held, Phase
from tui_scheduler.engine.world import Alert, World
from tui_scheduler.store.records import AttemptRecord, CancelRequest, Record

EXCERPT_OF_SUCCESS = 1_024
EXCERPT_OF_FAILURE = 4_096
"""Bytes of the response kept in the history."""


class Settling:
    """Ends executions: by an outcome, by a skip, by a cancellation before the send."""

    def __init__(self, world: World, counters: Counters, put: Callable[[Record], None]) -> None:
        self._world = world
        self._counters = counters
        self._put = put

    def ended(self, held: Held, outcome: Outcome) -> None:
        """An attempt has come to its end."""
        if held.phase is not Phase.FIRED:
            return
        if outcome.kind is OutcomeKind.ABORTED and not held.is_to_end:
            return  # the transport closed with this node's life: the answer is unknown, so it is for rescue to decide
        held.phase = Phase.ENDED
        execution, job = held.execution, held.entry.job
        if outcome.started_at is not None:
            self._counters.firing(outcome.started_at - held.due)
        settlement = settle(execution, job.spec, outcome, self._world.clock.now(), self._world.draw())
        self._count(settlement.state)
        self._put(_record(held, outcome, settlement))
        if settlement.state is State.FAILED:
            self._alert(held, settlement.state, settlement.error or "")

    def skip(self, held: Held, reason: SkipReason) -> None:
        """Not sent after all, for a reason."""
        held.execution.skip()
        self._counters.skipped += 1
        self._end_unsent(held, State.SKIPPED, skip_reason=reason)

    def cancel(self, held: Held, why: str) -> None:
        """Ended on request before it was sent."""
        held.execution.cancel()
        self._counters.cancelled += 1
        self._end_unsent(held, State.CANCELLED, error=why)

    def cancel_unheld(self, request: CancelRequest) -> None:
        """A claim of this node that it let go of before sending, and that someone wants ended."""
        at = self._world.clock.now()
        why = "cancelled on request"
        self._put(Record(request.key, request.claim_no, request.job_key, State.CANCELLED, at, error=why, serial=True))

    def _end_unsent(
        self, held: Held, state: State, *, error: str | None = None, skip_reason: SkipReason | None = None
    ) -> None:
        held.phase = Phase.ENDED
        execution = held.execution
        record = Record(
            key=execution.key,
            claim_no=execution.claim_no,
            job_key=execution.job_key,
            state=state,
            job_version=held.entry.job.version,
            finished_at=self._world.clock.now(),
            error=error,
            skip_reason=skip_reason,
            serial=_is_serial(held),
            counted=held.gate is not None,
        )
        self._put(record)

    def _count(self, state: State) -> None:
        counters = self._counters
        if state is State.SUCCEEDED:
            counters.succeeded += 1
        elif state is State.RETRYING:
            counters.retried += 1
        elif state is State.FAILED:
            counters.failed += 1
        else:
            counters.cancelled += 1

    def _alert(self, held: Held, state: State, message: str) -> None:
        job, execution = held.entry.job, held.execution
        at = self._world.clock.now()
        alert = Alert(at, job.id, job.spec.name, execution.scheduled_for, state.value, execution.attempt, message)
        self._world.alert(alert)


def _is_serial(held: Held) -> bool:
    return held.entry.job.spec.overlap is not Overlap.ALLOW


def _record(held: Held, outcome: Outcome, settlement: Settlement) -> Record:
    execution = held.execution
    started_at, finished_at = outcome.started_at, outcome.finished_at
    duration = None if started_at is None else max(finished_at - started_at, 0)
    state = settlement.state
    kept = EXCERPT_OF_SUCCESS if state is State.SUCCEEDED else EXCERPT_OF_FAILURE
    excerpt = _readable(outcome.excerpt[:kept]) if outcome.excerpt else None
    error = None if settlement.error is None else _readable(settlement.error.encode("utf-8", "replace"))
    attempt = None
    if execution.attempt > 1 or state is not State.SUCCEEDED:
        attempt = AttemptRecord(
            attempt=execution.attempt,
            started_at=started_at,
            finished_at=finished_at,
            duration=duration,
            http_status=outcome.status,
            error=error,
            headers=tuple((_readable(name), _readable(value)) for name, value in outcome.headers),
            excerpt=excerpt,
            waits=None if settlement.next_attempt_at is None else max(settlement.next_attempt_at - finished_at, 0),
            waits_for=settlement.waits_for,
        )
    return Record(
        key=execution.key,
        claim_no=execution.claim_no,
        job_key=execution.job_key,
        state=state,
        job_version=held.entry.job.version,
        finished_at=finished_at,
        started_at=started_at,
        duration=duration,
        http_status=outcome.status,
        error=error,
        excerpt=excerpt,
        next_attempt_at=settlement.next_attempt_at,
        attempt=attempt,
        serial=_is_serial(held),
        counted=held.gate is not None,
        pause_job=settlement.pause_job,
    )


def _readable(data: bytes) -> str:
    """Text for the store: PostgreSQL takes no NUL in one."""
    return data.decode("utf-8", "replace").replace("\0", "\N{SYMBOL FOR NULL}")
