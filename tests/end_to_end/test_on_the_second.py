"""The main job on real input: every second over real HTTP, through a kill -9."""

from __future__ import annotations

from pathlib import Path
from statistics import median

from tests.end_to_end.programs import (
    SECOND,
    assert_none_missing,
    now,
    reaches,
    seconds_of,
    server,
    target,
    until,
)


def test_it_arrives_once_a_second_and_goes_on_after_a_kill_with_nothing_missing(tmp_path: Path) -> None:
    database = str(tmp_path / "jobs.db")
    with target() as receiver:
        with server(database, tmp_path) as first:
            job = first.create(receiver.url("/hook"))
            begun = now()
            arrivals = receiver.wait_for(reaches(job, begun + 4 * SECOND), "four seconds of it")
            late = [arrival.at - arrival.scheduled_at for arrival in arrivals]
            assert min(late) >= 0
            assert median(late) < SECOND
            came = seconds_of(arrivals, job)
            assert all(len(each) == 1 for each in came.values())
            assert sorted(came) == list(range(min(came), max(came) + 1))
            before = until(
                lambda: [row for row in first.history(job) if row["status"] == "success"], "a recorded success"
            )
            first.kill()
        killed = now()
        until(lambda: now() > killed + 2 * SECOND, "two seconds with no server")
        with server(database, tmp_path) as second:
            assert {row["executionId"] for row in before} <= {row["executionId"] for row in second.history(job)}
            assert_none_missing(second, job, receiver, now() + 2 * SECOND)
            # Sent twice is what was under way when the server was killed, and nothing else.
            twice = [at for at, each in seconds_of(receiver.arrivals, job).items() if len(each) > 1]
            assert all(killed - 2 * SECOND <= at * SECOND <= killed + 2 * SECOND for at in twice)
            rows = until(
                lambda: [row for row in second.history(job) if row["finishedAt"] and row["state"] == "succeeded"],
                "the history",
            )
            assert {row["executionId"] for row in rows} <= {arrival.key for arrival in receiver.arrivals}
            assert second.stop() == 0
