"""Queues and maintenance windows over the API."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

NOBODY = "0000000a-0000-7000-8000-000000000000"
JOB = {"schedule": "0 0 3 * * *", "api": "http://127.0.0.1:9/", "queue": "reports"}


@pytest.fixture
def queue(api: httpx.Client) -> str:
    assert api.post("/api/jobs", json=JOB).status_code == 201
    api.delete("/api/queues/reports")
    return "/api/queues/reports"


def test_a_queue_is_there_as_soon_as_a_job_names_it(api: httpx.Client, queue: str) -> None:
    assert api.get(queue).json() == {
        "queue": "reports",
        "concurrency": None,
        "rate": None,
        "paused": False,
        "inFlight": 0,
        "held": 0,
        "oldestHeld": None,
    }
    assert "reports" in [each["queue"] for each in api.get("/api/queues").json()]
    assert api.get("/api/queues/nobody").status_code == 404
    assert api.get("/api/queues/no%20queue").status_code == 404
    assert api.post("/api/queues/nobody/pause").status_code == 404
    assert api.delete("/api/queues/nobody").status_code == 404


def test_limits_are_set_one_by_one_and_lifted_together(api: httpx.Client, queue: str) -> None:
    assert api.put(queue, json={"concurrency": 5}).json()["concurrency"] == 5
    limited = api.put(queue, json={"rate": "100/1m"}).json()
    assert (limited["concurrency"], limited["rate"]) == (5, "100/1m")
    assert api.put(queue, json={"concurrency": None}).json()["concurrency"] is None
    assert api.put("/api/queues/new", json={"concurrency": 1}).json()["queue"] == "new"
    assert api.delete("/api/queues/new").json() == {"queue": "new", "status": "unlimited"}
    assert api.delete(queue).status_code == 200
    assert api.get(queue).json()["rate"] is None


def test_a_queue_is_paused_and_resumed(api: httpx.Client, queue: str) -> None:
    assert api.post(f"{queue}/pause").json()["paused"] is True
    assert api.get(queue).json()["paused"] is True
    assert api.post(f"{queue}/resume").json()["paused"] is False


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": "5"}, "concurrency"),
        ({"rate": "fast"}, "rate"),
        ({"rate": 5}, "rate"),
        ({"rate": "0/s"}, "rate"),
        ({"paused": 1}, "paused"),
        ({"limit": 1}, "limit"),
    ],
)
def test_limits_that_cannot_be_are_refused(api: httpx.Client, queue: str, body: dict[str, Any], field: str) -> None:
    refused = api.put(queue, json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, field)


@pytest.mark.parametrize("rate", [5, "fast", {"count": 2, "periodMs": 1_000}])
def test_what_is_no_rate_is_told_what_one_looks_like(api: httpx.Client, queue: str, rate: object) -> None:
    refused = api.put(queue, json={"rate": rate}).json()
    assert refused["message"] == "rate: must be a number, a slash and a period"


def test_a_window_is_created_changed_and_deleted(api: httpx.Client) -> None:
    made = api.post("/api/windows", json={"name": "night", "schedule": "0 0 2 * * *", "durationMs": 3_600_000})
    window = made.json()
    address = f"/api/windows/{window['windowId']}"
    assert (made.status_code, made.headers["location"]) == (201, address)
    assert (window["queue"], window["timezone"], window["enabled"]) == (None, "UTC", True)
    assert window["nextStart"].endswith("T02:00:00.000Z")
    changed = api.put(address, json={"queue": "reports", "enabled": False}).json()
    assert (changed["queue"], changed["name"], changed["nextStart"]) == ("reports", "night", None)
    once = {"schedule": None, "durationMs": None, "startsAt": "2026-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z"}
    opened = api.put(address, json={**once, "enabled": True}).json()
    assert opened["openUntil"] == "2099-01-01T00:00:00.000Z"
    assert window["windowId"] in [each["windowId"] for each in api.get("/api/windows").json()]
    assert api.delete(address).json() == {"windowId": window["windowId"], "status": "deleted"}
    assert api.delete(address).status_code == 404
    assert api.put(f"/api/windows/{NOBODY}", json={"name": "x"}).status_code == 404
    assert api.put("/api/windows/none", json={"name": "x"}).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "startsAt"),
        ({"schedule": "@daily"}, "durationMs"),
        ({"schedule": "nonsense", "durationMs": 1000}, "schedule"),
        ({"startsAt": "2026-01-01T00:00:00Z", "endsAt": "2026-01-02T00:00:00Z"}, "endsAt"),
        ({"startsAt": "2026-01-01", "endsAt": "2099-01-02T00:00:00Z"}, "startsAt"),
        ({"from": 1}, "from"),
    ],
)
def test_windows_that_cannot_be_are_refused(api: httpx.Client, body: dict[str, Any], field: str) -> None:
    refused = api.post("/api/windows", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, field)


def test_metrics_say_what_is_held_back(api: httpx.Client) -> None:
    metrics = api.get("/api/metrics").json()
    assert (metrics["held"], metrics["oldestHeld"]) == (0, None)
