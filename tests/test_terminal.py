"""The terminal program's parts: a start that can be called off, a session and its alerts, the terminal's modes."""

from __future__ import annotations

import logging
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, closing, nullcontext
from io import StringIO
from pathlib import Path
from typing import NoReturn, TextIO, cast

import httpx
import pytest

from tui_scheduler import logs, modes
from tui_scheduler.domain.errors import Invalid, SchedulerError, StoreUnavailable
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.engine.world import Alert
from tui_scheduler.local_session import ALERTS_A_SECOND, ALERTS_KEPT, KeptAlerts, LocalSession
from tui_scheduler.logs import SharedFileHandler
from tui_scheduler.modes import TerminalModes
from tui_scheduler.places import below_home, log_file
from tui_scheduler.settings import Settings
from tui_scheduler.store.database import Database
from tui_scheduler.terminal import CalledOff, Opening
from tui_scheduler.tui.driver import LastingStream

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's, and the log of this process stays where it is."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tui_scheduler.local_session.log_to_file", lambda: None)


# --- a start that can be called off


class Session:
    """A session that starts when it is let, and counts its stops."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.may_start = threading.Event()
        self.begun = threading.Event()
        self.stops = 0
        self._error = error

    def start(self) -> None:
        self.begun.set()
        assert self.may_start.wait(PATIENCE_S)
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        self.stops += 1
        self.may_start.set()


def opening_of(session: Session) -> Opening:
    return Opening(lambda: cast("LocalSession", session))


def waiting(opening: Opening) -> tuple[threading.Thread, list[object]]:
    """A thread that waits for the start, and what that came to."""
    came: list[object] = []

    def run() -> None:
        try:
            came.append(opening.start())
        except SchedulerError as error:
            came.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, came


def test_a_start_gives_the_session_and_closing_stops_it() -> None:
    session = Session()
    session.may_start.set()
    opening = opening_of(session)
    assert opening.start() is cast("object", session)
    opening.close()
    assert session.stops == 1
    assert not opening.is_called_off


def test_a_start_that_fails_says_why() -> None:
    session = Session(StoreUnavailable("locked", transient=True))
    session.may_start.set()
    opening = opening_of(session)
    with pytest.raises(StoreUnavailable, match="locked"):
        opening.start()
    assert isinstance(opening.failure, StoreUnavailable)


def test_whoever_waits_for_a_start_is_let_go_when_it_is_called_off() -> None:
    session = Session()
    opening = opening_of(session)
    thread, came = waiting(opening)
    assert session.begun.wait(PATIENCE_S)
    opening.call_off()
    thread.join(PATIENCE_S)
    assert isinstance(came[0], CalledOff)
    assert opening.is_called_off
    opening.close()
    assert session.stops == 1


def test_what_was_called_off_before_it_began_never_begins() -> None:
    session = Session()
    opening = opening_of(session)
    opening.call_off()
    with pytest.raises(CalledOff):
        opening.start()
    assert not session.begun.is_set()


# --- a session


@pytest.fixture
def session(tmp_path: Path) -> Iterator[LocalSession]:
    made = LocalSession(lambda: Settings(db=str(tmp_path / "jobs.db"), drain_s=0.1))
    made.start()
    yield made
    made.stop()


def test_a_session_fires_and_tells_where_it_keeps_its_history(session: LocalSession, tmp_path: Path) -> None:
    assert session.where == below_home(str(tmp_path / "jobs.db"))
    assert session.trouble() is None
    url = session.receiver()
    assert url == session.receiver()
    assert httpx.get(url, trust_env=False).json() == {"received": True}


def test_a_stopped_session_leaves_its_node_stopped(session: LocalSession, tmp_path: Path) -> None:
    session.control.create_job(JobSpec("* * * * * *", Request(session.receiver())))
    session.stop()
    session.stop()
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        assert connection.execute("SELECT count(*) FROM execution WHERE state = 'claimed'").fetchone() == (0,)
        (stopped,) = connection.execute("SELECT state FROM node").fetchall()
    assert stopped == ("stopped",)


def test_samples_are_loaded_once_against_the_built_in_receiver(session: LocalSession) -> None:
    assert session.load_samples() == 4
    assert session.load_samples() == 0
    assert {view.job.spec.request.url.rpartition("/")[0] for view in session.control.jobs()} == {session.receiver()}


def restarted(tmp_path: Path) -> LocalSession:
    """Once more over the same store; whatever is done beside its start is done."""
    again = LocalSession(lambda: Settings(db=str(tmp_path / "jobs.db"), drain_s=0.1))
    again.start()
    assert again._reviving is not None
    again._reviving.join()
    return again


def test_samples_of_an_earlier_run_find_the_receiver_where_they_call_it(session: LocalSession, tmp_path: Path) -> None:
    url = session._receiver.start(0)  # a port that no other test has
    session.load_samples()
    session.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    again = restarted(tmp_path)
    try:
        assert httpx.get(url).status_code == 200
        assert again.receiver() == url
    finally:
        again.stop()


def test_where_somebody_else_listens_or_nobody_calls_there_is_no_receiver(
    session: LocalSession, tmp_path: Path
) -> None:
    url = session._receiver.start(0)  # a port that no other test has
    session.load_samples()
    session.stop()
    with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))):
        again = restarted(tmp_path)
        assert again._receiver.url == ""
        for view in again.control.jobs():
            again.control.pause_job(view.job.id)
        again.stop()
    again = restarted(tmp_path)
    assert again._receiver.url == ""
    again.stop()


def test_a_session_told_to_stop_while_it_opens_starts_nothing(tmp_path: Path) -> None:
    settings = Settings(db=str(tmp_path / "jobs.db"))
    made: LocalSession | None = None

    def load() -> Settings:
        assert made is not None
        made.stop()
        return settings

    made = LocalSession(load)
    made.start()
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection:
        states = connection.execute("SELECT state FROM node").fetchall()
    assert states in ([], [("stopped",)])


def test_what_keeps_it_from_starting_tidies_up_and_is_raised() -> None:
    tidied: list[bool] = []

    def load() -> Settings:
        raise Invalid("db", "is nothing")

    with pytest.raises(Invalid, match="is nothing"):
        LocalSession(load, tidy=lambda: tidied.append(True)).start()
    assert tidied == [True]


def test_a_session_that_cannot_be_furnished_stops_again(tmp_path: Path) -> None:
    def furnish(*_: object) -> None:
        raise StoreUnavailable("full", transient=False)

    tidied: list[bool] = []
    made = LocalSession(
        lambda: Settings(db=str(tmp_path / "jobs.db")), furnish=furnish, tidy=lambda: tidied.append(True)
    )
    with pytest.raises(StoreUnavailable):
        made.start()
    assert tidied == [True]


def test_a_start_that_fails_after_the_store_was_opened_closes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Database] = []
    close = Database.close

    def close_it(database: Database) -> None:
        closed.append(database)
        close(database)

    def broken(*_given: object) -> NoReturn:
        raise RuntimeError("no engine")

    monkeypatch.setattr(Database, "close", close_it)
    monkeypatch.setattr("tui_scheduler.local_session.make_engine", broken)
    with pytest.raises(RuntimeError, match="no engine"):
        LocalSession(lambda: Settings(db=str(tmp_path / "x.db"))).start()
    assert len(closed) == 1


# --- alerts


def alert(at: int, message: str = "HTTP 500") -> Alert:
    return Alert(at, "job-1", "billing", at, "failed", 3, message)


def test_alerts_are_kept_in_order_until_they_are_taken() -> None:
    kept = KeptAlerts()
    kept(alert(1, "first"))
    kept(alert(2, "second"))
    assert [view.message for view in kept.take()] == ["first", "second"]
    assert kept.take() == []


def test_a_flood_is_summed_up() -> None:
    kept = KeptAlerts()
    for number in range(1_000):
        kept(alert(number))
    taken = kept.take()
    assert len(taken) == ALERTS_A_SECOND + 1
    assert (taken[-1].number, taken[-1].message) == (980, "HTTP 500")


def test_the_oldest_give_way_where_nobody_takes_them() -> None:
    kept = KeptAlerts()
    for second in range(ALERTS_KEPT + 5):
        kept(alert(second * 1_000_000, str(second)))
    taken = kept.take()
    assert len(taken) == ALERTS_KEPT
    assert taken[0].message == "5"


# --- the terminal's modes


def read_all(terminal: int, until: str) -> Future[str]:
    """What is written to it, up to and with a text: read all the time, as a terminal does that is not to fill up."""
    found: Future[str] = Future()

    def read() -> None:
        text = ""
        while until not in text:
            text += os.read(terminal, 65_536).decode()
        found.set_result(text)

    threading.Thread(target=read, daemon=True).start()
    return found


def test_the_terminal_gets_back_what_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = os.openpty()
    written = read_all(ours, "\x1b[?1049l")
    with closing(os.fdopen(theirs, "r+b", buffering=0)) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        monkeypatch.setattr(modes, "_open", lambda: os.dup(theirs))
        before = termios.tcgetattr(theirs)
        termios.tcsetwinsize(theirs, (36, 120))
        state = TerminalModes()
        state.show_first(coloured=True)
        assert not termios.tcgetattr(theirs)[3] & termios.ECHO
        with state.writing() as may_write:
            assert may_write
        state.restore()
        with state.writing() as may_write:
            assert not may_write
        state.restore()
        assert termios.tcgetattr(theirs) == before
        text = written.result(PATIENCE_S)
    os.close(ours)
    assert text.index("\x1b[?1049h") < text.index("opening…") < text.index("\x1b[?1049l")
    assert text.count("\x1b[?1049l") == 1  # again, it would move the cursor


class Gone:
    """A stream whose terminal was closed."""

    def write(self, _text: str) -> int:
        raise OSError(5, "input/output error")

    def flush(self) -> None:
        raise AssertionError("nothing is flushed to what is gone")

    def fileno(self) -> int:
        return 99


class Open:
    """A screen that may be written to, and what it was told."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    def now_alternate(self, is_on: bool) -> None:
        self.told.append(is_on)

    def writing(self) -> AbstractContextManager[bool]:
        return nullcontext(True)


def test_whoever_keeps_the_modes_hears_of_the_alternate_screen_once_it_is_written() -> None:
    screen, written = Open(), StringIO()
    stream = LastingStream(written, screen)
    for text in ("\x1b[?1049h", "hello", "\x1b[?1049l"):
        stream.write(text)
    assert screen.told == [True, False]
    assert written.getvalue().endswith("hello\x1b[?1049l")


def test_a_terminal_that_is_gone_takes_everything() -> None:
    stream = LastingStream(cast("TextIO", Gone()), Open())
    assert stream.write("hello") == 5
    stream.flush()
    assert stream.write("again") == 5
    assert stream.is_gone


# --- the log


def test_what_a_thread_dies_of_is_in_the_file_and_not_on_the_screen(tmp_path: Path) -> None:
    code = """
import logging, sys, threading, warnings
from tui_scheduler.logs import log_to_file
import structlog
log_to_file()
structlog.get_logger("tui_scheduler.x").info("engine_runs", slots=3)
warnings.warn("old ways")
def die(): raise RuntimeError("out of luck")
thread = threading.Thread(target=die, name="worker")
thread.start()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ})
    assert (done.stdout, done.stderr) == ("", "")
    path = log_file()
    assert path.is_relative_to(tmp_path)
    assert path.stat().st_mode & 0o077 == 0
    written = path.read_text(encoding="utf-8")
    for text in ("engine_runs", "slots=3", "old ways", "a thread died: worker", "out of luck"):
        assert text in written


def test_where_no_log_can_be_written_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(logs, "log_file", lambda: tmp_path / "file" / "x.log")
    assert isinstance(logs._file_handler(), logging.NullHandler)


def test_programs_that_share_a_log_lose_no_line_when_it_is_replaced_and_every_file_is_private(tmp_path: Path) -> None:
    path = tmp_path / "shared.log"
    path.touch(0o644)
    handlers = [SharedFileHandler(path, maxBytes=1_000, backupCount=50, encoding="utf-8") for _ in range(3)]
    for number in range(300):
        for name, handler in enumerate(handlers):
            handler.emit(logging.LogRecord("x", logging.INFO, "", 0, f"line {number} of {name}", None, None))
    for handler in handlers:
        handler.close()
    files = [file for file in tmp_path.iterdir() if file.suffix != ".lock"]
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(files) > 3
    assert sorted(lines) == sorted(f"line {number} of {name}" for number in range(300) for name in range(3))
    assert [file for file in tmp_path.iterdir() if file.stat().st_mode & 0o077] == []


def test_a_log_that_can_no_longer_be_written_says_nothing_on_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    handler = SharedFileHandler(folder / "x.log", maxBytes=10, backupCount=1, encoding="utf-8")
    shutil.rmtree(folder)
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "hello", None, None))
    handler.close()
    assert capfd.readouterr() == ("", "")
