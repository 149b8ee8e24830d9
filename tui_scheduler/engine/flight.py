"""A shot on its way: from `fire` until its outcome is told, exactly once."""

from __future__ import annotations

from dataclasses import dataclass

from tui_scheduler.domain.execution import Outcome, OutcomeKind
from tui_scheduler.engine.clock import Clock
from tui_scheduler.engine.deadlines import Deadlines, Expiring
from tui_scheduler.engine.failures import Failure, in_seconds
from tui_scheduler.engine.poller import Poller
from tui_scheduler.engine.resolving import Resolver, Spawn
from tui_scheduler.engine.response import Limits, ResponseReader, kept
from tui_scheduler.engine.tls import Contexts
from tui_scheduler.engine.transport import Shot


@dataclass(slots=True)
class Counts:
    """What there is and has been; cheap to read at any time. `bugs` are exceptions that must not happen."""

    in_flight: int = 0
    fired: int = 0
    opened: int = 0
    reconnects: int = 0
    bugs: int = 0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What everything on the wire shares."""

    clock: Clock
    poller: Poller
    deadlines: Deadlines
    resolver: Resolver
    contexts: Contexts
    spawn: Spawn
    limits: Limits
    counts: Counts


class Flight(Expiring):
    """One shot in the wire's hands.

    `holder` is who has it now and is told when it must end: a pool while it waits for a connection, then the
    connection. `needs_fresh` is set when it was sent on an idle connection that turned out closed.
    """

    __slots__ = ("has_ended", "holder", "is_head", "needs_fresh", "sent", "shot", "surroundings")

    def __init__(self, shot: Shot, surroundings: Surroundings, *, is_head: bool) -> None:
        self.bucket = None
        self.shot = shot
        self.surroundings = surroundings
        self.is_head = is_head
        self.holder: Holder | None = None
        self.needs_fresh = False
        self.sent = False
        self.has_ended = False

    def take_off(self) -> None:
        """The shot was fired: its time runs."""
        surroundings = self.surroundings
        surroundings.counts.in_flight += 1
        surroundings.counts.fired += 1
        surroundings.deadlines.add(self, surroundings.clock.monotonic() + self.shot.timeout / 1_000_000)

    def expire(self) -> None:
        """The time is up: whoever holds the flight lets go of it and says where it hung."""
        self.drop(None)

    def drop(self, why: Failure | None) -> None:
        """End the flight where it is, because of `why` or (None) because its time is up."""
        if self.has_ended:
            return
        holder = self.holder
        stuck = Failure(OutcomeKind.TIMEOUT, f"no answer within {in_seconds(self.shot.timeout)}")
        reader = None
        if holder is not None:
            reader = holder.reader
            stuck = holder.let_go(self)
        self.fail(why or stuck, reader)

    def answer(self, reader: ResponseReader) -> None:
        """A whole response came."""
        now = self.surroundings.clock.now()
        self._end(
            Outcome(
                OutcomeKind.RESPONSE,
                now,
                self.shot.started_at,
                reader.status,
                retry_after=reader.retry_after(now),
                excerpt=reader.excerpt,
                headers=kept(reader.headers),
            )
        )

    def land(self, outcome: Outcome) -> None:
        """Somebody else made the whole request, and this is what it came to."""
        self.shot.started_at = outcome.started_at
        self._end(outcome)

    def fail(self, failure: Failure, reader: ResponseReader | None = None) -> None:
        """It did not come to a whole response. What is known of one from `reader` is kept."""
        if self.has_ended:
            return
        now = self.surroundings.clock.now()
        outcome = Outcome(failure.kind, now, self.shot.started_at, message=failure.message, sent=self.sent)
        if reader is not None and reader.headers_complete:
            outcome = Outcome(
                failure.kind,
                now,
                self.shot.started_at,
                reader.status,
                failure.message,
                sent=self.sent,
                retry_after=reader.retry_after(now),
                excerpt=reader.excerpt,
                headers=kept(reader.headers),
            )
        self._end(outcome)

    def _end(self, outcome: Outcome) -> None:
        if self.has_ended:
            return
        self.has_ended = True
        self.holder = None
        self.surroundings.deadlines.discard(self)
        self.surroundings.counts.in_flight -= 1
        self.shot.transport_state = None
        self.shot.done(outcome)


class Holder:
    """Has a flight, and can let go of it."""

    __slots__ = ()

    @property
    def reader(self) -> ResponseReader | None:
        """What is known of a response so far."""
        return None

    def let_go(self, flight: Flight) -> Failure:
        """Stop working for the flight; returns where it hung. Does not end it."""
        raise NotImplementedError
