"""The jobs of a trial: schedules that can be computed by hand, and targets that put kills into every phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.crash.evidence import MILLISECOND, SECOND, Cadence

CRON = {"* * * * * *": 1 * SECOND, "*/2 * * * * *": 2 * SECOND}
EVERY = {"@every 1s": 1 * SECOND, "@every 2s": 2 * SECOND, "@every 3s": 3 * SECOND}
SCHEDULES = (*CRON, *EVERY)


def cadence_of(schedule: str, created_at: int) -> Cadence:
    """The cadence of one of `SCHEDULES`: an interval counts from the millisecond in which its job was created."""
    if schedule in CRON:
        return Cadence(CRON[schedule])
    return Cadence(EVERY[schedule], created_at - created_at % MILLISECOND)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A kind of job. `target` is the path at the receiver; `more` are further fields of the API."""

    name: str
    schedule: str
    target: str = "/ok"
    at_most_once: bool = False
    attempts: int = 1
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def jitter(self) -> int:
        return int(self.more.get("jitterMs", 0)) * MILLISECOND

    @property
    def may_overlap(self) -> bool:
        return "overlap" in self.more

    @property
    def may_be_late(self) -> bool:
        return "catchUp" in self.more

    @property
    def cancels(self) -> bool:
        return str(self.more.get("overlap")) == "cancel"

    def document(self, receiver: str, name: str) -> dict[str, Any]:
        """The body that creates it."""
        return {
            "name": name,
            "schedule": self.schedule,
            "api": self.url(receiver, 0),
            "type": "ATMOST_ONCE" if self.at_most_once else "ATLEAST_ONCE",
            "timeoutMs": 10_000,
            "retry": {"maxAttempts": self.attempts, "baseMs": 300, "capMs": 2_500, "factor": 4},
            **self.more,
        }

    def url(self, receiver: str, revision: int) -> str:
        """Its target; the revision stands in it, so that the receiver's log tells which edit was sent."""
        return f"{receiver}/rev/{revision}{self.target}"


RECIPES = (
    Recipe("second", "* * * * * *"),
    Recipe("second once", "* * * * * *", at_most_once=True),
    Recipe("second slow", "* * * * * *", "/delay/400"),
    Recipe("second slow once", "* * * * * *", "/delay/400", at_most_once=True),
    Recipe("interval", "@every 1s", "/delay/60"),
    Recipe("interval once", "@every 1s", "/delay/60", at_most_once=True),
    Recipe("even", "*/2 * * * * *"),
    Recipe("even once", "*/2 * * * * *", at_most_once=True),
    Recipe("spread", "@every 3s", more={"jitterMs": 900}),
    Recipe("spread once", "@every 3s", "/delay/150", at_most_once=True, more={"jitterMs": 900}),
    Recipe("failing", "*/2 * * * * *", "/status/500", attempts=3),
    Recipe("failing slowly", "@every 3s", "/delay/200/status/500", attempts=3),
    Recipe("failing once", "*/2 * * * * *", "/status/500", at_most_once=True, attempts=3),
    Recipe("latest", "@every 1s", more={"catchUp": "latest", "graceMs": 1_000}),
    Recipe("none", "*/2 * * * * *", more={"catchUp": "none", "graceMs": 500}),
    Recipe("skips overlap", "* * * * * *", "/delay/1400", more={"overlap": "skip"}),
    Recipe("queues overlap", "* * * * * *", "/delay/1400", more={"overlap": "queue"}),
    Recipe("cancels overlap", "* * * * * *", "/delay/1400", more={"overlap": "cancel"}),
)


def recipes(count: int) -> list[Recipe]:
    """So many jobs, every kind in turn."""
    return [RECIPES[number % len(RECIPES)] for number in range(count)]
