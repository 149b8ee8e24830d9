"""Which jobs a person wants to see, from one line of text.

    nightly !tag:prod state:paused queue:reports "two words"

A bare word is looked for in the name, the URL and the schedule, whatever its case; `tag:`, `state:` and `queue:` ask
for one value; `!` before any of them turns it round. A job is found when every term holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Column(StrEnum):
    """What a term looks at. `state` knows active, paused, finished, and failing: its latest run failed."""

    TEXT = "text"
    TAG = "tag"
    STATE = "state"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True)
class Term:
    """One condition; `inverse`: it must not hold."""

    column: Column
    value: str
    inverse: bool = False


@dataclass(frozen=True, slots=True)
class JobFilter:
    """All terms hold; without any, every job is found."""

    terms: tuple[Term, ...] = ()


def parse_filter(text: str) -> JobFilter:
    """The filter that a line of text means. Raises `Invalid("filter", …)` with the position of what it cannot mean:
    an unknown state, a missing value, a quote without an end.
    """
    raise NotImplementedError
