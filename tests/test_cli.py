"""The program as people start it: exit codes, one sentence for each expected failure, an orderly stop."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

import tui_scheduler
from tui_scheduler import cli, logs
from tui_scheduler.api.server import address_of, listen
from tui_scheduler.domain.errors import SchedulerError

PATIENCE_S = 120
"""How long a start or a stop may take beside other tests on a busy machine."""

PROGRAM = [sys.executable, "-m", "tui_scheduler"]


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUI_SCHEDULER_", "XDG_"))}
    return {**kept, "HOME": str(home), "COLUMNS": "200"}


def program(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments], check=False, capture_output=True, text=True, timeout=PATIENCE_S, env=environment(home)
    )


def sentence(done: subprocess.CompletedProcess[str], code: int) -> str:
    """The one line the program left with."""
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("tui-scheduler: ")
    assert done.stdout == ""
    return line


Told = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs the program in this process, which is quicker: for what ends by itself and starts nothing."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("COLUMNS", "200")
        monkeypatch.setattr(logs, "start_logging", lambda: None)  # it would take over the log of this process
        monkeypatch.setattr(sys, "argv", ["tui-scheduler", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        code = ended.value.code
        return subprocess.CompletedProcess([], code if isinstance(code, int) else 0, captured.out, captured.err)

    return run


@contextmanager
def served(*arguments: str, home: Path) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [*PROGRAM, "--serve", "--port", "0", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(home)
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("listening on http://"), line
            address = line.removeprefix("listening on ").strip()
            with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
                yield process, client
        finally:
            process.kill()


def test_version_and_help_start_nothing(told: Told, tmp_path: Path) -> None:
    assert told("--version").stdout == f"tui-scheduler {tui_scheduler.__version__}\n"
    shown = told("--help")
    assert shown.returncode == 0
    for command in ("--serve", "init-db", "sample-data", "test-api", "echo", "Examples:"):
        assert command in shown.stdout
    assert list(tmp_path.iterdir()) == []


def test_the_way_in_loads_next_to_nothing() -> None:
    """What is on the screen first does not wait for the imports of what comes later."""
    code = "import sys, tui_scheduler.cli, tui_scheduler.terminal; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"typer", "textual", "rich", "asyncio", "pydantic", "structlog", "sqlalchemy"} & set(loaded)


def test_help_loads_neither_the_store_nor_the_server() -> None:
    code = "import sys, tui_scheduler.commands; print(*(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert not {"sqlmodel", "sqlalchemy", "fastapi", "uvicorn", "trio", "pydantic_settings"} & set(loaded)


@pytest.mark.parametrize("arguments", [[], ["--demo"], ["--db", "x.db"]])
def test_without_a_terminal_it_says_what_runs_without_one(arguments: list[str], told: Told) -> None:
    line = sentence(told(*arguments), 2)
    assert "not a terminal" in line
    assert "--serve" in line


@pytest.mark.parametrize(
    "arguments", [["--nope"], ["nope"], ["--port", "x"], ["init-db", "extra"], ["echo", "--status", "99"]]
)
def test_what_is_not_understood_is_2(arguments: list[str], told: Told) -> None:
    done = told(*arguments)
    assert done.returncode == 2
    assert "Error: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["init-db", "--db", "mysql://host/name"], "mysql"),
        (["init-db", "--db", "sqlite://name"], "three slashes"),
        (["--serve", "--port", "65536"], "port: must be"),
        (["--serve", "--workers", "0"], "workers: must be between 1 and 64"),
        (["--serve", "--workers", "9999"], "workers: must be between 1 and 64"),
        (["--serve", "--port", "0", "--workers", "2", "--db", ":memory:"], "workers: a database in memory"),
        (["--workers", "2"], "--workers goes with --serve"),
        (["--port", "8080"], "--port goes with --serve"),
        (["--insecure-no-auth"], "--insecure-no-auth goes with --serve"),
        (["--demo", "--db", "x.db"], "demo: has a database of its own"),
        (["--demo", "--serve"], "demo: runs in the terminal UI"),
        (["test-api", "--url", "3000"], "url: "),
        (["test-api", "--url", "http://127.0.0.1:x"], "url: "),
        (["sample-data", "--url", "ftp://x", "--db", ":memory:"], "api: "),
    ],
)
def test_a_value_that_cannot_be_is_2_and_a_sentence(arguments: list[str], says: str, told: Told) -> None:
    assert says in sentence(told(*arguments), 2)


def not_a_database(path: Path) -> None:
    path.write_text("I am a letter. " * 100, encoding="utf-8")


def of_a_newer_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("job", "timer", "execution", "alembic_version"):
            connection.execute(f"CREATE TABLE {table} (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('9999')")


def read_only(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    path.chmod(0o400)


BAD_DATABASES: list[tuple[str, Callable[[Path], object], str]] = [
    ("x.db", not_a_database, "is not an SQLite database"),
    ("x.db", of_a_newer_version, "newer version"),
    ("x.db", Path.mkdir, "is a folder"),
    ("x.db/y.db", lambda path: path.parent.touch(), "is a file"),
]


@pytest.mark.parametrize(("name", "make", "says"), BAD_DATABASES)
@pytest.mark.parametrize("command", ["init-db", "sample-data"])
def test_a_database_that_cannot_be_used_is_1_and_a_sentence(
    command: str, name: str, make: Callable[[Path], object], says: str, told: Told, tmp_path: Path
) -> None:
    make(tmp_path / name)
    line = sentence(told(command, "--db", str(tmp_path / name)), 1)
    assert says in line
    assert str(tmp_path / name.partition("/")[0]) in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_database_or_folder_that_is_read_only_is_1_and_a_sentence(told: Told, tmp_path: Path) -> None:
    read_only(tmp_path / "x.db")
    assert "read-only" in sentence(told("init-db", "--db", str(tmp_path / "x.db")), 1)
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "permission denied" in sentence(told("init-db", "--db", str(tmp_path / "locked" / "x.db")), 1)


def test_a_server_on_a_bad_database_ends_with_the_same_sentence(told: Told, tmp_path: Path) -> None:
    not_a_database(tmp_path / "x.db")
    line = sentence(told("--serve", "--port", "0", "--db", str(tmp_path / "x.db")), 1)
    assert "is not an SQLite database" in line


def test_a_port_in_use_is_found_before_anything_starts(told: Told, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        line = sentence(told("--serve", "--port", port, "--db", str(tmp_path / "x.db")), 1)
        assert f"port {port}: address already in use" in line
        assert not (tmp_path / "x.db").exists()


@pytest.mark.parametrize(
    ("host", "says"), [("0.0.0.0", "--insecure-no-auth"), ("::", "--insecure-no-auth"), ("no.such.invalid", "address")]
)
def test_an_address_others_can_reach_has_to_be_meant(host: str, says: str) -> None:
    with pytest.raises(SchedulerError, match=says):
        listen(host, 0)


def test_it_may_be_meant() -> None:
    with listen("0.0.0.0", 0, anyone=True) as listener:
        assert address_of(listener).startswith("http://0.0.0.0:")


def test_init_db_and_sample_data_can_be_repeated(told: Told, tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "folder" / "x.db")
    for _ in range(2):
        done = told("init-db", "--db", path)
        assert (done.returncode, done.stderr) == (0, "")
    first = told("sample-data", "--db", path)
    assert first.stdout.count("http://127.0.0.1:3001/") == 4
    for schedule in ("0 * * * * *", "30 0 * * * *", "0 0 12 * * *", "31 10-15 1 * * MON-FRI"):
        assert f"  {schedule}  " in first.stdout
    assert told("sample-data", "--db", path).stdout.startswith("0 sample jobs added")


def test_the_database_may_stand_before_the_command_or_in_the_environment(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert str(tmp_path / "a.db") in told("--db", str(tmp_path / "a.db"), "init-db").stdout
    monkeypatch.setenv("TUI_SCHEDULER_DB", str(tmp_path / "b.db"))
    assert str(tmp_path / "b.db") in told("init-db").stdout
    assert (tmp_path / "b.db").exists()


def test_test_api_says_when_nobody_answers(told: Told) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert "is the server running?" in sentence(told("test-api", "--url", f"http://127.0.0.1:{port}"), 1)


def test_it_serves_and_stops_in_order(tmp_path: Path) -> None:
    """One start for the whole story: the walk of test-api, a second server on the port, and the stop."""
    path = str(tmp_path / "x.db")
    with served("--db", path, home=tmp_path) as (process, client):
        address = str(client.base_url)
        walked = program("test-api", "--url", address, home=tmp_path)
        assert walked.returncode == 0, walked.stdout + walked.stderr
        assert walked.stdout.splitlines()[-1].endswith(" passed, 0 failed")
        assert client.get("/api/jobs").json() == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
        assert process.stderr is not None
        banner, *log = process.stderr.read().splitlines()
        assert banner.startswith("tui-scheduler ")
        assert path in banner
        assert [line for line in log if not line.startswith("ALERT ") and "[info" not in line] == [
            "stopping: waiting for requests under way; once more stops at once"
        ]


def wait_until_it_refuses(client: httpx.Client) -> None:
    """The first thing a server does when it is told to stop."""
    with suppress(httpx.TransportError):
        while True:
            client.get("/api/health")


def test_a_second_signal_stops_at_once(tmp_path: Path) -> None:
    """The first one waits for an answer that never comes."""
    with (
        socket.create_server(("127.0.0.1", 0)) as target,
        served("--db", str(tmp_path / "x.db"), home=tmp_path) as (process, client),
    ):
        hanging = {"schedule": "@every 1s", "api": f"http://127.0.0.1:{target.getsockname()[1]}/"}
        assert client.post("/api/jobs", json=hanging).status_code == 201
        target.settimeout(PATIENCE_S)
        taken, _ = target.accept()
        with taken:
            taken.settimeout(PATIENCE_S)
            assert taken.recv(10)
            process.send_signal(signal.SIGINT)
            wait_until_it_refuses(client)
            assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 130


def test_an_engine_that_dies_takes_the_server_with_it(tmp_path: Path) -> None:
    """A table the engine needs is gone: that is no passing trouble, and pretending to serve would lose occurrences."""
    code = f"""
import sys
from tui_scheduler import serve
from tui_scheduler.engine.engine import Engine
from tui_scheduler.settings import load_settings
import trio

async def die(self, task_status):
    task_status.started()
    await trio.sleep(0.2)
    raise RuntimeError("out of luck")

Engine.run = die
sys.exit(serve.serve(load_settings(db={str(tmp_path / "x.db")!r}, port=0)))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=environment(tmp_path),
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("has died and fires nothing: RuntimeError: out of luck")


@pytest.mark.parametrize(
    ("arguments", "db"),
    [
        (["--db", "jobs.db"], "jobs.db"),
        (["--db=postgresql://user@host/name"], "postgresql://user@host/name"),
        ([], None),
        (["--demo"], None),
        (["--db"], None),
        (["--db", ""], None),
        (["--db="], None),
        (["--db", "--serve"], None),
        (["--db", "jobs.db", "--serve"], None),
        (["init-db", "--db=jobs.db"], None),
    ],
)
def test_only_a_database_alone_needs_no_closer_look(arguments: list[str], db: str | None) -> None:
    assert cli._database_alone(arguments) == db
