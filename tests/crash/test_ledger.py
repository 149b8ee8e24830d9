"""The figures of a long run survive a stop, are shared by processes, and add up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.crash.ledger import Ledger, Line, table, total_of

ONE = Line("sqlite-1-7", 30, {"kill": 28, "lock": 1}, 100, 90, 10, 5, 3, 0, 0, 0, 60.5)
OTHER = Line("postgresql-2-8", 31, {"kill": 25, "drop": 2, "lock": 1}, 1_200, 1_190, 10, 6, 4, 1, 2, 3, 61.0)
TRY_TURN = """
import sys
from pathlib import Path
from tests.crash.ledger import Ledger
with Ledger(Path(sys.argv[1])).turn(sys.argv[2]) as is_ours:
    print(is_ours)
"""


def turn_elsewhere(folder: Path, name: str) -> str:
    """Whether another process would be given the turn."""
    command = [sys.executable, "-c", TRY_TURN, str(folder), name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    return done.stdout.strip()


def test_all_lines_and_their_total_come_out_as_a_table() -> None:
    total = total_of([ONE, OTHER])
    assert (total.kills, total.planned, total.violations, total.seconds) == (61, 1_300, 3, 121.5)
    assert total.faults == {"kill": 53, "lock": 2, "drop": 2}
    assert table([ONE, OTHER]).splitlines()[2:] == [
        "| sqlite-1-7 | 30 | 1 lock | 100 | 90 | 10 | 5 | 3 | 0 | 0 | 0 |",
        "| postgresql-2-8 | 31 | 2 drop, 1 lock | 1,200 | 1,190 | 10 | 6 | 4 | 1 | 2 | 3 |",
        "| 2 trials | 61 | 2 drop, 2 lock | 1,300 | 1,280 | 20 | 11 | 7 | 1 | 2 | 3 |",
    ]


def test_a_run_that_goes_on_keeps_its_seed_and_repeats_nothing(tmp_path: Path) -> None:
    first = Ledger(tmp_path)
    assert first.seed(7) == 7
    with first.turn(ONE.name) as is_ours:
        assert is_ours
        first.note(ONE)
    second = Ledger(tmp_path)
    assert second.seed(99) == 7
    assert second.lines() == [ONE]
    with second.turn(ONE.name) as is_ours:
        assert not is_ours
    with second.turn(OTHER.name) as is_ours:
        assert is_ours


def test_what_one_process_is_at_no_other_begins(tmp_path: Path) -> None:
    with Ledger(tmp_path).turn(ONE.name) as is_ours:
        assert is_ours
        assert turn_elsewhere(tmp_path, ONE.name) == "False"
        assert turn_elsewhere(tmp_path, OTHER.name) == "True"
    assert turn_elsewhere(tmp_path, ONE.name) == "True", "it was given up without a result"
