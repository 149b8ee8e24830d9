"""A job that does not allow overlap passes from the execution that ended to the one that waits."""

from __future__ import annotations

from sqlalchemy import Connection

from tui_scheduler.store.hot import rows, run

# ix_execution_waiting_job; primary keys. Who takes several rows takes timers in the order of their jobs, then
# executions in the order of their keys; who cannot keep to that (a claim) leaves out what is locked.
LOCK_TIMER = "SELECT running_execution_id FROM timer WHERE job_id = ?"
WAITER = """
SELECT id FROM execution WHERE job_id = ? AND state IN ('pending', 'retrying') AND next_attempt_at IS NULL
ORDER BY id LIMIT 1
"""
HAND_OVER = "UPDATE timer SET running_execution_id = ? WHERE job_id = ?"
WAKE_WAITER = "UPDATE execution SET next_attempt_at = ? WHERE id = ? AND state = 'pending'"


def free_job(connection: Connection, job_key: int, now: int) -> None:
    """The execution that kept a job busy has ended: the one that waits is due now and keeps it busy in turn."""
    waiter = rows(connection, WAITER, job_key)
    following = waiter[0].id if waiter else None
    run(connection, HAND_OVER, following, job_key)
    if following is not None:
        run(connection, WAKE_WAITER, now, following)
