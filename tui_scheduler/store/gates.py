"""What holds work back: limited queues and maintenance windows, as a claim sees them.

A timer or an execution that belongs to a limited queue, or waits for the end of a window, has a *gate* and stands in
indexes of its own; nearly all have none and never meet this. Gates are put right by claims, a row at a time, when it
is due: setting a limit on a queue of a million jobs writes one row.

A claim that wants something of a queue locks the row of the queue first, without waiting: what is in flight and what
was sent is counted under that lock, so nodes cannot exceed a limit together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from tui_scheduler.domain.backfill import RANKS, is_backfill
from tui_scheduler.domain.queues import MOST, Limits, Rate, Rules, keys_by_name
from tui_scheduler.domain.window_checks import times_of
from tui_scheduler.domain.windows import Window, WindowSpec
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Dialect
from tui_scheduler.store.hot import Values, rows, run_many

# Both tables whole: a handful of rows, read when an edit was made.
QUEUES = "SELECT id, name, concurrency, rate_count, rate_period_us, paused FROM queue"
WINDOWS = """
SELECT id, queue, starts_at, ends_at, schedule, duration_us, timezone, enabled, created_at, since
FROM maintenance_window
"""
# Primary key of meta.
CHANGE_NO = "SELECT value FROM meta WHERE name = 'change_no'"

# ix_execution_gated, at most as many entries as may be in flight.
IN_FLIGHT = """
SELECT COUNT(*) AS n FROM (
  SELECT 1 FROM execution WHERE gate = ? AND state IN ('claimed', 'running') AND gate IS NOT NULL LIMIT ?
) AS e
"""
# Primary key, first column; some hundred rows.
USED = "SELECT COALESCE(SUM(used), 0) AS n FROM queue_use WHERE queue_id = ? AND until > ? AND until <= ?"
FORGET_USED = "DELETE FROM queue_use WHERE queue_id = ? AND (until <= ? OR until > ?)"
USE = """
INSERT INTO queue_use (queue_id, until, used) VALUES (?, ?, ?)
ON CONFLICT (queue_id, until) DO UPDATE SET used = queue_use.used + excluded.used
"""
LOCK_QUEUE = "SELECT id FROM queue WHERE id = ?"

# ix_timer_gated and ix_execution_gated_waiting: one range each, already in order.
GATED_TIMERS = """
SELECT next_fire_at, job_id, job_version, planned_through, running_execution_id, gate FROM timer
WHERE gate = ? AND priority = ? AND next_fire_at <= ? ORDER BY next_fire_at LIMIT ?
"""
GATED_WAITING = """
SELECT e.next_attempt_at, e.job_id, t.job_version, e.job_version AS planned_version, t.running_execution_id, e.id,
  e.scheduled_for, e.fire_at, e.trigger, e.state, e.attempt, e.claim_no, e.rescues, e.started_at, e.gate
FROM execution e LEFT JOIN timer t ON t.job_id = e.job_id
WHERE e.state IN ('pending', 'retrying') AND e.gate = ? AND e.priority = ? AND e.next_attempt_at <= ?
ORDER BY e.next_attempt_at LIMIT ?
"""
# Primary keys.
MOVE_TIMER = "UPDATE timer SET gate = ? WHERE job_id = ?"
MOVE_WAITING = "UPDATE execution SET gate = ? WHERE id = ? AND state || '' IN ('pending', 'retrying')"


def due_of(dialect: Dialect) -> str:
    """For each gate bound as a list and each rank whether anything is due: two index steps each."""
    return f"""
WITH p (priority) AS (VALUES {", ".join(f"({rank})" for rank in RANKS)})
SELECT k.value AS gate, p.priority,
  (SELECT next_fire_at FROM timer WHERE gate = k.value AND priority = p.priority AND next_fire_at <= ?
     ORDER BY next_fire_at LIMIT 1) AS timer,
  (SELECT next_attempt_at FROM execution WHERE state IN ('pending', 'retrying') AND gate = k.value
     AND priority = p.priority AND next_attempt_at <= ? ORDER BY next_attempt_at LIMIT 1) AS waiting
FROM {dialect.each_value} CROSS JOIN p
"""  # noqa: S608 - numbers and SQL of ours


@dataclass(slots=True)
class Gate:
    """A gate through which `room` more executions may go in this transaction, at these ranks."""

    key: int
    room: int
    ranks: set[int]
    rate: Rate | None = None
    counted_at: int = 0
    taken: int = 0

    def take(self, number: int) -> None:
        self.room -= number
        self.taken += number


class Gates:
    """Reads the rules when they changed, and opens gates for claims. Belongs to one `ClaimStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due_of = due_of(database.dialect)
        self.rules = Rules()

    def follow(self, connection: Connection, change_no: int | None) -> Rules:
        """The rules as of the edit with that number, or a later one."""
        if change_no is not None and change_no != self.rules.number:
            self.rules = read_rules(connection, change_no)
        return self.rules

    def has_due(self, connection: Connection, now: int, backfills: int) -> bool:
        """Whether anything that is held may go, a backfill only if there is room for one. Takes no lock."""
        return any(
            gate.room > 0 and (backfills > 0 or not all(is_backfill(rank) for rank in gate.ranks))
            for gate in self._with_due(connection, now, lambda: now, locked=False)
        )

    def open(self, connection: Connection, now: int, clock: Callable[[], int]) -> dict[int, Gate]:
        """The gates that have something due and room for it, each locked to the end of the transaction if it counts.

        `clock` is read under the lock: waiting for it may have taken long, and what is sent is counted by the time.
        """
        found = self._with_due(connection, now, clock, locked=True)
        return {gate.key: gate for gate in found if gate.room > 0}

    def count(self, connection: Connection, gates: Iterable[Gate]) -> None:
        """Note what was taken of queues that have a rate."""
        for gate in gates:
            if gate.rate is not None and gate.taken:
                rate, now = gate.rate, gate.counted_at
                bounds = (gate.key, rate.counts_from(now), rate.counts_to(now))
                run_many(connection, FORGET_USED, [bounds])
                run_many(connection, USE, [(gate.key, rate.bucket_end(now), gate.taken)])

    def _with_due(self, connection: Connection, now: int, clock: Callable[[], int], *, locked: bool) -> Iterable[Gate]:
        keys = self.rules.open_gates(now)
        if not keys:
            return ()
        due: dict[int, set[int]] = {}
        for row in rows(connection, self._due_of, now, now, self._database.dialect.list_value(keys)):
            if row.timer is not None or row.waiting is not None:
                due.setdefault(row.gate, set()).add(row.priority)
        return [self._look(connection, key, ranks, clock, locked=locked) for key, ranks in due.items()]

    def _look(
        self, connection: Connection, key: int, ranks: set[int], clock: Callable[[], int], *, locked: bool
    ) -> Gate:
        limits = self.rules.limits.get(key)
        if limits is None or not limits.is_limited:
            return Gate(key, MOST, ranks)
        if locked and not rows(connection, LOCK_QUEUE + self._database.dialect.lock_rows, key):
            return Gate(key, 0, ranks)  # another node claims of it right now
        now = clock()
        in_flight, sent = 0, 0
        if limits.concurrency is not None:
            in_flight = rows(connection, IN_FLIGHT, key, limits.concurrency)[0].n
        if limits.rate is not None:
            sent = rows(connection, USED, key, limits.rate.counts_from(now), limits.rate.counts_to(now))[0].n
        return Gate(key, limits.room(in_flight, sent), ranks, limits.rate, now)


class RulesReader:
    """The rules for whoever only follows them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def changed_since(self, number: int) -> Rules | None:
        """The rules, if any edit was made after that number. One look at a counter when there was none."""
        with self._database.read() as connection:
            newest = rows(connection, CHANGE_NO)
            if not newest or newest[0].value == number:
                return None
            return read_rules(connection, newest[0].value)


def read_rules(connection: Connection, number: int) -> Rules:
    """All limits and windows; `number` is that of the newest edit they may know of."""
    queues, limits = keys_by_name((row.id, row.name, limits_of(row)) for row in rows(connection, QUEUES))
    windows: list[Window] = []
    gone: list[int] = []
    for row in rows(connection, WINDOWS):
        if row.enabled:
            spec = WindowSpec("", row.queue, row.starts_at, row.ends_at, row.schedule, row.duration_us, row.timezone)
            windows.append(Window(row.id, row.queue, times_of(spec, since=row.since, created_at=row.created_at)))
        else:
            gone.append(row.id)
    return Rules(number, queues, limits, tuple(windows), tuple(gone))


def limits_of(row: Any) -> Limits:
    """Of a row of `queue`."""
    count, period = row.rate_count, row.rate_period_us
    rate = None if count is None else Rate(count, period)
    return Limits(row.concurrency, rate, bool(row.paused))


def moved(connection: Connection, timers: list[Values], waiting: list[Values]) -> None:
    """Write the right gates of (gate, job key) and (gate, execution key)."""
    run_many(connection, MOVE_TIMER, timers)
    run_many(connection, MOVE_WAITING, waiting)
