"""Jobs that fail and executions that failed can be found without looking at the others."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FAILING = sa.text("failures > 0")
_FAILED = sa.text("state IN ('failed', 'lost')")


def upgrade() -> None:
    # Not a batch: SQLite adds a column with a default in place, where a batch would copy a million timers.
    op.add_column("timer", sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_index("ix_timer_failing", "timer", ["job_id"], sqlite_where=_FAILING, postgresql_where=_FAILING)
    # Reads the whole history once.
    op.create_index("ix_execution_failed", "execution", ["finished_at"], sqlite_where=_FAILED, postgresql_where=_FAILED)
