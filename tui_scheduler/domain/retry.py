"""When a failed attempt is made again, and after how long. Durations are whole microseconds."""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000_000

RETRIED_CLIENT_ERRORS = frozenset({408, 425, 429})
"""The 4xx answers that speak of the moment, not of the request: timeout, too early, too many requests."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Exponential backoff with full jitter: the wait before attempt n+1 is drawn evenly from 0 to its ceiling.

    `max_attempts` counts the first one; `base`, `cap` and `total` are µs; `total` bounds the time from the first
    attempt to the start of the last (None: unbounded). `statuses` replaces the default choice of retried statuses.
    """

    max_attempts: int = 3
    base: int = 1 * SECOND
    factor: float = 2.0
    cap: int = 60 * SECOND
    total: int | None = None
    statuses: frozenset[int] | None = None

    def ceiling(self, attempt: int) -> int:
        """The longest wait, in µs, after attempt number `attempt` (1 is the first) has failed."""
        try:
            grown = self.base * self.factor ** (attempt - 1)
        except OverflowError:
            return self.cap
        return int(min(grown, self.cap))

    def wait(self, attempt: int, draw: float) -> int:
        """The wait in µs after attempt number `attempt`; `draw` is a random number in [0, 1)."""
        return int(self.ceiling(attempt) * draw)

    def allows(self, attempt: int) -> bool:
        """Whether another attempt may follow attempt number `attempt`."""
        return attempt < self.max_attempts

    def retries_status(self, status: int) -> bool:
        """Whether an answer with this status is worth asking again for."""
        if self.statuses is not None:
            return status in self.statuses
        return status >= 500 or status in RETRIED_CLIENT_ERRORS
