"""A cron expression read into sets: what each field allows, whatever the spelling.

croniter judges the grammar, but its sets are not used: version 7 reads `1-1` and `JAN-JAN` as the whole cycle and
`23-3/2` as {2, 23}, refuses `0 0 30 2 MON` although Mondays match, and takes `1,1#2` for the second Monday alone.
Every position is a 0-based offset into the text as it was given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final, NoReturn

from tui_scheduler.domain.errors import Invalid

ALIASES: Final = {
    "@yearly": "0 0 0 1 1 *",
    "@annually": "0 0 0 1 1 *",
    "@monthly": "0 0 0 1 * *",
    "@weekly": "0 0 0 * * 0",
    "@daily": "0 0 0 * * *",
    "@midnight": "0 0 0 * * *",
    "@hourly": "0 0 * * * *",
}
LAST: Final = 6  # in `Fields.nth`, beside 1 to 5: the last such weekday of the month
LONGEST_TEXT: Final = 1000  # sixty seconds, sixty minutes, … all listed one by one take some 600

_MONTH_NAMES: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MONTHS: Final = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_WEEKDAYS: Final = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}
_MONTH_LENGTHS: Final = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}

# croniter and cron split fields at ASCII white space only; a no-break space is a mistake to point at.
_WORD: Final = re.compile(r"\S+", re.ASCII)
_NUMBER: Final = re.compile(r"\d{1,9}", re.ASCII)
_RANGE: Final = re.compile(r"(?P<low>[^/-]+)(-(?P<high>[^/-]+))?(/(?P<step>.*))?", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name for people, bounds, names for values, and an example that would be accepted."""

    name: str
    low: int
    high: int
    names: dict[str, int]
    example: str

    @property
    def size(self) -> int:
        return self.high - self.low + 1


SECOND: Final = Field("second", 0, 59, {}, "*/15 * * * * *")
MINUTE: Final = Field("minute", 0, 59, {}, "0 */5 * * * *")
HOUR: Final = Field("hour", 0, 23, {}, "0 30 9-17 * * *")
DAY_OF_MONTH: Final = Field("day-of-month", 1, 31, {}, "0 0 12 1,15 * *")
MONTH: Final = Field("month", 1, 12, _MONTHS, "0 0 12 1 JAN,JUL *")
DAY_OF_WEEK: Final = Field("day-of-week", 0, 6, _WEEKDAYS, "0 0 12 * * MON-FRI")
COLUMNS: Final = (SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK)


@dataclass(frozen=True)
class Fields:
    """What a cron expression allows. Two spellings of one schedule give equal values.

    `days` holds 1 to 31, `last_day` adds the last of each month; `weekdays` holds 0 to 6 from Sunday; `nth` pairs
    (weekday, 1 to 5 or LAST). Either-or between days and weekdays applies when both are restricted, as in crontab(5),
    except that "restricted" goes by the set and not by a leading star.
    """

    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    last_day: bool
    months: frozenset[int]
    weekdays: frozenset[int]
    nth: frozenset[tuple[int, int]]

    @cached_property
    def restricts_days(self) -> bool:
        return len(self.days) < DAY_OF_MONTH.size

    @cached_property
    def restricts_weekdays(self) -> bool:
        return len(self.weekdays) < DAY_OF_WEEK.size

    @cached_property
    def restricts_hours(self) -> bool:
        return len(self.hours) < HOUR.size

    @cached_property
    def can_match(self) -> bool:
        """False for dates no year has: February 30. (Weekdays come in every month, a fifth one in enough of them.)"""
        if not self.restricts_days or self.restricts_weekdays or self.last_day:
            return True
        return min(self.days) <= max(_MONTH_LENGTHS[month] for month in self.months)


@dataclass(frozen=True, slots=True)
class _Token:
    """An item of a comma-separated field, in capitals, and where it stands."""

    column: Field
    text: str
    position: int

    def refuse(self, reason: str, *, at: int = 0) -> NoReturn:
        example = self.column.example
        raise Invalid("schedule", f"{self.column.name} field: {reason}", position=self.position + at, example=example)


def read(text: str) -> Fields:
    """The sets of an expression of five or six fields or an alias; raises `Invalid` for `schedule`."""
    if len(text) > LONGEST_TEXT:
        raise Invalid("schedule", f"an expression has at most {LONGEST_TEXT} characters", example="0 30 9 * * MON-FRI")
    if text.strip().startswith("@"):
        return _sets(_columns(_expand_alias(text)))
    columns = _columns(text)
    fields = _sets(columns)
    _have_croniter_agree(text, columns)
    if not fields.can_match:
        _, position = columns[3]
        reason = "day-of-month field: no such day in any of these months, so it can never fire"
        raise Invalid("schedule", reason, position=position, example="0 0 12 L 2 *")
    return fields


def _expand_alias(text: str) -> str:
    alias = ALIASES.get(text.strip().lower())
    if alias is None:
        known = ", ".join(ALIASES)
        reason = f"unknown alias {text.strip()[:40]!r}; known are {known}, @every and @at"
        raise Invalid("schedule", reason, position=len(text) - len(text.lstrip()), example="@daily")
    return alias


def _columns(text: str) -> list[tuple[str, int]]:
    """The six columns with their positions; five mean that the second is 0 (which then stands nowhere)."""
    columns = [(match.group(), match.start()) for match in _WORD.finditer(text)]
    if not columns:
        raise Invalid("schedule", "the expression is empty", example="0 30 9 * * MON-FRI")
    if len(columns) == 5:
        return [("0", columns[0][1]), *columns]
    if len(columns) == 7:
        reason = "a seventh field (the year) is not supported; for a single run use @at"
        raise Invalid("schedule", reason, position=columns[6][1], example="@at 2026-12-01T09:00:00+01:00")
    if len(columns) != 6:
        reason = f"expected six fields (second minute hour day month weekday) or five (no second), got {len(columns)}"
        position = columns[min(len(columns) - 1, 6)][1]
        raise Invalid("schedule", reason, position=position, example="0 30 9 * * MON-FRI")
    return columns


def _sets(columns: list[tuple[str, int]]) -> Fields:
    second, minute, hour, day, month, weekday = (
        list(_tokens(column, text, position)) for column, (text, position) in zip(COLUMNS, columns, strict=True)
    )
    days, last_day = _read_days(day)
    weekdays, nth = _read_weekdays(weekday)
    return Fields(
        seconds=_union(second),
        minutes=_union(minute),
        hours=_union(hour),
        days=days,
        last_day=last_day,
        months=_union(month),
        weekdays=weekdays,
        nth=nth,
    )


def _tokens(column: Field, text: str, position: int) -> Iterator[_Token]:
    items = text.upper().split(",") if text.isascii() else text.split(",")
    for item in items:
        token = _Token(column, item, position)
        if not item:
            token.refuse("an item of the list is empty")
        _refuse_what_misleads(token)
        if item == "?" and (len(items) > 1 or column not in (DAY_OF_MONTH, DAY_OF_WEEK)):
            token.refuse("'?' can only stand alone, in the day-of-month or day-of-week field")
        yield token
        position += len(item) + 1


def _refuse_what_misleads(token: _Token) -> None:
    """What croniter takes but does not keep: a promise of our own is the least a schedule needs."""
    if re.match(r"R(\(|/|$)", token.text):
        token.refuse("R (a random value) is not supported: every node would draw another; use jitter instead")
    if re.match(r"H(\(|/|$)", token.text):
        token.refuse("H (a hashed value) is not supported; use jitter to spread jobs")
    if re.fullmatch(r"L?\d*W\d*", token.text):
        token.refuse("W (the nearest working day) is not supported")


def _union(tokens: Iterable[_Token]) -> frozenset[int]:
    return frozenset().union(*(_values(token) for token in tokens))


def _read_days(tokens: list[_Token]) -> tuple[frozenset[int], bool]:
    """The days of the month, and whether the last one is meant too. A 31st is always the last, so L includes it."""
    last_day = any(token.text == "L" for token in tokens)
    days = _union(token for token in tokens if token.text != "L") | ({31} if last_day else frozenset())
    return days, last_day and len(days) < DAY_OF_MONTH.size


def _read_weekdays(tokens: list[_Token]) -> tuple[frozenset[int], frozenset[tuple[int, int]]]:
    special = [token for token in tokens if "#" in token.text or re.fullmatch(r"L\d+", token.text)]
    if special and len(special) < len(tokens):
        plain = next(token for token in tokens if token not in special)
        plain.refuse("a list cannot mix plain weekdays with the nth (#) or last (L) weekday of the month")
    nth = frozenset[tuple[int, int]]().union(*(_nth(token) for token in special))
    # All five of them are every one of them, and a weekday that comes every week needs no nth.
    weekdays = {day for day in range(7) if all((day, n) in nth for n in range(1, 6))}
    weekdays |= _union(token for token in tokens if token not in special)
    return frozenset(weekdays), frozenset(pair for pair in nth if pair[0] not in weekdays)


def _nth(token: _Token) -> set[tuple[int, int]]:
    if token.text.startswith("L"):
        return {(_value(token, token.text[1:], at=1) % 7, LAST)}
    days, _, nth = token.text.partition("#")
    if not re.fullmatch(r"[0-7]|[A-Z]{3}(-[A-Z]{3})?", days):
        token.refuse("before '#' stands one weekday, or a range of names as in MON-FRI#1")
    if nth not in {"1", "2", "3", "4", "5"}:
        token.refuse(f"'#' needs a number from 1 to 5 after it, not {nth!r}", at=len(days) + 1)
    return {(day, int(nth)) for day in _values(_Token(token.column, days, token.position))}


def _values(token: _Token) -> set[int]:
    """The values of one item: `*`, `v`, `v-w`, `*/s`, `v/s` (from v to the end of the field), `v-w/s`."""
    column = token.column
    match = _RANGE.fullmatch(token.text)
    if match is None:
        token.refuse(f"cannot read {token.text[:40]!r}")
    low_text, high_text, step_text = match["low"], match["high"], match["step"]
    step = 1 if step_text is None else _step(token, step_text, at=match.start("step"))
    if low_text in ("*", "?"):
        if high_text is not None or (low_text == "?" and step_text is not None):
            token.refuse(f"{low_text!r} cannot be part of a range")
        return set(range(column.low, column.high + 1, step))
    low = _value(token, low_text)
    if high_text is None and step_text is None:
        return {low % 7 if column is DAY_OF_WEEK else low}
    high = column.high if high_text is None else _value(token, high_text, at=match.start("high"))
    return set(_cycle(column, low, high, step))


def _cycle(column: Field, low: int, high: int, step: int) -> Iterator[int]:
    """Every `step`-th value from low to high, around the end of the field when high lies before low."""
    if column is DAY_OF_WEEK and low == 7:
        low, high = 0, high % 7  # from Sunday on; 7-7 is Sunday alone
    if high < low:
        high += column.size
    for value in range(low, high + 1, step):
        yield column.low + (value - column.low) % column.size


def _value(token: _Token, text: str, *, at: int = 0) -> int:
    column = token.column
    if text in column.names:
        return column.names[text]
    if text == "L" and column is DAY_OF_MONTH and at:
        return 31  # "15-L", which croniter has: a range to the end of every month
    if not _NUMBER.fullmatch(text):
        _refuse_value(token, text, at)
    value = int(text)
    highest = 7 if column is DAY_OF_WEEK else column.high  # 7 is Sunday as well as 0
    if not column.low <= value <= highest:
        token.refuse(f"{value} is not within {column.low} to {highest}", at=at)
    return value


def _refuse_value(token: _Token, text: str, at: int) -> NoReturn:
    column = token.column
    if column is DAY_OF_WEEK and re.fullmatch(r"L|[0-7A-Z]+L", text):
        token.refuse("the last weekday of the month is written L and its number, L5 for the last Friday", at=at)
    if text == "L":
        token.refuse("L (the last day) stands alone in the day-of-month field, or ends a range", at=at)
    names = f" or a name from {next(iter(column.names))} to {list(column.names)[-1]}" if column.names else ""
    token.refuse(f"{text[:40]!r} is not a number from {column.low} to {column.high}{names}", at=at)


def _step(token: _Token, text: str, at: int) -> int:
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        token.refuse(f"the step after '/' must be a whole number from 1, not {text[:40]!r}", at=at)
    return int(text)


def _have_croniter_agree(text: str, columns: list[tuple[str, int]]) -> None:
    """Refuse what croniter refuses, so that an expression is worth as much elsewhere as it is here."""
    from croniter import CroniterError, croniter  # takes long to import; where nothing is parsed, nothing needs it

    try:
        # Not `strict`: that goes by the days alone and refuses "0 0 30 2 MON", which fires on Mondays.
        croniter.expand(" ".join(column for column, _ in columns), second_at_beginning=True)
    except (CroniterError, ValueError, TypeError, KeyError, IndexError, OverflowError):
        example = "0 30 9 * * MON-FRI"
        raise Invalid("schedule", f"cannot read {text.strip()[:60]!r} as cron", example=example) from None
