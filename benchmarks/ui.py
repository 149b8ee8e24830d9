"""Measures the terminal UI as a person meets it: the real program in a pseudo-terminal of 120x36.

    python -m benchmarks.ui                       start, first jobs, key presses with 10,000 and 100,000 jobs; the load
    python -m benchmarks.ui --jobs 100000 --rounds 20 --no-load
    python -m benchmarks.ui --smoke

A key press is measured from the byte written to the terminal until the screen shows what it is to do, as a terminal
would draw it. The load is what the UI costs on top of the same program without it, under the same firings.
Drift with the UI open is `python -m benchmarks --ui`. Speed is shown, not judged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import pyte

from benchmarks import report, scenarios
from benchmarks.machine import cores_for_measuring, describe, pin, raise_open_files_limit
from benchmarks.measure import measure
from benchmarks.offers import offered
from benchmarks.processes import running_receiver
from benchmarks.program import create_jobs, scheduler, with_ui
from benchmarks.scenarios import SECOND
from benchmarks.subjects import Terms
from benchmarks.terminal import Terminal
from tui_scheduler.domain.job import JobSpec, Request
from tui_scheduler.store.database import open_database
from tui_scheduler.store.jobs import JobStore

COLUMNS, ROWS = 120, 36
NAME = 12
"""Cells of a name that are looked at."""
PATIENCE_S = 60.0
FIRST_PAINT_REACH_MS = 300
KEY_REACH_MS = 50
UI_CPU_REACH = 0.25
LOAD = "spread:5000"

DOWN, PAGE_DOWN, FIRST, LAST, TURN_ROUND = "j", "\x1b[6~", "g", "G", "S"


class DidNotShow(Exception):
    """The screen did not come to show what was waited for."""


class Screen:
    """What a person sees of a program in a terminal."""

    def __init__(self, command: Sequence[str]) -> None:
        self._screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self._screen)
        self.terminal = Terminal(command, columns=COLUMNS, rows=ROWS)
        pin(cores_for_measuring()[0], self.terminal.pid)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def look(self) -> tuple[str, ...]:
        """The names in the table and the background under them: what a move of the cursor changes, and no firing."""
        rows = self._screen.display
        top = next((row for row, text in enumerate(rows) if "NAME" in text), 0)
        bottom = next((row for row in range(top, ROWS) if rows[row].startswith(("╰", "┗"))), ROWS)
        start = rows[top].find("NAME")
        return tuple(
            self._screen.buffer[row][start].bg + rows[row][start : start + NAME] for row in range(top + 1, bottom)
        )

    def wait(self, holds: Callable[[], bool], what: str) -> float:
        """The `time.monotonic()` at which the bytes came that made it hold."""
        deadline = time.monotonic() + PATIENCE_S
        came = time.monotonic()
        while not holds():
            chunk = self.terminal.read(deadline - time.monotonic())
            came = time.monotonic()
            if not chunk:
                raise DidNotShow(f"{what}; the screen shows:\n{self.text}")
            self._stream.feed(chunk)
        return came

    def settle(self) -> None:
        """Read on until nothing has come for a moment."""
        while chunk := self.terminal.read(0.05):
            self._stream.feed(chunk)

    def press(self, key: str) -> float:
        """Milliseconds from a key press to the change of the table that follows it."""
        self.settle()
        before = self.look()
        began = time.monotonic()
        self.terminal.type(key)
        return (self.wait(lambda: self.look() != before, f"nothing changed after {key!r}") - began) * 1_000


@dataclass
class Figures:
    """Milliseconds; `keys` has every press."""

    jobs: int
    load: str = ""
    first_paint: list[float] = field(default_factory=list)
    first_frame: list[float] = field(default_factory=list)
    """Keys do something from here on; before that they are kept."""
    first_rows: list[float] = field(default_factory=list)
    keys: dict[str, list[float]] = field(default_factory=dict)


@contextmanager
def program(path: Path, home: Path) -> Iterator[Screen]:
    """The program on a database, in a home directory of its own."""
    os.environ.update(HOME=str(home), XDG_CONFIG_HOME=str(home), XDG_STATE_HOME=str(home), XDG_DATA_HOME=str(home))
    screen = Screen([sys.executable, "-m", "tui_scheduler", "--db", str(path)])
    try:
        yield screen
    finally:
        screen.terminal.end()


def measure_hands(jobs: int, rounds: int, starts: int) -> Figures:
    """How long a start takes, and a key press, with so many stored jobs of which none fires soon."""
    figures = Figures(jobs)
    with tempfile.TemporaryDirectory(prefix="tui-scheduler-ui-") as temporary:
        path = Path(temporary) / "jobs.db"
        fill(path, jobs)
        for _ in range(starts):
            with program(path, Path(temporary)) as screen:
                began = screen.terminal.started
                painted = screen.wait(lambda: "opening" in screen.text, "the first screen")
                figures.first_paint.append((painted - began) * 1_000)
                framed = screen.wait(lambda: "q quit" in screen.text, "the first screen with its keys")
                figures.first_frame.append((framed - began) * 1_000)
                shown = screen.wait(lambda: "job 000" in screen.text, "the first jobs")
                figures.first_rows.append((shown - began) * 1_000)
        with program(path, Path(temporary)) as screen:
            screen.wait(lambda: "job 000" in screen.text, "the first jobs")
            press_all(screen, figures, rounds)
            figures.keys["sort"] = [screen.press(TURN_ROUND) for _ in range(4)]
    return figures


def measure_busy_hands(scenario: scenarios.Scenario, rounds: int) -> Figures:
    """Key presses while that many jobs fire every second, in this same program."""
    figures = Figures(scenario.count, load=scenario.name)
    with tempfile.TemporaryDirectory(prefix="tui-scheduler-ui-") as temporary:
        path = Path(temporary) / "jobs.db"
        with running_receiver(Path(temporary) / "arrivals.log", cpu=cores_for_measuring()[1]) as target:
            offers = offered(scenario)
            start = int(time.time() + 5 + len(offers) / 1_000) * SECOND
            database = open_database(str(path))
            try:
                create_jobs(database, offers, target.url, start)
            finally:
                database.close()
            with program(path, Path(temporary)) as screen:
                screen.wait(lambda: "✓ 200" in screen.text, "the first firings")
                press_all(screen, figures, rounds)
    return figures


def press_all(screen: Screen, figures: Figures, rounds: int) -> None:
    figures.keys["down"] = [screen.press(DOWN) for _ in range(min(rounds, figures.jobs // 4))]
    pages = min(rounds, figures.jobs // 2 // ROWS)  # not to the end, where nothing would change any more
    figures.keys["page down"] = [screen.press(PAGE_DOWN) for _ in range(pages)]
    figures.keys["last, first"] = [screen.press((LAST, FIRST)[turn % 2]) for turn in range(rounds)]


def fill(path: Path, jobs: int) -> None:
    database = open_database(str(path))
    try:
        now = time.time_ns() // 1_000
        request = Request("http://127.0.0.1:9/")
        specs = (JobSpec("0 0 0 1 1 *", request, name=f"job {number:06}") for number in range(jobs))
        JobStore(database).create_many(specs, now)
    finally:
        database.close()


def measure_load(scenario: scenarios.Scenario, terms: Terms) -> tuple[float, float]:
    """Shares of a core: the program without its UI, and with it, under the same firings."""
    without = measure(report.PROGRAM, scheduler, scenario, terms)
    with_it = measure(report.WITH_UI, with_ui, scenario, terms)
    print(report.table([without, with_it]))
    return without.load.cpu_seconds / without.window.seconds, with_it.load.cpu_seconds / with_it.window.seconds


def show(figures: Figures) -> None:
    print(f"\n{figures.jobs:,} jobs{', ' * bool(figures.load)}{figures.load}; milliseconds, middle and worst")
    if figures.first_paint:
        print(f"  first paint   {spread(figures.first_paint)}   wanted {FIRST_PAINT_REACH_MS}")
        print(f"  first keys    {spread(figures.first_frame)}")
        print(f"  first jobs    {spread(figures.first_rows)}")
    for name, taken in figures.keys.items():
        print(f"  {name:<13} {spread(taken)}   wanted {KEY_REACH_MS}")


def spread(taken: Sequence[float]) -> str:
    return f"{median(taken):7.1f} {max(taken):7.1f}"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.ui", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=30, help="presses of each key")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20, help="of load")
    parser.add_argument("--scenario", type=scenarios.parse, default=scenarios.parse(LOAD), help="the load")
    parser.add_argument("--no-load", action="store_true")
    parser.add_argument("--smoke", action="store_true", help="small and short: does the machinery work")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    if options.smoke:
        options.jobs, options.rounds, options.starts, options.seconds = [200], 2, 1, 2
        options.scenario = scenarios.parse("spread:50")
    raise_open_files_limit()
    print(report.heading(describe()))
    pin(cores_for_measuring()[1])
    found = [measure_hands(jobs, options.rounds, options.starts) for jobs in options.jobs]
    for figures in found:
        show(figures)
    loads: dict[str, float] = {}
    if not options.no_load:
        found.append(measure_busy_hands(options.scenario, options.rounds))
        show(found[-1])
        without, with_it = measure_load(options.scenario, Terms(options.seconds, 1 if options.smoke else 5))
        loads = {"without": without, "with": with_it}
        print(f"\nUI: {with_it - without:.0%} of a core on top of {without:.0%}; wanted {UI_CPU_REACH:.0%} at most")
    if options.json:
        options.json.write_text(json.dumps({"hands": [vars(each) for each in found], "load": loads}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
