"""What people would use instead: APScheduler 3 with aiohttp, on one event loop.

    python -m benchmarks.peers --target-port 8080 --scenario herd:1000 --start SECOND [--db FILE]

In memory, or with `--db` its jobs in an SQLite file through its SQLAlchemy store. It keeps no history either way.
Prints `ready`; runs until SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import aiohttp
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.job import Job
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from benchmarks.machine import raise_open_files_limit
from benchmarks.offers import offered
from benchmarks.reference import job_name
from benchmarks.scenarios import SECOND, Scenario, Shape, parse

HALF_A_MILLISECOND = timedelta(microseconds=500)


class Posting(AsyncIOExecutor):  # type: ignore[misc]
    """The usual executor, but that the job is told which instant it was scheduled for: APScheduler 3 keeps that to
    itself, and without it nothing says how late it came. And it lends the job the client, which no job store could
    keep for it."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        super().__init__()
        self._session = session

    def _do_submit_job(self, job: Job, run_times: list[datetime]) -> None:
        async def run() -> None:
            for run_time in run_times:
                await job.func(self._session, job.args[0], job.id, run_time)

        def done(task: asyncio.Task[None]) -> None:
            if error := task.exception():
                self._run_job_error(job.id, error, error.__traceback__)
            else:
                self._run_job_success(job.id, [])

        asyncio.get_running_loop().create_task(run()).add_done_callback(done)


async def post(session: aiohttp.ClientSession, url: str, job_id: str, run_time: datetime) -> None:
    # Its interval trigger calculates in floats: a µs too many or too few, of an instant that was a whole ms.
    at = (run_time.astimezone(UTC) + HALF_A_MILLISECOND).isoformat(timespec="milliseconds")
    key = f"{job_id}-{at}"
    headers = {"X-Job-Id": job_id, "X-Attempt": "1", "Idempotency-Key": key, "X-Scheduled-At": at}
    async with session.post(url, headers=headers) as response:
        await response.read()


def add_jobs(scheduler: AsyncIOScheduler, scenario: Scenario, url: str, start: int) -> None:
    first = datetime.fromtimestamp(start // SECOND, UTC)
    for number, job in enumerate(offered(scenario)):
        trigger = (
            CronTrigger(second="*", start_date=first, timezone=UTC)
            if scenario.shape is Shape.HERD
            else IntervalTrigger(seconds=1, start_date=first + timedelta(microseconds=job.phase), timezone=UTC)
        )
        # Of the arguments only the url is used, the others satisfy a check: `Posting` gives its own.
        arguments = [url, job_name(number), None, first]
        scheduler.add_job(post, trigger, id=job_name(number), args=arguments)


async def serve(scenario: Scenario, port: int, start: int, db: str | None) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        scheduler = AsyncIOScheduler(
            timezone=UTC,
            executors={"default": Posting(session)},
            jobstores={"default": SQLAlchemyJobStore(f"sqlite:///{db}")} if db else {},
            job_defaults={"misfire_grace_time": None, "coalesce": False, "max_instances": 60},
        )
        scheduler.start(paused=True)
        add_jobs(scheduler, scenario, f"http://127.0.0.1:{port}/", start)
        scheduler.resume()
        stopped = asyncio.Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, stopped.set)
        print("ready", flush=True)
        await stopped.wait()
        scheduler.shutdown(wait=False)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description="APScheduler 3 and aiohttp.")
    parser.add_argument("--target-port", type=int, required=True)
    parser.add_argument("--scenario", type=parse, required=True)
    parser.add_argument("--start", type=int, required=True, help="µs since the epoch: the first full second to fire in")
    parser.add_argument("--db", help="keep the jobs in this SQLite file")
    options = parser.parse_args(arguments)
    raise_open_files_limit()
    asyncio.run(serve(options.scenario, options.target_port, options.start, options.db))


if __name__ == "__main__":
    main()
