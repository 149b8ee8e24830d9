"""The terminal program itself, in a terminal, over a real database and a real receiver."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.programs import PATIENCE_S, SECOND, Target, now, target, until
from tests.end_to_end.terminals import NARROW, WIDE, Terminal, terminal
from tui_scheduler.control.local import LocalControl
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.store.database import open_database

LIVE = "● live"


@pytest.fixture
def receiver() -> Iterator[Target]:
    with target() as started:
        yield started


def with_job(path: Path, url: str, schedule: str = "* * * * * *") -> str:
    """A database with one job in it; its address."""
    database = open_database(str(path))
    LocalControl(database, now=now).create_job(JobSpec(schedule, Request(url), "orders"))
    database.close()
    return str(path)


def assert_settled(path: str) -> None:
    """The node has stopped, and nothing is in its hands."""
    with closing(sqlite3.connect(path)) as connection:
        assert {state for (state,) in connection.execute("SELECT state FROM node")} == {"stopped"}
        states = connection.execute("SELECT DISTINCT state FROM execution").fetchall()
    assert not {"claimed", "running"} & {state for (state,) in states}, states


def assert_complete(path: str) -> None:
    """Every second from the first run of the one job to its last has a row: run, or skipped with a reason."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT scheduled_for, skip_from, skip_to, skip_reason FROM execution").fetchall()
    covered: set[int] = set()
    for scheduled_for, skip_from, skip_to, reason in rows:
        assert (skip_from is None) == (reason is None)
        covered |= set(range(skip_from or scheduled_for, (skip_to or scheduled_for) + 1, SECOND))
    assert len(covered) >= 3
    assert sorted(covered) == list(range(min(covered), max(covered) + 1, SECOND))


def test_a_job_from_its_first_key_to_its_last_run(tmp_path: Path, receiver: Target) -> None:
    database = str(tmp_path / "jobs.db")
    with terminal([], tmp_path, db=database) as shown:
        shown.wait_for("Load four sample jobs", "Create a job", "Import a crontab")

        shown.press("c")
        shown.wait_for("What lists call it")
        shown.type("orders")
        go_to_field(shown, "Enter opens the list")
        go_to_field(shown, "URL must begin with")
        shown.type(receiver.url("/orders"))
        go_to_field(shown, "One a line")
        go_to_field(shown, "Sent as it is")
        go_to_field(shown, "expression is empty", gone="Sent as it is")
        shown.type("* * * * * *")
        shown.wait_for("every second")
        shown.press("f10")
        receiver.wait_for(lambda arrivals: len(arrivals) >= 2, "two runs of the new job")
        assert receiver.arrivals[0].path == "/orders"
        shown.wait_for("● active", "orders", "✓ 200")

        receiver.status = 500
        shown.wait_for_each("#2", "▲ failing", "HTTP 500")  # a retry, the state of the job, the alert: each in its time
        assert {arrival.headers["x-attempt"] for arrival in receiver.arrivals} == {"1", "2", "3"}

        receiver.status = 200
        shown.wait_until(lambda text: "✓ 200" in row_of(text, "orders"), "the recovery")

        shown.press("escape")
        shown.wait_for("D delete")  # the footer is that of the jobs; a key behind Escape would be Alt and that key
        shown.press("D")
        shown.wait_for("Delete", "Cancel")
        shown.press("right", "enter")
        shown.wait_until(lambda text: not row_of(text, "orders"), "the deletion")
        shown.press("z")
        shown.wait_for("Undone")
        shown.wait_until(lambda text: row_of(text, "orders"), "the job again")
        before = len(receiver.arrivals)
        receiver.wait_for(lambda arrivals: len(arrivals) > before, "another run")

        shown.press("q")
        assert shown.code() == 0
        shown.assert_as_before()
    assert_settled(database)
    assert_complete(database)


def go_to_field(shown: Terminal, hint: str, gone: str = "\0") -> None:
    """To the next field, once its hint is there: what is typed before that belongs to the field before."""
    shown.press("tab")
    shown.wait_until(lambda text: hint in text and gone not in text, f"the field of {hint!r}")


def row_of(text: str, name: str) -> str:
    """The line of a job in the table of jobs, "" where it is not there."""
    return next((line for line in text.splitlines() if line[1:].startswith(" ● active") and name in line), "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_in_order(number: signal.Signals, tmp_path: Path, receiver: Target) -> None:
    database = with_job(tmp_path / "jobs.db", receiver.url("/hang"))
    with terminal([], tmp_path, db=database) as shown:
        shown.wait_for(LIVE, "orders")
        receiver.wait_for(lambda arrivals: len(arrivals) >= 2, "requests under way")
        shown.signal(number)
        shown.wait_for("stopping")
        assert shown.process.poll() is None
        receiver.let_go()
        assert shown.code() == 0
        shown.assert_as_before()
    assert_settled(database)


def test_a_second_signal_stops_at_once_and_leaves_the_terminal_sane(tmp_path: Path, receiver: Target) -> None:
    database = with_job(tmp_path / "jobs.db", receiver.url("/hang"))
    with terminal([], tmp_path, db=database) as shown:
        shown.wait_for(LIVE, "orders")
        receiver.wait_for(lambda arrivals: len(arrivals) >= 1, "a request under way")
        shown.signal(signal.SIGTERM)
        shown.wait_for("stopping")
        shown.signal(signal.SIGTERM)
        assert shown.code() == 130
        shown.assert_as_before()


def press_until_it_ends(shown: Terminal, key: str) -> None:
    """Quitting again counts once the wait has been on the screen for a moment."""

    def has_ended() -> bool:
        shown.press(key)
        return shown.process.poll() is not None

    until(has_ended, f"{key} again is heard")


def test_q_again_stops_at_once_too(tmp_path: Path, receiver: Target) -> None:
    database = with_job(tmp_path / "jobs.db", receiver.url("/hang"))
    with terminal([], tmp_path, db=database) as shown:
        shown.wait_for(LIVE, "orders")
        receiver.wait_for(lambda arrivals: len(arrivals) >= 1, "a request under way")
        shown.press("q", "q")  # one press too many
        shown.wait_for("stopping")
        assert shown.process.poll() is None
        press_until_it_ends(shown, "q")
        assert shown.code() == 130
        shown.assert_as_before()
        assert "stopped at once; what was under way" in shown.output.decode().rpartition("\x1b[?1049l")[2]


def test_a_stop_at_once_leaves_nothing_of_the_demo(tmp_path: Path) -> None:
    with terminal(["--demo"], tmp_path) as shown:
        shown.wait_for(LIVE, "heartbeat")
        shown.signal(signal.SIGTERM)
        shown.signal(signal.SIGTERM)
        assert shown.code() in {0, 130}
        shown.assert_as_before()
    assert list(tmp_path.rglob("demo.db")) == []


def test_a_signal_that_ends_a_draft_says_so(tmp_path: Path) -> None:
    with terminal([], tmp_path, db=tmp_path / "jobs.db") as shown:
        shown.wait_for("Create a job")
        shown.type("corders")
        shown.wait_for("● unsaved")
        shown.signal(signal.SIGTERM)
        assert shown.code() == 0
        shown.assert_as_before()
        told = shown.output.decode().rpartition("\x1b[?1049l")[2]
    assert "what was changed in the new job was not saved" in told


def test_a_paste_presses_no_keys(tmp_path: Path) -> None:
    with terminal([], tmp_path, db=tmp_path / "jobs.db") as shown:
        shown.wait_for("Create a job")
        shown.press("c")
        shown.wait_for("What lists call it")
        shown.type("\x1b[200~one\x1b[A\x1bq q\x1b[201~")
        shown.wait_until(lambda text: name_of(text) == "one[Aq q", "the text without its escapes")


def test_a_window_that_is_closed_stops_in_order(tmp_path: Path, receiver: Target) -> None:
    database = with_job(tmp_path / "jobs.db", receiver.url())
    with terminal([], tmp_path, db=database) as shown:
        shown.wait_for(LIVE, "✓ 200")
        shown.hang_up()
        assert shown.code() == 0
    assert_settled(database)


def test_nothing_is_lost_to_a_kill(tmp_path: Path, receiver: Target) -> None:
    database = with_job(tmp_path / "jobs.db", receiver.url())
    with terminal([], tmp_path, db=database) as first:
        first.wait_for(LIVE, "✓ 200")
        first.signal(signal.SIGKILL)
        assert first.code() == -signal.SIGKILL
    killed = now()
    with terminal([], tmp_path, db=database) as second:
        receiver.wait_for(
            lambda arrivals: any(arrival.scheduled_at > killed + 2 * SECOND for arrival in arrivals), "runs after it"
        )
        until(lambda: open_rows(database, killed) == 0, "what was under way is taken over")
        second.press("q")
        assert second.code() == 0
    assert_complete(database)


def open_rows(path: str, before: int) -> int:
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT count(*) FROM execution WHERE finished_at IS NULL AND scheduled_for < ?"
        return int(connection.execute(query, (before,)).fetchone()[0])


CRASH = """
from tui_scheduler import cli, local_session
local_session.LocalSession.alerts = lambda self: 1 / 0
cli.main()
"""


def test_a_crash_gives_the_terminal_back_and_the_work_too(tmp_path: Path, receiver: Target) -> None:
    database = with_job(tmp_path / "jobs.db", receiver.url())
    with terminal([], tmp_path, program=("-c", CRASH), db=database) as shown:
        assert shown.code() == 1
        shown.assert_as_before()
        told = shown.output.decode()
        told = told[told.rindex("\x1b[?1049l") :]
    assert "ZeroDivisionError" in told
    assert "the log is " in told
    assert_settled(database)


def test_a_configuration_that_cannot_be_is_a_sentence_after_the_screen(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "tui-scheduler"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("prot = 3000\n", encoding="utf-8")
    with terminal([], tmp_path) as shown:
        assert shown.code() == 2
        assert "unknown key 'prot'" in shown.output.decode()


def test_a_database_that_cannot_be_used_is_a_sentence_after_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("I am a letter. " * 100, encoding="utf-8")
    with terminal([], tmp_path, db=path) as shown:
        assert shown.code() == 1
        shown.assert_as_before()
        assert "is not an SQLite database" in shown.output.decode().rpartition("\x1b[?1049l")[2]


def test_what_is_typed_before_anything_is_there_is_not_lost(tmp_path: Path) -> None:
    with terminal([], tmp_path, db=tmp_path / "jobs.db") as shown:
        shown.wait_for("opening")
        shown.type("corders")
        shown.wait_until(lambda text: name_of(text) == "orders", "all of it")
        shown.press("escape")
        shown.wait_for("Unsaved changes")


def name_of(text: str) -> str:
    """What is in the first field of the editor."""
    sides = [
        line.replace("┃", "│").split("│")[-2].strip() for line in text.split("\n") if line.rstrip().endswith(("│", "┃"))
    ]
    return next((side.removeprefix("Name").strip() for side in sides if side.startswith("Name ")), "")


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_the_demo_moves_and_gives_the_terminal_back(size: tuple[int, int], tmp_path: Path) -> None:
    with terminal(["--demo"], tmp_path, size=size) as shown:
        shown.wait_for(LIVE, "heartbeat")
        shown.wait_for("✓ 200")
        first = shown.text
        shown.wait_until(lambda text: text != first, "something moves")
        shown.wait_until(lambda text: "× 404" in text, "something fails")
        assert all(len(line) <= size[0] for line in shown.lines)
        shown.press("q")
        assert shown.code() == 0
        shown.assert_as_before()
    assert list(tmp_path.rglob("demo.db")) == []


def test_two_programs_may_share_a_database(tmp_path: Path, receiver: Target) -> None:
    database = with_job(tmp_path / "jobs.db", receiver.url())
    with terminal([], tmp_path, db=database) as first, terminal([], tmp_path, db=database) as second:
        first.wait_for(LIVE, "2 nodes")
        second.wait_for(LIVE, "2 nodes")
        for each in (first, second):
            each.press("q")
            assert each.code(PATIENCE_S) == 0
    assert_settled(database)


def test_a_database_that_somebody_else_holds_keeps_nobody_from_leaving(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("CREATE TABLE held (x)")
        other.execute("BEGIN EXCLUSIVE")
        with terminal([], tmp_path, db=path) as shown:
            shown.wait_for("opening")
            shown.signal(signal.SIGTERM)
            assert shown.code() == 0
            shown.assert_as_before()
        with terminal([], tmp_path, db=path) as shown:
            shown.wait_for("opening")
            shown.press("q")
            shown.wait_for("again")
            press_until_it_ends(shown, "q")
            assert shown.code() == 130
            shown.assert_as_before()
