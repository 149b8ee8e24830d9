"""The plan, worked out from the orders alone: which occurrences there must be, and which there may be.

Nothing here imports the program. An order takes effect somewhere between being sent and being acknowledged, and binds
what is due 250 ms after that; so around each order there is a stretch in which both the old and the new regime may
hold. An occurrence is required when every regime that may hold at its instant has it.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.crash.evidence import MILLISECOND, Action, Cadence, Command, Story

GRACE = 250 * MILLISECOND
"""How long after its commit an edit, pause or deletion may still be overtaken by what was already on its way."""


@dataclass(frozen=True, slots=True)
class Regime:
    """What holds for a job for a while: a cadence (None: nothing is due) and a revision of its request.

    It may hold at instants later than `opens` and not later than `closes`.
    """

    cadence: Cadence | None
    revision: int
    opens: int
    closes: int

    def may_hold_at(self, instant: int) -> bool:
        return self.opens < instant <= self.closes

    def has(self, instant: int) -> bool:
        return self.cadence is not None and self.cadence.has(instant)


def regimes_of(story: Story, horizon: int) -> tuple[Regime, ...]:
    """The regimes of a job in their order, from its creation to the horizon."""
    opened = story.created_at
    cadence, revision, is_at_rest = story.cadence, 0, False
    regimes = []
    for command in story.commands:
        if command.action is Action.RUN:
            continue
        closes = command.answered + _overtaking(command)
        regimes.append(Regime(None if is_at_rest else cadence, revision, opened, closes))
        # A job with jitter fires after its nominal instant: an order given in between may or may not find it planned.
        opened = command.asked - story.jitter
        if command.action is Action.EDIT:
            cadence, revision = command.cadence or cadence, command.revision
        else:
            is_at_rest = command.action is not Action.RESUME
    return (*regimes, Regime(None if is_at_rest else cadence, revision, opened, horizon))


def _overtaking(command: Command) -> int:
    """Resuming takes nothing away, so nothing can overtake it: what is due after the answer is due."""
    return 0 if command.action is Action.RESUME else GRACE


def plan_of(regimes: tuple[Regime, ...], created_at: int, horizon: int) -> dict[int, bool]:
    """Every occurrence there may be, in order; the value says whether it is required."""
    possible = {
        instant
        for regime in regimes
        if regime.cadence is not None
        for instant in regime.cadence.between(max(regime.opens, created_at), min(regime.closes, horizon))
    }
    return {
        instant: all(regime.has(instant) for regime in regimes if regime.may_hold_at(instant))
        for instant in sorted(possible)
    }


def oldest_revision(regimes: tuple[Regime, ...], instant: int) -> int:
    """The oldest request that an occurrence at `instant` may still be sent with."""
    return min((regime.revision for regime in regimes if regime.may_hold_at(instant)), default=0)
