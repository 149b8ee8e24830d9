"""The servers of a trial: one or several on one database, killed and started again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.crash.client import Answer, NotReached, call
from tests.crash.evidence import SECOND, Freeze, Outage
from tests.crash.processes import START_SECONDS, Child, Unexpected, now, start_server
from tests.crash.stores import Store

SETTLING = {"sqlite": 2 * SECOND, "postgresql": 8 * SECOND}
"""How long after a start its effects (a rescue, a catch-up) are not yet the usual running. On PostgreSQL a lock that is
free is believed after 3 s, and a node that lost its own begins anew."""


DRAIN = 10 * SECOND
"""How long a server that stops waits for answers, unless it is told otherwise."""


class Fleet:
    """So many servers on one database. The thread that kills owns it; others only ask for a server that is up."""

    def __init__(self, size: int, store: Store, folder: Path, timeout_s: float) -> None:
        self.database_url = store.url
        self.timeout_s = timeout_s
        self.settling = SETTLING[store.name]
        self.folder = folder
        self.kills = 0
        self.starts = 0
        self.start_seconds: list[float] = []
        self.outages: list[Outage] = []
        self.freezes: list[Freeze] = []
        self.down_since: dict[int, tuple[int, str]] = {}
        self.nodes: list[Child | None] = [None] * size
        self._change = threading.Condition()

    def start(self, place: int) -> None:
        """Begin to start the server of one place; does not wait for it."""
        self.starts += 1
        name = f"server-{place}-{self.starts}"
        with self._change:
            self.nodes[place] = start_server(name, self.database_url, self.folder / f"{name}.log", self.timeout_s)

    def wait_until_up(self, place: int) -> None:
        """Until the server of a place listens; then the outage of that place is over."""
        node = self._node(place)
        node.wait_until_up()
        assert node.listening_at is not None
        self.start_seconds.append((node.listening_at - node.started_at) / SECOND)
        since, kind = self.down_since.pop(place, (node.started_at, "start"))
        self.outages.append(Outage(since, node.listening_at + self.settling, kind))
        with self._change:
            self._change.notify_all()

    def kill(self, place: int) -> None:
        """SIGKILL the server of a place."""
        node = self._node(place)
        self.check()
        since, _ = self.down_since.get(place, (now(), ""))
        self.down_since[place] = (since, "kill")
        self.kills += 1
        node.kill()

    def freeze(self, place: int) -> None:
        """SIGSTOP the server of a place. Until `thaw` nobody is to ask it anything."""
        node = self._node(place)
        self.check()
        node.freeze()

    def thaw(self, place: int) -> None:
        """SIGCONT it."""
        self._node(place).thaw()
        with self._change:
            self._change.notify_all()

    def pids(self) -> dict[int, int]:
        """The processes that live, by their places."""
        living = ((place, node) for place, node in enumerate(self.nodes) if node is not None)
        return {place: node.pid for place, node in living if not node.was_ended}

    def healths(self) -> list[Answer]:
        """What each server that is up says of its health."""
        return [call(url, "GET", "/api/health") for url in self._urls()]

    def stop(self, place: int) -> None:
        """SIGTERM it; it must leave with 0."""
        node = self._node(place)
        self.check()
        since = now()
        code = node.stop()
        self.down_since.setdefault(place, (since, "leave" if now() - since < DRAIN else "overdue"))
        if code != 0:
            raise Unexpected(f"{node.name} exited with {code} on SIGTERM; see {node.log}")

    def end(self) -> None:
        """Whatever still runs is ended, whatever happened."""
        for node in self.nodes:
            if node is not None:
                node.kill()

    def check(self) -> None:
        """Nobody but us ends a server."""
        for node in self.nodes:
            if node is not None and node.died:
                raise Unexpected(f"{node.name} died by itself; see {node.log}")

    def call(self, method: str, path: str, document: dict[str, object] | None = None) -> Answer:
        """Ask any server that is up, waiting for one if there is none. `Unanswered` when it may have been taken."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            url = self._url(deadline)
            if url is None:
                break
            try:
                return call(url, method, path, document)
            except NotReached:
                with self._change:  # killed a moment ago: the next start tells
                    self._change.wait(0.05)
        raise Unexpected(f"no server answered {method} {path} for {START_SECONDS:.0f} s")

    def _url(self, deadline: float) -> str | None:
        with self._change:
            self._change.wait_for(self._urls, deadline - time.monotonic())
            return next(iter(self._urls()), None)

    def _urls(self) -> list[str]:
        return [node.url for node in self.nodes if node is not None and node.is_up]

    def _node(self, place: int) -> Child:
        node = self.nodes[place]
        assert node is not None, f"no server was started at place {place}"
        return node
