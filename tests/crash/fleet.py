"""The servers of a trial: one or several on one database, killed and started again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.crash.client import Answer, NotReached, call
from tests.crash.evidence import SECOND, Outage
from tests.crash.processes import START_SECONDS, Child, Unexpected, now, start_server

SETTLING = 2 * SECOND
"""How long after a start its effects (a rescue, a catch-up) are not yet the usual running."""


class Fleet:
    """So many servers on one database. The thread that kills owns it; others only ask for a server that is up."""

    def __init__(self, size: int, database_url: str, folder: Path) -> None:
        self.database_url = database_url
        self.folder = folder
        self.kills = 0
        self.starts = 0
        self.start_seconds: list[float] = []
        self.outages: list[Outage] = []
        self.down_since: dict[int, int] = {}
        self.nodes: list[Child | None] = [None] * size
        self._change = threading.Condition()

    def start(self, place: int) -> None:
        """Begin to start the server of one place; does not wait for it."""
        self.starts += 1
        name = f"server-{place}-{self.starts}"
        with self._change:
            self.nodes[place] = start_server(name, self.database_url, self.folder / f"{name}.log")

    def wait_until_up(self, place: int) -> None:
        """Until the server of a place listens; then the outage of that place is over."""
        node = self._node(place)
        node.wait_until_up()
        assert node.listening_at is not None
        self.start_seconds.append((node.listening_at - node.started_at) / SECOND)
        self.outages.append(Outage(self.down_since.pop(place, node.started_at), node.listening_at + SETTLING))
        with self._change:
            self._change.notify_all()

    def kill(self, place: int) -> None:
        """SIGKILL the server of a place."""
        node = self._node(place)
        self.check()
        self.down_since.setdefault(place, now())
        self.kills += 1
        node.kill()

    def stop(self, place: int) -> None:
        """SIGTERM it; it must leave with 0."""
        node = self._node(place)
        self.check()
        self.down_since.setdefault(place, now())
        code = node.stop()
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
