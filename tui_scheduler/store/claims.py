"""Taking work: what is due soon is planned and claimed for one node, in one transaction.

A crash before it commits leaves the work due; after it, the rows say who has it, and rescue takes it from the dead.
Higher priority goes first, then the earlier instant. The rows of a claim are guarded ever after by (node, claim_no).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection

from tui_scheduler.domain.backfill import RANKS, is_backfill
from tui_scheduler.domain.decisions import Occurrence, Plan, Standing, Stretch, plan
from tui_scheduler.domain.execution import Execution, SkipReason, State, Trigger
from tui_scheduler.domain.job import Job, Overlap
from tui_scheduler.domain.queues import Rules
from tui_scheduler.store.admission import (
    ASK_TO_CANCEL,
    CANCEL_WAITING,
    SKIP_WAITING,
    Verdict,
    admit,
    busy_with,
    skip_closed,
)
from tui_scheduler.store.catalog import Catalog, Entry
from tui_scheduler.store.database import Database
from tui_scheduler.store.gates import GATED_TIMERS, GATED_WAITING, Gate, Gates, moved
from tui_scheduler.store.handover import HAND_OVER, WAITER, free_job
from tui_scheduler.store.hot import Values, rows, run, run_many
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.nodes import guard_node
from tui_scheduler.store.rows import INSERT_SKIPPED, execution_of, skipped_row

# For each priority (see `RANKS`) the earliest timer and the earliest waiting execution that nothing holds: two steps
# down ix_timer_due and ix_execution_waiting each. A timer whose job is busy is looked at again at its instant only (see
# `plan`). With the number of the newest edit, by the primary key of meta: whether there are limits is known from it.
PEEK = f"""
WITH p (priority) AS (VALUES {", ".join(f"({rank})" for rank in RANKS)})
SELECT p.priority,
  (SELECT next_fire_at FROM timer WHERE gate IS NULL AND priority = p.priority AND next_fire_at <= ?
     AND (running_execution_id IS NULL OR next_fire_at <= ?) ORDER BY next_fire_at LIMIT 1),
  (SELECT next_attempt_at FROM execution WHERE state IN ('pending', 'retrying') AND gate IS NULL
     AND priority = p.priority AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT 1),
  (SELECT value FROM meta WHERE name = 'change_no')
FROM p
"""  # noqa: S608 - numbers of ours

# ix_timer_due: one range, already in order.
DUE_TIMERS = """
SELECT next_fire_at, job_id, job_version, planned_through, running_execution_id, gate FROM timer
WHERE gate IS NULL AND priority = ? AND next_fire_at <= ? AND (running_execution_id IS NULL OR next_fire_at <= ?)
ORDER BY next_fire_at LIMIT ?
"""
_BY_HAND = frozenset({Trigger.MANUAL.value, Trigger.REPLAY.value})
"""What somebody runs by hand goes whatever window there is; a queue's limits hold for it too."""
_TIMER_COLUMNS = 6
_GATE = 5

# ix_execution_waiting: one range, already in order; the timer, which a purged job has no more, by its primary key.
DUE_WAITING = """
SELECT e.next_attempt_at, e.job_id, t.job_version, e.job_version AS planned_version, t.running_execution_id, e.id,
  e.scheduled_for, e.fire_at, e.trigger, e.state, e.attempt, e.claim_no, e.rescues, e.started_at, e.gate
FROM execution e LEFT JOIN timer t ON t.job_id = e.job_id
WHERE e.state IN ('pending', 'retrying') AND e.gate IS NULL AND e.priority = ? AND e.next_attempt_at <= ?
ORDER BY e.next_attempt_at LIMIT ?
"""

# Primary key and uq_execution_occurrence.
INSERT_CLAIMED = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, node_id, priority, gate, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, 'schedule', 'claimed', 1, 1, 0, ?, ?, ?, FALSE)
ON CONFLICT (job_id, occurrence_key) DO NOTHING
"""
INSERT_WAITER = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, priority, cancel_requested)
VALUES (?, ?, ?, ?, ?, ?, 'schedule', 'pending', 0, 0, 0, ?, FALSE)
ON CONFLICT (job_id, occurrence_key) DO NOTHING
"""
STILL_TAKEN = "SELECT id FROM execution WHERE id = ? AND node_id = ? AND state || '' = 'claimed'"

# Primary keys (why `state || ''`: see `tables.WAITING`).
MOVE_TIMER = "UPDATE timer SET planned_through = ?, next_fire_at = ? WHERE job_id = ?"
FINISH_JOB = "UPDATE job SET state = 'finished', updated_at = ? WHERE id = ? AND state = 'active'"
CLAIM_WAITING = """
UPDATE execution SET state = 'claimed', node_id = ?, claim_no = claim_no + 1, attempt = attempt + 1, job_version = ?,
  sent_once = NULL
WHERE id = ? AND state || '' IN ('pending', 'retrying')
"""
BEGIN_BACKFILL = "UPDATE execution SET fire_at = ? WHERE id = ?"
CANCEL_ORPHAN = """
UPDATE execution SET state = 'cancelled', finished_at = ?, error = 'the job was purged', next_attempt_at = NULL
WHERE id = ? AND state || '' IN ('pending', 'retrying')
"""
START = """
UPDATE execution SET state = 'running', sent_once = TRUE
WHERE id = ? AND claim_no = ? AND node_id = ? AND state || '' IN ('claimed', 'running') AND NOT cancel_requested
"""

MANY = 1_000_000
"""More backfills than anybody claims at once."""


class Claim(NamedTuple):
    """An execution that this node has, with its job as it was in the transaction, to be sent at `due` (µs).

    `gate` is the queue that it counts for, if that has limits.
    """

    execution: Execution
    entry: Entry
    due: int
    gate: int | None = None


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

    run: list[tuple[Entry, Occurrence, int | None]] = field(default_factory=list)
    holds: set[int] = field(default_factory=set)
    """Keys of jobs that an execution taken here keeps busy."""
    wait: list[tuple[Entry, Occurrence]] = field(default_factory=list)
    skip: list[tuple[Entry, Stretch]] = field(default_factory=list)
    moves: list[Values] = field(default_factory=list)
    finished: list[Values] = field(default_factory=list)
    again: list[tuple[Entry, Any]] = field(default_factory=list)
    orphans: list[Values] = field(default_factory=list)
    timers_to: list[Values] = field(default_factory=list)
    """(gate, job key): timers that belong behind another gate than they are."""
    waiting_to: list[Values] = field(default_factory=list)
    """(gate, execution key): the same."""
    has_more: bool = False

    @property
    def taken(self) -> int:
        return len(self.run) + len(self.again)


@dataclass(frozen=True, slots=True)
class _Look:
    """What one claim transaction sees and may do: instants µs, `gates` those that something held may pass."""

    connection: Connection
    now: int
    horizon: int
    slots: int
    rules: Rules
    gates: dict[int, Gate]


class ClaimStore:
    """Claims for one node. Not to be used by two threads at once: the catalogue is not locked."""

    def __init__(self, database: Database, catalog: Catalog | None = None) -> None:
        self._database = database
        self._jobs = JobStore(database)
        self._gates = Gates(database)
        self.catalog = catalog or Catalog()

    def has_due(self, now: int, horizon: int, backfills: int = MANY) -> bool:
        """Whether a claim up to `horizon` (µs) would find anything. Read-only, takes no lock.

        What is held by a limited queue is due at its instant, not before: a claim takes a place in the queue.
        """
        with self._database.read() as connection:
            peeked = rows(connection, PEEK, horizon, now, horizon)
            for rank, timer, waiting, _ in peeked:
                if (timer is not None or waiting is not None) and (backfills > 0 or not is_backfill(rank)):
                    return True
            self._gates.follow(connection, peeked[0][-1])
            return self._gates.has_due(connection, now, backfills)

    def claim(
        self,
        node: int,
        now: int,
        horizon: int,
        slots: int,
        backfills: int = MANY,
        clock: Callable[[], int] | None = None,
    ) -> Claimed:
        """Plan and claim what is due at or before `horizon` for `node`, at most `slots` executions, at most `backfills`
        of them backfills.

        `clock` gives the time as of the moment in the transaction at which what a queue sends is counted. Raises
        `NodeFenced` when the node has been declared dead; nothing is claimed then.
        """
        drafts = _Drafts()
        with self._database.write() as connection:
            guard_node(connection, node, self._database.kind)
            peeked = rows(connection, PEEK, horizon, now, horizon)
            rules = self._gates.follow(connection, peeked[0][-1])
            gates = self._gates.open(connection, now, clock or (lambda: now))
            look = _Look(connection, now, horizon, slots, rules, gates)
            for rank, timer, waiting, _ in peeked:
                before = drafts.taken
                if before >= slots:
                    break
                held = [gate for gate in gates.values() if rank in gate.ranks] if gates else []
                if timer is None and waiting is None and not held:
                    continue
                if is_backfill(rank):
                    self._draft(replace(look, slots=min(slots, before + backfills)), drafts, rank, held)
                    backfills -= drafts.taken - before
                else:
                    self._draft(look, drafts, rank, held)
            return self._write(look, drafts, node)

    def start(self, node: int, held: Iterable[tuple[int, int]]) -> set[int]:
        """Mark the (key, claim_no) of at-most-once executions as being sent, before they are.

        It may be repeated for what was not sent yet: the answer to a commit may be lost, or an edit come meanwhile.
        Returns the keys that this node still has and may send now; the others are no longer its own.
        """
        with self._database.write() as connection:
            guard_node(connection, node, self._database.kind)
            return {key for key, claim_no in sorted(held) if run(connection, START, key, claim_no, node)}

    def _draft(self, look: _Look, drafts: _Drafts, priority: int, held: Sequence[Gate]) -> None:
        """Go through one priority's timers and waiting executions in the order of their instants."""
        connection, now, horizon = look.connection, look.now, look.horizon
        lock = self._database.dialect.lock_rows
        free = look.slots - drafts.taken
        if free <= 0:
            return
        lock_e = lock.replace("UPDATE", "UPDATE OF e")
        waiting = rows(connection, DUE_WAITING + lock_e, priority, horizon, free)
        timers = rows(connection, DUE_TIMERS + lock, priority, horizon, now, free)
        more: list[Sequence[Any]] = []
        for gate in held:
            most = min(free, gate.room)
            more.append(rows(connection, GATED_WAITING + lock_e, gate.key, priority, now, most))
            more.append(rows(connection, GATED_TIMERS + lock, gate.key, priority, now, most))
        # All begin with instant, job and version; read by position, which is several times faster than by name.
        entries = self._entries(connection, {(row[1], row[2]) for row in chain(waiting, timers, *more)})
        for row in merge(waiting, timers, *more, key=itemgetter(0)) if waiting or more else timers:
            if drafts.taken >= look.slots:
                return
            entry = entries.get(row[1])
            if len(row) == _TIMER_COLUMNS:
                if entry is not None:
                    self._plan(look, drafts, entry, row)
            elif entry is None:
                drafts.orphans.append((now, row.id))
            elif row.job_id not in drafts.holds:  # else the next claim looks at it
                self._take_waiting(look, drafts, entry, row)

    def _take_waiting(self, look: _Look, drafts: _Drafts, entry: Entry, row: Any) -> None:
        if not look.rules.hold_nothing or row.gate is not None:
            by_hand = row.trigger in _BY_HAND
            right = look.rules.gate_of(entry.job.spec.queue, max(row.next_attempt_at, look.now), by_hand=by_hand)
            if self._is_closed(look, entry, row):
                skip_closed(look.connection, self._database.dialect, row, look.now)
                return
            if right != row.gate:
                drafts.waiting_to.append((right, row.id))
                drafts.has_more = True
                return
            if right is not None and (right not in look.gates or look.gates[right].room <= 0):
                return
        verdict = admit(look.connection, self._database.dialect, entry, row, look.now)
        if verdict is not Verdict.NO:
            drafts.again.append((entry, row))
            if row.gate is not None:
                look.gates[row.gate].take(1)
        if verdict is Verdict.GO_AND_HOLD:
            drafts.holds.add(row.job_id)
            run(look.connection, HAND_OVER, row.id, row.job_id)

    def _is_closed(self, look: _Look, entry: Entry, row: Any) -> bool:
        """Whether it is an occurrence that fires in a maintenance window, and that nobody has tried yet."""
        if row.trigger != Trigger.SCHEDULE or row.attempt or row.rescues:
            return False
        closures = look.rules.closures(entry.job.spec.queue)
        return closures is not None and closures.around(row.fire_at) is not None

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

    def _plan(self, look: _Look, drafts: _Drafts, entry: Entry, row: Any) -> None:
        job, now, horizon = entry.job, look.now, look.horizon
        # Of a job taken in this transaction already, the next one finds that it is busy.
        if job.key in drafts.holds or not self._may_pass(look, drafts, job, row):
            return
        free, gate, closures = look.slots - drafts.taken, row[_GATE], look.rules.closures(job.spec.queue)
        if gate is not None:
            horizon, free = now, min(free, look.gates[gate].room)
        if job.spec.overlap is Overlap.ALLOW:
            decided = plan(job, entry.timetable, Standing(row[3]), now, horizon, free, closures)
        else:
            standing = _standing(look.connection, job, row)
            decided = plan(job, entry.timetable, standing, now, horizon, free, closures)
            _make_way(look.connection, job, row.running_execution_id, decided, now)
            if decided.run:
                drafts.holds.add(job.key)
        for occurrence in decided.run:
            drafts.run.append((entry, occurrence, gate))
        if gate is not None:
            look.gates[gate].take(len(decided.run))
        for stretch in decided.skips:
            drafts.skip.append((entry, stretch))
        if decided.wait is not None:
            drafts.wait.append((entry, decided.wait))
        drafts.moves.append((decided.planned_through, decided.next_fire_at, job.key))
        if decided.next_fire_at is None:
            drafts.finished.append((now, job.key))
        elif decided.next_fire_at <= now:
            drafts.has_more = True

    def _may_pass(self, look: _Look, drafts: _Drafts, job: Job, row: Any) -> bool:
        """Whether nothing holds a timer; one that stands behind the wrong gate is looked at again by the next claim."""
        gate = row[_GATE]
        if gate is None and look.rules.hold_nothing:
            return True
        right = look.rules.gate_of(job.spec.queue, max(row[0], look.now))
        if right != gate:
            drafts.timers_to.append((right, job.key))
            drafts.has_more = True
            return False
        return gate is None or look.gates[gate].room > 0

    def _write(self, look: _Look, drafts: _Drafts, node: int) -> Claimed:
        connection, now = look.connection, look.now
        claimed = Claimed(skipped=sum(stretch.count for _, stretch in drafts.skip), has_more=drafts.has_more)
        count = len(drafts.run) + len(drafts.wait) + len(drafts.skip)
        keys = iter(self._database.dialect.reserve_execution_ids(connection, count))
        fresh: list[Values] = []
        for entry, occurrence, gate in drafts.run:
            job, key = entry.job, next(keys)
            at, fire_at = occurrence.scheduled_for, occurrence.fire_at
            fresh.append((key, job.key, job.version, at, fire_at, at, node, job.spec.priority, gate))
            execution = Execution(key, job.key, at, fire_at, Trigger.SCHEDULE, State.CLAIMED, attempt=1, claim_no=1)
            # What was held is sent now; its lateness is the queue's, and not the drift of a node.
            claimed.claims.append(Claim(execution, entry, fire_at if gate is None else max(fire_at, now), gate))
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
        moved(connection, drafts.timers_to, drafts.waiting_to)
        self._gates.count(connection, look.gates.values())
        if not complete:
            # A backfill had the occurrence first; or what waited gave way to a newer occurrence in this transaction.
            claimed.claims = [c for c in claimed.claims if rows(connection, STILL_TAKEN, c.execution.key, node)]
            taken = {c.execution.key for c in claimed.claims}
            for key, job_key in holds:
                if key not in taken:
                    free_job(connection, job_key, now)
        return claimed


def _standing(connection: Connection, job: Job, row: Any) -> Standing:
    """Whether an execution of the job is under way."""
    running = row.running_execution_id
    busy = busy_with(connection, running)
    if busy is None:
        return Standing(row.planned_through)
    waiting = bool(rows(connection, WAITER, job.key))
    return Standing(row.planned_through, busy=True, waiting=waiting, is_backfill=busy is Trigger.BACKFILL)


def _make_way(connection: Connection, job: Job, running: int | None, decided: Plan, now: int) -> None:
    """For the newer occurrence. What waits for a retry gives way at once, and that one need not wait for its end."""
    if decided.replace_waiting:
        for waiter in rows(connection, WAITER, job.key):
            run(connection, SKIP_WAITING, now, SkipReason.OVERLAP.value, waiter.id)
    if decided.cancel_running and decided.wait is not None:
        if run(connection, CANCEL_WAITING, now, "cancelled: a newer occurrence is due", running):
            decided.run.append(decided.wait)
            decided.wait = None
        else:
            run(connection, ASK_TO_CANCEL, running)


def _waiter_row(key: int, entry: Entry, occurrence: Occurrence) -> Values:
    job, at = entry.job, occurrence.scheduled_for
    return (key, job.key, job.version, at, occurrence.fire_at, at, job.spec.priority)


def _claim_again(entry: Entry, row: Any, now: int) -> Claim:
    execution = execution_of(row).claim()
    if _begins_backfill(row):
        execution = replace(execution, fire_at=now)
    is_now = row.gate is not None or execution.trigger is Trigger.BACKFILL
    return Claim(execution, entry, max(row.next_attempt_at, now) if is_now else row.next_attempt_at, row.gate)


def _begins_backfill(row: Any) -> bool:
    """A backfill is due when its turn has come: how long it waited for that is no drift."""
    return bool(row.trigger == Trigger.BACKFILL) and row.started_at is None
