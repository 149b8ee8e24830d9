"""A user who keeps changing things while servers die: a seeded script over the API, and the book of what it did."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence

from tests.crash.book import Entry
from tests.crash.client import Answer, Unanswered
from tests.crash.evidence import Action, Command
from tests.crash.fleet import Fleet
from tests.crash.load import RECIPES, SCHEDULES, Recipe
from tests.crash.processes import Unexpected, now

REQUESTS = {
    Action.EDIT: ("PUT", ""),
    Action.PAUSE: ("POST", "/pause"),
    Action.RESUME: ("POST", "/resume"),
    Action.DELETE: ("DELETE", ""),
    Action.RUN: ("POST", "/run"),
}
WEIGHTS = {Action.EDIT: 5, Action.PAUSE: 3, Action.RUN: 5, Action.DELETE: 1}
PAUSED_WEIGHTS = {Action.EDIT: 1, Action.RESUME: 4, Action.RUN: 1, Action.DELETE: 1}

UNAVAILABLE = 503
"""The store did not answer the server: as good as no answer."""

PAUSE_SECONDS = 0.2
MEAN_PAUSE_SECONDS = 0.12


class Writer:
    """Creates the jobs, then gives orders to half of them until it is stopped. One thread at a time uses it."""

    def __init__(self, fleet: Fleet, receiver: str, seed: int) -> None:
        self.fleet = fleet
        self.receiver = receiver
        self.random = random.Random(seed)
        self.entries: list[Entry] = []
        self.answers: Counter[int] = Counter()
        self.unanswered = 0
        self.failure: BaseException | None = None
        self._numbers = itertools.count()
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)

    def create_all(self, recipes: Sequence[Recipe]) -> None:
        """The jobs of a trial; every second one is left in peace, in every second round of the recipes the others."""
        for number, recipe in enumerate(recipes):
            self.create(recipe, is_steered=(number + number // len(RECIPES)) % 2 == 1)

    def create(self, recipe: Recipe, *, is_steered: bool) -> Entry:
        """A new job. One whose creation was never answered may exist, so it is looked up by its name."""
        number = next(self._numbers)
        name = f"{recipe.name} {number}"
        try:
            answer = self._call("POST", "/api/jobs", recipe.document(self.receiver, name))
            asked, job_id = answer.sent_at, str(_accepted(answer, f"creating {name!r}").body["jobId"])
        except Unanswered as unanswered:
            found = self._find(name)
            if found is None:
                return self.create(recipe, is_steered=is_steered)
            asked, job_id = unanswered.sent_at, found
        entry = Entry(job_id, name, recipe, is_steered, asked, now())
        self.entries.append(entry)
        return entry

    def start(self) -> None:
        """Begin to give orders, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the order under way, and raise what went wrong meanwhile."""
        self._enough.set()
        self._thread.join()
        if self.failure is not None:
            raise self.failure

    def pause_all(self) -> None:
        """The last orders of a trial: nothing new becomes due after them."""
        for entry in self.entries:
            if not entry.is_deleted and not entry.is_paused:
                self.order(entry, Action.PAUSE)

    def order(self, entry: Entry, action: Action) -> None:
        """Give one order until it is acknowledged, and note it. A run-now is given once: it would run twice."""
        method, suffix = REQUESTS[action]
        schedule = self._new_schedule(entry) if action is Action.EDIT else None
        revision = entry.revision + (action is Action.EDIT)
        document = None if schedule is None else self._edit(entry, schedule, revision)
        first_sent_at = None
        while True:
            try:
                answer = self._call(method, f"/api/jobs/{entry.id}{suffix}", document)
            except Unanswered as unanswered:
                if action is Action.RUN:
                    entry.note(Command(action, unanswered.sent_at, now(), sure=False))
                    return
                first_sent_at = first_sent_at or unanswered.sent_at
                continue
            # 404 after a deletion without an answer, 409 after a resume: it had been taken.
            if first_sent_at is None or answer.status not in (404, 409):
                _accepted(answer, f"{action} of {entry.name!r}")
            entry.note(Command(action, first_sent_at or answer.sent_at, now(), revision=revision), schedule)
            return

    def _run(self) -> None:
        try:
            while not self._enough.wait(self.random.expovariate(1 / MEAN_PAUSE_SECONDS)):
                self._do_something()
        except BaseException as error:  # noqa: BLE001 (carried to the thread that waits for this one)
            self.failure = error

    def _do_something(self) -> None:
        entry = self.random.choice([one for one in self.entries if one.is_steered and not one.is_deleted])
        weights = PAUSED_WEIGHTS if entry.is_paused else WEIGHTS
        action = self.random.choices(list(weights), list(weights.values()))[0]
        self.order(entry, action)
        if action is Action.DELETE:
            self.create(entry.recipe, is_steered=True)

    def _new_schedule(self, entry: Entry) -> str:
        """Now and then only the request changes; a job with jitter stays with schedules that leave room for it."""
        return self.random.choice((*SCHEDULES, entry.recipe.schedule))

    def _edit(self, entry: Entry, schedule: str, revision: int) -> dict[str, object]:
        return {"schedule": schedule, "api": entry.recipe.url(self.receiver, revision)}

    def _find(self, name: str) -> str | None:
        """The id of the job with this name, if there is one."""
        while True:
            try:
                listed = _accepted(self._call("GET", "/api/jobs?limit=1000"), "listing jobs").body
            except Unanswered:
                continue
            return next((str(job["jobId"]) for job in listed if job["name"] == name), None)

    def _call(self, method: str, path: str, document: dict[str, object] | None = None) -> Answer:
        try:
            answer = self.fleet.call(method, path, document)
        except Unanswered:
            self.unanswered += 1
            raise
        self.answers[answer.status] += 1
        if answer.status == UNAVAILABLE:
            time.sleep(PAUSE_SECONDS)  # a user's script that is told to come back later does
            raise Unanswered(answer.sent_at, f"{method} {path}: {answer.body}")
        return answer


def _accepted(answer: Answer, what: str) -> Answer:
    if not answer.is_ok:
        raise Unexpected(f"{what}: {answer.status} {answer.body}")
    return answer
