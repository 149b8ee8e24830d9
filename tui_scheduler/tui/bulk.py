"""What is said and decided when something is done to many jobs at once. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from tui_scheduler.control.views import Change, Changed
from tui_scheduler.domain.errors import Conflict
from tui_scheduler.tui.formatting import count, inert

ASK_BEYOND: Final = 10
"""Running or cancelling more jobs than this is asked about first."""

_NAMED: Final = 6
"""So many jobs are named before the rest is counted."""

_PAST: Final[dict[Change, str]] = {
    Change.PAUSE: "paused",
    Change.RESUME: "resumed",
    Change.DELETE: "deleted",
    Change.RESTORE: "restored",
    Change.RUN: "started",
    Change.CANCEL: "cancelled what ran or waited of",
}


class Toggle(NamedTuple):
    """What pausing or resuming comes to for the jobs it is asked for; no keys: nothing to do."""

    change: Change
    keys: tuple[int, ...]


def toggle(keys: Sequence[int], paused: Collection[int], finished: Collection[int]) -> Toggle:
    """Pause those that are active; only where none is, resume the paused ones. Finished ones can be neither."""
    active = tuple(key for key in keys if key not in paused and key not in finished)
    if active:
        return Toggle(Change.PAUSE, active)
    return Toggle(Change.RESUME, tuple(key for key in keys if key in paused))


def jobs(number: int) -> str:
    """`1 job`, `1,203 jobs`."""
    return f"{count(number)} job{'' if number == 1 else 's'}"


def did(change: Change, number: int, name: str = "") -> str:
    """`paused 3 jobs`, `deleted nightly report`: what was done, in the past tense."""
    return f"{_PAST[change]} {inert(name) if name and number == 1 else jobs(number)}"


def progress(change: Change, number: int, total: int) -> str:
    """`paused 12,000 of 100,000 jobs …`."""
    return f"{_PAST[change]} {count(number)} of {jobs(total)} …"


def insist(change: Change, changed: Changed) -> None:
    """Raises `Conflict`, with what was done and what was refused and why, unless all was done."""
    if changed.refused:
        raise Conflict(report(change, changed, 0))


def report(change: Change, changed: Changed, hidden: int, name: str = "", *, left: int = 0) -> str:
    """What was done, what was refused and why, what was left out, and how many it did not come to when stopped."""
    parts = []
    if changed.done or not changed.refused:
        parts.append(did(change, len(changed.done), name))
    reasons = Counter(reason for _key, reason in changed.refused)
    parts.extend(f"{jobs(number)} refused: {inert(reason)}" for reason, number in reasons.most_common(3))
    rest = len(changed.refused) - sum(number for _reason, number in reasons.most_common(3))
    if rest:
        parts.append(f"{jobs(rest)} refused for other reasons")
    if left:
        parts.append(f"stopped, {jobs(left)} {'is' if left == 1 else 'are'} as before")
    if hidden:
        parts.append(left_out(hidden))
    return "; ".join(parts)


def left_out(hidden: int) -> str:
    """`2 marked jobs are hidden by the filter and were left alone`."""
    return f"{_hidden(hidden)} and {'was' if hidden == 1 else 'were'} left alone"


def leaves_out(hidden: int) -> str:
    """The same before it is done."""
    return f"{_hidden(hidden)} and will be left alone"


def _hidden(number: int) -> str:
    return f"{count(number)} marked job{' is' if number == 1 else 's are'} hidden by the filter"


def named(names: Sequence[str], number: int) -> str:
    """The names of the first jobs, one a line, and how many more there are."""
    lines = [f"· {inert(name)[:100]}" for name in names[:_NAMED]]
    if number > len(lines):
        lines.append(f"… and {count(number - len(lines))} more" if lines else jobs(number))
    return "\n".join(lines)
