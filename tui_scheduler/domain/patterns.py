"""Regular expressions that can be trusted with an answer from anywhere.

Python's matcher backtracks, holds the interpreter's lock meanwhile and cannot be stopped: one unlucky pattern on one
crafted body would stop every firing of the node. There is no exact test, so this one is stricter than it need be.
"""

from __future__ import annotations

from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # the parser is nobody's public interface, but stable
from typing import Any, Final

MAX_OPEN_REPEATS: Final = 2
"""With n characters and k repeats in a row a failing search takes about n^(k+1) steps."""

FEW: Final = 64
"""A repeat bounded by this is not open-ended."""

_REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_UNBOUNDED_WORK: Final = {
    _constants.GROUPREF: "refers back to a group",
    _constants.GROUPREF_EXISTS: "depends on a group",
    _constants.ASSERT: "looks ahead or behind",
    _constants.ASSERT_NOT: "looks ahead or behind",
}


def why_dangerous(pattern: str) -> str | None:
    """Why a valid regular expression may take very long, as a sentence without a full stop; None when it cannot."""
    open_repeats = 0
    for operation, argument, is_repeated in _walk(_parser.parse(pattern), is_repeated=False):
        if operation in _UNBOUNDED_WORK:
            return f"{_UNBOUNDED_WORK[operation]}, which can take very long on some bodies"
        if operation is _constants.BRANCH and is_repeated:
            return "repeats a choice, which can take very long on some bodies; use a character class, or no repetition"
        if operation in _REPEATS:
            low, high, _ = argument
            if is_repeated and low != high:
                return "repeats a repetition, which can take very long on some bodies"
            open_repeats += high > FEW and low != high
    if open_repeats > MAX_OPEN_REPEATS:
        return f"has {open_repeats} open-ended repetitions, and more than {MAX_OPEN_REPEATS} can take very long"
    return None


def _walk(items: Any, *, is_repeated: bool) -> Iterator[tuple[Any, Any, bool]]:
    """Every operation of a parsed pattern, with its argument and whether it stands inside a repetition."""
    for operation, argument in items:
        yield operation, argument, is_repeated
        inside = is_repeated or (operation in _REPEATS and argument[1] > 1)
        for part in _parts(argument):
            yield from _walk(part, is_repeated=inside)


def _parts(argument: Any) -> Iterator[Any]:
    """The parsed patterns inside an operation's argument, at any depth of the lists and tuples that hold them."""
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for element in argument:
            yield from _parts(element)
