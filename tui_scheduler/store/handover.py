"""A job that does not allow overlap passes from the execution that ended to the one that waits."""

from __future__ import annotations

from sqlalchemy import Connection

from tui_scheduler.store.hot import rows, run

# ix_execution_waiting_job; primary keys. Who takes several rows takes timers in the order of their jobs, then
# executions in the order of their keys; who cannot keep to that (a claim) leaves out what is locked.
LOCK_TIMER = "SELECT running_execution_id FROM timer WHERE job_id = ?"
WAITER = """
SELECT id FROM execution WHERE job_id = ? AND state IN ('pending', 'retrying') AND trigger = 'schedule'
  AND next_attempt_at IS NULL
ORDER BY id LIMIT 1
"""
# The waiter; the backfill whose turn it is, when it has one; and the one whose turn is next: the oldest occurrence.
FOLLOWING = """
SELECT (
  SELECT id FROM execution WHERE job_id = k.id AND state IN ('pending', 'retrying') AND trigger = 'schedule'
    AND next_attempt_at IS NULL ORDER BY id LIMIT 1
) AS waiter, (
  SELECT id FROM execution WHERE job_id = k.id AND state IN ('pending', 'retrying') AND trigger = 'backfill'
    AND next_attempt_at IS NOT NULL ORDER BY next_attempt_at LIMIT 1
) AS its_turn, (
  SELECT next_attempt_at FROM execution WHERE job_id = k.id AND state IN ('pending', 'retrying')
    AND trigger = 'backfill' AND next_attempt_at IS NOT NULL ORDER BY next_attempt_at LIMIT 1
) AS its_time, (
  SELECT id FROM execution WHERE job_id = k.id AND state IN ('pending', 'retrying') AND trigger = 'backfill'
    AND next_attempt_at IS NULL ORDER BY scheduled_for LIMIT 1
) AS next_turn
FROM (SELECT CAST(? AS BIGINT) AS id) AS k
"""
HAND_OVER = "UPDATE timer SET running_execution_id = ? WHERE job_id = ?"
WAKE_WAITER = """
UPDATE execution SET next_attempt_at = CASE WHEN fire_at > ? THEN fire_at ELSE ? END
WHERE id = ? AND state || '' IN ('pending', 'retrying') AND next_attempt_at IS NULL
"""


def free_job(connection: Connection, job_key: int, now: int) -> None:
    """Nothing keeps a job busy any more that does not allow overlap: the scheduled one that waits is due now (at its
    own instant, if an edit added it ahead of that) and keeps it busy in turn. Else it is the turn of the oldest
    backfill, unless another one has it (and waits for its retry).

    A backfill whose turn it is keeps nobody from going before it: named by the timer, it only keeps the job from being
    planned ahead, which a job of every second would otherwise be all the time.
    """
    (found,) = rows(connection, FOLLOWING, job_key)
    following = found.waiter
    if following is None:
        is_taken = found.its_turn is not None and found.its_time > now  # it waits for its retry
        following = None if is_taken else found.its_turn or found.next_turn
    run(connection, HAND_OVER, following, job_key)
    if following is not None:
        run(connection, WAKE_WAITER, now, now, following)
