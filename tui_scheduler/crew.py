"""`--serve --workers N`: engines in processes of their own on one store, started and kept up by this one.

A worker that dies is started again; what it had is rescued by the others, as from any node, the moment the system
drops its lock. One thread for each worker looks after it.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Final

import structlog

from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.domain.execution import Outcome
from tui_scheduler.domain.job import JobSpec
from tui_scheduler.domain.restarts import Deaths
from tui_scheduler.engine.limits import raise_file_limit
from tui_scheduler.engine.thread import settle_garbage
from tui_scheduler.engine.trial_thread import TrialThread
from tui_scheduler.hosting import FLUSH_S
from tui_scheduler.settings import Settings, hand_over
from tui_scheduler.worker_process import WorkerProcess, how_it_ended
from tui_scheduler.worker_talk import Kind, Word

SILENT_S: Final = 10.0
"""A worker that has said nothing for so long hangs, or is held."""

log = structlog.get_logger(__name__)


class WorkerFailed(SchedulerError):
    """A worker cannot start, and why."""


class Crew:
    """`settings.workers` of them. `say` writes a line on the console, and never waits for it.

    See `Engines` for what each method promises.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self._settings = settings
        self._news: SimpleQueue[_News] = SimpleQueue()
        orders = hand_over(settings)
        self._workers = [_Worker(number, orders, say, self._news) for number in range(1, settings.workers + 1)]
        self._trials = TrialThread()

    def __str__(self) -> str:
        return f"{len(self._workers)} worker processes"

    def start(self) -> None:
        raise_file_limit()  # for the API; each worker does it for itself
        for worker in self._workers:
            worker.start()
        for _ in self._workers:
            news = self._news.get()
            if news == _GIVEN_UP:
                return
            if news != _BEGUN:
                self.stop()
                raise WorkerFailed(news)
        settle_garbage()

    def give_up_start(self) -> None:
        self._news.put(_GIVEN_UP)

    def wake(self) -> None:
        for worker in self._workers:
            worker.wake()

    def try_request(self, spec: JobSpec, unwanted: Future[None] | None = None) -> Outcome:
        return self._trials.try_request(spec, unwanted)

    def trouble(self) -> str | None:
        found = {worker.number: worker.trouble() for worker in self._workers}
        return "; ".join(told({number: texts for number, texts in found.items() if texts})) or None

    def details(self) -> Mapping[str, str]:
        up = sum(worker.is_up for worker in self._workers)
        return {"workers": f"{up} of {len(self._workers)} up"}

    def have_ended(self) -> bool:
        return False  # one that dies is started again, however often

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()
        self._trials.stop()
        # A worker keeps a deadline itself, twice at the most; this one is for what hangs.
        deadline = time.monotonic() + 2 * (self._settings.drain_s + FLUSH_S) + FLUSH_S
        for worker in self._workers:
            worker.join(deadline)

    def kill(self) -> None:
        for worker in self._workers:
            worker.kill()

    def verdict(self) -> str | None:
        return None


_News = str
_BEGUN: Final = "begun"
_GIVEN_UP: Final = "given up"
"""Or, of a worker that could not begin, the sentence that says why."""


class _Worker:
    """One place in the crew, and whoever fills it."""

    def __init__(self, number: int, orders: bytes, say: Callable[[str], None], news: SimpleQueue[_News]) -> None:
        self.number = number
        self.is_up = False
        self._has_begun = False
        self._orders = orders
        self._say = say
        self._news = news
        self._guard = threading.Lock()
        self._process: WorkerProcess | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_after, name=f"worker {number}", daemon=True)
        self._state: tuple[str, ...] = ()
        self._heard_at = 0.0
        self._last_words = ""

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        process = self._process
        if process is not None:
            process.wake()

    def trouble(self) -> tuple[str, ...]:
        """What keeps it from its work, a sentence each."""
        silent_s = time.monotonic() - self._heard_at
        if self.is_up and silent_s > SILENT_S:
            return (f"has said nothing for {silent_s:.0f} s", *self._state)
        return self._state

    def stop(self) -> None:
        """Have it stop in order, and start no other."""
        self._stopping.set()
        with self._guard:
            process = self._process
        if process is not None:
            process.stop()

    def join(self, deadline: float) -> None:
        """Wait for its end until the deadline (by the monotonic clock), then make an end."""
        if self._thread.ident is None:
            return
        self._thread.join(max(deadline - time.monotonic(), 0))
        if self._thread.is_alive():
            log.warning("worker_stop_overdue", worker=self.number)
            self.kill()
            self._thread.join(FLUSH_S)

    def kill(self) -> None:
        """Also from a signal handler."""
        self._stopping.set()
        process = self._process
        if process is not None:
            process.kill()

    def _look_after(self) -> None:
        deaths = Deaths()
        while not self._stopping.is_set():
            began_at = time.monotonic()
            how = self._live()
            self.is_up = False
            if self._stopping.is_set():
                return
            if not self._has_begun:
                self._news.put(self._last_words or f"worker {self.number}: {how} before it had begun")
                return
            deaths = deaths.after(time.monotonic() - began_at)
            self._mourn(how, deaths)
            self._stopping.wait(deaths.pause_s)

    def _live(self) -> str:
        """One process, from its start to its end; how that came, as the rest of a sentence."""
        self._last_words = ""
        with self._guard:
            if self._stopping.is_set():
                return ""
            try:
                self._process = WorkerProcess(self._orders)
            except OSError as error:
                return f"cannot be started: {(error.strerror or 'unknown error').lower()}"
        code = self._process.listen(self._hear, self._show)
        end = f"ended: {self._last_words}" if self._last_words else how_it_ended(code)
        return f"process {self._process.pid} {end}"

    def _mourn(self, how: str, deaths: Deaths) -> None:
        pause, times = deaths.pause_s, deaths.in_a_row
        when = f"started again in {pause:g} s, after {times} deaths in a row" if pause else "started again"
        self._state = (f"{how}; {when}",)
        self._say(f"worker {self.number}: {how}; {when}")

    def _hear(self, word: Word) -> None:
        self._heard_at = time.monotonic()
        match word.kind:
            case Kind.BEGUN:
                self._begin()
            case Kind.STATE:
                self._state = word.texts
            case Kind.ALERT:
                for line in word.texts:
                    self._say(line)
            case Kind.DIED:
                self._last_words = "; ".join(word.texts)

    def _begin(self) -> None:
        if self._state:
            self._say(f"worker {self.number}: back")
        self._state = ()
        self.is_up = True
        if not self._has_begun:
            self._has_begun = True
            self._news.put(_BEGUN)

    def _show(self, line: str) -> None:
        self._say(f"worker {self.number}: {line}")


def told(troubles: Mapping[int, tuple[str, ...]]) -> list[str]:
    """A sentence for each trouble, and whose it is: a store that is away is away for all of them."""
    whose: defaultdict[str, list[int]] = defaultdict(list)
    for number, texts in troubles.items():
        for text in texts:
            whose[text].append(number)
    return [f"{_named(numbers)}: {text}" for text, numbers in whose.items()]


def _named(numbers: list[int]) -> str:
    return ("worker " if len(numbers) == 1 else "workers ") + ", ".join(map(str, numbers))
