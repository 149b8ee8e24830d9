"""Work beside the keys."""

from __future__ import annotations

from textual.dom import DOMNode
from textual.worker import WorkType


def begin(node: DOMNode, work: WorkType[object], *, group: str, exclusive: bool = False) -> None:
    """Start a worker of a node; `exclusive`: in place of those of its group.

    From a function, not a coroutine: what is replaced, or kept from starting by the end of the app, before it began
    would be a coroutine that nobody ever awaited.
    """
    node.run_worker(work, group=group, exclusive=exclusive)
