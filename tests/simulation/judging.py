"""One seed, played and judged; in a module of its own so that other processes can import it."""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.audit import Figures, check
from tests.simulation.story import play
from tui_scheduler.store.database import Database, open_database


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed came to."""

    seed: int
    wrong: list[str]
    figures: Figures
    crashes: int


_databases: dict[str, Database] = {}


def judge(seed: int, crash_at: int | None = None) -> Verdict:
    """Play and check one history, on this process's own database in memory."""
    if "one" not in _databases:
        _databases["one"] = open_database("sqlite://")
    history = play(seed, _databases["one"], crash_at)
    wrong, figures = check(history)
    return Verdict(seed, wrong, figures, history.crashes)
