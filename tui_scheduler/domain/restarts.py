"""When a worker that has died is started again: at once, and with growing pauses when it keeps dying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

STEADY_S: Final = 60.0
"""A life of this length was no failed start: the next death counts as the first one."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0

_MOST_DOUBLINGS: Final = 10


@dataclass(frozen=True, slots=True)
class Deaths:
    """How often in a row a worker has died soon after it was started."""

    in_a_row: int = 0

    def after(self, lived_s: float) -> Deaths:
        """With one more, of a worker that lived for so many seconds."""
        return Deaths(1 if lived_s >= STEADY_S else self.in_a_row + 1)

    @property
    def pause_s(self) -> float:
        """How long to wait before the next start, in seconds."""
        if self.in_a_row <= 1:
            return 0.0
        return min(FIRST_PAUSE_S * 2.0 ** min(self.in_a_row - 2, _MOST_DOUBLINGS), LONGEST_PAUSE_S)
