"""Work beside the keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from textual.dom import DOMNode
from textual.worker import WorkType

from tui_scheduler.tui.formatting import SECOND

HERD: Final = 150_000
"""µs behind every full second in which the screen does nothing by itself: most schedules are due then, and what is
sent would wait for it.
"""


def begin(node: DOMNode, work: WorkType[object], *, group: str, exclusive: bool = False) -> None:
    """Start a worker of a node; `exclusive`: in place of those of its group.

    From a function, not a coroutine: what is replaced, or kept from starting by the end of the app, before it began
    would be a coroutine that nobody ever awaited.
    """
    node.run_worker(work, group=group, exclusive=exclusive)


def clear_of_herd(now: int, seconds: float) -> float:
    """How many seconds to wait, at least so many, for a moment at which what is due at a full second has been sent."""
    left = HERD - (now + round(seconds * SECOND)) % SECOND
    return seconds + max(left, 0) / SECOND


def out_of_the_way(node: DOMNode, now: int, do: Callable[[], object]) -> None:
    """Do now, or as soon as what is due at the full second has been sent, what nobody has just pressed a key for."""
    wait = clear_of_herd(now, 0)
    if wait:
        node.set_timer(wait, do)
    else:
        do()
