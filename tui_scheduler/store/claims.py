"""Taking work: what is due soon is planned and claimed for one node, in one transaction.

A crash before it commits leaves the work due; after it, the rows say who has it, and rescue takes it from the dead.
Higher priority goes first, then the earlier instant. The rows of a claim are guarded ever after by (node, claim_no).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tui_scheduler.domain.backfill import RANKS, is_backfill
from tui_scheduler.domain.decisions import Occurrence, Plan, Standing, Stretch, plan
from tui_scheduler.domain.execution import Execution, SkipReason, State, Trigger
from tui_scheduler.domain.job import Job, Overlap
from tui_scheduler.store.admission import (
    ASK_TO_CANCEL,
    CANCEL_WAITING,
    SKIP_WAITING,
    Verdict,
    admit,
    busy_with,
)
from tui_scheduler.store.catalog import Catalog, Entry
from tui_scheduler.store.database import Database
from tui_scheduler.store.handover import HAND_OVER, WAITER, free_job
from tui_scheduler.store.hot import Values, rows, run, run_many
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.nodes import guard_node
from tui_scheduler.store.rows import INSERT_SKIPPED, execution_of, skipped_row

# For each priority (see `RANKS`) the earliest timer and the earliest waiting execution: two steps down ix_timer_due and
# ix_execution_waiting each. A timer whose job is busy is looked at again at its instant only (see `plan`).
PEEK = f"""
WITH p (priority) AS (VALUES {", ".join(f"({rank})" for rank in RANKS)})
SELECT p.priority,
  (SELECT next_fire_at FROM timer WHERE priority = p.priority AND next_fire_at <= ?
     AND (running_execution_id IS NULL OR next_fire_at <= ?) ORDER BY next_fire_at LIMIT 1),
  (SELECT next_attempt_at FROM execution WHERE state IN ('pending', 'retrying') AND priority = p.priority
     AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT 1)
FROM p
"""  # noqa: S608 - numbers of ours

# ix_timer_due: one range, already in order.
DUE_TIMERS = """
SELECT next_fire_at, job_id, job_version, planned_through, running_execution_id FROM timer
WHERE priority = ? AND next_fire_at <= ? AND (running_execution_id IS NULL OR next_fire_at <= ?)
ORDER BY next_fire_at LIMIT ?
"""
_TIMER_COLUMNS = 5

# ix_execution_waiting: one range, already in order; the timer, which a purged job has no more, by its primary key.
DUE_WAITING = """
SELECT e.next_attempt_at, e.job_id, t.job_version, e.job_version AS planned_version, t.running_execution_id, e.id,
  e.scheduled_for, e.fire_at, e.trigger, e.state, e.attempt, e.claim_no, e.rescues, e.started_at
FROM execution e LEFT JOIN timer t ON t.job_id = e.job_id
WHERE e.state IN ('pending', 'retrying') AND e.priority = ? AND e.next_attempt_at <= ?
ORDER BY e.next_attempt_at LIMIT ?
"""

# Primary key and uq_execution_occurrence.
INSERT_CLAIMED = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, node_id, priority, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, 'schedule', 'claimed', 1, 1, 0, ?, ?, FALSE)
ON CONFLICT (job_id, occurrence_key) DO NOTHING
"""
INSERT_WAITER = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, priority, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, 'schedule', 'pending', 0, 0, 0, ?, FALSE)
ON CONFLICT (job_id, occurrence_key) DO NOTHING
"""
STILL_TAKEN = "SELECT id FROM execution WHERE id = ? AND node_id = ? AND state = 'claimed'"

# Primary keys.
MOVE_TIMER = "UPDATE timer SET planned_through = ?, next_fire_at = ? WHERE job_id = ?"
FINISH_JOB = "UPDATE job SET state = 'finished', updated_at = ? WHERE id = ? AND state = 'active'"
CLAIM_WAITING = """
UPDATE execution SET state = 'claimed', node_id = ?, claim_no = claim_no + 1, attempt = attempt + 1, job_version = ?,
  sent_once = NULL
WHERE id = ? AND state IN ('pending', 'retrying')
"""
BEGIN_BACKFILL = "UPDATE execution SET fire_at = ? WHERE id = ?"
CANCEL_ORPHAN = """
UPDATE execution SET state = 'cancelled', finished_at = ?, error = 'the job was purged', next_attempt_at = NULL
WHERE id = ? AND state IN ('pending', 'retrying')
"""
START = """
UPDATE execution SET state = 'running', sent_once = TRUE
WHERE id = ? AND claim_no = ? AND node_id = ? AND state IN ('claimed', 'running') AND NOT cancel_requested
"""

MANY = 1_000_000
"""More backfills than anybody claims at once."""


class Claim(NamedTuple):
    """An execution that this node has, with its job as it was in the transaction, to be sent at `due` (µs)."""

    execution: Execution
    entry: Entry
    due: int


@dataclass(slots=True)
class Claimed:
    """What one transaction took: the claims, and how many occurrences it recorded as skipped.

    `has_more`: a job has more that is due than may be planned at once, so another claim would find it.
    """

    claims: list[Claim] = field(default_factory=list)
    skipped: int = 0
    has_more: bool = False


@dataclass(slots=True)
class _Drafts:
    """Rows to be written by one claim transaction."""

    run: list[tuple[Entry, Occurrence]] = field(default_factory=list)
    holds: set[int] = field(default_factory=set)
    """Keys of jobs that an execution taken here keeps busy."""
    wait: list[tuple[Entry, Occurrence]] = field(default_factory=list)
    skip: list[tuple[Entry, Stretch]] = field(default_factory=list)
    moves: list[Values] = field(default_factory=list)
    finished: list[Values] = field(default_factory=list)
    again: list[tuple[Entry, Any]] = field(default_factory=list)
    orphans: list[Values] = field(default_factory=list)
    has_more: bool = False

    @property
    def taken(self) -> int:
        return len(self.run) + len(self.again)


class ClaimStore:
    """Claims for one node. Not to be used by two threads at once: the catalogue is not locked."""

    def __init__(self, database: Database, catalog: Catalog | None = None) -> None:
        self._database = database
        self._jobs = JobStore(database)
        self.catalog = catalog or Catalog()

    def has_due(self, now: int, horizon: int, backfills: int = MANY) -> bool:
        """Whether a claim up to `horizon` (µs) would find anything. Read-only, takes no lock."""
        with self._database.read() as connection:
            return any(
                (timer is not None or waiting is not None) and (backfills > 0 or not is_backfill(rank))
                for rank, timer, waiting in rows(connection, PEEK, horizon, now, horizon)
            )

    def claim(self, node: int, now: int, horizon: int, slots: int, backfills: int = MANY) -> Claimed:
        """Plan and claim what is due at or before `horizon` for `node`, at most `slots` executions, at most `backfills`
        of them backfills.

        Raises `NodeFenced` when the node has been declared dead; nothing is claimed then.
        """
        drafts = _Drafts()
        with self._database.write() as connection:
            guard_node(connection, node, self._database.kind)
            for rank, timer, waiting in rows(connection, PEEK, horizon, now, horizon):
                before = drafts.taken
                if before >= slots:
                    break
                if timer is None and waiting is None:
                    continue
                if is_backfill(rank):
                    self._draft(connection, drafts, rank, now, horizon, min(slots, before + backfills))
                    backfills -= drafts.taken - before
                else:
                    self._draft(connection, drafts, rank, now, horizon, slots)
            return self._write(connection, drafts, node, now)

    def start(self, node: int, held: Iterable[tuple[int, int]]) -> set[int]:
        """Mark the (key, claim_no) of at-most-once executions as being sent, before they are.

        It may be repeated for what was not sent yet: the answer to a commit may be lost, or an edit come meanwhile.
        Returns the keys that this node still has and may send now; the others are no longer its own.
        """
        with self._database.write() as connection:
            guard_node(connection, node, self._database.kind)
            return {key for key, claim_no in sorted(held) if run(connection, START, key, claim_no, node)}

    def _draft(
        self, connection: Connection, drafts: _Drafts, priority: int, now: int, horizon: int, slots: int
    ) -> None:
        """Go through one priority's timers and waiting executions in the order of their instants."""
        lock = self._database.dialect.lock_rows
        free = slots - drafts.taken
        if free <= 0:
            return
        lock_e = lock.replace("UPDATE", "UPDATE OF e")
        waiting = rows(connection, DUE_WAITING + lock_e, priority, horizon, free)
        timers = rows(connection, DUE_TIMERS + lock, priority, horizon, now, free)
        # Both begin with instant, job and version; read by position, which is several times faster than by name.
        entries = self._entries(connection, {(row[1], row[2]) for row in (*waiting, *timers)})
        for row in islice(merge(waiting, timers, key=itemgetter(0)), free) if waiting else timers:
            free = slots - drafts.taken
            if free <= 0:
                return
            entry = entries.get(row[1])
            if len(row) == _TIMER_COLUMNS:
                if entry is not None:
                    self._plan(connection, drafts, entry, row, now, horizon, free)
            elif entry is None:
                drafts.orphans.append((now, row.id))
            elif row.job_id not in drafts.holds:  # else the next claim looks at it
                self._take_waiting(connection, drafts, entry, row, now)

    def _take_waiting(self, connection: Connection, drafts: _Drafts, entry: Entry, row: Any, now: int) -> None:
        verdict = admit(connection, self._database.dialect, entry, row, now)
        if verdict is not Verdict.NO:
            drafts.again.append((entry, row))
        if verdict is Verdict.GO_AND_HOLD:
            drafts.holds.add(row.job_id)
            run(connection, HAND_OVER, row.id, row.job_id)

    def _entries(self, connection: Connection, wanted: set[tuple[int, int]]) -> dict[int, Entry]:
        entries: dict[int, Entry] = {}
        missing: list[int] = []
        for key, version in wanted:
            entry = self.catalog.get(key, version)
            if entry is None:
                missing.append(key)
            else:
                entries[key] = entry
        for job in self._jobs.get_by_keys(connection, missing) if missing else ():
            entries[job.key] = self.catalog.put(job)
        return entries

    def _plan(
        self, connection: Connection, drafts: _Drafts, entry: Entry, row: Any, now: int, horizon: int, free: int
    ) -> None:
        job = entry.job
        if job.key in drafts.holds:
            return  # taken in this transaction already: the next one finds it busy
        if job.spec.overlap is Overlap.ALLOW:
            decided = plan(job, entry.timetable, Standing(row[3]), now, horizon, free)
        else:
            standing = _standing(connection, job, row, now)
            decided = plan(job, entry.timetable, standing, now, horizon, free)
            _make_way(connection, job, row.running_execution_id, decided, now)
            if decided.run:
                drafts.holds.add(job.key)
        for occurrence in decided.run:
            drafts.run.append((entry, occurrence))
        for stretch in decided.skips:
            drafts.skip.append((entry, stretch))
        if decided.wait is not None:
            drafts.wait.append((entry, decided.wait))
        drafts.moves.append((decided.planned_through, decided.next_fire_at, job.key))
        if decided.next_fire_at is None:
            drafts.finished.append((now, job.key))
        elif decided.next_fire_at <= now:
            drafts.has_more = True

    def _write(self, connection: Connection, drafts: _Drafts, node: int, now: int) -> Claimed:
        claimed = Claimed(skipped=sum(stretch.count for _, stretch in drafts.skip), has_more=drafts.has_more)
        count = len(drafts.run) + len(drafts.wait) + len(drafts.skip)
        keys = iter(self._database.dialect.reserve_execution_ids(connection, count))
        fresh: list[Values] = []
        for entry, occurrence in drafts.run:
            job, key = entry.job, next(keys)
            at, fire_at = occurrence.scheduled_for, occurrence.fire_at
            fresh.append((key, job.key, job.version, at, fire_at, at, node, job.spec.priority))
            execution = Execution(key, job.key, at, fire_at, Trigger.SCHEDULE, State.CLAIMED, attempt=1, claim_no=1)
            claimed.claims.append(Claim(execution, entry, fire_at))
        complete = run_many(connection, INSERT_CLAIMED, fresh) == len(fresh)
        holds = [(c.execution.key, c.execution.job_key) for c in claimed.claims if c.execution.job_key in drafts.holds]
        run_many(connection, HAND_OVER, holds)
        run_many(connection, INSERT_WAITER, [_waiter_row(next(keys), *draft) for draft in drafts.wait])
        run_many(
            connection,
            INSERT_SKIPPED,
            [skipped_row(next(keys), entry.job, stretch, now) for entry, stretch in drafts.skip],
        )
        run_many(connection, MOVE_TIMER, drafts.moves)
        run_many(connection, FINISH_JOB, drafts.finished)
        run_many(connection, CANCEL_ORPHAN, drafts.orphans)
        again = [(node, entry.job.version, row.id) for entry, row in drafts.again]
        complete &= run_many(connection, CLAIM_WAITING, again) == len(again)
        claimed.claims.extend(_claim_again(entry, row, now) for entry, row in drafts.again)
        begun = [(now, row.id) for _, row in drafts.again if _begins_backfill(row)]
        run_many(connection, BEGIN_BACKFILL, begun)
        if not complete:
            # A backfill had the occurrence first; or what waited gave way to a newer occurrence in this transaction.
            claimed.claims = [c for c in claimed.claims if rows(connection, STILL_TAKEN, c.execution.key, node)]
            taken = {c.execution.key for c in claimed.claims}
            for key, job_key in holds:
                if key not in taken:
                    free_job(connection, job_key, now)
        return claimed


def _standing(connection: Connection, job: Job, row: Any, now: int) -> Standing:
    """Whether an execution of the job is under way; one that waits for a retry gives way to `cancel` at once."""
    running = row.running_execution_id
    busy = busy_with(connection, running)
    if busy is None:
        return Standing(row.planned_through)
    waiting = bool(rows(connection, WAITER, job.key))
    if busy is Trigger.BACKFILL:
        return Standing(row.planned_through, busy=True, waiting=waiting, is_backfill=True)
    gives_way = job.spec.overlap is Overlap.CANCEL
    if gives_way and run(connection, CANCEL_WAITING, now, "cancelled: a newer occurrence is due", running):
        return Standing(row.planned_through, waiting=waiting)
    return Standing(row.planned_through, busy=True, waiting=waiting)


def _make_way(connection: Connection, job: Job, running: int | None, decided: Plan, now: int) -> None:
    if decided.replace_waiting:
        for waiter in rows(connection, WAITER, job.key):
            run(connection, SKIP_WAITING, now, SkipReason.OVERLAP.value, waiter.id)
    if decided.cancel_running:
        run(connection, ASK_TO_CANCEL, running)


def _waiter_row(key: int, entry: Entry, occurrence: Occurrence) -> Values:
    job, at = entry.job, occurrence.scheduled_for
    return (key, job.key, job.version, at, occurrence.fire_at, at, job.spec.priority)


def _claim_again(entry: Entry, row: Any, now: int) -> Claim:
    execution = execution_of(row).claim()
    if _begins_backfill(row):
        execution = replace(execution, fire_at=now)
    due = row.next_attempt_at
    return Claim(execution, entry, max(due, now) if execution.trigger is Trigger.BACKFILL else due)


def _begins_backfill(row: Any) -> bool:
    """A backfill is due when its turn has come: how long it waited for that is no drift."""
    return bool(row.trigger == Trigger.BACKFILL) and row.started_at is None
