"""Brings the tables up to date at start. (First version: makes them from the metadata.)"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlmodel import SQLModel

import tui_scheduler.store.tables  # noqa: F401 - fills the metadata

if TYPE_CHECKING:
    from tui_scheduler.store.database import Database


def migrate(database: Database) -> None:
    with database.write() as connection:
        SQLModel.metadata.create_all(connection)
        connection.execute(
            text("INSERT INTO meta (name, value) VALUES ('salt', :salt), ('change_no', 0) ON CONFLICT DO NOTHING"),
            {"salt": secrets.randbits(30)},
        )
