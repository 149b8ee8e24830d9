"""The program as a process, the target of its jobs, and waiting for what they come to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, TypeVar

import httpx

CHECKOUT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 60
"""How long anything may take beside other tests on a busy machine; a deadline, not a wait."""

FAR_OFF: Final = "0 0 0 1 1 *"
SECOND: Final = 1_000_000  # µs

T = TypeVar("T")


def until(look: Callable[[], T | None], what: str, seconds: float = PATIENCE_S) -> T:
    """What `look` gives once it is true. There is no signal to wait for in another process's history."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def environment(folder: Path) -> dict[str, str]:
    """Ours, but with nothing of the user's: files go below `folder`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("TUI_SCHEDULER_", "XDG_"))}
    return {**kept, "HOME": str(folder), "PYTHONUNBUFFERED": "1"}


class Program:
    """A process that says on standard output where it listens, which is the sign that it is up."""

    def __init__(self, command: list[str], folder: Path, extra: Mapping[str, str] | None = None) -> None:
        self._errors = folder / f"errors-{time.monotonic_ns()}"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                command,
                cwd=CHECKOUT,
                env={**environment(folder), **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                start_new_session=True,  # `make` and what it started are ended together
            )
        self.url = self._listening()

    @property
    def errors(self) -> str:
        """What it said on standard error."""
        return self._errors.read_text(encoding="utf-8")

    def line(self) -> str:
        """Its next line on standard output."""
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def code(self) -> int:
        """What it exits with."""
        return self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        self.terminate()
        return self.code()

    def kill(self) -> None:
        """SIGKILL: no goodbye. Its children go with it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        self.kill()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _listening(self) -> str:
        line = self.line()
        if not line.startswith("listening on http://"):
            self.end()
            raise AssertionError(f"it said {line!r} and then {self.errors}")
        return line.removeprefix("listening on ").strip()


class Server(Program):
    """`tui-scheduler --serve` on a free port, and a client for it."""

    def __init__(self, database: str, folder: Path, **settings: object) -> None:
        extra = {f"TUI_SCHEDULER_{name.upper()}": str(value) for name, value in settings.items()}
        command = [sys.executable, "-m", "tui_scheduler", "--serve", "--port", "0", "--db", database]
        super().__init__(command, folder, extra)
        self.api = httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False)

    def end(self) -> None:
        self.api.close()
        super().end()

    def create(self, url: str, schedule: str = "* * * * * *", **fields: Any) -> str:
        """The id of a new job."""
        answer = self.api.post("/api/jobs", json={"schedule": schedule, "api": url, **fields})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["jobId"])

    def run_now(self, job: str) -> str:
        """The id of an execution of `job` that is due at once."""
        answer = self.api.post(f"/api/jobs/{job}/run")
        assert answer.status_code == 202, answer.text
        return str(answer.json()["executionId"])

    def history(self, job: str) -> list[dict[str, Any]]:
        answer = self.api.get(f"/api/jobs/{job}/executions", params={"limit": 1000})
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["executions"]
        return found

    def health(self) -> tuple[int, list[str]]:
        """The status, and the reasons given."""
        answer = self.api.get("/api/health")
        return answer.status_code, answer.json()["reasons"]


@contextmanager
def server(database: str, folder: Path, **settings: object) -> Iterator[Server]:
    """Killed at the end, unless it has ended. `settings` as in the environment."""
    started = Server(database, folder, **settings)
    try:
        yield started
    finally:
        started.end()


@contextmanager
def program(command: list[str], folder: Path) -> Iterator[Program]:
    started = Program(command, folder)
    try:
        yield started
    finally:
        started.end()


class Arrival(NamedTuple):
    """A request as it came: µs since the epoch, and its headers by their names in lower case."""

    at: int
    path: str
    headers: dict[str, str]

    @property
    def job(self) -> str:
        return self.headers["x-job-id"]

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def scheduled_at(self) -> int:
        return instant(self.headers["x-scheduled-at"])


def instant(text: str) -> int:
    """µs since the epoch from ISO 8601."""
    moment = datetime.fromisoformat(text)
    return round(moment.replace(microsecond=0).timestamp()) * SECOND + moment.microsecond


def now() -> int:
    """µs since the epoch."""
    return time.time_ns() // 1_000


class Target(ThreadingHTTPServer):
    """Where jobs send their requests. What comes below /hang gets no answer before `let_go`. Answers have `status`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        self.status = 200
        self._arrivals: list[Arrival] = []
        self._news = threading.Condition()
        self._let_go = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    @property
    def arrivals(self) -> list[Arrival]:
        with self._news:
            return list(self._arrivals)

    def wait_for(self, enough: Callable[[list[Arrival]], bool], what: str) -> list[Arrival]:
        """The arrivals once `enough` is true of them; it is asked at each one."""
        with self._news:
            assert self._news.wait_for(lambda: enough(self._arrivals), PATIENCE_S), f"did not arrive: {what}"
            return list(self._arrivals)

    def let_go(self) -> None:
        """Answer what hangs, and hang no more."""
        self._let_go.set()

    def take(self, arrival: Arrival) -> None:
        with self._news:
            self._arrivals.append(arrival)
            self._news.notify_all()
        if arrival.path.startswith("/hang"):
            self._let_go.wait(PATIENCE_S)

    def handle_error(self, *_: object) -> None:
        """Quiet: a client that was killed is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version: ClassVar[str] = "HTTP/1.1"  # type: ignore[misc]  # keep-alive, as real targets have it

    def do_POST(self) -> None:
        at = now()
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.server, Target)
        self.server.take(Arrival(at, self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def target() -> Iterator[Target]:
    with Target() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.let_go()
            receiver.shutdown()
            thread.join()


def seconds_of(arrivals: list[Arrival], job: str) -> dict[int, list[Arrival]]:
    """The arrivals of a job by the whole second they are for."""
    found: dict[int, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        if arrival.job == job:
            assert arrival.scheduled_at % SECOND == 0
            found[arrival.scheduled_at // SECOND].append(arrival)
    return dict(found)


def reaches(job: str, at: int) -> Callable[[list[Arrival]], bool]:
    """Whether the request of `job` for the instant `at` (µs) or a later one has come."""
    return lambda arrivals: any(each.job == job and each.scheduled_at >= at for each in reversed(arrivals))


def assert_none_missing(server: Server, job: str, receiver: Target, through: int) -> None:
    """Of a job of every second: each since its creation and up to `through` (µs) arrives or is recorded as skipped,
    late ones too; and each has one Idempotency-Key of its own, however often it came.
    """
    created = instant(server.api.get(f"/api/jobs/{job}").json()["createdAt"])
    planned = set(range(created // SECOND + 1, through // SECOND + 1))
    deadline = time.monotonic() + PATIENCE_S
    while missing := planned - seconds_of(receiver.arrivals, job).keys() - skipped_seconds(server.history(job)):
        rows = [row for row in server.history(job) if instant(row["scheduledFor"]) // SECOND in missing]
        assert time.monotonic() < deadline, f"missing {sorted(missing)} of {job}: {rows}"
        time.sleep(0.05)
    came = seconds_of(receiver.arrivals, job)
    assert min(came) > created // SECOND
    keys = {second: {arrival.key for arrival in each} for second, each in came.items()}
    assert all(len(each) == 1 for each in keys.values()), keys
    assert len(set.union(*keys.values())) == len(came)


def skipped_seconds(history: list[dict[str, Any]]) -> set[int]:
    """The whole seconds that a history of up to 1,000 rows records as skipped."""
    found: set[int] = set()
    for row in history:
        if row["skip"] is not None:
            found |= set(range(instant(row["skip"]["from"]) // SECOND, instant(row["skip"]["to"]) // SECOND + 1))
    return found
