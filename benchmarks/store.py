"""What the store costs by itself, without an engine and without HTTP: one claim or record after the other.

    python -m benchmarks.store                                      both databases, empty
    python -m benchmarks.store --history 2000000 --batch 500 2000
    python -m benchmarks.store --db postgresql --rounds 20

Rounds on all databases and batch sizes alternate, so that they meet the same machine. A round claims a batch of jobs
that are due and records that they succeeded, then does once what an engine does besides: look for work when there is
none, look for edits and cancellations, a heartbeat, and a batch of pruning.

µs for each firing (claim, record), each call (look, follow, beat) or each row deleted (prune): as the clock has it,
and of CPU in this process and in all of the database server. The middle of the rounds; servers are seen by the tick
(10 ms), so theirs are means, and say nothing about a single call unless there are hundreds of rounds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.databases import KINDS, PAST_S, Filling, filled
from benchmarks.machine import describe
from benchmarks.report import aligned
from benchmarks.scenarios import SECOND
from benchmarks.usage import usage_of
from tui_scheduler.domain.execution import State
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.store.claims import Claim, ClaimStore
from tui_scheduler.store.database import Database, open_database
from tui_scheduler.store.jobs import JobStore
from tui_scheduler.store.nodes import NodeStore
from tui_scheduler.store.pruning import PruneStore
from tui_scheduler.store.records import Record, RecordStore

DEEDS = ("claim", "record", "look", "follow", "beat", "prune")
WARM_UP = 3
"""Rounds that do not count: statements are prepared, jobs are parsed."""
PRUNED = 500


@dataclass(slots=True)
class Cost:
    """Of one deed: µs for each unit in each round, and in the server all seconds for all units."""

    wall: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    server_s: float = 0.0
    units: int = 0


class Subject:
    """One database with jobs that are due every second, and a node that works on it by a clock of its own."""

    def __init__(self, name: str, database: Database, server: int | None, batch: int) -> None:
        self.name = name
        self.costs: defaultdict[str, Cost] = defaultdict(Cost)
        self._server = server
        self._batch = batch
        self._claims = ClaimStore(database)
        self._records = RecordStore(database)
        self._nodes = NodeStore(database)
        self._jobs = JobStore(database)
        self._pruning = PruneStore(database)
        self._now = time.time_ns() // 1_000 // SECOND * SECOND
        self._pruned_to = 0
        request = Request("http://127.0.0.1:9/")
        self._jobs.create_many((JobSpec("* * * * * *", request, name=f"job {n}") for n in range(batch)), self._now)
        self._node = self._nodes.register(f"bench-{name}-{batch}", "bench", 1, "0", self._now)

    def round(self) -> None:
        self._now += SECOND
        claims: list[Claim] = []
        with self._measured("claim", self._batch):
            claims = self._claims.claim(self._node, self._now, self._now, self._batch).claims
        if len(claims) != self._batch:
            raise RuntimeError(f"{len(claims)} claims instead of {self._batch}")
        with self._measured("look", 1):
            self._claims.has_due(self._now, self._now)
        ends = [self._end(claim) for claim in claims]
        with self._measured("record", self._batch):
            fenced = self._records.record(self._node, ends)
        if fenced:
            raise RuntimeError(f"{fenced} executions were not this node's")
        with self._measured("follow", 1):
            self._jobs.changed_since(0)
            self._records.cancel_requests(self._node)
        with self._measured("beat", 1):
            self._nodes.beat(self._node, self._now, {})
        before = self._now - PAST_S // 2 * SECOND  # the history, and nothing of what is written here
        with self._measured("prune", PRUNED):
            self._pruned_to = self._pruning.by_age(before, self._now, self._pruned_to, PRUNED).cursor

    def _end(self, claim: Claim) -> Record:
        execution, at = claim.execution, claim.due
        return Record(
            execution.key,
            execution.claim_no,
            execution.job_key,
            State.SUCCEEDED,
            finished_at=at + 3_500,
            started_at=at + 1_500,
            duration=2_000,
            http_status=200,
            excerpt='{"ok":true}',
        )

    @contextmanager
    def _measured(self, deed: str, units: int) -> Iterator[None]:
        server = self._server_s()
        client, wall = time.process_time(), time.perf_counter()
        yield
        wall, client = time.perf_counter() - wall, time.process_time() - client
        cost = self.costs[deed]
        cost.wall.append(wall / units * SECOND)
        cost.client.append(client / units * SECOND)
        cost.server_s += self._server_s() - server
        cost.units += units

    def _server_s(self) -> float:
        return usage_of(self._server).cpu_seconds if self._server is not None else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    machine = describe()
    print(
        f"{machine['date']}, commit {machine['commit']}, {machine['cores']} cores, load {machine['load']}", flush=True
    )
    with ExitStack() as opened:
        subjects = [
            opened.enter_context(subject(kind, batch, options.history))
            for kind in options.db
            for batch in options.batch
        ]
        for number in range(WARM_UP + options.rounds):
            for each in subjects:
                if number == WARM_UP:
                    each.costs.clear()
                each.round()
        print(table(subjects))
    return 0


@contextmanager
def subject(kind: str, batch: int, history: int) -> Iterator[Subject]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with filled(Filling(kind, history, jobs=1_000), folder) as ready:
            database = open_database(ready.url)
            try:
                yield Subject(f"{kind}, {batch} a batch", database, ready.pid, batch)
            finally:
                database.close()


def table(subjects: Sequence[Subject]) -> str:
    """A line for each deed, and for each subject clock, client and server."""
    rows = [["", *(each.name for each in subjects)]]
    rows.extend([deed, *(_cell(each.costs[deed]) for each in subjects)] for deed in DEEDS)
    return aligned(rows, left=1)


def _cell(cost: Cost) -> str:
    server = cost.server_s / cost.units * SECOND if cost.units else 0.0
    middle: Callable[[list[float]], float] = statistics.median
    return f"{middle(cost.wall):.1f} ({middle(cost.client):.1f} + {server:.1f})"


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.store", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--db", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--batch", type=int, nargs="+", default=[500, 2_000], help="jobs due in a second")
    parser.add_argument("--history", type=int, default=0, help="finished executions in the store beforehand")
    parser.add_argument("--rounds", type=int, default=20, help="that count")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
