"""Nodes: alive, then stopped, or dead and gone; and nothing leads back."""

from __future__ import annotations

import json

import pytest

from tests.store.stage import EVERY_SECOND, Stage, T
from tui_scheduler.domain.retry import SECOND
from tui_scheduler.store.database import Database
from tui_scheduler.store.nodes import NodeFenced, Pulse


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


def state_of(stage: Stage, node: int) -> str:
    return str(dict(stage.rows("id, state", "node"))[node])


def test_a_beat_moves_the_counter_and_keeps_the_figures(stage: Stage) -> None:
    node = stage.node()
    assert stage.nodes.pulses() == [Pulse(node, 0, is_dead=False)]
    stage.nodes.beat(node, T + 1, {"fired": 3})
    stage.nodes.beat(node, T + 2, {"fired": 4})
    assert stage.nodes.pulses() == [Pulse(node, 2, is_dead=False)]
    ((at, counters),) = stage.rows("heartbeat_at, CAST(counters AS TEXT)", "node")
    assert (at, json.loads(counters)) == (T + 2, {"fired": 4})


def test_a_node_is_condemned_only_at_the_heartbeat_that_was_seen_and_only_once(stage: Stage) -> None:
    node = stage.node()
    stage.nodes.beat(node, T, {})
    assert not stage.nodes.condemn(node, 0, T + 1)  # it has moved since
    assert state_of(stage, node) == "alive"
    assert stage.nodes.condemn(node, 1, T + 1)
    assert not stage.nodes.condemn(node, 1, T + 2)
    assert stage.nodes.pulses() == [Pulse(node, 1, is_dead=True)]
    assert stage.rows("state, stopped_at", "node") == [("dead", T + 1)]


def test_a_dead_node_is_gone_when_nothing_of_it_is_left(stage: Stage) -> None:
    node = stage.node()
    stage.nodes.bury(node)
    assert state_of(stage, node) == "alive"  # nobody is buried alive
    stage.nodes.condemn(node, 0, T)
    stage.nodes.bury(node)
    assert state_of(stage, node) == "gone"
    assert stage.nodes.pulses() == []


@pytest.mark.parametrize("end", ["dead", "gone", "stopped"])
def test_an_end_is_final(stage: Stage, end: str) -> None:
    node = stage.node()
    if end == "stopped":
        stage.nodes.stop(node, T)
    else:
        stage.nodes.condemn(node, 0, T)
    if end == "gone":
        stage.nodes.bury(node)
    with pytest.raises(NodeFenced, match=f"node {node} starts anew: it was declared dead"):
        stage.nodes.beat(node, T + 1, {})
    stage.nodes.stop(node, T + 1)
    assert not stage.nodes.condemn(node, 0, T + 1)
    assert stage.rows("state, heartbeat, stopped_at", "node") == [(end, 0, T)]


def test_a_node_that_is_not_there_is_fenced(stage: Stage) -> None:
    with pytest.raises(NodeFenced):
        stage.nodes.beat(7, T, {})


def test_only_those_that_ended_are_forgotten_and_no_key_comes_back(stage: Stage) -> None:
    alive, dead, gone, stopped, lately = (stage.node() for _ in range(5))
    for node in (dead, gone):
        stage.nodes.condemn(node, 0, T)
    stage.nodes.bury(gone)
    stage.nodes.stop(stopped, T)
    stage.nodes.stop(lately, T + SECOND)
    assert stage.nodes.forget(T + SECOND) == 2
    assert [key for (key,) in stage.rows("id", "node")] == [alive, dead, lately]
    assert stage.nodes.forget(T + 2 * SECOND) == 1
    assert stage.node() == lately + 1


def test_a_stopped_node_leaves_its_work_to_be_found(stage: Stage) -> None:
    stage.create(EVERY_SECOND)
    node = stage.node()
    stage.claim_one(node, T + SECOND)
    stage.rescues.rescue(node, T + SECOND)
    stage.nodes.stop(node, T + SECOND)
    assert stage.rows("state, node_id") == [("pending", None)]
