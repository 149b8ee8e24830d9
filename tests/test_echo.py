"""The receiver: what it answers, and the line it prints."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tui_scheduler.echo import Received, response


@contextmanager
def receiving(*options: str) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    command = [sys.executable, "-m", "tui_scheduler", "echo", "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().removeprefix("listening on ").strip()
            with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
                yield process, client
        finally:
            process.kill()


def test_a_request_is_answered_and_is_a_line() -> None:
    with receiving("--status", "503") as (process, client):
        due = datetime.now(UTC) - timedelta(milliseconds=250)
        headers = {"X-Scheduled-At": due.isoformat(), "X-Attempt": "2"}
        for number in range(2):  # the second one on the same connection
            answer = client.post(f"/hook?n={number}", content=b"line\nbreak \x1b[31m", headers=headers)
            assert answer.status_code == 503
        assert process.stdout is not None
        for number in range(2):
            line = process.stdout.readline()
            assert f"POST /hook?n={number}  +" in line
            assert "attempt 2" in line
            assert "line\\nbreak \\u001b[31m" in line
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr is not None
        assert process.stderr.read() == "2 requests received\n"


def test_garbage_ends_the_connection_and_not_the_receiver() -> None:
    with receiving("--quiet", "--delay", "0.01") as (_, client):
        with httpx.Client(base_url=client.base_url, trust_env=False) as other:
            other.post("/", content=iter([b"chunk", b"ed"]))
        with socket.create_connection((client.base_url.host, client.base_url.port or 80), 10) as raw:
            raw.sendall(b"\x16\x03\x01 not http\r\n\r\n")
            assert raw.recv(100) == b""
        assert client.get("/").json() == {"received": True}


@pytest.mark.parametrize(
    ("headers", "late"),
    [
        ({"x-scheduled-at": "1970-01-01T00:00:01+00:00"}, 500_000),
        ({"x-scheduled-at": "1970-01-01T00:00:01Z", "x-fire-at": "1970-01-01T00:00:01.400Z"}, 100_000),
        ({"x-scheduled-at": "1970-01-01T00:00:02Z"}, -500_000),
        ({}, None),
        ({"x-scheduled-at": "soon"}, None),
        ({"x-scheduled-at": "1970-01-01T00:00:01"}, None),
    ],
)
def test_lateness_is_from_the_instant_it_was_to_fire(headers: dict[str, str], late: int | None) -> None:
    received = Received()
    received.at = 1_500_000
    received.headers = headers
    assert received.lateness() == late


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_has_none(status: int) -> None:
    assert response(status).endswith(b"\r\n\r\n")
    assert b"Content-Length" not in response(status)


def test_any_status_can_be_asked_for() -> None:
    assert response(299).startswith(b"HTTP/1.1 299 Unknown\r\n")
