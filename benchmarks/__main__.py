"""Measures the scheduler from the receiver's side, beside the reference and its peers.

    python -m benchmarks                                  all of it, and the table of what is reached
    python -m benchmarks --list                           what that is, and how long each takes
    python -m benchmarks --scenario herd:10000 --seconds 30 --repeat 3
    python -m benchmarks --scenario spread:5000 --history 2000000 --prune
    python -m benchmarks --scenario herd:1000 --db postgresql
    python -m benchmarks --scenario nodes:16000 --repeat 3          one node, two nodes, one, two, one, two
    python -m benchmarks --smoke                          small and short: does the machinery work, is anything lost
    python -m benchmarks --ui --scenario herd:1000 spread:2000      with the UI open in a terminal beside without it
    python -m benchmarks --reference                      the reference alone
    python -m benchmarks --profile herd:3000              where the time goes (py-spy)
    python -m benchmarks.capacity                         what the receiver itself carries

Exits with 1 when the program lost anything, or recorded what never arrived; speed is shown, not judged.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from pathlib import Path

from benchmarks import figures, limits, paint, plan, profile, report, scenarios
from benchmarks.databases import KINDS, SQLITE
from benchmarks.machine import Machine, all_cores, cores_for_measuring, describe, pin, raise_open_files_limit
from benchmarks.measure import Result, measure, median
from benchmarks.processes import DidNotLast, DidNotStart
from benchmarks.scenarios import CARRIED, TWICE, Shape, doubled
from benchmarks.subjects import Terms

SMOKE_TERMS = Terms(seconds=1, warm_up=0, quick=True)
WHOLE_SECONDS = 10
"""Measured in each scenario of the whole table, unless told otherwise."""
LEAST = 1_000
"""Firings a second below which a scenario says nothing of how many there could be."""
AT_ONCE = 4
"""Scenarios side by side where speed does not matter."""


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(arguments)
    runs = chosen(options)
    if options.list:
        print(plan.listing(runs))
        return 0
    machine = describe()
    raise_open_files_limit()
    all_cores()  # before this process keeps itself to one
    if not options.smoke:
        pin(cores_for_measuring()[1])
    print(report.heading(machine), flush=True)
    try:
        if options.profile:
            print(profile.of(options.profile, terms_of(options)))
            return 0
        results = measure_at_once(runs) if options.smoke else measure_all(runs, options.repeat)
        is_whole = not options.smoke and not options.scenario
        told = [*figures.lines(results), paint.line(starts=5)] if is_whole else []
    except (DidNotStart, DidNotLast, profile.CannotProfile) as reason:
        print(f"benchmarks: {reason}", file=sys.stderr)
        return 1
    tell(results, told, options.repeat)
    if is_whole:
        print("\n".join(limits.told(seconds=3)))
    print(f"written to {report.write_json(document(machine, results, told), options.json)}")
    return 0 if all(result.sound for result in results if result.subject in report.PROMISING) else 1


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scenario", type=scenarios.parse, nargs="+", metavar=scenarios.NAMES)
    parser.add_argument("--list", action="store_true", help="what would be run, and how long it takes")
    parser.add_argument("--smoke", action="store_true", help="a second each, tiny numbers, several at once")
    parser.add_argument("--seconds", type=int, help=f"measured, after the warm-up: 20, or {WHOLE_SECONDS} of the whole")
    parser.add_argument("--warm-up", type=int, default=5, help="seconds that do not count")
    parser.add_argument("--repeat", type=int, default=1, help="rounds, each with all that are compared")
    parser.add_argument("--history", type=int, default=0, help="finished executions in the store beforehand")
    parser.add_argument("--prune", action="store_true", help="let them be old enough to be pruned meanwhile")
    parser.add_argument("--db", choices=KINDS, default=SQLITE, help="what the program stores in")
    parser.add_argument("--json", type=Path, help="where to write the figures; else below benchmarks/results")
    parser.add_argument("--reference", action="store_true", help="the reference alone, not the program")
    parser.add_argument("--alone", action="store_true", help="the program alone, not the reference")
    parser.add_argument("--ui", action="store_true", help="the program with its UI open, too")
    parser.add_argument("--two", action="store_true", help="two nodes over one store, too")
    parser.add_argument("--workers", action="store_true", help="the program with --workers 2, too")
    parser.add_argument("--peers", action="store_true", help="APScheduler 3 with aiohttp, in memory and stored, too")
    parser.add_argument("--profile", type=scenarios.parse, metavar="SCENARIO", help="where the time goes in it")
    return parser.parse_args(arguments)


def terms_of(options: argparse.Namespace) -> Terms:
    seconds = options.seconds or (20 if options.scenario or options.profile else WHOLE_SECONDS)
    return Terms(seconds, options.warm_up, options.history, options.prune, options.db)


def chosen(options: argparse.Namespace) -> list[plan.Run]:
    if options.smoke:
        return plan.smoke(SMOKE_TERMS)
    if not options.scenario:
        return plan.whole(terms_of(options))
    return [plan.Run(each, contestants(options, each), terms_of(options)) for each in options.scenario]


def contestants(options: argparse.Namespace, scenario: scenarios.Scenario) -> list[str]:
    """Only plain loads can be offered to the reference and the peers."""
    names: list[str] = []
    if options.peers and scenario.is_plain:
        names += [report.IN_MEMORY, report.STORED]
    if not options.alone and scenario.is_plain:
        names.append(report.REFERENCE)
    if options.reference and scenario.is_plain:
        return names
    if scenario.shape is Shape.NODES and not options.alone:
        return [*names, *plan.together()]
    if scenario.shape is Shape.API and not options.alone:
        return [*names, *plan.api()]
    names.append(report.PROGRAM)
    extra = {report.TWO_NODES: options.two, report.WORKERS: options.workers, report.WITH_UI: options.ui}
    return names + [name for name, wanted in extra.items() if wanted]


def measure_all(runs: Iterable[plan.Run], rounds: int) -> list[Result]:
    """Scenario by scenario, in every round all contestants one right after the other: A B A B."""
    results: list[Result] = []
    for run in runs:
        scenario = doubled(carried(results)) if run.scenario == TWICE else run.scenario
        for _ in range(rounds):
            for name in run.who:
                began = time.monotonic()
                result = measure(name, plan.CONTESTANTS[name], scenario, run.terms)
                results.append(result)
                took = time.monotonic() - began
                print(f"{scenario.name}, {name}: {report.span(result)}, {took:.0f} s in all", flush=True)
    return results


def carried(results: Sequence[Result]) -> float:
    """The most firings a second that the program was seen to do, alone on its core."""
    ours = [each for each in results if each.subject == report.PROGRAM and not each.scenario.course.shares_cores]
    return max((each.fired for each in ours if each.fired > LEAST), default=CARRIED)


def measure_at_once(runs: Iterable[plan.Run]) -> list[Result]:
    """Several side by side, the longest first: that it works is to be seen, not how fast."""
    single = [(name, run) for run in runs for name in run.who]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = [pool.submit(measure, name, plan.CONTESTANTS[name], run.scenario, run.terms) for name, run in single]
        return [each.result() for each in waiting]


def tell(results: Sequence[Result], told: Sequence[figures.Line], rounds: int) -> None:
    print(f"\n{report.table(results)}\n\n{report.LEGEND}")
    if rounds > 1:
        print(f"\nThe rounds with the middle p99:\n{report.table(medians(results))}")
    print("\n".join(["", *report.more(results), "", *report.ratios(results)]))
    if told:
        print(f"\n{figures.table(told)}\n")


def document(machine: Machine, results: Sequence[Result], told: Sequence[figures.Line]) -> dict[str, object]:
    return {**report.as_json(machine, results), "figures": figures.as_json(told)}


def medians(results: Sequence[Result]) -> list[Result]:
    def group(result: Result) -> tuple[str, str, str, int]:
        return result.scenario.name, result.subject, result.terms.db, result.terms.history

    return [median(list(rounds)) for _, rounds in groupby(sorted(results, key=group), key=group)]


if __name__ == "__main__":
    sys.exit(main())
