"""How values read on the screen. Pure: instants and durations are µs, `now` is given."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import JobState

SECOND: Final = 1_000_000
_MINUTE: Final = 60 * SECOND
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

BARS: Final = "▁▂▃▄▅▆▇█"


class Look(NamedTuple):
    """How a state is shown: never by colour alone. `style` names a component class (`state--…`)."""

    glyph: str
    word: str
    style: str


# Glyphs that are one cell wide everywhere and in the common fonts of terminals.
JOB_LOOKS: Final[dict[JobState, Look]] = {
    JobState.ACTIVE: Look("●", "active", "state--good"),
    JobState.PAUSED: Look("‖", "paused", "state--muted"),
    JobState.FINISHED: Look("■", "finished", "state--muted"),
    JobState.DELETED: Look("×", "deleted", "state--muted"),
}
FAILING: Final = Look("▲", "failing", "state--bad")

EXECUTION_LOOKS: Final[dict[State, Look]] = {
    State.PENDING: Look("○", "pending", "state--muted"),
    State.CLAIMED: Look("◇", "claimed", "state--muted"),
    State.RUNNING: Look("▶", "running", "state--busy"),
    State.RETRYING: Look("◐", "retrying", "state--warning"),
    State.SUCCEEDED: Look("✓", "succeeded", "state--good"),
    State.FAILED: Look("×", "failed", "state--bad"),
    State.CANCELLED: Look("□", "cancelled", "state--muted"),
    State.LOST: Look("!", "lost", "state--bad"),
    State.SKIPPED: Look("»", "skipped", "state--warning"),
}


def job_look(state: JobState, failures: int) -> Look:
    """An active job whose latest run failed is failing."""
    return FAILING if state is JobState.ACTIVE and failures else JOB_LOOKS[state]


def countdown(instant: int | None, now: int) -> str:
    """`now`, `in 5s`, `in 4m 05s`, `in 3h 12m`, `in 2d 4h`, `12m late`; `-` for never. At most 10 cells to 99 days."""
    if instant is None:
        return "-"
    left = instant - now
    if left < -SECOND:
        return f"{_coarse(-left).partition(' ')[0]} late"
    return "now" if left < SECOND else f"in {_coarse(left)}"


def _coarse(span: int) -> str:
    if span < _MINUTE:
        return f"{span // SECOND}s"
    if span < _HOUR:
        return f"{span // _MINUTE}m {span % _MINUTE // SECOND:02}s"
    if span < _DAY:
        return f"{span // _HOUR}h {span % _HOUR // _MINUTE:02}m"
    return f"{span // _DAY}d {span % _DAY // _HOUR}h"


def duration(span: int | None) -> str:
    """`850 µs`, `1.2 ms`, `350 ms`, `2.4 s`, `1m 05s`; `-` when it is not known. At most 7 cells below an hour."""
    if span is None:
        return "-"
    if abs(span) < 1_000:
        return f"{span} µs"
    if abs(span) < 100_000:
        return f"{span / 1_000:.1f} ms"
    if abs(span) < SECOND:
        return f"{span // 1_000} ms"
    if abs(span) < _MINUTE:
        return f"{span / SECOND:.1f} s"
    return _coarse(span)


def drift(span: int | None) -> str:
    """The same with its sign: `+1.2 ms`."""
    if span is None:
        return "-"
    return duration(span) if span < 0 else f"+{duration(span)}"


def clock_time(instant: int, zone: tzinfo = UTC, *, millis: bool = True) -> str:
    """`09:00:00.001`."""
    moment = datetime.fromtimestamp(instant // SECOND, zone).replace(microsecond=instant % SECOND)
    return moment.strftime("%H:%M:%S") + (f".{moment.microsecond // 1_000:03}" if millis else "")


def full_time(instant: int, zone: tzinfo = UTC) -> str:
    """`2026-11-23 09:00:00.001 UTC`."""
    moment = datetime.fromtimestamp(instant // SECOND, zone)
    return f"{moment:%Y-%m-%d} {clock_time(instant, zone)} {moment.tzname()}"


def count(number: int) -> str:
    """`950`, `12,345`, `1.2M`."""
    return f"{number:,}" if number < 1_000_000 else f"{number / 1_000_000:.1f}M"


def sparkline(values: list[float], width: int) -> str:
    """The last `width` values as bars, scaled to the greatest; spaces where there are none yet."""
    shown = values[-width:]
    top = max(shown, default=0)
    bars = "".join(BARS[0] if top <= 0 else BARS[min(int(value / top * 7.999), 7)] for value in shown)
    return bars.rjust(width)


def inert(text: str, *, lines: bool = False) -> str:
    """Text from elsewhere, harmless for a terminal: control characters and what turns the writing direction become
    visible stand-ins; line breaks stay when `lines` is set.
    """
    if text.isprintable():  # nearly always, and a hundred times as fast
        return text
    return "".join(char if _is_harmless(char) or (lines and char == "\n") else _stand_in(char) for char in text)


def _is_harmless(char: str) -> bool:
    return char.isprintable()


def _stand_in(char: str) -> str:
    """Control characters have pictures of their own in Unicode; a tab becomes a space."""
    if char == "\t":
        return " "
    code = ord(char)
    return chr(0x2400 + code) if code < 0x20 else "␡" if code == 0x7F else "\N{REPLACEMENT CHARACTER}"
