"""Alembic runs this. `store.migrate` has opened the transaction already and commits it: all of it or nothing."""

from alembic import context
from sqlmodel import SQLModel

import tui_scheduler.store.tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite cannot alter a column in place; a batch copies the table
)
context.run_migrations()
