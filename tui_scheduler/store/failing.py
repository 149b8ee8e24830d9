"""How often a job has failed since it last succeeded: `timer.failures`, kept by whoever records how executions end.

A failure or a loss adds one. A success has something to write only where there is something to forget, and most jobs
never fail: so a node looks up which jobs do, once at its start and then with every heartbeat, and remembers those it
records failing itself. The promise: a success sets the count back when the failure was recorded by the same node (in a
commit that took no longer than a heartbeat), or by another one before this node's last heartbeat (a second); if not,
the next success does, and until then the count is too high. Ends count in the order in which they are recorded; those
of one batch in that in which they came.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from threading import Lock
from typing import Final, Protocol

from sqlalchemy import Connection

from tui_scheduler.domain.execution import State
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.hot import rows, run_many

REMEMBERED: Final = 5_000
"""Failing jobs kept in mind; when there are more, the store is asked about the jobs of every batch."""

# Primary key. The count stops at a million.
ADD: Final = "UPDATE timer SET failures = failures + ? WHERE job_id = ? AND failures < 1000000"
SET: Final = "UPDATE timer SET failures = ? WHERE job_id = ? AND failures <> ?"

_BAD: Final = frozenset({State.FAILED, State.LOST})
_TELLING: Final = _BAD | {State.SUCCEEDED}


class Ended(Protocol):
    """What there is to know of the end of an execution."""

    @property
    def key(self) -> int: ...
    @property
    def job_key(self) -> int: ...
    @property
    def state(self) -> State: ...
    @property
    def finished_at(self) -> int: ...


class Failing:
    """The jobs that may have something to forget, as far as this node knows. Used by several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._known: frozenset[int] = frozenset()
        self._recent: set[int] = set()
        self._are_more = False

    def refresh(self) -> None:
        """Look up which jobs fail, whoever recorded it."""
        with self._lock:  # what is being recorded just now may be in no index yet, and may succeed while that is read
            recent, self._recent = self._recent, set()
            self._known |= recent
        with self._database.read() as connection:
            found: str | None = rows(connection, which(self._database.dialect), REMEMBERED + 1)[0][0]
        with self._lock:
            self._known = frozenset(map(int, found.split(",") if found else ())) | recent
            self._are_more = len(self._known) > REMEMBERED

    def concerned(self, connection: Connection, dialect: Dialect, batch: Collection[Ended]) -> set[int]:
        """The jobs of a batch whose count may change: no statement unless very many fail."""
        failed = {ended.job_key for ended in batch if ended.state in _BAD}
        with self._lock:
            self._recent |= failed
            known, recent, are_more = self._known, self._recent, self._are_more
            if not (recent or known):
                return failed
            succeeded = {ended.job_key for ended in batch if ended.state is State.SUCCEEDED} - failed
            remembered = {key for key in succeeded if key in known or key in recent}
        if are_more and len(remembered) < len(succeeded):
            remembered |= _failing_among(connection, dialect, succeeded - remembered)
        return failed | remembered


def counts(ended: Ended, concerned: Collection[int]) -> bool:
    """Whether this end, once written, has to be passed to `count`."""
    return ended.job_key in concerned and ended.state in _TELLING


def count(connection: Connection, written: Iterable[Ended]) -> None:
    """Change the counts by ends that were written in this transaction, which has locked the timers."""
    added, reset = tally(written)
    run_many(connection, ADD, [(number, job_key) for job_key, number in sorted(added.items())])
    run_many(connection, SET, [(number, job_key, number) for job_key, number in sorted(reset.items())])


def tally(written: Iterable[Ended]) -> tuple[dict[int, int], dict[int, int]]:
    """The failures to be added, by job, and for jobs that succeeded the failures since: in the order they ended."""
    added: defaultdict[int, int] = defaultdict(int)
    reset: dict[int, int] = {}
    for ended in sorted(written, key=lambda ended: (ended.finished_at, ended.key)):
        job_key = ended.job_key
        if ended.state is State.SUCCEEDED:
            reset[job_key] = 0
            added.pop(job_key, None)
        elif job_key in reset:
            reset[job_key] += 1
        else:
            added[job_key] += 1
    return dict(added), reset


def which(dialect: Dialect) -> str:
    """ix_timer_failing, up to the bound. As one value: thousands of rows take milliseconds."""
    failing = "(SELECT job_id FROM timer WHERE failures > 0 LIMIT ?) AS f"
    return dialect.joined("f.job_id", failing, "f.job_id")


def among(dialect: Dialect) -> str:
    """Primary key."""
    timers = f"{dialect.each_value} CROSS JOIN timer AS t"
    return f"SELECT t.job_id FROM {timers} WHERE t.job_id = k.value AND t.failures > 0"  # noqa: S608 - SQL of ours


def _failing_among(connection: Connection, dialect: Dialect, keys: Collection[int]) -> set[int]:
    return {row.job_id for row in rows(connection, among(dialect), dialect.list_value(keys))}
