"""The live log: executions whose time has come, the newest first page and then what is new. Only reads.

Rows mutate, and PostgreSQL commits out of order, so every page but the first begins two seconds back and whoever shows
it keeps the rows apart. The work of a page is bounded whatever the table holds: keys are found first, by an index, on
a bounded stretch; then the rows that are shown are read by their keys.

Instants are µs since the epoch, durations µs.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, TextClause, text

from tui_scheduler.domain.execution import State
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.hot import Values, rows
from tui_scheduler.store.ids import execution_id

BACK: Final = 2_000_000
"""How far back a page looks, µs: longer than a commit is held up by anything but a broken database."""

APART: Final = 100_000
"""Marks are kept no closer than this, so that a cursor stays short however often somebody asks."""

STRETCH: Final = 50_000
"""Keys that a page looks at, at most: some seconds of the highest load and hours of a common one."""

TOP: Final = 2_500
"""The newest keys, which are always looked at: what is run by hand gets its key after all that is claimed ahead. Under
the highest load, where that is ten thousand keys, it is seen as they come to their time at the latest.
"""

AHEAD: Final = 5_000_000
"""µs; no engine claims further ahead than 4 s."""

IN_STATE_STRETCH: Final = 20_000
"""The same where a state is asked for that no index knows."""

JOB_STRETCH: Final = 2_000
"""Executions of one job that are looked at where a state is asked for."""

MOST_COUNTED: Final = 10_000
"""Counting what is left out stops here."""

MOST_AGAIN: Final = 500
"""Rows read again; what one job or a state leaves out is counted up to here too."""

Mark = tuple[int, int]
"""(instant of a page, first key that was still to come then)."""

FAILED_STATES: Final = frozenset({State.FAILED, State.LOST})


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of one job or of all, in some states or (none given) any, none to fire before `since`; the newest `limit`."""

    job_key: int | None = None
    states: frozenset[State] = frozenset()
    since: int | None = None
    limit: int = 500


class LogEntry(NamedTuple):
    """A row of `execution`, as far as a line shows it, with its public id and what to call its job."""

    key: int
    id: str
    claim_no: int
    job_id: str
    job_name: str
    state: str
    trigger: str
    fire_at: int
    attempt: int
    started_at: int | None
    finished_at: int | None
    duration: int | None
    http_status: int | None
    error: str | None
    next_attempt_at: int | None
    skip_reason: str | None
    skip_count: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """What is new, in the order of (fire_at, key). `left_out` counts what came since the page before, beyond it, and
    `has_more` says that there may be more of that than was counted. `has_older` is told with a first page: whether
    older ones are wanted too, or not all that is older was looked at.
    """

    entries: list[LogEntry]
    left_out: int
    marks: tuple[Mark, ...]
    has_more: bool = False
    has_older: bool = False


# Primary keys, both ends of them.
NEWEST_KEY: Final = "SELECT MAX(id) AS newest FROM execution"

# What was claimed ahead is a plan until its instant has come. What has begun or ended is history whatever the clock
# says: it may have been set back.
_HAS_COME: Final = "(fire_at <= ? OR started_at IS NOT NULL OR finished_at IS NOT NULL)"
# Something happened to it since an instant, or it is new.
_IS_NEWS: Final = "(id >= ? OR started_at >= ? OR finished_at >= ? OR next_attempt_at >= ?)"

# Primary key, a stretch of it, backwards.
NEWEST: Final = f"""
SELECT id FROM execution WHERE id >= ? AND id < ? AND {_HAS_COME} AND fire_at >= ? ORDER BY id DESC LIMIT ?
"""  # noqa: S608 - constants of ours
# Primary key, one step.
BEFORE: Final = "SELECT fire_at FROM execution WHERE id < ? ORDER BY id DESC LIMIT 1"
# uq_execution_occurrence, backwards, so many steps and one.
PLANNED_BEYOND: Final = """
SELECT fire_at FROM execution WHERE job_id = ? AND occurrence_key IS NOT NULL ORDER BY occurrence_key DESC
LIMIT 1 OFFSET ?
"""
# Primary key, from the mark of the page before. What an edit has put off beyond any look-ahead would stand in the way.
FIRST_TO_COME: Final = """
SELECT id FROM execution WHERE id >= ? AND fire_at > ? AND fire_at <= ? AND started_at IS NULL AND finished_at IS NULL
ORDER BY id LIMIT 1
"""
# Primary key, between that mark and the oldest row shown.
CAME_BETWEEN: Final = f"""
SELECT COUNT(*) AS number FROM (
  SELECT 1 FROM execution WHERE id >= ? AND id < ? AND {_HAS_COME} AND fire_at >= ?
    AND (fire_at > ? OR (skip_reason IS NOT NULL AND finished_at > ?)) LIMIT {MOST_COUNTED}
) AS c
"""  # noqa: S608
# Primary key, a stretch of it, backwards. The states are bound, so that no partial index tempts the planner.
NEWEST_IN_STATE: Final = f"""
SELECT id, fire_at AS at FROM execution
WHERE id >= ? AND state IN (STATES) AND {_HAS_COME} AND fire_at >= ? AND {_IS_NEWS}
ORDER BY id DESC LIMIT ?
"""  # noqa: S608
# ix_execution_failed, backwards.
NEWEST_FAILED: Final = """
SELECT id, finished_at AS at FROM execution
WHERE state IN ('failed', 'lost') AND state IN (STATES) AND finished_at >= ? AND fire_at >= ?
ORDER BY finished_at DESC LIMIT ?
"""
_OF_JOB: Final = f"""
SELECT id, fire_at, at FROM (
  SELECT id, INSTANT AS at, fire_at, state, started_at, finished_at, next_attempt_at FROM EXECUTIONS
  WHERE job_id = ? AND occurrence_key KIND ORDER BY INSTANT DESC LIMIT ?
) AS e WHERE {_HAS_COME} AND fire_at >= ? AND {_IS_NEWS}
"""  # noqa: S608
_AND_IN_STATE: Final = " AND state IN (STATES)"
# uq_execution_occurrence, backwards.
PLANNED_OF_JOB: Final = (
    _OF_JOB.replace("INSTANT", "occurrence_key").replace("KIND", "IS NOT NULL").replace("EXECUTIONS", "execution")
)
_EXTRA_OF_JOB: Final = _OF_JOB.replace("INSTANT", "scheduled_for").replace("KIND", "IS NULL")


def extra_of_job(dialect: Dialect) -> str:
    """ix_execution_extra, backwards."""
    return _EXTRA_OF_JOB.replace("EXECUTIONS", dialect.extra_executions)


# Primary keys, all of them; the columns are those of `LogEntry`, in its order.
SHOWN: Final = """
SELECT e.id, e.scheduled_for, e.claim_no, j.public_id, CASE j.name WHEN '' THEN j.url ELSE j.name END, e.state,
  e.trigger, e.fire_at, e.attempt, e.started_at, e.finished_at, e.duration_us, e.http_status, e.error,
  e.next_attempt_at, e.skip_reason, e.skip_count
FROM execution e JOIN job j ON j.id = e.job_id WHERE e.id """

_EVER: Final = -(2**63)


class Tail:
    """Safe to use from many threads: what a reader has seen is in its own cursor."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, wanted: Wanted, now: int, marks: Sequence[Mark] = (), again: Collection[int] = ()) -> Page:
        """Without `marks` the newest page; with those of the page before, what came since, and the rows `again`
        (keys, at most 500 of them), whatever became of them.
        """
        dialect = self._database.dialect
        with self._database.read() as connection:
            look = _Look(connection, dialect, wanted, now, _reached(marks, now), marks[-1] if marks else None)
            keys = look.keys()
            mark = (now, look.first_to_come(min(keys, default=0)))
            wider = {*keys, *islice(again, MOST_AGAIN)}
            entries = self._entries(connection, dialect, wider) if wider else []
        entries.sort(key=lambda entry: (entry.fire_at, entry.key))
        return Page(entries, look.left_out, _marked(marks, mark), look.has_more, look.has_older)

    def _entries(self, connection: Connection, dialect: Dialect, keys: Collection[int]) -> list[LogEntry]:
        values = {"keys": dialect.list_value(sorted(keys))}
        found = connection.execute(_in_keys(SHOWN, dialect.in_list("keys")), values).all()  # one by one takes longer
        salt = self._database.salt
        return [_entry(row, salt) for row in found]


class _Look:
    """One page being read. `reached` is the mark it begins at, `before` that of the page before."""

    def __init__(
        self,
        connection: Connection,
        dialect: Dialect,
        wanted: Wanted,
        now: int,
        reached: Mark | None,
        before: Mark | None,
    ) -> None:
        self._connection = connection
        self._dialect = dialect
        self._wanted = wanted
        self._now = now
        self._reached = reached
        self._before = before
        self._since = _EVER if wanted.since is None else wanted.since
        self._newest: int = self._rows(NEWEST_KEY)[0].newest or 0
        self.left_out = 0
        self.has_more = False
        self.has_older = False

    def keys(self) -> list[int]:
        """The keys of what is new; then what else there is to say of the page is known."""
        wanted = self._wanted
        if wanted.job_key is not None:
            return self._counted(self._of_job(wanted.job_key))
        if not wanted.states:
            return self._of_all()
        if wanted.states <= FAILED_STATES:
            return self._counted(self._failed())
        return self._counted(self._in_state())

    def first_to_come(self, lowest: int = 0) -> int:
        """The first key whose time has not come: everything before it was there to be seen."""
        known = self._before[1] if self._before is not None else lowest
        start = max(known, self._newest - STRETCH)
        found = self._rows(FIRST_TO_COME, start, self._now, self._now + AHEAD)
        return int(found[0].id) if found else max(self._newest + 1, start)

    def _of_all(self) -> list[int]:
        start, end = max(self._reached[1] if self._reached else 0, self._newest - STRETCH), self._newest + 1
        if self._before is None:
            keys = self._newest_of(start, end, self._wanted.limit + 1)
            self.has_older = len(keys) > self._wanted.limit or self._reaches_back(BEFORE, start)
            return keys[: self._wanted.limit]
        instant, first = self._before
        to_come = self.first_to_come()
        keys = self._newest_of(max(to_come, end - TOP), end, self._wanted.limit)
        keys += self._newest_of(start, to_come, self._wanted.limit - len(keys))
        if len(keys) < self._wanted.limit:
            return keys
        between = (max(first, start), keys[-1], self._now, self._since, instant, instant)
        self.left_out = self._rows(CAME_BETWEEN, *between)[0].number
        self.has_more = self.left_out >= MOST_COUNTED
        return keys

    def _newest_of(self, start: int, end: int, limit: int) -> list[int]:
        """The newest keys from `start` to before `end` whose time has come."""
        return [row.id for row in self._rows(NEWEST, start, end, self._now, self._since, limit)]

    def _in_state(self) -> list[Any]:
        start = self._newest - IN_STATE_STRETCH
        values = (start, *self._states, self._now, self._since, *self._news, self._most)
        self.has_older = self._before is None and self._reaches_back(BEFORE, start)
        return self._rows(_in_states(NEWEST_IN_STATE, len(self._states)), *values)

    def _failed(self) -> list[Any]:
        after = self._reached[0] if self._reached else _EVER
        values = (*self._states, after, self._since, self._most)
        return self._rows(_in_states(NEWEST_FAILED, len(self._states)), *values)

    def _of_job(self, key: int) -> list[Any]:
        depth = JOB_STRETCH if self._wanted.states else self._most
        self.has_older = self._before is None and self._reaches_back(PLANNED_BEYOND, key, depth)
        values = (key, depth, self._now, self._since, *self._news, *self._states)
        ending = _AND_IN_STATE if self._states else ""
        found = [
            row
            for statement in (PLANNED_OF_JOB, extra_of_job(self._dialect))
            for row in self._rows(_in_states(statement + ending, len(self._states)), *values)
        ]
        return sorted(found, key=lambda row: (row.at, row.id), reverse=True)

    def _counted(self, found: list[Any]) -> list[int]:
        """The newest of these that fit; of the others, those that came since the page before are counted."""
        limit, before = self._wanted.limit, self._before
        if before is None:
            self.has_older |= len(found) > limit
        else:
            self.left_out = sum(row.at > before[0] for row in found[limit:])
            self.has_more = self.left_out >= MOST_AGAIN
        return [row.id for row in found[:limit]]

    def _reaches_back(self, statement: str, *values: int) -> bool:
        """Whether something that was not looked at is not from before what is wanted."""
        found = self._rows(statement, *values)
        return bool(found) and found[0].fire_at >= self._since

    @property
    def _states(self) -> tuple[str, ...]:
        return tuple(sorted(state.value for state in self._wanted.states))

    @property
    def _news(self) -> Values:
        if self._reached is None:
            return (0, 0, 0, 0)
        instant, key = self._reached
        return (key, instant, instant, instant)

    @property
    def _most(self) -> int:
        """More than are shown: what is beyond is counted as left out, or, of a first page, known to be there."""
        return self._wanted.limit + MOST_AGAIN

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        return list(rows(self._connection, statement, *values))


def _reached(marks: Sequence[Mark], now: int) -> Mark | None:
    """Where the next page begins: the newest mark that is old enough. Until there is one, at the beginning: what was
    being committed when the first page was read may still have to come.
    """
    return next((mark for mark in reversed(marks) if mark[0] <= now - BACK), None)


def _marked(marks: Sequence[Mark], new: Mark) -> tuple[Mark, ...]:
    """The marks that later pages can still begin at, and a new one."""
    now = new[0]
    reached = _reached(marks, now)
    # One from after now was made before the clock was set back; it would not grow old for as long as that.
    younger = [mark for mark in marks if now - BACK < mark[0] <= now]
    if len(younger) > 1 and younger[-1][0] - younger[-2][0] < APART:
        younger.pop()
    return (*([reached] if reached is not None else []), *younger, new)


def _entry(row: Any, salt: int) -> LogEntry:
    """By position: by name it takes twice the time of the whole query."""
    key, scheduled_for, *others = row
    return LogEntry(key, execution_id(key, scheduled_for, salt), *others)


@lru_cache(maxsize=64)
def _in_states(statement: str, number: int) -> str:
    return statement.replace("STATES", ", ".join("?" * number))


@lru_cache(maxsize=4)
def _in_keys(statement: str, in_list: str) -> TextClause:
    return text(statement + in_list)
