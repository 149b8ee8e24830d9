"""Brings the tables up to date at start, once, however many processes start at the same moment."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.store.dialects import Dialect

if TYPE_CHECKING:
    from alembic.config import Config

HEAD: Final = "0004"
"""The revision this version of the program works on: that of the last file in `migrations/versions`. Kept here so
that a start with nothing to do need not import Alembic, which takes longer than all the rest of it."""

_FOLDER: Final = Path(__file__).parent / "migrations"
NEW_SQLITE: Final = _FOLDER / "new_sqlite.sql"
BETWEEN: Final = ";\n\n"
_DEFINITIONS: Final = text(
    "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid"
)
_FIRST_VALUE: Final = text("INSERT INTO meta (name, value) VALUES (:name, :value)")
_FIRST_REVISION: Final = text("INSERT INTO alembic_version (version_num) VALUES (:revision)")
_REVISION: Final = text("SELECT version_num FROM alembic_version")
_OURS: Final = frozenset({"job", "timer", "execution"})


def is_up_to_date(dialect: Dialect, connection: Connection) -> bool:
    return _revision(dialect, connection) == HEAD


def migrate(dialect: Dialect, connection: Connection, where: str) -> None:
    """Make or update the tables inside the connection's write transaction, which keeps other starts waiting.

    `where` begins the sentence of the `StoreUnavailable` that is raised when a newer version of the program or another
    program made the database. Nothing is done when another start has done it meanwhile.
    """
    dialect.lock_for_migration(connection)
    revision = _revision(dialect, connection)
    if revision == HEAD:
        return
    _refuse_what_is_not_ours(dialect, connection, revision, where)
    if revision is None and dialect.kind == "sqlite":  # a file with no table in it
        make(connection)
    else:
        upgrade(connection)


def make(connection: Connection) -> None:
    """The tables of an empty SQLite file, as all migrations after one another would leave them, but without Alembic:
    a first start and a demo would wait longer for that than for everything else.
    """
    for statement in NEW_SQLITE.read_text(encoding="utf-8").rstrip().split(BETWEEN):
        connection.exec_driver_sql(statement)
    for name, value in first_values().items():
        connection.execute(_FIRST_VALUE, {"name": name, "value": value})
    connection.execute(_FIRST_REVISION, {"revision": HEAD})


def described(connection: Connection) -> str:
    """What `make` reads, from an SQLite database that was migrated."""
    return BETWEEN.join(connection.execute(_DEFINITIONS).scalars()) + "\n"


def first_values() -> dict[str, int]:
    """What a database begins with, in `meta`. The salt makes public execution ids differ between databases."""
    return {"salt": secrets.randbits(30), "change_no": 0}


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


def _revision(dialect: Dialect, connection: Connection) -> str | None:
    if "alembic_version" not in dialect.table_names(connection):
        return None
    revision: str | None = connection.execute(_REVISION).scalar()
    return revision


def _refuse_what_is_not_ours(dialect: Dialect, connection: Connection, revision: str | None, where: str) -> None:
    tables = dialect.table_names(connection)
    if revision is not None:
        if any(file.name.startswith(f"{revision}_") for file in _FOLDER.glob("versions/*.py")):
            return
        if tables >= _OURS:
            raise StoreUnavailable(
                f"{where} was made by a newer version of tui-scheduler (revision {revision}, this one knows"
                f" {HEAD}); update tui-scheduler, or use another database",
                transient=False,
            )
    # A PostgreSQL schema may be shared with tables that are not in the way; an SQLite file is one program's own.
    in_the_way = tables if dialect.kind == "sqlite" or "alembic_version" in tables else tables & _our_tables()
    if in_the_way:
        some = ", ".join(sorted(in_the_way)[:3])
        raise StoreUnavailable(
            f"{where} belongs to another program (it has the tables {some}); use another database", transient=False
        )


def _our_tables() -> set[str]:
    from sqlmodel import SQLModel

    import tui_scheduler.store.tables  # noqa: F401 - fills the metadata

    return set(SQLModel.metadata.tables)
