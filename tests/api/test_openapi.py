"""The OpenAPI document: complete in itself, and what it says of answers is what they are."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import httpx
import pytest
from pydantic import TypeAdapter

from tui_scheduler.api import answers, render
from tui_scheduler.control.views import AttemptView, ExecutionView, Health, Metrics, NodeView
from tui_scheduler.domain.execution import State, Trigger


@pytest.fixture(scope="module")
def document(api: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = api.get("/openapi.json").json()
    return found


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert named <= schemas.keys()
    assert {"NewJob", "JobChange", "NewBackfill", "ErrorBody", "JobShown"} <= named


def test_every_operation_says_what_it_answers_and_refuses(document: dict[str, Any]) -> None:
    operations = [(path, *each) for path, methods in document["paths"].items() for each in methods.items()]
    assert len(operations) == 25
    for path, method, operation in operations:
        for status, response in operation["responses"].items():
            schema = response["content"]["application/json"]["schema"]
            is_error = status[0] in "45" and path != "/api/health"
            assert (schema == {"$ref": "#/components/schemas/ErrorBody"}) == is_error, (method, path, status)


def test_what_is_required_and_what_may_be_left_out(document: dict[str, Any]) -> None:
    new, change = (document["components"]["schemas"][name] for name in ("NewJob", "JobChange"))
    assert new["required"] == ["schedule", "api"]
    assert "required" not in change
    assert new["additionalProperties"] is change["additionalProperties"] is False
    assert not [name for name, field in change["properties"].items() if "default" in field]


def test_answers_are_as_described(api: httpx.Client, job: str) -> None:
    def fits(model: Any, answer: httpx.Response) -> Any:
        return TypeAdapter(model).validate_python(answer.json())

    execution = fits(answers.RunAccepted, api.post(f"/api/jobs/{job}/run")).execution_id
    stretch = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T00:00:01Z"}
    fits(answers.BackfillAccepted, api.post(f"/api/jobs/{job}/backfill", json=stretch))
    fits(answers.BackfillCancelled, api.delete(f"/api/jobs/{job}/backfill"))
    fits(list[answers.JobShown], api.get("/api/jobs"))
    fits(answers.JobShown, api.get(f"/api/jobs/{job}"))
    fits(answers.JobChanged, api.put(f"/api/jobs/{job}", json={"name": "x"}))
    fits(answers.History, api.get(f"/api/jobs/{job}/executions"))
    fits(answers.ExecutionInFull, api.get(f"/api/executions/{execution}"))
    fits(answers.MetricsShown, api.get("/api/metrics"))
    fits(answers.HealthShown, api.get("/api/health"))
    fits(answers.QueueShown, api.put("/api/queues/narrow", json={"concurrency": 2, "rate": "10/s"}))
    fits(list[answers.QueueShown], api.get("/api/queues"))
    fits(answers.QueueShown, api.post("/api/queues/narrow/pause"))
    fits(answers.QueueFreed, api.delete("/api/queues/narrow"))
    window = fits(answers.WindowShown, api.post("/api/windows", json={"schedule": "@daily", "durationMs": 1000}))
    fits(list[answers.WindowShown], api.get("/api/windows"))
    fits(answers.WindowShown, api.put(f"/api/windows/{window.window_id}", json={"name": "x"}))
    fits(answers.WindowDeleted, api.delete(f"/api/windows/{window.window_id}"))
    fits(answers.JobDeleted, api.delete(f"/api/jobs/{job}"))


NOON = 1_796_040_000_000_000  # 2026-11-30T12:00:00Z


def view(**changes: Any) -> ExecutionView:
    plain: dict[str, Any] = {
        "id": "e",
        "job_id": "j",
        "job_version": 3,
        "scheduled_for": NOON,
        "fire_at": NOON + 250_000,
        "trigger": Trigger.SCHEDULE,
        "state": State.SUCCEEDED,
        "attempt": 1,
        "started_at": NOON + 251_234,
        "finished_at": NOON + 300_000,
        "duration": 48_766,
        "http_status": 200,
        "error": None,
        "response_excerpt": "ok",
        "next_attempt_at": None,
        "node": "n",
        "rescues": 0,
        "skip_reason": None,
        "skip_from": None,
        "skip_to": None,
        "skip_count": None,
    }
    return ExecutionView(**plain | changes)


def test_an_execution_in_the_original_words() -> None:
    shown = render.execution(view())
    answers.ExecutionShown.model_validate(shown)
    assert {name: shown[name] for name in ("executionId", "timestamp", "status", "httpStatus", "duration")} == {
        "executionId": "e",
        "timestamp": "2026-11-30T12:00:00.251Z",
        "status": "success",
        "httpStatus": 200,
        "duration": 48.766,
    }
    assert (shown["scheduledFor"], shown["drift"]) == ("2026-11-30T12:00:00.000Z", 1.234)


@pytest.mark.parametrize("state", State)
def test_status_is_success_failure_or_the_states_own_name(state: State) -> None:
    original = {"succeeded": "success", "failed": "failure", "lost": "failure"}
    assert render.execution(view(state=state))["status"] == original.get(state.value, state.value)


def test_what_never_started_has_the_time_it_was_scheduled_for() -> None:
    skipped = view(
        state=State.SKIPPED, started_at=None, skip_reason="too late", skip_from=NOON, skip_to=NOON + 1_000, skip_count=2
    )
    shown = render.execution(skipped)
    answers.ExecutionShown.model_validate(shown)
    assert shown["timestamp"] == "2026-11-30T12:00:00.000Z"
    assert shown["drift"] is None
    assert shown["skip"] == {
        "reason": "too late",
        "from": "2026-11-30T12:00:00.000Z",
        "to": "2026-11-30T12:00:00.001Z",
        "count": 2,
    }


def test_attempts_metrics_and_health_are_as_described() -> None:
    attempt = AttemptView(1, NOON, NOON + 5, 5, 503, "busy", (("Retry-After", "1"),), "later", 1_000_000, "Retry-After")
    assert render.attempt(attempt)["waitMs"] == 1_000
    answers.AttemptShown.model_validate(render.attempt(attempt))
    node = NodeView("n", "host", 1, "0", "alive", NOON, NOON, {"fired": 1.0})
    counts = dict.fromkeys(("fired", "succeeded", "failed", "retried", "skipped", "lost", "in_flight", "waiting"), 1)
    metrics = Metrics({"active": 1}, **counts, late=2, oldest_late=NOON, drift_p50=100, drift_p99=2_500, nodes=(node,))
    metrics = replace(metrics, failing=3)
    shown = render.metrics(metrics)
    answers.MetricsShown.model_validate(shown)
    assert shown["failing"] == 3
    assert shown["drift"] == {"p50": 0.1, "p99": 2.5}
    assert shown["nodes"][0]["startedAt"] == "2026-11-30T12:00:00.000Z"
    answers.HealthShown.model_validate(render.health(Health(False, "x", ("y",), uptime=1_500)))
