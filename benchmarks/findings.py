"""What a scenario is about besides drift, from the receiver's log and the API's answers. Pure.

slow, hanging    in flight        the most requests under way at once in the window
failing          attempts         the fewest and the most arrivals of a failing occurrence whose last is over
idle             first on time s  from the process start to the first arrival that was on time, and stayed so
backlog          caught up s      from the process start to the last arrival that was more than a second late;
                 catching up /s   arrivals a second until then; new p99 ms: of occurrences due meanwhile
overload         caught up s      the same from the end of the overload; late and oldest as the API showed them
api, overload    api p50, p99, max ms; api errors; api unwell: how often health told of trouble
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from benchmarks.arrivals import Arrival
from benchmarks.asking import Asked
from benchmarks.offers import Timetable
from benchmarks.scenarios import MILLISECOND, SECOND, Scenario, Shape, Window
from benchmarks.verdict import first_arrivals, percentile

ON_TIME = 25 * MILLISECOND
LATE = SECOND
RETRIED_FOR_S = 10
"""Three attempts of 2 s, the waits of up to 1 and 2 s between them, and some for being late."""

Findings = dict[str, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """`since`: the process start, `start`: the first full second with something to fire; both µs since the epoch."""

    since: int
    start: int
    window: Window
    judged: Sequence[Arrival]
    beside: Sequence[Arrival]
    jobs_beside: Sequence[Timetable]
    asked: Sequence[Asked]


def findings(scenario: Scenario, seen: Seen) -> Findings:
    find = FINDERS.get(scenario.shape)
    return {**(find(seen) if find else {}), **answers(seen)}


def under_way(seen: Seen) -> Findings:
    """How many answers the target owed at once, at most: of each request from its arrival until its answer left, or
    for hanging ones until they were given up."""
    jobs = {job.job_id: job.period for job in seen.jobs_beside}
    steps: list[tuple[int, int]] = []
    for arrival in seen.beside:
        steps.append((arrival.arrived_at, 1))
        steps.append((arrival.arrived_at + jobs[arrival.job_id or ""], -1))
    steps.sort()
    now = sum(step for at, step in steps if at < seen.window.start)
    levels = accumulate((step for at, step in steps if at in seen.window), initial=now)
    return {"in flight": max(levels)}


def attempts(seen: Seen) -> Findings:
    """Of failing occurrences that had time for all their attempts within what the log covers."""
    end = max((arrival.arrived_at for arrival in seen.beside), default=0) - RETRIED_FOR_S * SECOND
    counts = Counter((arrival.job_id, arrival.scheduled_at) for arrival in seen.beside)
    over = [count for (_, at), count in counts.items() if at is not None and at < end]
    return {"attempts least": min(over), "attempts most": max(over)} if over else {}


def first_on_time(seen: Seen) -> Findings:
    """Where nothing was late at all, it is the first arrival."""
    ordered = sorted(seen.judged, key=lambda arrival: arrival.arrived_at)
    late = [number for number, arrival in enumerate(ordered) if is_late(arrival, ON_TIME)]
    early = [number for number in late if ordered[number].arrived_at < seen.window.start]
    following = ordered[early[-1] + 1 :] if early else ordered
    return {"first on time s": (following[0].arrived_at - seen.since) / SECOND} if following else {}


def catching_up(seen: Seen) -> Findings:
    """From the process start."""
    return _caught_up(seen, seen.since)


def made_up_for(seen: Seen) -> Findings:
    """From the end of the overload."""
    end = max((job.until for job in seen.jobs_beside), default=seen.window.end)
    shown = [asked.late for asked in seen.asked if asked.late is not None]
    waited = [seconds for asked in seen.asked if (seconds := oldest_wait(asked)) is not None]
    visible = {"late shown": max(shown)} if shown else {}
    oldest = {"oldest shown s": max(waited)} if waited else {}
    return {**_caught_up(seen, end), **visible, **oldest}


def _caught_up(seen: Seen, since: int) -> Findings:
    arrivals = [arrival.arrived_at for arrival in seen.beside]
    late = [arrival.arrived_at for arrival in seen.beside if is_late(arrival, LATE)]
    if not late:
        return {"caught up s": 0.0}
    until, first = max(late), min(arrivals)
    meanwhile = sum(first <= at <= until for at in arrivals)
    new = [each for each in first_arrivals(seen.beside).values() if seen.since <= (each.meant_for or 0) <= until]
    drifts = sorted(drift for each in new if (drift := each.drift) is not None)
    rate = {"catching up /s": meanwhile * SECOND / (until - first)} if until > first else {}
    fresh = {"new p99 ms": percentile(drifts, 0.99) / MILLISECOND} if drifts else {}
    return {"caught up s": max(0, until - since) / SECOND, **rate, **fresh}


def answers(seen: Seen) -> Findings:
    """Of the API, to what was asked in the window. One that never came is an error and took what it was waited for."""
    asked_then = [asked for asked in seen.asked if asked.at in seen.window]
    times = sorted(asked.took for asked in asked_then)
    if not times:
        return {}
    shares = {"api p50 ms": 0.5, "api p99 ms": 0.99, "api max ms": 1.0}
    errors = sum((asked.status == 0 or asked.status >= 500) and not asked.unwell for asked in asked_then)
    unwell = sum(asked.unwell for asked in asked_then)
    spread = {name: percentile(times, share) / MILLISECOND for name, share in shares.items()}
    return {**spread, "api asked": len(times), "api errors": errors, "api unwell": unwell}


def is_late(arrival: Arrival, than: int) -> bool:
    return arrival.drift is not None and arrival.drift > than


def oldest_wait(asked: Asked) -> float | None:
    """How old (s) the oldest late occurrence was when the API told of it."""
    if asked.oldest_late is None:
        return None
    return (asked.at + asked.took) / SECOND - datetime.fromisoformat(asked.oldest_late).timestamp()


FINDERS: Mapping[Shape, Callable[[Seen], Findings]] = {
    Shape.SLOW: under_way,
    Shape.HANGING: under_way,
    Shape.FAILING: attempts,
    Shape.IDLE: first_on_time,
    Shape.BACKLOG: catching_up,
    Shape.OVERLOAD: made_up_for,
}
