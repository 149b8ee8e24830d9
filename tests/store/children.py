"""Other processes for the tests, each doing one thing: `python -m tests.store.children VERB ARGUMENTS`.

They say one line when they are where the test wants them and go on when they are told, so that nobody sleeps.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import Connection, Engine, event, text

from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.liveness import hold

_ROOT = Path(__file__).parents[2]


class Child:
    """A process under way. `said()` waits for its next line."""

    def __init__(self, verb: str, *arguments: object) -> None:
        command = [sys.executable, "-m", "tests.store.children", verb, *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    @property
    def _output(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def said(self) -> str:
        return self._output.readline().rstrip("\n")

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def finish(self) -> str:
        """The rest of what it said; fails when the process did."""
        rest, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, rest
        return rest

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def child(verb: str, *arguments: object) -> Iterator[Child]:
    started = Child(verb, *arguments)
    try:
        yield started
    finally:
        started.end()


def _say(word: object) -> None:
    print(word, flush=True)


def _wait() -> None:
    sys.stdin.readline()


def add(url: str, name: str, times: str) -> None:
    """Read a number and write it back plus one, `times` times, each in a transaction of its own."""
    database = Database(url)
    _say("ready")
    _wait()
    for _ in range(int(times)):
        add_one(database, name)


def add_one(database: Database, name: str) -> None:
    with database.write() as connection:
        read = text("SELECT value FROM meta WHERE name = :name" + database.dialect.lock_rows_waiting)
        value = connection.execute(read, {"name": name}).scalar_one()
        connection.execute(
            text("UPDATE meta SET value = :value WHERE name = :name"), {"value": value + 1, "name": name}
        )


def lock(url: str) -> None:
    """Keep the write transaction until told, then break it off."""
    with Database(url).write():
        _say("locked")
        _wait()


def start(url: str) -> None:
    """Open the database like the program does, when told."""
    _say("ready")
    _wait()
    try:
        _say(open_database(url).salt)
    except StoreUnavailable as error:
        _say(error)


def die_migrating(url: str, at_statement: str) -> None:
    """Be killed just before the first statement that contains a text."""

    def die(_connection: Connection, _cursor: Any, statement: str, *_rest: Any) -> None:
        if at_statement in statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(Engine, "before_cursor_execute", die)
    open_database(url)
    _say("survived")


def hold_lock(url: str, node_id: str) -> None:
    """Hold a node lock, with a child process of its own that outlives it."""
    held = hold(Database(url), int(node_id))
    lasting = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=sys.stdin, stdout=2)
    _say(f"held {held.is_still_held()} {lasting.pid}")
    lasting.wait()


if __name__ == "__main__":
    verbs = {f.__name__: f for f in (add, lock, start, die_migrating, hold_lock)}
    verbs[sys.argv[1]](*sys.argv[2:])
