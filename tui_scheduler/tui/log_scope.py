"""Which executions the log shows, and how that reads in its title. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from rich.cells import cell_len

from tui_scheduler.control.views import LogQuery
from tui_scheduler.domain.execution import State
from tui_scheduler.tui.fitting import fit
from tui_scheduler.tui.formatting import SECOND, count, inert


class Choice(NamedTuple):
    """One of the steps that a key goes through. `word` is empty for the one that leaves nothing out."""

    word: str
    states: frozenset[State] = frozenset()
    back: int | None = None


STATES: Final = (
    Choice(""),
    Choice("failed", frozenset({State.FAILED, State.LOST})),
    Choice("skipped", frozenset({State.SKIPPED})),
    Choice("running", frozenset({State.PENDING, State.CLAIMED, State.RUNNING, State.RETRYING})),
    Choice("succeeded", frozenset({State.SUCCEEDED})),
)
WINDOWS: Final = (
    Choice(""),
    Choice("last 1 min", back=60 * SECOND),
    Choice("last 15 min", back=15 * 60 * SECOND),
    Choice("last 1 h", back=3_600 * SECOND),
    Choice("last 24 h", back=24 * 3_600 * SECOND),
)

NEWEST: Final = "20,000"
NEWEST_OF_JOB: Final = "2,000"
"""How far back the store looks for a state (`store.tail`)."""

_SHORTEST_TITLE: Final = 8


@dataclass(frozen=True, slots=True)
class Scope:
    """`states` and `window` are positions in STATES and WINDOWS; without a job, all jobs."""

    job_id: str | None = None
    job_title: str = ""
    states: int = 0
    window: int = 0

    def query(self, now: int, limit: int) -> LogQuery:
        """What to ask for at the instant `now`."""
        return LogQuery(self.job_id, self.chosen_states, self.since(now), limit)

    @property
    def chosen_states(self) -> frozenset[State]:
        """None: any."""
        return STATES[self.states].states

    def since(self, now: int) -> int | None:
        back = WINDOWS[self.window].back
        return None if back is None else now - back

    @property
    def is_narrowed(self) -> bool:
        return self != Scope()

    def next_states(self) -> Scope:
        return replace(self, states=(self.states + 1) % len(STATES))

    def next_window(self) -> Scope:
        return replace(self, window=(self.window + 1) % len(WINDOWS))

    def of_job(self, job_id: str | None, title: str = "") -> Scope:
        return replace(self, job_id=job_id, job_title=title if job_id is not None else "")

    def widened(self) -> Scope:
        """One step back towards everything: first any state, then any time, then all jobs."""
        if self.states:
            return replace(self, states=0)
        return replace(self, window=0) if self.window else self.of_job(None)


class Badge(NamedTuple):
    """Whether the log goes along, and how much has come since it does not."""

    following: bool
    held: bool
    fresh: int

    @property
    def text(self) -> str:
        if self.following and not self.held:
            return "following"
        word = "paused" if self.held else "not following"
        return f"{word} · {count(self.fresh)} new" if self.fresh else word


def title(scope: Scope, badge: Badge, width: int) -> str:
    """`Log · all jobs · failed · last 15 min · following`: where it does not fit, the name of the job gives way."""
    words = [word for word in (STATES[scope.states].word, WINDOWS[scope.window].word) if word]
    job = "all jobs" if scope.job_id is None else inert(scope.job_title) or "one job"
    room = width - len(" · ".join(["Log", "", *words, badge.text]))
    return " · ".join(["Log", fit(job, max(room, _SHORTEST_TITLE), pad=False), *words, badge.text])


def title_line(left: str, right: str, width: int) -> str:
    """Both in one line, as much of the right one as fits."""
    room = width - cell_len(left) - 2
    return f"{left}  {fit(right, room, pad=False).rjust(room)}" if room >= _SHORTEST_TITLE else fit(left, width)


def nothing_there(scope: Scope, *, searched: bool, has_older: bool = False) -> str:
    """What to say in an empty log; `has_older`: not all of it was looked at."""
    if not searched:
        return "looking …"
    if has_older:
        return f"nothing matches among the newest {NEWEST if scope.job_id is None else NEWEST_OF_JOB}; Esc shows all"
    return "nothing matches; Esc shows all" if scope.is_narrowed else "nothing has run yet"
