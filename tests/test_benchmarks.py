"""The benchmark's own machinery: a target that miscounts would make every figure worthless."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.arrivals import Arrival, parse_line, read_log
from benchmarks.http import BadRequest, answer, parse_head
from benchmarks.processes import Target, running_receiver
from benchmarks.receiver import SO_TIMESTAMPNS, kernel_instant
from benchmarks.usage import usage_of

SECOND = 1_000_000
HEADERS = (
    "Host: localhost\r\nX-Scheduled-At: 2026-01-02T03:04:05.000250Z\r\nIdempotency-Key: key-1\r\n"
    "X-Job-Id: job-1\r\nX-Attempt: 2\r\n"
)
SCHEDULED_AT = 1_767_323_045_000_250


@pytest.fixture(name="target")
def running_target(tmp_path: Path) -> Iterator[Target]:
    with running_receiver(tmp_path / "arrivals.log") as target:
        yield target


def connect(target: Target) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", target.port), timeout=20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def post(path: str = "/", headers: str = HEADERS, body: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\n{headers}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def statuses(sock: socket.socket, count: int) -> list[int]:
    """The statuses of the next `count` answers, whole: their bodies are as small as the receiver makes them."""
    found: list[int] = []
    with sock.makefile("rb") as stream:
        for _ in range(count):
            found.append(int(stream.readline().split()[1]))
            length = 0
            while line := stream.readline().strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            stream.read(length)
    return found


def logged(target: Target, count: int) -> list[Arrival]:
    """The log, once it holds that many: it reaches the file a moment after the reading."""
    deadline = time.monotonic() + 20
    while len(arrivals := target.arrivals()) < count:
        assert time.monotonic() < deadline, arrivals
        time.sleep(0.01)
    return arrivals


def test_an_arrival_is_logged_with_what_its_headers_say(target: Target) -> None:
    before = time.time_ns() // 1_000
    with connect(target) as sock:
        sock.sendall(post("/some/path?x=1", HEADERS + "X-Fire-At: 2026-01-02T03:04:06Z\r\n", body="{}"))
        assert statuses(sock, 1) == [200]
    (arrival,) = logged(target, 1)
    assert arrival == Arrival(
        kernel_at=arrival.kernel_at,
        read_at=arrival.read_at,
        scheduled_at=SCHEDULED_AT,
        fire_at=SCHEDULED_AT - 250 + SECOND,
        key="key-1",
        job_id="job-1",
        attempt=2,
        path="/some/path?x=1",
    )
    assert before <= arrival.arrived_at <= arrival.read_at <= time.time_ns() // 1_000
    assert arrival.drift == arrival.arrived_at - (SCHEDULED_AT - 250 + SECOND)


def test_a_request_without_our_headers_is_logged_too(target: Target) -> None:
    with connect(target) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX-Scheduled-At: yesterday\r\nX-Attempt: some\r\n\r\n")
        assert statuses(sock, 1) == [200]
    (arrival,) = logged(target, 1)
    assert arrival[2:] == (None, None, None, None, None, "/")
    assert arrival.drift is None


def test_pipelined_requests_are_answered_in_order_whatever_their_delay(target: Target) -> None:
    with connect(target) as sock:
        sock.sendall(post("/delay/80/status/500") + post("/status/404", body="x" * 9) + post("/delay/1") + post())
        assert statuses(sock, 4) == [500, 404, 200, 200]
    assert [arrival.path for arrival in logged(target, 4)] == ["/delay/80/status/500", "/status/404", "/delay/1", "/"]


def test_a_delayed_answer_holds_up_nobody_else(target: Target) -> None:
    with connect(target) as slow, connect(target) as quick:
        slow.sendall(post("/delay/600000"))
        logged(target, 1)
        quick.sendall(post())
        assert statuses(quick, 1) == [200]


def test_a_request_in_many_pieces_counts_once_and_only_when_complete(target: Target) -> None:
    request = post(body="b" * 100_000)
    with connect(target) as sock, connect(target) as other:
        for start, end in ((0, 1), (1, 20), (20, 30_000), (30_000, len(request) - 1)):
            sock.sendall(request[start:end])
            other.sendall(post("/other"))
            assert statuses(other, 1) == [200]
        assert {arrival.path for arrival in logged(target, 4)} == {"/other"}
        sock.sendall(request[-1:] + post("/next"))
        assert statuses(sock, 2) == [200, 200]
    assert [arrival.path for arrival in logged(target, 6)] == ["/other"] * 4 + ["/", "/next"]


def test_a_connection_is_closed_after_a_request_that_asks_for_it_or_makes_no_sense(target: Target) -> None:
    for request, status in ((post(headers="Connection: close\r\n"), 200), (b"Nonsense\r\n\r\n", 400)):
        with connect(target) as sock:
            sock.sendall(request)
            assert statuses(sock, 1) == [status]
            assert sock.recv(1) == b""


def test_answers_wait_for_a_client_that_does_not_read_them(target: Target) -> None:
    many = 30_000
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        sock.settimeout(20)
        sock.connect(("127.0.0.1", target.port))
        sock.sendall(post(headers="") * many)
        logged(target, many)
        expected, received = many * len(answer(200)), 0
        while received < expected:
            received += len(sock.recv(65_536))
        sock.sendall(post())
        assert statuses(sock, 1) == [200]
    assert received == expected


def test_many_connections_at_once(target: Target) -> None:
    socks = [connect(target) for _ in range(500)]
    for sock in socks:
        sock.sendall(post())
    for sock in socks:
        assert statuses(sock, 1) == [200]
        sock.close()
    assert len(logged(target, 500)) == 500


@pytest.mark.skipif(SO_TIMESTAMPNS is None, reason="TCP carries no receive stamps here")
def test_the_kernels_stamp_is_the_arrival_even_when_the_receiver_reads_late(target: Target) -> None:
    """Stopped, it cannot read; the stamps of a connection's first and second request still lie before it resumes."""
    with connect(target) as fresh, connect(target) as used:
        used.sendall(post("/warm"))
        assert statuses(used, 1) == [200]
        os.kill(target.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, target.pid, os.WSTOPPED)
        sent_at = time.time_ns() // 1_000
        fresh.sendall(post("/first"))
        used.sendall(post("/second"))
        time.sleep(0.05)
        resumed_at = time.time_ns() // 1_000
        os.kill(target.pid, signal.SIGCONT)
        assert statuses(fresh, 1) + statuses(used, 1) == [200, 200]
    for arrival in logged(target, 3)[1:]:
        assert arrival.kernel_at is not None
        assert sent_at <= arrival.kernel_at < resumed_at <= arrival.read_at


def test_the_log_is_complete_when_the_receiver_has_been_asked_to_stop(tmp_path: Path) -> None:
    log = tmp_path / "arrivals.log"
    with running_receiver(log, status=503) as target, connect(target) as sock:
        sock.sendall(post())
        assert statuses(sock, 1) == [503]
    assert len(read_log(log)) == 1


def test_a_log_goes_on_where_an_earlier_receiver_left_it(tmp_path: Path) -> None:
    log = tmp_path / "arrivals.log"
    for expected in (1, 2):
        with running_receiver(log) as target, connect(target) as sock:
            sock.sendall(post())
            statuses(sock, 1)
        assert len(read_log(log)) == expected


def test_a_line_still_being_written_is_left_out(tmp_path: Path) -> None:
    log = tmp_path / "arrivals.log"
    log.write_bytes(b"1\t2\t-\t-\t-\t-\t-\t/\n3\t4\t-\t-")
    assert read_log(log) == [Arrival(1, 2, None, None, None, None, None, "/")]


def test_without_a_stamp_the_time_of_reading_stands_in() -> None:
    arrival = parse_line(b"-\t2000000\t1970-01-01T00:00:01Z\t-\tk\tj\t1\t/")
    assert kernel_instant([]) is None
    assert (arrival.kernel_at, arrival.arrived_at, arrival.drift) == (None, 2_000_000, SECOND)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET /",
        b"GET / SMTP",
        b"GET / HTTP/1.1\r\nContent-Length: -1",
        b"GET / HTTP/1.1\r\nContent-Length: 99999999999",
        b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked",
        b"GET / HTTP/1.1\r\nIdempotency-Key: a\tb",
    ],
)
def test_what_is_no_request_is_refused(head: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_head(head)


def test_usage_counts_this_very_process() -> None:
    usage = usage_of(os.getpid())
    assert usage.cpu_seconds > 0
    assert usage.peak_rss > 1_000_000
