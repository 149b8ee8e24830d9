"""Workers and what becomes of them: the processes are real, the store is a file."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import sqlite
from tui_scheduler import crew, worker_process
from tui_scheduler.crew import Crew, WorkerFailed, told
from tui_scheduler.settings import Settings, load_settings
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.history import History
from tui_scheduler.worker_process import WorkerProcess, how_it_ended

LONG = 60
DIES = 'import sys; sys.stdin.readline(); print("[\\"begun\\"]", flush=True); sys.exit(3)'
HANGS = 'import sys, time; sys.stdin.readline(); print("[\\"begun\\"]", flush=True); time.sleep(600)'
SAYS_WHY = """
import sys
sys.stdin.readline()
print("careful", file=sys.stderr, flush=True)
print('["begun"]\\n["state", "claiming: the disk is full"]\\n["alert", "all is said"]', flush=True)
sys.stdin.read()
"""
IS_SILENT = "import time; time.sleep(600)"


class Console:
    """Lines written, and waiting for one of them."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()

    def say(self, line: str) -> None:
        with self._news:
            self.lines.append(line)
            self._news.notify_all()

    def wait_for(self, holds: Callable[[list[str]], bool]) -> None:
        with self._news:
            assert self._news.wait_for(lambda: holds(self.lines), LONG), self.lines


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("HOME", str(tmp_path))
    return load_settings(db=sqlite.clean_file(tmp_path), workers=2, drain_s=0.0)


@contextmanager
def at_work(settings: Settings, console: Console) -> Iterator[Crew]:
    team = Crew(settings, console.say)
    team.start()
    try:
        yield team
    finally:
        team.stop()


def plays(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every worker run this instead."""
    monkeypatch.setattr(worker_process, "COMMAND", [*worker_process.COMMAND[:1], "-c", code])


def test_a_crew_is_at_work_once_it_has_started_and_gone_once_it_has_stopped(
    settings: Settings, console: Console
) -> None:
    database = open_database(settings.db)
    with at_work(settings, console) as team:
        assert str(team) == "2 worker processes"
        assert (team.details(), team.trouble()) == ({"workers": "2 of 2 up"}, None)
        assert [node.state for node in History(database).nodes()] == ["alive", "alive"]
        assert os.getpid() not in {node.pid for node in History(database).nodes()}
    assert [node.state for node in History(database).nodes()] == ["stopped", "stopped"]
    assert team.details() == {"workers": "0 of 2 up"}
    assert console.lines == []
    database.close()


def no_tables(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize(
    ("harm", "says"),
    [(Path.unlink, "is missing"), (no_tables, "has tables of another version of tui-scheduler by now")],
)
def test_a_worker_that_cannot_start_ends_the_start_with_its_sentence(
    harm: Callable[[Path], object], says: str, settings: Settings, console: Console
) -> None:
    path = Database(settings.db).path
    assert path is not None
    harm(path)
    team = Crew(settings, console.say)
    with pytest.raises(WorkerFailed, match=f"the database file {path} {says}"):
        team.start()
    assert (team.details(), console.lines) == ({"workers": "0 of 2 up"}, [])


def test_a_worker_that_crashes_before_it_begins_ends_the_start_and_its_last_lines_are_shown(
    settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays("raise SystemExit('no such thing')", monkeypatch)
    with pytest.raises(WorkerFailed, match=r"^worker \d: process \d+ ended with code 1 before it had begun$"):
        Crew(settings, console.say).start()
    assert {line.partition(": ")[2] for line in console.lines} == {"no such thing"}


def test_one_that_keeps_dying_is_started_again_at_once_and_then_after_growing_pauses(
    settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(DIES, monkeypatch)
    with at_work(settings, console) as team:
        console.wait_for(lambda lines: any("1 s, after 3 deaths" in line for line in lines))
        assert "started again in" in (team.trouble() or "")
        began = time.monotonic()
    assert time.monotonic() - began < LONG, "a stop does not wait for the next start"
    ends = [line.partition("; ")[2] for line in console.lines if line.startswith("worker 1: process")]
    assert ends[:2] == ["started again", "started again in 0.5 s, after 2 deaths in a row"]


def test_what_keeps_workers_from_their_work_and_what_they_log_is_told(
    settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    plays(SAYS_WHY, monkeypatch)
    with at_work(settings, console) as team:
        console.wait_for(
            lambda lines: sorted(lines) == [*["all is said"] * 2, "worker 1: careful", "worker 2: careful"]
        )
        assert team.trouble() == "workers 1, 2: claiming: the disk is full"
        monkeypatch.setattr(crew, "SILENT_S", 0.0)
        assert "has said nothing for" in (team.trouble() or "")


def test_one_that_cannot_be_started_at_all_is_told(
    settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_process, "COMMAND", ["/no/such/program"])
    with pytest.raises(WorkerFailed, match=r"^worker \d: cannot be started: no such file or directory"):
        Crew(settings, console.say).start()


def test_one_that_is_killed_is_told_until_another_is_in_its_place(settings: Settings, console: Console) -> None:
    database = open_database(settings.db)
    with at_work(settings, console) as team:
        killed = History(database).nodes()[0].pid
        os.kill(killed, signal.SIGKILL)
        console.wait_for(lambda lines: any(line.endswith(": back") for line in lines))
        assert team.details() == {"workers": "2 of 2 up"}
        assert any(f"process {killed} was killed by SIGKILL; started again" in line for line in console.lines)
    database.close()


def test_one_that_does_not_stop_is_killed_in_the_end(
    settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "FLUSH_S", 0.1)
    plays(HANGS, monkeypatch)
    with at_work(settings, console) as team:
        pass
    assert team.details() == {"workers": "0 of 2 up"}


def test_a_start_can_be_given_up(settings: Settings, console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    plays(IS_SILENT, monkeypatch)
    team = Crew(settings, console.say)
    threading.Timer(0.1, team.give_up_start).start()
    team.start()
    team.kill()
    team.stop()
    assert console.lines == []


def test_waking_never_waits_and_orders_for_the_dead_are_no_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    plays(IS_SILENT, monkeypatch)
    held = WorkerProcess(b"{}\n")
    for _ in range(100_000):  # more than a pipe holds
        held.wake()
    held.kill()
    assert held.listen(lambda word: None, lambda line: None) == -signal.SIGKILL
    held.wake()
    held.stop()
    held.stop()


def test_troubles_of_several_are_told_once() -> None:
    away, own = "claim: the database is away", "process 7 was killed by SIGKILL; started again"
    assert told({1: (away,), 2: (own,), 3: (away, "record: the disk is full")}) == [
        f"workers 1, 3: {away}",
        f"worker 2: {own}",
        "worker 3: record: the disk is full",
    ]


@pytest.mark.parametrize(
    ("code", "how"),
    [
        (0, "ended by itself"),
        (3, "ended with code 3"),
        (-signal.SIGSEGV, "was killed by SIGSEGV"),
        (-63, "was killed by signal 63"),
    ],
)
def test_an_end_is_told_in_words(code: int, how: str) -> None:
    assert how_it_ended(code) == how
