"""Measures the scheduler from the receiver's side, each scenario beside the reference.

    python -m benchmarks                                  light, herd 1,000 / 3,000 / 5,000 and spread 5,000
    python -m benchmarks --scenario herd:10000 --seconds 30 --repeat 3
    python -m benchmarks --scenario spread:5000 --history 2000000 --prune
    python -m benchmarks --smoke                          small and short: does the machinery work, is anything lost
    python -m benchmarks --ui --scenario herd:1000 spread:2000      with the UI open in a terminal beside without it
    python -m benchmarks --reference                      the reference alone
    python -m benchmarks.capacity                         what the receiver itself carries

Exits with 1 when the program lost anything, or recorded what never arrived; speed is shown, not judged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks import report, scenarios, subjects
from benchmarks.machine import cores_for_measuring, describe, pin, raise_open_files_limit
from benchmarks.measure import Result, Terms, measure, median
from benchmarks.processes import DidNotLast, DidNotStart

SMOKE_TERMS = Terms(seconds=2, warm_up=1)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    chosen = options.scenario or [
        scenarios.parse(name) for name in (scenarios.SMOKE if options.smoke else scenarios.USUAL)
    ]
    terms = SMOKE_TERMS if options.smoke else Terms(options.seconds, options.warm_up, options.history, options.prune)
    machine = describe()
    raise_open_files_limit()
    pin(cores_for_measuring()[1])
    print(report.heading(machine), flush=True)
    try:
        results = measure_all(contestants(options), chosen, terms, options.repeat)
    except (DidNotStart, DidNotLast) as reason:
        print(f"benchmarks: {reason}", file=sys.stderr)
        return 1
    print(f"\n{report.table(results)}\n\n{report.LEGEND}")
    if options.repeat > 1:
        print(f"\nThe rounds with the middle p99:\n{report.table(medians(results))}")
    print("\n".join(["", *report.ratios(results)]))
    print(f"written to {report.write_json(machine, results, options.json)}")
    return 0 if all(result.sound for result in results if result.subject in report.PROMISING) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", type=scenarios.parse, nargs="+", metavar="light|herd:N|spread:N")
    parser.add_argument("--smoke", action="store_true", help="a few seconds each, tiny numbers")
    parser.add_argument("--seconds", type=int, default=20, help="measured, after the warm-up")
    parser.add_argument("--warm-up", type=int, default=5, help="seconds that do not count")
    parser.add_argument("--repeat", type=int, default=1, help="rounds")
    parser.add_argument("--history", type=int, default=0, help="finished executions in the store beforehand")
    parser.add_argument("--prune", action="store_true", help="let them be old enough to be pruned meanwhile")
    parser.add_argument("--json", type=Path, help="where to write the figures; else below benchmarks/results")
    parser.add_argument("--reference", action="store_true", help="the reference alone, not the program")
    parser.add_argument("--alone", action="store_true", help="the program alone, not the reference")
    parser.add_argument("--ui", action="store_true", help="the program with its UI open, too")
    parser.add_argument("--peers", action="store_true", help="APScheduler 3 with aiohttp, in memory, too")
    return parser.parse_args(arguments)


def contestants(options: argparse.Namespace) -> list[tuple[str, subjects.Prepare]]:
    chosen: list[tuple[str, subjects.Prepare]] = []
    if options.peers:
        chosen.append(("APScheduler", subjects.apscheduler))
    if not options.alone:
        chosen.append((report.REFERENCE, subjects.reference))
    if not options.reference:
        chosen.append((report.PROGRAM, subjects.scheduler))
    if options.ui:
        chosen.append((report.WITH_UI, subjects.with_ui))
    return chosen


def measure_all(
    who: Sequence[tuple[str, subjects.Prepare]], chosen: Sequence[scenarios.Scenario], terms: Terms, rounds: int
) -> list[Result]:
    """Scenario by scenario, all contestants one right after the other, so that they meet the same machine."""
    results: list[Result] = []
    for scenario in chosen:
        for _ in range(rounds):
            for name, prepare in who:
                began = time.monotonic()
                result = measure(name, prepare, scenario, terms)
                results.append(result)
                took = time.monotonic() - began
                print(f"{scenario.name}, {name}: {report.span(result)}, {took:.0f} s in all", flush=True)
    return results


def medians(results: Sequence[Result]) -> list[Result]:
    def group(result: Result) -> tuple[str, str]:
        return result.scenario.name, result.subject

    return [median(list(rounds)) for _, rounds in groupby(sorted(results, key=group), key=group)]


if __name__ == "__main__":
    sys.exit(main())
