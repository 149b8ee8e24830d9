"""A server on PostgreSQL whose database is restarted under load."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import postgres
from tests.end_to_end.programs import SECOND, assert_none_missing, now, reaches, server, target, until

JOBS = 20


@postgres.needs_postgres
@pytest.mark.parametrize("workers", [1, 2])
def test_a_database_that_restarts_under_load_loses_nothing(workers: int, tmp_path: Path) -> None:
    with postgres.clean_database() as url, target() as receiver, server(url, tmp_path, workers=workers) as one:
        jobs = [one.create(receiver.url()) for _ in range(JOBS)]
        begun = now()
        for job in jobs:
            receiver.wait_for(reaches(job, begun), "each of them once")
        postgres.server().stop()
        try:
            until(lambda: one.health()[0] == 503, "it says that the database is away")
            answer = one.api.get(f"/api/jobs/{jobs[0]}")
            assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
        finally:
            postgres.server().start()
        until(lambda: one.health() == (200, []), "it is well again")
        end = now() + 2 * SECOND
        for job in jobs:
            assert_none_missing(one, job, receiver, end)
        assert one.stop() == 0
        assert "Traceback" not in one.errors
