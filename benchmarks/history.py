"""A past to work beside: finished executions by the million, put straight into the SQLite file."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.scenarios import SECOND

# Second by second, each of the jobs once, as they would have come. Columns left out are NULL.
FILL = """
WITH RECURSIVE number(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i + 1 < :rows)
INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
  claim_no, rescues, node_id, priority, started_at, finished_at, duration_us, http_status, response_excerpt,
  cancel_requested)
SELECT :first + i, 1 + i % :jobs, 1, at, at, at, 'schedule', 'succeeded', 1, 1, 0, 1, 5, at + 1500, at + 3500, 2000,
  200, '{"ok":true}', FALSE
FROM (SELECT i, :start + i / :jobs * 1000000 AS at FROM number)
"""


def fill_history(path: Path, rows: int, jobs: int, *, before: int) -> int:
    """That many rows, of the jobs with the keys 1 to `jobs`, all of them before that instant (µs).

    Returns the last key taken: what the program itself writes has greater ones.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        if rows:
            start = before - (rows // jobs + 2) * SECOND
            connection.execute("PRAGMA cache_size=-400000")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(FILL, {"rows": rows, "jobs": jobs, "start": start, "first": 1})
            connection.execute("COMMIT")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return int(connection.execute("SELECT coalesce(max(id), 0) FROM execution").fetchone()[0])
