"""One trial: start, load, kill at random moments, start again, let it finish, and bring home the evidence."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import read_log
from tests.crash.evidence import SECOND, Arrival, Evidence
from tests.crash.fleet import Fleet
from tests.crash.load import recipes
from tests.crash.plan import GRACE
from tests.crash.processes import Child, Unexpected, now, start_receiver
from tests.crash.stores import Store, created, next_fire, records, unfinished
from tests.crash.writer import Writer

CATCH_UP_SECONDS = 90.0
FINISH_SECONDS = 90.0
POLL_SECONDS = 0.1
AIM_SECONDS = 0.02
"""How near to a full second the aimed kills are."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trial is to be. `longest_pause` and `longest_life` bound the random waits, in seconds."""

    database: str
    kills: int
    seed: int
    jobs: int = 200
    nodes: int = 1
    longest_pause: float = 3.0
    longest_life: float = 4.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial brought: the evidence, and what the harness saw itself."""

    terms: Terms
    evidence: Evidence
    kills: int
    starts: int
    start_seconds: tuple[float, ...]
    orders: int
    unanswered: int
    answers: dict[int, int]
    seconds: float
    failure: str | None


def run(terms: Terms, store: Store, folder: Path, say: Callable[[str], None]) -> Result:
    """Carry it out. A trial that cannot be brought to its end is a failure, and its evidence is judged as it is."""
    began = time.monotonic()
    receiver = start_receiver(folder / "arrivals.log", folder / "receiver.log")
    fleet = Fleet(terms.nodes, store.url, folder)
    try:
        writer = Writer(fleet, receiver.url, terms.seed + 1)
        say(f"{terms.jobs} jobs on {terms.nodes} server(s), {store.name}; {terms.kills} kills, seed {terms.seed}")
        failure = None
        try:
            perform(terms, fleet, writer, store, say)
        except Unexpected as unexpected:
            failure = str(unexpected)
            fleet.end()
        horizon = now()
        receiver.stop()
        return Result(
            terms=terms,
            evidence=gather(writer, fleet, store, folder, horizon),
            kills=fleet.kills,
            starts=fleet.starts,
            start_seconds=tuple(fleet.start_seconds),
            orders=sum(len(entry.orders) for entry in writer.entries),
            unanswered=writer.unanswered,
            answers=dict(writer.answers),
            seconds=time.monotonic() - began,
            failure=failure,
        )
    finally:
        fleet.end()
        end(receiver)


def perform(terms: Terms, fleet: Fleet, writer: Writer, store: Store, say: Callable[[str], None]) -> None:
    """The acts of a trial. Raises `Unexpected` when a process or the API does what it never should."""
    begin(terms, fleet, writer)
    try:
        Killer(terms, fleet, say).work()
    finally:
        writer.stop()
    restart_in_order(fleet)
    finish(fleet, writer, store)


def begin(terms: Terms, fleet: Fleet, writer: Writer) -> None:
    """All servers up, all jobs made, the writer writing. The first server makes the tables, the others find them."""
    for place in range(terms.nodes):
        fleet.start(place)
    for place in range(terms.nodes):
        fleet.wait_until_up(place)
    writer.create_all(recipes(terms.jobs))
    writer.start()


class Killer:
    """Kills one server at a time, at moments drawn from the seed, and starts it again."""

    def __init__(self, terms: Terms, fleet: Fleet, say: Callable[[str], None]) -> None:
        self.terms = terms
        self.fleet = fleet
        self.say = say
        self.random = random.Random(terms.seed)

    def work(self) -> None:
        for number in range(1, self.terms.kills + 1):
            place = self.random.randrange(self.terms.nodes)
            how = self._await_moment(place)
            self.fleet.kill(place)
            pause = self.random.uniform(0, self.terms.longest_pause)
            self.say(f"kill {number}/{self.terms.kills} of server {place} {how}; back in {pause:.2f} s")
            time.sleep(pause)  # being down is what is tested
            self.fleet.start(place)
            if self.random.random() < 0.15 and number < self.terms.kills:
                self._kill_while_starting(place)
            self.fleet.wait_until_up(place)

    def _await_moment(self, place: int) -> str:
        """Let the server live for a while. The moment itself is random, so there is no signal to wait for."""
        time.sleep(self.random.uniform(0.2, self.terms.longest_life))
        if self.random.random() < 0.6:
            return "at some moment"
        aim = self.random.uniform(-AIM_SECONDS, AIM_SECONDS)
        time.sleep(1 - time.time() % 1 + aim if time.time() % 1 + aim < 1 else 0)
        return f"{aim * 1_000:+.0f} ms from a second"

    def _kill_while_starting(self, place: int) -> None:
        """One more, into the migration check, the rescue, the first claim: it has not said that it listens."""
        time.sleep(self.random.uniform(0.1, 1.5))
        self.fleet.kill(place)
        self.say(f"  and once more while server {place} was starting")
        self.fleet.start(place)


def restart_in_order(fleet: Fleet) -> None:
    """A stop under load gives back what was not fired; it is part of the promise too."""
    for place in range(len(fleet.nodes)):
        fleet.stop(place)
        fleet.start(place)
        fleet.wait_until_up(place)


def finish(fleet: Fleet, writer: Writer, store: Store) -> None:
    """Until nothing is due or unfinished; then all servers are stopped, which has to be orderly."""
    await_that(lambda: is_caught_up(store), fleet, CATCH_UP_SECONDS, "still behind its plan")
    writer.pause_all()
    time.sleep(GRACE / SECOND)  # what a pause may be overtaken by is due within its grace
    await_that(lambda: unfinished(store) == 0, fleet, FINISH_SECONDS, "executions are unfinished")
    for place in range(len(fleet.nodes)):
        fleet.stop(place)


def is_caught_up(store: Store) -> bool:
    following = next_fire(store)
    return following is None or following >= now() - SECOND // 10


def await_that(is_so: Callable[[], bool], fleet: Fleet, seconds: float, otherwise: str) -> None:
    """Poll until it is so, as long as all servers live."""
    deadline = time.monotonic() + seconds
    while not is_so():
        fleet.check()
        if time.monotonic() > deadline:
            raise Unexpected(f"{otherwise} after {seconds:.0f} s")
        time.sleep(POLL_SECONDS)


def gather(writer: Writer, fleet: Fleet, store: Store, folder: Path, horizon: int) -> Evidence:
    """What the audit is given. A job the database has lost is given the creation instant that its user saw."""
    at = created(store)
    return Evidence(
        stories=tuple(entry.story(at.get(entry.id, entry.answered)) for entry in writer.entries),
        arrivals=arrivals(folder / "arrivals.log"),
        records=records(store),
        outages=tuple(fleet.outages),
        horizon=horizon,
    )


def arrivals(log: Path) -> tuple[Arrival, ...]:
    """The receiver's log. A request without our headers is given an empty key, which the audit does not take."""
    return tuple(
        Arrival(
            at=one.arrived_at,
            job_id=one.job_id or "",
            scheduled_at=one.scheduled_at or 0,
            fire_at=one.meant_for or 0,
            key=one.key or "",
            attempt=one.attempt or 0,
            revision=int(one.path.split("/")[2]),
        )
        for one in read_log(log)
    )


def end(child: Child) -> None:
    """Kill it unless it was ended already."""
    if not child.was_ended:
        child.kill()
