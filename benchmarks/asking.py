"""A client of the API that asks at a steady rate, whether it is answered or not.

    python -m benchmarks.asking --url http://127.0.0.1:3000 --rate 200 --writes 0.1 --log asked.log

Prints `ready` and asks until SIGTERM: the newest jobs, one of them, its executions, metrics, health; and, as many as
asked for, creates, changes and deletes jobs that are not due for long. An answer's time runs from the instant its
request was to be made, so that waiting for a free moment counts.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.scenarios import SECOND

PATIENCE_S = 60.0
JOB = {"name": "asked for", "schedule": "0 0 0 1 1 *", "api": "http://127.0.0.1:9/", "type": "ATLEAST_ONCE"}
READS = ("/api/jobs?limit=20", "/api/jobs/{job}", "/api/jobs/{job}/executions?limit=20", "/api/metrics", "/api/health")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it was to be made (µs since the epoch), how long until it was answered whole (µs), with what
    status (0: not at all), and, of the metrics, what they said of lateness. `unwell`: health was asked for, and says
    that there is trouble, which is no error of the API."""

    at: int
    took: int
    status: int
    writes: bool
    late: int | None = None
    oldest_late: str | None = None
    unwell: bool = False


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str, writes: float) -> None:
        self._session = session
        self._url = url
        self._every = round(1 / writes) if writes else 0
        self._made: list[str] = []
        self._job = ""
        self.asked: list[Asked] = []

    async def begin(self) -> None:
        async with self._session.get(f"{self._url}/api/jobs?limit=1") as response:
            (first,) = await response.json()
        self._job = first["jobId"]

    async def ask(self, number: int, at: int) -> None:
        """The request with that number; what goes wrong is an answer too."""
        writes = bool(self._every) and number % self._every == 0
        said: Any = None
        try:
            status, said = await (self._write(number // self._every) if writes else self._read(number))
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        shown = said if isinstance(said, dict) and "oldestLate" in said else {}
        took = time.time_ns() // 1_000 - at
        unwell = status == 503 and isinstance(said, dict) and "reasons" in said
        self.asked.append(Asked(at, took, status, writes, shown.get("late"), shown.get("oldestLate"), unwell))

    async def _read(self, number: int) -> tuple[int, Any]:
        return await self._request("GET", READS[number % len(READS)].format(job=self._job))

    async def _write(self, turn: int) -> tuple[int, Any]:
        if turn % 3 and self._made:
            deletes = turn % 3 == 2
            job = self._made.pop(0) if deletes else self._made[0]
            document = None if deletes else {**JOB, "name": f"asked for again {turn}"}
            return await self._request("DELETE" if deletes else "PUT", f"/api/jobs/{job}", document)
        status, said = await self._request("POST", "/api/jobs", JOB)
        if status == 201:
            self._made.append(said["jobId"])
        return status, said

    async def _request(self, method: str, path: str, document: object = None) -> tuple[int, Any]:
        async with self._session.request(method, self._url + path, json=document) as response:
            body = await response.read()
            return response.status, json.loads(body) if body else None


async def ask_on(url: str, rate: float, writes: float) -> list[Asked]:
    """Until SIGTERM, and then until the last answer is there."""
    stopped = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopped.set)
    timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as session:
        client = Client(session, url, writes)
        await client.begin()
        print("ready", flush=True)
        start = time.time_ns() // 1_000
        async with asyncio.TaskGroup() as requests:
            for number in count():
                at = start + round(number * SECOND / rate)
                await asyncio.sleep(max(0.0, (at - time.time_ns() // 1_000) / SECOND))
                if stopped.is_set():
                    break
                requests.create_task(client.ask(number, at))
    return client.asked


def write_log(path: Path, asked: Sequence[Asked]) -> None:
    path.write_text("".join(json.dumps(asdict(each)) + "\n" for each in asked))


def read_log(path: Path) -> list[Asked]:
    return [Asked(**json.loads(line)) for line in path.read_text().splitlines()]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.asking", description="Ask the API at a steady rate.")
    parser.add_argument("--url", required=True)
    parser.add_argument("--rate", type=float, default=200, help="a second")
    parser.add_argument("--writes", type=float, default=0.1, help="share of them that change something")
    parser.add_argument("--log", type=Path, required=True)
    options = parser.parse_args(arguments)
    write_log(options.log, asyncio.run(ask_on(options.url, options.rate, options.writes)))


if __name__ == "__main__":
    main()
