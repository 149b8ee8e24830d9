"""Keys that were pressed before what they are meant for has the focus."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from textual import events

Typed = events.Key | events.Paste

_AWAY: Final = frozenset({"escape", "ctrl+q", "ctrl+c"})
"""Keys that no field is waited for with: who does not want to wait gets out."""


class TypeAhead:
    """What was typed, in its order, until it is somebody's turn. While a field is waited for nothing is given out, but
    a key that leads away drops what was typed before it. `on_end` is called when the waiting ends.
    """

    def __init__(self) -> None:
        self._typed: deque[Typed] = deque()
        self._is_waiting = False
        self.on_end: Callable[[], None] = lambda: None

    @property
    def is_waiting(self) -> bool:
        """Whether a field that is on its way gets what is typed now."""
        return self._is_waiting

    def add(self, event: Typed) -> None:
        """Something was typed."""
        self._typed.append(event)

    def next(self, *, may_wait: bool = True, is_behind: bool = False) -> Typed | None:
        """What is to be acted on now; None: nothing yet. Not `may_wait`: something lies over the field. `is_behind`:
        what has the focus does not show yet what the keys are meant for.
        """
        if not self._typed:
            return None
        if not ((self._is_waiting and may_wait) or is_behind):
            return self._typed.popleft()
        away = [n for n, event in enumerate(self._typed) if isinstance(event, events.Key) and event.key in _AWAY]
        if not away:
            return None
        for _ in range(away[0]):
            self._typed.popleft()
        return self._typed.popleft()

    def wait(self) -> None:
        """From now on what is typed is for a field that is on its way."""
        self._is_waiting = True

    def end(self) -> None:
        """The field has the focus and gets what was typed."""
        if self._is_waiting:
            self._is_waiting = False
            self.on_end()

    def drop(self) -> None:
        """There is to be no field: what was typed for it is for nothing else."""
        if self._is_waiting:
            self._typed.clear()
            self.end()
