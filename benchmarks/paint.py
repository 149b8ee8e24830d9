"""How long the terminal UI takes to its first paint, as a line of the table."""

from __future__ import annotations

from statistics import median

from benchmarks.figures import Line
from benchmarks.ui import FIRST_PAINT_REACH_MS, measure_hands

JOBS = 1_000


def line(starts: int) -> Line:
    """The middle of so many warm starts."""
    painted = median(measure_hands(JOBS, rounds=0, starts=starts).first_paint)
    wanted = f"≤ {FIRST_PAINT_REACH_MS} ms"
    return Line("first paint", wanted, painted, "ms", painted <= FIRST_PAINT_REACH_MS)
