"""The curl commands of the original design, word for word but for the port, and exactly the JSON it gives for them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import sqlite
from tests.end_to_end.programs import Server, Target, server, target, until

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

CREATE = """
curl -X POST http://localhost:3000/api/jobs \
  -H "Content-Type: application/json" \
  -d '{
    "schedule": "* * * * * *",
    "api": "TARGET",
    "type": "ATLEAST_ONCE"
  }'
"""
UPDATE = """
curl -X PUT http://localhost:3000/api/jobs/JOB \
  -H "Content-Type: application/json" \
  -d '{
    "schedule": "31 10-15 1 * * MON-FRI",
    "api": "TARGET",
    "type": "ATMOST_ONCE"
  }'
"""
LIST = "curl http://localhost:3000/api/jobs"
EXECUTIONS = "curl http://localhost:3000/api/jobs/JOB/executions?limit=5"
METRICS = "curl http://localhost:3000/api/metrics"
HEALTH = "curl http://localhost:3000/api/health"


class Shell:
    """Runs a command against the server and keeps what stands for JOB and TARGET."""

    def __init__(self, serving: Server, receiver: Target) -> None:
        self._words = {"http://localhost:3000": serving.url, "TARGET": receiver.url("/hook")}

    def knows(self, word: str, meaning: str) -> None:
        self._words[word] = meaning

    def curl(self, command: str) -> tuple[int, Any]:
        """The status and the JSON."""
        for word, meaning in self._words.items():
            command = command.replace(word, meaning)
        command = command.replace("curl ", "curl --silent --show-error --noproxy '*' --write-out '\\n%{http_code}' ", 1)
        done = subprocess.run(["/bin/sh", "-c", command], check=True, capture_output=True, text=True, timeout=60)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(body)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder: Path = tmp_path_factory.mktemp("curl")
    with target() as receiver, server(sqlite.clean_file(folder), folder) as serving:
        yield Shell(serving, receiver)


def test_the_examples_in_their_order(shell: Shell) -> None:
    status, created = shell.curl(CREATE)
    assert (status, created["status"]) == (201, "created")
    job = created["jobId"]
    assert ID.fullmatch(job)
    shell.knows("JOB", job)

    def succeeded() -> list[dict[str, Any]]:
        status, answer = shell.curl(EXECUTIONS)
        assert status == 200
        assert answer.keys() == {"jobId", "executions"}
        assert answer["jobId"] == job
        found: list[dict[str, Any]] = answer["executions"]
        assert len(found) <= 5
        assert found == sorted(found, key=lambda row: row["scheduledFor"], reverse=True)
        return [row for row in found if row["status"] == "success"]

    newest = until(succeeded, "an execution that succeeded")[0]
    assert ID.fullmatch(newest["executionId"])
    assert TIMESTAMP.fullmatch(newest["timestamp"])
    assert newest["httpStatus"] == 200
    assert 0 < newest["duration"] < 60_000

    status, updated = shell.curl(UPDATE)
    assert (status, updated["jobId"], updated["status"]) == (200, job, "updated")

    status, jobs = shell.curl(LIST)
    assert status == 200
    (listed,) = jobs
    assert listed["jobId"] == job
    assert (listed["schedule"], listed["type"]) == ("31 10-15 1 * * MON-FRI", "ATMOST_ONCE")
    assert listed["api"].endswith("/hook")


def test_any_subset_may_be_changed(shell: Shell) -> None:
    _, created = shell.curl(CREATE)
    command = f'curl -X PUT http://localhost:3000/api/jobs/{created["jobId"]} -d \'{{"type": "ATMOST_ONCE"}}\''
    assert shell.curl(command)[0] == 200
    _, jobs = shell.curl(LIST)
    (job,) = [job for job in jobs if job["jobId"] == created["jobId"]]
    assert (job["schedule"], job["type"]) == ("* * * * * *", "ATMOST_ONCE")


def test_metrics_and_health_are_objects(shell: Shell) -> None:
    status, metrics = shell.curl(METRICS)
    assert status == 200
    assert metrics["jobs"]["active"] >= 0
    status, health = shell.curl(HEALTH)
    assert (status, health["status"]) == (200, "ok")
