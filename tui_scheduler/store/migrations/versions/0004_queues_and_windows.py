"""Queues with limits, and maintenance windows: what they hold stands behind a gate, and costs the others nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WAITING = "state IN ('pending', 'retrying')"
_UNFINISHED = "state IN ('claimed', 'running')"
_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    # Not batches: SQLite adds a nullable column in place, where a batch would copy millions of rows.
    op.add_column("timer", sa.Column("gate", sa.BigInteger(), nullable=True))
    op.add_column("execution", sa.Column("gate", sa.BigInteger(), nullable=True))
    op.create_index("ix_job_queue", "job", ["queue"])
    op.drop_index("ix_timer_due", table_name="timer")
    free, due = sa.text("gate IS NULL"), sa.text("next_fire_at IS NOT NULL AND gate IS NULL")
    op.create_index("ix_timer_due", "timer", ["priority", "next_fire_at"], sqlite_where=free, postgresql_where=due)
    _index("ix_timer_gated", "timer", ["gate", "priority", "next_fire_at"], "gate IS NOT NULL")
    op.drop_index("ix_execution_waiting", table_name="execution")
    _index("ix_execution_waiting", "execution", ["priority", "next_attempt_at"], f"{_WAITING} AND gate IS NULL")
    held = ["gate", "priority", "next_attempt_at"]
    _index("ix_execution_gated_waiting", "execution", held, f"{_WAITING} AND gate IS NOT NULL")
    _index("ix_execution_gated", "execution", ["gate"], f"{_UNFINISHED} AND gate IS NOT NULL")
    op.drop_table("queue")  # nothing has written to it before
    op.create_table(
        "queue",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("rate_count", sa.Integer(), nullable=True),
        sa.Column("rate_period_us", sa.BigInteger(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name", name="uq_queue_name"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "queue_use",
        sa.Column("queue_id", _KEY, autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("used", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("queue_id", "until"),
    )
    op.create_table(
        "maintenance_window",
        sa.Column("id", _KEY, autoincrement=True, nullable=False),
        sa.Column("public_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=True),
        sa.Column("starts_at", sa.BigInteger(), nullable=True),
        sa.Column("ends_at", sa.BigInteger(), nullable=True),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.Column("duration_us", sa.BigInteger(), nullable=True),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("is_past", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id", name="uq_window_public_id"),
        sqlite_autoincrement=True,
    )


def _index(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
