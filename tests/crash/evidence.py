"""What a trial leaves behind: the orders that were given, what arrived, and what the history says.

Instants are µs since the epoch (UTC), durations µs, as everywhere; none of these values knows the program under test.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

SECOND = 1_000_000
MILLISECOND = 1_000


@dataclass(frozen=True, slots=True)
class Cadence:
    """A schedule simple enough to be computed by hand: every `period`, counted from `anchor`."""

    period: int
    anchor: int = 0

    def has(self, instant: int) -> bool:
        """Whether `instant` is an occurrence."""
        return (instant - self.anchor) % self.period == 0

    def between(self, after: int, through: int) -> range:
        """The occurrences later than `after` and not later than `through`."""
        first = self.anchor + ((after - self.anchor) // self.period + 1) * self.period
        return range(first, through + 1, self.period)


class Action(StrEnum):
    """What a user may order after a job was created."""

    EDIT = "edit"
    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"
    RUN = "run now"


@dataclass(frozen=True, slots=True)
class Command:
    """One order. It took effect at some instant from `asked` (sent) to `answered` (acknowledged with 2xx).

    An edit names the cadence and the revision of the request that hold from then on. A run-now that was never
    acknowledged is not `sure`: it may have been taken or not. All others are repeated until they are acknowledged.
    """

    action: Action
    asked: int
    answered: int
    cadence: Cadence | None = None
    revision: int = 0
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Story:
    """One job as its user knows it: what was ordered, and when.

    `created_at` is what the server says, `asked` and `answered` bracket it. `may_overlap` and `may_be_late` say which
    reasons of skipping the job's policies allow; `cancels` that a newer occurrence may cancel an older one.
    """

    id: str
    name: str
    cadence: Cadence
    created_at: int
    asked: int
    answered: int
    at_most_once: bool = False
    jitter: int = 0
    max_attempts: int = 1
    may_overlap: bool = False
    may_be_late: bool = False
    cancels: bool = False
    commands: tuple[Command, ...] = ()

    def ordered(self, action: Action) -> bool:
        """Whether such an order was ever given."""
        return any(command.action is action for command in self.commands)


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as the target saw it. `revision` is what the job's URL said at that time."""

    at: int
    job_id: str
    scheduled_at: int
    fire_at: int
    key: str
    attempt: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One row of the history. `trigger` and `state` are the words in the database, `node` the last that had it."""

    job_id: str
    scheduled_for: int
    state: str
    trigger: str = "schedule"
    attempt: int = 1
    rescues: int = 0
    skip_reason: str | None = None
    skip_from: int | None = None
    skip_to: int | None = None
    skip_count: int | None = None
    finished_at: int | None = None
    node: int | None = None

    @property
    def first(self) -> int:
        """The first occurrence this row speaks of."""
        return self.scheduled_for if self.skip_from is None else self.skip_from

    @property
    def last(self) -> int:
        """The last occurrence this row speaks of."""
        return self.scheduled_for if self.skip_to is None else self.skip_to

    @property
    def is_skip(self) -> bool:
        return self.state == "skipped"


DEADLY = frozenset({"kill", "stop", "restart", "drop", "overdue"})
"""Kinds of outage after which others may take a node for dead: its work in hand is rescued, sent again, or lost where
it may be sent only once. A database that is locked or full makes work late, and does nothing else to it."""


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch in which something was wrong on purpose, or had only just come right. `kind` is that of a fault, or
    "start" and "leave" for what happens in order; a leave that took longer than a server waits for answers is
    "overdue": it gives up what it has in hand like a dead node.
    """

    begin: int
    end: int
    kind: str = "kill"


@dataclass(frozen=True, slots=True)
class Freeze:
    """A process that stood still (SIGSTOP) from `begin` to `end`.

    `watched` says that another node was there to notice, all the time, and that the frozen one held no lock of the
    database that would have kept it from acting on that.
    """

    pid: int
    begin: int
    end: int
    watched: bool


@dataclass(frozen=True, slots=True)
class NodeRow:
    """What the database says of a node. One process may have been several, one after the other."""

    key: int
    pid: int
    state: str
    started_at: int
    stopped_at: int | None

    @property
    def was_condemned(self) -> bool:
        """Whether others declared it dead."""
        return self.state in ("dead", "gone")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything the audit is given. Nothing after `horizon` is judged; `timeout` is after how long a silence (µs) a
    node is dead.
    """

    stories: tuple[Story, ...]
    arrivals: tuple[Arrival, ...]
    records: tuple[Record, ...]
    outages: tuple[Outage, ...]
    horizon: int
    freezes: tuple[Freeze, ...] = ()
    nodes: tuple[NodeRow, ...] = ()
    timeout: int = 15 * SECOND
