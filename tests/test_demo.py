"""The demo: its receiver behaves as its jobs need it to, and its jobs are of every kind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tui_scheduler.demo import TROUBLE_EVERY_S, TROUBLE_S, Behaviour, demo_jobs, demo_session, rare
from tui_scheduler.domain.job import CatchUp, JobSpec, JobState, JobType, Overlap
from tui_scheduler.domain.schedule import parse_schedule
from tui_scheduler.domain.validation import check
from tui_scheduler.echo import Received, ReceiverThread
from tui_scheduler.hosting import now
from tui_scheduler.places import below_home

NOW = 1_795_000_000_000_000
DEAD = "http://127.0.0.1:9"


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def asked(path: str) -> Received:
    received = Received()
    received.path = path.encode()
    return received


def jobs() -> list[JobSpec]:
    return list(demo_jobs("http://127.0.0.1:3001", DEAD, NOW))


@pytest.mark.parametrize("spec", jobs(), ids=lambda spec: spec.name)
def test_every_job_can_be_created(spec: JobSpec) -> None:
    check(spec, now=NOW)


def test_they_are_of_every_kind_under_names_of_their_own() -> None:
    specs = jobs()
    assert len(specs) >= 22
    assert len({spec.name for spec in specs}) == len(specs)
    assert {spec.overlap for spec in specs} == set(Overlap)
    assert {spec.type for spec in specs} == set(JobType)
    assert CatchUp.LATEST in {spec.catch_up for spec in specs}
    assert any(spec.timezone != "UTC" for spec in specs)
    assert any(spec.pause_on_gone for spec in specs)
    assert any(spec.request.url.startswith(DEAD) for spec in specs)
    assert {spec.schedule.partition(" ")[0] for spec in specs} >= {"@every", "@at", "@weekly", "*", "31"}
    assert len({spec.queue for spec in specs}) >= 4


def test_most_of_them_move_within_seconds() -> None:
    soon = 0
    for spec in jobs():
        following = parse_schedule(spec.schedule, spec.timezone, created_at=NOW).next_after(NOW)
        assert following is not None
        soon += following - NOW <= 15_000_000
    assert soon >= 17
    assert sum(rare(spec) for spec in jobs()) == 4


@pytest.mark.parametrize(
    ("path", "starts"),
    [
        ("/beat", b"HTTP/1.1 200 "),
        ("/missing", b"HTTP/1.1 404 "),
        ("/gone", b"HTTP/1.1 410 "),
        ("/ledger?limit=1", b"HTTP/1.1 200 "),
    ],
)
def test_the_path_says_how_it_answers(path: str, starts: bytes) -> None:
    assert Behaviour(Clock())(asked(path)).content.startswith(starts)


def test_the_ledger_fails_for_a_while_and_recovers_again_and_again() -> None:
    clock = Clock()
    behaviour = Behaviour(clock)
    seen = []
    for _ in range(2 * TROUBLE_EVERY_S):
        seen.append(behaviour(asked("/ledger")).content.startswith(b"HTTP/1.1 500"))
        clock.now += 1
    assert [second for second, failed in enumerate(seen) if failed] == [
        *TROUBLE_S,
        *(second + TROUBLE_EVERY_S for second in TROUBLE_S),
    ]


def test_a_busy_target_says_when_to_come_again_and_then_lets_one_through() -> None:
    behaviour = Behaviour(Clock())
    answers = [behaviour(asked("/busy")).content for _ in range(3)]
    assert [answer[9:12] for answer in answers] == [b"429", b"429", b"200"]
    assert b"Retry-After: 2\r\n" in answers[0]


@pytest.fixture
def receiver() -> Iterator[httpx.Client]:
    thread = ReceiverThread(Behaviour())
    with httpx.Client(base_url=thread.start(0), timeout=30, trust_env=False) as client:
        yield client
    thread.stop()


def test_it_answers_over_a_socket(receiver: httpx.Client) -> None:
    assert receiver.get("/health").json() == {"status": "ok"}
    assert len(receiver.get("/catalogue").content) > 100_000
    assert receiver.post("/silent").status_code == 202
    assert receiver.post("/silent").status_code == 202
    with pytest.raises(httpx.RemoteProtocolError):
        receiver.post("/silent")


def test_a_taken_port_is_no_trouble() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        thread = ReceiverThread(Behaviour())
        url = thread.start(port)
        assert url != f"http://127.0.0.1:{port}"
        assert httpx.get(url, trust_env=False).status_code == 200
        thread.stop()


def test_its_database_is_its_own_and_gone_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUI_SCHEDULER_DB", str(tmp_path / "mine.db"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("tui_scheduler.local_session.log_to_file", lambda: None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    session = demo_session()
    session.start()
    try:
        (folder,) = tmp_path.glob("tui-scheduler-demo-*")
        assert below_home(str(folder)) in session.where
        views = session.control.jobs()
        assert len(views) == len(jobs()) + 1
        assert [view.job.state for view in views].count(JobState.PAUSED) == 1
        assert all(view.job.created_at <= now() for view in views)
        # Before the engine looks for the first time all of it is there: what is rare has something to show as well.
        assert all(session.control.executions(view.job.id) for view in views if rare(view.job.spec))
    finally:
        session.stop()
    assert list(tmp_path.iterdir()) == []
