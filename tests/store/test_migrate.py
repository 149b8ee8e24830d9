from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlmodel import SQLModel

import tui_scheduler.store.tables  # noqa: F401 - fills the metadata
from tests.store.children import child
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.store import migrate
from tui_scheduler.store.database import Database, open_database


def scripts() -> ScriptDirectory:
    database = Database("sqlite://")
    with database.read() as connection:
        found = ScriptDirectory.from_config(migrate.alembic_config(connection))
    database.close()
    return found


def test_the_history_has_one_head_and_it_is_the_one_the_program_works_on() -> None:
    assert scripts().get_heads() == [migrate.HEAD]


def test_every_migration_file_is_named_after_its_revision() -> None:
    for script in scripts().walk_revisions():
        assert Path(script.path).name.startswith(f"{script.revision}_")


def test_the_migrated_tables_are_those_the_program_describes(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_new_sqlite_database_is_made_as_all_migrations_would_leave_it(tmp_path: Path) -> None:
    """`python -m tui_scheduler.store.migrations` writes what this holds to account."""
    made = open_database(str(tmp_path / "made.db"))
    (tmp_path / "migrated.db").touch()
    migrated = Database(str(tmp_path / "migrated.db"))
    with migrated.write() as connection:
        migrate.upgrade(connection)
        assert migrate.NEW_SQLITE.read_text(encoding="utf-8") == migrate.described(connection)
    contents = []
    for database in (made, migrated):
        with database.read() as connection:
            tables = sorted(database.dialect.table_names(connection))
            rows = {table: connection.exec_driver_sql(f"SELECT * FROM {table}").all() for table in tables}
            definitions = connection.exec_driver_sql("SELECT type, name, tbl_name, sql FROM sqlite_master").all()
        salt = next(row.value for row in rows["meta"] if row.name == "salt")
        assert 0 < salt < 2**30
        rows["meta"] = [row for row in rows["meta"] if row.name != "salt"]
        contents.append((sorted(definitions, key=str), rows))
        database.close()
    assert contents[0] == contents[1]


# Alembic compares neither the conditions of partial indexes nor AUTOINCREMENT; the databases know both.
DEFINITIONS = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'",
    "postgresql": """
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL
        SELECT table_name || '.' || column_name, concat_ws(' ', data_type, is_nullable, column_default)
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
}


def definitions(database: Database) -> dict[str, str]:
    with database.read() as connection:
        rows = connection.execute(text(DEFINITIONS[database.kind])).all()
    return {name: _in_any_order(definition) for name, definition in rows if "alembic" not in name}


def _in_any_order(definition: str) -> str:
    """SQLite writes a column that was added after the constraints of its table."""
    words = " ".join(definition.replace('"', "").split())
    if not words.startswith("CREATE TABLE"):
        return words
    head, _, parts = words.removesuffix(")").partition("(")
    return f"{head}({', '.join(sorted(part.strip() for part in parts.split(',')))})"


def test_the_database_itself_tells_the_migrated_tables_from_the_described_ones_in_nothing(empty_url: str) -> None:
    database = open_database(empty_url)
    migrated = definitions(database)
    with database.write() as connection:
        SQLModel.metadata.drop_all(connection)
        SQLModel.metadata.create_all(connection)
    assert migrated == definitions(database)
    database.close()


def test_a_second_start_leaves_everything_as_it_is_and_does_not_import_alembic(database_url: str) -> None:
    script = (
        "import sys; from tui_scheduler.store.database import open_database; open_database(sys.argv[1]).close();"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, database_url], check=True)


@pytest.mark.slow
def test_eight_processes_that_start_at_once_on_nothing_all_succeed(empty_url: str) -> None:
    with ExitStack() as stack:
        children = [stack.enter_context(child("start", empty_url)) for _ in range(8)]
        for each in children:
            assert each.said() == "ready"
        for each in children:
            each.go_on()
        salts = {each.finish().strip() for each in children}
    database = open_database(empty_url)
    assert salts == {str(database.salt)}
    database.close()


# The first statement, one in the middle, and the last of a first migration.
@pytest.mark.parametrize(
    "at_statement", ["CREATE TABLE alembic_version", "CREATE TABLE job", "INSERT INTO alembic_version"]
)
def test_a_migration_that_is_killed_leaves_nothing_and_can_be_run_again(empty_url: str, at_statement: str) -> None:
    with child("die_migrating", empty_url, at_statement) as killed:
        assert killed.process.wait(60) == -9
        assert killed.said() == ""
    database = Database(empty_url)
    with database.read() as connection:
        assert database.dialect.table_names(connection) == set()
    database.close()
    again = open_database(empty_url)
    assert again.salt >= 0
    again.close()


def test_a_migration_that_fails_leaves_nothing(empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(change: Callable[[Connection], None]) -> Callable[[Connection], None]:
        def change_and_fail(connection: Connection) -> None:
            change(connection)
            raise OSError("the module would not load")

        return change_and_fail

    monkeypatch.setattr(migrate, "upgrade", failing(migrate.upgrade))
    monkeypatch.setattr(migrate, "make", failing(migrate.make))
    with pytest.raises(OSError, match="would not load"):
        open_database(empty_url)
    database = Database(empty_url)
    with database.read() as connection:
        assert database.dialect.table_names(connection) == set()
    database.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(database_url: str) -> None:
    database = open_database(database_url)
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreUnavailable, match=r"made by a newer version of tui-scheduler \(revision 9999") as told:
        open_database(database_url)
    assert not told.value.transient
    with database.write() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
        connection.execute(text("UPDATE alembic_version SET version_num = :head"), {"head": migrate.HEAD})
    database.close()


@pytest.fixture
def at_first(empty_url: str) -> Iterator[Database]:
    """A database as the first revision made it, with a job, its timer and two executions."""
    database = Database(empty_url)
    if database.path is not None:
        database.path.parent.mkdir()
        database.path.touch()
    with database.write() as connection:
        migrate.upgrade(connection, "0001")
        for statement in OLD_ROWS:
            connection.execute(text(statement))
    yield database
    database.close()


OLD_ROWS = (
    """
    INSERT INTO job (id, public_id, name, schedule, timezone, method, url, headers, tls_verify, follow_redirects, type,
      retry, timeout_us, priority, queue, tags, overlap, catch_up, grace_us, jitter_us, success, pause_on_gone, state,
      version, change_no, created_at, updated_at)
    VALUES (1, 'job-1', 'old', '0 * * * * *', 'UTC', 'POST', 'http://localhost/', '[]', TRUE, FALSE, 'ATLEAST_ONCE',
      '{}', 1, 5, 'default', '[]', 'allow', 'all', 1, 0, '{}', FALSE, 'active', 1, 0, 1, 1)
    """,
    "INSERT INTO timer (job_id, job_version, priority, planned_through, next_fire_at) VALUES (1, 1, 5, 10, 20)",
    """
    INSERT INTO execution (id, job_id, job_version, scheduled_for, fire_at, occurrence_key, trigger, state, attempt,
      claim_no, rescues, priority, finished_at, cancel_requested)
    VALUES (1, 1, 1, 8, 8, 8, 'schedule', 'failed', 1, 1, 0, 5, 9, FALSE),
      (2, 1, 1, 10, 10, 10, 'schedule', 'succeeded', 1, 1, 0, 5, 11, FALSE)
    """,
)


def test_a_database_of_the_first_version_keeps_its_rows(at_first: Database, empty_url: str) -> None:
    open_database(empty_url).close()
    with at_first.read() as connection:
        timers = connection.execute(text("SELECT job_id, planned_through, next_fire_at, failures FROM timer")).all()
        found = connection.execute(text("SELECT id, state, finished_at FROM execution ORDER BY id")).all()
        names = connection.execute(text("SELECT name FROM job")).scalars().all()
    assert [tuple(row) for row in timers] == [(1, 10, 20, 0)]
    assert [tuple(row) for row in found] == [(1, "failed", 9), (2, "succeeded", 11)]
    assert names == ["old"]


def test_a_database_of_the_first_version_becomes_one_like_any_other(at_first: Database, empty_url: str) -> None:
    open_database(empty_url).close()
    upgraded = definitions(at_first)
    with at_first.write() as connection:
        SQLModel.metadata.drop_all(connection)
        SQLModel.metadata.create_all(connection)
    assert upgraded == definitions(at_first)


@pytest.mark.parametrize("table", ["job", "alembic_version"])
def test_another_programs_database_is_refused_and_left_alone(empty_url: str, table: str) -> None:
    database = Database(empty_url)
    if database.path is not None:
        database.path.parent.mkdir()
        sqlite3.connect(database.path).close()
        database.path.touch()
    with database.write() as connection:
        connection.execute(text(f"CREATE TABLE {table} (version_num TEXT)"))
        connection.execute(text(f"INSERT INTO {table} VALUES ('theirs')"))
    with pytest.raises(StoreUnavailable, match=f"belongs to another program .*{table}") as told:
        open_database(empty_url)
    assert not told.value.transient
    with database.read() as connection:
        assert database.dialect.table_names(connection) == {table}
    database.close()


def test_an_sqlite_file_with_any_table_of_others_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "photos.db") as theirs:
        theirs.execute("CREATE TABLE photo (name TEXT)")
    theirs.close()
    with pytest.raises(StoreUnavailable, match=r"belongs to another program .*photo"):
        open_database(str(tmp_path / "photos.db"))


def test_migrations_are_found_from_any_folder(tmp_path: Path) -> None:
    script = "from tui_scheduler.store.database import open_database; open_database('sqlite:///x.db').close()"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, cwd=tmp_path, env=environment)
    assert (tmp_path / "x.db").stat().st_size > 0
