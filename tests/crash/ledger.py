"""The figures of many trials in a folder, one file for each: so that a long run can be stopped and gone on with,
or shared by several processes, and its total adds up.
"""

from __future__ import annotations

import fcntl
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from tests.crash.case import Violation
from tests.crash.tally import Tally, by_rule
from tests.crash.trial import Result

COLUMNS = (
    "| trial | kills | other faults | planned | executed | skipped | sent again"
    " | lost, at most once | twice | lost | broken promises |"
)
LOST_RULES = ("missing", "undelivered", "lost")


@dataclass(frozen=True, slots=True)
class Line:
    """One trial. `lost` counts occurrences that were neither run nor recorded, `lost_once` at-most-once work that was
    recorded as lost, `again` deliveries beyond the first.
    """

    name: str
    kills: int
    faults: dict[str, int]
    planned: int
    executed: int
    skipped: int
    again: int
    lost_once: int
    twice: int
    lost: int
    violations: int
    seconds: float

    def __str__(self) -> str:
        others = ", ".join(f"{count} {kind}" for kind, count in sorted(self.faults.items()) if kind != "kill")
        numbers = (self.planned, self.executed, self.skipped, self.again, self.lost_once, self.twice, self.lost)
        figures = " | ".join(f"{number:,}" for number in numbers)
        return f"| {self.name} | {self.kills:,} | {others or '-'} | {figures} | {self.violations} |"


def line_of(name: str, result: Result, tally: Tally, violations: list[Violation]) -> Line:
    """The figures of one trial."""
    rules = by_rule(violations)
    return Line(
        name=name,
        kills=result.kills,
        faults=result.faults,
        planned=tally.planned,
        executed=tally.executed,
        skipped=sum(tally.skipped.values()),
        again=tally.duplicates,
        lost_once=tally.lost,
        twice=len(rules.get("twice", ())),
        lost=sum(len(rules.get(rule, ())) for rule in LOST_RULES),
        violations=len(violations),
        seconds=result.seconds,
    )


def total_of(lines: list[Line]) -> Line:
    """The sum of all."""
    faults: Counter[str] = Counter()
    for line in lines:
        faults.update(line.faults)
    numbers = [one.name for one in fields(Line) if one.name not in ("name", "faults")]
    sums = {name: sum(getattr(line, name) for line in lines) for name in numbers}
    return Line(name=f"{len(lines)} trials", faults=dict(faults), **sums)


class Ledger:
    """The trials of one long run, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def seed(self, wanted: int | None) -> int:
        """The seed of the first trial: the one noted here, or else `wanted` or a random one, which is noted."""
        noted = self.folder / "seed"
        if not noted.exists():
            noted.write_text(str(random.randrange(1_000_000) if wanted is None else wanted))
        return int(noted.read_text())

    @contextmanager
    def turn(self, name: str) -> Iterator[bool]:
        """Whether this trial is ours to carry out: nobody has done it, nobody is at it. A process that dies gives up
        its turn.
        """
        with (self.folder / f"{name}.turn").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield not self._path(name).exists()

    def note(self, line: Line) -> None:
        """The trial has come to its end."""
        self._path(line.name).write_text(json.dumps(asdict(line)))

    def lines(self) -> list[Line]:
        """All that have come to their end, by name."""
        return [Line(**json.loads(path.read_text())) for path in sorted(self.folder.glob("*.json"))]

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def table(lines: list[Line]) -> str:
    """All lines and their total, to be pasted into a document."""
    head = [COLUMNS, "|---" * (COLUMNS.count("|") - 1) + "|"]
    return "\n".join([*head, *map(str, lines), str(total_of(lines))])
