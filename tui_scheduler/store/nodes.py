"""Engines that work on this store: their rows, their heartbeats, and who has been declared dead.

A node's state goes alive → stopped, or alive → dead → gone: `dead` while its work is being taken from it, `gone` when
nothing is left. Both are final: a node that wakes up and finds itself dead starts anew under another id.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from tui_scheduler.domain.errors import SchedulerError
from tui_scheduler.store.database import Database
from tui_scheduler.store.dialects import Kind
from tui_scheduler.store.hot import rows, run

# Primary key. The share lock makes a claim and the death sentence of its node come one after the other: without it
# a claim could commit unseen by the rescue.
NODE_STATE = "SELECT state FROM node WHERE id = ?"
REGISTER = """
INSERT INTO node (uuid, host, pid, version, state, started_at, heartbeat, heartbeat_at, counters)
VALUES (?, ?, ?, ?, 'alive', ?, 0, ?, '{}') RETURNING id
"""
BEAT = """
UPDATE node SET heartbeat = heartbeat + 1, heartbeat_at = ?, counters = ? WHERE id = ? AND state = 'alive'
"""
# ix_node_state; a handful of rows.
LIVING = "SELECT id, heartbeat, state FROM node WHERE state IN ('alive', 'dead')"
CONDEMN = "UPDATE node SET state = 'dead', stopped_at = ? WHERE id = ? AND state = 'alive' AND heartbeat = ?"
BURY = "UPDATE node SET state = 'gone' WHERE id = ? AND state = 'dead'"
STOP = "UPDATE node SET state = 'stopped', stopped_at = ? WHERE id = ? AND state = 'alive'"
FORGET = "DELETE FROM node WHERE state IN ('stopped', 'gone') AND stopped_at < ?"


class NodeFenced(SchedulerError):
    """This node was declared dead while it could not speak, or may be at any moment: its work belongs to others."""

    def __init__(self, node: int, reason: str = "it was declared dead by another one") -> None:
        super().__init__(f"node {node} starts anew: {reason}")


@dataclass(frozen=True, slots=True)
class Pulse:
    """What can be seen of a node from outside: its heartbeat counter, and whether it was declared dead already."""

    node: int
    heartbeat: int
    is_dead: bool


def guard_node(connection: Connection, node: int, kind: Kind) -> None:
    """Raise `NodeFenced` unless `node` is alive, and keep it so until the transaction ends."""
    lock = " FOR SHARE" if kind == "postgresql" else ""
    found = rows(connection, NODE_STATE + lock, node)
    if not found or found[0].state != "alive":
        raise NodeFenced(node)


class NodeStore:
    """One method, one transaction. Instants are µs since the epoch."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def register(self, uuid: str, host: str, pid: int, version: str, now: int) -> int:
        """A new node; its key has never been used before."""
        with self._database.write() as connection:
            return int(rows(connection, REGISTER, uuid, host, pid, version, now, now)[0].id)

    def beat(self, node: int, now: int, counters: dict[str, Any]) -> None:
        """Say that the node lives. Raises `NodeFenced` when it has been declared dead."""
        with self._database.write() as connection:
            if not run(connection, BEAT, now, json.dumps(counters), node):
                raise NodeFenced(node)

    def pulses(self) -> list[Pulse]:
        """All nodes that are alive, or dead with work left."""
        with self._database.read() as connection:
            return [Pulse(row.id, row.heartbeat, row.state == "dead") for row in rows(connection, LIVING)]

    def condemn(self, node: int, heartbeat: int, now: int) -> bool:
        """Declare a node dead if it still stands at this heartbeat; False when it has moved or another was first."""
        with self._database.write() as connection:
            return bool(run(connection, CONDEMN, now, node, heartbeat))

    def bury(self, node: int) -> None:
        """Nothing of a dead node is left to be taken."""
        with self._database.write() as connection:
            run(connection, BURY, node)

    def stop(self, node: int, now: int) -> None:
        """The node has ended in order and given everything back."""
        with self._database.write() as connection:
            run(connection, STOP, now, node)

    def forget(self, before: int) -> int:
        """Delete the rows of nodes that ended before that instant; their number."""
        with self._database.write() as connection:
            return run(connection, FORGET, before)
