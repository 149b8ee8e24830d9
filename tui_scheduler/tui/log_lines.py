"""How an execution reads as one line of the log. Pure: widths are cells, instants and durations µs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui_scheduler.control.views import LogRow
from tui_scheduler.domain.decisions import beyond_status
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.tui.fitting import fit
from tui_scheduler.tui.formatting import EXECUTION_LOOKS, SECOND, clock_time, count, drift, duration, full_time, inert

_TIME: Final = 12
_STATE: Final = 11
_DURATION: Final = 8
_DRIFT: Final = 9
_NAME: Final = range(8, 33)
_DETAIL: Final = 10
"""Enough for `200 manual`; what needs more takes the place of the timings."""
_ROOM_FOR_DRIFT: Final = 70
_ROOM_FOR_DURATION: Final = 54


_TO_BE_SENT: Final = frozenset({State.PENDING, State.CLAIMED})
_UNDER_WAY: Final = _TO_BE_SENT | {State.RUNNING}


class Part(NamedTuple):
    """Some text of a line; `style` names a component class."""

    text: str
    style: str = ""


class Columns(NamedTuple):
    """Cells of what varies; 0: not shown."""

    name: int
    detail: int
    duration: int
    drift: int


def columns(width: int, *, of_one_job: bool = False) -> Columns:
    """What fits: the narrower, the less is said about the timing. The name is left out where it is always the same."""
    for_drift = _DRIFT if width >= _ROOM_FOR_DRIFT else 0
    for_duration = _DURATION if width >= _ROOM_FOR_DURATION else 0
    room = max(width - _TIME - _STATE - 2 - for_duration - for_drift, 0)
    if of_one_job:
        return Columns(0, room, for_duration, for_drift)
    name = max(min(room - _DETAIL - 1, _NAME[-1]), min(_NAME[0], room))
    return Columns(name, max(room - name - 1, 0), for_duration, for_drift)


def when(instant: int, zone: tzinfo, now: int) -> str:
    """`16:00:00.001`, on another day than today's `11-22 16:00`."""
    day = datetime.fromtimestamp(instant // SECOND, zone)
    if day.date() == datetime.fromtimestamp(now // SECOND, zone).date():
        return clock_time(instant, zone)
    return f"{day:%m-%d %H:%M}"


def outcome(row: LogRow, zone: tzinfo) -> str:
    """What it came to, in a few words, the most telling first: `503 #2 again 16:00:05`, `overlap · 12 times`."""
    words = [
        *(_under_way(row) if row.state in _UNDER_WAY else _ended(row, zone)),
        "" if row.trigger is Trigger.SCHEDULE else row.trigger.value,
    ]
    return " ".join(word for word in words if word)


def _under_way(row: LogRow) -> Iterator[str]:
    """Of an attempt that is to be made or being made nothing is known but its number: what the one before it came to
    would read as its own.
    """
    if row.attempt > 1:
        yield f"attempt #{row.attempt}"


def _ended(row: LogRow, zone: tzinfo) -> Iterator[str]:
    yield "" if row.http_status is None else str(row.http_status)
    yield f"#{row.attempt}" if row.attempt > 1 else ""
    yield _again(row, zone)
    yield _skipped(row)
    yield _error(row)


def _again(row: LogRow, zone: tzinfo) -> str:
    if row.state is not State.RETRYING or row.next_attempt_at is None:
        return ""
    return f"again {clock_time(row.next_attempt_at, zone, millis=False)}"


def _skipped(row: LogRow) -> str:
    if row.state is not State.SKIPPED:
        return ""
    times = row.skip_count or 1
    return inert(row.skip_reason or "") + (f" · {count(times)} times" if times > 1 else "")


def _error(row: LogRow) -> str:
    """What the status has not said already."""
    return inert(beyond_status(row.error, row.http_status))


def row_parts(row: LogRow, cols: Columns, zone: tzinfo, now: int) -> list[Part]:
    """The line of an execution. What it came to takes the place of timings that there are not (yet: those of an
    attempt before are not its own), or for which it leaves no room.
    """
    look = EXECUTION_LOOKS[row.state]
    parts = [
        Part(fit(when(row.fire_at, zone, now), _TIME + 1), "line--muted"),
        Part(fit(f"{look.glyph} {look.word}", _STATE + 1), look.style),
    ]
    if cols.name:
        parts.append(Part(fit(inert(row.job_name), cols.name) + " "))
    what, room = outcome(row, zone), cols.detail
    timings = [
        (duration(row.duration), cols.duration, row.duration is not None and row.state not in _UNDER_WAY),
        (drift(row.drift), cols.drift, row.drift is not None and row.state not in _TO_BE_SENT),
    ]
    while timings and not (timings[0][2] and cell_len(what) <= room):
        room += timings.pop(0)[1]
    style = look.style if row.state in {State.FAILED, State.LOST, State.RETRYING} else ""
    parts.append(Part(fit(what, room), style))
    parts += [Part(text.rjust(width), "line--muted") for text, width, _ in timings if width]
    return parts


def rule_parts(at: int, width: int, zone: tzinfo) -> list[Part]:
    """A line across, with the instant at which it was drawn."""
    return [Part(f"── marked {clock_time(at, zone)} ".ljust(width, "─"), "line--mark")]


def gap_parts(number: int, width: int, *, at_least: bool = False) -> list[Part]:
    """What the log could not keep up with."""
    return [Part(fit(f"… {count(number)}{'+' * at_least} more not shown", width), "line--muted")]


def older_parts(width: int) -> list[Part]:
    """Above the oldest of a log that goes further back than it is shown."""
    return [Part(fit("… older ones are not shown", width), "line--muted")]


def whole_line(row: LogRow, zone: tzinfo) -> str:
    """The line with nothing cut off, to be copied."""
    look = EXECUTION_LOOKS[row.state]
    words = [full_time(row.fire_at, zone), look.word, inert(row.job_name), outcome(row, zone)]
    if row.duration is not None:
        words.append(duration(row.duration))
    if row.drift is not None:
        words.append(f"drift {drift(row.drift)}")
    return "  ".join(word for word in words if word)


def searched_text(row: LogRow, zone: tzinfo) -> str:
    """What a search looks at, in small letters: made for thousands at once, so without what nobody looks for."""
    at = clock_time(row.fire_at, zone)
    return f"{at} {EXECUTION_LOOKS[row.state].word} {inert(row.job_name)} {outcome(row, zone)}".lower()


def highlighted(parts: Sequence[Part], needle: str) -> list[Part]:
    """The same text with what is looked for in its own style; where the line has it only in what was cut off, the
    ellipsis.
    """
    text = "".join(part.text for part in parts)
    spans = [found.span() for found in re.finditer(re.escape(needle), text, re.IGNORECASE)]
    if not spans:
        spans = [found.span() for found in re.finditer("…", text)]
    return list(_cut(parts, spans))


def _cut(parts: Sequence[Part], spans: Sequence[tuple[int, int]]) -> Iterator[Part]:
    begin = 0
    for part in parts:
        end = begin + len(part.text)
        at = begin
        for low, high in spans:
            low, high = max(low, at), min(high, end)  # noqa: PLW2901 - as far as it lies in this part
            if low < high:
                yield Part(part.text[at - begin : low - begin], part.style)
                yield Part(part.text[low - begin : high - begin], "line--match")
                at = high
        yield Part(part.text[at - begin :], part.style)
        begin = end
