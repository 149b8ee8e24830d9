"""`tui-scheduler test-api`: every endpoint of a running server, errors and real firings included.

It makes jobs of its own, points them at a receiver of its own on loopback (so the server has to be on this machine),
and deletes them at the end, whatever happened.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from tui_scheduler.domain.errors import Invalid, SchedulerError

PATIENCE_S: Final = 10
"""How long a firing may take to arrive and to be in the history."""

NEVER_SOON: Final = "0 0 0 1 1 *"
TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
NOBODY: Final = "00000000-0000-7000-8000-000000000000"


class CannotReach(SchedulerError):
    """No server answers at the address."""


class Unexpected(Exception):
    """A step did not go as it should; `str()` says how."""


@dataclass(frozen=True)
class Reply:
    """An answer of the server; `json` is None when it is no JSON."""

    status: int
    headers: dict[str, str]
    json: Any


class Client:
    """Requests to one server, each on a connection of its own. Raises `CannotReach`."""

    def __init__(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:  # a port that is no number, half an IPv6 address
            raise _no_address() from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _no_address()
        self._url = url
        self._base = parts.path.rstrip("/")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port = parts.hostname, port

    def send(self, method: str, path: str, body: Any = None, *, length: int | None = None) -> Reply:
        """`body` is sent as JSON, bytes as they are; `length` announces a body of that size and sends none."""
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        if length is not None:
            headers["Content-Length"] = str(length)
        connection = self._kind(self._host, self._port, timeout=PATIENCE_S)
        try:
            connection.request(method, self._base + path, content, headers)
            response = connection.getresponse()
            return _reply(
                response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
            )
        except (OSError, HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise CannotReach(f"no answer from {self._url} ({reason.lower()}); is the server running?") from None
        finally:
            connection.close()


class Receiver(ThreadingHTTPServer):
    """Where the jobs send their requests: keeps the headers of each by its path, fails those below /fail."""

    daemon_threads = True

    def __init__(self) -> None:
        self.arrived: dict[str, SimpleQueue[dict[str, str]]] = {"/fine": SimpleQueue(), "/fail": SimpleQueue()}
        super().__init__(("127.0.0.1", 0), _Handler)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        """Quiet: a server that went away shows in the steps."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version: ClassVar[str] = "HTTP/1.1"  # type: ignore[misc]  # keep-alive, as real targets have it

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        receiver = self.server
        if isinstance(receiver, Receiver) and self.path in receiver.arrived:
            receiver.arrived[self.path].put({name.lower(): value for name, value in self.headers.items()})
        self.send_response(500 if self.path == "/fail" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Quiet: what arrives is checked, not shown."""


@dataclass
class Walk:
    """One walk: the server, our receiver, and the jobs that have to go at the end."""

    client: Client
    receiver: Receiver
    jobs: list[str] = field(default_factory=list)

    def expect(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """The JSON of the answer; raises `Unexpected` when its status is another."""
        return self._checked(status, self.client.send(method, path, body), f"{method} {path}")

    def refused(self, status: int, method: str, path: str, body: Any = None, **options: Any) -> None:
        """An error of the agreed form; `names` is the field it has to name."""
        names = options.pop("names", None)
        error = self._checked(status, self.client.send(method, path, body, **options), f"{method} {path}")
        need(isinstance(error.get("error"), str) and isinstance(error.get("message"), str), f"it is {error!r}")
        need(names is None or error.get("field") == names, f"the field is {error.get('field')!r}, not {names!r}")

    def create(self, **fields: Any) -> str:
        answer = self.expect(201, "POST", "/api/jobs", {"schedule": NEVER_SOON, "type": "ATLEAST_ONCE", **fields})
        need(answer.get("status") == "created" and isinstance(answer.get("jobId"), str), f"the answer is {answer!r}")
        self.jobs.append(answer["jobId"])
        return str(answer["jobId"])

    def arrival(self, path: str, job: str) -> dict[str, str]:
        """The headers of the next request of `job` to `path`."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                headers = self.receiver.arrived[path].get(timeout=max(deadline - time.monotonic(), 0.001))
            except Empty:
                raise Unexpected(f"no request arrived within {PATIENCE_S} s") from None
            if headers.get("x-job-id") == job:
                return headers

    def finished(self, job: str, status: str) -> dict[str, Any]:
        """The newest execution of `job`, once it has ended with `status`."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            history = self.expect(200, "GET", f"/api/jobs/{job}/executions?limit=10")
            ended = [each for each in history["executions"] if each["status"] == status]
            if ended:
                newest: dict[str, Any] = ended[0]
                return newest
            need(time.monotonic() < deadline, f"no execution with status {status} within {PATIENCE_S} s")
            time.sleep(0.05)

    def _checked(self, status: int, reply: Reply, what: str) -> Any:
        need(reply.status == status, f"{what} gave {reply.status}, not {status}: {reply.json!r}")
        need(reply.json is not None, f"{what} gave no JSON")
        return reply.json


def need(holds: bool, otherwise: str) -> None:
    """Raise `Unexpected` unless it holds."""
    if not holds:
        raise Unexpected(otherwise)


def health_and_metrics(walk: Walk) -> None:
    need(walk.expect(200, "GET", "/api/health").get("status") == "ok", "the status is not ok")
    need(isinstance(walk.expect(200, "GET", "/api/metrics"), dict), "metrics is no object")


def create_read_and_list(walk: Walk) -> None:
    job = walk.create(api=walk.receiver.url("/fine"), name="test-api")
    shown = walk.expect(200, "GET", f"/api/jobs/{job}")
    need(shown["jobId"] == job and shown["schedule"] == NEVER_SOON, f"it is {shown!r}")
    need(any(each["jobId"] == job for page in _pages(walk) for each in page), "the list does not have it")


def update_a_subset(walk: Walk) -> None:
    job = walk.jobs[0]
    answer = walk.expect(200, "PUT", f"/api/jobs/{job}", {"schedule": "0 0 12 1 1 *"})
    need(answer["jobId"] == job and answer["status"] == "updated", f"the answer is {answer!r}")
    shown = walk.expect(200, "GET", f"/api/jobs/{job}")
    need(shown["schedule"] == "0 0 12 1 1 *" and shown["name"] == "test-api", f"it is {shown!r}")
    walk.refused(409, "PUT", f"/api/jobs/{job}", {"name": "late", "version": 1})


def run_now_fires(walk: Walk) -> None:
    job = walk.jobs[0]
    execution = walk.expect(202, "POST", f"/api/jobs/{job}/run")["executionId"]
    headers = walk.arrival("/fine", job)
    need(bool(headers.get("idempotency-key")), "it came without Idempotency-Key")
    done = walk.finished(job, "success")
    need(done["executionId"] == execution, f"the history has another execution: {done!r}")
    need(done["httpStatus"] == 200 and isinstance(done["duration"], int | float), f"it is {done!r}")
    need(bool(TIMESTAMP.fullmatch(done["timestamp"])), f"the timestamp is {done['timestamp']!r}")
    need("attempts" in walk.expect(200, "GET", f"/api/executions/{execution}"), "it has no attempts")


def schedule_fires(walk: Walk) -> None:
    job = walk.create(api=walk.receiver.url("/fine"), schedule="* * * * * *", name="test-api every second")
    first, second = walk.arrival("/fine", job), walk.arrival("/fine", job)
    need(first["x-scheduled-at"] != second["x-scheduled-at"], "the same second came twice")
    walk.finished(job, "success")
    walk.expect(200, "DELETE", f"/api/jobs/{job}")


def failure_is_recorded(walk: Walk) -> None:
    job = walk.create(api=walk.receiver.url("/fail"), retry={"maxAttempts": 2, "baseMs": 10}, name="test-api failing")
    walk.expect(202, "POST", f"/api/jobs/{job}/run")
    first, second = walk.arrival("/fail", job), walk.arrival("/fail", job)
    need(first["idempotency-key"] == second["idempotency-key"], "the Idempotency-Key changed between attempts")
    done = walk.finished(job, "failure")
    need(done["httpStatus"] == 500 and done["attempt"] == 2, f"it is {done!r}")


def pause_and_resume(walk: Walk) -> None:
    job = walk.jobs[0]
    for command, state in (("pause", "paused"), ("pause", "paused"), ("resume", "active")):
        walk.expect(200, "POST", f"/api/jobs/{job}/{command}")
        shown = walk.expect(200, "GET", f"/api/jobs/{job}")
        need(shown["state"] == state, f"after {command} it is {shown['state']!r}")
        need((shown["nextRun"] is None) == (state == "paused"), f"after {command} nextRun is {shown['nextRun']!r}")


def delete_and_restore(walk: Walk) -> None:
    job = walk.jobs[0]
    need(walk.expect(200, "DELETE", f"/api/jobs/{job}") == {"jobId": job, "status": "deleted"}, "not as agreed")
    walk.refused(404, "GET", f"/api/jobs/{job}")
    walk.expect(200, "POST", f"/api/jobs/{job}/restore")
    walk.expect(200, "GET", f"/api/jobs/{job}")


def bad_values_are_named(walk: Walk) -> None:
    fine = {"schedule": NEVER_SOON, "api": walk.receiver.url("/fine")}
    for wrong, name in (
        ({"schedule": "61 * * * * *"}, "schedule"),
        ({"schedule": "0 0 0 30 2 *"}, "schedule"),
        ({"api": "ftp://example.com"}, "api"),
        ({"api": "http://user:password@example.com"}, "api"),
        ({"type": "ONCE"}, "type"),
        ({"timezone": "Europe/Londn"}, "timezone"),
        ({"timeoutMs": "30"}, "timeoutMs"),
        ({"colour": "red"}, "colour"),
    ):
        walk.refused(422, "POST", "/api/jobs", fine | wrong, names=name)
    walk.refused(422, "POST", "/api/jobs", {"schedule": NEVER_SOON}, names="api")


def bad_requests_are_refused(walk: Walk) -> None:
    walk.refused(400, "POST", "/api/jobs", b"{not json")
    walk.refused(400, "POST", "/api/jobs", b"[1]")
    walk.refused(400, "GET", f"/api/jobs/{walk.jobs[0]}/executions?limit=-1", names="limit")
    walk.refused(404, "GET", f"/api/jobs/{NOBODY}")
    walk.refused(404, "PUT", f"/api/jobs/{NOBODY}", {"name": "x"})
    walk.refused(404, "POST", "/api/jobs/not-an-id/run")
    walk.refused(404, "GET", f"/api/executions/{NOBODY}")
    walk.refused(404, "GET", "/api/nothing")
    walk.refused(405, "PATCH", "/api/jobs")
    walk.refused(413, "POST", "/api/jobs", length=1 << 40)


STEPS: Final[list[Callable[[Walk], None]]] = [
    health_and_metrics,
    create_read_and_list,
    update_a_subset,
    run_now_fires,
    schedule_fires,
    failure_is_recorded,
    pause_and_resume,
    delete_and_restore,
    bad_values_are_named,
    bad_requests_are_refused,
]


def walk_through(url: str, say: Callable[[str], None]) -> bool:
    """Whether every step passed; each is told to `say`. Raises `Invalid`, and `CannotReach` when nobody answers."""
    with _receiver() as receiver:
        walk = Walk(Client(url), receiver)
        walk.client.send("GET", "/api/health")
        try:
            passed = [_step(step, walk, say) for step in STEPS]
        finally:
            for job in walk.jobs:
                walk.client.send("DELETE", f"/api/jobs/{job}")
    say(f"{sum(passed)} passed, {len(passed) - sum(passed)} failed")
    return all(passed)


def _step(step: Callable[[Walk], None], walk: Walk, say: Callable[[str], None]) -> bool:
    title = step.__name__.replace("_", " ")
    try:
        step(walk)
    except Unexpected as error:
        say(f"FAILED  {title}: {error}")
        return False
    except (KeyError, IndexError, TypeError) as error:  # the answer has not the form it should have
        say(f"FAILED  {title}: {type(error).__name__} {error}")
        return False
    say(f"passed  {title}")
    return True


def _pages(walk: Walk) -> Iterator[list[dict[str, Any]]]:
    path = "/api/jobs"
    while path:
        reply = walk.client.send("GET", path)
        need(reply.status == 200 and isinstance(reply.json, list), f"GET {path} gave {reply.status}")
        yield reply.json
        link = re.match(r'<([^>]+)>; rel="next"', reply.headers.get("link", ""))
        path = link[1] if link else ""


def _no_address() -> Invalid:
    return Invalid("url", "is not the address of a server", example="http://127.0.0.1:3000")


def _reply(status: int, headers: dict[str, str], content: bytes) -> Reply:
    try:
        return Reply(status, headers, json.loads(content))
    except ValueError:
        return Reply(status, headers, None)


@contextmanager
def _receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()
