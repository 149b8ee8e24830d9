"""This node, for one life: what its parts share."""

from __future__ import annotations

from dataclasses import dataclass

from tui_scheduler.engine.counters import Counters
from tui_scheduler.engine.hand import Hand
from tui_scheduler.engine.pulse import Pulse
from tui_scheduler.engine.trouble import Trouble
from tui_scheduler.engine.world import World


@dataclass(frozen=True, slots=True)
class Node:
    """`key` is the node's row in the store, new at every start. Belongs to the engine's thread."""

    world: World
    key: int
    hand: Hand
    pulse: Pulse
    counters: Counters
    trouble: Trouble
