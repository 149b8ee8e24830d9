"""One seed, played and judged; in a module of its own so that other processes can import it."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import trio

from tests.simulation.audit import Figures, check
from tests.simulation.history import History, Tally, wipe
from tests.simulation.memory import open_memory
from tests.simulation.story import Plot, Story
from tests.simulation.year import YearStory
from tui_scheduler.store.database import Database


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one seed came to."""

    seed: int
    wrong: list[str]
    figures: Figures = field(default_factory=Figures)
    tally: Tally = field(default_factory=Tally)


YEAR_EVERY = 500
"""One history in so many lasts a year: it costs as much as fifty others."""

_databases: dict[str, Database] = {}


def judge(seed: int, plot: Plot | None = None) -> Verdict:
    """Play and check one history, on this process's own database in memory."""
    if "one" not in _databases:
        _databases["one"] = open_memory()
    try:
        history = play(seed, _databases["one"], plot)
        wrong, figures = check(history)
    except Exception as error:  # noqa: BLE001 - an engine that fell over is what is looked for; the next history goes on
        del _databases["one"]
        return Verdict(seed, [f"it fell over: {error!r}"])
    return Verdict(seed, wrong, figures, history.tally)


def play(seed: int, database: Database, plot: Plot | None = None) -> History:
    """Play the history of a seed on an emptied store. The same seed gives the same history."""
    is_year = plot is None and seed % YEAR_EVERY == 0
    return run(YearStory(seed, database) if is_year else Story(seed, database, plot))


def run(story: Story) -> History:
    """Play this very story."""
    history = story.history
    wipe(history.database)
    # trio shuffles what runs next, on purpose; these two make it repeatable (as Hypothesis does it).
    trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio._core._run._r = Random(history.seed)
    trio.run(story.play, clock=history.time.clock)
    return history
