"""What a server meets in the field: a second one, a locked file, a full disk, a stop in the middle, another version."""

from __future__ import annotations

import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests import sqlite
from tests.end_to_end.programs import (
    FAR_OFF,
    PATIENCE_S,
    SECOND,
    Server,
    assert_none_missing,
    environment,
    now,
    reaches,
    seconds_of,
    server,
    target,
    until,
)
from tests.store.children import child


def refused(folder: Path, *arguments: str) -> str:
    """The one sentence that `--serve` ends with."""
    done = subprocess.run(
        [sys.executable, "-m", "tui_scheduler", "--serve", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        env=environment(folder),
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line


def fired(one: Server) -> list[float]:
    """What each node has fired."""
    return [node["counters"].get("fired", 0) for node in one.api.get("/api/metrics").json()["nodes"]]


def test_two_servers_on_one_file_share_the_work_and_nothing_comes_twice(tmp_path: Path) -> None:
    url = sqlite.clean_file(tmp_path)
    with target() as receiver, server(url, tmp_path) as one, server(url, tmp_path) as other:
        taken = refused(tmp_path, "--port", one.url.rpartition(":")[2], "--db", url)
        assert "address already in use" in taken
        jobs = [each.create(receiver.url()) for each in (one, other) * 5]
        by_hand = [each.create(receiver.url(), FAR_OFF) for each in (one, other)]

        def both_work() -> bool:
            for each, job in zip((one, other), by_hand, strict=True):
                each.run_now(job)  # the server that is asked looks at once
            return len(fired(one)) == 2 and min(fired(one)) >= 3

        until(both_work, "both of them fire")
        end = now() + 2 * SECOND
        for job in jobs:
            assert_none_missing(one, job, receiver, end)
        assert one.health() == other.health() == (200, [])
        assert [one.stop(), other.stop()] == [0, 0]
        for job in jobs:
            assert all(len(each) == 1 for each in seconds_of(receiver.arrivals, job).values())
        keys = [arrival.key for arrival in receiver.arrivals]
        assert len(keys) == len(set(keys))


def test_a_database_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    url = sqlite.clean_file(tmp_path)
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = (tmp_path / "jobs.db").read_bytes()
    line = refused(tmp_path, "--port", "0", "--db", url)
    assert "newer version" in line
    assert (tmp_path / "jobs.db").read_bytes() == before


def test_a_file_that_another_process_keeps_locked_loses_nothing(tmp_path: Path) -> None:
    url = sqlite.clean_file(tmp_path)
    answers: list[Any] = []
    with target() as receiver, server(url, tmp_path) as one:
        job = one.create(receiver.url())
        receiver.wait_for(reaches(job, now()), "the first one")
        with child("lock", url) as holder:
            assert holder.said() == "locked"
            locked = now()
            body = {"schedule": FAR_OFF, "api": receiver.url()}
            asking = Thread(target=lambda: answers.append(one.api.post("/api/jobs", json=body)))
            asking.start()
            assert one.history(job)  # reading needs no lock
            assert one.api.get(f"/api/jobs/{job}").status_code == 200
            until(lambda: now() > locked + 3 * SECOND, "three seconds of it")
            assert answers == []
            holder.go_on()
            holder.process.wait(PATIENCE_S)
        asking.join(PATIENCE_S)
        assert [answer.status_code for answer in answers] == [201]
        assert_none_missing(one, job, receiver, now() + SECOND)
        until(lambda: one.health() == (200, []), "it is well again")
        assert one.stop() == 0


@contextmanager
def mounted(folder: Path) -> Iterator[None]:
    """A disk of 4 MiB over `folder`."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(folder)], check=False, capture_output=True, text=True
    )
    if done.returncode != 0:
        pytest.skip(f"only root can mount a small disk: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(ballast: Path) -> None:
    """Leave no room on its disk."""
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[Server, bool], None]]:
    """A disk of 4 MiB over `folder`; what it gives fills it up, or makes room again."""
    ballast = folder / "ballast"
    with mounted(folder):
        yield lambda _server, full: fill(ballast) if full else ballast.unlink()


@contextmanager
def limited_files(folder: Path) -> Iterator[Callable[[Server, bool], None]]:
    """No file of the server may grow beyond what the database's log has now, or any size again."""
    if not hasattr(resource, "prlimit"):
        pytest.skip("this system sets no limits on another process")
    folder.mkdir()

    def limit(limited: Server, full: bool) -> None:
        size = (folder / "jobs.db-wal").stat().st_size if full else resource.RLIM_INFINITY
        resource.prlimit(limited.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    yield limit


@pytest.mark.parametrize(("disk", "says"), [(small_disk, "disk is full"), (limited_files, "disk failed")])
def test_a_full_disk_is_said_and_survived(disk: Any, says: str, tmp_path: Path) -> None:
    with disk(tmp_path / "disk") as full, target() as receiver:
        url = sqlite.clean_file(tmp_path / "disk")
        with server(url, tmp_path) as one:
            job = one.create(receiver.url())
            receiver.wait_for(reaches(job, now()), "the first one")
            known = {row["executionId"] for row in one.history(job)}
            full(one, True)
            until(lambda: one.health()[0] == 503, "it says that something is wrong")
            assert any(says in reason for reason in one.health()[1])
            answer = one.api.post("/api/jobs", json={"schedule": FAR_OFF, "api": receiver.url()})
            assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
            assert says in answer.json()["message"]
            assert known <= {row["executionId"] for row in one.history(job)}
            full(one, False)
            until(lambda: one.health() == (200, []), "it is well again")
            assert_none_missing(one, job, receiver, now() + SECOND)
            assert one.stop() == 0
            assert "Traceback" not in one.errors


def test_a_start_on_a_full_or_a_read_only_disk_is_refused_in_a_sentence(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk):
        url = sqlite.clean_file(disk)
        fill(disk / "ballast")
        assert f"{disk}/new.db cannot grow: the disk is full" in refused(
            tmp_path, "--port", "0", "--db", f"{disk}/new.db"
        )
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "read-only" in refused(tmp_path, "--port", "0", "--db", url)


def states(path: Path, job: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT execution.state FROM execution JOIN job ON job.id = execution.job_id WHERE public_id = ?", (job,)
        )
        return [row[0] for row in found]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_while_requests_hang_ends_in_time_and_the_next_start_sends_them_again(
    number: signal.Signals, tmp_path: Path
) -> None:
    url = sqlite.clean_file(tmp_path)
    with target() as receiver:
        with server(url, tmp_path, drain_s=1) as one:
            again = one.create(receiver.url("/hang/again"), FAR_OFF)
            never = one.create(receiver.url("/hang/never"), FAR_OFF, type="ATMOST_ONCE")
            keys = {one.run_now(again), one.run_now(never)}
            receiver.wait_for(lambda arrivals: {each.key for each in arrivals} == keys, "both are under way")
            began = now()
            one.process.send_signal(number)
            assert one.code() == 0
            assert now() - began < 15 * SECOND
        path = tmp_path / "jobs.db"
        assert (states(path, again), states(path, never)) == (["pending"], ["lost"])
        receiver.let_go()
        with server(url, tmp_path) as two:
            row = until(
                lambda: next((row for row in two.history(again) if row["status"] == "success"), None), "it succeeds"
            )
            assert row["rescues"] == 1
            (lost,) = two.history(never)
            assert (lost["state"], lost["status"]) == ("lost", "failure")
            assert two.stop() == 0
        came = [arrival.path for arrival in receiver.arrivals]
        assert sorted(came) == ["/hang/again", "/hang/again", "/hang/never"]
        assert {arrival.key for arrival in receiver.arrivals} == keys
