"""What is done to the servers and to their database while they work: each fault is one act, mixed by chance.

    kill      SIGKILL, at a random moment or near a full second; started again after a pause, now and then twice
    stop      SIGSTOP beyond the time after which others take a node for dead, then SIGCONT
    lock      SQLite kept locked by another process for ten seconds
    full      the disk of the database full until the servers say so, and a while longer
    restart   PostgreSQL stopped (fast, or immediate as in a crash) and started again
    drop      connections of PostgreSQL cut in the middle of transactions

While one of the last five lasts, a server may be killed as well; it is started when the fault is over.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.crash.client import NotReached, Unanswered
from tests.crash.evidence import SECOND, Freeze, Outage
from tests.crash.fleet import Fleet
from tests.crash.processes import Unexpected, now
from tests.crash.stores import PostgresStore, SqliteStore, Store

KINDS = ("kill", "stop", "lock", "full", "restart", "drop")
AIM_SECONDS = 0.02
"""How near to a full second the aimed kills are."""
LOCK_SECONDS = 10.0
NOTICED_SECONDS = 90.0
"""How long a server may take to say that the disk is full, and that it is well again: deadlines, not waits."""
RECOVERING = 6 * SECOND
"""The longest pause between two tries of an engine whose store was away is 5 s."""


class Faults:
    """The acts of one trial. `work` carries them all out; the moments and the order come from the seed."""

    def __init__(
        self,
        fleet: Fleet,
        store: Store,
        seed: int,
        *,
        longest_pause: float,
        longest_life: float,
        say: Callable[[str], None],
    ) -> None:
        self.fleet = fleet
        self.store = store
        self.random = random.Random(seed)
        self.longest_pause = longest_pause
        self.longest_life = longest_life
        self.say = say
        self.done: Counter[str] = Counter()
        self._acts = {
            "kill": self.kill,
            "stop": self.stop,
            "lock": self.lock,
            "full": self.full,
            "restart": self.restart,
            "drop": self.drop,
        }

    def work(self, kills: int, others: list[str], deadline: float) -> None:
        """So many kills and the others among them, until `deadline` (monotonic seconds) at the latest."""
        acts = [*others, *["kill"] * (kills - self.fleet.kills)]
        self.random.shuffle(acts)
        for act in acts:
            if time.monotonic() > deadline or (act == "kill" and self.fleet.kills >= kills):
                continue
            time.sleep(self.random.uniform(0.2, self.longest_life))  # the moment is random, so there is no signal
            self.done[act] += 1
            self._acts[act]()

    # The acts.

    def kill(self) -> None:
        """One server, or now and then two of several at once."""
        both = len(self.fleet.nodes) > 1 and self.random.random() < 0.3
        places = self.random.sample(range(len(self.fleet.nodes)), 2 if both else 1)
        how = self._aim()
        for place in places:
            self.fleet.kill(place)
        pause = self.random.uniform(0, self.longest_pause)
        self.say(f"kill {self.fleet.kills} of server {places} {how}; back in {pause:.2f} s")
        time.sleep(pause)  # being down is what is tested
        for place in places:
            self.fleet.start(place)
        if self.random.random() < 0.15:
            self._kill_while_starting(places[0])
        for place in places:
            self.fleet.wait_until_up(place)

    def stop(self) -> None:
        """Freeze one server for longer than others believe in it."""
        place = self.random.randrange(len(self.fleet.nodes))
        pid = self.fleet.pids()[place]
        lasts = self.fleet.timeout_s + self.random.uniform(5.5, 7.5)
        with self._killing_meanwhile(spared=place) as killed:
            held = self._freeze(place, pid)
            begin = now()
            self.say(f"server {place} frozen for {lasts:.1f} s" + (", with a lock of the database in hand" * held))
            time.sleep(lasts)
            end = now()
            self.fleet.thaw(place)
        watched = len(self.fleet.nodes) > 1 and not held and not killed
        self.fleet.freezes.append(Freeze(pid, begin, end, watched))
        self._over("stop", begin, end)

    def lock(self) -> None:
        """Another process has the SQLite file to itself."""
        assert isinstance(self.store, SqliteStore)
        with self._killing_meanwhile():
            begin = now()
            with self.store.lock():
                self.say(f"the database locked for {LOCK_SECONDS:.0f} s")
                time.sleep(LOCK_SECONDS)
        self._over("lock", begin, now())

    def full(self) -> None:
        """No room on the disk of the database; the servers have to say so, and to go on by themselves afterwards."""
        disk = self.store.disk
        assert disk is not None
        begin = now()
        with self._killing_meanwhile(spared=0):  # somebody has to be there to say so
            disk.fill(self.fleet.pids().values())
            self.say("the disk is full")
            try:
                self._await_health("a full disk", lambda status, text: status == 503 and "disk" in text)
                time.sleep(self.random.uniform(1, 4))
            finally:
                disk.make_room(self.fleet.pids().values())
        self._await_health("room on the disk", lambda status, text: "disk" not in text)
        self._over("full", begin, now() + RECOVERING)

    def restart(self) -> None:
        """PostgreSQL goes and comes back."""
        assert isinstance(self.store, PostgresStore)
        immediate = self.random.random() < 0.5
        lasts = self.random.uniform(0.1, 4)
        begin = now()
        with self._killing_meanwhile(), self.store.restart(immediate=immediate):
            self.say(f"PostgreSQL stopped {'at once' if immediate else 'fast'}; back in {lasts:.1f} s")
            time.sleep(lasts)
        self._over("restart", begin, now())

    def drop(self) -> None:
        """Connections are cut for a while, one in two that are in a transaction; sometimes all at the end."""
        assert isinstance(self.store, PostgresStore)
        begin, until, cut = now(), time.monotonic() + self.random.uniform(1, 3), 0
        while time.monotonic() < until:
            cut += self.store.drop(everything=False, draw=self.random.random)
            time.sleep(0.05)
        if self.random.random() < 0.5:
            cut += self.store.drop(everything=True, draw=self.random.random)
        self.say(f"{cut} connections cut")
        self._over("drop", begin, now())

    # Their parts.

    def _freeze(self, place: int, pid: int) -> bool:
        """Freeze it; whether it has a lock of the database in hand. That holds up everybody, so it is kept that way
        one time in four only, and otherwise let go on for a moment.
        """
        while True:
            self.fleet.freeze(place)
            held = self.store.is_held_by(pid)
            if not held or self.random.random() < 0.25:
                return held
            self.fleet.thaw(place)
            time.sleep(self.random.uniform(0.05, 0.2))

    def _aim(self) -> str:
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

    @contextmanager
    def _killing_meanwhile(self, spared: int | None = None) -> Iterator[list[int]]:
        """Now and then kill a server as what stands inside begins, and start it when that is over; which, if any."""
        places = [place for place in range(len(self.fleet.nodes)) if place != spared]
        killed = [self.random.choice(places)] if places and self.random.random() < 0.35 else []
        for place in killed:
            self.fleet.kill(place)
            self.say(f"kill {self.fleet.kills} of server {place}, and meanwhile")
        yield killed
        for place in killed:
            self.fleet.start(place)
        for place in killed:
            self.fleet.wait_until_up(place)

    def _await_health(self, what: str, is_so: Callable[[int, str], bool]) -> None:
        """Until every server that is up says so."""
        deadline = time.monotonic() + NOTICED_SECONDS
        while True:
            self.fleet.check()
            try:
                answers = self.fleet.healths()
            except (NotReached, Unanswered):
                answers = []
            if all(is_so(answer.status, str(answer.body)) for answer in answers):
                return
            if time.monotonic() > deadline:
                raise Unexpected(f"{what} is not seen in /api/health: {answers}")
            time.sleep(0.1)

    def _over(self, kind: str, begin: int, end: int) -> None:
        self.fleet.outages.append(Outage(begin, end + self.fleet.settling, kind))
