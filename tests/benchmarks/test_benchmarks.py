"""The benchmark's own machinery: a target that miscounts would make every figure worthless."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.arrivals import Arrival, parse_line, read_log
from benchmarks.http import BadRequest, answer, parse_head
from benchmarks.measure import Load, Result, median
from benchmarks.offers import Timetable, occurrences, offered
from benchmarks.processes import Target, running_receiver
from benchmarks.program import scheduler
from benchmarks.receiver import SO_TIMESTAMPNS, kernel_instant
from benchmarks.report import ratios, reached, table
from benchmarks.scenarios import Planned, Scenario, Shape, Window
from benchmarks.scenarios import parse as parse_scenario
from benchmarks.subjects import Setting, Terms
from benchmarks.usage import usage_of
from benchmarks.verdict import Delivery, Drift, Recording, delivery, percentile, recording, still_due

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


def arrival(job: str, scheduled_at: int, drift: int, *, stamped: bool = True) -> Arrival:
    at = scheduled_at + drift
    return Arrival(at if stamped else None, at + 10, scheduled_at, None, f"{job}-{scheduled_at}", job, 1, "/")


WINDOW = Window(100 * SECOND, 102 * SECOND)
PLAN = sorted(occurrences([Timetable("a", 0), Timetable("b", 500_000)], WINDOW), key=lambda each: each.at)


def test_the_plan_is_every_job_once_a_second_at_its_phase() -> None:
    assert [
        Planned("a", 100 * SECOND),
        Planned("b", 100 * SECOND + 500_000),
        Planned("a", 101 * SECOND),
        Planned("b", 101 * SECOND + 500_000),
    ] == PLAN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("light", Scenario("light", Shape.SPREAD, 100)),
        ("herd:3000", Scenario("herd:3000", Shape.HERD, 3_000)),
        ("spread:5_000", Scenario("spread:5000", Shape.SPREAD, 5_000)),
    ],
)
def test_a_scenario_is_asked_for_by_name(text: str, expected: Scenario) -> None:
    assert parse_scenario(text) == expected
    assert len(offered(expected)) == expected.count


@pytest.mark.parametrize("text", ["", "herd", "herd:", "herd:0", "herd:-1", "flock:7", "light:5", "spread:1.5"])
def test_what_is_no_scenario_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_scenario(text)


def test_spread_jobs_fire_evenly_over_the_second_on_whole_milliseconds() -> None:
    phases = [job.phase for job in offered(parse_scenario("spread:2500"))]
    assert all(phase % 1_000 == 0 and 0 <= phase < SECOND for phase in phases)
    assert {phases.count(phase) for phase in set(phases)} <= {2, 3}


def test_what_came_twice_late_never_or_unbidden_is_told_apart() -> None:
    came = [
        arrival("a", 100 * SECOND, 3_000),
        arrival("b", 100 * SECOND + 500_000, 9_000),
        arrival("b", 100 * SECOND + 500_000, 5_000, stamped=False),  # the first of the two counts
        arrival("c", 100 * SECOND, 1),  # nobody planned it
        arrival("a", 102 * SECOND, 1),  # not of this window
        Arrival(None, 5, None, None, None, None, None, "/"),
    ]
    skipped = frozenset({Planned("a", 101 * SECOND)})
    assert delivery(PLAN, came, skipped, frozenset(), WINDOW) == Delivery(
        offered=4,
        arrived=2,
        skipped=1,
        behind=0,
        lost=1,
        duplicates=1,
        unplanned=1,
        stamped=1,
        per_second=2.0,
        drift=Drift(p50=3_000, p90=5_010, p99=5_010, max=5_010),
    )


def test_the_history_is_held_against_the_log() -> None:
    came = [arrival("a", 100 * SECOND, 1), arrival("a", 101 * SECOND, 1)]
    states = {PLAN[0]: "succeeded", PLAN[1]: "succeeded", PLAN[2]: "running", PLAN[3]: "failed"}
    assert recording(PLAN, came, states) == Recording(succeeded=2, unproven=1, unrecorded=1)


def test_what_the_store_still_means_to_run_is_behind_and_not_lost() -> None:
    states = {PLAN[0]: "succeeded", PLAN[1]: "claimed", PLAN[2]: "failed"}
    assert still_due(PLAN, states, {"a": 102 * SECOND, "b": 101 * SECOND + 500_000}) == {PLAN[1], PLAN[3]}
    assert still_due(PLAN, states, {"a": 102 * SECOND, "b": 102 * SECOND + 500_000}) == {PLAN[1]}
    found = delivery(PLAN, [], frozenset(), frozenset({PLAN[1], PLAN[3]}), WINDOW)
    assert (found.arrived, found.behind, found.lost) == (0, 2, 2)


def test_a_percentile_is_a_value_that_was_measured() -> None:
    hundred = list(range(1, 101))
    assert [percentile(hundred, share) for share in (0.5, 0.9, 0.99, 1)] == [50, 90, 99, 100]
    assert percentile([7], 0.5) == 7


def result(subject: str, p99: int, *, lost: int = 0, late: int | None = 0) -> Result:
    drift = Drift(p99 // 4, p99 // 2, p99, p99 * 2)
    return Result(
        subject=subject,
        scenario=parse_scenario("herd:5000"),
        terms=Terms(),
        window=WINDOW,
        delivery=Delivery(10_000, 10_000 - lost, 0, 0, lost, 0, 0, 9_000, 5_000.0, drift),
        recording=Recording(10_000, 0, 0),
        load=Load(1.0, 100_000_000, late, 0.02),
    )


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (result("tui-scheduler", 130_000), True),
        (result("tui-scheduler", 130_001), False),
        (result("tui-scheduler", 1_000, lost=1), False),
        (result("tui-scheduler", 1_000, late=1), False),
    ],
)
def test_a_figure_is_reached_only_when_nothing_is_lost_and_all_is_recorded_in_time(
    measured: Result, expected: bool
) -> None:
    assert reached(measured) is expected


def test_the_table_has_a_row_for_each_result_and_the_ratio_to_the_reference() -> None:
    results = [result("reference", 20_000), result("tui-scheduler", 50_000)]
    rows = table(results).splitlines()
    assert len(rows) == 3
    assert len({len(row) for row in rows}) == 1
    assert "130" in rows[2].split()
    assert rows[2].split()[-1] == "yes"
    assert ratios(results) == ["herd:5000: p99 2.5 and CPU 1.0 times the reference's"]


def test_of_several_rounds_the_middle_one_speaks() -> None:
    assert median([result("x", 9), result("x", 1), result("x", 5), result("x", 7)]) == result("x", 5)


@pytest.mark.slow
def test_a_measurement_of_the_reference_ends_with_a_table_and_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    try:
        terms = ["--warm-up", "0", "--seconds", "1", "--scenario", "herd:3"]
        assert main([*terms, "--reference", "--json", str(figures)]) == 0
    finally:
        if affinity:
            os.sched_setaffinity(0, affinity)
    (herd,) = json.loads(figures.read_text())["results"]
    assert (herd["delivery"]["offered"], herd["delivery"]["lost"], herd["sound"]) == (3, 0, True)
    assert "herd:3" in capsys.readouterr().out


@pytest.mark.slow
def test_jobs_of_a_scenario_are_stored_with_their_phases_beside_a_history(tmp_path: Path) -> None:
    with scheduler(Setting(parse_scenario("spread:4"), tmp_path, port=1, terms=Terms(history=1_003))) as subject:
        phases = [each.first - subject.start for each in subject.judged]
        assert phases == [0, 250_000, 500_000, 750_000]
        assert subject.history is not None
        assert [subject.history.unrecorded(subject.start + phase) for phase in phases] == [0, 1, 2, 3]
        assert subject.history.states(Window(0, subject.start)) == {}  # what was filled in is not the program's
