"""Bad input is refused with the right status and the field's name: never a 500, never a stack trace."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from tui_scheduler.api.document import DEPTH_LIMIT

FINE: dict[str, Any] = {"schedule": "0 0 0 1 1 *", "api": "http://127.0.0.1:9/", "type": "ATLEAST_ONCE"}
NOBODY = "00000000-0000-7000-8000-000000000000"


def refused(answer: httpx.Response, status: int, field: str | None = None) -> dict[str, Any]:
    """The error, which is of the agreed form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = answer.json()
    assert isinstance(error["error"], str)
    assert error["message"]
    assert error.keys() <= {"error", "message", "field", "position", "example"}
    assert error.get("field") == field
    assert "Traceback" not in answer.text
    return error


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "UTF-8"),
        (b'{"schedule": "\xff"}', "UTF-8"),
        (b'\xef\xbb\xbf{"schedule": 1}', "not JSON"),
        (b"[]", "object"),
        (b"null", "object"),
        (b'"text"', "object"),
        (b"1", "object"),
        (b'{"priority": NaN}', "NaN"),
        (b'{"body": {"x": 1e999}}', "1e999 is too large a number"),
        (b'{"priority": -Infinity}', "Infinity"),
        (b'{"priority": ' + b"9" * 5_000 + b"}", "digits"),
        (b'{"body": ' + b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1) + b"}", "nested"),
        (b'{"body": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
        (b"[" * 500_000, "nested"),
        (b'{"schedule": "a\nb"}', "control character"),
        (b"{'schedule': 1}", "not JSON"),
    ],
)
def test_what_is_no_json_object_is_a_bad_request(api: httpx.Client, job: str, body: bytes, says: str) -> None:
    assert says in refused(api.post("/api/jobs", content=body), 400)["message"]
    assert says in refused(api.put(f"/api/jobs/{job}", content=body), 400)["message"]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"schedule": 5}, "schedule"),
        ({"schedule": None}, "schedule"),
        ({"schedule": ""}, "schedule"),
        ({"schedule": "* * *"}, "schedule"),
        ({"schedule": "61 * * * * *"}, "schedule"),
        ({"schedule": "0 0 0 30 2 *"}, "schedule"),
        ({"schedule": "@every 0s"}, "schedule"),
        ({"schedule": "@at 2001-01-01T00:00:00Z"}, "schedule"),
        ({"schedule": "* " * 10_000}, "schedule"),
        ({"schedule": "0 0 0 1 1 *\0"}, "schedule"),
        ({"api": ""}, "api"),
        ({"api": "example.com"}, "api"),
        ({"api": "ftp://example.com/"}, "api"),
        ({"api": "http:///path"}, "api"),
        ({"api": "http://user:secret@example.com/"}, "api"),
        ({"api": "http://example.com/\r\nX: y"}, "api"),
        ({"api": "http://example.com:99999/"}, "api"),
        ({"api": ["http://example.com"]}, "api"),
        ({"type": "atleast_once"}, "type"),
        ({"type": 1}, "type"),
        ({"type": None}, "type"),
        ({"timezone": "Europe/Londn"}, "timezone"),
        ({"timezone": "../../etc/passwd"}, "timezone"),
        ({"method": "GE T"}, "method"),
        ({"headers": {"A": 1}}, "headers[0][1]"),
        ({"headers": {"A b": "1"}}, "headers"),
        ({"headers": {"A": "1\r\nB: 2"}}, "headers"),
        ({"headers": [["A"]]}, "headers[0][1]"),
        ({"headers": "A: 1"}, "headers"),
        ({"timeoutMs": "30"}, "timeoutMs"),
        ({"timeoutMs": True}, "timeoutMs"),
        ({"timeoutMs": -1}, "timeoutMs"),
        ({"timeoutMs": 0}, "timeoutMs"),
        ({"timeoutMs": 1e308}, "timeoutMs"),
        ({"timeoutMs": 10**400}, "timeoutMs"),
        ({"priority": 0}, "priority"),
        ({"priority": 10**30}, "priority"),
        ({"priority": 1.5}, "priority"),
        ({"tags": "a"}, "tags"),
        ({"tags": [1]}, "tags[0]"),
        ({"overlap": "maybe"}, "overlap"),
        ({"catchUp": {}}, "catchUp"),
        ({"graceMs": -5}, "graceMs"),
        ({"jitterMs": []}, "jitterMs"),
        ({"startsAt": "soon"}, "startsAt"),
        ({"startsAt": "2026-12-01T09:00:00"}, "startsAt"),
        ({"startsAt": 1}, "startsAt"),
        ({"startsAt": "2028-01-01T00:00:00Z", "endsAt": "2027-01-01T00:00:00Z"}, "endsAt"),
        ({"retry": None}, "retry"),
        ({"retry": {"maxAttempts": 0}}, "retry.maxAttempts"),
        ({"retry": {"maxAttempts": 2.0}}, "retry.maxAttempts"),
        ({"retry": {"statuses": [9]}}, "retry.statuses"),
        ({"success": {"statuses": ["299-200"]}}, "success.statuses"),
        ({"success": {"statuses": [True]}}, "success.statuses[0]"),
        ({"success": {"bodyPattern": "("}}, "success.bodyPattern"),
        ({"success": {"jsonEquals": []}}, "success.jsonEquals"),
        ({"tlsVerify": "no"}, "tlsVerify"),
        ({"caFile": 1}, "caFile"),
        ({"name": "a\0b"}, "name"),
        ({"name": "\ud800"}, "name"),
        ({"body": "\udfff"}, "body"),
        ({"body": {"\ud800": 1}}, "body"),
    ],
)
def test_a_value_that_cannot_be_taken_is_named(api: httpx.Client, job: str, given: dict[str, Any], field: str) -> None:
    created = api.post("/api/jobs", content=json.dumps(FINE | given).encode())
    updated = api.put(f"/api/jobs/{job}", content=json.dumps(given).encode())
    assert refused(created, 422, field) == refused(updated, 422, field)
    assert api.get(f"/api/jobs/{job}").json()["version"] == 1


def test_what_is_required_is_named(api: httpx.Client) -> None:
    error = refused(api.post("/api/jobs", json={"schedule": "@daily"}), 422, "api")
    assert "required" in error["message"]


def test_an_impossible_field_comes_with_its_position_and_an_example(api: httpx.Client) -> None:
    error = refused(api.post("/api/jobs", json=FINE | {"schedule": "0 61 * * * *"}), 422, "schedule")
    assert error["position"] == 2
    assert error["example"]


def test_a_timezone_offers_the_nearest_names(api: httpx.Client) -> None:
    error = refused(api.post("/api/jobs", json=FINE | {"timezone": "Europe/Londn"}), 422, "timezone")
    assert "Europe/London" in json.dumps(error)


@pytest.mark.parametrize(
    ("given", "field", "says"),
    [
        ({"colour": "red"}, "colour", "no such field"),
        ({"time_zone": "UTC"}, "time_zone", "did you mean timezone?"),
        ({"TimeoutMS": 1}, "TimeoutMS", "did you mean timeoutMs?"),
        ({"url": "x"}, "url", "did you mean api?"),
        ({"state": "paused"}, "state", "the scheduler does that"),
        ({"retry": {"max_attempts": 1}}, "retry.max_attempts", "did you mean maxAttempts?"),
        ({"\ud800": 1}, "body", "unicode"),
        ({"one": 1, "two": 2}, "one", "one, two"),
        ({"": 1}, "", "no such field"),
    ],
)
def test_unknown_fields_are_named(api: httpx.Client, job: str, given: dict[str, Any], field: str, says: str) -> None:
    for answer in (
        api.post("/api/jobs", content=json.dumps(FINE | given).encode()),
        api.put(f"/api/jobs/{job}", content=json.dumps(given).encode()),
    ):
        assert says in refused(answer, 422, field)["message"]


def test_a_field_given_twice_is_refused(api: httpx.Client) -> None:
    body = b'{"schedule": "@daily", "api": "http://a/", "api": "http://b/"}'
    refused(api.post("/api/jobs", content=body), 422, "api")


@pytest.mark.parametrize("limit", ["-1", "0", "abc", "1e9", "1.5", "1001", "9" * 5_000, "", "%00", "%ff"])
def test_a_limit_that_is_none_is_a_bad_request(api: httpx.Client, job: str, limit: str) -> None:
    refused(api.get(f"/api/jobs?limit={limit}"), 400, "limit")
    refused(api.get(f"/api/jobs/{job}/executions?limit={limit}"), 400, "limit")


@pytest.mark.parametrize("after", ["x", "", "\0", "1' OR '1'='1", NOBODY])
def test_a_cursor_that_is_none_is_a_bad_request(api: httpx.Client, after: str) -> None:
    refused(api.get("/api/jobs", params={"after": after}), 400, "after")


ODD_IDS = ["x", "%00", "%ff", "..%2f..", "%ED%A0%80", "a" * 5_000, "null", "-1", "%F0%9F%92%A5", "{jobId}", NOBODY]


@pytest.mark.parametrize("odd", ODD_IDS)
def test_an_id_of_nothing_is_not_found(api: httpx.Client, odd: str) -> None:
    for method, path in [
        ("GET", "/api/jobs/{}"),
        ("PUT", "/api/jobs/{}"),
        ("DELETE", "/api/jobs/{}"),
        ("GET", "/api/jobs/{}/executions"),
        ("POST", "/api/jobs/{}/run"),
        ("POST", "/api/jobs/{}/pause"),
        ("POST", "/api/jobs/{}/resume"),
        ("POST", "/api/jobs/{}/restore"),
        ("DELETE", "/api/jobs/{}/backfill"),
        ("GET", "/api/executions/{}"),
    ]:
        content = b'{"name": "x"}' if method == "PUT" else None
        refused(api.request(method, path.format(odd), content=content), 404)


def test_an_id_may_be_written_in_capitals(api: httpx.Client, job: str) -> None:
    assert api.get(f"/api/jobs/{job.upper()}").json()["jobId"] == job


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/api", 404),
        ("GET", "/api/jobs/", 404),
        ("GET", "/docs", 404),
        ("GET", "/%00%ff", 404),
        ("PATCH", "/api/jobs", 405),
        ("DELETE", "/api/jobs", 405),
        ("POST", "/api/health", 405),
        ("PROPFIND", "/api/jobs", 405),
    ],
)
def test_no_such_place_or_method(api: httpx.Client, method: str, path: str, status: int) -> None:
    answer = api.request(method, path)
    refused(answer, status)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_refused(serve: Any, control: Any, chunked: bool) -> None:
    api = serve(control, body_limit=10_000)
    over = b'{"name": "' + b"x" * 20_000 + b'"}'
    refused(api.post("/api/jobs", content=iter([over[:9_000], over[9_000:]]) if chunked else over), 413)
    under = json.dumps(FINE | {"body": "x" * 9_000}).encode()
    assert api.post("/api/jobs", content=iter([under]) if chunked else under).status_code == 201


def test_a_body_without_end_is_not_read_to_its_end(serve: Any, control: Any) -> None:
    api = serve(control, body_limit=10_000)
    head = b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    with socket.create_connection((api.base_url.host, api.base_url.port), 10) as connection:
        connection.sendall(head + b"2710\r\n" + b"x" * 10_000 + b"\r\n" + b"1\r\nx\r\n")  # and no last chunk
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_job_body_of_a_mebibyte_fits(api: httpx.Client) -> None:
    answer = api.post("/api/jobs", json=FINE | {"body": "x" * (1 << 20)})
    assert answer.status_code == 201, answer.text[:200]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /api/jobs/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /api/jobs?limit=\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/jobs HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_broken_http_gets_400_not_a_crash(api: httpx.Client, raw: bytes) -> None:
    with socket.create_connection((api.base_url.host, api.base_url.port or 80), 10) as connection:
        connection.sendall(raw)
        assert connection.recv(100).split()[1] in {b"400", b"404", b"413"}
    assert api.get("/api/metrics").status_code == 200
