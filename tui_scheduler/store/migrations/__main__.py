"""Draft the next migration from what `store.tables` says and the last migration does not.

Read the draft before committing it, and set `migrate.HEAD` to its revision.
"""

import sys

from alembic import command

from tui_scheduler.store.database import open_database
from tui_scheduler.store.migrate import HEAD, alembic_config

database = open_database("sqlite://")
with database.write() as connection:
    command.revision(
        alembic_config(connection), " ".join(sys.argv[1:]), autogenerate=True, rev_id=f"{int(HEAD) + 1:04d}"
    )
database.close()
