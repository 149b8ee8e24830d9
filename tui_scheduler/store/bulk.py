"""The same done to many jobs, a hundred a transaction.

A transaction takes the locks that one edit takes, of all its jobs at once and in the same order as everybody: the
edit lock, the timers by job, then executions by key. What is refused for one job leaves the others alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from itertools import islice
from typing import Final, NamedTuple

from sqlalchemy import Connection

from tui_scheduler.domain.errors import Conflict, Invalid, StoreUnavailable
from tui_scheduler.domain.execution import State, Trigger
from tui_scheduler.domain.job import Job, JobState
from tui_scheduler.store import edits
from tui_scheduler.store.admission import ASK_TO_CANCEL, is_busy
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.handover import LOCK_TIMER, free_job
from tui_scheduler.store.hot import rows, run_many
from tui_scheduler.store.jobs import INSERT_MANUAL

CHUNK: Final = 100
"""Jobs in one transaction: some 25 to 35 ms of computing, so that a running engine hardly notices."""

_PAUSE_S: Final = 0.005
"""Between two transactions: whoever waits for the store in this process gets it, which a lock alone does not see to."""

_MAX_KEY: Final = 2**63 - 1

CANCELLED: Final = "cancelled on request"

MISSING: Final = "there is no such job"
DELETED: Final = "the job is deleted"


class Deed(Enum):
    """What can be done to many jobs."""

    PAUSE = "pause"
    RESUME = "resume"
    DELETE = "delete"
    RESTORE = "restore"
    RUN = "run"
    CANCEL = "cancel"


class Tally(NamedTuple):
    """Jobs by key: those that are as wanted, those that were refused it with the reason, and, of the first, those
    that were otherwise before (all, of runs and of their ends).
    """

    done: list[int]
    refused: list[tuple[int, str]]
    changed: list[int]


_EDITS: Final[dict[Deed, Callable[[Connection, Dialect, edits.Held, int], Job]]] = {
    Deed.PAUSE: edits.pause,
    Deed.RESUME: edits.resume,
    Deed.DELETE: edits.delete,
    Deed.RESTORE: edits.restore,
}


def waiting_of(dialect: Dialect) -> str:
    """ix_execution_waiting_job."""
    waiting = "e.job_id = k.value AND e.state IN ('pending', 'retrying')"
    return f"SELECT e.id FROM {dialect.each_value} CROSS JOIN execution AS e WHERE {waiting}"  # noqa: S608


def under_way_of(dialect: Dialect) -> str:
    """ix_execution_unfinished: what all nodes have in hand. The sum keeps planners from walking through the history
    of every job instead.
    """
    ours = f"job_id + 0 IN (SELECT k.value FROM {dialect.each_value})"  # noqa: S608
    return f"SELECT id FROM execution WHERE state IN ('claimed', 'running') AND {ours}"  # noqa: S608


class Bulk:
    """Changes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def change(self, deed: Deed, keys: Sequence[int], now: Callable[[], int]) -> Tally:
        """Each in the order asked for; a job named twice is changed once. `now` (µs) is asked for every transaction.

        A store that fails between two transactions refuses the rest, with its reason: what was committed is known.
        Raises `StoreUnavailable` when nothing was.
        """
        refused: dict[int, str] = {key: MISSING for key in keys if not 0 < key <= _MAX_KEY}
        changed: set[int] = set()
        wanted = iter(dict.fromkeys(key for key in keys if key not in refused))
        is_first = True
        while chunk := list(islice(wanted, CHUNK)):
            if not is_first:
                time.sleep(_PAUSE_S)
            try:
                with self._database.write() as connection:
                    now_refused, now_changed = self._change(connection, deed, sorted(chunk), now())
            except StoreUnavailable as error:
                if is_first:
                    raise
                refused |= dict.fromkeys([*chunk, *wanted], str(error))
                break
            refused |= now_refused
            changed |= now_changed
            is_first = False
        asked = dict.fromkeys(keys)
        return Tally(
            [key for key in asked if key not in refused],
            [(key, refused[key]) for key in asked if key in refused],
            [key for key in asked if key in changed],
        )

    def _change(self, connection: Connection, deed: Deed, keys: list[int], now: int) -> tuple[dict[int, str], set[int]]:
        """What was refused, and what is otherwise than before."""
        dialect = self._database.dialect
        if deed in _EDITS:
            dialect.serialize_edits(connection)
        found = edits.hold_many(connection, dialect, keys)
        refused = {key: why for key in keys if (why := _refusal(deed, found.get(key))) is not None}
        able = [found[key] for key in keys if key not in refused]
        if deed in _EDITS:
            not_able, changed = _edit(connection, dialect, deed, able, now)
            return refused | not_able, changed
        if deed is Deed.RUN:
            _run(connection, dialect, [held.job for held in able], now)
        else:
            _cancel(connection, dialect, [held.job.key for held in able], now)
        return refused, {held.job.key for held in able}


def _refusal(deed: Deed, held: edits.Held | None) -> str | None:
    if held is None:
        return MISSING
    if held.job.state is JobState.DELETED and deed not in {Deed.DELETE, Deed.RESTORE}:
        return DELETED
    return None


def _edit(
    connection: Connection, dialect: Dialect, deed: Deed, jobs: Iterable[edits.Held], now: int
) -> tuple[dict[int, str], set[int]]:
    """One edit after the other; a refused one has written nothing. Those of jobs that are so already write nothing."""
    refused: dict[int, str] = {}
    changed: set[int] = set()
    for held in jobs:
        if deed is Deed.DELETE and held.job.state is JobState.DELETED:
            continue
        try:
            if _EDITS[deed](connection, dialect, held, now).version != held.job.version:
                changed.add(held.job.key)
        except (Conflict, Invalid) as error:  # Invalid: a schedule stored by another version, that this one cannot read
            refused[held.job.key] = str(error)
    return refused, changed


def _run(connection: Connection, dialect: Dialect, jobs: Sequence[Job], now: int) -> None:
    made = dialect.reserve_execution_ids(connection, len(jobs)) if jobs else ()
    trigger, state = Trigger.MANUAL.value, State.PENDING.value
    batch = [
        (key, job.key, job.version, now, now, trigger, state, job.spec.priority, now)
        for key, job in zip(made, jobs, strict=True)
    ]
    run_many(connection, INSERT_MANUAL, batch)


def _cancel(connection: Connection, dialect: Dialect, job_keys: list[int], now: int) -> None:
    """What waits ends at once, what a node has in hand is its node's to end. A claim may take what waits between the
    look and the lock, and a node give back what it had: so both are said of all, and the state decides.
    """
    bound = dialect.list_value(job_keys)
    found = [*rows(connection, waiting_of(dialect), bound), *rows(connection, under_way_of(dialect), bound)]
    keys = sorted({row.id for row in found})
    if not keys:
        return
    dialect.lock_executions(connection, keys)
    run_many(connection, edits.CANCEL, [(CANCELLED, now, key) for key in keys])
    run_many(connection, ASK_TO_CANCEL, [(key,) for key in keys])
    for job_key in job_keys:
        running = rows(connection, LOCK_TIMER, job_key)[0].running_execution_id
        if running is not None and not is_busy(connection, running):
            free_job(connection, job_key, now)
