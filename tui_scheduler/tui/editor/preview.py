"""What a job will do, in words: its next runs in its own zone and the user's, its retries, what to know about it.

Pure: from a job's texts to lines of text, each with the style it is shown in.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final, Literal

from tui_scheduler.control.views import Notice
from tui_scheduler.domain.durations import show_duration
from tui_scheduler.domain.errors import Invalid
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.domain.lint import Run, lint, preview
from tui_scheduler.domain.retry import RetryPolicy
from tui_scheduler.domain.schedule import Schedule, parse_schedule
from tui_scheduler.domain.wording import in_words
from tui_scheduler.tui.fitting import shortened
from tui_scheduler.tui.formatting import SECOND, countdown

RUNS: Final = 5
_MOST_WAITS: Final = 4
_BOTH_TIMES: Final = 43
"""Cells of a run with its time in two zones and its countdown."""

_ALL: Final = 60
"""The same with a change of the clock."""

_NEVER: Final = "never: no time comes between its start and end"


class Tone(StrEnum):
    """How a line is meant."""

    PLAIN = "plain"
    MUTED = "muted"
    TITLE = "title"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the preview."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Foresight:
    """What can be told of a job ahead of its runs. `words` and `runs` are empty while the schedule cannot be read."""

    words: str = ""
    timezone: str = "UTC"
    runs: tuple[Run, ...] = ()
    jitter: int = 0
    retries: str = ""
    notices: tuple[Notice, ...] = field(default=())


def foresee(spec: JobSpec, now: int, created_at: int | None = None) -> Foresight:
    """What a spec will do. Its schedule may be wrong: then there is nothing about runs."""
    retries = retries_in_words(spec.retry)
    try:
        schedule = parse_schedule(spec.schedule, spec.timezone, created_at=now if created_at is None else created_at)
    except Invalid:
        return Foresight(retries=retries)
    return Foresight(
        words=in_words(schedule),
        timezone=spec.timezone,
        runs=_next_runs(schedule, spec, now),
        jitter=spec.jitter,
        retries=retries,
        notices=tuple(Notice(warning.code, warning.message) for warning in lint(schedule, now)),
    )


def _next_runs(schedule: Schedule, spec: JobSpec, now: int) -> tuple[Run, ...]:
    after = now if spec.starts_at is None else max(now, spec.starts_at - 1)
    runs = preview(schedule, after, RUNS)
    return tuple(run for run in runs if spec.ends_at is None or run.instant <= spec.ends_at)


def retries_in_words(policy: RetryPolicy) -> str:
    """`retries after up to 1s, 2s; gives up after 3 attempts, at most 3s of waiting`."""
    if policy.max_attempts < 1:
        return ""
    if policy.max_attempts == 1:
        return "is not retried: one attempt only"
    number = policy.max_attempts - 1
    waits = [policy.ceiling(attempt) for attempt in range(1, min(number, 1_000) + 1)]
    shown = [show_duration(wait) for wait in waits[:_MOST_WAITS]]
    if number > _MOST_WAITS:
        shown += ["…", show_duration(waits[-1])] if number > _MOST_WAITS + 1 else [show_duration(waits[-1])]
    total = sum(waits)
    if policy.total is not None and policy.total < total:
        bound = f"or when {show_duration(policy.total)} have passed"
    else:
        bound = f"at most {show_duration(_rounded(total))} later"
    return f"retries after up to {', '.join(shown)}; gives up after {policy.max_attempts} attempts, {bound}"


def _rounded(span: int) -> int:
    """Without what nobody reads: whole seconds from a minute on."""
    return span if span < 60 * SECOND else -(-span // SECOND) * SECOND


def lines(seen: Foresight, now: int, width: int, zone: tzinfo) -> list[Line]:
    """The preview as lines of at most `width` cells. `zone` is the user's."""
    shown = [*_run_lines(seen, now, width, zone)]
    if seen.jitter and seen.runs:
        shown += _wrapped(f"each up to {show_duration(seen.jitter)} later (jitter)", width, Tone.MUTED)
    shown += _wrapped(seen.retries, width, Tone.MUTED)
    for notice in seen.notices:
        shown += _wrapped(f"▲ {notice.message}", width, Tone.WARNING, indent="  ")
    return shown


def _run_lines(seen: Foresight, now: int, width: int, zone: tzinfo) -> Iterable[Line]:
    if not seen.words:
        yield Line("Next runs", Tone.TITLE)
        yield Line("when the schedule can be read", Tone.MUTED)
        return
    if not seen.runs:
        yield Line(f"Next runs  {seen.timezone}", Tone.TITLE)
        yield Line(_NEVER, Tone.MUTED)
        return
    own = [_moment(run.local) for run in seen.runs]
    users = [datetime.fromtimestamp(run.instant // SECOND, UTC).astimezone(zone) for run in seen.runs]
    is_elsewhere = any(one.utcoffset() != other.utcoffset() for one, other in zip(own, users, strict=True))
    column = 17 if width < _BOTH_TIMES else 21
    heading = f"{shortened(seen.timezone, column - 1):<{column}}yours ({users[0].tzname()})"
    yield Line(heading if is_elsewhere else f"Next runs  {seen.timezone}", Tone.TITLE)
    for run, one, other in zip(seen.runs, own, users, strict=True):
        yield _run_line(run, one, other if is_elsewhere else None, now, width)


def _run_line(run: Run, own: datetime, users: datetime | None, now: int, width: int) -> Line:
    """`Tue 24 Nov 09:00:00  Tue 08:00:00 in 16h 59m`, without weekdays where that is too wide; a change of the clock
    stands instead of the user's time where both do not fit.
    """
    is_cramped = users is not None and width < _BOTH_TIMES
    parts = [f"{own:%d %b}" if is_cramped else f"{own:%a %d %b}"]
    parts[0] += f" {_clock(own)}" if own.year == datetime.fromtimestamp(now // SECOND, UTC).year else f" {own:%Y %H:%M}"
    change = _CHANGES[run.dst] if run.dst else ""
    if users is not None and (not change or width >= _ALL):
        days = (users.date() - own.date()).days
        parts.append(f"{users:%H:%M:%S}{f'{days:+}' if days else ''}" if is_cramped else f"{users:%a %H:%M:%S}")
    if change:
        parts.append(change)
    left, when = "  ".join(parts), countdown(run.instant, now)
    room = min(max(width, len(left) + len(when) + 1), max(_BOTH_TIMES, len(left) + 11))
    return Line(f"{left}{when:>{room - len(left)}}", Tone.WARNING if change else Tone.PLAIN)


_CHANGES: Final[dict[Literal["gap", "overlap"], str]] = {"gap": "▲ DST gap", "overlap": "▲ DST overlap"}


def _moment(local: str) -> datetime:
    return datetime.fromisoformat(local)


def _clock(moment: datetime) -> str:
    millis = f".{moment.microsecond // 1_000:03}" if moment.microsecond else ""
    return f"{moment:%H:%M:%S}{millis}"


def _wrapped(text: str, width: int, tone: Tone, indent: str = "") -> list[Line]:
    return [Line(part, tone) for part in textwrap.wrap(text, max(width, 10), subsequent_indent=indent)]
