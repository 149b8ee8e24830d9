"""Kill it, start it, audit it.

    python -m tests.crash                          30 kills on SQLite and on PostgreSQL
    python -m tests.crash --short                  a dozen on SQLite, a few on PostgreSQL: what CI runs
    python -m tests.crash --kills 300 --database sqlite
    python -m tests.crash --nodes 2 --database postgresql
    python -m tests.crash --seed 4711              the same moments and orders again (the machine adds its own chance)
    python -m tests.crash --audit FOLDER           judge a kept folder again

Exits with 1 when a promise was broken, and keeps the folder with the database, the logs and the evidence.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.crash import archive
from tests.crash.audit import Violation, audit
from tests.crash.evidence import Evidence
from tests.crash.report import accusations, report, write_violations
from tests.crash.stores import fresh_store
from tests.crash.tally import tally
from tests.crash.trial import Result, Terms, run

DATABASES = ("sqlite", "postgresql")
SHORT_KILLS = {"sqlite": 12, "postgresql": 4}
JOBS, SHORT_JOBS = 200, 140


def main() -> int:
    options = read_options()
    if options.audit is not None:
        return judge_again(options.audit)
    return max(carry_out(terms) for terms in terms_of(options))


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.crash", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--short", action="store_true", help="within 2.5 minutes")
    parser.add_argument("--kills", type=int, help="on each database (30)")
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--seed", type=int, help="a random one, which is printed")
    parser.add_argument("--jobs", type=int, help=f"about 0.75 firings a second each ({JOBS}; {SHORT_JOBS} when short)")
    parser.add_argument("--nodes", type=int, default=1, help="servers on the one database (1)")
    parser.add_argument("--audit", type=Path, metavar="FOLDER", help="judge a kept folder, and run nothing")
    return parser.parse_args()


def terms_of(options: argparse.Namespace) -> Iterable[Terms]:
    """One trial for each database that was asked for."""
    seed = random.randrange(1_000_000) if options.seed is None else options.seed
    for database in DATABASES if options.database == "both" else (options.database,):
        kills = options.kills or (SHORT_KILLS[database] if options.short else 30)
        waits = {"longest_pause": 1.5, "longest_life": 2.5} if options.short else {}
        jobs = options.jobs or (SHORT_JOBS if options.short else JOBS)
        yield Terms(database, kills, seed, jobs, options.nodes, **waits)


def carry_out(terms: Terms) -> int:
    """One trial with its audit and report; 0 when every promise was kept."""
    folder = Path(tempfile.mkdtemp(prefix=f"crash-{terms.database}-"))
    with fresh_store(terms.database, folder) as store:
        result = run(terms, store, folder, say)
    violations = [*broke_off(result), *audit(result.evidence), *complaints(folder), *refusals(result.answers)]
    say(report(result, tally(result.evidence), violations))
    if violations:
        archive.save(result.evidence, folder)
        write_violations(violations, folder / "violations.txt")
        say(f"FAILED: seed {terms.seed}; kept: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


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
