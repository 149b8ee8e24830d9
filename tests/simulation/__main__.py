"""`python -m tests.simulation`: play histories and check the promise on each."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterable
from dataclasses import fields

from tests.simulation.audit import Figures
from tests.simulation.judging import Verdict, judge


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--histories", type=int, default=10_000, help="how many to play")
    parser.add_argument("--seed", type=int, default=None, help="the first seed; the others follow it")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    options = parser.parse_args()
    first = options.seed if options.seed is not None else int(time.time()) * 1_000
    seeds = range(first, first + options.histories)
    print(f"{options.histories:,} histories from seed {first}", flush=True)
    began = time.monotonic()
    if options.histories == 1:
        return report(map(judge, seeds), began)
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        return report(pool.imap_unordered(judge, seeds, chunksize=8), began)


def report(verdicts: Iterable[Verdict], began: float) -> int:
    """Print what the histories came to; 1 when the promise was broken in one of them."""
    total, count, crashes, broken = Figures(), 0, 0, 0
    for verdict in verdicts:
        count += 1
        crashes += verdict.crashes
        for figure in fields(Figures):
            setattr(total, figure.name, getattr(total, figure.name) + getattr(verdict.figures, figure.name))
        if verdict.wrong:
            broken += 1
            print(f"seed {verdict.seed}:", *verdict.wrong[:10], sep="\n  ", flush=True)
    seconds = time.monotonic() - began
    print(
        f"histories {count:,}, crashes {crashes:,}, planned {total.planned:,}, executed {total.executed:,}, "
        f"skipped {total.skipped:,}, duplicates {total.duplicates:,}, at-most-once lost {total.lost_at_most_once:,}, "
        f"histories with a broken promise {broken:,} ({seconds:.0f} s)"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
