"""Which jobs a person wants to see, from one line of text.

    nightly !tag:prod state:paused queue:reports "two words"

A bare word is looked for in the name, the URL and the schedule, whatever its case; `tag:`, `state:` and `queue:` ask
for one value; `!` before any of them turns it round. A job is found when every term holds.

Quotes hold together what has blanks in it (`tag:"two words"`), and make a bare word of what would be read otherwise
(`"!important"`); within a word they mean themselves. Any other word with a colon is a bare word, so a URL may be
pasted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tui_scheduler.domain.errors import Invalid

STATES: Final = ("active", "paused", "finished", "failing")
"""What `state:` takes."""

MAX_LENGTH: Final = 2_000
MAX_TERMS: Final = 50
"""More than anybody types, less than any database minds."""

_PREFIX: Final = re.compile(r"(tag|state|queue):", re.IGNORECASE)
_WORD: Final = re.compile(r"\S+")
# NUL and halves of surrogate pairs: no stored text has them, and databases refuse to be asked.
_NO_TEXT: Final = re.compile(r"[\x00\ud800-\udfff]")


class Column(StrEnum):
    """What a term looks at. `state` knows active, paused, finished, and failing: active, and its latest run failed."""

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
    if len(text) > MAX_LENGTH:
        raise _refuse(f"is {len(text):,} characters long, and {MAX_LENGTH:,} are the limit", MAX_LENGTH)
    unusable = _NO_TEXT.search(text)
    if unusable:
        raise _refuse("contains a character that no job has", unusable.start())
    terms: list[Term] = []
    position = _skip_blanks(text, 0)
    while position < len(text):
        if len(terms) == MAX_TERMS:
            raise _refuse(f"has more than {MAX_TERMS} terms", position)
        term, position = _read_term(text, position)
        terms.append(term)
        position = _skip_blanks(text, position)
    return JobFilter(tuple(terms))


def _read_term(text: str, position: int) -> tuple[Term, int]:
    """The term that begins at `position`, and where it ends."""
    inverse = text[position] == "!"
    position += inverse
    prefix = _PREFIX.match(text, position)
    column = Column(prefix[1].lower()) if prefix else Column.TEXT
    start = prefix.end() if prefix else position
    value, end = _read_value(text, start)
    if not value:
        what = f"{column}:" if prefix else "!" if inverse else '""'
        raise _refuse(f"nothing follows {what}" if what != '""' else "there is nothing between the quotes", start)
    if column is Column.STATE:
        value = value.lower()
        if value not in STATES:
            known = f"{', '.join(STATES[:-1])} and {STATES[-1]}"
            raise _refuse(f"{value!r} is not a state; there are {known}", start, example="state:failing")
    return Term(column, value, inverse), end


def _read_value(text: str, start: int) -> tuple[str, int]:
    if text.startswith('"', start):
        end = text.find('"', start + 1)
        if end < 0:
            raise _refuse("a quote begins and does not end", start, example='"two words"')
        return text[start + 1 : end], end + 1
    word = _WORD.match(text, start)
    return (word[0], word.end()) if word else ("", start)


def _skip_blanks(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _refuse(reason: str, position: int, example: str | None = None) -> Invalid:
    return Invalid("filter", reason, position=position, example=example)
