"""Brings the tables up to date at start, once, however many processes start at the same moment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from tui_scheduler.domain.errors import StoreUnavailable

if TYPE_CHECKING:
    from alembic.config import Config

    from tui_scheduler.store.database import Database

HEAD: Final = "0001"
"""The revision this version of the program works on: that of the last file in `migrations/versions`. Kept here so
that a start with nothing to do need not import Alembic, which takes longer than all the rest of it."""

_FOLDER: Final = Path(__file__).parent / "migrations"
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_OURS: Final = frozenset({"job", "timer", "execution"})


def migrate(database: Database) -> None:
    """Make or update the tables: all of it or nothing, in one transaction that keeps other starts waiting.

    Raises `StoreUnavailable` when a newer version of the program or another program made the database.
    """
    with database.read() as connection:
        if _revision(database, connection) == HEAD:
            return
    with database.write() as connection:
        database.dialect.lock_for_migration(connection)
        revision = _revision(database, connection)  # another process may have done it meanwhile
        if revision == HEAD:
            return
        _refuse_what_is_not_ours(database, connection, revision)
        upgrade(connection)


def upgrade(connection: Connection, to: str = "head") -> None:
    """Run the migrations inside the connection's transaction."""
    from alembic import command  # about 340 ms

    command.upgrade(alembic_config(connection), to)


def alembic_config(connection: Connection) -> Config:
    """Everything Alembic needs: the folder inside the package and a connection. No ini file."""
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    return config


def _revision(database: Database, connection: Connection) -> str | None:
    if "alembic_version" not in database.dialect.table_names(connection):
        return None
    revision: str | None = connection.execute(_REVISION).scalar()
    return revision


def _refuse_what_is_not_ours(database: Database, connection: Connection, revision: str | None) -> None:
    tables = database.dialect.table_names(connection)
    if revision is not None:
        if any(_FOLDER.glob(f"versions/{revision}_*.py")):
            return
        if tables >= _OURS:
            raise StoreUnavailable(
                f"{database} was made by a newer version of tui-scheduler (revision {revision}, this one knows"
                f" {HEAD}); update tui-scheduler, or use another database",
                transient=False,
            )
    # A PostgreSQL schema may be shared with tables that are not in the way; an SQLite file is one program's own.
    in_the_way = tables if database.kind == "sqlite" or "alembic_version" in tables else tables & _our_tables()
    if in_the_way:
        some = ", ".join(sorted(in_the_way)[:3])
        raise StoreUnavailable(
            f"{database} belongs to another program (it has the tables {some}); use another database", transient=False
        )


def _our_tables() -> set[str]:
    from sqlmodel import SQLModel

    import tui_scheduler.store.tables  # noqa: F401 - fills the metadata

    return set(SQLModel.metadata.tables)
