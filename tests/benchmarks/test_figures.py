"""The table of what is wanted and reached: a ✓ must be earned."""

from __future__ import annotations

import pytest

from benchmarks import report
from benchmarks.figures import FIGURES, Line, lines, table
from benchmarks.measure import Result
from tests.benchmarks.made import result


def line(what: str, *results: Result) -> Line:
    (found,) = [line for line in lines(results) if line.what == what]
    return found


@pytest.mark.parametrize(
    ("measured", "reached"),
    [
        (result("herd:5000", 130_000), True),
        (result("herd:5000", 130_001), False),
        (result("herd:5000", lost=1), False),
        (result("herd:5000", behind=1), False),
        (result("herd:5000", late=1), False),
        (result("herd:1000", 1), None),
    ],
)
def test_a_figure_is_reached_when_it_is_within_and_nothing_is_missing(measured: Result, reached: bool | None) -> None:
    assert line("herd of 5,000, all recorded before the next, p99", measured).reached is reached


def test_a_figure_wanted_with_a_history_is_not_taken_without_one() -> None:
    what = "spread 5,000/s, 2 million rows, pruning, p99"
    assert line(what, result("spread:5000", 1_000)).measured is None
    assert line(what, result("spread:5000", 1_000, history=2_000_000)).reached


def test_a_figure_of_its_own_database_and_the_reference_beside_it() -> None:
    results = [
        result("herd:1000", 90_000, db="postgresql"),
        result("herd:1000", 10_000, subject=report.REFERENCE),
        result("herd:1000", 20_000),
    ]
    found = line("herd of 1,000, p99", *results)
    assert (found.measured, found.reached, found.reference, found.ratio) == (20, True, 10, 2)


def test_of_several_rounds_the_middle_one_is_shown() -> None:
    rounds = [result("light", p99) for p99 in (1_000, 9_000, 1_500)]
    assert line("light load, p99", *rounds).measured == 1.5


def test_the_ceiling_is_a_rate_that_is_kept_up() -> None:
    def ceiling(per_second: float, behind: int = 0) -> bool | None:
        measured = result("spread:10000", per_second=per_second, behind=behind, history=2_000_000)
        return line("ceiling, 2 million rows, pruning", measured).reached

    assert (ceiling(9_990), ceiling(9_000), ceiling(9_990, behind=5)) == (True, False, False)


def test_a_second_node_is_told_in_terms_of_one() -> None:
    results = [
        result("nodes:16000", per_second=4_000, db="postgresql"),
        result("nodes:16000", per_second=6_400, db="postgresql", subject=report.TWO_NODES),
        result("nodes:16000", per_second=9_000),
        result("nodes:16000", per_second=10_000, subject=report.TWO_NODES),
    ]
    gain = line("two nodes, postgresql, times one node", *results)
    assert gain.measured == pytest.approx(1.6)
    assert gain.reached
    assert line("two nodes, sqlite, target included", *results).reached is False


def test_the_api_counts_only_in_a_process_of_its_own_and_without_an_error() -> None:
    def reached(subject: str, errors: int) -> list[bool | None]:
        found = {"api p99 ms": 20.0, "api errors": float(errors)}
        return [
            line.reached for line in lines([result("api:200", subject=subject, findings=found)]) if "API" in line.what
        ]

    assert reached(report.WORKERS, 0) == [True]
    assert reached(report.WORKERS, 1) == [False]
    assert reached(report.PROGRAM, 0) == [False]


def test_what_was_not_measured_is_said_and_marked_neither_way() -> None:
    rows = table(lines([])).splitlines()
    assert len(rows) == 1 + len(FIGURES)
    assert all("not measured" in row and "✓" not in row and "✗" not in row for row in rows[1:])
