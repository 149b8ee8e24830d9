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
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks import figures, limits, paint, plan, profile, report, scenarios
from benchmarks.databases import KINDS, SQLITE
from benchmarks.machine import Machine, all_cores, cores_for_measuring, describe, pin, raise_open_files_limit
from benchmarks.measure import Result, median
from benchmarks.processes import DidNotLast, DidNotStart
from benchmarks.scenarios import Shape
from benchmarks.session import Session, in_turn, side_by_side
from benchmarks.subjects import Terms

SMOKE_TERMS = Terms(seconds=1, warm_up=0, quick=True)
WHOLE_SECONDS = 10
"""Measured in each scenario of the whole table, unless told otherwise."""


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
    path = options.json or report.fresh_path()
    try:
        if options.profile:
            print(profile.of(options.profile, terms_of(options)))
            return 0
    except (DidNotStart, DidNotLast, profile.CannotProfile) as reason:
        print(f"benchmarks: {reason}", file=sys.stderr)
        return 1

    def keep(session: Session, told: Sequence[figures.Line] = ()) -> None:
        report.write_json(document(machine, session, told), path)

    session = side_by_side(runs) if options.smoke else in_turn(runs, options.repeat, keep)
    is_whole = not options.smoke and not options.scenario
    told = [*figures.lines(session.results), paint.line(starts=5)] if is_whole else []
    tell(session, told, options.repeat)
    if is_whole:
        print("\n".join(limits.told(seconds=3)))
    keep(session, told)
    print(f"written to {path}")
    return 0 if session.sound else 1


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


def tell(session: Session, told: Sequence[figures.Line], rounds: int) -> None:
    results = session.results
    print(f"\n{report.table(results)}\n\n{report.LEGEND}")
    if rounds > 1:
        print(f"\nThe rounds with the middle p99:\n{report.table(medians(results))}")
    print("\n".join(["", *report.more(results), "", *report.ratios(results), *map(str, session.troubles)]))
    if told:
        print(f"\n{figures.table(told)}\n")


def document(machine: Machine, session: Session, told: Sequence[figures.Line]) -> dict[str, object]:
    troubles = [str(trouble) for trouble in session.troubles]
    return {**report.as_json(machine, session.results), "figures": figures.as_json(told), "troubles": troubles}


def medians(results: Sequence[Result]) -> list[Result]:
    def group(result: Result) -> tuple[str, str, str, int]:
        return result.scenario.name, result.subject, result.terms.db, result.terms.history

    return [median(list(rounds)) for _, rounds in groupby(sorted(results, key=group), key=group)]


if __name__ == "__main__":
    sys.exit(main())
