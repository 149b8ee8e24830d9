"""An execution is one occurrence being carried out: its states, and what an attempt came to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, NamedTuple

from tui_scheduler.domain.errors import IllegalTransition

MAX_RESCUES = 5
"""An execution that outlived this many nodes is `lost`: it may well be what kills them."""


class State(StrEnum):
    """Where an execution stands. The last five are final."""

    PENDING = "pending"
    CLAIMED = "claimed"
    RUNNING = "running"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.LOST, State.SKIPPED})

LEGAL: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.CLAIMED, State.CANCELLED, State.SKIPPED}),
    State.CLAIMED: frozenset(
        {
            State.RUNNING,
            State.SUCCEEDED,
            State.FAILED,
            State.RETRYING,
            State.CANCELLED,
            State.SKIPPED,
            State.PENDING,  # given back, or rescued
            State.LOST,
        }
    ),
    State.RUNNING: frozenset(
        {State.SUCCEEDED, State.FAILED, State.RETRYING, State.CANCELLED, State.PENDING, State.LOST}
    ),
    State.RETRYING: frozenset({State.CLAIMED, State.CANCELLED}),
} | {final: frozenset() for final in FINAL}
"""Which state may follow which. `claimed` may end without a stored `running`: at-least-once work is sent and
finished without a commit in between, and only a send that takes long is shown as running meanwhile. One row leaves a
final state besides: an occurrence that was skipped, when a backfill takes it over (see `store.backfills`)."""


class Trigger(StrEnum):
    """What made the execution."""

    SCHEDULE = "schedule"
    MANUAL = "manual"
    REPLAY = "replay"
    BACKFILL = "backfill"


class SkipReason(StrEnum):
    """Why an occurrence was not run; stored and shown as it is."""

    OVERLAP = "overlap"
    TOO_LATE = "too late"
    PAUSED = "paused"
    DELETED = "deleted"
    EDITED = "edited"
    WINDOW = "window"


class OutcomeKind(StrEnum):
    """How an attempt ended, on the wire."""

    RESPONSE = "response"
    TIMEOUT = "timeout"
    CONNECT_TIMEOUT = "connect timeout"
    REFUSED = "connection refused"
    UNREACHABLE = "unreachable"
    UNRESOLVED = "name not resolved"
    TLS = "tls error"
    RESET = "connection reset"
    CLOSED = "connection closed"
    GARBAGE = "invalid response"
    TOO_LARGE = "response too large"
    REDIRECTS = "too many redirects"
    ABORTED = "aborted"
    NOT_SENT = "not sent"


class Outcome(NamedTuple):
    """What one attempt came to. Every failure to expect is one of these, never an exception.

    `message` says for a person what happened (None for a plain response); `sent` is whether any byte of the request
    may have reached the target; `started_at` is when the first byte left (None when none did) and `finished_at` when
    the end was known, both µs; `retry_after` is the µs the target asked for; `excerpt` is the kept beginning of the
    body.
    """

    kind: OutcomeKind
    finished_at: int
    started_at: int | None = None
    status: int | None = None
    message: str | None = None
    sent: bool = True
    retry_after: int | None = None
    excerpt: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Execution:
    """The part of an execution that decisions are made on.

    `attempt` is the number of the attempt this claim makes (0 before the first), `claim_no` the fencing number:
    every claim raises it and every later write of that claim is guarded by it. `first_started_at` is when the first
    attempt's first byte left.
    """

    key: int
    job_key: int
    scheduled_for: int
    fire_at: int
    trigger: Trigger = Trigger.SCHEDULE
    state: State = State.PENDING
    attempt: int = 0
    claim_no: int = 0
    rescues: int = 0
    first_started_at: int | None = None

    def claim(self) -> Execution:
        """Taken by a node, which will make the next attempt."""
        return self._to(State.CLAIMED, attempt=self.attempt + 1, claim_no=self.claim_no + 1)

    def start(self) -> Execution:
        """Marked as being sent."""
        return self._to(State.RUNNING)

    def succeed(self) -> Execution:
        """The attempt met the job's success rule."""
        return self._to(State.SUCCEEDED)

    def fail(self) -> Execution:
        """The attempt failed and there will be no other."""
        return self._to(State.FAILED)

    def retry(self) -> Execution:
        """The attempt failed; another follows at a time the store keeps."""
        return self._to(State.RETRYING)

    def cancel(self) -> Execution:
        """Ended on request."""
        return self._to(State.CANCELLED)

    def skip(self) -> Execution:
        """Not run, for a reason that is recorded."""
        return self._to(State.SKIPPED)

    def give_back(self) -> Execution:
        """Returned unsent by its own node; the attempt does not count."""
        return self._to(State.PENDING, attempt=max(self.attempt - 1, 0))

    def rescue(self, *, may_send_again: bool, may_have_been_sent: bool = True) -> Execution:
        """Taken from a dead node: pending again, or lost when a second send is forbidden or it outlived too many.

        The attempt that the dead node was making does not count as a retry, and a rescue counts only when the
        instant had come: what was merely in hand cannot have harmed its node.
        """
        sent_once_at_most = self.state is State.RUNNING and not may_send_again
        if sent_once_at_most or (may_have_been_sent and self.rescues >= MAX_RESCUES):
            return self._to(State.LOST)
        rescues = self.rescues + (1 if may_have_been_sent else 0)
        return self._to(State.PENDING, attempt=max(self.attempt - 1, 0), rescues=rescues)

    def _to(self, state: State, **changes: Any) -> Execution:
        if state not in LEGAL[self.state]:
            raise IllegalTransition(self.state, state)
        return replace(self, state=state, **changes)
