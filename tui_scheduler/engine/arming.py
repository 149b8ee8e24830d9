"""From a claim to a shot: the headers every request carries, and the rendering, done ahead of the instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial

from tui_scheduler.domain.execution import Execution, Outcome
from tui_scheduler.domain.job import JobType
from tui_scheduler.engine.hand import Held
from tui_scheduler.engine.render import Headers
from tui_scheduler.engine.transport import Shot, Transport
from tui_scheduler.store.catalog import Entry
from tui_scheduler.store.claims import Claim

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(instant: int) -> str:
    """An instant (µs) as RFC 3339 in UTC with microseconds. The calendar is worked out once a second."""
    second, microsecond = divmod(instant, 1_000_000)
    return f"{_second(second)}.{microsecond:06d}Z"


@lru_cache(maxsize=1_024)
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S")


def headers_of(idempotency_key: str, job_id: str, scheduled_for: int, fire_at: int, attempt: int) -> Headers:
    """What every request carries."""
    headers = [
        ("Idempotency-Key", idempotency_key),
        ("X-Scheduled-At", rfc3339(scheduled_for)),
        ("X-Job-Id", job_id),
        ("X-Attempt", str(attempt)),
    ]
    if fire_at != scheduled_for:
        headers.append(("X-Fire-At", rfc3339(fire_at)))
    return tuple(headers)


class Arming:
    """Makes shots. `execution_id` gives the public id, which is the Idempotency-Key."""

    def __init__(
        self,
        transport: Transport,
        execution_id: Callable[[int, int], str],
        ended: Callable[[Held, Outcome], None],
        left: Callable[[Held], None] | None = None,
    ) -> None:
        self._transport = transport
        self._execution_id = execution_id
        self._ended = ended if left is None else partial(_both, ended, left)

    def arm(self, claim: Claim) -> Held:
        """Everything that can be done before the instant, done."""
        execution, entry = claim.execution, claim.entry
        shot = self._shot(execution, entry)
        held = Held(execution, entry, claim.due, shot, claim.gate)
        shot.done = partial(self._ended, held)
        self._transport.arm(shot)
        return held

    def _shot(self, execution: Execution, entry: Entry) -> Shot:
        job = entry.job
        key, at = self._execution_id(execution.key, execution.scheduled_for), execution.scheduled_for
        headers = headers_of(key, job.id, at, execution.fire_at, execution.attempt)
        may_reconnect = job.spec.type is JobType.ATLEAST_ONCE
        return Shot(job.spec.request, headers, job.spec.timeout, may_reconnect=may_reconnect, done=_unset)


def _both(ended: Callable[[Held, Outcome], None], left: Callable[[Held], None], held: Held, outcome: Outcome) -> None:
    ended(held, outcome)
    left(held)


def _unset(outcome: Outcome) -> None:
    raise RuntimeError(f"a shot ended before it was armed: {outcome}")
