"""Whose turn it is among thousands of backfills of one job is found without looking at the others."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_WAITING = sa.text("state IN ('pending', 'retrying')")
_COLUMNS = ["job_id", "trigger", "next_attempt_at", "scheduled_for"]


def upgrade() -> None:
    # A handful of entries in either.
    op.drop_index("ix_execution_waiting_job", "execution")
    op.create_index("ix_execution_waiting_job", "execution", _COLUMNS, sqlite_where=_WAITING, postgresql_where=_WAITING)
