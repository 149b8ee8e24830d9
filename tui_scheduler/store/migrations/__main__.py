"""Draft the next migration, named by the words of the command line, from what `store.tables` says and the last one
does not. Read the draft before committing it, and set `migrate.HEAD` to its revision.

Then, without words, write `new_sqlite.sql`: what all migrations come to, for databases that are new.
"""

import sys

from alembic import command

from tui_scheduler.store.database import Database
from tui_scheduler.store.migrate import HEAD, NEW_SQLITE, alembic_config, described, upgrade

database = Database("sqlite://")
with database.write() as connection:
    upgrade(connection)
    if sys.argv[1:]:
        revision = f"{int(HEAD) + 1:04d}"
        command.revision(alembic_config(connection), " ".join(sys.argv[1:]), autogenerate=True, rev_id=revision)
    else:
        NEW_SQLITE.write_text(described(connection), encoding="utf-8")
database.close()
