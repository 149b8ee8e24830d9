"""The tables. Every stored instant is a BIGINT of microseconds since the epoch, UTC; durations are microseconds too.

SQLModel's table classes do not validate on construction: they are rows and stay in the store. The rest of the program
sees the domain's frozen values.

What a user decides (`job`) and what the engine moves at every firing (`timer`) are two tables: rewriting the wide row
cost 26-40 µs a firing and seven times the write-ahead log, the narrow one 6-8 µs.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Column, Index, Integer, SmallInteger, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel

_KEY = BigInteger().with_variant(Integer, "sqlite")
"""SQLite makes a primary key the row's own id only when its type reads INTEGER."""


def _key() -> Any:
    return Field(default=None, sa_column=Column(_KEY, primary_key=True, autoincrement=True))


def _instant(*, nullable: bool = False, **options: Any) -> Any:
    return Field(default=None, sa_column=Column(BigInteger, nullable=nullable, **options))


def _number(default: int | None = None, *, nullable: bool = False) -> Any:
    return Field(default=default, sa_column=Column(Integer, nullable=nullable))


def _text(*, nullable: bool = False, **options: Any) -> Any:
    return Field(default=None, sa_column=Column(Text, nullable=nullable, **options))


def _json(*, nullable: bool = False) -> Any:
    # none_as_null: None is SQL's NULL, where SQLAlchemy would store the JSON text "null", which IS NOT NULL.
    return Field(default=None, sa_column=Column(JSON(none_as_null=True), nullable=nullable))


class MetaRow(SQLModel, table=True):
    """One value per name: the database's own salt (see `ids`), counters."""

    __tablename__ = "meta"
    name: str = Field(sa_column=Column(Text, primary_key=True))
    value: int = Field(sa_column=Column(BigInteger, nullable=False))


class JobRow(SQLModel, table=True):
    """What a user decided. `change_no` rises with every edit of any job, in commit order: engines follow it."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("public_id", name="uq_job_public_id"),
        Index("ix_job_change_no", "change_no"),
        Index("ix_job_state", "state"),
        Index("ix_job_queue", "queue"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _key()
    public_id: str = _text()
    name: str = _text()
    schedule: str = _text()
    timezone: str = _text()
    method: str = _text()
    url: str = _text()
    headers: list[list[str]] = _json()
    body: str | None = _text(nullable=True)
    tls_verify: bool = Field(default=True)
    ca_file: str | None = _text(nullable=True)
    follow_redirects: bool = Field(default=False)
    type: str = _text()
    retry: dict[str, Any] = _json()
    timeout_us: int = _instant()
    priority: int = Field(default=5, sa_column=Column(SmallInteger, nullable=False))
    queue: str = _text()
    tags: list[str] = _json()
    overlap: str = _text()
    catch_up: str = _text()
    grace_us: int = _instant()
    jitter_us: int = _instant()
    starts_at: int | None = _instant(nullable=True)
    ends_at: int | None = _instant(nullable=True)
    success: dict[str, Any] = _json()
    pause_on_gone: bool = Field(default=False)
    alert: dict[str, Any] | None = _json(nullable=True)
    signing_secret_ref: str | None = _text(nullable=True)
    state: str = _text()
    version: int = _number(1)
    change_no: int = _instant()
    created_at: int = _instant()
    updated_at: int = _instant()
    deleted_at: int | None = _instant(nullable=True)


FAILING = "failures > 0"
"""The predicate of the partial index of jobs that fail: most have none, and a firing that succeeds leaves it alone."""


FREE = "gate IS NULL"
"""The predicate of the indexes of what nothing holds, which is nearly everything: limits cost the others nothing."""

GATED = "gate IS NOT NULL"
"""And of those of what belongs to a limited queue, or waits for the end of a maintenance window."""


class TimerRow(SQLModel, table=True):
    """Where the planning of a job stands. `next_fire_at` is NULL when nothing is to be planned.

    `planned_through` is a nominal instant and never moves back: nothing at or before it is planned again.
    `running_execution_id` is kept only for jobs that do not allow overlap. `failures` counts the executions that
    failed or were lost since one succeeded (see `failing`). `gate` is what holds the job (see `gates`).
    """

    __tablename__ = "timer"
    __table_args__ = (
        Index(
            "ix_timer_due",
            "priority",
            "next_fire_at",
            sqlite_where=text(FREE),
            postgresql_where=text(f"next_fire_at IS NOT NULL AND {FREE}"),
        ),
        Index(
            "ix_timer_gated",
            "gate",
            "priority",
            "next_fire_at",
            sqlite_where=text(GATED),
            postgresql_where=text(GATED),
        ),
        Index("ix_timer_failing", "job_id", sqlite_where=text(FAILING), postgresql_where=text(FAILING)),
    )
    job_id: int = Field(sa_column=Column(_KEY, primary_key=True, autoincrement=False))
    job_version: int = _number(1)
    priority: int = Field(default=5, sa_column=Column(SmallInteger, nullable=False))
    next_fire_at: int | None = _instant(nullable=True)
    planned_through: int = _instant()
    running_execution_id: int | None = _instant(nullable=True)
    failures: int = Field(default=0, sa_column=Column(Integer, nullable=False, server_default=text("0")))
    gate: int | None = _instant(nullable=True)


UNFINISHED = "state IN ('claimed', 'running')"
"""The predicate of the partial index that rescue reads; a query must repeat it word for word to use the index."""

WAITING = "state IN ('pending', 'retrying')"
"""The same for the index of executions that wait for their time.

And whoever names a row by its key must not repeat it, but write `state || ''`: while PostgreSQL's statistics say that
hardly anything is unfinished it takes a walk through the whole of such an index for cheaper than one step down the
primary key, and then finds thousands of rows there, for each row it is asked for.
"""

FAILED = "state IN ('failed', 'lost')"
"""The same for the index of executions that ended badly, by when they did."""


class ExecutionRow(SQLModel, table=True):
    """One occurrence being carried out, or the record that it was skipped.

    `occurrence_key` is `scheduled_for` for schedule and backfill and NULL for the others, and unique within a job:
    planning the same occurrence twice is a no-op. `next_attempt_at` says when a waiting execution is due; NULL while
    it waits for another execution of its job to end.
    """

    __tablename__ = "execution"
    __table_args__ = (
        # Also serves a job's history, newest first.
        UniqueConstraint("job_id", "occurrence_key", name="uq_execution_occurrence"),
        Index(
            "ix_execution_extra",
            "job_id",
            "scheduled_for",
            sqlite_where=text("occurrence_key IS NULL"),
            postgresql_where=text("occurrence_key IS NULL"),
        ),
        Index(
            "ix_execution_waiting",
            "priority",
            "next_attempt_at",
            sqlite_where=text(f"{WAITING} AND {FREE}"),
            postgresql_where=text(f"{WAITING} AND {FREE}"),
        ),
        Index(
            "ix_execution_gated_waiting",
            "gate",
            "priority",
            "next_attempt_at",
            sqlite_where=text(f"{WAITING} AND {GATED}"),
            postgresql_where=text(f"{WAITING} AND {GATED}"),
        ),
        Index(
            "ix_execution_gated",
            "gate",
            sqlite_where=text(f"{UNFINISHED} AND {GATED}"),
            postgresql_where=text(f"{UNFINISHED} AND {GATED}"),
        ),
        Index(
            "ix_execution_waiting_job",
            "job_id",
            "trigger",
            "next_attempt_at",
            "scheduled_for",
            sqlite_where=text(WAITING),
            postgresql_where=text(WAITING),
        ),
        Index(
            "ix_execution_unfinished",
            "node_id",
            sqlite_where=text(UNFINISHED),
            postgresql_where=text(UNFINISHED),
        ),
        Index(
            "ix_execution_cancel",
            "node_id",
            sqlite_where=text("cancel_requested"),
            postgresql_where=text("cancel_requested"),
        ),
        Index("ix_execution_failed", "finished_at", sqlite_where=text(FAILED), postgresql_where=text(FAILED)),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _key()
    job_id: int = _instant()
    job_version: int = _number()
    scheduled_for: int = _instant()
    fire_at: int = _instant()
    occurrence_key: int | None = _instant(nullable=True)
    trigger: str = _text()
    state: str = _text()
    attempt: int = _number(0)
    claim_no: int = _number(0)
    rescues: int = _number(0)
    node_id: int | None = _instant(nullable=True)
    priority: int = Field(default=5, sa_column=Column(SmallInteger, nullable=False))
    next_attempt_at: int | None = _instant(nullable=True)
    started_at: int | None = _instant(nullable=True)
    finished_at: int | None = _instant(nullable=True)
    duration_us: int | None = _instant(nullable=True)
    http_status: int | None = _number(nullable=True)
    error: str | None = _text(nullable=True)
    response_excerpt: str | None = _text(nullable=True)
    skip_reason: str | None = _text(nullable=True)
    skip_from: int | None = _instant(nullable=True)
    skip_to: int | None = _instant(nullable=True)
    skip_count: int | None = _number(nullable=True)
    cancel_requested: bool = Field(default=False)
    sent_once: bool | None = Field(default=None, sa_column=Column(Boolean, nullable=True))
    """Marked as running under at most once: the job's type may be edited before its node dies."""
    gate: int | None = _instant(nullable=True)
    """What holds it while it waits, and the queue it counts for while it is under way (see `gates`)."""


class AttemptRow(SQLModel, table=True):
    """One attempt of an execution that did not succeed first time. `waits_us` is the wait that followed it."""

    __tablename__ = "attempt"
    __table_args__ = (
        Index("ix_attempt_execution", "execution_id", "attempt"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _key()
    execution_id: int = _instant()
    attempt: int = _number()
    node_id: int = _instant()
    started_at: int | None = _instant(nullable=True)
    finished_at: int = _instant()
    duration_us: int | None = _instant(nullable=True)
    http_status: int | None = _number(nullable=True)
    error: str | None = _text(nullable=True)
    response_headers: list[list[str]] | None = _json(nullable=True)
    response_excerpt: str | None = _text(nullable=True)
    waits_us: int | None = _instant(nullable=True)
    waits_for: str | None = _text(nullable=True)


class NodeRow(SQLModel, table=True):
    """One start of one engine: `id` is never used twice, `uuid` names it outside.

    Whether it lives is judged by the `heartbeat` counter standing still, never by comparing wall clocks.
    `state` is alive | stopped | dead | gone (see `nodes`).
    """

    __tablename__ = "node"
    __table_args__ = (
        UniqueConstraint("uuid", name="uq_node_uuid"),
        Index("ix_node_state", "state"),
        {"sqlite_autoincrement": True},
    )
    id: int | None = _key()
    uuid: str = _text()
    host: str = _text()
    pid: int = _number()
    version: str = _text()
    state: str = _text()
    started_at: int = _instant()
    stopped_at: int | None = _instant(nullable=True)
    heartbeat: int = _instant()
    heartbeat_at: int = _instant()
    counters: dict[str, Any] = _json()


class QueueRow(SQLModel, table=True):
    """Limits of a queue, global over all nodes. NULL: no limit. Only queues that have or had limits have a row."""

    __tablename__ = "queue"
    __table_args__ = (UniqueConstraint("name", name="uq_queue_name"), {"sqlite_autoincrement": True})
    id: int | None = _key()
    name: str = _text()
    concurrency: int | None = _number(nullable=True)
    rate_count: int | None = _number(nullable=True)
    rate_period_us: int | None = _instant(nullable=True)
    paused: bool = Field(default=False)


class QueueUseRow(SQLModel, table=True):
    """How many executions of a queue with a rate were claimed in the bucket of time that ends at `until`."""

    __tablename__ = "queue_use"
    queue_id: int = Field(sa_column=Column(_KEY, primary_key=True, autoincrement=False))
    until: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    used: int = _number(0)


class WindowRow(SQLModel, table=True):
    """A maintenance window: from `starts_at` to `ends_at` once, or for `duration_us` from each instant of `schedule`.

    `queue` NULL: it holds for all. It is in force from `since` on; `is_past` is what is left of one that was changed
    while it lasted (`window` is a word of SQL's own, hence the table's name).
    """

    __tablename__ = "maintenance_window"
    __table_args__ = (UniqueConstraint("public_id", name="uq_window_public_id"), {"sqlite_autoincrement": True})
    id: int | None = _key()
    public_id: str = _text()
    name: str = _text()
    queue: str | None = _text(nullable=True)
    starts_at: int | None = _instant(nullable=True)
    ends_at: int | None = _instant(nullable=True)
    schedule: str | None = _text(nullable=True)
    duration_us: int | None = _instant(nullable=True)
    timezone: str = _text()
    enabled: bool = Field(default=True)
    is_past: bool = Field(default=False)
    created_at: int = _instant()
    since: int = _instant()


class TokenRow(SQLModel, table=True):
    """An API token: shown once, stored hashed."""

    __tablename__ = "token"
    __table_args__ = (UniqueConstraint("hash", name="uq_token_hash"), {"sqlite_autoincrement": True})
    id: int | None = _key()
    name: str = _text()
    hash: str = _text()
    scope: str = _text()
    created_at: int = _instant()
    expires_at: int | None = _instant(nullable=True)
    revoked_at: int | None = _instant(nullable=True)
    last_used_at: int | None = _instant(nullable=True)


class AuditRow(SQLModel, table=True):
    """Who changed what, with before and after."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject", "subject", "id"), {"sqlite_autoincrement": True})
    id: int | None = _key()
    at: int = _instant()
    actor: str = _text()
    action: str = _text()
    subject: str = _text()
    before: dict[str, Any] | None = _json(nullable=True)
    after: dict[str, Any] | None = _json(nullable=True)
