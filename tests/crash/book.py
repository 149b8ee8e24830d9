"""The harness's own record of what it ordered: the stories the audit is told. Written by one thread at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.crash.evidence import Action, Command, Story
from tests.crash.load import Recipe, cadence_of


@dataclass
class Entry:
    """A job that was created between `asked` and `answered`, and the orders it was given since.

    Only a steered one is given any before the end. The schedules stand as text: an interval's cadence needs the
    creation instant, which only the database knows.
    """

    id: str
    name: str
    recipe: Recipe
    is_steered: bool
    asked: int
    answered: int
    orders: list[tuple[Command, str | None]] = field(default_factory=list)
    revision: int = 0
    is_paused: bool = False
    is_deleted: bool = False

    def note(self, command: Command, schedule: str | None = None) -> None:
        """An order that was acknowledged (or, for run-now, perhaps taken)."""
        self.orders.append((command, schedule))
        self.revision = max(self.revision, command.revision)
        self.is_paused = command.action is Action.PAUSE or (self.is_paused and command.action is not Action.RESUME)
        self.is_deleted = self.is_deleted or command.action is Action.DELETE

    def story(self, created_at: int) -> Story:
        """What the audit is told, once the creation instant is known."""
        return Story(
            id=self.id,
            name=self.name,
            cadence=cadence_of(self.recipe.schedule, created_at),
            created_at=created_at,
            asked=self.asked,
            answered=self.answered,
            at_most_once=self.recipe.at_most_once,
            jitter=self.recipe.jitter,
            max_attempts=self.recipe.attempts,
            may_overlap=self.recipe.may_overlap,
            may_be_late=self.recipe.may_be_late,
            cancels=self.recipe.cancels,
            commands=tuple(_with_cadence(command, schedule, created_at) for command, schedule in self.orders),
        )


def _with_cadence(command: Command, schedule: str | None, created_at: int) -> Command:
    if schedule is None:
        return command
    return Command(
        command.action,
        command.asked,
        command.answered,
        cadence_of(schedule, created_at),
        command.revision,
        command.sure,
    )
