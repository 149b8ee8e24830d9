"""`python -m tests.simulation`: play histories and check the promise on each."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from tests.simulation.audit import Figures
from tests.simulation.history import Tally
from tests.simulation.judging import Verdict, judge

A_MINUTE = 60.0


@dataclass(slots=True)
class Total:
    """What some histories came to. `add` takes them one by one."""

    first: int
    wanted: int
    count: int = 0
    broken: int = 0
    figures: Figures = field(default_factory=Figures)
    tally: Tally = field(default_factory=Tally)

    def add(self, verdict: Verdict) -> None:
        self.count += 1
        self.broken += bool(verdict.wrong)
        add_up(self.figures, verdict.figures)
        add_up(self.tally, verdict.tally)

    def line(self) -> str:
        """One line to keep: the lines of several runs add up."""
        parts = [f"histories {self.count:,}"]
        for values in (self.tally, self.figures):
            parts += [f"{one.name.replace('_', ' ')} {getattr(values, one.name):,}" for one in fields(values)]
        return ", ".join([*parts, f"broken {self.broken:,}"])

    def rest(self) -> str:
        """How to go on where this was left."""
        left = self.wanted - self.count
        return f'go on with: make simulate ARGS="--seed {self.first + self.count} --histories {left}"' if left else ""


def add_up(total: Figures | Tally, more: Figures | Tally) -> None:
    for one in fields(total):
        setattr(total, one.name, getattr(total, one.name) + getattr(more, one.name))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000, help="how many to play")
    parser.add_argument("--seed", type=int, default=None, help="the first seed; the others follow it")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args(arguments)
    first = options.seed if options.seed is not None else int(time.time()) * 1_000
    seeds = range(first, first + options.histories)
    print(f"{options.histories:,} histories from seed {first}", flush=True)
    total = Total(first, options.histories)
    try:
        if options.processes == 1 or options.histories == 1:
            follow(total, map(judge, seeds))
        else:
            with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
                follow(total, pool.imap(judge, seeds, chunksize=8))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
    print(total.line())
    if total.rest():
        print(total.rest())
    return 1 if total.broken else 0


def follow(total: Total, verdicts: Iterable[Verdict], every_s: float = A_MINUTE) -> None:
    """Add them up in the order of their seeds; say what is broken at once, and once a minute how far it is."""
    began = said = time.monotonic()
    for verdict in verdicts:
        total.add(verdict)
        if verdict.wrong:
            print(f"seed {verdict.seed}:", *verdict.wrong[:10], sep="\n  ", flush=True)
        now = time.monotonic()
        if now - said >= every_s:
            said = now
            left = (now - began) / total.count * (total.wanted - total.count)
            print(f"{now - began:,.0f} s, {left:,.0f} s to go: {total.line()}", flush=True)
            print(total.rest(), flush=True)
    print(f"{time.monotonic() - began:,.0f} s")


if __name__ == "__main__":
    sys.exit(main())
