"""What befalls the transactions of a node, drawn from the seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens around one transaction.

    Seconds of delay before and after it; a crash before or after it; `is_refused`: the store says no and nothing is
    done; `answer_is_lost`: it is done, but the engine hears that the store is away. `then` is what somebody else does
    in the moment after it, before the engine knows.
    """

    before: float = 0.0
    after: float = 0.0
    crash_before: bool = False
    crash_after: bool = False
    is_refused: bool = False
    answer_is_lost: bool = False
    then: Callable[[], None] | None = None


_BEFORE = Fault(before=0.001)
_AFTER = Fault(after=0.001)


@dataclass(slots=True)
class Faults:
    """`crash`, `slow`, `refuse` and `lose` are probabilities a transaction; `plan` says what happens at which one."""

    random: Random
    crash: float = 0.0
    slow: float = 0.0
    refuse: float = 0.0
    lose: float = 0.0
    plan: dict[int, Fault] = field(default_factory=dict)
    steps: int = 0

    def calm(self) -> None:
        """From now on nothing happens."""
        self.crash = self.slow = self.refuse = self.lose = 0.0
        self.plan.clear()

    def next_step(self) -> Fault:
        """What befalls the next transaction."""
        self.steps += 1
        if self.plan and self.steps in self.plan:
            return self.plan[self.steps]
        draw = self.random.random()
        for chance, make in (
            (self.crash, self._crash),
            (self.slow, self._slowness),
            (self.refuse, lambda: Fault(before=0.001, is_refused=True)),
            (self.lose, lambda: Fault(after=self.random.choice((0.001, 0.2)), answer_is_lost=True)),
        ):
            if draw < chance:
                return make()
            draw -= chance
        return _AFTER if draw < 0.4 else _BEFORE

    def _crash(self) -> Fault:
        after = self.random.random() < 0.5
        return Fault(before=0.001, crash_before=not after, crash_after=after)

    def _slowness(self) -> Fault:
        return Fault(before=self.random.choice((0.001, 0.05, 2.0)), after=self.random.choice((0.01, 0.4, 9.0)))
