"""JSON in colours, a line at a time. Pure.

Not by tree-sitter: on 0.26 Textual's use of it corrupts memory (a segmentation fault within seconds of typing, found
by our tests), and this process is also the scheduler.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(
    r'(?P<label>"(?:[^"\\]|\\.)*"(?=\s*:))'
    r'|(?P<string>"(?:[^"\\]|\\.)*")'
    r"|(?P<number>-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)"
    r"|(?P<word>\b(?:true|false|null)\b)"
    r'|(?P<wrong>".*)'
)


class Token(StrEnum):
    """What a part of a line is; `wrong` is a text without an end."""

    LABEL = "label"
    STRING = "string"
    NUMBER = "number"
    WORD = "word"
    WRONG = "wrong"


class Span(NamedTuple):
    """The characters from `start` up to, not with, `end`."""

    start: int
    end: int
    token: Token


def looks_like_json(first_line: str) -> bool:
    """Whether a text that begins so is coloured as JSON."""
    return first_line.lstrip()[:1] in {"{", "["}


def json_spans(line: str) -> Iterator[Span]:
    """The parts of a line of JSON that have a colour: no text of it goes over a line's end."""
    for match in _TOKEN.finditer(line):
        if match.lastgroup:
            yield Span(match.start(), match.end(), Token(match.lastgroup))
