"""What happens when `Control` cannot do it: the database is gone, or we have a bug."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

import httpx
import pytest

from tui_scheduler.control.views import Health
from tui_scheduler.domain.errors import Conflict, Invalid, NotFound, StoreUnavailable

JOB = "00000000-0000-7000-8000-000000000000"


class Failing:
    """Stands where a `Control` would and raises the same thing for everything but health."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getattr__(self, name: str) -> Any:
        def fail(*_: object, **__: object) -> None:
            raise self.error

        return fail

    def health(self) -> Health:
        return Health(ok=False, database="gone", reasons=("the database is gone",))


CALLS = [
    ("POST", "/api/jobs", {"schedule": "@daily", "api": "http://a/"}),
    ("GET", "/api/jobs", None),
    ("GET", f"/api/jobs/{JOB}", None),
    ("PUT", f"/api/jobs/{JOB}", {}),
    ("DELETE", f"/api/jobs/{JOB}", None),
    ("POST", f"/api/jobs/{JOB}/run", None),
    ("POST", f"/api/jobs/{JOB}/pause", None),
    ("POST", f"/api/jobs/{JOB}/resume", None),
    ("POST", f"/api/jobs/{JOB}/restore", None),
    ("POST", f"/api/jobs/{JOB}/backfill", {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}),
    ("DELETE", f"/api/jobs/{JOB}/backfill", None),
    ("GET", f"/api/jobs/{JOB}/executions", None),
    ("GET", f"/api/executions/{JOB}", None),
    ("GET", "/api/metrics", None),
]


@pytest.mark.parametrize(
    ("error", "status", "body", "headers"),
    [
        (
            StoreUnavailable("the disk is full", transient=False),
            503,
            {"error": "unavailable", "message": "the disk is full"},
            {},
        ),
        (
            StoreUnavailable("the database is locked", transient=True),
            503,
            {"error": "unavailable", "message": "the database is locked"},
            {"retry-after": "1"},
        ),
        (NotFound("job", JOB), 404, {"error": "not_found", "message": f"no job with id '{JOB}'"}, {}),
        (Conflict("it was deleted"), 409, {"error": "conflict", "message": "it was deleted"}, {}),
        (
            Invalid("api", "no host", position=7, example="http://a/"),
            422,
            {"error": "invalid", "message": "api: no host", "field": "api", "position": 7, "example": "http://a/"},
            {},
        ),
        (
            Invalid("name", "half of \ud800"),
            422,
            {"error": "invalid", "message": "name: half of \ud800", "field": "name"},
            {},
        ),
    ],
)
def test_the_exceptions_of_the_domain_are_answers(
    serve: Any, error: Exception, status: int, body: dict[str, Any], headers: dict[str, str]
) -> None:
    api = serve(Failing(error))
    for method, path, content in CALLS:
        answer = api.request(method, path, json=content)
        assert (answer.status_code, answer.json()) == (status, body)
        assert {name: answer.headers.get(name) for name in headers} == headers
        assert ("retry-after" in answer.headers) == ("retry-after" in headers)


class Listening(logging.Handler):
    """Waits for a line: the server writes it after the answer has left."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: SimpleQueue[str] = SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.put(logging.Formatter().format(record))


@pytest.fixture
def heard() -> Iterator[Listening]:
    handler = Listening()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def test_a_bug_of_ours_is_a_500_without_internals_and_is_in_the_log(serve: Any, heard: Listening) -> None:
    answer: httpx.Response = serve(Failing(RuntimeError("secret detail"))).get("/api/metrics")
    assert answer.status_code == 500
    assert answer.json()["error"] == "internal"
    assert "secret" not in answer.text
    assert "secret detail" in heard.lines.get(timeout=10)


def test_health_gives_its_reasons_and_never_fails(serve: Any) -> None:
    answer = serve(Failing(RuntimeError())).get("/api/health")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the database is gone"]


@pytest.mark.parametrize("origin", ["http://evil.example", "http://127.0.0.1.evil.example", "null", "http://[", ""])
def test_a_page_from_elsewhere_cannot_use_the_browser_against_us(serve: Any, origin: str) -> None:
    api = serve(Failing(NotFound("job", JOB)))
    for method, path, content in CALLS:
        answer = api.request(method, path, json=content, headers={"Origin": origin})
        assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")


def test_a_page_of_our_own_may(serve: Any) -> None:
    api: httpx.Client = serve(Failing(NotFound("job", JOB)))
    own = {"Origin": str(api.base_url).rstrip("/")}
    assert api.post(f"/api/jobs/{JOB}/run", headers=own).status_code == 404


@pytest.mark.parametrize("browser", [{"Origin": "http://evil.example:3000"}, {"Sec-Fetch-Site": "same-origin"}])
def test_a_page_whose_name_was_made_to_lead_here_cannot_use_the_api(serve: Any, browser: dict[str, str]) -> None:
    """DNS rebinding: to the browser it is its own origin."""
    api = serve(Failing(NotFound("job", JOB)))
    answer = api.request("GET", "/api/jobs", headers={"Host": "evil.example:3000", **browser})
    assert (answer.status_code, answer.json()["error"]) == (403, "forbidden")
