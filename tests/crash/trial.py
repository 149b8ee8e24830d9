"""One trial: start, load, kill at random moments, start again, let it finish, and bring home the evidence."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.arrivals import read_log
from tests.crash.evidence import SECOND, Arrival, Evidence
from tests.crash.faults import Faults
from tests.crash.fleet import Fleet
from tests.crash.load import recipes
from tests.crash.plan import GRACE
from tests.crash.processes import Child, Unexpected, now, start_receiver
from tests.crash.stores import Store, created, next_fire, nodes, records, unfinished
from tests.crash.writer import Writer

STALLED_SECONDS = 60.0
LONGEST_SECONDS = 600.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Terms:
    """What a trial is to be: so many kills, each of the other `faults` so many times, for no longer than `most`.

    `longest_pause` and `longest_life` bound the random waits; they, `timeout` (after which silence a node is dead) and
    `most` are seconds.
    """

    database: str
    kills: int
    seed: int
    jobs: int = 200
    nodes: int = 1
    faults: tuple[str, ...] = ()
    longest_pause: float = 3.0
    longest_life: float = 4.0
    timeout: float = 6.0
    most: float = 3_600.0


@dataclass(frozen=True, slots=True)
class Result:
    """What a trial brought: the evidence, and what the harness saw itself. `faults` counts acts by their kind."""

    terms: Terms
    evidence: Evidence
    kills: int
    faults: dict[str, int]
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
    fleet = Fleet(terms.nodes, store, folder, terms.timeout)
    faults = Faults(
        fleet, store, terms.seed, longest_pause=terms.longest_pause, longest_life=terms.longest_life, say=say
    )
    try:
        writer = Writer(fleet, receiver.url, terms.seed + 1)
        others = f" and {', '.join(sorted(terms.faults))}" if terms.faults else ""
        say(f"{terms.jobs} jobs, {terms.nodes} server(s), {store.name}: {terms.kills} kills{others}; seed {terms.seed}")
        failure = None
        try:
            perform(terms, fleet, writer, store, faults)
        except Unexpected as unexpected:
            failure = str(unexpected)
            fleet.end()
        horizon = now()
        receiver.stop()
        return Result(
            terms=terms,
            evidence=gather(writer, fleet, store, folder, horizon),
            kills=fleet.kills,
            faults=dict(faults.done),
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


def perform(terms: Terms, fleet: Fleet, writer: Writer, store: Store, faults: Faults) -> None:
    """The acts of a trial. Raises `Unexpected` when a process or the API does what it never should."""
    begin(terms, fleet, writer)
    try:
        faults.work(terms.kills, list(terms.faults), time.monotonic() + terms.most)
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


def restart_in_order(fleet: Fleet) -> None:
    """A stop under load gives back what was not fired; it is part of the promise too."""
    for place in range(len(fleet.nodes)):
        fleet.stop(place)
        fleet.start(place)
        fleet.wait_until_up(place)


def finish(fleet: Fleet, writer: Writer, store: Store) -> None:
    """Until nothing is due or unfinished; then all servers are stopped, which has to be orderly."""
    await_none(lambda: behind(store), fleet, "µs behind the plan")
    writer.pause_all()
    time.sleep(GRACE / SECOND)  # what a pause may be overtaken by is due within its grace
    await_none(lambda: unfinished(store), fleet, "executions unfinished")
    for place in range(len(fleet.nodes)):
        fleet.stop(place)


def behind(store: Store) -> int:
    """How long ago (µs) the earliest instant was that is still to be planned, 0 when that is a moment ago."""
    following = next_fire(store)
    late = 0 if following is None else now() - following
    return late if late > SECOND // 10 else 0


def await_none(left: Callable[[], int], fleet: Fleet, of_what: str) -> None:
    """Poll until none is left, as long as all servers live and it gets less: how fast it does is not judged here."""
    end = time.monotonic() + LONGEST_SECONDS
    least, stalled = None, end
    while (found := left()) > 0:
        fleet.check()
        if least is None or found < least:
            least, stalled = found, time.monotonic() + STALLED_SECONDS
        if time.monotonic() > min(stalled, end):
            raise Unexpected(f"still {found:,} {of_what}, {least:,} at best")
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
        freezes=tuple(fleet.freezes),
        nodes=nodes(store),
        timeout=round(fleet.timeout_s * SECOND),
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
