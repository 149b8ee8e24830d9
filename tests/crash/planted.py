"""Trials made up by hand, for the tests of the judge: a clean one, and what breaks it."""

from __future__ import annotations

from dataclasses import replace

from tests.crash.audit import audit
from tests.crash.evidence import (
    SECOND,
    Action,
    Arrival,
    Cadence,
    Command,
    Evidence,
    Freeze,
    NodeRow,
    Outage,
    Record,
    Story,
)
from tests.crash.plan import plan_of, regimes_of

T0 = 1_800_000_000 * SECOND
EVERY_SECOND = Cadence(SECOND)
EVERY_OTHER = Cadence(2 * SECOND)
HORIZON = T0 + 10 * SECOND
STORY = Story("job", "a job", EVERY_SECOND, T0, T0 - 5_000, T0 + 5_000, max_attempts=3)


def at(seconds: float) -> int:
    return T0 + round(seconds * SECOND)


def command(
    action: Action, asked: float, answered: float, cadence: Cadence | None = None, revision: int = 0
) -> Command:
    return Command(action, at(asked), at(answered), cadence, revision)


def arrival(instant: int, *, after: int = 900, attempt: int = 1, key: str | None = None) -> Arrival:
    return Arrival(instant + after, "job", instant, instant, key or f"key {instant}", attempt)


def clean(story: Story = STORY, instants: list[int] | None = None) -> Evidence:
    """A trial in which all that is required (or these instants) was run once, though servers were killed throughout."""
    if instants is None:
        regimes = regimes_of(story, HORIZON)
        instants = [
            instant for instant, is_required in plan_of(regimes, story.created_at, HORIZON).items() if is_required
        ]
    return Evidence(
        stories=(story,),
        arrivals=tuple(arrival(instant) for instant in instants),
        records=tuple(Record("job", instant, "succeeded") for instant in instants),
        outages=(Outage(T0, HORIZON),),
        horizon=HORIZON,
    )


def rules(evidence: Evidence) -> list[str]:
    return [violation.rule for violation in audit(evidence)]


def with_record(evidence: Evidence, instant: int, **changes: object) -> Evidence:
    """The same with one row changed."""
    records = tuple(
        replace(one, **changes) if one.scheduled_for == instant else one  # type: ignore[arg-type]
        for one in evidence.records
    )
    return replace(evidence, records=records)


def without(evidence: Evidence, *instants: int, arrivals: bool = True, records: bool = True) -> Evidence:
    """The same without the arrivals, the rows, or both, of some occurrences."""
    return replace(
        evidence,
        arrivals=tuple(one for one in evidence.arrivals if not arrivals or one.scheduled_at not in instants),
        records=tuple(one for one in evidence.records if not records or one.scheduled_for not in instants),
    )


def plus(evidence: Evidence, *more: Arrival | Record) -> Evidence:
    return replace(
        evidence,
        arrivals=(*evidence.arrivals, *(one for one in more if isinstance(one, Arrival))),
        records=(*evidence.records, *(one for one in more if isinstance(one, Record))),
    )


FROZEN = NodeRow(1, 71, "gone", at(-20), at(9))
FREEZE = Freeze(71, at(-12), at(9.5), watched=True)
