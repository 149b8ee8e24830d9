"""What this node has in hand: executions from the claim until their end is recorded. Each takes a slot."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

from tui_scheduler.domain.execution import Execution, Trigger
from tui_scheduler.engine.transport import Shot
from tui_scheduler.store.catalog import Entry


class Phase(Enum):
    """`DROPPED`: no longer this node's to send; whoever meets it looks away."""

    ARMED = "armed"
    FIRED = "fired"
    ENDED = "ended"
    DROPPED = "dropped"


class Held:
    """One execution in hand. `due` is when to send it (µs); `is_shown` once the store shows it as running,
    `is_to_end` once somebody wants it ended. `gate` is the queue it counts for, if that has limits.
    """

    __slots__ = ("due", "entry", "execution", "gate", "is_shown", "is_to_end", "phase", "shot")

    def __init__(self, execution: Execution, entry: Entry, due: int, shot: Shot, gate: int | None = None) -> None:
        self.execution = execution
        self.entry = entry
        self.due = due
        self.shot = shot
        self.gate = gate
        self.phase = Phase.ARMED
        self.is_shown = False
        self.is_to_end = False


class Hand:
    """The executions in hand, by key. Belongs to the engine's thread."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._held: dict[int, Held] = {}
        self._backfills: set[int] = set()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        return iter(list(self._held.values()))

    @property
    def free(self) -> int:
        """How many more may be claimed: work that is not recorded yet counts, which is the back-pressure."""
        return max(self._slots - len(self._held), 0)

    @property
    def backfills(self) -> int:
        """How many of those in hand are backfills."""
        return len(self._backfills)

    def take(self, held: Held) -> None:
        self._held[held.execution.key] = held
        if held.execution.trigger is Trigger.BACKFILL:
            self._backfills.add(held.execution.key)

    def get(self, key: int) -> Held | None:
        return self._held.get(key)

    def release(self, key: int, claim_no: int) -> None:
        """The end of this claim is recorded. A later claim of the same execution stays."""
        held = self._held.get(key)
        if held is not None and held.execution.claim_no == claim_no:
            del self._held[key]
            self._backfills.discard(key)

    def drop(self, held: Held) -> None:
        """Let go of an execution that is not to be sent from here."""
        held.phase = Phase.DROPPED
        self.release(held.execution.key, held.execution.claim_no)

    def armed(self) -> list[Held]:
        return [held for held in self._held.values() if held.phase is Phase.ARMED]

    def fired(self) -> list[Held]:
        return [held for held in self._held.values() if held.phase is Phase.FIRED]
