"""The line of what is to be sent: by instant while the node keeps up, by priority once it does not."""

from __future__ import annotations

from tests.engine.stage import MS, START, held
from tui_scheduler.engine.line import LATE, Line

NOW = START + 10_000 * MS


def line_of(*members: tuple[int, int]) -> Line:
    """Of (how long before NOW it was due, priority); the keys count from 1."""
    line = Line()
    for key, (before, priority) in enumerate(members, 1):
        line.add(held(NOW - START - before, key=key, priority=priority))
    return line


def sent(line: Line, until: int = NOW) -> list[int]:
    line.look(until)
    found = []
    while (each := line.take(until)) is not None:
        found.append(each.execution.key)
    return found


def test_in_time_it_goes_by_instant_then_by_priority_then_by_arrival() -> None:
    assert sent(line_of((0, 1), (LATE, 9), (LATE, 5), (LATE, 5))) == [3, 4, 2, 1]


def test_late_it_goes_by_priority_then_by_instant() -> None:
    assert sent(line_of((LATE + 1, 9), (3 * LATE, 9), (0, 1), (2 * LATE, 5))) == [3, 4, 2, 1]


def test_what_becomes_due_while_others_are_late_goes_before_what_matters_less() -> None:
    line = line_of((LATE + 1, 5), (LATE + 1, 5), (-MS, 1))
    line.look(NOW)
    assert line.take(NOW) is not None
    assert sent(line, NOW + MS) == [3, 2]


def test_what_is_not_due_stays() -> None:
    line = line_of((LATE + 1, 9), (-1, 1))
    assert sent(line) == [1]
    assert (len(line), line.first_due) == (1, NOW + 1)


def test_what_is_late_is_not_given_when_the_limit_has_gone_back() -> None:
    line = line_of((2 * LATE, 5))
    line.look(NOW)
    assert line.take(-1) is None
    assert line.first_due == NOW - 2 * LATE


def test_an_empty_line_has_nothing() -> None:
    assert (sent(Line()), Line().first_due, len(Line())) == ([], None, 0)
