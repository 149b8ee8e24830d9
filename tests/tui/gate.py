"""Answers that come late, when a test says so."""

from __future__ import annotations

import threading
from typing import Final

_DEADLINE_S: Final = 20.0


class Gate:
    """Who calls waits here until it is opened; `number` have come so far."""

    def __init__(self) -> None:
        self.number = 0
        self._opened = threading.Event()

    def open(self) -> None:
        """Whoever waits goes on, and whoever comes does not wait."""
        self._opened.set()

    def wait(self) -> None:
        """In the thread of the one who calls; fails when nobody opens it."""
        self.number += 1
        assert self._opened.wait(_DEADLINE_S), "nobody has opened the gate"
