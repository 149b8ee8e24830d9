"""Kill it, freeze it, take its database away, start it again, audit it.

    python -m tests.crash                          the long form: 1,080 kills over two databases and 1 to 3 servers
    python -m tests.crash --resume FOLDER          the same, its figures kept there: go on after a stop, or help along
    python -m tests.crash --minutes 30             begin no trial after half an hour, and end those under way
    python -m tests.crash --short                  three trials within 3 minutes: what CI runs
    python -m tests.crash --store postgresql --nodes 2 --faults kill,restart,drop --kills 30
    python -m tests.crash --seed 4711              the same acts and orders again (the machine adds its own chance)
    python -m tests.crash --audit FOLDER           judge a kept folder again

Exits with 1 when a promise was broken, and keeps the folder with the database, the logs and the evidence.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tests.crash import archive
from tests.crash.audit import audit
from tests.crash.case import Violation
from tests.crash.evidence import Evidence
from tests.crash.faults import KINDS
from tests.crash.ledger import Ledger, line_of, table
from tests.crash.report import accusations, report, write_violations
from tests.crash.stores import fresh_store
from tests.crash.tally import tally
from tests.crash.trial import Result, Terms, run

STORES = {"sqlite": ("stop", "lock", "full"), "postgresql": ("stop", "restart", "drop", "full")}
"""What can be done to a server on each database, and to the database itself, besides killing."""
ROUNDS, KILLS = 6, 30
"""The long form: each of six combinations of database and servers so often, with so many kills each time."""
JOBS, SHORT_JOBS = 120, 80
FINISHING_SECONDS = 120.0
"""What a trial may take after its last fault."""


def main() -> int:
    options = read_options()
    if options.audit is not None:
        return judge_again(options.audit)
    began = time.monotonic()
    folder = options.resume or Path(tempfile.mkdtemp(prefix="crash-figures-"))
    ledger = Ledger(folder)
    for name, terms in terms_of(options, ledger.seed(options.seed), began + options.minutes * 60):
        with ledger.turn(name) as is_ours:
            if is_ours and time.monotonic() - began < options.minutes * 60 - FINISHING_SECONDS:
                carry_out(name, terms, ledger)
    lines = ledger.lines()
    say(table(lines))
    if options.resume is None:
        shutil.rmtree(folder)
    return 1 if any(line.violations for line in lines) else 0


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="within 3 minutes")
    parser.add_argument("--kills", type=int, help=f"of one trial ({KILLS})")
    parser.add_argument("--store", choices=[*STORES], help="one database only")
    parser.add_argument("--nodes", type=int, choices=(1, 2, 3), help="so many servers only")
    parser.add_argument("--faults", type=kinds, help=f"of {','.join(KINDS)} (all the database knows)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"trials of each combination ({ROUNDS})")
    parser.add_argument("--seed", type=int, help="a random one, which is printed")
    parser.add_argument("--jobs", type=int, help=f"about 0.75 firings a second each ({JOBS}; {SHORT_JOBS} when short)")
    parser.add_argument("--minutes", type=float, default=240.0, help="bound of the whole (240)")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="keep the figures there, and go on from there")
    parser.add_argument("--audit", type=Path, metavar="FOLDER", help="judge a kept folder, and run nothing")
    return parser.parse_args()


def kinds(text: str) -> frozenset[str]:
    chosen = frozenset(text.split(","))
    if not chosen <= set(KINDS):
        raise argparse.ArgumentTypeError(f"there are {', '.join(KINDS)}")
    return chosen


def terms_of(options: argparse.Namespace, seed: int, until: float) -> Iterable[tuple[str, Terms]]:
    """The trials that were asked for, by their names; all combinations of a round before the next round."""
    if options.short:
        yield from short_terms(options, seed)
        return
    stores = [options.store] if options.store else [*STORES]
    sizes = [options.nodes] if options.nodes else [1, 2, 3]
    for number, (_, store, nodes) in enumerate(itertools.product(range(options.rounds), stores, sizes)):
        chosen = options.faults or frozenset(KINDS)
        others = tuple(kind for kind in STORES[store] if kind in chosen)
        kills = (KILLS if options.kills is None else options.kills) * ("kill" in chosen)
        jobs = options.jobs or JOBS
        most = max(until - time.monotonic() - FINISHING_SECONDS, 0)
        waits = {"longest_pause": 1.0, "longest_life": 2.5, "most": most}
        yield f"{store}-{nodes}-{seed + number}", Terms(store, kills, seed + number, jobs, nodes, others, **waits)


def short_terms(options: argparse.Namespace, seed: int) -> Iterable[tuple[str, Terms]]:
    """One server killed again and again; two on SQLite, one of them frozen, the file locked; two on PostgreSQL, which
    is restarted and cuts connections.
    """
    trials: list[tuple[str, int, int, tuple[str, ...]]] = [
        ("sqlite", 1, 5, ()),
        ("sqlite", 2, 2, ("stop", "lock")),
        ("postgresql", 2, 3, ("restart", "drop")),
    ]
    for number, (store, nodes, kills, others) in enumerate(trials):
        if options.store in (None, store) and options.nodes in (None, nodes):
            jobs = options.jobs or SHORT_JOBS
            terms = Terms(store, kills, seed + number, jobs, nodes, others, longest_pause=1.0, longest_life=2.0)
            yield f"{store}-{nodes}-{seed + number}", terms


def carry_out(name: str, terms: Terms, ledger: Ledger) -> None:
    """One trial with its audit and report."""
    folder = Path(tempfile.mkdtemp(prefix=f"crash-{terms.database}-"))
    with fresh_store(terms.database, folder, terms.faults) as store:
        left_out = set(terms.faults) - store.faults
        if left_out:
            say(f"left out, as nothing here allows it: {', '.join(left_out)}")
        possible = tuple(kind for kind in terms.faults if kind in store.faults)
        result = run(replace(terms, faults=possible), store, folder, say)
    violations = [*broke_off(result), *audit(result.evidence), *complaints(folder), *refusals(result.answers)]
    figures = tally(result.evidence)
    say(report(result, figures, violations))
    line = line_of(name, result, figures, violations)
    ledger.note(line)
    say(str(line))
    if violations:
        archive.save(result.evidence, folder)
        write_violations(violations, folder / "violations.txt")
        say(f"FAILED: seed {terms.seed}; kept: {folder}")
    else:
        shutil.rmtree(folder)


def broke_off(result: Result) -> list[Violation]:
    """A trial that did not come to its end is broken whatever else is found."""
    return [] if result.failure is None else [Violation("broke off", "the trial", 0, result.failure)]


def complaints(folder: Path) -> list[Violation]:
    """A server that prints a traceback has met something nobody thought of."""
    return [
        Violation("traceback", log.name, 0, f"in {log}")
        for log in sorted(folder.glob("server-*.log"))
        if "Traceback (most recent call last)" in log.read_text(encoding="utf-8", errors="replace")
    ]


def refusals(answers: dict[int, int]) -> list[Violation]:
    """A user's script asks for nothing that could be refused, and 500 is no answer at all."""
    return [
        Violation("answer", f"HTTP {status}", 0, f"{count} times")
        for status, count in answers.items()
        if status >= 500 and status != 503
    ]


def judge_again(folder: Path) -> int:
    evidence: Evidence = archive.load(folder)
    violations = audit(evidence)
    say("\n".join(accusations(violations)) or "every promise was kept")
    return 1 if violations else 0


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
