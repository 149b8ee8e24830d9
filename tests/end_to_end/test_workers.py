"""A server with several engine processes: they share the work, none is missed for long, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import postgres, sqlite
from tests.end_to_end.programs import (
    CHECKOUT,
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
from tests.end_to_end.terminals import terminal
from tests.end_to_end.test_enemies import refused

JOBS = 10


@contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield sqlite.clean_file(folder)
    else:
        with postgres.clean_database() as url:
            yield url


def living(one: Server) -> dict[int, float]:
    """The worker processes at work, and how much each has fired."""
    nodes = one.api.get("/api/metrics").json()["nodes"]
    return {node["pid"]: node["counters"].get("fired", 0) for node in nodes if node["state"] == "alive"}


def is_gone(pid: int) -> bool:
    """Also when its new parent has not taken notice yet."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], check=False, capture_output=True, text=True).stdout
    return state.strip() == "" or state.startswith("Z")


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid)], check=False, capture_output=True, text=True).stdout
    return [int(each) for each in found.split()]


def is_well(one: Server, workers: int) -> bool:
    answer = one.api.get("/api/health")
    return answer.status_code == 200 and answer.json()["details"]["workers"] == f"{workers} of {workers} up"


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=postgres.needs_postgres)])
def test_two_workers_share_the_work_and_one_that_is_killed_is_replaced_and_nothing_is_lost(
    kind: str, tmp_path: Path
) -> None:
    with database(kind, tmp_path) as url, target() as receiver, server(url, tmp_path, workers=2) as one:
        taken = refused(tmp_path, "--port", one.url.rpartition(":")[2], "--db", url, "--workers", "2")
        assert "address already in use" in taken
        assert is_well(one, 2)
        jobs = [one.create(receiver.url()) for _ in range(JOBS)]
        until(lambda: min(living(one).values()) > 0, "both of them fire")
        first, second = sorted(living(one))
        assert one.process.pid not in (first, second)
        shown = subprocess.run(
            ["ps", "-o", "args=", "-p", f"{first},{second}"], check=True, capture_output=True, text=True
        )
        assert url not in shown.stdout, "a password may stand in it"
        hanging = one.create(receiver.url("/hang"), FAR_OFF)
        key = one.run_now(hanging)
        receiver.wait_for(lambda arrivals: any(each.key == key for each in arrivals), "the one that hangs")
        os.kill(first, signal.SIGKILL)
        until(lambda: f"process {first} was killed by SIGKILL; started again" in one.errors, "it is told")
        until(lambda: len(living(one).keys() - {first}) == 2 and is_well(one, 2), "there are two again")
        os.kill(second, signal.SIGKILL)
        again = until(lambda: [each for each in receiver.arrivals if each.key == key][1:], "it is sent again")
        assert again[0].headers["x-attempt"] == "1"  # a rescue consumes no retry
        receiver.let_go()
        until(lambda: [row["status"] for row in one.history(hanging)] == ["success"], "it succeeds")
        until(lambda: is_well(one, 2), "there are two again")
        assert not living(one).keys() & {first, second}
        end = now() + 2 * SECOND
        for job in jobs:
            assert_none_missing(one, job, receiver, end)
        pids = living(one).keys()
        assert one.stop() == 0
        assert all(is_gone(pid) for pid in pids)
        assert "Traceback" not in one.errors


def test_workers_end_in_order_when_their_server_is_killed_and_the_next_one_goes_on(tmp_path: Path) -> None:
    url = sqlite.clean_file(tmp_path)
    with target() as receiver:
        with server(url, tmp_path, workers=2) as one:
            job = one.create(receiver.url())
            receiver.wait_for(reaches(job, now()), "the first one")
            pids = living(one).keys()
            os.kill(one.process.pid, signal.SIGKILL)
            until(lambda: all(is_gone(pid) for pid in pids), "they are gone", seconds=15)
        with server(url, tmp_path, workers=2) as two:
            states = [node["state"] for node in two.api.get("/api/metrics").json()["nodes"]]
            assert sorted(states) == ["alive", "alive", "stopped", "stopped"]
            assert_none_missing(two, job, receiver, now() + SECOND)
            assert two.stop() == 0
        assert all(len(each) == 1 for each in seconds_of(receiver.arrivals, job).values())


def test_a_stop_waits_for_what_is_under_way_and_a_second_one_does_not(tmp_path: Path) -> None:
    url = sqlite.clean_file(tmp_path)
    with target() as receiver, server(url, tmp_path, workers=2, drain_s=50) as one:
        job = one.create(receiver.url("/hang"), FAR_OFF)
        key = one.run_now(job)
        receiver.wait_for(lambda arrivals: any(each.key == key for each in arrivals), "it is under way")
        pids = living(one).keys()
        one.terminate()
        until(lambda: "stopping" in one.errors, "it says so")
        until(lambda: sum(is_gone(pid) for pid in pids) == 1, "the one that has nothing under way is gone")
        one.terminate()
        assert one.code() == 130
        until(lambda: all(is_gone(pid) for pid in pids), "nothing is left")
        receiver.let_go()
        with server(url, tmp_path, workers=2) as two:
            until(lambda: [row["status"] for row in two.history(job)] == ["success"], "it is sent again")
            assert two.stop() == 0
        assert {arrival.key for arrival in receiver.arrivals} == {key}


def test_ctrl_c_in_a_terminal_stops_all_of_them_and_no_worker_complains(tmp_path: Path) -> None:
    url = sqlite.clean_file(tmp_path)
    with terminal(["--serve", "--port", "0", "--workers", "2", "--db", url], tmp_path) as shell:
        shell.wait_for("2 worker processes", "listening on")
        pids = children_of(shell.process.pid)
        assert len(pids) == 2
        shell.press("\x03")
        assert shell.code() == 0
        assert all(is_gone(pid) for pid in pids)
        assert "stopping: waiting" in shell.text
        assert "worker" not in shell.text.partition("stopping")[2]
        assert "Traceback" not in shell.text


def test_what_workers_have_to_say_comes_out_once_and_in_whole_lines(tmp_path: Path) -> None:
    with target() as receiver, server(sqlite.clean_file(tmp_path), tmp_path, workers=2) as one:
        receiver.status = 404
        jobs = [one.create(receiver.url(), FAR_OFF) for _ in range(JOBS)]
        for job in jobs:
            one.run_now(job)
        until(lambda: all(f"job {job} failed after 1 attempt: " in one.errors for job in jobs), "each is told")
        assert one.stop() == 0
        alerts = [line for line in one.errors.splitlines() if "ALERT" in line]
        assert len(alerts) == JOBS
        assert all(line.startswith("ALERT ") and line.endswith("Z)") for line in alerts)


def test_a_stop_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    url = sqlite.clean_file(tmp_path)
    command = [sys.executable, "-m", "tui_scheduler", "--serve", "--port", "0", "--workers", "2", "--db", url]
    process = subprocess.Popen(
        command, cwd=CHECKOUT, env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: len(children_of(process.pid)) == 2, "there are two")
    pids = children_of(process.pid)
    process.terminate()
    said, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, said) == (0, "")
    assert "Traceback" not in errors
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_other_signals_stop_all_of_them_too(number: signal.Signals, tmp_path: Path) -> None:
    with server(sqlite.clean_file(tmp_path), tmp_path, workers=2) as one:
        pids = living(one).keys()
        one.process.send_signal(number)
        assert one.code() == 0
        assert all(is_gone(pid) for pid in pids)


def test_a_worker_that_hangs_is_told_in_health_and_its_work_is_done_by_the_other(tmp_path: Path) -> None:
    with target() as receiver, server(sqlite.clean_file(tmp_path), tmp_path, workers=2) as one:
        job = one.create(receiver.url())
        receiver.wait_for(reaches(job, now()), "the first one")
        held = min(living(one))
        os.kill(held, signal.SIGSTOP)
        try:
            until(lambda: any("has said nothing for" in reason for reason in one.health()[1]), "it is told")
        finally:
            os.kill(held, signal.SIGCONT)
        assert_none_missing(one, job, receiver, now() + SECOND)
        until(lambda: is_well(one, 2), "it is well again")
        assert one.stop() == 0
