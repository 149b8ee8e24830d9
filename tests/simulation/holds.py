"""Queues that are limited and paused, and maintenance windows, at random; and what must not be seen then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from tests.simulation.clocks import SECOND
from tests.simulation.eras import BOUND
from tests.simulation.history import History, Hold
from tests.simulation.target import Arrival
from tui_scheduler.domain.errors import StoreUnavailable
from tui_scheduler.domain.job import Job
from tui_scheduler.domain.queues import NO_LIMITS, Limits, Rate
from tui_scheduler.domain.windows import WindowSpec
from tui_scheduler.store.queues import QueueStore
from tui_scheduler.store.windows import WindowStore

QUEUES = ("default", "narrow", "wide")
DEEDS = ("limit", "limit", "rate", "pause", "resume", "resume", "lift", "window", "window", "close")
LONGEST_JITTER = 700_000
LAG = 4.0
"""Seconds by which what was let through may arrive later: slow transactions, one after the other."""


class Stewards:
    """Limit, pause and close, in some of the histories, by a chance of their own: the others stay as they are."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._draw = draw = Random(f"holds {history.seed}")
        self.is_active = draw.random() < 0.35
        self._queues = QueueStore(history.database)
        self._windows = WindowStore(history.database)
        self._open: list[str] = []

    def queue_of(self, name: str) -> str:
        """The queue of the job with this name."""
        return Random(f"{self._history.seed} {name}").choice(QUEUES) if self.is_active else QUEUES[0]

    async def run(self) -> None:
        """Until cancelled."""
        while self.is_active:
            await self._history.time.clock.sleep(self._draw.expovariate(0.4))
            self._do(self._draw.choice(DEEDS), self._draw.choice(QUEUES))

    def end(self) -> None:
        """Nothing is held any more."""
        for name in QUEUES if self.is_active else ():
            self._limit(name, NO_LIMITS)
        for window_id in self._open:
            self._windows.delete(window_id, self._history.time.now())
        self._note("end", "", NO_LIMITS, None)

    def _do(self, what: str, name: str) -> None:
        draw, now = self._draw, self._history.time.now()
        before = next((view.limits for view in self._queues.all(now) if view.name == name), NO_LIMITS)
        try:
            if what == "window":
                self._make_window(now, draw.choice((None, name)))
            elif what == "close" and self._open:
                self._windows.delete(self._open.pop(draw.randrange(len(self._open))), now)
                self._note(what, "", NO_LIMITS, None)
            elif what == "limit":
                self._limit(name, replace(before, concurrency=draw.choice((1, 1, 2, 3))))
            elif what == "rate":
                self._limit(name, replace(before, rate=Rate(draw.choice((2, 5)), 8 * SECOND)))
            elif what in {"pause", "resume"}:
                self._limit(name, replace(before, paused=what == "pause"))
            elif what == "lift":
                self._limit(name, NO_LIMITS)
        except StoreUnavailable:
            return

    def _limit(self, name: str, limits: Limits) -> None:
        self._queues.change(name, lambda _: limits)
        self._note("limit", name, limits, None)

    def _make_window(self, now: int, queue: str | None) -> None:
        begins = now + self._draw.choice((-5, 0, 1, 3)) * SECOND
        ends = now + self._draw.choice((2, 5, 9)) * SECOND + SECOND
        spec = WindowSpec("", queue, begins, ends)
        self._open.append(self._windows.create(spec, now).id)
        self._note("window", "", NO_LIMITS, spec)

    def _note(self, what: str, queue: str, limits: Limits, window: WindowSpec | None) -> None:
        history = self._history
        moment = history.time.clock.current_time()
        history.holds.append(Hold(history.time.now(), moment, what, queue, limits, window))


@dataclass(frozen=True, slots=True)
class _Stretch:
    """From one limit of a queue to the next, in virtual seconds."""

    begins: float
    ends: float
    limits: Limits


def check_holds(history: History, rows: list[Any], jobs: list[Job]) -> list[str]:
    """What went although it was held, one sentence each."""
    queue_of = {job.id: job.spec.queue for job in jobs}
    by_queue: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in history.target.arrivals:
        by_queue[queue_of[arrival.job_id]].append(arrival)
    wrong: list[str] = []
    for queue, arrivals in by_queue.items():
        stretches = list(_stretches(history, queue))
        for number, stretch in enumerate(stretches):
            seen = [a for a in arrivals if stretch.begins + BOUND < a.at < stretch.ends]
            wrong += _check_limits(history, queue, stretch, seen)
            wrong += _check_together(history, queue, stretches[: number + 1], seen)
    if not history.clock_was_set_back:
        wrong += _check_windows(history, rows, {job.key: job for job in jobs})
    return wrong


def may_be_closed(history: History, job: Job, row: Any) -> bool:
    """Whether a window lay over a skipped stretch of the job."""
    windows = [hold.window for hold in history.holds if hold.window is not None]
    return any(
        row.skip_from + LONGEST_JITTER >= (window.starts_at or 0) and row.skip_to < (window.ends_at or 0)
        for window in windows
        if window.queue in {None, job.spec.queue}
    )


def _stretches(history: History, queue: str) -> Iterator[_Stretch]:
    mine = [hold for hold in history.holds if hold.what == "limit" and hold.queue == queue]
    ends = [*(hold.moment for hold in mine[1:]), float("inf")][: len(mine)]
    for hold, end in zip(mine, ends, strict=True):
        yield _Stretch(hold.moment, end, hold.limits)


def _check_limits(history: History, queue: str, stretch: _Stretch, seen: list[Arrival]) -> Iterator[str]:
    if _somebody_was_away(history):
        return  # and sends what it had been allowed to before
    if stretch.limits.paused and any(one.at > stretch.begins + LAG for one in seen):
        yield f"queue {queue} sent while it was paused at {stretch.begins:.3f}"
    rate = stretch.limits.rate
    if rate is not None:
        times = [one.at for one in seen]
        if any(b - a < rate.period / SECOND - LAG for a, b in zip(times, times[rate.count :], strict=False)):
            yield f"queue {queue} sent more than {rate} after {stretch.begins:.3f}"


def _check_together(history: History, queue: str, stretches: list[_Stretch], seen: list[Arrival]) -> Iterator[str]:
    """Of the last stretch. What an earlier one had let through may be sent in this one: within LAG, or whenever who has
    it comes back.
    """
    for one in seen:
        since = 0.0 if _somebody_was_away(history) else one.at - LAG
        let_through = [stretch.limits.concurrency for stretch in stretches if stretch.ends > since]
        if since < stretches[0].begins or None in let_through:
            continue
        most = max(limit for limit in let_through if limit is not None)
        together = sum(other.at <= one.at < other.until for other in seen)
        if together > most:
            yield f"{together} of queue {queue} were under way at {one.at:.3f}, which allows {most}"
            return


def _somebody_was_away(history: History) -> bool:
    tally = history.tally
    return bool(tally.freezes or tally.suspends or tally.outages or tally.clock_jumps)


def _check_windows(history: History, rows: list[Any], jobs: dict[int, Job]) -> Iterator[str]:
    bound = round(BOUND * SECOND)
    for number, hold in enumerate(history.holds):
        window = hold.window
        if window is None or window.starts_at is None or window.ends_at is None:
            continue
        closes = next((after.at for after in history.holds[number + 1 :] if after.what in {"close", "end"}), None)
        first = max(window.starts_at, hold.at) + bound
        last = min(window.ends_at, window.ends_at if closes is None else closes) - bound
        for row in rows:
            job = jobs[row.job_id]
            is_meant = row.trigger == "schedule" and window.queue in {None, job.spec.queue}
            if is_meant and first <= row.fire_at < last and row.state == "succeeded" and not row.rescues:
                yield f"{job.spec.name}: execution {row.id} fired in a maintenance window"
