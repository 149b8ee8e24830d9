"""Durations as people write them, `250ms`, `1h30m`, `90`, to and from whole microseconds."""

from __future__ import annotations

import re
from typing import Final

from tui_scheduler.domain.errors import Invalid

LONGEST: Final = 3650 * 86_400_000_000
"""Ten years, in µs: whatever is longer was not meant."""

_UNITS: Final = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000}
_WHOLE: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII | re.IGNORECASE)
_PART: Final = re.compile(r"\s*(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|[dhms])?", re.ASCII | re.IGNORECASE)
_EXAMPLE: Final = "1h30m"
_MOST_DIGITS: Final = 18


def whole_units(text: str) -> int | None:
    """The µs of whole numbers with units, largest first and without spaces; None for anything else.

    The stricter form, for a schedule: its text is what people see and compare. Not bounded above.
    """
    match = _WHOLE.fullmatch(text)
    if match is None or not text:
        return None
    numbers = [number or "0" for number in match.groups()]
    if any(len(number) > _MOST_DIGITS for number in numbers):
        return LONGEST + 1
    return sum(int(number) * unit for number, unit in zip(numbers, _UNITS.values(), strict=True))


def parse_duration(text: str, field: str = "duration") -> int:
    """The µs that a person means: numbers with units, largest first, or one plain number of seconds.

    The last number may have decimals, as far as they come to whole µs. Raises `Invalid(field, …)` with the position.
    """
    end = len(text.rstrip())
    at = len(text) - len(text.lstrip())
    if at >= end:
        raise Invalid(field, "is empty", position=0, example=_EXAMPLE)
    total, smallest = 0, LONGEST + 1
    while at < end:
        match = _PART.match(text, at, end)
        if match is None:
            rest = text[at:end].lstrip()
            reason = f"{rest[:20]!r} is no number with a unit"
            raise Invalid(field, reason, position=end - len(rest), example=_EXAMPLE)
        unit, is_last = _unit_of(match, field, is_alone=total == 0 and smallest > LONGEST), match.end() == end
        if unit >= smallest:
            raise Invalid(field, "the larger unit goes first", position=match.start("number"), example=_EXAMPLE)
        total += _micros(match, unit, field, is_last=is_last)
        smallest, at = unit, match.end()
    if total > LONGEST:
        raise Invalid(field, "is longer than ten years", position=0, example=_EXAMPLE)
    return total


def show_duration(micros: int) -> str:
    """The shortest exact way to write it that `parse_duration` reads back: `90s`, `1h1m`, `1.5ms`, `0s`.

    One number of up to three digits where that is no longer (`90m`, not `1h30m`), units one after the other otherwise.
    """
    if micros % 1_000:  # finer than the smallest unit
        whole, rest = divmod(micros, 1_000_000)
        if not whole:
            return _decimal(micros, 1_000) + "ms"
        minutes = micros - micros % 60_000_000
        return (show_duration(minutes) if minutes else "") + _decimal(whole % 60 * 1_000_000 + rest, 1_000_000) + "s"
    parts, left = [], micros
    for name, unit in _UNITS.items():
        count, left = divmod(left, unit)
        parts += [f"{count}{name}"] if count else []
    alone = [f"{micros // unit}{name}" for name, unit in _UNITS.items() if micros % unit == 0 and micros < 1000 * unit]
    return min(["".join(parts), *alone], key=len) if micros else "0s"


def _unit_of(match: re.Match[str], field: str, *, is_alone: bool) -> int:
    if match["unit"]:
        return _UNITS[match["unit"].lower()]
    if is_alone and match.end() == len(match.string.rstrip()):
        return _UNITS["s"]
    raise Invalid(field, "needs a unit: d, h, m, s or ms", position=match.end("number"), example=_EXAMPLE)


def _micros(match: re.Match[str], unit: int, field: str, *, is_last: bool) -> int:
    """The number times its unit, exactly."""
    at = match.start("number")
    whole, _, decimals = match["number"].partition(".")
    if len(whole) > _MOST_DIGITS or len(decimals) > _MOST_DIGITS:
        raise Invalid(field, "has too many digits", position=at, example=_EXAMPLE)
    if decimals and not is_last:
        raise Invalid(field, "only the last number may have decimals", position=at, example="1h1.5s")
    scale = int("1" + "0" * len(decimals))
    share, rest = divmod(int(decimals or "0") * unit, scale)
    if rest:
        raise Invalid(field, "is finer than a microsecond", position=at, example="1.5ms")
    return int(whole) * unit + share


def _decimal(micros: int, unit: int) -> str:
    digits = len(str(unit)) - 1
    return f"{micros // unit}.{micros % unit:0{digits}}".rstrip("0").rstrip(".")
