"""The original JSON to the letter, and what stands beside it."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest

from tui_scheduler.control.local import LocalControl
from tui_scheduler.control.views import JobView

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
MINIMAL = {"schedule": "0 0 0 1 1 *", "api": "http://127.0.0.1:9/hook", "type": "ATLEAST_ONCE"}

EVERYTHING: dict[str, Any] = {
    "schedule": "31 10-15 1 * * MON-FRI",
    "api": "https://example.com/hook?a=1",
    "type": "ATMOST_ONCE",
    "name": "nightly ✓",
    "timezone": "Europe/London",
    "method": "PUT",
    "headers": {"X-Team": "ops", "Accept": "*/*"},
    "body": '{"a": 1}',
    "timeoutMs": 1500,
    "priority": 2,
    "queue": "mail",
    "tags": ["a", "b"],
    "overlap": "skip",
    "catchUp": "latest",
    "graceMs": 5000,
    "jitterMs": 250,
    "startsAt": "2026-12-01T09:00:00.000Z",
    "endsAt": "2096-12-01T09:00:00.000Z",
    "retry": {"maxAttempts": 5, "baseMs": 10, "factor": 3.0, "capMs": 100, "totalMs": 1000, "statuses": [429, 503]},
    "success": {"statuses": ["200-299", 304], "bodyPattern": "ok+", "jsonPath": "a.b[0]", "jsonEquals": True},
    "tlsVerify": False,
    "caFile": None,
    "followRedirects": False,
    "pauseOnGone": True,
}


def test_create_answers_as_the_original_did(api: httpx.Client) -> None:
    answer = api.post("/api/jobs", json=MINIMAL)
    assert answer.status_code == 201
    body = answer.json()
    assert body["status"] == "created"
    assert answer.headers["location"] == f"/api/jobs/{body['jobId']}"
    assert body["warnings"] == []


def test_the_curl_line_of_the_original_works_without_a_content_type(api: httpx.Client) -> None:
    body = b'{"schedule": "0 0 0 1 1 *", "api": "http://localhost:4444/foo", "type": "ATLEAST_ONCE"}'
    answer = api.post("/api/jobs", content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 201


def test_type_may_be_left_out(api: httpx.Client) -> None:
    answer = api.post("/api/jobs", json={"schedule": MINIMAL["schedule"], "api": MINIMAL["api"]})
    assert api.get(answer.headers["location"]).json()["type"] == "ATLEAST_ONCE"


def test_everything_that_is_set_comes_back_as_it_was(api: httpx.Client) -> None:
    answer = api.post("/api/jobs", json=EVERYTHING)
    assert answer.status_code == 201, answer.text
    shown = api.get(answer.headers["location"]).json()
    assert {name: shown[name] for name in EVERYTHING} == EVERYTHING
    assert shown["state"] == "active"
    assert shown["version"] == 1
    assert TIMESTAMP.fullmatch(shown["nextRun"])
    assert TIMESTAMP.fullmatch(shown["createdAt"])
    assert shown["inWords"]
    again = api.put(answer.headers["location"], json={name: shown[name] for name in EVERYTHING})
    assert again.status_code == 200, again.text


@pytest.mark.parametrize(("name", "value"), EVERYTHING.items())
def test_any_single_field_can_be_changed(api: httpx.Client, job: str, name: str, value: object) -> None:
    before = api.get(f"/api/jobs/{job}").json()
    answer = api.put(f"/api/jobs/{job}", json={name: value})
    assert answer.status_code == 200, answer.text
    assert answer.json()["jobId"] == job
    assert answer.json()["status"] == "updated"
    after = api.get(f"/api/jobs/{job}").json()
    moving = {name, "version", "updatedAt", "nextRun", "inWords", "warnings"}
    assert {k: v for k, v in after.items() if k not in moving} == {k: v for k, v in before.items() if k not in moving}
    assert after[name] == value


def test_part_of_retry_leaves_the_rest_of_it(api: httpx.Client, job: str) -> None:
    api.put(f"/api/jobs/{job}", json={"retry": EVERYTHING["retry"]})
    api.put(f"/api/jobs/{job}", json={"retry": {"maxAttempts": 9}, "success": {"jsonPath": "x", "jsonEquals": 1}})
    shown = api.get(f"/api/jobs/{job}").json()
    assert shown["retry"] == EVERYTHING["retry"] | {"maxAttempts": 9}
    assert shown["success"]["statuses"] == ["200-299"]


def test_an_edit_of_an_old_version_is_refused(api: httpx.Client, job: str) -> None:
    assert api.put(f"/api/jobs/{job}", json={"name": "a", "version": 1}).status_code == 200
    answer = api.put(f"/api/jobs/{job}", json={"name": "b", "version": 1})
    assert answer.status_code == 409
    assert answer.json()["error"] == "conflict"
    assert api.get(f"/api/jobs/{job}").json()["name"] == "a"


@pytest.mark.parametrize(
    ("given", "kept", "kind"),
    [
        ('{"a": 1}', '{"a": 1}', None),
        ("plain", "plain", None),
        ({"a": [1, "é", None]}, '{"a":[1,"é",null]}', "application/json"),
        ([1, 2.5], "[1,2.5]", "application/json"),
        (False, "false", "application/json"),
        (None, None, None),
    ],
)
def test_a_body_is_text_or_any_json(api: httpx.Client, given: object, kept: str | None, kind: str | None) -> None:
    answer = api.post("/api/jobs", json={**MINIMAL, "body": given})
    shown = api.get(answer.headers["location"]).json()
    assert shown["body"] == kept
    assert shown["headers"].get("Content-Type") == kind


def test_a_json_body_keeps_the_content_type_that_was_given(api: httpx.Client) -> None:
    headers = {"content-type": "application/vnd.api+json"}
    answer = api.post("/api/jobs", json={**MINIMAL, "body": {}, "headers": headers})
    assert api.get(answer.headers["location"]).json()["headers"] == headers


def test_headers_may_be_pairs_where_a_name_comes_twice(api: httpx.Client) -> None:
    pairs = [["X-A", "1"], ["x-a", "2"]]
    answer = api.post("/api/jobs", json={**MINIMAL, "headers": pairs})
    assert api.get(answer.headers["location"]).json()["headers"] == pairs


def test_instants_with_another_offset_come_back_in_utc(api: httpx.Client, job: str) -> None:
    api.put(f"/api/jobs/{job}", json={"startsAt": "2027-01-01T01:00:00.5+01:00"})
    assert api.get(f"/api/jobs/{job}").json()["startsAt"] == "2027-01-01T00:00:00.500Z"


def test_the_list_is_a_bare_array_in_pages(serve: Any, control: LocalControl, api: httpx.Client, job: str) -> None:
    everything = api.get("/api/jobs").json()
    assert isinstance(everything, list)
    assert job in [each["jobId"] for each in everything]
    paged, path = [], "/api/jobs?limit=2"
    while path:
        answer = api.get(path)
        assert len(answer.json()) <= 2
        paged += [each["jobId"] for each in answer.json()]
        path = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    assert paged == [each["jobId"] for each in everything]


def test_the_list_ends_at_a_thousand_and_is_quick(serve: Any, control: LocalControl, job: str) -> None:
    class Many:
        """A thousand jobs and one more, without the commits it takes to make them."""

        view = control.job(job)

        def jobs(self, *, limit: int, after: str | None = None) -> list[JobView]:
            return [self.view] * min(limit, 1_001 if after is None else 1)

    api = serve(Many())
    first = api.get("/api/jobs")
    assert len(first.json()) == 1_000
    assert first.links["next"]["url"] == f"/api/jobs?limit=1000&after={job}"
    assert min(_seconds(api) for _ in range(3)) < 1.0  # 0.1 s on an idle machine; the bound is for a busy one


def _seconds(api: httpx.Client) -> float:
    began = time.perf_counter()
    api.get("/api/jobs")
    return time.perf_counter() - began


def test_pause_resume_delete_restore(api: httpx.Client, job: str) -> None:
    def state() -> tuple[str, bool]:
        shown = api.get(f"/api/jobs/{job}").json()
        return shown["state"], shown["nextRun"] is not None

    assert api.post(f"/api/jobs/{job}/pause").json()["status"] == "paused"
    assert state() == ("paused", False)
    assert api.post(f"/api/jobs/{job}/pause").status_code == 200
    assert api.post(f"/api/jobs/{job}/resume").json()["status"] == "resumed"
    assert state() == ("active", True)
    assert api.delete(f"/api/jobs/{job}").json() == {"jobId": job, "status": "deleted"}
    assert api.get(f"/api/jobs/{job}").status_code == 404
    assert api.put(f"/api/jobs/{job}", json={"name": "x"}).status_code in {404, 409}
    assert job not in [each["jobId"] for each in api.get("/api/jobs").json()]
    assert api.post(f"/api/jobs/{job}/restore").json()["status"] == "restored"
    assert api.get(f"/api/jobs/{job}").status_code == 200


def test_a_backfill_is_counted_stored_and_cancelled(api: httpx.Client) -> None:
    paused = api.post("/api/jobs", json={"schedule": "0 0 12 * * *", "api": "http://127.0.0.1:1/"}).json()["jobId"]
    week = {"from": "2026-03-01T00:00:00Z", "to": "2026-03-07T23:59:59+00:00"}
    path = f"/api/jobs/{paused}/backfill"
    counted = api.post(path, json=week | {"dryRun": True})
    assert counted.status_code == 202
    counts = {"occurrences": 7, "toRun": 7, "takenOver": 0, "alreadyThere": 0}
    assert counted.json() == {"jobId": paused, "status": "dry run", **counts}
    assert api.post(path, json=week | {"priority": 4}).json() == {"jobId": paused, "status": "accepted", **counts}
    again = api.post(path, json=week).json()
    assert (again["toRun"], again["alreadyThere"]) == (0, 7)
    assert api.delete(path).json() == {"jobId": paused, "cancelled": 7}
    history = api.get(f"/api/jobs/{paused}/executions").json()["executions"]
    assert {(each["trigger"], each["status"]) for each in history} == {("backfill", "cancelled")}


@pytest.mark.parametrize(
    ("body", "field", "says"),
    [
        ({"to": "2026-01-01T00:00:00Z"}, "from", "is required"),
        ({"from": "yesterday", "to": "2026-01-01T00:00:00Z"}, "from", "ISO 8601"),
        ({"from": "2026-01-01T00:00:00", "to": "2026-01-01T00:00:00Z"}, "from", "needs an offset"),
        ({"from": "2026-01-01T00:00:00Z", "to": "9000-01-01T00:00:00Z"}, "to", "future"),
        ({"from": "0001-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from", "at the most; there are"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z", "dryrun": True}, "dryrun", "dryRun"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z", "priority": 10}, "priority", "within 1"),
    ],
)
def test_a_backfill_that_cannot_be_is_refused_in_a_sentence(
    api: httpx.Client, body: dict[str, object], field: str, says: str
) -> None:
    daily = api.post("/api/jobs", json={"schedule": "0 0 12 * * *", "api": "http://127.0.0.1:1/"}).json()["jobId"]
    answer = api.post(f"/api/jobs/{daily}/backfill", json=body)
    assert answer.status_code in {400, 422}
    assert answer.json()["field"] == field
    assert says in answer.json()["message"]


def test_run_now_is_a_pending_execution_in_the_history(api: httpx.Client, job: str) -> None:
    answer = api.post(f"/api/jobs/{job}/run")
    assert answer.status_code == 202
    execution = answer.json()["executionId"]
    assert answer.json() == {"jobId": job, "executionId": execution, "status": "pending"}
    history = api.get(f"/api/jobs/{job}/executions").json()
    assert history["jobId"] == job
    (newest,) = history["executions"]
    assert newest["executionId"] == execution
    assert TIMESTAMP.fullmatch(newest["timestamp"])
    assert (newest["status"], newest["trigger"], newest["httpStatus"], newest["duration"]) == (
        "pending",
        "manual",
        None,
        None,
    )
    one = api.get(f"/api/executions/{execution}").json()
    assert one["jobId"] == job
    assert one["attempts"] == []
    assert one["timestamp"] == newest["timestamp"]


def test_history_is_newest_first_and_limited(api: httpx.Client, job: str) -> None:
    made = [api.post(f"/api/jobs/{job}/run").json()["executionId"] for _ in range(3)]
    history = api.get(f"/api/jobs/{job}/executions?limit=2").json()["executions"]
    assert [each["executionId"] for each in history] == made[:0:-1]


def test_metrics_and_health(api: httpx.Client) -> None:
    metrics = api.get("/api/metrics")
    assert metrics.status_code == 200
    assert {"jobs", "fired", "succeeded", "failed", "drift", "nodes"} <= metrics.json().keys()
    health = api.get("/api/health")
    assert health.status_code in {200, 503}
    assert health.json()["status"] == ("ok" if health.status_code == 200 else "unavailable")
    assert bool(health.json()["reasons"]) == (health.status_code == 503)
