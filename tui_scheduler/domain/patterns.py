"""Regular expressions that can be trusted with an answer from anywhere.

Python's matcher backtracks, holds the interpreter's lock meanwhile and cannot be stopped: one unlucky pattern on one
crafted body would stop every firing of the node. There is no exact test, so this one is stricter than it need be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # the parser is nobody's public interface, but stable
from typing import Any, Final

KEPT: Final = 4_096
"""The characters of a body that are searched, about: what an open-ended repeat can choose among."""

MAX_WAYS: Final = 8 * KEPT
"""A failing search tries every way to match from every character: this many take some tenths of a second."""

_REPEATS: Final = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_UNBOUNDED_WORK: Final = {
    _constants.GROUPREF: "refers back to a group",
    _constants.GROUPREF_EXISTS: "depends on a group",
    _constants.ASSERT: "looks ahead or behind",
    _constants.ASSERT_NOT: "looks ahead or behind",
}
_CLASSES: Final[dict[Any, Callable[[str], bool]]] = {
    _constants.CATEGORY_DIGIT: str.isdecimal,
    _constants.CATEGORY_SPACE: str.isspace,
    _constants.CATEGORY_WORD: lambda character: character.isalnum() or character == "_",
}


def why_dangerous(pattern: str) -> str | None:
    """Why a valid regular expression may take very long, as a sentence without a full stop; None when it cannot."""
    parsed: Any = _parser.parse(pattern)
    for operation, argument, is_repeated in _walk(parsed, is_repeated=False):
        if operation in _UNBOUNDED_WORK:
            return f"{_UNBOUNDED_WORK[operation]}, which can take very long on some bodies"
        if operation is _constants.BRANCH and is_repeated:
            return "repeats a choice, which can take very long on some bodies; use a character class, or no repetition"
        if operation in _REPEATS and is_repeated and argument[0] != argument[1]:
            return "repeats a repetition, which can take very long on some bodies"
    if _ways(parsed, is_last=True) > MAX_WAYS:
        return "has more than one open-ended repetition, or many choices, which can take very long on some bodies"
    return None


def _ways(items: Any, *, is_last: bool) -> int:
    """In how many ways the items may match from one character on. Those at the very end cannot fail, and one like
    `\\s*` in `\\s*:` ends where its characters end, unless another repeat before it decides where it begins.
    """
    ways = 1
    after_repeat = False
    for place, (operation, argument) in enumerate(items):
        is_end = is_last and place == len(items) - 1
        is_choice = operation in _REPEATS and argument[0] != argument[1]
        following = items[place + 1] if place + 1 < len(items) else None
        if is_choice and not is_end and (after_repeat or not _is_delimited(argument[2], following)):
            ways *= min(argument[1] - argument[0] + 1, KEPT)
        if operation is _constants.BRANCH:
            ways *= len(argument[1])
        for part in _parts(argument):
            ways *= _ways(part, is_last=is_end)
        after_repeat = is_choice
    return ways


def _is_delimited(repeated: Any, following: Any) -> bool:
    """Whether what follows a repeat is one character that the repeat itself cannot take."""
    if following is None or following[0] is not _constants.LITERAL or len(repeated) != 1:
        return False
    character = chr(following[1])
    # In either case, so that it holds whatever the flags.
    return not any(_takes(repeated[0], form) for form in {character, character.lower(), character.upper()})


def _takes(item: tuple[Any, Any], character: str) -> bool:
    """Whether a one-character item of a parsed pattern may match `character`; True when in doubt."""
    operation, argument = item
    if operation is not _constants.IN:
        return operation is not _constants.LITERAL or chr(argument).casefold() == character.casefold()
    if argument[0][0] is _constants.NEGATE:
        return True
    return any(_has(member, character) for member in argument)


def _has(member: tuple[Any, Any], character: str) -> bool:
    operation, argument = member
    if operation is _constants.LITERAL:
        return chr(argument).casefold() == character.casefold()
    if operation is _constants.RANGE:
        return bool(argument[0] <= ord(character[0]) <= argument[1])
    belongs = _CLASSES.get(argument)
    return belongs is None or any(belongs(one) for one in character)


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
