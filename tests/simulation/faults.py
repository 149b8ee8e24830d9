"""What befalls the transactions of a node, drawn from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens around one transaction: seconds of delay before and after it, a crash before or after it."""

    before: float = 0.0
    after: float = 0.0
    crash_before: bool = False
    crash_after: bool = False


@dataclass(slots=True)
class Faults:
    """`crash` and `slow` are probabilities a transaction; `crash_at` crashes exactly at that transaction."""

    random: Random
    crash: float = 0.0
    slow: float = 0.0
    crash_at: int | None = None
    steps: int = 0

    def calm(self) -> None:
        """From now on nothing happens."""
        self.crash = self.slow = 0.0
        self.crash_at = None

    def next_step(self) -> Fault:
        self.steps += 1
        draw = self.random.random()
        if self.steps == self.crash_at or draw < self.crash:
            after = self.random.random() < 0.5
            return Fault(before=0.001, crash_before=not after, crash_after=after)
        if draw < self.crash + self.slow:
            return Fault(before=self.random.choice((0.0, 0.05, 2.0)), after=self.random.choice((0.01, 0.4, 9.0)))
        return Fault(before=0.0005, after=0.0005)
