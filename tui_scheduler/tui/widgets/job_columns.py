"""The columns of the job table: which show at which width, and what stands in them. Pure: no widget, `now` is given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui_scheduler.control.views import JobRow, Result, SortBy
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.fitting import fit
from tui_scheduler.tui.formatting import EXECUTION_LOOKS, SECOND, countdown, drift, inert, job_look

_LATE: Final = "late"


class Column(StrEnum):
    """Named as the header names it."""

    MARK = ""
    STATE = "state"
    NAME = "name"
    SCHEDULE = "schedule"
    NEXT = "next"
    LAST = "last"
    RUNS = "runs"
    DRIFT = "drift"
    QUEUE = "queue"


SORTS: Final[dict[Column, SortBy]] = {
    Column.STATE: SortBy.STATE,
    Column.NAME: SortBy.NAME,
    Column.SCHEDULE: SortBy.SCHEDULE,
    Column.NEXT: SortBy.NEXT_RUN,
    Column.RUNS: SortBy.FAILURES,
    Column.QUEUE: SortBy.QUEUE,
}
"""What a click on a header sorts by; the others cannot be sorted."""

_RIGHT: Final = frozenset({Column.NEXT, Column.DRIFT})

# (column, shown from this width of the table on, its narrowest width).
_APPEARS: Final = (
    (Column.MARK, 0, 1),
    (Column.STATE, 0, 1),
    (Column.NAME, 0, 8),
    (Column.SCHEDULE, 61, 14),
    (Column.NEXT, 26, 7),
    (Column.LAST, 42, 11),
    (Column.RUNS, 70, 6),
    (Column.DRIFT, 92, 8),
    (Column.QUEUE, 104, 8),
)
# What is left over goes to these, in this order, until they are this wide; the rest is the name's. Jobs that begin
# alike ("webhooks: …") are told apart by the end of their names, so that comes before much else.
_GROWS: Final = (
    (Column.NAME, 12),
    (Column.STATE, 10),
    (Column.NAME, 25),
    (Column.NEXT, 8),
    (Column.LAST, 14),
    (Column.NAME, 30),
    (Column.RUNS, 12),
    (Column.NEXT, 10),
    (Column.SCHEDULE, 24),
    (Column.QUEUE, 14),
    (Column.NAME, 36),
    (Column.LAST, 40),
)


_GOOD_PART: Final = 20
"""Cells of a sentence from which one can guess the rest."""


class Place(NamedTuple):
    """Where a column stands: `start` and `width` in cells."""

    column: Column
    start: int
    width: int


@lru_cache(maxsize=64)
def layout(width: int) -> tuple[Place, ...]:
    """The columns that a table of this width shows, from the left, a cell apart; the mark stands against the state."""
    widths = {column: narrowest for column, appears, narrowest in _APPEARS if width >= appears}
    left = width - sum(widths.values()) - (len(widths) - 2)
    for column, until in _GROWS:
        if column in widths:
            grown = max(min(until - widths[column], left), 0)
            # A part of a word is worth nothing: the state has its word or only its sign.
            if column is not Column.STATE or grown == until - widths[column]:
                widths[column] += grown
                left -= grown
    widths[Column.NAME] = max(widths[Column.NAME] + left, 1)
    places, start = [], 0
    for column, cells in widths.items():
        places.append(Place(column, start, cells))
        start += cells + (column is not Column.MARK)
    return tuple(places)


class Piece(NamedTuple):
    """Text in one look: the name of a component class, or "" for the line's own."""

    text: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Moment:
    """What a line shows beside the job itself."""

    now: int
    marked: bool = False


def draw(row: JobRow, width: int, moment: Moment) -> list[Piece]:
    """A line of the table, exactly `width` cells wide."""
    pieces: list[Piece] = []
    for place in layout(width):
        # The gap is a part of what comes before it: every piece more is work for each repaint.
        if pieces and place.column is not Column.STATE:
            text, look = pieces.pop()
            pieces.append(Piece(f"{text} ", look))
        pieces.extend(_cell(place, row, moment))
    return pieces


def draw_unknown(width: int, marked: bool) -> list[Piece]:
    """The line of a job that has not been read yet: quiet, so that paging does not flicker."""
    pieces: list[Piece] = []
    for place in layout(width):
        if pieces and place.column is not Column.STATE:
            pieces.append(Piece(" "))
        if place.column is Column.MARK:
            pieces.append(_mark(marked))
        else:
            pieces.append(Piece(fit("…" if place.column is Column.NAME else "", place.width), "line--muted"))
    return pieces


def draw_header(width: int, sort: SortBy, descending: bool) -> list[Piece]:
    """The names of the columns, an arrow at the one that the jobs are sorted by."""
    pieces: list[Piece] = []
    for place in layout(width):
        if pieces and place.column is not Column.STATE:
            pieces.append(Piece(" ", "header"))
        sorted_by = SORTS.get(place.column) is sort
        arrow = arrow_of(descending) if sorted_by else ""
        name = place.column.value.upper() if place.width > 1 else ""
        text = f"{name[: place.width - 2]} {arrow}" if arrow and name else arrow or name
        look = "header-sorted" if sorted_by else "header"
        pieces.append(Piece(fit(text, place.width, right=place.column in _RIGHT), look))
    return pieces


def arrow_of(descending: bool) -> str:
    return "↓" if descending else "↑"


def column_at(x: int, width: int) -> Column | None:
    """The column at a cell, the gap behind it included."""
    found = None
    for place in layout(width):
        if place.start <= x:
            found = place.column
    return found


def as_text(row: JobRow, now: int) -> str:
    """A job in a line of text, nothing cut off, to paste elsewhere."""
    last = row.results[0] if row.results else None
    parts = [
        job_look(row.state, row.failures).word,
        inert(row.title),
        inert(row.schedule),
        f"next: {countdown(row.next_run, now)}",
        f"last: {_result_word(last)} {ago(last.at, now)} ago" if last else "last: never",
        f"queue: {inert(row.queue)}",
        f"{row.method} {inert(row.url)}",
        row.id,
    ]
    return "  ".join(parts)


def _cell(place: Place, row: JobRow, moment: Moment) -> Iterator[Piece]:
    width = place.width
    match place.column:
        case Column.MARK:
            yield _mark(moment.marked)
        case Column.STATE:
            look = job_look(row.state, row.failures)
            yield Piece(fit(look.glyph if width < 10 else f"{look.glyph} {look.word}", width), look.style)
        case Column.NAME:
            yield Piece(fit(row.title, width), "line--mark" if moment.marked else "")
        case Column.SCHEDULE:
            yield Piece(fit(row.schedule, width), "line--muted")
        case Column.NEXT:
            yield Piece(fit(_next(row.next_run, moment.now, width), width, right=True))
        case Column.LAST:
            yield from _last(row.results[0] if row.results else None, moment.now, width)
        case Column.RUNS:
            yield from _runs(row.results, width)
        case Column.DRIFT:
            known = next((result.drift for result in row.results if result.drift is not None), None)
            yield Piece(fit(drift(known), width, right=True), "line--muted")
        case Column.QUEUE:
            yield Piece(fit(row.queue, width), "line--muted")


def _mark(marked: bool) -> Piece:
    return Piece("◆", "line--mark") if marked else Piece(" ")


def _next(instant: int | None, now: int, width: int) -> str:
    """Where it is narrow without its "in", the header says that already, and without how late it is."""
    text = countdown(instant, now)
    if width < 10:
        text = text.removeprefix("in ")
    return text if len(text) <= width or not text.endswith(_LATE) else _LATE


def _last(result: Result | None, now: int, width: int) -> Iterator[Piece]:
    """Sign, word and age; the age only beside a whole word. Of what went wrong a good part, or else the state's word:
    half a word says nothing.
    """
    if result is None:
        yield Piece(fit("-", width), "line--muted")
        return
    look = EXECUTION_LOOKS[result.state]
    age = ago(result.at, now)
    room = width - 3 - len(age)
    word = _result_word(result)
    if cell_len(word) > room and room < _GOOD_PART:
        word = look.word
        if cell_len(word) > room:
            age, room = "", width - 2
    word = fit(word, min(cell_len(word), max(room, 0)))
    yield Piece(f"{look.glyph} {word}", look.style)
    yield Piece(fit(f" {age}", width - 2 - cell_len(word)), "line--muted")


def _result_word(result: Result) -> str:
    """How an execution ended: the status of the response, or what went wrong without one, or else the state. Of one
    that has not ended only the state: what its latest attempt came to is not what it comes to.
    """
    if not result.state.is_final:
        return EXECUTION_LOOKS[result.state].word
    if result.http_status is not None:
        return str(result.http_status)
    return inert(result.error[:200]) if result.error else EXECUTION_LOOKS[result.state].word


def _runs(results: tuple[Result, ...], width: int) -> Iterator[Piece]:
    """The latest runs, the newest at the right: a bar for one that succeeded, the sign of its state for another."""
    shown = results[:width][::-1]
    text, style = " " * (width - len(shown)), ""
    for result in shown:
        look = EXECUTION_LOOKS[result.state]
        if look.style != style and text:
            yield Piece(text, style)
            text = ""
        text += "▆" if result.state is State.SUCCEEDED else look.glyph
        style = look.style
    if text:
        yield Piece(text, style)


def ago(instant: int, now: int) -> str:
    """`0s`, `59s`, `59m`, `23h`, `99d`, `2y`: at most 3 cells below a thousand days."""
    seconds = max(now - instant, 0) // SECOND
    for size, unit in ((60, "s"), (60, "m"), (24, "h"), (1_000, "d")):
        if seconds < size:
            return f"{seconds}{unit}"
        seconds //= size
    return f"{max(now - instant, 0) // (365 * 86_400 * SECOND)}y"
