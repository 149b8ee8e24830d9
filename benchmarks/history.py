"""A past to work beside: finished executions by the million, put straight into the database."""

from __future__ import annotations

from sqlalchemy import text

from benchmarks.scenarios import SECOND
from tui_scheduler.store.database import Database

# Second by second, each of the jobs once, as they would have come. Columns left out are NULL.
_FILL = """
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, node_id, priority, started_at, finished_at, duration_us, http_status, response_excerpt,
  cancel_requested)
SELECT 1 + i, 1 + i % :jobs, 1, due, due, due, 'schedule', 'succeeded', 1, 1, 0, 1, 5, due + 1500, due + 3500, 2000,
  200, '{"ok"\\:true}', FALSE
FROM (SELECT i, :start + i / :jobs * 1000000 AS due FROM number) AS past
"""
FILL_SQLITE = "WITH RECURSIVE number(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < :rows)" + _FILL
FILL_POSTGRES = "WITH number AS (SELECT generate_series(0, CAST(:rows AS bigint) - 1) AS i)" + _FILL
PATIENTLY = "SELECT set_config('statement_timeout', '0', true)"  # beside others it may take longer than a minute
PASS_BY_POSTGRES = "SELECT setval(pg_get_serial_sequence('execution', 'id'), (SELECT max(id) FROM execution))"
LAST = "SELECT coalesce(max(id), 0) FROM execution"


def fill_history(database: Database, rows: int, jobs: int, *, before: int) -> None:
    """That many rows, of the jobs with the keys 1 to `jobs`, all of them before that instant (µs), in an empty
    table."""
    if not rows:
        return
    values = {"rows": rows, "jobs": jobs, "start": before - (rows // jobs + 2) * SECOND}
    if database.kind == "sqlite":
        with database.write() as connection:
            connection.exec_driver_sql("PRAGMA cache_size=-400000")
            connection.execute(text(FILL_SQLITE), values)
        return
    with database.write() as connection:
        connection.execute(text(PATIENTLY))
        connection.execute(text(FILL_POSTGRES), values)
        connection.execute(text(PASS_BY_POSTGRES))


def last_execution(database: Database) -> int:
    """The greatest key taken: what the program itself writes from now on has greater ones."""
    with database.read() as connection:
        return int(connection.execute(text(LAST)).scalar_one())
